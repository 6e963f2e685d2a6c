"""The graph lifter against its sums over neighbours in plain loops; the graphs against the skeleton."""

import numpy as np
import pytest
import torch
from test_networks import example, make

from lift3d.models.graph_convolution.configuration import GraphConvolutionConfig
from lift3d.models.graph_convolution.modeling import GraphConvolution, SpatioTemporalGraph
from lift3d.models.joint_nodes import JointMixing, partitioned_graph
from lift3d.skeletons import H36M17, LIFTER23, SKELETONS, conversion

WITH_CONTEXT = {"joints_in": 24, "features_in": 3, "skeleton": "lifter23"}


def test_partitions_are_the_kinds_of_neighbour() -> None:
    own, parent, children, mirror, context = partitioned_graph(GraphConvolutionConfig(**WITH_CONTEXT))  # type: ignore[arg-type]
    hip, shoulder = LIFTER23.index("left_hip"), LIFTER23.index("left_shoulder")
    elbow = LIFTER23.index("left_elbow")
    assert torch.equal(own, torch.eye(24))
    assert parent[hip].nonzero().tolist() == [[shoulder]]
    assert sorted(children[shoulder].nonzero().flatten().tolist()) == sorted([hip, elbow])
    assert children[shoulder, hip] == 0.5
    assert mirror[hip].nonzero().tolist() == [[LIFTER23.index("right_hip")]]
    assert mirror[LIFTER23.index("nose")].sum() == 0
    assert context[:23, 23].eq(1).all()
    torch.testing.assert_close(context[23, :23], torch.full((23,), 1 / 23))
    # The body's two halves are the same graph.
    order = [*LIFTER23.mirror_order, 23]
    for partition in (parent, children, mirror):
        assert torch.equal(partition[order][:, order], partition)


def test_graph_convolution_is_a_sum_over_neighbours() -> None:
    torch.manual_seed(0)
    graph = partitioned_graph(GraphConvolutionConfig())
    layer = GraphConvolution(4, graph).double()
    torch.nn.init.normal_(layer.free)
    torch.nn.init.normal_(layer.strength)
    x = torch.randn(2, 4, 3, 17, dtype=torch.float64)
    expected = torch.zeros_like(x)
    weight = layer.weight.weight.view(len(graph), 4, 4)
    for kind in range(len(graph)):
        for node in range(17):
            for other in range(17):
                edge = graph[kind, node, other] * layer.strength[kind, node, other] + layer.free[kind, node, other]
                for batch, frame in np.ndindex(2, 3):
                    expected[batch, :, frame, node] += edge * (weight[kind] @ x[batch, :, frame, other])
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("causal", [False, True])
def test_network_is_its_blocks_in_plain_loops(causal: bool) -> None:
    network = make("graph_convolution", "lifter23 with context", causal=causal, filter_widths=(3, 5)).double()
    assert isinstance(network, SpatioTemporalGraph)
    x = example(network, outputs=2, batch=1).double()
    with torch.no_grad():
        joints = network(x).joints[0]
        nodes = network.embed(x)[0]
        rows = [nodes[frame].T for frame in range(len(nodes))]  # (channels, nodes) a frame
        dilation = 1
        for block, width in zip(network.blocks, (3, 5), strict=True):

            def norm(row: torch.Tensor, layer: torch.nn.BatchNorm2d) -> torch.Tensor:
                scaled = (row - layer.running_mean[:, None]) / (layer.running_var[:, None] + layer.eps).sqrt()
                return scaled * layer.weight[:, None] + layer.bias[:, None]

            inner = [block.spatial(row[None, :, None])[0, :, 0] for row in rows]
            inner = [norm(row, block.spatial_norm).relu() for row in inner]
            following = []
            for frame in range(len(rows) - (width - 1) * dilation):
                y = sum(block.temporal.weight[:, :, tap, 0] @ inner[frame + tap * dilation] for tap in range(width))
                centre = frame + ((width - 1) if causal else width // 2) * dilation
                following.append((rows[centre] + norm(y, block.temporal_norm)).relu())
            rows, dilation = following, dilation * width
        expected = torch.stack([network.head(network.mix.weight @ row.T) for row in rows])
    torch.testing.assert_close(joints, expected)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_mixing_starts_as_the_conversion_of_layouts(skeleton) -> None:  # type: ignore[no-untyped-def]
    config = GraphConvolutionConfig(joints_in=len(skeleton) + 1, skeleton=skeleton.name)
    points = torch.randn(len(skeleton) + 1, 3)
    with torch.no_grad():
        mixed = JointMixing(config)(points)
    change = conversion(skeleton, H36M17)
    known = [H36M17.index(joint) for joint in (*change.measured, *change.estimated)]
    missing = [H36M17.index(joint) for joint in change.missing]
    expected = change.apply(points[:-1].double().numpy())
    np.testing.assert_allclose(mixed[known], expected[known], atol=1e-5)
    torch.testing.assert_close(mixed[missing], points.mean(dim=0).expand(len(missing), 3))

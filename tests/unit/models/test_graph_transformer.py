"""The two-stream lifter: published sizes, its mixers in plain loops, and what order means to it."""

import numpy as np
import pytest
import torch
from test_networks import example, make

from lift3d.models.factory import make_config, make_network
from lift3d.models.graph_transformer.configuration import GraphTransformerConfig
from lift3d.models.graph_transformer.modeling import Attention, SpatialGraph, TemporalGraph
from lift3d.models.joint_nodes import bone_graph
from lift3d.skeletons import H36M17


@pytest.mark.parametrize(("size", "millions", "frames"), [("XS", 2.2, 27), ("S", 4.8, 81), ("B", 11.7, 243)])
def test_sizes_have_the_published_number_of_parameters(size: str, millions: float, frames: int) -> None:
    config = make_config("graph_transformer", {"size": size})
    assert config.parameters == pytest.approx(1e6 * millions, rel=0.025)
    assert config.window == frames
    if size == "XS":
        network = make_network("graph_transformer", {"size": size})
        assert sum(parameter.numel() for parameter in network.parameters()) == config.parameters


def test_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    layer = Attention(8, heads=2, dropout=0.0).double()
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    expected = torch.zeros_like(x)
    query, key, value = layer.queries_keys_values.weight.split(8)
    for sequence, head in np.ndindex(3, 2):
        part = slice(4 * head, 4 * head + 4)
        for node in range(5):
            scores = torch.stack([(query[part] @ x[sequence, node]) @ (key[part] @ other) for other in x[sequence]])
            share = (scores / 2).exp() / (scores / 2).exp().sum()
            for other in range(5):
                expected[sequence, node, part] += share[other] * (value[part] @ x[sequence, other])
    torch.testing.assert_close(layer(x), layer.project(expected))


def naive_graph(layer: SpatialGraph | TemporalGraph, x: torch.Tensor, adjacency: np.ndarray) -> torch.Tensor:
    """One graph convolution over the nodes of ``x`` (nodes, channels), after equation (6) of the paper."""
    degree = adjacency.sum(axis=1)
    result = []
    for node in range(len(x)):
        update = layer.own(x[node])
        for other in np.flatnonzero(adjacency[node]):
            update = update + layer.others(x[other]) / np.sqrt(degree[node] * degree[other])
        norm = layer.norm
        update = (update - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        result.append((x[node] + update).relu())
    return torch.stack(result)


def test_spatial_graph_joins_what_bones_join() -> None:
    torch.manual_seed(0)
    layer = SpatialGraph(6, bone_graph(GraphTransformerConfig())).double().eval()
    layer.norm.running_mean.normal_()
    adjacency = np.zeros((17, 17))
    for parent, child in H36M17.bones:
        adjacency[parent, child] = adjacency[child, parent] = 1
    x = torch.randn(2, 17, 6, dtype=torch.float64)
    for frame, joints in zip(layer(x), x, strict=True):
        torch.testing.assert_close(frame, naive_graph(layer, joints, adjacency), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("neighbours", [1, 2, 4, 9])
def test_temporal_graph_joins_the_most_similar_frames(neighbours: int) -> None:
    torch.manual_seed(0)
    layer = TemporalGraph(6, neighbours).double().eval()
    layer.norm.running_mean.normal_()
    x = torch.randn(2, 7, 6, dtype=torch.float64)
    for frames, path in zip(layer(x), x, strict=True):
        adjacency = np.zeros((7, 7))
        for frame in range(7):
            likeness = [float(path[frame] @ other) for other in path]
            adjacency[frame, np.argsort(likeness)[::-1][:neighbours]] = 1
        torch.testing.assert_close(frames, naive_graph(layer, path, adjacency))


def test_layer_fuses_its_streams_by_a_share_of_each_node() -> None:
    network = make("graph_transformer").double()
    layer = network.layers[0]  # type: ignore[index]
    torch.nn.init.normal_(layer.fusion.weight)
    x = torch.randn(1, 4, 17, 16, dtype=torch.float64)
    attended, convolved = layer.attention(x), layer.graph(x)
    first, second = layer.fusion(torch.cat([attended, convolved], dim=-1)).unbind(-1)
    share = 1 / (1 + (second - first).exp())[..., None]
    torch.testing.assert_close(layer(x), share * attended + (1 - share) * convolved)
    assert (attended - convolved).abs().max() > 0.01


def test_order_of_frames_has_no_meaning_and_order_of_joints_has() -> None:
    network = make("graph_transformer").double()
    x = example(network).double()
    frames, joints = torch.randperm(9), list(H36M17.mirror_order)
    with torch.no_grad():
        straight = network(x).joints
        torch.testing.assert_close(network(x[:, frames]).joints, straight[:, frames])
        assert (network(x[:, :, joints]).joints - straight[:, :, joints]).abs().max() > 1e-4


def test_every_output_sees_every_frame_and_any_length_is_taken() -> None:
    network = make("graph_transformer")
    for frames in (1, 5, 20):
        x = example(network, frames, batch=1).requires_grad_()
        lifted = network(x)
        assert lifted.joints.shape == (1, frames, 17, 3)
        lifted.joints[0, 0].sum().backward()
        assert x.grad is not None
        assert x.grad.abs().sum(dim=(0, 2, 3)).gt(0).all()

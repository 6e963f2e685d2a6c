"""Joints as the nodes of a network: their embedding, the graph between them, and the way to another layout.

The rows of an input are the joints of a skeleton, and after them, in person-centred input, one row that says how the
person is seen (lift3d.lifting.normalization.encode). That row is a node too, the context, joined to every joint.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from lift3d.errors import CheckpointError, SkeletonError
from lift3d.models.network import NetworkConfig
from lift3d.skeletons import Skeleton, conversion, get_skeleton


class NodeConfig(NetworkConfig, Protocol):
    """Configuration of a network whose nodes are joints.

    Attributes:
        skeleton, skeleton_out: joint layouts of input and output.
    """

    @property
    def skeleton(self) -> str: ...
    @property
    def skeleton_out(self) -> str: ...


def require_layouts(config: NodeConfig) -> None:
    """Raise CheckpointError unless ``joints_in`` and ``joints_out`` are those of ``skeleton`` and ``skeleton_out``."""
    try:
        source, target = get_skeleton(config.skeleton), get_skeleton(config.skeleton_out)
        conversion(source, target)
    except (SkeletonError, AttributeError) as error:
        raise CheckpointError(f"skeleton and skeleton_out must name joint layouts: {error}") from error
    if config.joints_in not in (len(source), len(source) + 1):
        raise CheckpointError(
            f"joints_in must be the {len(source)} joints of skeleton {source.name!r}, or one more for the context row, "
            f"not {config.joints_in}"
        )
    if config.joints_out not in (len(target), 1):
        raise CheckpointError(
            f"joints_out must be the {len(target)} joints of skeleton_out {target.name!r}, or 1 for its root alone, "
            f"not {config.joints_out}"
        )


def mixes_joints(config: NodeConfig) -> bool:
    """Whether the output's joints are other ones than the input's nodes."""
    source = get_skeleton(config.skeleton)
    return source is not get_skeleton(config.skeleton_out) or not config.joints_in == config.joints_out == len(source)


class NodeEmbedding(nn.Module):
    """Features of each node, and which node it is: (..., joints_in, features) -> (..., joints_in, channels).

    A linear layer that all joints share, one for the context, and a learned vector for each node. A missing joint is
    known by its confidence, 0.
    """

    def __init__(self, config: NodeConfig, channels: int) -> None:
        super().__init__()
        self.joints = len(get_skeleton(config.skeleton))
        self.joint = nn.Linear(config.features_in, channels)
        self.context = nn.Linear(config.features_in, channels) if config.joints_in > self.joints else None
        self.position = nn.Parameter(0.02 * torch.randn(config.joints_in, channels))

    def forward(self, x: Tensor) -> Tensor:
        nodes: Tensor = self.joint(x[..., : self.joints, :])
        if self.context is not None:
            nodes = torch.cat([nodes, self.context(x[..., self.joints :, :])], dim=-2)
        return nodes + self.position


class JointMixing(nn.Module):
    """Nodes of the input to joints of the output: (..., joints_in, channels) -> (..., joints_out, channels).

    A learned matrix, at first the conversion of layouts; joints that it cannot give start as the mean of all nodes,
    and so does the root where it is the only output: where a person is, all nodes tell.
    """

    def __init__(self, config: NodeConfig) -> None:
        super().__init__()
        layouts = conversion(get_skeleton(config.skeleton), get_skeleton(config.skeleton_out))
        known = torch.tensor(layouts.weights.tolist())
        if config.joints_out != len(layouts.target):
            known = torch.zeros(config.joints_out, len(layouts.source))
        weight = torch.zeros(config.joints_out, config.joints_in)
        weight[:, : known.shape[1]] = known
        self.weight = nn.Parameter(torch.where((known == 0).all(dim=1, keepdim=True), 1 / config.joints_in, weight))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight @ x


def node_parameters(config: NodeConfig, channels: int) -> int:
    """Numbers that are trained in ``NodeEmbedding`` and ``JointMixing`` together."""
    linears = 1 + (config.joints_in > len(get_skeleton(config.skeleton)))
    embedding = linears * (config.features_in + 1) * channels + config.joints_in * channels
    return embedding + (config.joints_out * config.joints_in if mixes_joints(config) else 0)


def joint_mixing(config: NodeConfig) -> nn.Module:
    """``JointMixing``, or nothing to do where the output's joints are the input's."""
    return JointMixing(config) if mixes_joints(config) else nn.Identity()


def _edges(nodes: int, *edges: tuple[int, int]) -> Tensor:
    """(nodes, nodes) with 1 where row ``a`` takes part of column ``b`` for each edge (a, b)."""
    matrix = torch.zeros(nodes, nodes)
    for a, b in edges:
        matrix[a, b] = 1
    return matrix


def _context_edges(skeleton: Skeleton, nodes: int) -> list[tuple[int, int]]:
    """Both ways between each joint and the context, if there is one."""
    return [
        edge
        for context in range(len(skeleton), nodes)
        for joint in range(len(skeleton))
        for edge in ((joint, context), (context, joint))
    ]


def bone_graph(config: NodeConfig) -> Tensor:
    """Symmetrically normalised adjacency D^-1/2 A D^-1/2 (nodes, nodes) of the bones, without loops."""
    layout, nodes = get_skeleton(config.skeleton), config.joints_in
    bones = [edge for parent, child in layout.bones for edge in ((parent, child), (child, parent))]
    adjacency = _edges(nodes, *bones, *_context_edges(layout, nodes))
    scale = adjacency.sum(dim=1).clamp_min(1).rsqrt()
    return scale[:, None] * adjacency * scale


def partitioned_graph(config: NodeConfig) -> Tensor:
    """Adjacency (partitions, nodes, nodes) by kind of neighbour; each row sums to 1, or to 0 if there is none.

    The partitions are the node itself, its parent, its children (the spatial configuration of Yan et al., AAAI 2018,
    section 3.4), its mirror image, and the context.
    """
    layout, nodes = get_skeleton(config.skeleton), config.joints_in
    partitions = [
        torch.eye(nodes),
        _edges(nodes, *((child, parent) for parent, child in layout.bones)),
        _edges(nodes, *layout.bones),
        _edges(nodes, *(edge for left, right in layout.pairs for edge in ((left, right), (right, left)))),
    ]
    if nodes > len(layout):
        partitions.append(_edges(nodes, *_context_edges(layout, nodes)))
    graph = torch.stack(partitions)
    return graph / graph.sum(dim=-1, keepdim=True).clamp_min(1)

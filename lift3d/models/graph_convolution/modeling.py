"""The spatio-temporal graph lifter: graph convolutions over the joints, dilated convolutions over the frames.

Blocks as in Yan et al., AAAI 2018, section 3: a graph convolution with weights of their own for each kind of
neighbour, then a temporal convolution of each joint by itself, and a shortcut. Here symmetric joints are neighbours
too; the strength of each edge is learned, and a learned matrix joins all joints with all (the adaptive graph of Shi
et al., "Two-Stream Adaptive Graph Convolutional Networks", CVPR 2019, without its data-dependent part). In time the
blocks are those of the temporal convolution: dilated, without padding, so that every output comes from real frames.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from lift3d.models.graph_convolution.configuration import GraphConvolutionConfig
from lift3d.models.heads import split_sigma, start_near_zero, values_per_joint
from lift3d.models.joint_nodes import NodeEmbedding, joint_mixing, partitioned_graph
from lift3d.models.network import Lifted, Lifter


class GraphConvolution(nn.Module):
    """sum_k (A_k * M_k + B_k) x W_k over the nodes of (batch, channels, frames, nodes).

    A_k is the adjacency of partition k, M_k the strength of its edges, B_k joins all nodes with all.
    """

    graph: Tensor

    def __init__(self, channels: int, graph: Tensor) -> None:
        super().__init__()
        self.register_buffer("graph", graph, persistent=False)
        self.strength = nn.Parameter(torch.ones_like(graph))
        self.free = nn.Parameter(torch.zeros_like(graph))
        # All W_k at once.
        self.weight = nn.Conv2d(channels, len(graph) * channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        values = rearrange(
            self.weight(x), "batch (kinds channels) frames nodes -> (batch channels frames) (kinds nodes)",
            kinds=len(self.graph),
        )  # fmt: skip
        edges = rearrange(self.graph * self.strength + self.free, "kinds nodes others -> (kinds others) nodes")
        gathered: Tensor = values @ edges
        return rearrange(
            gathered, "(batch channels frames) nodes -> batch channels frames nodes",
            batch=x.shape[0], frames=x.shape[2],
        )  # fmt: skip


class Block(nn.Module):
    """A graph convolution and a temporal one of dilation ``dilation``, added to the frames that the outputs stand for.

    (batch, channels, frames, nodes) to frames - (width - 1) * dilation frames.
    """

    def __init__(self, config: GraphConvolutionConfig, graph: Tensor, width: int, dilation: int) -> None:
        super().__init__()
        channels = config.channels
        # The input frame that the first output stands for: the middle of its filter, the last of it if causal.
        self.first = (width - 1) * dilation if config.causal else (width // 2) * dilation
        self.spatial = GraphConvolution(channels, graph)
        self.spatial_norm = nn.BatchNorm2d(channels)
        self.temporal = nn.Conv2d(channels, channels, (width, 1), dilation=(dilation, 1), bias=False)
        self.temporal_norm = nn.BatchNorm2d(channels)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.spatial_norm(self.spatial(x)))
        y = self.drop(self.temporal_norm(self.temporal(y)))
        return torch.relu(x[:, :, self.first : self.first + y.shape[2]] + y)


class SpatioTemporalGraph(Lifter):
    """(batch, frames, joints, features) -> joints (batch, frames - receptive field + 1, joints, 3)."""

    config: GraphConvolutionConfig

    def __init__(self, config: GraphConvolutionConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = NodeEmbedding(config, config.channels)
        graph = partitioned_graph(config)
        dilation = 1
        blocks = []
        for width in config.filter_widths:
            blocks.append(Block(config, graph, width, dilation))
            dilation *= width
        self.blocks = nn.Sequential(*blocks)
        self.mix = joint_mixing(config)
        self.head = nn.Linear(config.channels, values_per_joint(config.sigma))
        start_near_zero(self.head)

    def forward(self, x: Tensor) -> Lifted:
        x = self.blocks(rearrange(self.embed(x), "batch frames joints channels -> batch channels frames joints"))
        x = self.mix(rearrange(x, "batch channels frames joints -> batch frames joints channels"))
        return split_sigma(self.head(x))

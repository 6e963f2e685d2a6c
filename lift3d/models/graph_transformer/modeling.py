"""The lifter of two streams: attention sees all joints and frames, graph convolutions see those next to each other.

Architecture of Mehraban et al., WACV 2024, section 3. Each layer has two streams side by side: spatial, then temporal
attention; and spatial, then temporal graph convolution, where a frame's neighbours are those with the most similar
features. Their sum is weighted node by node. As published, the layers know a node's joint but not its frame's number:
frames given in another order get the same poses in that order.

One thing differs from the published code: its graph convolutions normalise each node over the batch and all channels,
here each channel is normalised over the batch and all nodes. So the weights do not depend on the window's length.
"""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from lift3d.models.graph_transformer.configuration import GraphTransformerConfig
from lift3d.models.heads import split_sigma, start_near_zero, values_per_joint
from lift3d.models.joint_nodes import NodeEmbedding, bone_graph, joint_mixing
from lift3d.models.network import Lifted, Lifter


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017) over the nodes of (batch, nodes, channels)."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(channels, 3 * channels, bias=False)
        self.project = nn.Linear(channels, channels)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = rearrange(
            self.queries_keys_values(x), "batch nodes (parts heads width) -> parts batch heads nodes width",
            parts=3, heads=self.heads,
        )  # fmt: skip
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = self.drop(
            self.project(rearrange(mixed, "batch heads nodes width -> batch nodes (heads width)"))
        )
        return result


class GraphConvolution(nn.Module):
    """relu(x + norm(A x V + x U)) over the nodes of (batch, nodes, channels), A a graph's normalised adjacency."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.own = nn.Linear(channels, channels)
        self.others = nn.Linear(channels, channels)
        self.norm = nn.BatchNorm1d(channels)
        for linear in (self.own, self.others):
            nn.init.kaiming_normal_(linear.weight)

    def gather(self, x: Tensor, values: Tensor) -> Tensor:
        """A ``values`` for (batch, nodes, channels) values of the nodes ``x``."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        update = self.gather(x, self.others(x)) + self.own(x)
        # As rows, each one channel's number: the norm takes no other shape of this order.
        return torch.relu(x + self.norm(update.flatten(0, 1)).view_as(update))


class SpatialGraph(GraphConvolution):
    """Each node with those that a bone joins it to."""

    adjacency: Tensor

    def __init__(self, channels: int, adjacency: Tensor) -> None:
        super().__init__(channels)
        self.register_buffer("adjacency", adjacency, persistent=False)

    def gather(self, x: Tensor, values: Tensor) -> Tensor:
        return self.adjacency @ values


class TemporalGraph(GraphConvolution):
    """Each frame with the ``neighbours`` frames whose features have the largest inner product with its own.

    All rows of this graph have the same degree, so that A is a mean over the neighbours.
    """

    def __init__(self, channels: int, neighbours: int) -> None:
        super().__init__(channels)
        self.neighbours = neighbours

    def gather(self, x: Tensor, values: Tensor) -> Tensor:
        batch, frames, channels = x.shape
        likeness = x.detach() @ x.detach().mT
        nearest = likeness.topk(min(self.neighbours, frames), dim=-1).indices
        index = rearrange(nearest, "batch frames near -> batch (frames near) 1").expand(-1, -1, channels)
        return values.gather(1, index).view(batch, frames, -1, channels).mean(dim=2)


class Block(nn.Module):
    """A mixing of nodes and a perceptron on each, both residual, over the joints or over the frames.

    Takes and gives (batch, frames, joints, channels).
    """

    def __init__(self, mixer: nn.Module, over: Literal["joints", "frames"], config: GraphTransformerConfig) -> None:
        super().__init__()
        self.over = over
        channels, hidden = config.channels, config.mlp_ratio * config.channels
        self.mixer_norm, self.mixer = nn.LayerNorm(channels), mixer
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, channels),
            nn.Dropout(config.dropout),
        )
        self.mixer_scale = nn.Parameter(torch.full((channels,), float(config.layer_scale)))
        self.mlp_scale = nn.Parameter(torch.full((channels,), float(config.layer_scale)))

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        others = "frames" if self.over == "joints" else "joints"
        nodes = f"(batch {others}) {self.over} channels"
        x = rearrange(x, f"batch frames joints channels -> {nodes}")
        x = x + self.mixer_scale * self.mixer(self.mixer_norm(x))
        x = x + self.mlp_scale * self.mlp(self.mlp_norm(x))
        return rearrange(x, f"{nodes} -> batch frames joints channels", batch=batch)


class TwoStreams(nn.Module):
    """An attention and a graph stream side by side; at each node a softmax of both says how much of each is kept."""

    def __init__(self, config: GraphTransformerConfig, adjacency: Tensor) -> None:
        super().__init__()

        def attention() -> Attention:
            return Attention(config.channels, config.heads, config.dropout)

        self.attention = nn.Sequential(Block(attention(), "joints", config), Block(attention(), "frames", config))
        self.graph = nn.Sequential(
            Block(SpatialGraph(config.channels, adjacency), "joints", config),
            Block(TemporalGraph(config.channels, config.neighbours), "frames", config),
        )
        self.fusion = nn.Linear(2 * config.channels, 2)
        # Both streams count alike at first.
        nn.init.zeros_(self.fusion.weight)
        nn.init.zeros_(self.fusion.bias)

    def forward(self, x: Tensor) -> Tensor:
        attended, convolved = self.attention(x), self.graph(x)
        share = self.fusion(torch.cat([attended, convolved], dim=-1)).softmax(dim=-1)
        mixed: Tensor = attended * share[..., :1] + convolved * share[..., 1:]
        return mixed


class GraphTransformer(Lifter):
    """(batch, frames, joints, features) -> joints (batch, frames, joints, 3)."""

    config: GraphTransformerConfig

    def __init__(self, config: GraphTransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = NodeEmbedding(config, config.channels)
        adjacency = bone_graph(config)
        self.layers = nn.Sequential(*(TwoStreams(config, adjacency) for _ in range(config.layers)))
        self.norm = nn.LayerNorm(config.channels)
        self.mix = joint_mixing(config)
        self.represent = nn.Linear(config.channels, config.representation)
        self.head = nn.Linear(config.representation, values_per_joint(config.sigma))
        start_near_zero(self.head)

    def forward(self, x: Tensor) -> Lifted:
        x = self.mix(self.norm(self.layers(self.embed(x))))
        return split_sigma(self.head(torch.tanh(self.represent(x))))

"""Configuration of the lifter of attention and graph streams."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from lift3d.errors import CheckpointError
from lift3d.models.context import NoContext
from lift3d.models.fields import MOST_LAYERS, require_counts, require_dropout, require_flags
from lift3d.models.heads import values_per_joint
from lift3d.models.joint_nodes import mixes_joints, node_parameters, require_layouts


@dataclass(frozen=True)
class GraphTransformerConfig(NoContext):
    """Shape of the network of Mehraban et al., "MotionAGFormer: Enhancing 3D Human Pose Estimation with a
    Transformer-GCNFormer Network", WACV 2024. The defaults are its size B.

    Attributes:
        joints_in: nodes of the input: the joints of ``skeleton``, and one more if there is a context row.
        features_in: numbers a joint of the input (2 for x and y; 3 with a confidence).
        joints_out: joints of the output: those of ``skeleton_out``, or 1 for its root alone.
        sigma: whether the network also gives a standard deviation of each coordinate.
        skeleton, skeleton_out: joint layouts of input and output.
        layers: pairs of streams, each of a spatial and a temporal block.
        channels: width of a node's features.
        heads: attention heads.
        mlp_ratio: width of the hidden layer that follows each mixing, in channels.
        neighbours: most similar frames that a frame is joined to in the temporal graph, itself among them.
        representation: width of the layer before the last.
        frames: frames of a window. Weights do not depend on it.
        dropout: probability of dropping a channel's value in training.
        layer_scale: what each block's contribution is multiplied by at first, channel by channel.
    """

    SIZES: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "XS": {"layers": 12, "channels": 64, "frames": 27},
            "S": {"layers": 26, "channels": 64, "frames": 81},
            "B": {"layers": 16, "channels": 128, "frames": 243},
        }
    )

    joints_in: int = 17
    features_in: int = 3
    joints_out: int = 17
    sigma: bool = False
    skeleton: str = "h36m17"
    skeleton_out: str = "h36m17"
    layers: int = 16
    channels: int = 128
    heads: int = 8
    mlp_ratio: int = 4
    neighbours: int = 2
    representation: int = 512
    frames: int = 243
    dropout: float = 0.0
    layer_scale: float = 1e-5

    def __post_init__(self) -> None:
        require_counts(
            self, "joints_in", "features_in", "joints_out", "channels", "heads", "mlp_ratio", "neighbours",
            "representation", "frames",
        )  # fmt: skip
        require_counts(self, "layers", most=MOST_LAYERS)
        require_flags(self, "sigma")
        require_dropout(self)
        require_layouts(self)
        if self.channels % self.heads:
            raise CheckpointError(f"channels must be a multiple of the {self.heads} heads, not {self.channels}")
        scale = self.layer_scale
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not (math.isfinite(scale) and scale > 0):
            raise CheckpointError(f"layer_scale must be a positive number, not {scale!r}")

    @property
    def window(self) -> int | None:
        """Frames that the network takes at once."""
        return self.frames

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds a frame of output in windows that do not overlap, in matrix products."""
        nodes, width = self.joints_in, self.channels
        hidden = 2 * self.mlp_ratio * width**2
        attention = 4 * width**2 + hidden
        graph = 2 * width**2 + hidden
        # Each node with each: of the frame for attention and for the fixed graph, of the window for attention, and for
        # the likeness of frames that makes the temporal graph.
        pairs = (2 + 1) * nodes * width + (2 + 1) * self.frames * width
        layer = 2 * attention + 2 * graph + pairs + 2 * width * 2
        mixing = self.joints_out * nodes * width if mixes_joints(self) else 0
        last = self.joints_out * self.representation * (width + values_per_joint(self.sigma))
        return nodes * (self.features_in * width + self.layers * layer) + mixing + last

    @property
    def parameters(self) -> int:
        """Numbers that are trained."""
        width = self.channels
        attention = 4 * width**2 + width
        graph = 2 * width**2 + 4 * width
        # Of each of the four blocks in a layer: its perceptron, two layer norms, two scales.
        block = 2 * self.mlp_ratio * width**2 + (self.mlp_ratio + 1) * width + 6 * width
        layer = 2 * attention + 2 * graph + 4 * block + 2 * (2 * width + 1)
        last = (width + 1) * self.representation + (self.representation + 1) * values_per_joint(self.sigma)
        return node_parameters(self, width) + self.layers * layer + 2 * width + last

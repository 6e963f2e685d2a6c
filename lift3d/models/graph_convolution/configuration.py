"""Configuration of the spatio-temporal graph lifter."""

from __future__ import annotations

from dataclasses import dataclass

from lift3d.models.context import ConvolutionContext
from lift3d.models.fields import require_counts, require_dropout, require_filter_widths, require_flags
from lift3d.models.heads import values_per_joint
from lift3d.models.joint_nodes import mixes_joints, node_parameters, require_layouts
from lift3d.skeletons import get_skeleton

# Kinds of neighbour that each have weights of their own: itself, parent, children, mirror image.
KINDS = 4


@dataclass(frozen=True)
class GraphConvolutionConfig(ConvolutionContext):
    """Shape of a lifter of spatial graph and temporal convolutions, after Yan et al., "Spatial Temporal Graph
    Convolutional Networks for Skeleton-Based Action Recognition", AAAI 2018.

    Attributes:
        joints_in: nodes of the input: the joints of ``skeleton``, and one more if there is a context row.
        features_in: numbers a joint of the input (2 for x and y; 3 with a confidence).
        joints_out: joints of the output: those of ``skeleton_out``, or 1 for its root alone.
        sigma: whether the network also gives a standard deviation of each coordinate.
        skeleton, skeleton_out: joint layouts of input and output.
        filter_widths: odd temporal widths, one a block; their product is the receptive field.
        channels: width of a node's features.
        dropout: probability of dropping a channel's value in training.
        causal: whether an output may look at past frames only.
    """

    joints_in: int = 17
    features_in: int = 2
    joints_out: int = 17
    sigma: bool = False
    skeleton: str = "h36m17"
    skeleton_out: str = "h36m17"
    filter_widths: tuple[int, ...] = (3, 3, 3)
    channels: int = 96
    dropout: float = 0.1
    causal: bool = False

    def __post_init__(self) -> None:
        require_counts(self, "joints_in", "features_in", "joints_out", "channels")
        require_flags(self, "sigma", "causal")
        require_dropout(self)
        require_layouts(self)
        object.__setattr__(self, "filter_widths", require_filter_widths(self))

    @property
    def partitions(self) -> int:
        """Kinds of neighbour, the context among them if there is one."""
        return KINDS + (self.joints_in > len(get_skeleton(self.skeleton)))

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds a frame of output over a long clip, in matrix products."""
        nodes, width = self.joints_in, self.channels
        spatial = self.partitions * (nodes * width**2 + nodes**2 * width)
        blocks = sum(spatial + taps * nodes * width**2 for taps in self.filter_widths)
        mixing = self.joints_out * nodes * width if mixes_joints(self) else 0
        last = self.joints_out * width * values_per_joint(self.sigma)
        return nodes * self.features_in * width + blocks + mixing + last

    @property
    def parameters(self) -> int:
        """Numbers that are trained."""
        width = self.channels
        edges = 2 * self.partitions * self.joints_in**2
        blocks = sum(edges + (self.partitions + taps) * width**2 + 4 * width for taps in self.filter_widths)
        return node_parameters(self, width) + blocks + (width + 1) * values_per_joint(self.sigma)

"""Configuration of the mirror-equivariant temporal convolution."""

from __future__ import annotations

from dataclasses import dataclass

from lift3d.models.heads import values_per_joint
from lift3d.models.joint_nodes import require_layouts
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig


@dataclass(frozen=True)
class MirrorConvolutionConfig(TemporalConvolutionConfig):
    """Shape of a temporal convolution whose output for the mirrored person is the mirrored output.

    Attributes:
        joints_in: rows of the input: the joints of ``skeleton``, and one more if there is a context row.
        joints_out: joints of the output: those of ``skeleton_out``, or 1 for its root alone.
        channels: width of the hidden layers for each of the two sides.
        skeleton, skeleton_out: joint layouts of input and output, which say what is left and what is right.
    """

    channels: int = 512
    skeleton: str = "h36m17"
    skeleton_out: str = "h36m17"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_layouts(self)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds a frame of output over a long clip (dense form)."""
        first = self.joints_in * self.features_in * self.channels * self.filter_widths[0]
        blocks = sum((width + 1) * self.channels**2 for width in self.filter_widths[1:])
        return 2 * (first + blocks + self.channels * self.joints_out * values_per_joint(self.sigma))

    @property
    def parameters(self) -> int:
        """Numbers that are trained."""
        first = self.joints_in * self.features_in * self.channels * self.filter_widths[0]
        blocks = sum(2 * (width + 1) * self.channels**2 for width in self.filter_widths[1:])
        norms = 2 * self.channels * (2 * len(self.filter_widths) - 1)
        return first + blocks + norms + (self.channels + 1) * self.joints_out * values_per_joint(self.sigma)

"""Configuration of the mirror-equivariant temporal convolution."""

from __future__ import annotations

from dataclasses import dataclass

from lift3d.models.context import ConvolutionContext
from lift3d.models.fields import require_counts, require_dropout, require_filter_widths, require_flags
from lift3d.models.heads import values_per_joint
from lift3d.models.joint_nodes import require_layouts


@dataclass(frozen=True)
class MirrorConvolutionConfig(ConvolutionContext):
    """Shape of a temporal convolution whose output for the mirrored person is the mirrored output.

    Attributes:
        joints_in: rows of the input: the joints of ``skeleton``, and one more if there is a context row.
        features_in: numbers a joint of the input (2 for x and y; 3 with a confidence).
        joints_out: joints of the output: those of ``skeleton_out``, or 1 for its root alone.
        sigma: whether the network also gives a standard deviation of each coordinate.
        skeleton, skeleton_out: joint layouts of input and output, which say what is left and what is right.
        filter_widths: odd temporal widths; their product is the receptive field.
        channels: width of the hidden layers for each of the two sides.
        dropout: probability of dropping a channel's value in training.
        causal: whether an output may look at past frames only.
    """

    joints_in: int = 17
    features_in: int = 2
    joints_out: int = 17
    sigma: bool = False
    skeleton: str = "h36m17"
    skeleton_out: str = "h36m17"
    filter_widths: tuple[int, ...] = (3, 3, 3, 1)
    channels: int = 256
    dropout: float = 0.1
    causal: bool = False

    def __post_init__(self) -> None:
        require_counts(self, "joints_in", "features_in", "joints_out", "channels")
        require_flags(self, "sigma", "causal")
        require_dropout(self)
        require_layouts(self)
        object.__setattr__(self, "filter_widths", require_filter_widths(self))

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

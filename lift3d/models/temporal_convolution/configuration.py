"""Configuration of the temporal dilated-convolution lifter."""

from __future__ import annotations

from dataclasses import dataclass

from lift3d.models.context import ConvolutionContext
from lift3d.models.fields import require_counts, require_dropout, require_filter_widths, require_flags
from lift3d.models.heads import values_per_joint


@dataclass(frozen=True)
class TemporalConvolutionConfig(ConvolutionContext):
    """Shape of the network of Pavllo et al., "3D human pose estimation in video with temporal convolutions and
    semi-supervised training", CVPR 2019. The defaults are the published 243-frame network.

    Attributes:
        joints_in: joints of the input.
        features_in: numbers a joint of the input (2 for x and y; 3 with a confidence).
        joints_out: joints of the output, three coordinates each.
        filter_widths: odd temporal widths; their product is the receptive field.
        channels: width of the hidden layers.
        dropout: probability of dropping a channel's value in training.
        causal: whether an output may look at past frames only.
        sigma: whether the network also gives a standard deviation of each coordinate.
    """

    joints_in: int = 17
    features_in: int = 2
    joints_out: int = 17
    filter_widths: tuple[int, ...] = (3, 3, 3, 3, 3)
    channels: int = 1024
    dropout: float = 0.25
    causal: bool = False
    sigma: bool = False

    def __post_init__(self) -> None:
        require_counts(self, "joints_in", "features_in", "joints_out", "channels")
        require_flags(self, "causal", "sigma")
        require_dropout(self)
        object.__setattr__(self, "filter_widths", require_filter_widths(self))

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds a frame of output over a long clip (dense form)."""
        first = self.joints_in * self.features_in * self.channels * self.filter_widths[0]
        blocks = sum((width + 1) * self.channels**2 for width in self.filter_widths[1:])
        return first + blocks + self.channels * self.joints_out * values_per_joint(self.sigma)

    @property
    def parameters(self) -> int:
        """Numbers that are trained."""
        norms = 2 * self.channels * (2 * len(self.filter_widths) - 1)
        return self.multiply_adds + norms + self.joints_out * values_per_joint(self.sigma)

"""Configuration of the residual multilayer perceptron."""

from __future__ import annotations

from dataclasses import dataclass

from lift3d.models.context import NoContext
from lift3d.models.fields import MOST_LAYERS, require_counts, require_dropout, require_flags
from lift3d.models.heads import values_per_joint


@dataclass(frozen=True)
class ResidualMLPConfig(NoContext):
    """Shape of the network of Martinez et al., "A simple yet effective baseline for 3d human pose estimation",
    ICCV 2017. The defaults are the published network.

    Attributes:
        joints_in: joints of the input.
        features_in: numbers a joint of the input (2 for x and y; 3 with a confidence).
        joints_out: joints of the output, three coordinates each.
        sigma: whether the network also gives a standard deviation of each coordinate.
        channels: width of the hidden layers.
        blocks: residual blocks, two layers each.
        dropout: probability of dropping a channel's value in training.
    """

    joints_in: int = 17
    features_in: int = 2
    joints_out: int = 17
    sigma: bool = False
    channels: int = 1024
    blocks: int = 2
    dropout: float = 0.5

    def __post_init__(self) -> None:
        require_counts(self, "joints_in", "features_in", "joints_out", "channels")
        require_counts(self, "blocks", most=MOST_LAYERS)
        require_flags(self, "sigma")
        require_dropout(self)

    @property
    def window(self) -> int | None:
        """Any number of frames may be given at once."""
        return None

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds a frame of output, in matrix products."""
        first = self.joints_in * self.features_in * self.channels
        last = self.channels * self.joints_out * values_per_joint(self.sigma)
        return first + 2 * self.blocks * self.channels**2 + last

    @property
    def parameters(self) -> int:
        """Numbers that are trained."""
        norms = 2 * self.channels * (1 + 2 * self.blocks)
        return self.multiply_adds + norms + self.joints_out * values_per_joint(self.sigma)

"""How far networks look around an output frame, for the configurations that share it."""

from __future__ import annotations

import math


class ConvolutionContext:
    """Temporal convolutions that do not pad, each dilated by the product of the widths before it.

    Attributes:
        filter_widths: odd temporal widths.
        causal: whether an output may look at past frames only.
    """

    filter_widths: tuple[int, ...]
    causal: bool

    @property
    def receptive_field(self) -> int:
        """Frames of input that one frame of output sees."""
        return math.prod(self.filter_widths)

    @property
    def past(self) -> int:
        """Frames before an output frame that it sees."""
        return self.receptive_field - 1 if self.causal else self.receptive_field // 2

    @property
    def future(self) -> int:
        """Frames after an output frame that it sees."""
        return self.receptive_field - 1 - self.past

    @property
    def window(self) -> int | None:
        """Any number of frames may be given at once, from the receptive field on."""
        return None


class NoContext:
    """Networks that give a pose for every frame that they are given."""

    @property
    def past(self) -> int:
        """Frames before the first output that the input must hold: none."""
        return 0

    @property
    def future(self) -> int:
        """Frames after the last output that the input must hold: none."""
        return 0

"""The 1 euro filter: causal, hardly any delay in fast motion, hardly any jitter in slow motion."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lift3d.errors import ShapeError


@dataclass
class OneEuroFilter:
    """Filters frames as they come.

    An exponential filter whose cut-off grows with the speed: ``cutoff + beta |speed|``, the speed itself being
    filtered at ``speed_cutoff``. A missing value (NaN) stays missing, and the filter starts anew after it.

    Attributes:
        fps: frames per second.
        cutoff: hertz, at rest: lower for less jitter.
        beta: hertz for each metre per second: higher for less delay.
        speed_cutoff: hertz.

    Raises:
        ShapeError: a parameter is out of range.

    Source: G. Casiez, N. Roussel and D. Vogel, "1 euro filter: a simple speed-based low-pass filter for noisy input
    in interactive systems", CHI 2012, algorithm 1.
    """

    fps: float
    cutoff: float = 1.0
    beta: float = 3.0
    speed_cutoff: float = 1.0
    _value: np.ndarray | None = field(default=None, init=False, repr=False)
    _speed: np.ndarray | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("fps", "cutoff", "speed_cutoff"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ShapeError(f"{name} must be a positive number, not {getattr(self, name)}")
        if not (np.isfinite(self.beta) and self.beta >= 0):
            raise ShapeError(f"beta must be 0 or more, not {self.beta}")

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The next frame (...), filtered."""
        values = np.asarray(values, dtype=np.float64)
        before = np.full_like(values, np.nan) if self._value is None else self._value
        speed_before = np.zeros_like(values) if self._speed is None else self._speed
        first = np.isnan(before)
        speed = np.where(first, 0.0, (values - before) * self.fps)
        speed = np.where(first, speed, speed_before + self._share(self.speed_cutoff) * (speed - speed_before))
        share = self._share(self.cutoff + self.beta * np.abs(speed))
        self._value = np.where(first, values, before + share * (values - before))
        self._speed = speed
        return self._value

    def _share(self, cutoff: np.ndarray | float) -> np.ndarray | float:
        """The weight of a new value in an exponential filter of that cut-off."""
        return 1 / (1 + self.fps / (2 * np.pi * cutoff))


def one_euro(
    values: np.ndarray, fps: float, cutoff: float = 1.0, beta: float = 3.0, speed_cutoff: float = 1.0
) -> np.ndarray:
    """``OneEuroFilter`` over all frames of (frames, ...)."""
    work = OneEuroFilter(fps, cutoff, beta, speed_cutoff)
    values = np.asarray(values)
    result = np.empty(values.shape, np.result_type(values.dtype, np.float32))
    for frame, now in enumerate(values):
        result[frame] = work(now)
    return result

"""Random numbers of a batch that any part of it can draw by itself."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

# A step of the counter gives this many 32-bit words.
_WORDS = 8


class WindowDraws:
    """Random numbers for some windows of a batch: those that a draw for the whole batch would give to these windows.

    Philox is a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): seed
    and step are its key, and the number of the draw and the window are its counter. So no process draws for another.

    Args:
        seed, step: 0 or more.
        first: number of the first window in the whole batch.
        windows: how many windows.
    """

    def __init__(self, seed: int, step: int, first: int, windows: int) -> None:
        self._key = np.array([seed, step], np.uint64)
        self._first, self.windows, self._draw = first, windows, 0

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(windows, *shape) float32, evenly in [low, high)."""
        return low + (high - low) * self._shares(math.prod(shape)).reshape(self.windows, *shape)

    def normal(self, *shape: int) -> Tensor:
        """(windows, *shape) float32 of mean 0 and standard deviation 1 (Box and Muller 1958)."""
        count = math.prod(shape)
        pairs = -(-count // 2)
        shares = self._shares(2 * pairs)
        radius = (-2 * torch.log1p(-shares[:, :pairs])).sqrt_()
        angle = shares[:, pairs:] * (2 * math.pi)
        values = torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)
        return values[:, :count].reshape(self.windows, *shape)

    def chance(self, probability: float, *shape: int) -> Tensor:
        """(windows, *shape) bool, True with a probability."""
        return self.uniform(*shape) < probability

    def stretch(self, frames: int, *shape: int, longest: float) -> Tensor:
        """(windows, frames, *shape) bool: one stretch of frames each, up to a share ``longest`` of the window."""
        middle = self.uniform(1, *shape) * frames
        half = self.uniform(1, *shape) * (longest * frames / 2)
        time = torch.arange(frames).reshape(-1, *[1] * len(shape)) + 0.5
        # A stretch holds one frame at least: the one that its middle lies in.
        return (time - middle).abs() <= half.clamp_min(0.5)

    def _shares(self, count: int) -> Tensor:
        """(windows, count) evenly in [0, 1), multiples of 2^-24."""
        steps = -(-count // _WORDS)
        counter = np.array([self._first * steps, self._draw, 0, 0], np.uint64)
        self._draw += 1
        pairs = np.random.Philox(key=self._key, counter=counter).random_raw(self.windows * steps * _WORDS // 2)
        words = pairs.view(np.uint32).reshape(self.windows, steps * _WORDS)[:, :count]
        return torch.from_numpy((words >> np.uint32(8)).astype(np.float32)).mul_(2.0**-24)


def coin(index: Tensor, *key: int) -> Tensor:
    """(n,) bool of examples (n,) int64 by themselves: the same example and key give the same side, whatever the batch.

    The bits are mixed as in SplitMix64 (Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014).
    """
    mixed = index.numpy().astype(np.uint64)
    for word in key:
        mixed = (mixed + np.uint64(word + 1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return torch.from_numpy((mixed & np.uint64(1)).astype(bool))

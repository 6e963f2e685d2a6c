"""Random numbers of a batch that any part of it can draw by itself."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lift3d.training.compiled import exact
from lift3d.training.draws import TABLE_SIZE

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
        begin, stop = self.ends(frames, 1, *shape, longest=longest)
        time = torch.arange(frames).reshape(-1, *[1] * len(shape))
        return (time >= begin) & (time < stop)

    def ends(self, frames: int, *shape: int, longest: float) -> tuple[Tensor, Tensor]:
        """First frames (windows, *shape) int64 of the stretches of ``stretch``, and those behind their last ones."""
        middle = self.uniform(*shape) * frames
        # A stretch holds one frame at least: the one that its middle lies in.
        half = (self.uniform(*shape) * (longest * frames / 2)).clamp_min(0.5)
        return (middle - half + 0.5).floor().long().clamp_min(0), (middle + half + 0.5).floor().long().clamp_max(frames)

    def runs(self, frames: int, joints: int, start: float, longest: float) -> np.ndarray:
        """(windows, frames, joints) bool: runs that start with a probability a frame, of up to ``longest`` frames.

        Every length is as likely, and runs may begin before the window does.
        """
        marked = np.zeros((self.windows, frames, joints), bool)
        if start > 0:
            _mark_runs(self.seeds(), min(start, 1.0), max(1, round(longest)), marked)
        return marked

    def places(self, count: int) -> np.ndarray:
        """(windows,) int64: where in ``normal_table`` each window reads ``count`` normal numbers of its own."""
        return (self._shares(1)[:, 0].double() * (TABLE_SIZE - count)).long().numpy()

    def seeds(self) -> np.ndarray:
        """(windows,) uint64: where each window's sequence of ``next_share`` starts."""
        steps = np.array([self._first, self._draw, 0, 0], np.uint64)
        self._draw += 1
        return np.random.Philox(key=self._key, counter=steps).random_raw(4 * self.windows)[::4].copy()

    def _shares(self, count: int) -> Tensor:
        """(windows, count) evenly in [0, 1), multiples of 2^-24."""
        steps = -(-count // _WORDS)
        counter = np.array([self._first * steps, self._draw, 0, 0], np.uint64)
        self._draw += 1
        pairs = np.random.Philox(key=self._key, counter=counter).random_raw(self.windows * steps * _WORDS // 2)
        words = pairs.view(np.uint32).reshape(self.windows, steps * _WORDS)[:, :count]
        return torch.from_numpy((words >> np.uint32(8)).astype(np.float32)).mul_(2.0**-24)


@exact
def next_share(state: np.uint64) -> tuple[np.uint64, float]:
    """The next state of a sequence of random numbers, and its number, evenly in (0, 1).

    SplitMix64 (Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014).
    """
    state += np.uint64(0x9E3779B97F4A7C15)
    mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return state, (np.float64(mixed >> np.uint64(12)) + 0.5) * 2.0**-52


@exact
def _mark_runs(seeds: np.ndarray, start: float, longest: int, marked: np.ndarray) -> None:
    """Set frames of runs in ``marked`` (windows, frames, joints), going from one start to the next."""
    windows, frames, joints = marked.shape
    trials = joints * (frames + longest - 1)
    for window in range(windows):
        state, trial = seeds[window], -1
        while True:
            state, share = next_share(state)
            # Of trials that each succeed with a probability, how many fail in a row: a geometric distribution.
            failures = np.log(share) / np.log1p(-start)
            if failures >= trials - (trial + 1):
                break
            trial += 1 + int(failures)
            state, share = next_share(state)
            joint, begin = trial % joints, trial // joints - (longest - 1)
            for frame in range(max(begin, 0), min(begin + 1 + int(share * longest), frames)):
                marked[window, frame, joint] = True


def coin(index: Tensor, *key: int) -> Tensor:
    """(n,) bool of examples (n,) int64 by themselves: the same example and key give the same side, whatever the batch.

    The bits are mixed as in ``next_share``.
    """
    mixed = index.numpy().astype(np.uint64)
    for word in key:
        mixed = (mixed + np.uint64(word + 1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return torch.from_numpy((mixed & np.uint64(1)).astype(bool))

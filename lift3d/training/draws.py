"""Random numbers of a batch: the same whichever process draws them, and cheap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# Normal numbers that windows read their noise from, each from a place of its own: fifteen times as fast as drawing them
# anew, and 600 windows long.
TABLE_SIZE = 1 << 22


@lru_cache
def normal_table() -> Tensor:
    """``TABLE_SIZE`` normal numbers, always the same."""
    return torch.randn(TABLE_SIZE, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class Run:
    """Something that happens now and then, each time for a while.

    Attributes:
        rate: how often it starts in a window, times a second.
        longest: seconds that it lasts at most; every length up to that is as likely.
    """

    rate: float
    longest: float


# Numbers of ``normal_table`` for each frame of a run.
CELL_NUMBERS = 3


class Runs(NamedTuple):
    """Runs of a batch, window by window.

    Attributes:
        first: (windows + 1,) int64: the runs of a window are those from ``first[window]`` to ``first[window + 1]``.
        kind: (runs,) int64.
        begin, length: (runs,) int64 frames; they may begin before the window does and end after it.
        own: (runs,) uniform number in 0..1, 1 excluded.
        place: (runs,) int64 place in ``normal_table`` of ``CELL_NUMBERS`` numbers for each frame.
    """

    first: np.ndarray
    kind: np.ndarray
    begin: np.ndarray
    length: np.ndarray
    own: np.ndarray
    place: np.ndarray


class Draws:
    """Random numbers of a batch of windows that consists of shards, each with a generator of its own.

    Args:
        seeds: one a shard: non-negative integers.
        sizes: windows of each shard.
    """

    # Numbers a window that are drawn at once; small draws cost far more than their numbers.
    AHEAD = 96

    def __init__(self, seeds: Sequence[Sequence[int]], sizes: Sequence[int]) -> None:
        self.generators = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
        self.sizes = list(sizes)
        self.batch = sum(sizes)
        self._first = np.cumsum([0, *sizes[:-1]])
        self._normal, self._uniform = (np.empty((self.batch, 0), np.float32) for _ in range(2))

    def normal(self, count: int) -> np.ndarray:
        """(batch, count) normal numbers, float32."""
        if count > self._normal.shape[1]:
            self._normal = self._draw(np.random.Generator.standard_normal, count)
        numbers, self._normal = self._normal[:, :count], self._normal[:, count:]
        return numbers

    def uniform(self, count: int) -> np.ndarray:
        """(batch, count) numbers in 0..1, 1 excluded, float32."""
        if count > self._uniform.shape[1]:
            self._uniform = self._draw(np.random.Generator.random, count)
        numbers, self._uniform = self._uniform[:, :count], self._uniform[:, count:]
        return numbers

    def others(self, count: int) -> np.ndarray:
        """(batch, count) int64, for each window the ones behind it in its shard, which goes round."""
        first, size = (np.repeat(values, self.sizes)[:, None] for values in (self._first, self.sizes))
        window = np.arange(self.batch)[:, None]
        others: np.ndarray = first + (window - first + np.arange(1, count + 1)) % size
        return others

    def places(self, count: int) -> np.ndarray:
        """(batch,) int64 places in ``normal_table`` of ``count`` numbers each."""
        return (self.uniform(1)[:, 0].astype(np.float64) * (TABLE_SIZE - count + 1)).astype(np.int64)

    def runs(self, kinds: Sequence[Run], frames: int, fps: float) -> Runs:
        """The runs of each kind in windows of ``frames`` frames."""
        longest = np.array([max(1, round(kind.longest * fps)) for kind in kinds])
        means = np.array([kind.rate for kind in kinds]) * (frames + longest - 1) / fps
        shards = list(zip(self.generators, self.sizes, strict=True))
        counts = np.stack([generator.poisson(means * size) for generator, size in shards])
        totals = counts.sum(1)
        numbers = [generator.random((5, total)) for (generator, _), total in zip(shards, totals, strict=True)]
        window, begin, length, own, place = np.concatenate(numbers, axis=1)
        window = (np.repeat(self._first, totals) + window * np.repeat(self.sizes, totals)).astype(np.int64)
        kind = np.repeat(np.tile(np.arange(len(kinds)), len(shards)), counts.ravel())
        order = np.argsort(window, kind="stable")
        kind, longest = kind[order], longest[kind[order]]
        return Runs(
            np.searchsorted(window[order], np.arange(self.batch + 1)),
            kind,
            (begin[order] * (frames + longest - 1)).astype(np.int64) - longest + 1,
            1 + (length[order] * longest).astype(np.int64),
            own[order],
            (place[order] * (TABLE_SIZE - CELL_NUMBERS * longest)).astype(np.int64),
        )

    def _draw(self, fill: Callable, count: int) -> np.ndarray:
        numbers = np.empty((self.batch, max(count, self.AHEAD)), np.float32)
        for generator, first, size in zip(self.generators, self._first, self.sizes, strict=True):
            fill(generator, dtype=np.float32, out=numbers[first : first + size])
        return numbers


def knot_count(frames: int, spacing: float) -> int:
    """How many knots ``frames`` frames take, wherever in its first interval a window starts."""
    return int((frames - 1) / spacing + 1) + 2


def place_knots(frames: int, spacing: float, phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where frames (windows, frames) lie between knots: int32 number of the one before, and the share of the next one.

    Arguments are as for ``knots``, which gives the same as weights, but for ``phase`` (windows, 1).
    """
    place = np.arange(frames, dtype=np.float32) / spacing + phase
    knot = place.astype(np.int32)
    return knot, place - knot.astype(np.float32)


def knots(frames: int, spacing: float, phase: Tensor) -> Tensor:
    """Weights (batch, knots, frames) that interpolate linearly between knots ``spacing`` frames apart.

    Args:
        frames: how many.
        spacing: frames from one knot to the next.
        phase: (batch,) in 0..1, where in its first interval each window starts: every frame is alike then.
    """
    place = torch.arange(frames) / spacing + phase[:, None, None]
    return (1 - (place - torch.arange(knot_count(frames, spacing))[:, None]).abs()).clamp_min_(0)

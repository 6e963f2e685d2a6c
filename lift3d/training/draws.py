"""Random numbers of a batch: the same whichever process draws them, and cheap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

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


@dataclass(frozen=True)
class Cells:
    """Frames of runs; every field is (cells,).

    Attributes:
        window, frame: int64, which frame it is.
        own: float32 uniform number in 0..1 of the run.
        place: int64 place in ``normal_table`` of ``CELL_NUMBERS`` numbers of the frame's own.
    """

    window: Tensor
    frame: Tensor
    own: Tensor
    place: Tensor


CELL_NUMBERS = 3


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
        self._normal, self._uniform = (torch.empty(self.batch, 0) for _ in range(2))

    def normal(self, count: int) -> Tensor:
        """(batch, count) normal numbers."""
        if count > self._normal.shape[1]:
            self._normal = self._draw(lambda generator, shape: generator.standard_normal(shape, np.float32), count)
        numbers, self._normal = self._normal[:, :count], self._normal[:, count:]
        return numbers

    def uniform(self, count: int) -> Tensor:
        """(batch, count) numbers in 0..1, 1 excluded."""
        if count > self._uniform.shape[1]:
            self._uniform = self._draw(lambda generator, shape: generator.random(shape, np.float32), count)
        numbers, self._uniform = self._uniform[:, :count], self._uniform[:, count:]
        return numbers

    def other(self, steps: int) -> Tensor:
        """(batch,) int64, for each window the one ``steps`` further on in its shard, which goes round."""
        firsts = accumulate([0, *self.sizes[:-1]])
        return torch.cat(
            [first + torch.arange(size).roll(-steps) for first, size in zip(firsts, self.sizes, strict=True)]
        )

    def noise(self, rows: int, frames: int) -> Tensor:
        """(batch, rows, frames) normal numbers of ``normal_table``."""
        stretches = normal_table().unfold(0, rows * frames, 1)
        first = (self.uniform(1)[:, 0] * len(stretches)).long()
        return stretches.index_select(0, first).view(self.batch, rows, frames)

    def runs(self, kinds: Sequence[Run], frames: int, fps: float) -> list[Cells]:
        """The frames of the runs of each kind; runs may begin before the window does and end after it."""
        longest = np.array([max(1, round(kind.longest * fps)) for kind in kinds])
        means = np.array([kind.rate for kind in kinds]) * (frames + longest - 1) / fps
        counts, numbers, first = [], [], 0
        for generator, size in zip(self.generators, self.sizes, strict=True):
            counts.append(generator.poisson(means * size))
            numbers.append(generator.random((counts[-1].sum(), 5), np.float32))
            numbers[-1][:, 0] = first + np.floor(numbers[-1][:, 0] * size)
            first += size
        kind = np.concatenate([np.repeat(np.arange(len(kinds)), count) for count in counts])
        window, begin, length, own, place = np.concatenate(numbers).T
        longest = longest[kind]
        # One row a cell: the run it belongs to, and how far from the run's first frame it is.
        lengths = 1 + (length * longest).astype(np.int64)
        run = np.repeat(np.arange(len(kind)), lengths)
        step = np.arange(len(run)) - (np.cumsum(lengths) - lengths)[run]
        frame = ((begin * (frames + longest - 1)).astype(np.int64) - longest + 1)[run] + step
        inside = (frame >= 0) & (frame < frames)
        run, frame, step = run[inside], frame[inside], step[inside]
        # A stretch of the table for every run, long enough for any.
        stretch = TABLE_SIZE - CELL_NUMBERS * int(longest.max(initial=1))
        places = (place * stretch).astype(np.int64)[run] + CELL_NUMBERS * step
        columns = [torch.from_numpy(x) for x in (window.astype(np.int64)[run], frame, own[run], places)]
        of = [torch.from_numpy(np.flatnonzero(kind[run] == number)) for number in range(len(kinds))]
        return [Cells(*(column[rows] for column in columns)) for rows in of]

    def _draw(self, numbers: Callable[[np.random.Generator, tuple[int, int]], np.ndarray], count: int) -> Tensor:
        count = max(count, self.AHEAD)
        shards = zip(self.generators, self.sizes, strict=True)
        return torch.from_numpy(np.concatenate([numbers(generator, (size, count)) for generator, size in shards]))


def knots(frames: int, spacing: float, phase: Tensor) -> Tensor:
    """Weights (batch, knots, frames) that interpolate linearly between knots ``spacing`` frames apart.

    Args:
        frames: how many.
        spacing: frames from one knot to the next.
        phase: (batch,) in 0..1, where in its first interval each window starts: every frame is alike then.
    """
    count = int((frames - 1) / spacing + 1) + 2
    place = torch.arange(frames) / spacing + phase[:, None, None]
    return (1 - (place - torch.arange(count)[:, None]).abs()).clamp_min_(0)

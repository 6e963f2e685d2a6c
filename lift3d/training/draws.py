"""Random numbers of a batch: the same whichever process draws them, and cheap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

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
class Events:
    """Things that happen now and then in some windows.

    Attributes:
        window: (events,) int64 index of the window.
        at: (events, 4) uniform numbers in 0..1 that say what is special about each.
    """

    window: Tensor
    at: Tensor


class Draws:
    """Random numbers of a batch of windows that consists of shards, each with a generator of its own.

    Args:
        seeds: one a shard: non-negative integers.
        sizes: windows of each shard.
    """

    def __init__(self, seeds: Sequence[Sequence[int]], sizes: Sequence[int]) -> None:
        self.generators = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
        self.sizes = list(sizes)
        self.batch = sum(sizes)

    def normal(self, count: int) -> Tensor:
        """(batch, count) normal numbers."""
        shards = zip(self.generators, self.sizes, strict=True)
        return _joined([generator.standard_normal((size, count), np.float32) for generator, size in shards])

    def uniform(self, count: int) -> Tensor:
        """(batch, count) numbers in 0..1, 1 excluded."""
        shards = zip(self.generators, self.sizes, strict=True)
        return _joined([generator.random((size, count), np.float32) for generator, size in shards])

    def noise(self, rows: int, frames: int) -> Tensor:
        """(batch, rows, frames) normal numbers of ``normal_table``."""
        stretches = normal_table().unfold(0, rows * frames, 1)
        first = (self.uniform(1)[:, 0] * len(stretches)).long()
        return stretches.index_select(0, first).view(self.batch, rows, frames)

    def events(self, means: Sequence[float]) -> list[Events]:
        """Events of several kinds; ``means`` is how many of each a window has on average (Poisson)."""
        kinds, windows, places = [], [], []
        first = 0
        for generator, size in zip(self.generators, self.sizes, strict=True):
            counts = generator.poisson(np.multiply(means, size))
            numbers = generator.random((counts.sum(), 5), np.float32)
            kinds.append(np.repeat(np.arange(len(means)), counts))
            windows.append(first + (numbers[:, 0] * size).astype(np.int64))
            places.append(numbers[:, 1:])
            first += size
        kind = np.concatenate(kinds)
        order = np.argsort(kind, kind="stable")
        edges = np.searchsorted(kind[order], np.arange(len(means) + 1))
        window, at = _joined(windows)[order], _joined(places)[order]
        return [Events(window[a:b], at[a:b]) for a, b in pairwise(edges)]


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


def _joined(arrays: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))

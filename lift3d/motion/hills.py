"""Hills of a signal over time: each rise and fall that is more than noise, with its start, height and end.

Two hills are two if the signal comes back at least half of the way between them; a smaller dip is a pause on one hill.
A hill starts and ends where the signal's rate falls to a tenth of its greatest on the way up and down, and its height
is held where the rate is below that about the highest point. So a slow drift of the rest is no part of a hill.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lift3d.motion.gaps import runs

# The part of the way back from the highest at which a hill is over and another may begin.
RETURN = 0.5
# The signal rests at this percentile of its values.
FLOOR = 5.0
# A movement begins and ends where its rate is this part of the greatest.
ONSET = 0.1
# Within this part of the travel from the highest a hill may hold its height, and within that from the lowest it may
# start; a stop in between is part of the way. More below, because the rest may drift.
NEAR_HIGHEST = 0.15
NEAR_LOWEST = 0.3


@dataclass(frozen=True)
class Hill:
    """A hill of a signal.

    Attributes:
        start, arrival, highest, departure, end: frames; the height is held from arrival to departure.
        height: the signal at the highest.
        travel: how far it rose from the start, or fell to the end if the start is cut off.
        complete: whether the signal comes back half of the way on both sides; else its start or end is cut off.
    """

    start: int
    arrival: int
    highest: int
    departure: int
    end: int
    height: float
    travel: float
    complete: bool


def find_hills(signal: np.ndarray, least_height: float, least_travel: float) -> list[Hill]:
    """The hills of a smooth signal, in the order of time.

    Args:
        signal: (frames,), NaN in gaps; a hill that a gap cuts is not complete.
        least_height: of the signal on a hill.
        least_travel: how far the signal rises and falls at least, on one side at least where the hill is cut off.
    """
    seen = np.isfinite(signal)
    if not seen.any():
        return []
    floor = float(np.percentile(signal[seen], FLOOR))
    hills: list[Hill] = []
    for first, stop in runs(seen):
        run = signal[first:stop]
        tops = _tops(run, floor, least_height, least_travel)
        # The valleys between the hills, and the ends of the run.
        bounds = [0, *(a + int(np.argmin(run[a : b + 1])) for a, b in pairwise(tops)), len(run) - 1]
        for number, top in enumerate(tops):
            hills += _hill(run, bounds[number], top, bounds[number + 1], first, floor, least_travel)
    return hills


def _tops(run: np.ndarray, floor: float, least_height: float, least_travel: float) -> list[int]:
    """Frames of the highest points of the hills of a stretch without gaps."""
    from scipy.signal import find_peaks

    # With nothing before and after it, the first and the last frame may be the highest of a hill that is cut off.
    peaks = find_peaks(np.concatenate([[-np.inf], run, [-np.inf]]), height=least_height)[0] - 1
    tops: list[int] = []
    for peak in peaks.tolist():
        while tops:
            lower = min(run[tops[-1]], run[peak])
            if lower - run[tops[-1] : peak + 1].min() >= max(least_travel, RETURN * (lower - floor)):
                break
            if run[tops[-1]] >= run[peak]:
                peak = -1
                break
            tops.pop()
        if peak >= 0:
            tops.append(peak)
    return tops


def _hill(
    run: np.ndarray, left: int, top: int, right: int, first: int, floor: float, least_travel: float
) -> list[Hill]:
    """The hill about ``top`` between two valleys; none if it does not rise or fall enough."""
    height = float(run[top])
    rise = _climb(run[left : top + 1], floor)
    fall = _climb(run[top : right + 1][::-1], floor)
    start, arrival = left + rise.start, left + rise.arrival
    end, departure = right - fall.start, right - fall.arrival
    up, down = height - float(run[left : top + 1].min()), height - float(run[top : right + 1].min())
    complete = rise.seen and fall.seen
    if (min if complete else max)(up, down) < least_travel:
        return []
    travel = height - float(run[start] if rise.seen else run[end])
    return [
        Hill(
            start=first + start,
            arrival=first + arrival,
            highest=first + top,
            departure=first + departure,
            end=first + end,
            height=height,
            travel=travel,
            complete=complete,
        )
    ]


@dataclass(frozen=True)
class _Climb:
    """A way up: where it starts, where it arrives, and whether at least half of it is there."""

    start: int
    arrival: int
    seen: bool


def _climb(way: np.ndarray, floor: float) -> _Climb:
    """The last rise of a signal that ends at its highest."""
    top = len(way) - 1
    lowest = float(way.min())
    if way[top] - lowest <= RETURN * (way[top] - floor):
        return _Climb(0, top, False)
    middle = int(np.flatnonzero(way <= (way[top] + lowest) / 2)[-1])
    rate = np.gradient(way)
    slow = rate <= ONSET * rate[max(middle - 1, 0) :].max()
    travel = way[top] - lowest
    before = np.flatnonzero((slow & (way <= lowest + NEAR_LOWEST * travel))[: middle + 1])
    arrived = np.flatnonzero((slow & (way >= way[top] - NEAR_HIGHEST * travel))[middle:])
    return _Climb(int(before[-1]) if before.size else 0, middle + int(arrived[0]) if arrived.size else top, True)

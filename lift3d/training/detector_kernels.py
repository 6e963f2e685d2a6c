"""The compiled loop of ``lift3d.training.detector_noise``.

Numbers are float32: a Python number would make them double.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lift3d.training.compiled import compiled
from lift3d.training.detector_noise import ADMITTED, GAP, GROSS, LOSS, OUTLIER, SWAP, SWAPPED
from lift3d.training.draws import CELL_NUMBERS, Runs

_ZERO, _ONE = np.float32(0), np.float32(1)
_GROSS, _WAVERING = np.float32(GROSS), np.float32(0.05)
_PARTS = len(SWAPPED)
_SIDES = np.array([[part, *pair] for part, pairs in enumerate(SWAPPED) for pair in pairs])


class Errors(NamedTuple):
    """Numbers of what happens to a batch all the time; places are in ``normal_table``.

    Attributes:
        jitter, drift: (windows, 23) standard deviation of errors, metres.
        jitter_place, drift_place: (windows,) of the errors of a window; of the drift's at its knots.
        knots: how many of these a number has.
        knot, share: (windows, frames) of ``place_knots``.
        usual: (windows, 23) usual confidence.
        usual_place: (windows,) of how it wavers.
        least: (windows,) confidence in what is seen, at least; 1 where the detector is always certain.
        shown: (windows, 23) 0 where a joint is never seen, 1 elsewhere.
    """

    jitter: np.ndarray
    drift: np.ndarray
    jitter_place: np.ndarray
    drift_place: np.ndarray
    knots: int
    knot: np.ndarray
    share: np.ndarray
    usual: np.ndarray
    usual_place: np.ndarray
    least: np.ndarray
    shown: np.ndarray


@compiled
def detect_windows(
    first: int,
    last: int,
    plane: np.ndarray,
    depth: np.ndarray,
    errors: Errors,
    runs: Runs,
    table: np.ndarray,
    found: np.ndarray,
    confidence: np.ndarray,
) -> None:
    """Detections of windows ``first`` to ``last``.

    Args:
        plane, depth: as for ``detect``.
        errors, runs: what happens all the time, and now and then.
        table: the ``normal_table``.
        found, confidence: as ``detect`` gives them, filled in.
    """
    joints, frames = confidence.shape[1:]
    near = np.empty(frames, np.float32)
    swapped = np.empty((_PARTS, frames), np.bool_)
    for w in range(first, last):
        for frame in range(frames):
            near[frame] = _ONE / depth[w, frame]
            for part in range(len(swapped)):
                swapped[part, frame] = False
        knot, share = errors.knot[w], errors.share[w]
        for joint in range(joints):
            for axis in range(2):
                place = errors.drift_place[w] + (2 * joint + axis) * errors.knots
                slow = table[place : place + errors.knots]
                place = errors.jitter_place[w] + (2 * joint + axis) * frames
                fast = table[place : place + frames]
                drift, jitter = errors.drift[w, joint], errors.jitter[w, joint]
                for frame in range(frames):
                    low, high = slow[knot[frame]], slow[knot[frame] + 1]
                    error = jitter * fast[frame] + drift * (low + share[frame] * (high - low))
                    found[w, joint, axis, frame] = plane[w, joint, axis, frame] + error * near[frame]
            place = errors.usual_place[w] + joint * frames
            wavering = table[place : place + frames]
            usual, least, shown = errors.usual[w, joint], errors.least[w], errors.shown[w, joint]
            for frame in range(frames):
                confidence[w, joint, frame] = shown * min(max(usual + _WAVERING * wavering[frame], least), _ONE)
        certain = errors.least[w] == _ONE
        for run in range(runs.first[w], runs.first[w + 1]):
            _happen(run, runs, table, near, certain, found[w], confidence[w], swapped)
        for part, left, right in _SIDES:
            for frame in range(frames):
                if swapped[part, frame]:
                    for axis in range(2):
                        kept = found[w, left, axis, frame]
                        found[w, left, axis, frame] = found[w, right, axis, frame]
                        found[w, right, axis, frame] = kept


@compiled
def _happen(
    run: int,
    runs: Runs,
    table: np.ndarray,
    near: np.ndarray,
    certain: bool,
    found: np.ndarray,
    confidence: np.ndarray,
    swapped: np.ndarray,
) -> None:
    """What a run does to ``found`` (23, 2, frames), ``confidence`` (23, frames) and ``swapped`` of its window."""
    kind, begin = runs.kind[run], runs.begin[run]
    joint = int(runs.own[run] * len(confidence))
    for frame in range(max(begin, 0), min(begin + runs.length[run], len(near))):
        if kind == OUTLIER:
            place = runs.place[run] + CELL_NUMBERS * (frame - begin)
            found[joint, 0, frame] += _GROSS * near[frame] * table[place]
            found[joint, 1, frame] += _GROSS * near[frame] * table[place + 1]
            # How likely a normal number is to be lower: whether the detector knows, and if so, how well.
            chance = 0.5 * math.erfc(-table[place + 2] / math.sqrt(2))
            if chance < ADMITTED and not certain:
                confidence[joint, frame] *= np.float32(0.4 * chance / ADMITTED)
        elif kind == GAP:
            confidence[joint, frame] = _ZERO
        elif kind == LOSS:
            for each in range(len(confidence)):
                confidence[each, frame] = _ZERO
        else:
            swapped[kind - SWAP, frame] = True

"""Loops of ``lift3d.training.keypoint_augmentation``; all change keypoints in place.

Keypoints are xy (windows, frames, joints, 2) in pixels and confidence (windows, frames, joints), 0 where missing.
Kernels with ``first`` and ``last`` are for ``over_windows``; the others have little to do.
"""

from __future__ import annotations

import numpy as np

from lift3d.training.compiled import exact
from lift3d.training.window_draws import next_share


@exact
def add_noise(
    first: int,
    last: int,
    normal: np.ndarray,
    place: np.ndarray,
    jitter: np.ndarray,
    drift: np.ndarray,
    spacing: float,
    knots: int,
    phase: np.ndarray,
    metre: np.ndarray,
    xy: np.ndarray,
    confidence: np.ndarray,
) -> None:
    """White noise, and noise that is a line between knots ``spacing`` frames apart.

    Args:
        normal: (n,) normal numbers, which window w reads from ``place[w]`` on.
        place: (windows,) first of 2 joints (knots + frames) numbers.
        jitter, drift: (windows, joints) standard deviation of the white noise and of the knots, metres.
        spacing, knots: frames from knot to knot, and how many there are.
        phase: (windows,) in 0..1, where in its first interval a window starts.
        metre: (windows, frames) pixels a metre.
        xy, confidence: the keypoints.
    """
    frames, joints = xy.shape[1:3]
    step = np.float32(1 / spacing)
    for window in range(first, last):
        row = 2 * joints
        white = place[window] + row * knots
        for frame in range(frames):
            at = np.float32(frame) * step + phase[window]
            knot = int(at)
            share = at - np.float32(knot)
            low, pixels = place[window] + row * knot, metre[window, frame]
            for joint in range(joints):
                slow, fast = pixels * drift[window, joint], pixels * jitter[window, joint]
                for axis in range(2):
                    start, end = normal[low + 2 * joint + axis], normal[low + row + 2 * joint + axis]
                    error = (
                        slow * (start + share * (end - start)) + fast * normal[white + row * frame + 2 * joint + axis]
                    )
                    xy[window, frame, joint, axis] += error
            for joint in range(joints):
                if confidence[window, frame, joint] <= 0:
                    xy[window, frame, joint, :] = 0


@exact
def add_gross_errors(
    gross: np.ndarray,
    seeds: np.ndarray,
    deviation: float,
    admitted: float,
    metre: np.ndarray,
    xy: np.ndarray,
    confidence: np.ndarray,
) -> None:
    """Errors of a standard deviation in metres where ``gross`` (windows, frames, joints) is True.

    A share ``admitted`` of them the detector knows of: its confidence is 0 to 0.4 of what it was.

    Args:
        gross, deviation, admitted: as above.
        seeds: (windows,) of the random numbers.
        metre: (windows, frames) pixels a metre.
        xy, confidence: the keypoints.
    """
    windows, frames, joints = gross.shape
    for window in range(windows):
        state = seeds[window]
        for frame in range(frames):
            for joint in range(joints):
                if gross[window, frame, joint]:
                    # Two normal numbers from two even ones, by Box and Muller.
                    state, one = next_share(state)
                    state, other = next_share(state)
                    state, known = next_share(state)
                    radius = deviation * metre[window, frame] * np.sqrt(-2 * np.log(one))
                    if confidence[window, frame, joint] > 0:
                        xy[window, frame, joint, 0] += radius * np.cos(2 * np.pi * other)
                        xy[window, frame, joint, 1] += radius * np.sin(2 * np.pi * other)
                    if known < admitted:
                        # Below the limit it is an even number like any other.
                        confidence[window, frame, joint] *= 0.4 * known / admitted


@exact
def exchange(chosen: np.ndarray, pairs: np.ndarray, xy: np.ndarray, confidence: np.ndarray) -> None:
    """Left and right of the pairs (n, 2) of joints change places in the chosen frames (windows, frames)."""
    for window in range(chosen.shape[0]):
        for frame in range(chosen.shape[1]):
            if chosen[window, frame]:
                for left, right in pairs:
                    for axis in range(2):
                        kept = xy[window, frame, left, axis]
                        xy[window, frame, left, axis] = xy[window, frame, right, axis]
                        xy[window, frame, right, axis] = kept
                    kept = confidence[window, frame, left]
                    confidence[window, frame, left] = confidence[window, frame, right]
                    confidence[window, frame, right] = kept


@exact
def hide(first: int, last: int, gone: np.ndarray, xy: np.ndarray, confidence: np.ndarray) -> None:
    """Keypoints missing where ``gone`` (windows, frames, joints) is True."""
    frames, joints = gone.shape[1:]
    for window in range(first, last):
        for frame in range(frames):
            for joint in range(joints):
                if gone[window, frame, joint]:
                    xy[window, frame, joint] = 0
                    confidence[window, frame, joint] = 0


@exact
def hide_stretches(
    chosen: np.ndarray, begin: np.ndarray, stop: np.ndarray, xy: np.ndarray, confidence: np.ndarray
) -> None:
    """The chosen joints (windows, joints) missing from a frame ``begin`` to the one before ``stop``, as ``chosen``."""
    windows, joints = chosen.shape
    for window in range(windows):
        for joint in range(joints):
            if chosen[window, joint]:
                for frame in range(begin[window, joint], stop[window, joint]):
                    xy[window, frame, joint] = 0
                    confidence[window, frame, joint] = 0


@exact
def hide_rectangle(
    chosen: np.ndarray, place: np.ndarray, half: np.ndarray, xy: np.ndarray, confidence: np.ndarray
) -> None:
    """Keypoints missing in the chosen frames (windows, frames) if they lie in a window's rectangle.

    Args:
        chosen: when.
        place: (windows, 2) of its centre, from 0 at the least x and y of the window's keypoints to 1 at the largest.
        half: (windows, 2) half its width and height, as a share of theirs.
        xy, confidence: the keypoints.
    """
    windows, frames, joints, _ = xy.shape
    for window in range(windows):
        if not chosen[window].any():
            continue
        left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
        for frame in range(frames):
            for joint in range(joints):
                if confidence[window, frame, joint] > 0:
                    x, y = xy[window, frame, joint, 0], xy[window, frame, joint, 1]
                    left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
        width, height = right - left, bottom - top
        for frame in range(frames):
            for joint in range(joints):
                away_x = abs(xy[window, frame, joint, 0] - left - width * place[window, 0])
                away_y = abs(xy[window, frame, joint, 1] - top - height * place[window, 1])
                hidden = away_x <= width * half[window, 0] and away_y <= height * half[window, 1]
                if chosen[window, frame] and hidden:
                    xy[window, frame, joint] = 0
                    confidence[window, frame, joint] = 0

"""Two views of one motion agree only at the right time: how well they do, at each of many offsets."""

from __future__ import annotations

import numpy as np

from lift3d.multiview.image_motion import LEAST_JOINTS, ImageMotion
from lift3d.multiview.path_smoothing import median_of_seen
from lift3d.multiview.two_views import epipolar_lines

# Body sizes. What joints of one person are off their epipolar lines by noise; and what all of a joint's path may be
# off at most, because detectors place joints differently from different sides and rigs move a little.
NOISE = 0.015
BIAS = 0.03


def agreement(distances: np.ndarray) -> np.ndarray:
    """How well two tracks fit together, in 0..1: epipolar distances (times, ..., joints) -> (times, ...).

    The mean over joints of ``exp(-d^2 / 2 NOISE^2)``, each joint's median over time taken off as far as ``BIAS``
    goes; 0 where fewer than four joints are seen in both views.
    """
    seen = np.isfinite(distances)
    count = seen.sum(axis=-1)
    bias = np.nan_to_num(median_of_seen(distances))
    off = np.where(seen, distances - np.clip(bias, -BIAS, BIAS), 0) / NOISE
    fit = np.where(seen, np.exp(-(off**2) / 2), 0).sum(axis=-1) / np.maximum(count, 1)
    return np.where(count >= LEAST_JOINTS, fit, 0)


def timing_curve(
    a: ImageMotion, b: ImageMotion, F: np.ndarray, offsets: np.ndarray, step: float, times: np.ndarray
) -> np.ndarray:
    """How well two cameras fit together at each of many offsets, whoever of ``a`` is whom in ``b``.

    Args:
        F: (3, 3) fundamental matrix from positions of ``a`` to lines of ``b``.
        offsets: (offsets,) int, how much later ``b`` started than ``a``, in steps.
        step: seconds.
        times: (samples,) int, times on the clock of ``a`` to compare, in steps.

    Returns:
        (offsets,) mean agreement of the samples' people with the best in ``b``, as ``shrunk_mean``.
    """
    lines = epipolar_lines(F, a.at(times * step)[0])
    lines /= np.maximum(np.linalg.norm(lines[..., :2], axis=-1, keepdims=True), 1e-12)
    first = int(times.min() - offsets.max())
    points = b.at(np.arange(first, int(times.max() - offsets.min()) + 1) * step)[0]
    total, count = np.zeros(len(offsets)), np.zeros(len(offsets))
    for index, offset in enumerate(offsets):
        line, point = lines[:, :, None], points[times - offset - first][:, None]
        both = np.isfinite(point[..., 0]).any(axis=(1, 2, 3))
        if both.any():
            line, point = line[both], point[both]
            fit = agreement(line[..., 0] * point[..., 0] + line[..., 1] * point[..., 1] + line[..., 2])
            total[index] = fit.max(axis=2).sum()
            count[index] = (fit > 0).any(axis=2).sum()
    return shrunk_mean(total, count)


def shrunk_mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """``total / count``, drawn to 0 where the count is small beside the largest of all: chance looks good in a few."""
    return np.asarray(total / np.maximum(count + 0.2 * count.max(initial=0), 1e-9))


def match_tracks(fit: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of tracks that may be one person, from how well they fit, (tracks of a, tracks of b); 0 if never met.

    One person can be several tracks one after the other, so a track may have several partners; what is far worse
    than the best partner of either is none.
    """
    best = np.maximum(fit.max(axis=0, keepdims=True, initial=0), fit.max(axis=1, keepdims=True, initial=0))
    return [(int(i), int(j)) for i, j in np.argwhere((fit > 0) & (fit >= 0.5 * best))]

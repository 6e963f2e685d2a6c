"""Noisy paths of joints in an image as smooth functions of time."""

from __future__ import annotations

import numpy as np

# Every camera is smoothed by the same kernel in time, which moves none against another.
KERNEL_SECONDS = 0.05  # standard deviation
KERNEL_FRAMES = 1.5  # and at least that
# The pace is smoothed further: the noise of positions between two frames goes with the noise of the velocity there,
# and offsets found with that velocity are drawn towards half frames.
PACE_SECONDS = 0.15
PACE_FRAMES = 4.0
# A joint is a detector's slip if it is further from the middle of its neighbours in time than five times what is usual
# and what this acceleration explains, in body sizes per second squared.
FASTEST = 30.0


def median_of_seen(values: np.ndarray) -> np.ndarray:
    """Medians (...) of the finite values along the first axis of (n, ...), n at least 1; NaN where there is none."""
    ordered = np.sort(values, axis=0)  # NaN comes last
    count = np.isfinite(values).sum(axis=0)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, len(values) - 1)[None], axis=0)[0]
    return np.asarray((low + high) / 2)


def smooth_path(xy: np.ndarray, weight: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, velocities a second, and paces: velocities that are smoothed further.

    A parabola is fitted around every frame with a Gaussian kernel, missing frames and slips left out: local polynomial
    regression of degree 2 (Fan and Gijbels 1996).

    Args:
        xy: (frames, tracks, 2), body sizes, NaN where missing.
        weight: (frames, tracks) how much each position counts.
        fps: frames per second.

    Returns:
        Three arrays (frames, tracks, 2); NaN where too few frames around are seen.
    """
    from scipy.ndimage import correlate1d

    deviation = max(KERNEL_SECONDS * fps, KERNEL_FRAMES)
    reach = int(np.ceil(3 * deviation))
    time = np.arange(-reach, reach + 1) / deviation
    kernel = np.exp(-(time**2) / 2)
    weight = np.where(np.isfinite(xy[..., 0]) & ~_slips(xy, FASTEST / fps**2), weight, 0).astype(np.float64)
    known = np.where(weight[..., None] > 0, xy, 0)

    def moment(values: np.ndarray, power: int) -> np.ndarray:
        return np.asarray(correlate1d(values, kernel * time**power, axis=0, mode="constant"))

    seen = moment((weight > 0).astype(np.float64), 0) / kernel.sum()
    s0, s1, s2, s3, s4 = (moment(weight, power) for power in range(5))
    y0, y1, y2 = (moment(weight[..., None] * known, power) for power in range(3))
    # The inverse of the moment matrix [[s0 s1 s2], [s1 s2 s3], [s2 s3 s4]], its first two rows.
    a, b, c = s2 * s4 - s3 * s3, s2 * s3 - s1 * s4, s1 * s3 - s2 * s2
    d, e = s0 * s4 - s2 * s2, s1 * s2 - s0 * s3
    determinant = s0 * a + s1 * b + s2 * c
    with np.errstate(divide="ignore", invalid="ignore"):
        # Enough around, on both sides, and not all in one or two places.
        good = (seen >= 0.4) & (np.abs(s1) < 0.6 * s0) & (determinant > 1e-4 * s0**3)
        a, b, c, d, e = (np.where(good, value / determinant, np.nan)[..., None] for value in (a, b, c, d, e))
    velocity = (b * y0 + d * y1 + e * y2) * (fps / deviation)
    return a * y0 + b * y1 + c * y2, velocity, _average(velocity, max(PACE_SECONDS * fps, PACE_FRAMES))


def wandering(position: np.ndarray) -> np.ndarray:
    """How far each track wanders, (tracks,): half the range of nine tenths of the time, of the joint that has most.

    Args:
        position: (frames, tracks, joints, 2), NaN where missing.
    """
    ordered = np.sort(position, axis=0)
    last = np.maximum(np.isfinite(position).sum(axis=0) - 1, 0)
    low, high = (np.take_along_axis(ordered, (share * last).astype(int)[None], axis=0)[0] for share in (0.05, 0.95))
    return np.asarray(np.nan_to_num(np.linalg.norm(high - low, axis=-1) / 2).max(axis=1))


def _slips(xy: np.ndarray, limit: float) -> np.ndarray:
    """(frames, tracks) bool: where a joint is far from the middle of the frames beside it, and of those beside them."""
    padded = np.pad(xy, ((2, 2), (0, 0), (0, 0)), constant_values=np.nan)
    count = len(xy)
    middles = [(padded[2 - far : 2 - far + count] + padded[2 + far : 2 + far + count]) / 2 for far in (1, 2)]
    # A neighbour that slips spoils one middle, not both; where there is neither, nothing can be said.
    away = np.fmin(*(np.linalg.norm(xy - middle, axis=-1) for middle in middles))
    noise = 1.4826 * np.nan_to_num(median_of_seen(away))
    return np.asarray(away > 5 * noise + limit)


def _average(values: np.ndarray, deviation: float) -> np.ndarray:
    """Values (frames, ...) averaged by a Gaussian of that many frames; NaN stays NaN and takes no part."""
    from scipy.ndimage import gaussian_filter1d

    known = np.isfinite(values)
    total = gaussian_filter1d(np.where(known, values, 0), deviation, axis=0, mode="constant")
    weight = gaussian_filter1d(known.astype(np.float64), deviation, axis=0, mode="constant")
    return np.where(known, total / np.maximum(weight, 1e-9), np.nan)

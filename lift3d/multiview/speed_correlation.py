"""The offset of two cameras without their calibration: joints are fast at the same time in every view.

A joint's speed in the image depends on the view, but its peaks and rests do not. Speeds are correlated at every offset
by fast Fourier transforms, with missing frames masked out (Padfield 2012, Masked object registration in the Fourier
domain). That finds candidates; at each, a fundamental matrix is fitted to all joints of the people that move alike, and
only the right offset lets one matrix explain the whole time.
"""

from __future__ import annotations

import numpy as np

from lift3d.multiview.epipolar_timing import NOISE, agreement, match_tracks, shrunk_mean
from lift3d.multiview.image_motion import LEAST_JOINTS, ImageMotion
from lift3d.multiview.two_views import fit_fundamental, sampson_distances

REST = 0.05  # body sizes per second, below which differences of speed mean nothing
CANDIDATES = 8
AROUND = 2  # steps to each side of a candidate
LEAST_POINTS = 60  # joints seen in both views, for a fit of eight unknowns


def speed_correlation(
    a: ImageMotion, b: ImageMotion, reach: int, step: float, window: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of the speeds of every two tracks at every offset.

    Args:
        reach: offsets are -reach ... reach steps; positive where b started later.
        step: seconds.
        window: (first, last) seconds on the clock of ``a`` to compare.

    Returns:
        correlation (tracks a, tracks b, 2 reach + 1) in -1..1, all joints together, each about its own mean; and the
        number of joints seen in both, of the same shape.
    """
    first, last = (round(second / step) for second in window)
    times = np.arange(first, last + 1)
    there = np.arange(first - reach, last + reach + 1)
    size = len(times) + len(there) - 1
    size = 1 << (size - 1).bit_length()
    f, f_seen = _speeds(a, times * step)
    g, g_seen = _speeds(b, there * step)

    def spectra(values: np.ndarray) -> np.ndarray:
        return np.fft.rfft(values, size, axis=0)

    F = [np.conj(spectra(values)) for values in (f_seen, f, f * f)]
    G = [spectra(values) for values in (g_seen, g, g * g)]
    shape = (f.shape[1], g.shape[1], 2 * reach + 1)
    correlation, count = np.zeros(shape), np.zeros(shape)
    for i in range(f.shape[1]):
        for j in range(g.shape[1]):

            def sums(left: int, right: int, i: int = i, j: int = j) -> np.ndarray:
                return np.fft.irfft(F[left][:, i] * G[right][:, j], size, axis=0)[: 2 * reach + 1]

            n = np.rint(sums(0, 0))
            some = np.maximum(n, 1)
            sf, sg = sums(1, 0), sums(0, 1)
            covariance = (sums(1, 1) - sf * sg / some).sum(axis=1)
            power = (sums(2, 0) - sf**2 / some).sum(axis=1), (sums(0, 2) - sg**2 / some).sum(axis=1)
            scale = np.sqrt(np.maximum(power[0], 1e-6) * np.maximum(power[1], 1e-6))
            # At index k, time t of a meets time t - reach + k of b, which then started reach - k steps later.
            correlation[i, j] = np.clip(covariance / scale, -1, 1)[::-1]
            count[i, j] = n.sum(axis=1)[::-1]
    return correlation, count


def fitted_curve(
    a: ImageMotion, b: ImageMotion, reach: int, step: float, window: tuple[float, float], samples: int
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """How well two cameras fit together at the offsets that the speeds suggest.

    Args:
        samples: the number of times that a matrix is fitted to; the others as ``speed_correlation``.

    Returns:
        (2 reach + 1,) agreement at offsets of -reach ... reach steps, 0 at those that were not tried; and the fitted
        matrices F (3, 3) by offset.
    """
    correlation, count = speed_correlation(a, b, reach, step, window)
    correlation = np.where(count >= LEAST_POINTS, correlation, 0)
    alike = (correlation * count).max(axis=1).sum(axis=0)
    curve = shrunk_mean(alike, count.max(axis=1).sum(axis=0))
    first, last = (round(second / step) for second in window)
    times = np.unique(np.linspace(first, last, samples).astype(int))
    p = a.at(times * step)[0]
    total, seen = np.zeros(len(curve)), np.zeros(len(curve))
    matrices = {}
    for index in _candidates(curve):
        q = b.at((times - (index - reach)) * step)[0]
        matches = match_tracks(np.maximum(correlation[:, :, index], 0))
        if not matches:
            continue
        left, right = (np.concatenate([x[:, pair[side]] for pair in matches]) for side, x in enumerate((p, q)))
        both = np.isfinite((left + right).sum(axis=-1))
        if np.count_nonzero(both) < LEAST_POINTS:
            continue
        F = fit_fundamental(left[both], right[both], NOISE / 3)
        fit = np.stack([agreement(sampson_distances(F, p[:, i], q[:, j])[0]) for i, j in matches], axis=1)
        total[index], seen[index] = fit.max(axis=1).sum(), np.count_nonzero(fit.any(axis=1))
        matrices[index - reach] = F
    return shrunk_mean(total, seen), matrices


def _candidates(curve: np.ndarray) -> list[int]:
    """Indices of the highest peaks of a curve (n,) and of those around them."""
    peak = (np.r_[-np.inf, curve[:-1]] <= curve) & (np.r_[curve[1:], -np.inf] <= curve) & (curve > 0)
    highest = sorted(np.flatnonzero(peak), key=lambda index: -curve[index])[:CANDIDATES]
    near = {index + move for index in highest for move in range(-AROUND, AROUND + 1)}
    return sorted(int(index) for index in near if 0 <= index < len(curve))


def _speeds(motion: ImageMotion, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of speeds (times, tracks, joints), 0 where missing, and 1 where they are seen."""
    speed = np.linalg.norm(motion.at(seconds)[1], axis=-1)
    seen = np.isfinite(speed)
    seen &= seen.sum(axis=2, keepdims=True) >= LEAST_JOINTS
    return np.where(seen, np.log(np.where(seen, speed, 1) + REST), 0), seen.astype(np.float64)

"""Offsets and drifts to a fraction of a frame, from all pairs of cameras at once.

A camera's clock runs ``time = seconds * (1 + drift) + offset`` on the first camera's. For a pair of cameras and a
joint, ``d(time)`` is the Sampson distance of its two positions from the epipolar geometry. Sought are the offsets and
drifts that minimise ``sum rho((d - bias) / noise)`` over all pairs, joints and times, with Geman and McClure's robust
``rho`` and one bias a pair and joint, drawn from a normal distribution of its own: detectors place a joint differently
from different sides, and rigs move a little. Without calibrated cameras the biases are free, and the fundamental
matrices are solved for along with the offsets. The method is Gauss-Newton on reweighted squares.

The covariance is the sandwich ``H^-1 M H^-1``. M sums the scores over half a second (Newey and West 1987), because what
a detector gets wrong it gets wrong for a while, and the scores of a joint's bias over all pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lift3d.multiview.epipolar_timing import NOISE, agreement, match_tracks
from lift3d.multiview.image_motion import ImageMotion
from lift3d.multiview.path_smoothing import median_of_seen
from lift3d.multiview.two_views import bilinear_rows, dot, fit_fundamental, sampson_distances

MOST_STEPS = 40
LONGEST_STEP = 0.1  # seconds
TUNING = 3.0  # noise deviations at which a distance begins to count as an outlier
LEAST_NOISE = 1e-5  # body sizes
MEMORY = 0.5  # seconds for which errors last
STEADY = 1e-6  # seconds; smaller steps end the search


@dataclass(frozen=True)
class Timing:
    """Offsets and drifts of all cameras; the first camera's are 0.

    Attributes:
        offsets: (cameras,) seconds.
        drifts: (cameras,) seconds gained per second of the camera's own clock.
        covariance: (2 cameras, 2 cameras) of the offsets, then the drifts; 0 where nothing was estimated.
        converged: whether the search came to its end.
    """

    offsets: np.ndarray
    drifts: np.ndarray
    covariance: np.ndarray
    converged: bool = True

    def seconds(self, times: np.ndarray) -> np.ndarray:
        """Times (n,) of the first camera's clock on each camera's own, (cameras, n)."""
        return np.asarray((times - self.offsets[:, None]) / (1 + self.drifts[:, None]))


@dataclass
class _Pair:
    """What is known of two cameras while the offsets are sought."""

    a: int
    b: int
    F: np.ndarray
    matches: list[tuple[int, int]]
    bias: np.ndarray  # of each match and joint
    noise: float = NOISE
    bias_noise: float = NOISE


@dataclass(frozen=True)
class _System:
    """Normal equations in offsets and drifts of all cameras, and the scores that they sum.

    Attributes:
        H: (2 cameras, 2 cameras) of the reweighted squares.
        bread: (2 cameras, 2 cameras) the expected second derivative of the robust cost.
        gradient: (2 cameras,).
        by_time: (times, 2 cameras) scores.
        by_joint: (joints, 2 cameras) scores of the biases.
    """

    H: np.ndarray
    bread: np.ndarray
    gradient: np.ndarray
    by_time: np.ndarray
    by_joint: np.ndarray


def refine(
    motions: Sequence[ImageMotion],
    matrices: Mapping[tuple[int, int], np.ndarray],
    start: Timing,
    times: np.ndarray,
    drift: bool,
    calibrated: bool,
) -> Timing:
    """The offsets, and drifts, that fit best, from ones that are less than a few frames off.

    Args:
        motions: of the cameras.
        matrices: F (3, 3) by pair of cameras (a, b); a pair that is left out takes no part.
        start: where to start.
        times: (samples,) seconds on the first camera's clock, evenly spaced.
        drift: whether drifts are sought; if not, they stay.
        calibrated: whether the matrices are known; if not, they are where to start.
    """
    count, joints = len(motions), motions[0].position.shape[2]
    unknown = np.r_[1:count, count + 1 : 2 * count] if drift else np.arange(1, count)
    timing = start
    views = _views(motions, timing, times)
    pairs = [_pair(a, b, F, views[a][0], views[b][0]) for (a, b), F in matrices.items()]
    for _ in range(MOST_STEPS):
        system = _System(*(np.zeros(shape) for shape in _shapes(count, len(times), joints)))
        for pair in pairs:
            _add(system, pair, views, timing, times, calibrated)
        step = np.zeros(2 * count)
        step[unknown] = -_inverse(system.H[np.ix_(unknown, unknown)]) @ system.gradient[unknown]
        moved = np.abs(step[:count, None] + step[count:, None] * timing.seconds(times[[0, -1]])).max()
        step *= min(1.0, LONGEST_STEP / max(float(moved), 1e-12))
        covariance = np.zeros((2 * count, 2 * count))
        covariance[np.ix_(unknown, unknown)] = _sandwich(system, unknown, times)
        timing = Timing(timing.offsets + step[:count], timing.drifts + step[count:], covariance, bool(moved < STEADY))
        if timing.converged:
            break
        views = _views(motions, timing, times)
    return timing


def _views(motions: Sequence[ImageMotion], timing: Timing, times: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [motion.at(own) for motion, own in zip(motions, timing.seconds(times), strict=True)]


def _pair(a: int, b: int, F: np.ndarray, p: np.ndarray, q: np.ndarray) -> _Pair:
    """The tracks of two cameras, (times, tracks, joints, 2) each, that may be one person, and their joints' biases."""
    fit = np.zeros((p.shape[1], q.shape[1]))
    for i in range(p.shape[1]):
        for j in range(q.shape[1]):
            each = agreement(sampson_distances(F, p[:, i], q[:, j])[0])
            fit[i, j] = each.sum() / max(np.count_nonzero(each), 1)
    matches = match_tracks(fit)
    distances = [sampson_distances(F, p[:, i], q[:, j])[0] for i, j in matches]
    biases = [np.nan_to_num(median_of_seen(distance)) for distance in distances]
    return _Pair(a, b, F, matches, np.concatenate(biases) if biases else np.empty(0))


def _shapes(cameras: int, times: int, joints: int) -> list[tuple[int, ...]]:
    size = 2 * cameras
    return [(size, size), (size, size), (size,), (times, size), (joints, size)]


def _add(
    system: _System,
    pair: _Pair,
    views: list[tuple[np.ndarray, np.ndarray]],
    timing: Timing,
    times: np.ndarray,
    calibrated: bool,
) -> None:
    """Add a pair's distances to the system, and update what is known of the pair."""
    joints = system.by_joint.shape[0]
    (pa, pace_a), (pb, pace_b) = views[pair.a], views[pair.b]
    a_tracks, b_tracks = [i for i, _ in pair.matches], [j for _, j in pair.matches]
    p, q, v, w = pa[:, a_tracks], pb[:, b_tracks], pace_a[:, a_tracks], pace_b[:, b_tracks]
    known = p + q + v + w
    time, match, joint = np.nonzero(np.isfinite(known[..., 0] + known[..., 1]))
    if len(time) == 0:
        return
    p, q, v, w = (values[time, match, joint] for values in (p, q, v, w))
    if not calibrated:
        pair.F = fit_fundamental(p, q, pair.noise, pair.F)
    d, by_p, by_q = sampson_distances(pair.F, p, q)

    # Derivatives by offset and drift of a, then of b.
    own = timing.seconds(times)
    rates = np.stack([dot(by_p, v), dot(by_q, w)], axis=1)
    rates /= -(1 + timing.drifts[[pair.a, pair.b]])
    J = np.stack([rates[:, 0], rates[:, 0] * own[pair.a, time], rates[:, 1], rates[:, 1] * own[pair.b, time]], axis=1)
    columns = np.array([pair.a, pair.a + len(timing.offsets), pair.b, pair.b + len(timing.offsets)])

    group = match * joints + joint
    groups = len(pair.bias)
    squared = ((d - pair.bias[group]) / (TUNING * pair.noise)) ** 2
    weight = 1 / (1 + squared) ** 2 / pair.noise**2
    curvature = ((1 - 3 * squared) / (1 + squared) ** 3).sum() / (1 / (1 + squared) ** 2).sum()

    # What is common to a joint's distances is apart from what changes in time: it may be a bias.
    total = np.maximum(np.bincount(group, weight, groups), 1e-12)
    mean_d = np.bincount(group, weight * d, groups) / total
    mean_J = np.stack([np.bincount(group, weight * column, groups) for column in J.T], axis=1) / total[:, None]
    d, J = d - mean_d[group], J - mean_J[group]
    seen = np.bincount(group, minlength=groups) > 0
    if calibrated:
        information = np.where(seen, 1 / (pair.bias_noise**2 + 1 / total), 0)
        pair.bias = mean_d * pair.bias_noise**2 / (pair.bias_noise**2 + 1 / total)
        pair.bias_noise = max(1.4826 * float(np.median(np.abs(mean_d[seen]))), LEAST_NOISE)
    else:
        information = np.zeros(groups)
        pair.bias = mean_d
        # F may turn with the offset in the eight directions that keep its norm.
        turns = np.linalg.svd(pair.F.reshape(1, 9))[2][1:].T
        rows = bilinear_rows(p, q) @ turns * (np.linalg.norm(by_q, axis=-1) / _norms(pair.F, p))[:, None]
        rows -= (np.stack([np.bincount(group, weight * row, groups) for row in rows.T], axis=1) / total[:, None])[group]
        J -= rows @ (np.linalg.pinv((rows * weight[:, None]).T @ rows, rcond=1e-9) @ (rows.T @ (weight[:, None] * J)))
    # Who stands still in the background is found without noise, so it is taken from the half that moves faster.
    speed = np.abs(rates).max(axis=1)
    off = np.abs(d + mean_d[group] - pair.bias[group])[speed >= np.median(speed)]
    pair.noise = max(1.4826 * float(np.median(off)), LEAST_NOISE)

    within = (J * weight[:, None]).T @ J
    between = (mean_J * information[:, None]).T @ mean_J
    system.H[np.ix_(columns, columns)] += within + between
    system.bread[np.ix_(columns, columns)] += max(curvature, 0.1) * within + between
    scores = J * (weight * d)[:, None]
    bias_scores = mean_J * (information * mean_d)[:, None]
    system.gradient[columns] += scores.sum(axis=0) + bias_scores.sum(axis=0)
    for column, score, bias_score in zip(columns, scores.T, bias_scores.T, strict=True):
        system.by_time[:, column] += np.bincount(time, score, len(times))
        system.by_joint[:, column] += bias_score.reshape(-1, joints).sum(axis=0)


def _norms(F: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(np.linalg.norm(p @ F[:2, :2].T + F[:2, 2], axis=-1), 1e-12))


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a positive semidefinite matrix whose rows have different units; 0 for what is not determined."""
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scale = np.where(np.diag(matrix) > 0, scale, 0)
    return np.asarray(np.linalg.pinv(matrix * scale[:, None] * scale, rcond=1e-12) * scale[:, None] * scale)


def _sandwich(system: _System, unknown: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Covariance of the unknown from the scores, whose sums over ``MEMORY`` seconds are taken as independent."""
    scores = system.by_time[:, unknown]
    used = max(1, int(np.count_nonzero(scores.any(axis=1))))
    length = max(1, min(round(MEMORY / max(times[1] - times[0], 1e-9)), used // 2)) if len(times) > 1 else 1
    sums = np.cumsum(np.pad(scores, ((length, length), (0, 0))), axis=0)
    sums = sums[length:] - sums[:-length]
    # Scores sum to 0 at the solution, which takes from their sums over a part of the clip.
    meat = sums.T @ sums / length / (1 - length / (used + 1))
    joint = system.by_joint[:, unknown]
    bread = _inverse(system.bread[np.ix_(unknown, unknown)])
    return np.asarray(bread @ (meat + joint.T @ joint) @ bread)

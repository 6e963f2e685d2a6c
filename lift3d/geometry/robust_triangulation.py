"""Triangulation that finds out which cameras are wrong, in a time that grows linearly with their number.

A camera is believed where its squared reprojection error, in units of the noise, is within a gate. Points whose
cameras are all believed are done at once. For the others every pair of up to seven cameras proposes a point, which
costs the squares of the cameras that are believed there and a penalty for each that is not, the higher the more
confident the camera is. The cheapest is refined by turns: least squares over the believed cameras, then belief anew.

Sources: P. Torr and A. Zisserman, "MLESAC", CVIU 78(1), 2000 (the cost); O. Chum, J. Matas and J. Kittler, "Locally
optimized RANSAC", DAGM 2003 (the turns); P. Rousseeuw and A. Leroy, "Robust regression and outlier detection", 1987
(the scale, from the median first and the inliers then).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from lift3d.errors import Lift3DError, ShapeError
from lift3d.geometry.alignment import array_namespace
from lift3d.geometry.batches import Triangulation, solve_in_batches
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rays import Rays
from lift3d.geometry.triangulation import (
    INFINITE,
    RigArrays,
    Solution,
    conclude,
    first_step,
    invert,
    linear_features,
    minimise,
    multiply,
    squared_errors,
    store,
)

Array = Any  # a numpy array or a torch tensor; what goes in decides what comes out

# A camera further off than this many standard deviations is wrong; of right ones 0.2 % are.
GATE = 3.5
PROPOSING = 7  # cameras of which each pair proposes a point
TURNS = 3
# Where no two cameras agree the gates are opened by these factors until two do.
OPENINGS = (1.0, 3.0, 9.0)
NOISE_POINTS = 1 << 13  # points from which the noise is estimated
NOISE_ROUNDS = 3
LEAST_NOISE_POINTS = 20


def triangulate_robustly(
    cameras: Sequence[Camera],
    xy: Array,
    weights: Array | None = None,
    noise: Array | float | None = None,
    covariance: bool = True,
) -> Triangulation:
    """As ``triangulate_points``, without the cameras that contradict the others.

    Two cameras that disagree cannot be told apart: the point stays, its reprojection error and covariance say so.
    Where three and more disagree all around, the two that agree best make the point.

    Args:
        cameras: C calibrated cameras.
        xy: (C, ..., 2) pixels, numpy or torch; NaN where a camera does not see the point.
        weights: (C, ...) of 0 or more, the reciprocal of an observation's variance relative to the others'; to drop a
            camera of a large weight takes more. None weighs all the same.
        noise: pixels, standard deviation of an observation of weight 1 along an axis; broadcast to (C, ...). None
            estimates one for all points.
        covariance: whether it is wanted.

    Returns:
        The points, of the same kind as ``xy``. The covariance grows where the cameras that are left still disagree by
        more than the noise explains.

    Raises:
        ShapeError: fewer than two cameras, or shapes that do not fit.
    """
    if noise is None:
        shape = (len(xy), -1, 1)
        noise = float(
            estimate_noise(cameras, xy.reshape(*shape, 2), None if weights is None else weights.reshape(shape))[0]
        )
    return solve_in_batches(
        cameras, xy, weights, noise, lambda like: _Consensus(RigArrays(cameras, like), covariance), covariance
    )


class _Consensus:
    """The solver of ``triangulate_robustly``."""

    def __init__(self, rig: RigArrays, covariance: bool) -> None:
        self.rig, self.covariance = rig, covariance

    def solve_easy(self, rays: Rays) -> tuple[Triangulation, Array, Array]:
        solution, going = first_step(self.rig, rays)
        difficult = array_namespace(going).where(going | _contradicted(self.rig, rays, solution))[0]
        return self._conclude(rays, solution), difficult, solution.points[:, difficult]

    def solve_difficult(self, rays: Rays, start: Array) -> Triangulation:
        solution = minimise(self.rig, rays, start)
        contradicted = _contradicted(self.rig, rays, solution)
        doubtful = array_namespace(contradicted).where(contradicted)[0]
        if len(doubtful):
            improved, used = _consensus(self.rig, rays.select(doubtful), solution.select(doubtful))
            store(solution, improved, doubtful)
            rays.used[:, doubtful] = used
            rays = rays._replace(weight=rays.weight * rays.used)
        return self._conclude(rays, solution)

    def _conclude(self, rays: Rays, solution: Solution) -> Triangulation:
        """The covariance grows with what the noise does not explain."""
        if not self.covariance:
            return conclude(self.rig, rays, solution, covariance=False)
        xp = array_namespace(rays.x)
        spare = xp.clip(2 * rays.used.sum(0) - 3, 1, None)
        disagreement = xp.clip(solution.cost / spare - (GATE**2 - 1), 1, None)
        return conclude(self.rig, rays, solution._replace(covariance=solution.covariance * disagreement))


def _contradicted(rig: RigArrays, rays: Rays, solution: Solution) -> Array:
    """(n,) whether a camera is not believed, among three or more."""
    believed = squared_errors(rig, rays, solution.points) <= GATE**2
    return ~(believed | ~rays.used).all(0) & (rays.used.sum(0) > 2)


def _consensus(rig: RigArrays, rays: Rays, plain: Solution) -> tuple[Solution, Array]:
    """The points of least cost, and the cameras (C, n) that made them; all of them where no two agree."""
    xp = array_namespace(rays.x)
    result, used = plain, rays.used & True
    left = xp.where(used.any(0))[0]
    for opening in OPENINGS:
        part, gate = rays.select(left), (GATE * opening) ** 2
        points = _best_proposal(rig, part, gate)
        # A proposal of two cameras carries their noise: the first turn is more patient.
        believed = _within(rig, part, points, 4 * gate)
        for _ in range(TURNS):
            chosen, solution = believed, minimise(rig, part.restrict(believed), points)
            points = solution.points
            believed = _within(rig, part, points, gate)
        agreed = xp.isfinite(solution.cost) & (chosen.sum(0) > 1) & (believed.sum(0) > 1)
        good = xp.where(agreed)[0]
        store(result, solution.select(good), left[good])
        used[:, left[good]] = chosen[:, good]
        left = left[~agreed]
        if len(left) == 0:
            break
    return result, used


def _within(rig: RigArrays, rays: Rays, points: Array, gate: float) -> Array:
    """(C, n) whether a camera is believed."""
    return rays.used & (squared_errors(rig, rays, points) <= gate)


def _best_proposal(rig: RigArrays, rays: Rays, gate: float) -> Array:
    """(3, n) the point of least cost among those of all pairs of some cameras."""
    xp = array_namespace(rays.x)
    largest = rays.weight.max(0) if xp is np else rays.weight.amax(0)
    penalty = gate * (0.5 + 0.5 * rays.weight / largest)
    best = points = None
    for proposal, squares in _proposals(rig, rays):
        score = xp.where(squares > gate, penalty, squares).sum(0)
        if best is None:
            best, points = score, proposal
        else:
            points = xp.where(score < best, proposal, points)
            best = xp.minimum(score, best)
    return points


def _proposals(rig: RigArrays, rays: Rays) -> Iterator[tuple[Array, Array]]:
    """The point (3, n) of every pair of some cameras, and the squared errors (C, n) of all cameras there."""
    xp = array_namespace(rays.x)
    for first, second in combinations(_normals_per_camera(rig, rays), 2):
        normal = first + second
        proposal = multiply(invert(normal[:6]), -normal[6:])
        squares = squared_errors(rig, rays, proposal)
        # NaN comes of parallel rays or a camera that sees nothing.
        yield proposal, xp.where(squares >= 0, squares, INFINITE)


def _normals_per_camera(rig: RigArrays, rays: Rays) -> Array:
    """(k, 9, n) the linear normal equations of each camera alone; of many cameras, of seven that see the point."""
    xp = array_namespace(rays.x)
    count, points = rays.x.shape
    cells = linear_features(rays)
    matrices = rig.linear.reshape(9, 4, count)
    normals = xp.stack([matrices[:, :, camera] @ cells[:, camera] for camera in range(count)])
    if count <= PROPOSING:
        return normals
    # Spread over those that see the point; where they are fewer, the slots left over repeat a camera.
    seen = rays.used.sum(0)
    rank = rays.used.cumsum(0) - 1
    slots = []
    for slot in range(PROPOSING):
        wanted = xp.where(seen > PROPOSING, slot * seen // PROPOSING, slot)
        slots.append((((rank == wanted) & rays.used) * 1).argmax(0))
    return normals[xp.stack(slots)[:, None, :], xp.arange(9)[:, None], xp.arange(points)]


def estimate_noise(cameras: Sequence[Camera], xy: Array, weights: Array | None = None) -> np.ndarray:
    """The noise of the pixels from how far the cameras disagree, wrong cameras left out of account.

    Args:
        cameras: C calibrated cameras.
        xy: (C, frames, joints, 2) pixels.
        weights: (C, frames, joints), as in ``triangulate_points``.

    Returns:
        (joints,) pixels, standard deviation of an observation of weight 1 along an axis; a joint that few frames show
        gets that of all joints together.

    Raises:
        ShapeError: fewer than two cameras, or shapes that do not fit.
        Lift3DError: no point is seen by two cameras in front of them.
    """
    if xy.ndim != 4:
        raise ShapeError(f"xy must be (cameras, frames, joints, 2), not {tuple(xy.shape)}")
    step = max(1, xy.shape[1] * xy.shape[2] // NOISE_POINTS)
    xy, weights = xy[:, ::step], None if weights is None else weights[:, ::step]
    variance = _first_variance(cameras, xy, weights)
    for _ in range(NOISE_ROUNDS):
        noise = np.sqrt(variance)
        like = noise if isinstance(xy, np.ndarray) else xy.new_tensor(noise)
        squares, count = _sums_of_squares(triangulate_robustly(cameras, xy, weights, like, covariance=False), weights)
        spare = np.maximum(2 * count - 3, 1)
        # A point that needed wider gates says nothing of the noise of right cameras.
        count = np.where(squares <= GATE**2 * count * variance, count, 0)
        # What the gate cuts off the tails of the residuals, which are smaller than the noise by the point's freedom.
        half = GATE**2 * np.maximum(count, 1) / spare
        kept = 1 - half * np.exp(-half) / -np.expm1(-half)
        variance = _joint_by_joint(np.stack([squares, spare * kept], -1), count, _ratio_of_sums)
    return np.asarray(np.sqrt(variance))


def _first_variance(cameras: Sequence[Camera], xy: Array, weights: Array | None) -> np.ndarray:
    """(joints,) about the noise's variance, and rather less: from more, wrong cameras would look right."""
    found = solve_in_batches(cameras, xy, weights, 1.0, lambda like: _LeastMedian(RigArrays(cameras, like)), False)
    squares, count = _numpy(found.reprojection_error).astype(np.float64) ** 2, _numpy(found.used.sum(0))
    return _joint_by_joint(squares, np.where(np.isfinite(squares), count, 0), np.median)


class _LeastMedian:
    """In place of the reprojection error, the root of what the better half of the cameras, three at least, agree to."""

    def __init__(self, rig: RigArrays) -> None:
        self.rig = rig

    def solve_easy(self, rays: Rays) -> tuple[Triangulation, Array, Array]:
        xp = array_namespace(rays.x)
        count = rays.used.sum(0)
        rank = xp.clip(count // 2 + 1, 3, None)
        rank = xp.where(rank > count, count, rank) - 1
        least = xp.zeros_like(rays.x[0]) + INFINITE
        for _, squares in _proposals(self.rig, rays):
            ordered = xp.sort(xp.where(rays.used, squares, INFINITE), axis=0)
            ordered = ordered if xp is np else ordered.values
            agreed = xp.where(xp.arange(len(ordered))[:, None] == rank, ordered, 0.0).sum(0)
            least = xp.minimum(least, agreed)
        solution, _ = first_step(self.rig, rays)
        found = conclude(self.rig, rays, solution, covariance=False)._replace(reprojection_error=xp.sqrt(least))
        return found, rank[:0], solution.points[:, :0]

    def solve_difficult(self, rays: Rays, start: Array) -> Triangulation:
        return self.solve_easy(rays)[0]


def _ratio_of_sums(pairs: np.ndarray) -> float:
    return float(pairs[:, 0].sum() / pairs[:, 1].sum())


def _sums_of_squares(found: Triangulation, weights: Array | None) -> tuple[np.ndarray, np.ndarray]:
    """Weighted sums of squared reprojection errors and numbers of cameras, (frames, joints), 0 cameras where NaN."""
    used, error = found.used, found.reprojection_error
    weight = (used * (1.0 if weights is None else weights)).sum(0)
    squares, count = error * error * weight, used.sum(0)
    return np.nan_to_num(_numpy(squares).astype(np.float64)), _numpy(count)


def _numpy(array: Array) -> np.ndarray:
    return array if isinstance(array, np.ndarray) else np.asarray(array.cpu())


def _joint_by_joint(values: np.ndarray, count: np.ndarray, reduce: Callable[[np.ndarray], float]) -> np.ndarray:
    """(joints,) a statistic of values (frames, joints, ...) where three cameras see the point, or else two."""
    least = 3 if (count > 2).sum() >= LEAST_NOISE_POINTS else 2
    valid = count >= least
    if not valid.any():
        raise Lift3DError(
            "no two cameras see a point in front of them: are these the cameras of the rig, in its order, and the rig "
            "that they were calibrated in?"
        )
    overall = reduce(values[valid])
    return np.array(
        [
            reduce(values[valid[:, joint], joint]) if valid[:, joint].sum() >= LEAST_NOISE_POINTS else overall
            for joint in range(values.shape[1])
        ]
    )

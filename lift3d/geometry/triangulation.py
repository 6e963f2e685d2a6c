"""Points of the world from what calibrated cameras saw of them: linear solution, then least reprojection error.

The lens is undone once (``lift3d.geometry.rays``). The sums over cameras that make the normal equations are products
of small constant matrices of the rig with large arrays of the points, and the 3x3 equations of all points are solved
at once.

Sources: R. Hartley and P. Sturm, "Triangulation", CVIU 68(2), 1997 (linear solution); D. Marquardt, "An algorithm for
least-squares estimation of nonlinear parameters", SIAM J. 11(2), 1963 (damping).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lift3d.geometry.alignment import array_namespace
from lift3d.geometry.batches import Triangulation, empty_like, solve_in_batches
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rays import Rays, put

Array = Any  # a numpy array or a torch tensor; what goes in decides what comes out

# A point is given up as seen along parallel rays where the smallest eigenvalue of its normal equations is below this
# part of their trace: the rays then meet at less than about 0.1 degrees, and depth is as uncertain as it is long.
LEAST_CONDITION = 1e-6
MOST_STEPS = 10
# A step that is longer than this part of the distance of the nearest camera is not to be trusted unseen.
LONG_STEP = 0.3
# The minimum is found when the next step would lower the sum of squares by less than this part of it (1 % of the
# point's standard deviation), or by less than the square of FINEST pixels.
TOLERANCE = 1e-4
FINEST = 1e-4
NAN = float("nan")
INFINITE = float("inf")
SMALLEST = 1e-30
TRIANGLE = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def triangulate_points(
    cameras: Sequence[Camera],
    xy: Array,
    weights: Array | None = None,
    noise: Array | float = 1.0,
    covariance: bool = True,
    linear: bool = False,
) -> Triangulation:
    """The points of least squared reprojection error over all cameras that see them.

    Minimises ``sum_c w_c |project_c(X) - xy_c|^2 / noise_c^2`` for every point on its own, from the linear solution,
    which minimises ``sum_c w_c (depth_c f_c |e_c|)^2``, the errors on the planes z = 1 times focal length and depth.

    Args:
        cameras: C calibrated cameras.
        xy: (C, ..., 2) pixels, numpy or torch on any device; NaN where a camera does not see the point. The work is
            done in their precision: float32 is good to about 0.001 pixels.
        weights: (C, ...) of 0 or more, the reciprocal of an observation's variance relative to the others'; 0 and NaN
            leave it out. None weighs all the same.
        noise: pixels, standard deviation of an observation of weight 1 along an axis; broadcast to (C, ...).
        covariance: whether it is wanted; it is most of what is written.
        linear: whether the linear solution is enough, which has no covariance and takes about half the time.

    Returns:
        The points, of the same kind (numpy or torch) as ``xy``.

    Raises:
        ShapeError: fewer than two cameras, or shapes that do not fit.
    """
    if linear:
        return solve_in_batches(cameras, xy, weights, noise, lambda like: _Linear(RigArrays(cameras, like)), False)
    return solve_in_batches(
        cameras, xy, weights, noise, lambda like: _LeastSquares(RigArrays(cameras, like), covariance), covariance
    )


class _LeastSquares:
    """The solver of ``triangulate_points``."""

    def __init__(self, rig: RigArrays, covariance: bool) -> None:
        self.rig, self.covariance = rig, covariance

    def solve_easy(self, rays: Rays) -> tuple[Triangulation, Array, Array]:
        solution, going = first_step(self.rig, rays)
        difficult = array_namespace(going).where(going)[0]
        return conclude(self.rig, rays, solution, self.covariance), difficult, solution.points[:, difficult]

    def solve_difficult(self, rays: Rays, start: Array) -> Triangulation:
        return conclude(self.rig, rays, minimise(self.rig, rays, start), self.covariance)


class _Linear:
    """The solver of the linear solution alone."""

    def __init__(self, rig: RigArrays) -> None:
        self.rig = rig

    def solve_easy(self, rays: Rays) -> tuple[Triangulation, Array, Array]:
        points = linear_solution(self.rig, rays)
        cost = squared_errors(self.rig, rays, points).sum(0)
        found = conclude(self.rig, rays, Solution(points, cost, points), covariance=False)
        return found, array_namespace(points).where(rays.used.any(0))[0][:0], points[:, :0]

    def solve_difficult(self, rays: Rays, start: Array) -> Triangulation:
        return self.solve_easy(rays)[0]


class RigArrays:
    """The constant arrays of C cameras, in a world whose origin lies amid them.

    Attributes:
        centre: (3, 1) the origin, metres.
        projection: (3 C, 4) the cameras' ``[R | t]``, the first rows of all, then the second, then the third.
        linear: (9, 4 C) makes the equations of the linear solution of ``linear_features``: six entries of the matrix,
            three on the right.
        normals: (6, 6 C) makes the matrix of the normal equations of ``_features``.
        gradients: (3, 3 C) makes the gradient of weighted errors, and of their product with the ray.
    """

    def __init__(self, cameras: Sequence[Camera], like: Array) -> None:
        centre = np.mean([camera.centre for camera in cameras], axis=0)
        rows = np.stack([np.column_stack([camera.R, camera.R @ centre + camera.t]) for camera in cameras], axis=1)
        first, second, third = rows  # (C, 4) each

        def normal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            """(9, C): the upper triangle of the left 3x3 of ``a b^T + b a^T``, row by row, and its fourth column."""
            product = a[:, :, None] * b[:, None, :]
            product = product + product.transpose(0, 2, 1)
            return np.stack([*(product[:, i, j] for i, j in TRIANGLE), *product[:, :3, 3].T])

        xx, xy, yy = normal(first, first) / 2, normal(first, second), normal(second, second) / 2
        x, y, one = -normal(first, third), -normal(second, third), normal(third, third) / 2
        focal = np.array([camera.K[0, 0] * camera.K[1, 1] for camera in cameras])
        gradients = np.concatenate([first, second, -third])[:, :3].T

        def convert(array: np.ndarray) -> Array:
            return _convert(array, like)

        self.count = len(cameras)
        self.centre = convert(centre[:, None])
        self.projection = convert(rows.reshape(-1, 4))
        self.linear = convert(np.concatenate([focal * part for part in (xx + yy, x, y, one)], axis=1))
        self.normals = convert(np.concatenate([xx, xy, yy, x, y, one], axis=1)[:6])
        self.gradients = convert(gradients)

    def project(self, points: Array) -> Array:
        """(3, C, n) coordinates in each camera of points (3, n)."""
        xp = array_namespace(points)
        return _product(self.projection, xp.concatenate([points, xp.ones_like(points[:1])])).reshape(3, self.count, -1)


def _product(matrix: Array, columns: Array) -> Array:
    """``matrix @ columns`` for a small matrix and many columns.

    Block by block, because OpenBLAS would split the whole among threads (above 2^18 multiplications), whose waiting
    for each other takes longer than the product, and far longer on a machine that is busy.
    """
    if not isinstance(columns, np.ndarray):
        return matrix @ columns
    result = np.empty((len(matrix), columns.shape[1]), columns.dtype)
    block = max(1, (1 << 18) // matrix.size)
    for start in range(0, columns.shape[1], block):
        part = slice(start, start + block)
        np.matmul(matrix, columns[:, part], out=result[:, part])
    return result


def _convert(array: np.ndarray, like: Array) -> Array:
    """An array of the kind, precision and device of another."""
    if isinstance(like, np.ndarray):
        return np.ascontiguousarray(array, dtype=like.dtype)
    return like.new_tensor(array)


class Solution(NamedTuple):
    """Points of least cost.

    Attributes:
        points: (3, n) from the rig's centre; NaN where there is no solution.
        cost: (n,) the weighted sum of squares; infinite behind a camera that is used.
        covariance: (6, n) the upper triangle, row by row.
    """

    points: Array
    cost: Array
    covariance: Array

    def select(self, points: Array) -> Solution:
        """The points of the given indices (k,)."""
        return Solution(*(array[..., points] for array in self))


class State(NamedTuple):
    """Points during the minimisation.

    Attributes:
        points: (3, n) from the rig's centre.
        cost: (n,) the weighted sum of squares; infinite behind a camera that is used.
        normal: (6, n) the symmetric matrix of the normal equations, its upper triangle row by row.
        gradient: (3, n) half the gradient of the cost.
        nearness: (n,) one over the distance of the nearest camera.
    """

    points: Array
    cost: Array
    normal: Array
    gradient: Array
    nearness: Array

    def select(self, points: Array) -> State:
        """The points of the given indices (k,)."""
        return State(*(array[..., points] for array in self))


def store(whole: NamedTuple, part: NamedTuple, at: Array) -> None:
    """Replace the points of the given indices in arrays (..., n) by those of arrays (..., k)."""
    for array, values in zip(whole, part, strict=True):
        array[..., at] = values


def first_step(rig: RigArrays, rays: Rays) -> tuple[Solution, Array]:
    """The points after one step of Gauss-Newton from the linear solution, and which (n,) are not done with that: of
    these a long step is not taken."""
    xp = array_namespace(rays.x)
    state = evaluate(rig, rays, linear_solution(rig, rays))
    solution, going, step = _step(state, rays, xp.zeros_like(state.cost))
    # Of NaN, where there is no solution, the comparison is false too.
    far = xp.where(going & ~((step * step).sum(0) * state.nearness**2 < LONG_STEP**2))[0]
    solution.points[:, far] = state.points[:, far]
    return solution, going


def minimise(rig: RigArrays, rays: Rays, start: Array | None = None) -> Solution:
    """The points of least cost, by Gauss-Newton with damping where a step would not lower the cost.

    Args:
        rig: the cameras.
        rays: what they saw.
        start: (3, n) where to start; None for the linear solution.
    """
    xp = array_namespace(rays.x)
    state = evaluate(rig, rays, linear_solution(rig, rays) if start is None else start)
    damping = xp.zeros_like(state.cost)
    result, going, step = _step(state, rays, damping)
    at = chosen = xp.where(going)[0]
    for _ in range(MOST_STEPS):
        if len(chosen) == 0:
            break
        rays, state, step = rays.select(chosen), state.select(chosen), step[:, chosen]
        trial = evaluate(rig, rays, state.points - step)
        worse = xp.where(~(trial.cost < state.cost))[0]
        store(trial, state.select(worse), worse)
        damping = damping[chosen] * 0.1
        damping[worse] = xp.clip(damping[worse] * 100, 0.01, None)
        state = trial
        moved, going, step = _step(state, rays, damping)
        store(result, moved, at)
        chosen = xp.where(going)[0]
        at = at[chosen]
    return result


def _step(state: State, rays: Rays, damping: Array) -> tuple[Solution, Array, Array]:
    """Where a step leads, which points (n,) are not done with it, and the step (3, n)."""
    xp = array_namespace(damping)
    inverse = invert(state.normal)
    step = (
        multiply(inverse, state.gradient)
        if not bool(damping.any())
        else multiply(invert(state.normal, damping), state.gradient)
    )
    gain = (step * state.gradient).sum(0)
    # What a step leaves undone is smaller than the step by its length over the distance of the nearest camera.
    left = 4 * gain * (step * step).sum(0) * state.nearness**2
    # NaN compares as false: a point without a solution is done.
    going = left > TOLERANCE * state.cost + FINEST**2 * rays.weight.sum(0)
    going = going | (xp.isinf(state.cost) & (gain >= 0) & (damping < 1e3))
    return Solution(state.points - step, state.cost - gain, inverse), going, step


def linear_solution(rig: RigArrays, rays: Rays) -> Array:
    """(3, n) points of the linear solution."""
    normal = _product(rig.linear, linear_features(rays).reshape(-1, rays.x.shape[-1]))
    return multiply(invert(normal[:6]), -normal[6:])


def linear_features(rays: Rays) -> Array:
    """(4, C, n) of which the equations of the linear solution are linear functions: the weight, its product with the
    ray, and with the ray's square."""
    result = empty_like(rays.x, (4, *rays.x.shape))
    result[0] = rays.weight
    result[1] = rays.weight * rays.x
    result[2] = rays.weight * rays.y
    result[3] = result[1] * rays.x + result[2] * rays.y
    return result


def _features(x: Array, y: Array, rays: Rays, scale: Array) -> Array:
    """(6 C, n) of which the matrix of the normal equations is a linear function: the metric times ``scale``, its
    product with a ray, and that with the ray again."""
    result = empty_like(x, (6, *x.shape))
    result[0], result[1], result[2] = rays.xx * scale, rays.xy * scale, rays.yy * scale
    result[3] = result[0] * x + result[1] * y
    result[4] = result[1] * x + result[2] * y
    result[5] = result[3] * x + result[4] * y
    return result.reshape(-1, x.shape[-1])


def evaluate(rig: RigArrays, rays: Rays, points: Array) -> State:
    """Cost and normal equations at points (3, n)."""
    xp = array_namespace(points)
    x, y, depth = rig.project(points)
    behind = (rays.used & ~(depth > 0)).any(0)
    # A camera that is not used weighs nothing, but 0 times infinity would.
    inverse = rays.used / (depth + SMALLEST)
    x, y = x * inverse, y * inverse
    ex, ey = x - rays.x, y - rays.y
    errors = empty_like(x, (3, *x.shape))
    errors[0] = rays.xx * ex + rays.xy * ey
    errors[1] = rays.xy * ex + rays.yy * ey
    cost = xp.where(behind, INFINITE, (errors[0] * ex + errors[1] * ey).sum(0))
    errors[:2] *= inverse
    errors[2] = errors[0] * x + errors[1] * y
    return State(
        points,
        cost,
        normal=_product(rig.normals, _features(x, y, rays, inverse * inverse)),
        gradient=_product(rig.gradients, errors.reshape(-1, x.shape[-1])),
        nearness=inverse.max(0) if xp is np else inverse.amax(0),
    )


def invert(normal: Array, damping: Array | None = None) -> Array:
    """(6, ...) the inverses of symmetric matrices (6, ...), by their cofactors; NaN where one is near singular."""
    xp = array_namespace(normal)
    # Products of three entries overflow float32 unless they are near 1.
    scale = 3 / (normal[0] + normal[3] + normal[5])
    a, b, c, d, e, f = normal * scale
    if damping is not None:
        growth = 1 + damping
        a, d, f = a * growth, d * growth, f * growth
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    D, E, F = a * f - c * c, b * c - a * e, a * d - b * b
    determinant = a * A + b * B + c * C
    # 1 / trace of the inverse is at most the smallest eigenvalue, and at least a third of it.
    sound = determinant > LEAST_CONDITION * (a + d + f) * (A + D + F)
    return xp.stack([A, B, C, D, E, F]) * xp.where(sound, scale / determinant, NAN)


def multiply(symmetric: Array, vectors: Array) -> Array:
    """(3, ...) the products of symmetric matrices (6, ...) and vectors (3, ...)."""
    xp = array_namespace(symmetric)
    A, B, C, D, E, F = symmetric
    x, y, z = vectors
    return xp.stack([A * x + B * y + C * z, B * x + D * y + E * z, C * x + E * y + F * z])


def squared_errors(rig: RigArrays, rays: Rays, points: Array) -> Array:
    """(C, n) weighted squared reprojection errors of points (3, n); infinite behind the camera, 0 where missing."""
    x, y, depth = rig.project(points)
    ex, ey = x / depth - rays.x, y / depth - rays.y
    squares = ex * (rays.xx * ex + 2 * rays.xy * ey) + rays.yy * ey * ey
    return put(squares, rays.used & ~(depth > 0), INFINITE)


def conclude(rig: RigArrays, rays: Rays, solution: Solution, covariance: bool = True) -> Triangulation:
    """What is reported of the points of a chunk, (n, ...) each; ``rays`` holds the observations that were used."""
    xp = array_namespace(solution.points)
    good = xp.isfinite(solution.cost + solution.covariance[0]) & (rays.used.sum(0) >= 2)
    unknown = xp.where(good, 0.0, NAN)
    return Triangulation(
        (solution.points + (rig.centre + unknown)).T,
        (solution.covariance + unknown)[[0, 1, 2, 1, 3, 4, 2, 4, 5]].T.reshape(-1, 3, 3) if covariance else None,
        xp.sqrt(xp.clip(solution.cost, 0, None) / rays.weight.sum(0)) + unknown,
        rays.used & good,
    )

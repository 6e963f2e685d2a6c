"""Millions of points, some at a time: in the processor's cache, over all cores, in memory that does not grow."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from lift3d.errors import ShapeError
from lift3d.geometry.alignment import array_namespace
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rays import RayMaker, Rays

Array = Any  # a numpy array or a torch tensor; what goes in decides what comes out

# Observations (cameras x points) worked on at a time: their intermediate arrays stay in a core's cache.
BATCH = 1 << 17
# As many difficult points are worked on at a time as easy ones in this many batches.
DIFFICULT = 4
MOST_CORES = 8  # more threads would wait for Python's lock


class Triangulation(NamedTuple):
    """Points and what is known of them; (...) are the axes of the input between cameras and coordinates.

    Attributes:
        points: (..., 3) metres; NaN where fewer than two cameras see the point, the rays are parallel, or they meet
            behind a camera.
        covariance: (..., 3, 3) square metres, of independent noise of the given size in every image; None where it
            was not asked for.
        reprojection_error: (...) pixels, root of the weighted mean square over the cameras that were used.
        used: (cameras, ...) bool, whether the camera took part in the point.
    """

    points: Array
    covariance: Array
    reprojection_error: Array
    used: Array


class Solver(Protocol):
    """What is done to the rays of some points."""

    def solve_easy(self, rays: Rays) -> tuple[Triangulation, Array, Array]:
        """What one pass over all points finds, the indices (k,) of those that need more, and where these start (3, k)
        from."""

    def solve_difficult(self, rays: Rays, start: Array) -> Triangulation:
        """All that can be done."""


def solve_in_batches(
    cameras: Sequence[Camera],
    xy: Array,
    weights: Array | None,
    noise: Array | float,
    make_solver: Callable[[Array], Solver],
    covariance: bool = True,
) -> Triangulation:
    """Run a solver over all points, the difficult ones of several batches together.

    Args:
        cameras: C cameras.
        xy, weights, noise: as in ``lift3d.geometry.triangulation.triangulate_points``.
        make_solver: makes the solver for arrays of the kind, precision and device of an empty one.
        covariance: whether the solver gives it.

    Raises:
        ShapeError: fewer than two cameras, or shapes that do not fit.
    """
    xp = array_namespace(xy)
    pixels, flat_weights, variance = _flatten(xp, len(cameras), xy, weights, noise)
    count, shape = pixels.shape[1], tuple(xy.shape[1:-1])
    like = pixels[:0, :0]
    solver, make_rays = make_solver(like), RayMaker(cameras, like)
    outputs = Triangulation(
        points=empty_like(like, (count, 3)),
        covariance=empty_like(like, (count, 3, 3)) if covariance else None,
        reprojection_error=empty_like(like, (count,)),
        used=empty_like(like > 0, (len(cameras), count)),
    )
    size = max(1, BATCH // len(cameras))

    def store(found: Triangulation, at: Any) -> None:
        outputs.points[at], outputs.reprojection_error[at] = found.points, found.reprojection_error
        outputs.used[:, at] = found.used
        if covariance:
            outputs.covariance[at] = found.covariance

    def run(starts: range) -> None:
        collected: list[tuple[Array, ...]] = []
        waiting = 0
        with np.errstate(all="ignore"):
            for start in starts:
                part = slice(start, start + size)
                weight = 1 / (variance if isinstance(variance, float) else variance[:, part])
                if flat_weights is not None:
                    weight = flat_weights[:, part] * weight
                rays = make_rays(pixels[:, part], weight)
                found, difficult, points = solver.solve_easy(rays)
                store(found, part)
                if len(difficult):
                    collected.append((*rays.select(difficult), points, difficult + start))
                    waiting += len(difficult)
                if waiting and (waiting >= DIFFICULT * size or start == starts[-1]):
                    *together, points, places = (xp.concatenate(part, -1) for part in zip(*collected, strict=True))
                    store(solver.solve_difficult(Rays._make(together), points), places)
                    collected, waiting = [], 0

    starts = range(0, count, size)
    workers = min(_cores(), len(starts)) if xp is np else 1
    if workers > 1:
        # numpy works outside Python's lock, one core a thread.
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, (starts[worker::workers] for worker in range(workers))))
    elif count:
        run(starts)
    return Triangulation(
        outputs.points.reshape(*shape, 3),
        outputs.covariance.reshape(*shape, 3, 3) if covariance else None,
        outputs.reprojection_error.reshape(shape),
        outputs.used.reshape(len(cameras), *shape),
    )


def empty_like(array: Array, shape: tuple[int, ...]) -> Array:
    """An array of another shape, of the kind, precision and device of ``array``."""
    return np.empty(shape, array.dtype) if isinstance(array, np.ndarray) else array.new_empty(shape)


def _cores() -> int:
    """How many cores to use: those of the machine, or as many as OMP_NUM_THREADS allows."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(os.cpu_count() or 1, int(limit) if limit.isdecimal() and int(limit) else MOST_CORES)


def _flatten(
    xp: Any, cameras: int, xy: Array, weights: Array | None, noise: Array | float
) -> tuple[Array, Array | None, Array | float]:
    """Pixels (C, n, 2), weights (C, n) and the noise's variance, one number or (C, n)."""
    if cameras < 2:
        raise ShapeError(f"triangulation needs two cameras or more, not {cameras}")
    shape = tuple(xy.shape)
    if len(shape) < 3 or shape[0] != cameras or shape[-1] != 2:
        raise ShapeError(f"xy must be ({cameras} cameras, ..., 2), not {shape}")
    if weights is not None and tuple(weights.shape) != shape[:-1]:
        raise ShapeError(f"weights must be {shape[:-1]}, not {tuple(weights.shape)}")
    if xp is np and xy.dtype not in (np.float32, np.float64):
        xy = xy.astype(np.float64)
    variance: Array | float
    if isinstance(noise, int | float):
        variance = float(noise) ** 2
    else:
        try:
            variance = xp.broadcast_to(noise * noise, shape[:-1]).reshape(cameras, -1)
        except (ValueError, RuntimeError) as error:
            raise ShapeError(f"noise must be one number or fit {shape[:-1]}, not {tuple(noise.shape)}") from error
    return xy.reshape(cameras, -1, 2), None if weights is None else weights.reshape(cameras, -1), variance

"""Cameras from scene points: places with known coordinates that somebody clicked in each camera's image.

A file of such points is a CSV table with the columns ``camera,point,u,v,x,y,z`` in any order: one row for each point in
each image, ``u, v`` in pixels, ``x, y, z`` in metres in the world that is wanted (Z up).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lift3d.calibration.bundle_adjustment import CAUCHY, OUTLIER, Progress
from lift3d.calibration.parameters import FOCAL, POSE, Parameter, moved, project_with_derivatives, rotations
from lift3d.errors import CameraError, FileFormatError, ShapeError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig

COLUMNS = ("camera", "point", "u", "v", "x", "y", "z")
MAX_BYTES = 16 << 20
# Farther than this from the origin, in metres, no scene is measured; such numbers are millimetres.
MAX_METRES = 1000.0
FEWEST = 4
# Up to this many points every three of them propose a pose; of more, random threes do.
ALL_TRIPLES, RANDOM_TRIPLES = 9, 84
# Clicks are too few to tell their noise, and outliers, by a median as ``bundle_adjustment`` does. A careful click is
# good to this share of the focal length (about 1.5 px), which counts as much as as many errors seen ...
CLICK, CLICK_WEIGHT = 0.001, 4
# ... and a poor one to this.
POOR_CLICK = 0.002
MOST_STEPS = 50
# Of the best proposals those that differ by more than this, radians, are refined, and at most so many: others would end
# in the same pose.
BEST_PROPOSALS, SAME_POSE, MOST_STARTS = 100, 0.2, 4
# A second pose whose sum of squares is higher by less than this, in variances of a click, is nearly as likely.
AMBIGUOUS = 9.0
# Factors on the focal length that are tried where it is free.
FOCAL_FACTORS = tuple(float(2**power) for power in np.linspace(-1, 1, 9))


@dataclass(frozen=True, eq=False)
class ScenePoints:
    """Scene points and where cameras see them.

    Attributes:
        names: the N points.
        xyz: (N, 3) their places in the world, metres.
        pixels: (N, 2) by camera name, NaN where a point was not clicked.

    Raises:
        ShapeError: shapes do not fit, or two points have the same name.
    """

    names: tuple[str, ...]
    xyz: np.ndarray
    pixels: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyz", np.asarray(self.xyz, dtype=np.float64))
        pixels = {camera: np.asarray(places, dtype=np.float64) for camera, places in self.pixels.items()}
        object.__setattr__(self, "pixels", pixels)
        count = len(self.names)
        if len(set(self.names)) != count:
            raise ShapeError("two scene points have the same name")
        if self.xyz.shape != (count, 3) or not np.isfinite(self.xyz).all():
            raise ShapeError(f"xyz must be {(count, 3)} finite metres, not {self.xyz.shape}")
        for camera, places in pixels.items():
            if places.shape != (count, 2):
                raise ShapeError(f"the pixels of camera {camera!r} must be {(count, 2)}, not {places.shape}")


@dataclass(frozen=True, eq=False)
class PointsSolution:
    """Cameras that were placed by scene points.

    Attributes:
        rig: the cameras, in the world of the points.
        points: what they were placed by.
        residuals: (cameras, points, 2) clicked minus projected, pixels; NaN where not clicked.
        used: (cameras, points) whether the click counted.
        noise: (cameras,) standard deviation of one coordinate of a click, pixels.
        parameters: the camera parameters that were solved (``lift3d.calibration.parameters``).
        covariance: (n, n) of these, from the clicks alone: the points count as measured without error.
        warnings: what is doubtful, in words for people.
    """

    rig: Rig
    points: ScenePoints
    residuals: np.ndarray
    used: np.ndarray
    noise: np.ndarray
    parameters: tuple[Parameter, ...]
    covariance: np.ndarray
    warnings: tuple[str, ...]

    @property
    def rmse(self) -> float:
        """Root mean square reprojection error of the clicks that were used, pixels (of the 2D distance)."""
        return float(np.sqrt(np.square(self.residuals[self.used]).sum(axis=-1).mean()))


def read_scene_points(path: str | PathLike[str]) -> ScenePoints:
    """Read a CSV table of scene points.

    Args:
        path: the file, with the columns ``camera,point,u,v,x,y,z``. A point keeps its coordinates in all its rows;
            a row whose ``u`` and ``v`` are empty says that the camera does not see the point.

    Raises:
        FileFormatError: the file is no such table; the message names line and column.
    """
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise FileFormatError(path, "larger than 16 MiB; this is no table of scene points")
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(path, f"not a text file ({error.reason} at byte {error.start})") from error
    rows = csv.reader(text.splitlines(), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if sorted(header) != sorted(COLUMNS):
            raise FileFormatError(path, f"the columns must be {','.join(COLUMNS)}, not {','.join(header)}", "line 1")
        xyz: dict[str, tuple[float, ...]] = {}
        clicks: dict[str, dict[str, tuple[float, ...]]] = {}
        for values in rows:
            if not any(value.strip() for value in values):
                continue
            line = f"line {rows.line_num}"
            if len(values) != len(header):
                raise FileFormatError(path, f"expected {len(header)} values, found {len(values)}", line)
            row = dict(zip(header, (value.strip() for value in values), strict=True))
            camera, point = (_name(row, column, line, path) for column in ("camera", "point"))
            place = tuple(_number(row, column, line, path) for column in "xyz")
            if xyz.setdefault(point, place) != place:
                raise FileFormatError(path, f"the point {point!r} has other coordinates in an earlier row", line)
            seen = clicks.setdefault(camera, {})
            if point in seen:
                raise FileFormatError(path, f"camera {camera!r} sees the point {point!r} twice", line)
            missing = not row["u"] and not row["v"]
            seen[point] = (math.nan,) * 2 if missing else tuple(_number(row, column, line, path) for column in "uv")
    except csv.Error as error:
        raise FileFormatError(path, f"not a CSV table ({error})", f"line {rows.line_num}") from error
    if not xyz:
        raise FileFormatError(path, "the table has no rows")
    names = tuple(xyz)
    unseen = (math.nan, math.nan)
    pixels = {camera: np.array([seen.get(name, unseen) for name in names]) for camera, seen in clicks.items()}
    return ScenePoints(names, np.array(list(xyz.values())), pixels)


def cameras_from_points(
    cameras: Iterable[Camera], points: ScenePoints, free: Sequence[str] = (), progress: Progress | None = None
) -> PointsSolution:
    """Place cameras by scene points, each on its own.

    Every three clicked points propose up to four poses (T. Ke and S. Roumeliotis, "An Efficient Algebraic Solution to
    the Perspective-Three-Point Problem", CVPR 2017); those that suit all points best are refined and the best is
    taken, so that a wrong click, or a plane of points that could be seen from two sides, does not mislead.

    Args:
        cameras: with the intrinsics that are known (a rig will do); their poses do not matter.
        points: the scene points. Cameras go by the names there.
        free: the names of intrinsics to be solved too (``lift3d.calibration.parameters``): ``("fx", "fy")``.
        progress: is told of each camera, ``(done, all)``.

    Returns:
        The cameras in the world of the points.

    Raises:
        CameraError: camera names do not match, or the points of a camera are too few, lie on one line, do not agree
            with each other, or do not determine what is free.
    """
    rig = Rig(tuple(cameras), dict(cameras.metadata) if isinstance(cameras, Rig) else {})
    if unknown := [name for name in points.pixels if name not in rig.names]:
        raise CameraError(
            f"the scene points name cameras {', '.join(unknown)}, which are not among {', '.join(rig.names)}; "
            "give both the same names"
        )
    if unplaced := [name for name in rig.names if name not in points.pixels]:
        raise CameraError(
            f"cameras {', '.join(unplaced)} see none of the scene points; click at least {FEWEST} in each"
        )
    fits: list[_Fit] = []
    warnings: list[str] = []
    for index, camera in enumerate(rig):
        if progress is not None:
            progress(index, len(rig))
        fit, doubts = _place(camera, points, tuple(free))
        fits.append(fit)
        warnings += [f"camera {camera.name}: {doubt}" for doubt in doubts]
    names = (*free, *POSE)
    covariance = np.zeros((len(rig) * len(names),) * 2)
    for index, fit in enumerate(fits):
        block = slice(index * len(names), (index + 1) * len(names))
        covariance[block, block] = fit.covariance
    return PointsSolution(
        rig=replace(rig, cameras=tuple(fit.camera for fit in fits)),
        points=points,
        residuals=np.stack([fit.residuals for fit in fits]),
        used=np.stack([fit.used for fit in fits]),
        noise=np.array([fit.noise for fit in fits]),
        parameters=tuple(Parameter(camera.name, name) for camera in rig for name in names),
        covariance=covariance,
        warnings=tuple(warnings),
    )


class _Fit(NamedTuple):
    """One camera: residuals (N, 2) and used (N,) over all points, covariance (n, n) of its parameters."""

    camera: Camera
    residuals: np.ndarray
    used: np.ndarray
    noise: float
    covariance: np.ndarray
    cost: float


def _place(camera: Camera, points: ScenePoints, free: tuple[str, ...]) -> tuple[_Fit, list[str]]:
    """One camera's best pose, and what is doubtful about it."""
    pixels = points.pixels[camera.name]
    seen = np.flatnonzero(np.isfinite(pixels).all(axis=1))
    names = (*free, *POSE)
    least = max(FEWEST, len(names) // 2 + 1)
    where = f"camera {camera.name!r}"
    if len(seen) < least:
        raise CameraError(
            f"{where} sees {len(seen)} scene points; its {len(names)} unknowns need {least}, better twice as many"
        )
    places = points.xyz[seen]
    spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    if spread[1] < 1e-3 * spread[0] or spread[0] == 0:
        raise CameraError(f"{where}: its scene points lie on one line, about which it could be anywhere; add others")

    starts = _proposals(camera, places, pixels[seen], any(name in FOCAL for name in free))
    fits = [fit for start in starts if (fit := _fit(start, names, points.xyz, pixels, least)) is not None]
    if not fits:
        raise CameraError(
            f"{where}: no pose suits {least} or more of its {len(seen)} scene points; check that each name is "
            "clicked in the right place, that the coordinates are metres, and the camera's intrinsics"
        )
    best = min(fits, key=lambda fit: fit.cost)
    if loose := [name for name, value in zip(names, np.diag(best.covariance), strict=True) if np.isinf(value)]:
        raise CameraError(
            f"{where}: the scene points do not determine {', '.join(loose)}; hold it, or add other points"
        )
    doubts = []
    for index in seen[~best.used[seen]]:
        error = np.linalg.norm(best.residuals[index])
        far = f"is off by {error:.0f} px" if np.isfinite(error) else "would lie behind the camera"
        doubts.append(f"the point {points.names[index]!r} {far} and was left out; is it clicked in the right place?")
    limit = best.cost + AMBIGUOUS * best.noise**2
    if any(fit.cost < limit and _turn(fit.camera, best.camera) > SAME_POSE for fit in fits):
        doubts.append("a second pose suits the points nearly as well; click points at other distances or heights")
    return best, doubts


def _fit(start: Camera, names: tuple[str, ...], xyz: np.ndarray, pixels: np.ndarray, least: int) -> _Fit | None:
    """The camera of least error from a start: with a Cauchy loss first, then by squares without the outliers.

    None if fewer than ``least`` points agree.
    """
    poor = POOR_CLICK * start.K[0, 0]
    camera = _descend(start, names, xyz, pixels, CAUCHY * poor)
    lengths = np.linalg.norm(pixels - camera.project(xyz), axis=1)
    used = np.nan_to_num(lengths, nan=np.inf) < OUTLIER * poor
    if used.sum() < least:
        return None
    camera = _descend(camera, names, xyz[used], pixels[used], np.inf)
    residuals = pixels - camera.project(xyz)
    squares = np.square(residuals).sum(axis=1)
    excess = 2 * int(used.sum()) - len(names)
    expected = CLICK_WEIGHT * (CLICK * start.K[0, 0]) ** 2
    variance = (squares[used].sum() + expected) / (excess + CLICK_WEIGHT)
    by_camera = project_with_derivatives(camera, xyz[used], names).by_camera
    J = by_camera.reshape(-1, len(names))
    clicked = np.isfinite(pixels).all(axis=1)
    gross = (OUTLIER * poor) ** 2
    cost = np.minimum(np.nan_to_num(squares[clicked], nan=gross), gross).sum()
    return _Fit(camera, residuals, used, float(np.sqrt(variance)), variance * _inverse(J.T @ J), float(cost))


def _descend(camera: Camera, names: tuple[str, ...], xyz: np.ndarray, pixels: np.ndarray, scale: float) -> Camera:
    """Levenberg-Marquardt steps to the least sum of a Cauchy loss of that scale (pixels; infinite: of squares)."""

    def loss(squares: np.ndarray) -> float:
        bounded = squares[np.isfinite(pixels).all(axis=1)]
        # A point behind the camera costs more than any that is seen.
        bounded = np.nan_to_num(bounded, nan=1e12)
        return float(bounded.sum() if np.isinf(scale) else (np.log1p(bounded / scale**2)).sum())

    damping = 1e-3
    squares = np.square(pixels - camera.project(xyz)).sum(axis=1)
    for _ in range(MOST_STEPS):
        projection = project_with_derivatives(camera, xyz, names)
        residuals = pixels - projection.pixels
        known = np.isfinite(residuals).all(axis=1)
        root = np.sqrt(1 / (1 + squares[known] / scale**2))[:, None]
        J = (projection.by_camera[known] * root[..., None]).reshape(-1, len(names))
        A, b = J.T @ J, J.T @ (residuals[known] * root).ravel()
        try:
            trial = moved(camera, names, np.linalg.solve(A + damping * np.diag(np.diag(A)), b).tolist())
        except (np.linalg.LinAlgError, CameraError):  # singular, or an impossible camera
            damping *= 10
            continue
        trial_squares = np.square(pixels - trial.project(xyz)).sum(axis=1)
        gain = loss(squares) - loss(trial_squares)
        if gain < 0:
            damping *= 10
            continue
        camera, squares, damping = trial, trial_squares, damping / 10
        if gain <= 1e-10 * loss(squares):
            break
    return camera


def _inverse(information: np.ndarray) -> np.ndarray:
    """The covariance of an information matrix; infinite on the diagonal where there is no information."""
    scale = 1 / np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(scale[:, None] * information * scale)
    known = values > 1e-10 * values.max()
    covariance: np.ndarray = (scale[:, None] * vectors[:, known] / values[known]) @ (vectors[:, known].T * scale)
    loose = np.abs(vectors[:, ~known]).max(axis=1, initial=0.0) > 1e-3
    covariance[loose, loose] = np.inf
    return covariance


def _proposals(camera: Camera, places: np.ndarray, pixels: np.ndarray, any_focal: bool) -> list[Camera]:
    """Cameras that suit the points roughly, the best first, no two alike."""
    import cv2

    triples = list(combinations(range(len(places)), 3))
    if len(places) > ALL_TRIPLES:
        random = np.random.default_rng(0)
        triples = [tuple(random.choice(len(places), 3, replace=False)) for _ in range(RANDOM_TRIPLES)]
    found: list[tuple[float, Camera]] = []
    for factor in FOCAL_FACTORS if any_focal else (1.0,):
        K = camera.K * np.array([[factor, factor, 1], [1, factor, 1], [1, 1, 1]])
        unposed = replace(camera, K=K, R=np.eye(3), t=np.zeros(3))
        plane = unposed.unproject(pixels)
        poses = []
        for triple in triples:
            three = list(triple)
            if np.isfinite(plane[three]).all():
                _, turns, shifts = cv2.solveP3P(places[three], plane[three], np.eye(3), None, cv2.SOLVEPNP_AP3P)
                poses += [np.ravel([turn, shift]) for turn, shift in zip(turns, shifts, strict=True)]
        vectors = np.array(poses).reshape(-1, 6)
        vectors = vectors[np.isfinite(vectors).all(axis=1)]
        R, t = rotations(vectors[:, :3]), vectors[:, 3:]
        squares = np.square(unposed.project(places @ R.mT + t[:, None]) - pixels).sum(axis=-1)
        squares /= (OUTLIER * POOR_CLICK * K[0, 0]) ** 2
        costs = np.minimum(np.nan_to_num(squares, nan=1.0), 1.0).sum(axis=1)
        found += [
            (float(costs[index]), replace(unposed, R=R[index], t=t[index]))
            for index in np.argsort(costs)[:BEST_PROPOSALS]
        ]
    found.sort(key=lambda proposal: proposal[0])
    chosen: list[Camera] = []
    for _, posed in found:
        if len(chosen) == MOST_STARTS:
            break
        if all(_turn(posed, other) > SAME_POSE or posed.K[0, 0] != other.K[0, 0] for other in chosen):
            chosen.append(posed)
    return chosen


def _turn(first: Camera, second: Camera) -> float:
    """Angle between two cameras, radians."""
    return float(np.arccos(np.clip((np.trace(first.R @ second.R.T) - 1) / 2, -1, 1)))


def _name(row: dict[str, str], column: str, line: str, path: str | PathLike[str]) -> str:
    if not row[column]:
        raise FileFormatError(path, "the name is missing", f"{line}, column {column}")
    return row[column]


def _number(row: dict[str, str], column: str, line: str, path: str | PathLike[str]) -> float:
    field = f"{line}, column {column}"
    try:
        value = float(row[column])
    except ValueError:
        raise FileFormatError(path, f"expected a number, found {row[column]!r}", field) from None
    if not math.isfinite(value):
        raise FileFormatError(path, f"expected a finite number, found {row[column]!r}", field)
    if column in "xyz" and abs(value) > MAX_METRES:
        raise FileFormatError(path, f"{value:g} m is too far; coordinates are in metres", field)
    return value

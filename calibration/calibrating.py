"""Calibration as one call: from images of a board, or of scene points, to a rig and a report on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np

from lift3d.calibration.board_files import read_board
from lift3d.calibration.boards import Board
from lift3d.calibration.footage import Source
from lift3d.calibration.observations import Observations, merge
from lift3d.calibration.observing import observe
from lift3d.calibration.quality import Quality, assess
from lift3d.calibration.report import write_report
from lift3d.calibration.scene_points import PointsSolution, ScenePoints, cameras_from_points
from lift3d.calibration.solution import Solution
from lift3d.calibration.solve import solve
from lift3d.calibration.structure import BoardPoses
from lift3d.calibration.world import WorldChange, level_world, world_from_board, world_from_points
from lift3d.errors import CameraError
from lift3d.geometry.rigs import Rig

# What is under way, how much of it is done, and how much there is.
Stages = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class CalibrationReport:
    """A calibration and what to think of it.

    Attributes:
        solution: the rig, what it was made from, and how sure it is.
        quality: the verdict and the reasons for it.
        warnings: what is doubtful about the world's axes, in words for people.
    """

    solution: Solution
    quality: Quality
    warnings: tuple[str, ...] = ()

    def save(self, path: str | PathLike[str], overwrite: bool = False) -> None:
        """Write the report as .html or .png. Raises OutputExistsError if it exists and ``overwrite`` is False."""
        write_report(self.solution, self.quality, path, overwrite)

    def to_dict(self) -> dict[str, Any]:
        """The verdict and the numbers behind it as JSON values."""
        return {**self.quality.to_dict(), "warnings": list(self.warnings), **self.solution.metadata}

    def describe(self) -> str:
        """The verdict and the reasons for it in a few lines."""
        return "\n".join([self.quality.describe(), *(f"   {warning}" for warning in self.warnings)])


def calibrate(
    images: Mapping[str, Source] | Observations | None,
    board: Board | str | PathLike[str],
    *,
    lens: str = "standard",
    intrinsics: Rig | Mapping[str, Source] | Observations | None = None,
    hold_intrinsics: bool = False,
    floor: str | None = None,
    points: ScenePoints | None = None,
    timestamps: str | PathLike[str] | None = None,
    progress: Stages | None = None,
) -> tuple[Rig, CalibrationReport]:
    """Calibrate cameras with a board.

    Args:
        images: for each camera its video, its folder of images, or the pattern of their names; filmed at the same
            time, video frame by video frame or image number by image number. Or what was seen in them
            (``lift3d.calibration.observing``). None if the cameras are placed by ``points`` alone.
        board: the board, or its ``board.toml``.
        lens: "standard", "rational" or "fisheye" (``lift3d.calibration.solve``).
        intrinsics: known intrinsics by camera name; or images of the board that each camera took for itself, which
            count beside the common ones.
        hold_intrinsics: whether known intrinsics stay as they are.
        floor: the label of the moment at which the board lay on the floor (frame or image number): it becomes the
            origin of the world, Z up.
        points: scene points that were measured: they become the world. With ``images`` None they also place the
            cameras.
        timestamps: a CSV that says which frames of the videos belong together (``lift3d.calibration.observing``).
        progress: is told of each stage, ``(stage, done, total)``.

    Returns:
        The rig, and the report on it. Without ``floor`` and ``points`` the world's Z is up by how the cameras are
        held; one camera alone stands at the origin.

    Raises:
        BoardError, CameraError, FileFormatError: the board is not found, views are too few, the cameras do not
            connect; the message says which and what to do.
    """
    known = board if isinstance(board, Board) else read_board(board)

    def stage(title: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(title, done, total)

    def look(source: Mapping[str, Source] | Observations, simultaneous: bool) -> Observations:
        if isinstance(source, Observations):
            return source
        return observe(
            source,
            known,
            simultaneous=simultaneous,
            timestamps=timestamps if simultaneous else None,
            progress=stage("Looking for the board"),
        )

    given = intrinsics if isinstance(intrinsics, Rig) else None
    alone = None if intrinsics is None or given is not None else look(intrinsics, simultaneous=False)  # type: ignore[arg-type]
    solving = stage("Solving for the cameras")
    if images is None:
        if alone is None or points is None:
            raise CameraError(
                "without common images of a board a rig needs images for the intrinsics and scene points for the poses"
            )
        solution = solve(alone, lens, extrinsics=False, progress=solving)
        placed = cameras_from_points(solution.rig, points)
        solution, warnings = _placed(solution, placed), placed.warnings
    else:
        together = look(images, simultaneous=True)
        seen = together if alone is None else merge(together, alone)
        solution = solve(seen, lens, given, hold_intrinsics, progress=solving)
        change = _world(solution, floor, points)
        solution = solution if change is None else solution.in_world(change)
        warnings = () if change is None else change.warnings
    quality = assess(solution)
    rig = replace(
        solution.rig,
        metadata={
            "reprojection_rmse_pixels": quality.rmse,
            "verdict": quality.verdict,
            "board": known.describe(),
            "source": "lift3d calibrate",
        },
    )
    return rig, CalibrationReport(replace(solution, rig=rig), quality, tuple(warnings))


def _world(solution: Solution, floor: str | None, points: ScenePoints | None) -> WorldChange | None:
    """The way to the world that was asked for; None if the cameras stay where they are."""
    rig = solution.rig
    if floor is not None:
        labels = solution.observations.frames
        if floor not in labels:
            raise CameraError(
                f"no moment is called {floor!r}; the board was found in {', '.join(labels[:8])}"
                + (f", ... {labels[-1]}" if len(labels) > 8 else "")
            )
        moment = labels.index(floor)
        return world_from_board(solution.board_poses.R[moment], solution.board_poses.t[moment], rig)
    if points is not None:
        return world_from_points(dict(zip(points.names, points.xyz.tolist(), strict=True)), triangulated(points, rig))
    return level_world(rig) if len(rig) > 1 else None


def triangulated(points: ScenePoints, rig: Rig) -> dict[str, list[float]]:
    """(x, y, z) in metres by name: the scene points where the rig's cameras see them; those that two cameras see."""
    from lift3d.geometry.triangulation import triangulate_points

    unseen = np.full((len(points.names), 2), np.nan)
    found = triangulate_points(rig.cameras, np.stack([points.pixels.get(name, unseen) for name in rig.names]))
    return {name: xyz.tolist() for name, xyz in zip(points.names, found.points, strict=True) if np.isfinite(xyz).all()}


def _placed(solution: Solution, placed: PointsSolution) -> Solution:
    """Cameras whose intrinsics come from boards of their own and whose poses come from scene points."""
    R, t = solution.board_poses.R.copy(), solution.board_poses.t.copy()
    for camera, used in zip(placed.rig, solution.used, strict=True):
        own = used.any(axis=-1)
        R[own], t[own] = camera.R.T @ R[own], (t[own] - camera.t) @ camera.R
    first, second = len(solution.parameters), len(placed.parameters)
    covariance = np.zeros((first + second, first + second))
    covariance[:first, :first], covariance[first:, first:] = solution.covariance, placed.covariance
    return replace(
        solution,
        rig=placed.rig,
        board_poses=BoardPoses(solution.board_poses.points, R, t),
        parameters=(*solution.parameters, *placed.parameters),
        covariance=covariance,
        metadata=solution.metadata | {"reference": "scene points", "points_rmse_pixels": placed.rmse},
    )

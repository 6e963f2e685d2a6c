"""To and from aniposelib: its camera groups, its boards, and the corners that it detects.

Camera groups in files go through ``lift3d.read_rig`` and ``Rig.save``, whose TOML is aniposelib's own.
aniposelib (Karashchuk et al., BSD-2) is an optional extra of lift3d.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.calibration.boards import CHARUCO, CHESSBOARD, Board, BoardError
from lift3d.calibration.observations import Observations
from lift3d.errors import MissingDependencyError, ShapeError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig

if TYPE_CHECKING:
    from aniposelib.boards import CalibrationObject
    from aniposelib.cameras import CameraGroup

# What aniposelib detected in one image: "framenum", "corners" (n, 1, 2), "ids" (n, 1) and "filled" (corners, 1, 2).
Row = dict[str, Any]


def to_aniposelib(rig: Rig) -> CameraGroup:
    """The rig as aniposelib's camera group, in the rig's order; translations stay metres.

    Raises:
        MissingDependencyError: aniposelib is not installed.
    """
    library = _aniposelib("cameras")
    group = []
    for camera in rig:
        kind = library.FisheyeCamera if camera.fisheye else library.Camera
        turn = _rotation_vector(camera.R)
        size = None if camera.image_size is None else list(camera.image_size)
        group.append(kind(camera.K.copy(), camera.distortion.copy(), size, turn, camera.t.copy(), camera.name))
    return library.CameraGroup(group, dict(rig.metadata))


def from_aniposelib(group: CameraGroup) -> Rig:
    """The rig of aniposelib's camera group.

    Args:
        group: its translations are taken as metres; of a group in another unit scale them first (``rig_in_world``).

    Raises:
        MissingDependencyError: aniposelib is not installed.
        CameraError: a camera is impossible, or its distortion has more coefficients than lift3d knows.
    """
    import cv2

    library = _aniposelib("cameras")
    cameras = []
    for index, camera in enumerate(group.cameras):
        fisheye = isinstance(camera, library.FisheyeCamera)
        distortion = np.asarray(camera.get_distortions(), dtype=np.float64).ravel()
        if not fisheye and distortion.size < 5:
            distortion = np.pad(distortion, (0, 5 - distortion.size))
        name = camera.get_name()
        size = camera.get_size()
        cameras.append(
            Camera(
                K=np.asarray(camera.get_camera_matrix()),
                distortion=distortion,
                R=cv2.Rodrigues(np.asarray(camera.get_rotation(), dtype=np.float64))[0],
                t=np.asarray(camera.get_translation()),
                image_size=None if size is None else (round(size[0]), round(size[1])),
                # aniposelib makes a text of everything, of no name too.
                name=f"cam_{index}" if name in (None, "None", "") else str(name),
                fisheye=fisheye,
            )
        )
    return Rig(tuple(cameras), dict(group.metadata))


def board_to_aniposelib(board: Board) -> CalibrationObject:
    """The board as aniposelib knows it, with the same numbers for the same corners.

    aniposelib counts the places of a ChArUco board's corners from the first corner and not from the board's end: they
    are one square less in x and y. It does not know white on black, and will not find such a board by itself.

    Raises:
        MissingDependencyError: aniposelib is not installed.
        BoardError: aniposelib has no such board or dictionary.
    """
    library = _aniposelib("boards")
    if board.type == CHESSBOARD:
        return library.Checkerboard(*board.corners, square_length=board.square_length)
    if board.type != CHARUCO:
        raise BoardError(f"aniposelib has no boards of type {board.type!r}, only chessboard and charuco")
    try:
        bits, count = (int(part) for part in str(board.dictionary).removeprefix("DICT_").split("X", 1)[1].split("_"))
        return library.CharucoBoard(*board.squares, board.square_length, board.marker_length, bits, count)
    except (KeyError, ValueError, IndexError) as error:
        raise BoardError(
            f"aniposelib has no dictionary {board.dictionary}, only DICT_4X4 to DICT_7X7 of 50 to 1000 markers"
        ) from error


def board_from_aniposelib(board: CalibrationObject) -> Board:
    """The board of aniposelib's.

    Raises:
        MissingDependencyError: aniposelib is not installed.
        BoardError: a kind of board that lift3d does not know, or impossible numbers.
    """
    library = _aniposelib("boards")
    columns, rows = board.get_size()
    if isinstance(board, library.Checkerboard):
        return Board(CHESSBOARD, (int(columns) + 1, int(rows) + 1), float(board.get_square_length()))
    if not isinstance(board, library.CharucoBoard):
        raise BoardError(f"lift3d has no boards like aniposelib's {type(board).__name__}")
    bits, count = board.dictionary.markerSize, len(board.dictionary.bytesList)
    lengths = float(board.get_square_length()), float(board.marker_length)
    return Board(CHARUCO, (int(columns), int(rows)), *lengths, f"DICT_{bits}X{bits}_{count}")


def rows_from_observations(observations: Observations) -> list[list[Row]]:
    """What the cameras saw, as aniposelib's ``CameraGroup.calibrate_rows`` takes it, in the order of the cameras.

    The frame numbers are the places of the moments in the observations. aniposelib uses a chessboard only where all of
    it was seen.
    """
    all_rows = []
    for xy in observations.xy:
        rows: list[Row] = []
        for moment, corners in enumerate(xy):
            ids = np.flatnonzero(np.isfinite(corners).all(axis=-1))
            if len(ids):
                rows.append(
                    {
                        "framenum": moment,
                        "corners": corners[ids, None].copy(),
                        "ids": ids[:, None].astype(np.int32),
                        "filled": corners[:, None].copy(),
                    }
                )
        all_rows.append(rows)
    return all_rows


def observations_from_rows(
    rows: Sequence[Sequence[Mapping[str, Any]]], board: Board, cameras: Mapping[str, tuple[int, int]]
) -> Observations:
    """The corners that aniposelib detected (``CameraGroup.get_rows_videos``).

    Args:
        rows: for each camera its rows, with ``framenum``, ``corners`` (n, 1, 2) pixels and ``ids`` (n, 1), None where
            all corners were found.
        board: the board, with the corner numbers of ``board_to_aniposelib``.
        cameras: (width, height) of the images by camera name, in the order of ``rows``.

    Raises:
        ShapeError: the number of cameras differs, a row lacks a field, or a corner is not on the board.
    """
    if len(rows) != len(cameras):
        raise ShapeError(f"rows are of {len(rows)} cameras, names of {len(cameras)} ({', '.join(cameras)})")
    count = len(board.points)
    found: dict[tuple[int, ...], dict[int, np.ndarray]] = {}
    for camera, (name, of_camera) in enumerate(zip(cameras, rows, strict=True)):
        for index, row in enumerate(of_camera):
            where = f"row {index} of camera {name!r}"
            if "framenum" not in row or "corners" not in row:
                raise ShapeError(f"{where} has no framenum or no corners; is it a row of aniposelib's?")
            corners = np.asarray(row["corners"], dtype=np.float64).reshape(-1, 2)
            given = row.get("ids")
            ids = np.arange(count) if given is None else np.asarray(given, dtype=np.intp).ravel()
            if len(ids) != len(corners):
                raise ShapeError(f"{where} has {len(corners)} corners and {len(ids)} numbers of corners")
            if len(ids) and not (ids.min() >= 0 and ids.max() < count):
                raise ShapeError(f"{where} has corner {ids.max()}; the board has {count}: {board.describe()}")
            filled = np.full((count, 2), np.nan)
            filled[ids] = corners
            # The number alone, or after that of the video.
            found.setdefault(tuple(np.ravel(row["framenum"]).astype(int).tolist()), {})[camera] = filled
    moments = sorted(found)
    xy = np.full((len(cameras), len(moments), count, 2), np.nan)
    for moment, key in enumerate(moments):
        for camera, filled in found[key].items():
            xy[camera, moment] = filled
    return Observations(
        board=board,
        cameras=tuple(cameras),
        image_sizes=tuple(cameras.values()),
        xy=xy,
        frames=tuple(":".join(map(str, key)) for key in moments),
        images=tuple(len(of_camera) for of_camera in rows),
    )


def _aniposelib(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"aniposelib.{module}")
    except ImportError as error:
        raise MissingDependencyError(f"needs aniposelib ({error}): pip install 'lift3d[calibration]'") from error


def _rotation_vector(R: np.ndarray) -> np.ndarray:
    import cv2

    return np.asarray(cv2.Rodrigues(R)[0]).reshape(3)

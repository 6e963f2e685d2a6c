"""From what the cameras saw of a board to a calibrated rig: intrinsics, extrinsics, one bundle adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag as block_diagonal

from lift3d.calibration.bundle_adjustment import MEDIAN_LENGTH, Adjustment, Progress, adjust
from lift3d.calibration.extrinsics import assemble
from lift3d.calibration.intrinsics import solve_camera, views
from lift3d.calibration.mirrored import mirrored_cameras
from lift3d.calibration.observations import Observations
from lift3d.calibration.parameters import CENTRE, FISHEYE, FOCAL, POSE, RATIONAL, STANDARD, Parameter, distortion_names
from lift3d.calibration.solution import Solution
from lift3d.calibration.structure import BoardPoses
from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig

# The distortion coefficients of each lens model, as many as OpenCV has of it.
LENSES = {"standard": STANDARD, "rational": RATIONAL, "fisheye": FISHEYE}
# With fewer views the principal point and the distortion follow the noise; they stay in the middle and at zero.
FEW_VIEWS = 4
# With fewer than this k3 does, which nothing but the ends of the image tells from k2.
SEVERAL_VIEWS = 10
# Cameras whose errors where others see the board too are this many times those that each has alone contradict each
# other: they did not film at the same time, or the board bends. That must not be explained by their intrinsics.
CONTRADICTION = 1.5
# Without given intrinsics one view cannot tell the focal length from the distance.
LEAST_VIEWS = 2


def solve(
    observations: Observations,
    lens: str = "standard",
    intrinsics: Rig | None = None,
    hold_intrinsics: bool = False,
    extrinsics: bool = True,
    progress: Progress | None = None,
) -> Solution:
    """Calibrate the cameras that saw a board.

    Args:
        observations: the corners that the cameras saw.
        lens: "standard" (k1 k2 p1 p2 k3), "rational" (with k4 k5 k6) or "fisheye" (k1 k2 k3 k4).
        intrinsics: a rig whose cameras of the same names have known intrinsics and lens models; where it has a camera,
            ``lens`` says nothing.
        hold_intrinsics: whether the given intrinsics stay as they are, instead of being where the solution starts.
        extrinsics: whether the cameras make a rig; False leaves each at the origin of a space of its own, and needs
            no moments that cameras share.
        progress: is told of each step, ``(done, most)``.

    Returns:
        The solution, in the space of the reference camera: the one that shares most with the others.

    Raises:
        CameraError: a camera has too few views, or the cameras never saw the board together; the message says which,
            and what to film.
    """
    if lens not in LENSES:
        raise CameraError(f"the lens must be one of {', '.join(LENSES)}, not {lens!r}")
    points, xy = observations.board.points, observations.xy
    alone = [
        _camera_alone(observations, index, lens, intrinsics, hold_intrinsics)
        for index in range(len(observations.cameras))
    ]
    cameras, poses = [each.camera for each in alone], [each.poses for each in alone]
    if not extrinsics or len(cameras) == 1:
        return _apart(observations, alone, progress)
    if mirrored := [cameras[index].name for index in mirrored_cameras(poses)]:
        raise CameraError(
            f"the images of {', '.join(mirrored)} seem to be mirrored: beside the other cameras the board turns the "
            "wrong way round in them. Switch the mirror off in the camera's program, or flip the recording"
        )
    start = assemble(cameras, poses, xy)
    reference = cameras[start.reference].name
    free = {each.camera.name: (*each.free, *(() if each.camera.name == reference else POSE)) for each in alone}
    known = np.isfinite(start.board_poses.t).all(axis=-1)
    board = BoardPoses(points, start.board_poses.R[known], start.board_poses.t[known])
    noise = np.array([each.noise for each in alone])
    adjustment = adjust(start.cameras, board, xy[:, known], free, relative_noise=noise, progress=progress)
    contradictions = _contradictions(adjustment, noise)
    agree = bool((contradictions < CONTRADICTION).all())
    if not agree:
        adjustment = _poses_only(start.cameras, board, xy[:, known], alone, reference, noise * contradictions, progress)
    metadata = {"reference": reference, "lens": lens, "shared_corners": start.shared.tolist(), "cameras_agree": agree}
    return _solution(observations, adjustment, known, metadata)


class _Alone(NamedTuple):
    """A camera by itself: the board in its space, the intrinsics that are free, their covariance, its noise."""

    camera: Camera
    poses: BoardPoses
    free: tuple[str, ...]
    covariance: np.ndarray
    noise: float


def _camera_alone(observations: Observations, index: int, lens: str, intrinsics: Rig | None, hold: bool) -> _Alone:
    name, size = observations.cameras[index], observations.image_sizes[index]
    points, xy = observations.board.points, observations.xy[index]
    given = next((camera for camera in intrinsics or () if camera.name == name), None)
    if given is not None and given.image_size not in (None, size):
        raise CameraError(
            f"camera {name!r}: its images have {size[0]}x{size[1]} pixels, its given intrinsics are for "
            f"{given.image_size[0]}x{given.image_size[1]}; film in that resolution, or let the intrinsics be solved"
        )
    which = views(points, xy)
    looked = observations.images[index]
    held = given is not None and hold
    least = 1 if held else LEAST_VIEWS
    free = () if held else _free_intrinsics(int(which.sum()), given, lens)
    if which.sum() < least:
        raise CameraError(
            f"camera {name!r}: {int(which.sum())} of its {looked} images show enough of the board (6 corners, not on "
            f"one line), and at least {least} {'is' if least == 1 else 'are'} needed"
            + ("" if least == 1 else ", from different sides. Film the board in more places and tilts, or give the "
               "camera's intrinsics")
        )  # fmt: skip
    result = solve_camera(name, size, points, xy[which], free, len(LENSES[lens]), given)
    assert isinstance(result.structure, BoardPoses)
    R, t = np.full((len(xy), 3, 3), np.nan), np.full((len(xy), 3), np.nan)
    fits = result.used[0].any(axis=-1)
    R[np.flatnonzero(which)[fits]], t[np.flatnonzero(which)[fits]] = result.structure.R[fits], result.structure.t[fits]
    return _Alone(result.cameras[0], BoardPoses(points, R, t), free, result.covariance, float(result.noise[0]))


def _free_intrinsics(count: int, given: Camera | None, lens: str) -> tuple[str, ...]:
    """The intrinsics that so many views can tell."""
    if given is not None:
        return (*FOCAL, *CENTRE, *distortion_names(given))
    if count < FEW_VIEWS:
        return FOCAL
    coefficients = LENSES[lens]
    return (*FOCAL, *CENTRE, *(coefficients[:4] if count < SEVERAL_VIEWS and lens == "standard" else coefficients))


def _contradictions(adjustment: Adjustment, noise: np.ndarray) -> np.ndarray:
    """(cameras,) how many times larger than by its noise alone a camera's errors are where others see the board too."""
    lengths = np.linalg.norm(adjustment.residuals, axis=-1) / (MEDIAN_LENGTH * noise[:, None, None])
    seen = np.isfinite(lengths).any(axis=-1)
    shared = seen & (seen.sum(axis=0) > 1)
    # In the middle of a view and of the views: outliers do not count, nor do single moments.
    return np.array([np.median(np.nanmedian(own[which], axis=-1)) for own, which in zip(lengths, shared, strict=True)])


def _poses_only(
    cameras: Sequence[Camera],
    board: BoardPoses,
    xy: np.ndarray,
    alone: list[_Alone],
    reference: str,
    relative_noise: np.ndarray,
    progress: Progress | None,
) -> Adjustment:
    """The rig of cameras that contradict each other: no lens is to blame, so the intrinsics stay as each has them.

    The poses come from the moments that cameras share, whose errors are larger than the corners' noise and depend on
    each other; at the other moments the board is placed by the one camera that sees it.
    """
    poses = {each.camera.name: () if each.camera.name == reference else POSE for each in alone}
    shared = np.isfinite(xy).all(axis=-1).any(axis=-1).sum(axis=0) > 1
    parts = []
    for which, free in ((shared, poses), (~shared, {})):
        if which.any():
            part = BoardPoses(board.points, board.R[which], board.t[which])
            parts.append(adjust(cameras, part, xy[:, which], free, None, relative_noise, True, progress))
            cameras = parts[-1].cameras
    order = np.argsort(np.concatenate([np.flatnonzero(shared), np.flatnonzero(~shared)]))
    structures = [part.structure for part in parts if isinstance(part.structure, BoardPoses)]
    names = [Parameter(each.camera.name, name) for each in alone for name in each.free]
    return replace(
        parts[0],
        cameras=tuple(cameras),
        structure=BoardPoses(
            board.points,
            np.concatenate([structure.R for structure in structures])[order],
            np.concatenate([structure.t for structure in structures])[order],
        ),
        residuals=np.concatenate([part.residuals for part in parts], axis=1)[:, order],
        used=np.concatenate([part.used for part in parts], axis=1)[:, order],
        parameters=(*names, *parts[0].parameters),
        covariance=block_diagonal(*(each.covariance for each in alone), parts[0].covariance),
    )


def _apart(observations: Observations, alone: list[_Alone], progress: Progress | None) -> Solution:
    """Cameras that make no rig: each with moments of its own."""
    moments = observations.xy.shape[1]
    R, t = np.full((moments, 3, 3), np.nan), np.full((moments, 3), np.nan)
    for each in alone:
        own = np.isfinite(each.poses.t).all(axis=-1)
        if (own & np.isfinite(t).all(axis=-1)).any():
            raise CameraError(
                "two cameras saw the board at one moment, which without extrinsics is no one place; read the images "
                "with simultaneous=False"
            )
        R[own], t[own] = each.poses.R[own], each.poses.t[own]
    known = np.isfinite(t).all(axis=-1)
    adjustment = adjust(
        [each.camera for each in alone],
        BoardPoses(observations.board.points, R[known], t[known]),
        observations.xy[:, known],
        {each.camera.name: each.free for each in alone},
        relative_noise=np.array([each.noise for each in alone]),
        progress=progress,
    )
    return _solution(observations, adjustment, known, {"reference": None})


def _solution(
    observations: Observations, adjustment: Adjustment, known: np.ndarray, metadata: dict[str, Any]
) -> Solution:
    """The adjustment of some moments as the solution of all."""
    assert isinstance(adjustment.structure, BoardPoses)

    def spread(values: np.ndarray, missing: Any, axis: int) -> np.ndarray:
        shape = list(values.shape)
        shape[axis] = len(known)
        filled = np.full(shape, missing, values.dtype)
        filled[(slice(None),) * axis + (known,)] = values
        return filled

    for camera in adjustment.cameras:
        (width, height), (x, y) = camera.image_size or (np.inf, np.inf), camera.K[:2, 2]
        if not (0 < x < width and 0 < y < height):
            raise CameraError(
                f"camera {camera.name!r}: its views do not tell where its principal point is (it came out at {x:.0f}, "
                f"{y:.0f}, outside the image of {width}x{height}). Film the board tilted in all directions, all over "
                "the image, together with the other cameras, or give the camera's intrinsics"
            )
    structure = adjustment.structure
    used = spread(adjustment.used, False, 1)
    placed = used.any(axis=(0, 2))
    R, t = spread(structure.R, np.nan, 0), spread(structure.t, np.nan, 0)
    R[~placed], t[~placed] = np.nan, np.nan
    return Solution(
        rig=Rig(adjustment.cameras),
        observations=observations,
        board_poses=BoardPoses(structure.points, R, t),
        residuals=spread(adjustment.residuals, np.nan, 1),
        used=used,
        noise=adjustment.noise,
        parameters=adjustment.parameters,
        covariance=adjustment.covariance,
        metadata=metadata | {"converged": adjustment.converged},
    )

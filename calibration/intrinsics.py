"""One camera's intrinsics and where it saw the board: a start in closed form, then an adjustment of its own.

The focal length comes from the planes' homographies (Z. Zhang, "A flexible new technique for camera calibration", IEEE
TPAMI 22(11), 2000, equations 3 and 4, here with square pixels and the principal point in the middle), and where those
do not determine it, and of fisheyes, from a search for the one with the least error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift3d.calibration.bundle_adjustment import Adjustment, adjust
from lift3d.calibration.structure import BoardPoses
from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera

# A homography has 8 degrees of freedom; two more corners than it needs tell whether it is one.
LEAST_CORNERS = 6
# Focal lengths to try, as parts of the longer image side: views of 136 to 11 degrees (of a fisheye, 230 and less).
FOCAL_RATIOS = np.geomspace(0.2, 5.0, 24)
FISHEYE_RATIOS = np.geomspace(0.2, 2.0, 24)
# The unit in which the homographies' outliers are told, pixels: distortion that is not known yet included.
HOMOGRAPHY_TOLERANCE = 0.01  # of the longer image side
# Corners on one line, or nearly, hold no plane: the least spread across, as a part of that along.
LEAST_SPREAD = 0.05


def views(board_points: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """(moments,) whether a camera's corners (moments, P, 2) are enough to say where the board was."""
    seen = np.isfinite(xy).all(axis=-1)
    enough = seen.sum(axis=-1) >= LEAST_CORNERS
    for moment in np.flatnonzero(enough):
        flat = board_points[seen[moment], :2]
        spread = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)
        enough[moment] = spread[1] > LEAST_SPREAD * spread[0]
    return np.asarray(enough)


def board_poses(camera: Camera, board_points: np.ndarray, xy: np.ndarray, which: np.ndarray) -> BoardPoses:
    """Where the board was in the camera's space, from the homography of each view.

    Args:
        camera: the camera; its own pose is not looked at.
        board_points: (P, 3) the corners on the board, metres, z = 0.
        xy: (moments, P, 2) pixels, NaN where unseen.
        which: (moments,) the moments to solve (``views``).

    Returns:
        The board at every moment; NaN where it was not solved.
    """
    import cv2

    plane = camera.unproject(xy)
    R, t = np.full((len(xy), 3, 3), np.nan), np.full((len(xy), 3), np.nan)
    tolerance = HOMOGRAPHY_TOLERANCE * max(camera.image_size or (1, 1)) / camera.K[0, 0]
    for moment in np.flatnonzero(which):
        known = np.isfinite(plane[moment]).all(axis=-1)
        if known.sum() < LEAST_CORNERS:
            continue
        H, _ = cv2.findHomography(board_points[known, :2], plane[moment, known], cv2.RANSAC, tolerance)
        if H is None or not np.isfinite(H).all():
            continue
        # The columns of H are r1, r2 and t, all times one factor; the board is in front of the camera.
        H = H / np.linalg.norm(H[:, :2], axis=0).mean() * (1 if H[2, 2] > 0 else -1)
        U, _, Vt = np.linalg.svd(H[:, :2], full_matrices=False)
        axes = U @ Vt
        R[moment] = np.stack([axes[:, 0], axes[:, 1], np.cross(axes[:, 0], axes[:, 1])], axis=1)
        t[moment] = H[:, 2]
    return BoardPoses(board_points, R, t)


def initial_camera(
    name: str, image_size: tuple[int, int], board_points: np.ndarray, xy: np.ndarray, lens: int
) -> Camera:
    """A camera whose focal length is about right, without distortion and with the principal point in the middle.

    Args:
        name: its name.
        image_size: (width, height), pixels.
        board_points: (P, 3) metres.
        xy: (moments, P, 2) pixels, NaN where unseen; each moment a view.
        lens: the number of distortion coefficients: 5, 8, or 4 for a fisheye.

    Raises:
        CameraError: no focal length explains the views.
    """
    side, which = max(image_size), np.ones(len(xy), bool)

    def camera_of(focal: float) -> Camera:
        K = np.array([[focal, 0, image_size[0] / 2], [0, focal, image_size[1] / 2], [0, 0, 1]])
        return Camera(K, np.zeros(lens), image_size=image_size, name=name, fisheye=lens == 4)

    def error(camera: Camera) -> float:
        poses = board_poses(camera, board_points, xy, which)
        lengths = np.linalg.norm(xy - camera.project(poses.world()), axis=-1)
        known = lengths[np.isfinite(lengths)]
        # Views that get no pose under this focal length count against it.
        share = known.size / max(int(np.isfinite(xy).all(axis=-1).sum()), 1)
        return float(np.median(known)) / share**2 if known.size else np.inf

    if lens != 4 and (focal := _zhang_focal(board_points, xy, image_size)) is not None:
        return camera_of(focal)
    best = min((camera_of(ratio * side) for ratio in (FISHEYE_RATIOS if lens == 4 else FOCAL_RATIOS)), key=error)
    if not np.isfinite(error(best)):
        raise CameraError(
            f"camera {name!r}: no focal length explains the {len(xy)} views of the board; does board.toml describe it?"
        )
    return best


def solve_camera(
    name: str,
    image_size: tuple[int, int],
    board_points: np.ndarray,
    xy: np.ndarray,
    free: Sequence[str],
    lens: int,
    given: Camera | None = None,
) -> Adjustment:
    """The intrinsics of one camera, and the board in its space at each moment.

    Args:
        name: the camera's name.
        image_size: (width, height), pixels.
        board_points: (P, 3) the corners on the board, metres.
        xy: (moments, P, 2) pixels, NaN where unseen; every moment must be one of ``views``.
        free: the intrinsics to solve (``lift3d.calibration.parameters``).
        lens: the number of distortion coefficients: 5, 8, or 4 for a fisheye.
        given: intrinsics to start from, instead of those that the views suggest.

    Returns:
        The adjustment of the one camera, which stands at the origin.

    Raises:
        CameraError: the views do not make a camera.
    """
    start = given or initial_camera(name, image_size, board_points, xy, lens)
    camera = Camera(start.K, start.distortion, image_size=image_size, name=name, fisheye=start.fisheye)
    poses = board_poses(camera, board_points, xy, np.ones(len(xy), bool))
    lost = ~np.isfinite(poses.t).all(axis=-1)
    if lost.all():
        raise CameraError(
            f"camera {name!r}: none of its {len(xy)} views shows a plane; does board.toml describe the board?"
        )
    xy = np.where(lost[:, None, None], np.nan, xy)
    poses = BoardPoses(
        board_points, np.where(lost[:, None, None], np.eye(3), poses.R), np.where(lost[:, None], 0.0, poses.t)
    )
    return adjust([camera], poses, xy[None], {name: tuple(free)})


def _zhang_focal(board_points: np.ndarray, xy: np.ndarray, image_size: tuple[int, int]) -> float | None:
    """The focal length in pixels by least squares over the homographies, None where they do not say."""
    import cv2

    side = max(image_size)
    coefficients, constants = [], []
    for corners in (xy - np.array(image_size) / 2) / side:
        known = np.isfinite(corners).all(axis=-1)
        H, _ = cv2.findHomography(board_points[known, :2], corners[known], cv2.RANSAC, HOMOGRAPHY_TOLERANCE)
        if H is None or not np.isfinite(H).all():
            continue
        h1, h2 = H[:, :2].T / np.linalg.norm(H[:, :2], axis=0).mean()
        # h1 W h2 = 0 and h1 W h1 = h2 W h2 with W = diag(1 / f^2, 1 / f^2, 1).
        coefficients += [h1[:2] @ h2[:2], h1[:2] @ h1[:2] - h2[:2] @ h2[:2]]
        constants += [-h1[2] * h2[2], h2[2] ** 2 - h1[2] ** 2]
    a, b = np.array(coefficients), np.array(constants)
    if not a.size or not (inverse_square := (a @ b) / max(a @ a, 1e-300)) > 0:
        return None
    focal = side / np.sqrt(inverse_square)
    return float(focal) if FOCAL_RATIOS[0] * side < focal < FOCAL_RATIOS[-1] * side else None

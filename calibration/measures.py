"""Numbers that say how a calibration was filmed: coverage, distances, tilts, links between cameras, agreement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lift3d.calibration.bundle_adjustment import adjust
from lift3d.calibration.intrinsics import board_poses, views
from lift3d.calibration.solution import Solution
from lift3d.calibration.structure import BoardPoses
from lift3d.calibration.volume import image_size
from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera

# The image is divided into this many columns and rows to see where the board was.
CELLS = (8, 6)
# So many corners make an image of the board that counts: they fix its pose.
LEAST_CORNERS = 4
# The ends of an image: this share of its width and height.
ENDS = 0.2
# To see a camera turn takes this many moments, and this many on either side; of these, turns that lie this many times
# farther off than the median one are none of the camera's.
LEAST_SERIES, LEAST_SIDE, FAR_OFF = 10, 3, 4.0
CORNER_NAMES = ("top left", "top right", "bottom left", "bottom right")


def images_used(solution: Solution) -> np.ndarray:
    """(cameras, moments) whether an image counted: corners enough to fix the board's pose were used."""
    return np.asarray(solution.used.sum(axis=-1) >= LEAST_CORNERS)


def images_found(solution: Solution) -> np.ndarray:
    """(cameras, moments) whether the board was found in an image, whatever became of it."""
    return np.asarray(solution.observations.seen.sum(axis=-1) >= LEAST_CORNERS)


def image_errors(solution: Solution) -> np.ndarray:
    """(cameras, moments) median reprojection error of all corners found in an image, pixels; NaN without a board.

    Of all corners, not only of those that were used: an image that was dropped shows by how much it does not fit. The
    median passes over single outliers.
    """
    return _median_lengths(solution.residuals)


def coverage(camera: Camera, corners: np.ndarray) -> np.ndarray:
    """How many corners (n, 2), pixels, fell into each cell of the image: (rows, columns)."""
    width, height = image_size(camera)
    counts, _, _ = np.histogram2d(
        corners[:, 1], corners[:, 0], bins=(CELLS[1], CELLS[0]), range=[[-0.5, height - 0.5], [-0.5, width - 0.5]]
    )
    return np.asarray(counts)


def empty_corners(camera: Camera, corners: np.ndarray) -> list[str]:
    """The names of the image's four ends in which no corner (n, 2) ever was."""
    relative = (corners + 0.5) / image_size(camera)
    return [
        name
        for name, (x, y) in zip(CORNER_NAMES, [(0, 0), (1, 0), (0, 1), (1, 1)], strict=True)
        if not (np.abs(relative - [x, y]) < ENDS).all(axis=-1).any()
    ]


@dataclass(frozen=True, eq=False)
class Views:
    """How one camera saw the board, image by image of those used.

    Attributes:
        tilt: (n,) degrees between the board and the image plane; 0 is a board parallel to the image.
        variety: degrees by which the directions that the board faced differ from their mean (root mean square).
        far_to_near: the distance of the farthest corners over that of the nearest (of all but 5 % at either end).
    """

    tilt: np.ndarray
    variety: float
    far_to_near: float


def views_of(solution: Solution, index: int) -> Views:
    """How the camera of that index saw the board; NaN if it never did."""
    camera = solution.rig.cameras[index]
    which = images_used(solution)[index]
    poses = solution.board_poses
    normals = poses.R[which][:, :, 2] @ camera.R.T
    if not len(normals):
        return Views(np.empty(0), np.nan, np.nan)
    tilt = np.degrees(np.arccos(np.clip(np.abs(normals[:, 2]), 0, 1)))
    mean = normals.mean(axis=0)
    off = np.arccos(np.clip(normals @ mean / np.linalg.norm(mean), -1, 1))
    depth = (poses.world() @ camera.R[2] + camera.t[2])[solution.used[index]]
    near, far = np.percentile(depth, [5, 95])
    return Views(tilt, float(np.degrees(np.sqrt(np.square(off).mean()))), float(far / near))


def shared_moments(solution: Solution) -> np.ndarray:
    """(cameras, cameras) how many moments each pair saw the board at together; on the diagonal those of the camera."""
    used = images_used(solution).astype(int)
    return np.asarray(used @ used.T)


def strongest_links(shared: np.ndarray) -> list[tuple[int, int, int]]:
    """The links that hold the rig together, as (camera, camera, shared): the spanning tree of those that share most.

    Weakest first. A camera that shares nothing has no link.
    """
    from scipy.sparse.csgraph import minimum_spanning_tree

    weights = np.where(shared > 0, 1.0 + shared.max(initial=0) - shared, 0.0)
    np.fill_diagonal(weights, 0.0)
    tree = np.argwhere(minimum_spanning_tree(weights).toarray() > 0).tolist()
    return sorted(((a, b, int(shared[a, b])) for a, b in tree), key=lambda link: link[2])


@dataclass(frozen=True, eq=False)
class Alone:
    """The board where each camera by itself has it.

    Attributes:
        poses: for each camera the board in that camera's space; NaN at moments at which it could not say.
        errors: (cameras, moments) median reprojection error when each image has a board pose of its own, pixels.
    """

    poses: tuple[BoardPoses, ...]
    errors: np.ndarray


def fit_alone(solution: Solution) -> Alone:
    """Place the board for each camera alone, with its intrinsics held: what the other cameras say does not count.

    An image that fits like this, but not in the rig, is good by itself and disagrees with the others: the camera
    filmed at another time, was moved, or is mirrored.
    """
    points = solution.board_poses.points
    poses, errors = [], np.full(solution.used.shape[:2], np.nan)
    for index, camera in enumerate(solution.rig):
        here = Camera(camera.K, camera.distortion, image_size=camera.image_size, name="", fisheye=camera.fisheye)
        xy = solution.observations.xy[index]
        start = board_poses(here, points, xy, views(points, xy))
        which = np.isfinite(start.t).all(axis=-1)
        R, t = start.R.copy(), start.t.copy()
        if which.any():
            try:
                fitted = adjust([here], BoardPoses(points, R[which], t[which]), xy[None, which], {})
            except CameraError:  # too few corners that agree
                which[:] = False
            else:
                assert isinstance(fitted.structure, BoardPoses)
                R[which], t[which] = fitted.structure.R, fitted.structure.t
                errors[index, which] = _median_lengths(fitted.residuals)[0]
        poses.append(BoardPoses(points, R, t))
    return Alone(tuple(poses), errors)


class Step(NamedTuple):
    """A change at once in how two cameras stand to each other.

    Attributes:
        before, after: the moments between which it happened.
        angle: by how much one was turned against the other, radians.
        strength: the F statistic: how large the step is beside what the single moments scatter.
    """

    before: int
    after: int
    angle: float
    strength: float


def turn_between(solution: Solution, alone: Alone, a: int, b: int) -> Step | None:
    """The moment at which one camera was most likely turned against another, None if they share too few to tell.

    Moments at which the board was far off for one of the two are left out. The best place for one step in a series is
    that which leaves least variance (E. S. Page's problem; D. M. Hawkins, "Testing a sequence of observations for a
    shift in location", JASA 72, 1977).
    """
    from scipy.spatial.transform import Rotation

    first, second = alone.poses[a], alone.poses[b]
    moments = np.flatnonzero(np.isfinite(first.t).all(axis=-1) & np.isfinite(second.t).all(axis=-1))
    if len(moments) < LEAST_SERIES:
        return None
    cameras = solution.rig.cameras
    turned = first.R[moments] @ second.R[moments].mT @ cameras[b].R @ cameras[a].R.T
    turns = Rotation.from_matrix(turned).as_rotvec()
    off = np.linalg.norm(turns - np.median(turns, axis=0), axis=-1)
    near = off <= FAR_OFF * np.median(off)
    moments, turns = moments[near], turns[near]
    n = len(turns)
    if n < LEAST_SERIES:
        return None
    at = np.arange(LEAST_SIDE, n - LEAST_SIDE + 1)
    sums = turns.cumsum(axis=0)[at - 1]
    change = (turns.sum(axis=0) - sums) / (n - at)[:, None] - sums / at[:, None]
    explained = np.square(change).sum(axis=-1) * at * (n - at) / n
    best = int(explained.argmax())
    left = max(float(np.square(turns - turns.mean(axis=0)).sum() - explained[best]), 1e-300)
    return Step(
        before=int(moments[at[best] - 1]),
        after=int(moments[at[best]]),
        angle=float(np.linalg.norm(change[best])),
        strength=float(explained[best]) / left * (n - 2),
    )


def _median_lengths(residuals: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(residuals, axis=-1)
    medians = np.full(lengths.shape[:-1], np.nan)
    known = np.isfinite(lengths).any(axis=-1)
    medians[known] = np.nanmedian(lengths[known], axis=-1)
    return medians

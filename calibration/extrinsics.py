"""Where the cameras of a rig stand, from the moments at which two of them saw the board together.

Every shared moment says how one camera of the pair stands to the other; of these the one that explains the other
moments best is taken, and the pairs that share most join the rig first (a maximum spanning tree).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from lift3d.calibration.structure import BoardPoses
from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera

# An error beyond this many pixels at a common image size says no more than that the moment does not fit.
MOST_ERROR = 0.02  # of the longer image side
# How many of the shared moments are tried as the pair's pose: more add time, not truth.
MOST_TRIES = 40


class Pose(NamedTuple):
    """``x_cam = R x_world + t``."""

    R: np.ndarray
    t: np.ndarray


class Start(NamedTuple):
    """A rig that is about right.

    Attributes:
        cameras: the cameras, in the space of the reference camera.
        board_poses: the board in that space; NaN where no camera could say.
        reference: the index of the reference camera.
        shared: (cameras, cameras) how many corners each pair saw together.
    """

    cameras: tuple[Camera, ...]
    board_poses: BoardPoses
    reference: int
    shared: np.ndarray


def shared_corners(poses: Sequence[BoardPoses], xy: np.ndarray) -> np.ndarray:
    """(cameras, cameras) corners seen together, at moments at which both know where the board was."""
    known = np.stack([np.isfinite(pose.t).all(axis=-1) for pose in poses])
    corners = np.where(known, np.isfinite(xy).all(axis=-1).sum(axis=-1), 0)
    shared = np.array([[np.minimum(a, b).sum() for b in corners] for a in corners])
    np.fill_diagonal(shared, 0)
    return shared


def assemble(cameras: Sequence[Camera], poses: Sequence[BoardPoses], xy: np.ndarray) -> Start:
    """Put the cameras of a rig together.

    Args:
        cameras: C cameras with good intrinsics; their poses are not looked at.
        poses: for each the board in its own space; NaN at moments at which it could not say.
        xy: (C, moments, P, 2) the corners, pixels; NaN where unseen.

    Raises:
        CameraError: the cameras fall into groups that never saw the board together; the message names them.
    """
    shared = shared_corners(poses, xy)
    reference = int(shared.sum(axis=1).argmax())
    places: dict[int, Pose] = {reference: Pose(np.eye(3), np.zeros(3))}
    while len(places) < len(cameras):
        inside, outside = sorted(places), [index for index in range(len(cameras)) if index not in places]
        links = shared[np.ix_(inside, outside)]
        if not links.any():
            raise CameraError(_not_connected(cameras, shared))
        a, b = np.unravel_index(links.argmax(), links.shape)
        known, new = inside[a], outside[b]
        relative = _relative_pose(cameras[new], poses[new], poses[known], xy[new])
        # x_new = relative (x_known), x_known = place (x_world)
        place = places[known]
        places[new] = Pose(relative.R @ place.R, relative.R @ place.t + relative.t)
    posed = tuple(
        Camera(c.K, c.distortion, places[i].R, places[i].t, c.image_size, c.name, c.fisheye)
        for i, c in enumerate(cameras)
    )
    return Start(posed, _board_in_world(posed, poses, xy), reference, shared)


def _relative_pose(camera: Camera, own: BoardPoses, others: BoardPoses, xy: np.ndarray) -> Pose:
    """The pose of ``camera`` in the other's space that explains best where it saw the board, ``xy`` (moments, P, 2)."""
    both = np.flatnonzero(np.isfinite(own.t).all(axis=-1) & np.isfinite(others.t).all(axis=-1))
    tries = both[np.unique(np.linspace(0, len(both) - 1, min(len(both), MOST_TRIES)).round().astype(int))]
    board = BoardPoses(own.points, others.R[both], others.t[both]).world()
    alone = Camera(camera.K, camera.distortion, image_size=camera.image_size, fisheye=camera.fisheye)
    best, least = Pose(np.eye(3), np.zeros(3)), np.inf
    for moment in tries:
        R = own.R[moment] @ others.R[moment].T
        t = own.t[moment] - R @ others.t[moment]
        cost = _cost(xy[both], alone.project(board @ R.T + t), camera).sum()
        if cost < least:
            best, least = Pose(R, t), cost
    return best


def _board_in_world(cameras: Sequence[Camera], poses: Sequence[BoardPoses], xy: np.ndarray) -> BoardPoses:
    """Of the places at which the cameras have the board at a moment, the one that suits all of them best."""
    moments = xy.shape[1]
    R, t = np.full((moments, 3, 3), np.nan), np.full((moments, 3), np.nan)
    least = np.full(moments, np.inf)
    for camera, own in zip(cameras, poses, strict=True):
        known = np.flatnonzero(np.isfinite(own.t).all(axis=-1))
        if not known.size:
            continue
        candidate = BoardPoses(own.points, camera.R.T @ own.R[known], (own.t[known] - camera.t) @ camera.R)
        world = candidate.world()
        cost = np.zeros(len(known))
        for other, seen in zip(cameras, xy[:, known], strict=True):
            here = np.isfinite(seen).all(axis=-1).any(axis=-1)
            cost[here] += _cost(seen[here], other.project(world[here]), other)
        better = cost < least[known]
        R[known[better]], t[known[better]] = candidate.R[better], candidate.t[better]
        least[known[better]] = cost[better]
    return BoardPoses(poses[0].points, R, t)


def _cost(xy: np.ndarray, projected: np.ndarray, camera: Camera) -> np.ndarray:
    """(moments,) the sum over the corners (moments, P, 2) that were seen of squared errors, bounded."""
    bound = MOST_ERROR * max(camera.image_size or (1000,))
    squares = np.square(xy - projected).sum(axis=-1)  # NaN behind the camera, which costs the bound as well
    return np.asarray(np.fmin(squares, bound**2).sum(axis=-1, where=np.isfinite(xy).all(axis=-1)))


def _not_connected(cameras: Sequence[Camera], shared: np.ndarray) -> str:
    from scipy.sparse.csgraph import connected_components

    count, group = connected_components(shared > 0, directed=False)
    names = [[camera.name for camera, of in zip(cameras, group, strict=True) if of == index] for index in range(count)]
    pairs = [f"{a} with {b}" for first, second in combinations(names, 2) for a in first for b in second]
    shown = ", ".join(pairs[:12]) + (f" and {len(pairs) - 12} more" if len(pairs) > 12 else "")
    groups = "; ".join(", ".join(group) for group in names)
    return (
        f"the cameras fall into {count} groups that never saw the board together: {groups}. Film the board where, for "
        f"each gap between groups, at least one of these pairs sees it at the same moment: {shown}. If they did, check "
        "that the recordings are synchronous and that images of one moment have the same number"
    )

"""Where people stand before the viewer: one space for all drawings, the floor, the paths and the views.

Drawings use a right-handed space with Z up, in metres. Camera space (x right, y down, z forward) becomes that space
turned upright: x right, y away from the camera, z up. A view is a horizontal direction ``into`` the scene; on the image
right is then ``into x up``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lift3d.errors import Lift3DError, ShapeError
from lift3d.poses import Keypoints2D
from lift3d.skeletons import Skeleton

if TYPE_CHECKING:
    from lift3d.io.stored_poses import Clip

# What describes a whole clip (its floor, its front, its paths) is read off this many frames at most.
SAMPLED_FRAMES = 2000
# In camera space feet that rise and sink by more than this part of a body's height do not stand on a level floor.
TILTED = 0.35
FEET = ("ankle", "heel", "toe", "foot", "paw", "hoof")


def upright(xyz: np.ndarray, space: str) -> np.ndarray:
    """Points (..., 3) of "camera" or "world" space in the space of the drawings, Z up."""
    return np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1) if space == "camera" else xyz


def mean_seen(points: np.ndarray, axis: int) -> np.ndarray:
    """The mean over ``axis`` of the points (..., d) that are not NaN; NaN where there is none."""
    seen = np.isfinite(points)
    count = seen.sum(axis=axis)
    total = np.where(seen, points, 0).sum(axis=axis, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def sampled(frames: int, count: int = SAMPLED_FRAMES) -> np.ndarray:
    """At most ``count`` frame numbers, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, frames - 1, min(frames, count)).round().astype(int))


def seen_frames(points: np.ndarray) -> np.ndarray:
    """Numbers of the frames in which some joint of some person is seen, of points (frames, people, joints, d).

    Raises:
        Lift3DError: there is no such frame.
    """
    frames = np.flatnonzero(np.isfinite(points[..., 0]).any(axis=(1, 2)))
    if not len(frames):
        raise Lift3DError("there is nothing to draw: no joint of any person is seen in any frame of the clip")
    return frames


def check_truth(motion: Clip | Keypoints2D, truth: Clip | None) -> None:
    """Raises ShapeError unless ``truth`` can be drawn into the picture of ``motion``: same frames and same space."""
    if truth is None:
        return
    if isinstance(motion, Keypoints2D):
        raise ShapeError("truth is 3D and can be drawn beside 3D poses only, not beside 2D keypoints; lift them first")
    if truth.frames != motion.frames:
        raise ShapeError(f"truth has {truth.frames} frames, the poses have {motion.frames}; cut them to the same clip")
    if truth.space != motion.space:
        raise ShapeError(f"truth is in {truth.space} space, the poses in {motion.space} space; bring both into one")


def root_path(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Middle of each body, (..., 3) of points (..., joints, 3): pelvis, root, mid-hip, or the mean of what is seen."""
    root = mean_seen(points, axis=-2)
    hips = [skeleton.index(joint) for joint in ("left_hip", "right_hip") if joint in skeleton.joints]
    if len(hips) == 2:
        middle = points[..., hips, :].mean(axis=-2)
        root = np.where(np.isfinite(middle), middle, root)
    for joint in ("root", "pelvis"):
        if joint in skeleton.joints:
            place = points[..., skeleton.index(joint), :]
            root = np.where(np.isfinite(place), place, root)
    return root


def floor_height(points: np.ndarray, skeleton: Skeleton, space: str) -> float | None:
    """The height in metres that feet come down to in points (frames, people, joints, 3) of the drawings' space.

    None if no foot is seen, and in camera space if people rise and sink as they come and go: then the camera looks down
    or up, and a level floor would be wrong.
    """
    points = points[sampled(len(points))]
    feet = [i for i, joint in enumerate(skeleton.joints) if any(part in joint for part in FEET)]
    if not feet or not np.isfinite(points[:, :, feet]).any():
        return None
    low, high = (f.reduce(points[..., 2], axis=2) for f in (np.fmin, np.fmax))
    seen = np.isfinite(low)
    low, high = low[seen], high[seen]
    drift = np.percentile(low, 90) - np.percentile(low, 10)
    if space == "camera" and drift > TILTED * np.median(high - low):
        return None
    return float(np.percentile(low, 5))


def front_view(points: np.ndarray, skeleton: Skeleton, space: str) -> np.ndarray:
    """The unit vector (3,) into the scene that shows people from the front.

    Of camera space it is the camera's own direction. In the world it is the direction that most of the people face,
    turned around; without left and right, or if they face all ways, it is the world's y axis.
    """
    default = np.array([0.0, 1.0, 0.0])
    if space == "camera":
        return default
    points = points[sampled(len(points))]
    across = np.zeros((*points.shape[:2], 2))
    for part in ("hip", "shoulder"):
        if f"left_{part}" in skeleton.joints and f"right_{part}" in skeleton.joints:
            left, right = skeleton.index(f"left_{part}"), skeleton.index(f"right_{part}")
            across += np.nan_to_num(points[:, :, left, :2] - points[:, :, right, :2])
    facing = np.stack([across[..., 1], -across[..., 0]], axis=-1).reshape(-1, 2)
    length = np.linalg.norm(facing, axis=-1)
    known = length > 1e-6
    if not known.any():
        return default
    mean = (facing[known] / length[known, None]).mean(axis=0)
    agreement = float(np.linalg.norm(mean))
    return np.array([*(-mean / agreement), 0.0]) if agreement > 0.3 else default


def side_view(into: np.ndarray) -> np.ndarray:
    """The view turned by 90 degrees about the vertical: seen from the right-hand side of the image of ``into``."""
    return -np.cross(into, [0.0, 0.0, 1.0])


def seen_from(points: np.ndarray, into: np.ndarray) -> np.ndarray:
    """Points (..., 3) as (right, up, depth) in metres of the view ``into`` the scene, without perspective."""
    right = np.cross(into, [0.0, 0.0, 1.0])
    return np.stack([points @ right, points[..., 2], points @ into], axis=-1)


def describe(motion: Clip | Keypoints2D) -> tuple[str, str]:
    """The name of a clip and one line on its layout, length, rate, people and space."""
    name = str(motion.provenance.get("source") or "")
    length = f"{motion.frames} frame{'s' * (motion.frames != 1)}"
    if motion.fps is not None:
        length += f", {motion.frames / motion.fps:.2f} s at {motion.fps:g} fps"
    people = f"{motion.people} {'person' if motion.people == 1 else 'people'}"
    space = "pixels" if isinstance(motion, Keypoints2D) else f"{motion.space} space, metres"
    layout = motion.skeleton.title or motion.skeleton.name
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1], " · ".join([layout, length, people, space])

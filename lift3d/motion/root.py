"""Where a body is on the ground and which way it faces, and motion on the spot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lift3d.errors import ShapeError, SkeletonError
from lift3d.geometry.level import from_level, to_level
from lift3d.motion.gaps import USUAL_FPS
from lift3d.poses import Poses3D, add_step
from lift3d.skeletons import Skeleton

# What stands for the root, and the pairs whose line from right to left says which way a body faces, best first.
ROOTS = (("pelvis",), ("left_hip", "right_hip"), ("root",), ("neck",), ("thorax",), ("left_shoulder", "right_shoulder"))
PAIRS = (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"))


def root_position(level: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The place of the root, in every frame.

    Args:
        level: (frames, people, joints, 3), Z up.
        skeleton: the layout.

    Returns:
        (frames, people, 3); on straight lines where the root is missing, NaN for a person without any.

    Raises:
        SkeletonError: the layout has neither pelvis, hips, neck nor shoulders.
    """
    for joints in ROOTS:
        if all(joint in skeleton.joints for joint in joints):
            places = [skeleton.joints.index(joint) for joint in joints]
            return _filled(np.asarray(level[:, :, places].mean(axis=2)))
    raise SkeletonError(
        f"the root of a body is its pelvis, hips, neck or shoulders; {skeleton.name!r} has none of them"
    )


def heading(level: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The direction that the body faces: the angle about the vertical from x to its front, (frames, people) radians.

    Without jumps of whole turns; 0 for a person of whom neither hips nor shoulders are known.
    """
    for left, right in PAIRS:
        if left in skeleton.joints and right in skeleton.joints:
            across = level[:, :, skeleton.joints.index(left)] - level[:, :, skeleton.joints.index(right)]
            # Left of the front is +90 degrees from it.
            angle = np.arctan2(-across[..., 0], across[..., 1])
            turned = np.zeros_like(angle)
            for person in range(angle.shape[1]):
                seen = np.flatnonzero(np.isfinite(angle[:, person]))
                if len(seen):
                    turned[:, person] = np.interp(np.arange(len(angle)), seen, np.unwrap(angle[seen, person]))
            return np.asarray(turned)
    return np.zeros(level.shape[:2])


def in_place(poses: Poses3D, smooth: float = 1.0) -> Poses3D:
    """The motion on the spot: each person's way over the ground taken out. Feet that stood slide then, as they must.

    Args:
        poses: in any space.
        smooth: seconds over which the way is averaged, so that the body's sway within that time stays; 0 keeps the
            root over one point throughout.

    Raises:
        SkeletonError: the layout has no root (see ``root_position``).
        ShapeError: ``smooth`` is negative.
    """
    if not (np.isfinite(smooth) and smooth >= 0):
        raise ShapeError(f"smooth must be 0 seconds or more, not {smooth}")
    level = to_level(poses.xyz.astype(np.float64), poses.space)
    way = root_position(level, poses.skeleton)
    way[..., 2] = 0
    way = smoothed(way, smooth * (poses.fps or USUAL_FPS))
    moved = level - np.nan_to_num(way - way[:1])[:, :, None]
    changed: dict[str, Any] = {"xyz": from_level(moved, poses.space), "reprojection_error": None}
    note = "put in place: way over the ground taken out" + (f", smoothed over {smooth:g} s" if smooth else "")
    return replace(poses, **changed, provenance=add_step(poses.provenance, note))


def smoothed(path: np.ndarray, frames: float) -> np.ndarray:
    """Running mean of a path (frames, ...), weighted by a bell curve; straight, even ways stay as they are."""
    from scipy.ndimage import gaussian_filter1d

    sigma = frames / np.sqrt(12)  # the spread of a plain window of that length
    pad = min(round(4 * sigma), len(path) - 1)
    if pad < 1 or sigma == 0:
        return path
    before, after = 2 * path[0] - path[pad:0:-1], 2 * path[-1] - path[-2 : -pad - 2 : -1]
    extended = np.concatenate([before, path, after])
    return np.asarray(gaussian_filter1d(extended, sigma, axis=0, mode="nearest", radius=pad)[pad : pad + len(path)])


def _filled(points: np.ndarray) -> np.ndarray:
    """Points (frames, people, 3) with gaps on straight lines and the ends held."""
    filled = points.copy()
    for person in range(points.shape[1]):
        seen = np.flatnonzero(np.isfinite(points[:, person, 0]))
        if len(seen):
            for axis in range(3):
                filled[:, person, axis] = np.interp(np.arange(len(points)), seen, points[seen, person, axis])
    return filled

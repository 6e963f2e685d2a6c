"""What several cameras saw, checked against the poses that were made from it."""

from __future__ import annotations

from collections.abc import Sequence

from lift3d.errors import ShapeError, SkeletonError
from lift3d.geometry.rigs import Rig
from lift3d.poses import Keypoints2D, Poses3D


def check_views(poses: Poses3D, keypoints: Sequence[Keypoints2D], rig: Rig) -> None:
    """Whether keypoints, one a camera of the rig, fit the poses.

    Raises:
        ShapeError: the counts of cameras or frames differ, or the poses are not in world space.
        SkeletonError: the layouts differ.
    """
    if poses.space != "world":
        raise ShapeError(f"the poses are in {poses.space} space; cameras of a rig need them in world space")
    if len(keypoints) != len(rig):
        raise ShapeError(f"keypoints of {len(keypoints)} cameras for a rig of {len(rig)} ({', '.join(rig.names)})")
    for camera, motion in zip(rig, keypoints, strict=True):
        if motion.frames != poses.frames:
            raise ShapeError(f"camera {camera.name!r} has {motion.frames} frames, the poses {poses.frames}")
        if motion.skeleton.joints != poses.skeleton.joints:
            raise SkeletonError(
                f"camera {camera.name!r} has layout {motion.skeleton.name!r}, the poses {poses.skeleton.name!r}: "
                "convert one to the other first"
            )


def match_person(poses: Poses3D, keypoints: Sequence[Keypoints2D], person: int) -> list[int | None]:
    """Index of a person of the poses among each camera's people, by track id, None where the camera has not got it.

    One person in the poses and one in the keypoints are the same whatever their ids.
    """
    track = poses.track_ids[person]
    return [
        motion.track_ids.index(track)
        if track in motion.track_ids
        else 0
        if poses.people == motion.people == 1
        else None
        for motion in keypoints
    ]

"""Joints that too few cameras saw, completed by the monocular lifter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike

import numpy as np

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.motion.gaps import USUAL_FPS
from lift3d.multiview.joint_completion import LiftedView, PersonCompletion, outwards
from lift3d.multiview.views import check_views, match_person
from lift3d.poses import SOURCES, Keypoints2D, Poses3D, add_step
from lift3d.skeletons import H36M17, Skeleton, conversion

LIFTED = SOURCES.index("lifted")
# What is left of a keypoint's confidence, and the confidence of a joint that no camera shows.
SEEN_CONFIDENCE, GUESSED_CONFIDENCE = 0.5, 0.1

Progress = Callable[[int, int], None]


def complete(
    poses: Poses3D,
    keypoints: Sequence[Keypoints2D],
    rig: Rig,
    checkpoint: str | PathLike[str] = "default",
    progress: Progress | None = None,
) -> Poses3D:
    """Fill missing joints with what a monocular lifter makes of each camera's keypoints.

    In every frame the lifted pose of each camera is aligned with the joints that are known, and the missing ones hang
    on the nearest joint up the skeleton. The cameras' answers are averaged, by how far each is off where the joint is
    known; where a stretch of missing frames meets known ones, it is drawn to them. From there the joint moves to where
    it agrees best with the line of sight of a camera that does see it, and with the length of its bone.

    Args:
        poses: triangulated, in world space; refined or with their short gaps filled, if that is wanted.
        keypoints: one a camera, in the order of ``rig.cameras``, in the layout of the poses; people are matched by
            track id, or are one person.
        rig: the cameras.
        checkpoint: of the lifter, as ``lift3d.lift`` takes it.
        progress: called with (clips lifted, clips in all), one a person and camera.

    Returns:
        The poses with source "lifted" where joints were missing and the lifter has them. Their sigma is the distance
        between lifter and triangulation where both exist; their confidence is half that of the keypoint, or 0.1 where
        no camera shows the joint. Joints that the lifter does not know, and frames with fewer than 4 known joints,
        stay missing.

    Raises:
        ShapeError, SkeletonError: the keypoints do not fit the poses or the rig, or their layout is not one that the
            lifter reads.
    """
    check_views(poses, keypoints, rig)
    change = conversion(H36M17, poses.skeleton)
    known_to_lifter = np.array([row.any() for row in change.weights])
    shape = poses.xyz.shape[:3]
    xyz = poses.xyz.astype(np.float64)
    confidence = poses.confidence.copy()
    sigma = np.full(shape, np.nan, np.float32) if poses.sigma is None else poses.sigma.copy()
    covariance = None if poses.covariance is None else poses.covariance.copy()
    missing = np.isnan(xyz[..., 0]) & known_to_lifter
    filled = np.zeros(shape, dtype=bool)
    count = np.zeros(shape, np.uint8) if poses.cameras_used is None else poses.cameras_used.copy()
    for person in range(poses.people):
        indices = match_person(poses, keypoints, person)
        if not missing[:, person].any():
            continue
        views = []
        for done, (camera, motion, index) in enumerate(zip(rig, keypoints, indices, strict=True)):
            if index is not None and (motion.confidence[:, index] > 0).any():
                own = motion.select(people=[index])
                views.append(LiftedView(camera, own, _lift(own, camera, checkpoint, poses.skeleton), xyz[:, person]))
            if progress is not None:
                progress(person * len(rig) + done + 1, poses.people * len(rig))
        if not views:
            continue
        fill = PersonCompletion(poses.skeleton, xyz[:, person], poses.fps or USUAL_FPS, views)
        for joint in outwards(poses.skeleton):
            if not missing[:, person, joint].any():
                continue
            frames, points, spread, seen = fill.complete(joint)
            xyz[frames, person, joint] = points
            sigma[frames, person, joint] = np.sqrt(np.trace(spread, axis1=-2, axis2=-1) / 3)
            if covariance is not None:
                covariance[frames, person, joint] = spread
            shown = np.stack([view.confidence[frames, joint] for view in views]).max(0)
            confidence[frames, person, joint] = np.where(seen > 0, SEEN_CONFIDENCE * shown, GUESSED_CONFIDENCE)
            count[frames, person, joint] = seen
            filled[frames, person, joint] = True
    source = (np.isfinite(poses.xyz[..., 0]) * SOURCES.index("measured")) if poses.source is None else poses.source
    return replace(
        poses,
        xyz=xyz,
        confidence=confidence,
        sigma=sigma,
        covariance=covariance,
        cameras_used=count,
        source=np.where(filled, LIFTED, source),
        provenance=add_step(poses.provenance, f"{int(filled.sum())} missing joints completed by the lifter"),
    )


def _lift(keypoints: Keypoints2D, camera: Camera, checkpoint: str | PathLike[str], skeleton: Skeleton) -> np.ndarray:
    """(frames, joints, 3) one person lifted from one camera, in the world and the layout of the poses."""
    from lift3d.lifting import lift

    lifted = lift(keypoints, checkpoint, camera).xyz[:, 0].astype(np.float64)
    world = (lifted - camera.t) @ camera.R
    return conversion(H36M17, skeleton).apply(world)

"""From the keypoints of several calibrated cameras to 3D poses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lift3d.errors import ShapeError
from lift3d.geometry.rigs import Rig
from lift3d.geometry.robust_triangulation import NOISE_POINTS, estimate_noise, triangulate_robustly
from lift3d.geometry.triangulation import triangulate_points
from lift3d.multiview.gather import Views, gather_views
from lift3d.multiview.main_person import body_sizes_in
from lift3d.multiview.swaps import exchange, find_swaps
from lift3d.poses import SOURCES, Keypoints2D, Poses3D, add_step

# Reprojection errors above this part of the people's size in the image are no detector's.
DOUBTFUL = 0.04
# Frames that are triangulated at a time: bounds memory beside the result, changes nothing in it.
CHUNK_FRAMES = 8192

Progress = Callable[[int, int], None]


def triangulate(
    keypoints: Sequence[Keypoints2D] | Mapping[str, Keypoints2D],
    rig: Rig,
    *,
    robust: bool = True,
    undo_swaps: bool = True,
    min_confidence: float = 0.0,
    one_person: bool | None = None,
    progress: Progress | None = None,
) -> Poses3D:
    """Triangulate the keypoints of several cameras.

    Args:
        keypoints: by camera name, where a camera of the rig may be left out; or one a camera in the rig's order.
            Frame k of one camera is frame k of all.
        rig: the calibrated cameras.
        robust: whether cameras that contradict the others are left out, joint by joint.
        undo_swaps: whether left and right that a detector exchanged are found and set right.
        min_confidence: keypoints of less confidence are not used.
        one_person: True takes the one person that all cameras agree on; False matches people by track id; None
            decides (``lift3d.multiview.gather.gather_views``).
        progress: called with (frames done, frames in all).

    Returns:
        Poses in the rig's world: confidence (the mean of the cameras used), covariance and sigma (root of the mean
        variance of the three axes), reprojection error and number of cameras of every joint. The pixel noise behind
        sigma is estimated from how far the cameras disagree on each joint. What all cameras get wrong in the same
        way, such as a detector that places the hips too high, no disagreement shows, and sigma leaves out.

    Raises:
        CameraError: a camera is not in the rig, or its images are not those that the keypoints are of.
        SkeletonError: the layouts differ.
        ShapeError: frame rates differ, there is nothing to see, or ``min_confidence`` is out of range.
        Lift3DError: fewer than two cameras, or people that cannot be matched.
    """
    views = gather_views(keypoints, rig, one_person)
    return triangulate_views(
        prepare_views(views, undo_swaps=undo_swaps, min_confidence=min_confidence), robust=robust, progress=progress
    )


def prepare_views(views: Views, *, undo_swaps: bool = True, min_confidence: float = 0.0) -> Views:
    """The views without keypoints of little confidence and with left and right where they belong.

    Raises:
        ShapeError: ``min_confidence`` is not within 0 and 1.
    """
    if not 0 <= min_confidence <= 1:
        raise ShapeError(f"min_confidence must be within 0 and 1, not {min_confidence}")
    xy = np.stack([motion.xy for motion in views.keypoints])
    weights = np.stack([motion.confidence for motion in views.keypoints])
    weights[weights < min_confidence] = 0
    notes = list(views.notes)
    skeleton = views.keypoints[0].skeleton
    if undo_swaps:
        count = 0
        for person in range(views.people):
            points, trust = xy[:, :, person], weights[:, :, person]
            if not ((trust > 0).sum(0) > 1).any():
                continue
            noise = estimate_noise(views.rig.cameras, points, trust)
            swaps = find_swaps(views.rig.cameras, points, trust, skeleton, noise)
            xy[:, :, person], weights[:, :, person] = (exchange(array, swaps, skeleton) for array in (points, trust))
            count += sum(int(found.sum()) for found in swaps.values())
        notes.append(f"left and right exchanged by the detector and set right: {count} times a part of the body")
    keypoints = tuple(
        replace(motion, xy=np.where(trust[..., None] > 0, points, np.float32(np.nan)), confidence=trust)
        for motion, points, trust in zip(views.keypoints, xy, weights, strict=True)
    )
    return replace(views, keypoints=keypoints, notes=tuple(notes))


def triangulate_views(views: Views, *, robust: bool = True, progress: Progress | None = None) -> Poses3D:
    """Poses from keypoints that fit together; as ``triangulate``."""
    cameras, first = views.rig.cameras, views.keypoints[0]
    shape = (views.frames, views.people, len(first.skeleton))
    xyz = np.full((*shape, 3), np.nan, np.float32)
    covariance = np.full((*shape, 3, 3), np.nan, np.float32)
    error, confidence = np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32)
    count = np.zeros(shape, np.uint8)
    work = triangulate_robustly if robust else triangulate_points
    noises = []
    done = 0
    for person in range(views.people):
        noise = _noise(views, person)
        noises.append(noise)
        for start in range(0, views.frames, CHUNK_FRAMES):
            part = (slice(start, start + CHUNK_FRAMES), person)
            points = np.stack([motion.xy[part] for motion in views.keypoints])
            trust = np.stack([motion.confidence[part] for motion in views.keypoints])
            found = work(cameras, points, trust, noise)
            xyz[part], covariance[part], error[part] = found.points, found.covariance, found.reprojection_error
            count[part] = found.used.sum(0)
            confidence[part] = (trust * found.used).sum(0) / np.maximum(count[part], 1)
            done += len(points[0])
            if progress is not None:
                progress(done, views.frames * views.people)
    provenance: dict[str, Any] = {
        "cameras": {camera.name: motion.provenance for camera, motion in zip(views.rig, views.keypoints, strict=True)},
        "pixel_noise": {
            str(track): {
                joint: round(float(value), 3) for joint, value in zip(first.skeleton.joints, noise, strict=True)
            }
            for track, noise in zip(first.track_ids, noises, strict=True)
        },
    }
    doubt = _doubt(views, error)
    kind = "robustly" if robust else "by least squares over all cameras"
    for note in (
        *views.notes,
        f"triangulated {kind} from {len(cameras)} cameras: {', '.join(views.rig.names)}",
        *doubt,
    ):
        provenance = add_step(provenance, note)
    return Poses3D(
        xyz,
        confidence=confidence,
        skeleton=first.skeleton,
        fps=first.fps,
        track_ids=first.track_ids,
        space="world",
        sigma=np.sqrt(np.trace(covariance, axis1=-2, axis2=-1) / 3),
        reprojection_error=error,
        covariance=covariance,
        cameras_used=count,
        source=np.where(np.isfinite(error), SOURCES.index("measured"), SOURCES.index("missing")),
        provenance=provenance,
    )


def _doubt(views: Views, error: np.ndarray) -> list[str]:
    """A warning where the cameras contradict each other by more than a detector errs."""
    sizes = np.array([body_sizes_in(motion) for motion in views.keypoints])
    if not (np.isfinite(error).any() and np.isfinite(sizes).any()):
        return []
    share = float(np.nanmedian(error) / np.nanmedian(sizes))
    if share < DOUBTFUL:
        return []
    return [
        f"warning: the cameras contradict each other by {share:.0%} of the people's size in the image, and detectors "
        "err by about 2%: do the names of the cameras, the rig and the frames belong together?"
    ]


def _noise(views: Views, person: int) -> np.ndarray:
    """(joints,) pixels; 1 where no two cameras see the person."""
    # Evenly spread frames, taken here so that a long clip is not copied for them.
    step = max(1, views.frames * len(views.keypoints[0].skeleton) // NOISE_POINTS)
    points = np.stack([motion.xy[::step, person] for motion in views.keypoints])
    trust = np.stack([motion.confidence[::step, person] for motion in views.keypoints])
    if not ((trust > 0).sum(0) > 1).any():
        return np.ones(points.shape[2], np.float32)
    return estimate_noise(views.rig.cameras, points, trust).astype(np.float32)


def describe(poses: Poses3D, views: Views) -> dict[str, Any]:
    """Summary of triangulated poses for people and machines: how well the cameras agree, what is missing, notes."""
    errors = {}
    for camera, motion in zip(views.rig, views.keypoints, strict=True):
        middles = [
            np.linalg.norm(
                camera.project(poses.xyz[start : start + CHUNK_FRAMES]) - motion.xy[start : start + CHUNK_FRAMES],
                axis=-1,
            )
            for start in range(0, views.frames, CHUNK_FRAMES)
        ]
        known = np.concatenate([middle[np.isfinite(middle)].astype(np.float32) for middle in middles])
        errors[camera.name] = round(float(np.median(known)), 2) if len(known) else None
    seen = np.sum([motion.confidence > 0 for motion in views.keypoints], axis=0)
    used = poses.cameras_used if poses.cameras_used is not None else np.zeros(seen.shape)
    made = np.isfinite(poses.xyz).all(-1)
    judged = int(seen[made].sum())
    return {
        "frames": poses.frames,
        "people": poses.people,
        "fps": poses.fps,
        "skeleton": poses.skeleton.name,
        "cameras": list(views.rig.names),
        "median_reprojection_error_pixels": errors,
        "joints": int(made.sum()),
        "joints_missing": int((~made).sum()),
        "keypoints_rejected": round(1 - float(used[made].sum()) / judged, 4) if judged else None,
        "mean_sigma_metres": (
            round(float(np.nanmean(poses.sigma)), 4) if poses.sigma is not None and made.any() else None
        ),
        "notes": poses.provenance.get("steps", []),
    }

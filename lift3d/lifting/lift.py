"""From 2D keypoints and a checkpoint to 3D poses in camera space."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
import torch

from lift3d.errors import CheckpointError, Lift3DError, ShapeError
from lift3d.geometry.cameras import Camera
from lift3d.lifting.encoding import make_encoder
from lift3d.lifting.normalization import REFERENCE_HEIGHT
from lift3d.lifting.placement import USUAL_FPS, Placement
from lift3d.lifting.rate import plan_rate
from lift3d.lifting.refinement import allow_for_refinement
from lift3d.lifting.relative import RelativeLifter
from lift3d.models.checkpoint import CheckpointInfo, load_checkpoint
from lift3d.models.inference import make_predictor
from lift3d.poses import Keypoints2D, Poses3D, add_step
from lift3d.skeletons import Skeleton, get_skeleton

# Frames of the clip that are lifted at a time: bounds memory, changes no result.
CHUNK_FRAMES = 4096
# A person who is not seen for longer than this, in seconds, has no pose: the network would only be guessing.
LONGEST_GAP = 0.5


def lift(
    keypoints: Keypoints2D,
    checkpoint: str | PathLike[str] = "default",
    camera: Camera | None = None,
    height: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Poses3D:
    """Lift 2D keypoints of one camera to 3D.

    Every person of every frame gets a pose in the Human3.6M-17 layout, in camera space, in metres. Depth and scale
    cannot be seen in one camera: the pose is scaled to a person of ``height``, and stands where it projects onto the
    2D. Joints that the detector did not see are the network's guess and have confidence 0.

    Args:
        keypoints: of any layout with enough joints of the human body.
        checkpoint: "default", which ships with lift3d, or a .safetensors file.
        camera: the camera's intrinsics; None assumes a common field of view (and says so in the provenance).
        height: stature of the people in metres; None takes 1.70 m (default weights), or the scale that the
            checkpoint was trained on.
        progress: called with (frames done, frames in all).

    Returns:
        poses with confidence, reprojection error in pixels, the camera, and the keypoints they were made from. If the
        checkpoint knows its errors, also covariance (camera axes) and sigma (root of the mean variance along an axis,
        as triangulation has it) of each joint relative to the root, whose own are 0: how far off the pose is. How far
        off the person's stature and place are, which one camera cannot see, is not in them.

    Raises:
        SkeletonError: the layout lacks the joints that the network needs.
        ShapeError: there are no frames, no people or no keypoint at all.
        CheckpointError: the checkpoint cannot be read.
    """
    network, info = load_checkpoint(checkpoint)
    _check(keypoints, height, camera)
    camera_known = camera is not None
    camera, camera_note = (camera, f"camera {camera.name!r} as given") if camera else _assume_camera(keypoints)
    output = get_skeleton(info.output_skeleton)
    plan = plan_rate(keypoints.fps, info.fps)
    encoder = make_encoder(keypoints, info, camera, camera_known, plan)
    if network.config.features_in != encoder.features:
        raise CheckpointError(
            f"{checkpoint}: normalization {info.normalization!r} has {encoder.features} numbers a joint, but the "
            f"network reads {network.config.features_in}"
        )
    scale, scale_note = _scale(info, height)

    temperature = torch.tensor(info.sigma.get("temperature", (1.0, 1.0, 1.0)))
    lifter = RelativeLifter(make_predictor(network), encoder, output, temperature)
    xyz, covariance = lifter.whole_clip(_present(keypoints), CHUNK_FRAMES, progress)
    place = Placement(keypoints, camera, output, CHUNK_FRAMES)
    place.move_to_camera(xyz)
    # Whatever the scale, the pose projects onto the same 2D.
    xyz *= scale
    sigma = None
    if covariance is not None:
        allow_for_refinement(covariance)
        covariance *= np.float32(scale**2)
        # Where the person has no place in space, there is no pose.
        covariance[np.isnan(xyz[..., 0])] = np.nan
        sigma = np.sqrt(np.trace(covariance, axis1=-2, axis2=-1) / 3)
    provenance = keypoints.provenance
    rate_note = plan.describe(keypoints.fps, info.fps)
    notes = [encoder.change.describe(), rate_note, camera_note, scale_note]
    if sigma is not None:
        notes.append(_sigma_note(info, output))
    for note in notes:
        provenance = add_step(provenance, note)
    return Poses3D(
        xyz,
        confidence=place.confidence(),
        skeleton=output,
        fps=keypoints.fps,
        track_ids=keypoints.track_ids,
        space="camera",
        sigma=sigma,
        covariance=covariance,
        reprojection_error=place.reprojection_error(xyz),
        camera=camera,
        keypoints=keypoints,
        provenance={**provenance, "checkpoint": str(checkpoint), "checkpoint_card": info.card},
    )


def _check(keypoints: Keypoints2D, height: float | None, camera: Camera | None) -> None:
    if keypoints.frames == 0 or keypoints.people == 0:
        raise ShapeError(f"nothing to lift: {keypoints.frames} frames of {keypoints.people} people")
    if not (keypoints.confidence > 0).any():
        raise ShapeError("nothing to lift: every keypoint of every frame is missing")
    if height is not None and not 0.3 <= height <= 2.8:
        raise Lift3DError(f"height must be a person's stature in metres (0.3 to 2.8), not {height}")
    if camera is not None and camera.image_size and keypoints.image_size and camera.image_size != keypoints.image_size:
        raise Lift3DError(
            f"camera {camera.name!r} has images of {camera.image_size} pixels, the keypoints {keypoints.image_size}: "
            "give the camera of these images, or keypoints of full resolution"
        )


def _assume_camera(keypoints: Keypoints2D) -> tuple[Camera, str]:
    """A camera of common field of view, for the image size if known and else for the extent of the keypoints."""
    if keypoints.image_size is not None:
        camera = Camera.assumed(keypoints.image_size)
        return camera, f"camera unknown: focal length of {camera.K[0, 0]:.0f} pixels assumed"
    low, high = np.nanmin(keypoints.xy, (0, 1, 2)), np.nanmax(keypoints.xy, (0, 1, 2))
    # People seldom touch all edges of the image, and the image starts at 0 unless keypoints were cropped.
    width, height = (float(np.ceil(max(1.0, size))) for size in np.maximum(high + np.maximum(low, 0) * 0.5, high - low))
    camera = Camera.assumed((int(width), int(height)))
    return camera, (
        f"image size unknown: taken as {width:.0f}x{height:.0f} from the extent of the keypoints, focal length "
        f"of {camera.K[0, 0]:.0f} pixels assumed; give the image size for a better place in space"
    )


def _scale(info: CheckpointInfo, height: float | None) -> tuple[float, str]:
    trained = info.height if info.height is not None else REFERENCE_HEIGHT
    if height is not None:
        return height / trained, f"scaled to a stature of {height:.2f} m as given"
    if info.height is not None:
        return 1.0, f"stature unknown: scaled to {trained:.2f} m"
    return 1.0, "stature unknown: scale as the checkpoint was trained"


def _sigma_note(info: CheckpointInfo, output: Skeleton) -> str:
    note = f"error bars are of joints relative to the {output.joints[0]}, for the stature above"
    if not info.sigma:
        return f"{note}; the checkpoint's were not calibrated"
    multiple = info.sigma.get("interval_95")
    return note if multiple is None else f"{note}; {multiple:.1f} sigma hold 95 % of the errors"


def _present(keypoints: Keypoints2D) -> np.ndarray:
    """(frames, people) bool: the person is seen, or was and will be within LONGEST_GAP."""
    seen = np.asarray((keypoints.confidence > 0).any(-1))
    frames = np.arange(len(seen))[:, None]
    last = np.maximum.accumulate(np.where(seen, frames, -len(seen) * 2), axis=0)
    following = np.minimum.accumulate(np.where(seen, frames, len(seen) * 3)[::-1], axis=0)[::-1]
    longest = LONGEST_GAP * (keypoints.fps or USUAL_FPS)
    return np.asarray(following - last <= longest + 1)


def describe(poses: Poses3D) -> dict[str, Any]:
    """Summary of a lifted clip for people and machines: frames, people, depth, reprojection error, sigma, notes."""
    error = poses.reprojection_error
    seen = np.isfinite(poses.xyz[..., 0, :]).all(-1)
    depth = poses.xyz[..., 0, 2][seen]
    return {
        "frames": poses.frames,
        "people": poses.people,
        "fps": poses.fps,
        "skeleton": poses.skeleton.name,
        "lifted": int(seen.sum()),
        "depth_metres": [round(float(depth.min()), 3), round(float(depth.max()), 3)] if depth.size else None,
        "reprojection_error_pixels": (
            None if error is None or np.isnan(error).all() else round(float(np.nanmedian(error)), 2)
        ),
        # The root's is 0 by definition.
        "median_sigma_metres": (
            round(float(np.nanmedian(poses.sigma[:, :, 1:])), 4) if poses.sigma is not None and seen.any() else None
        ),
        "notes": poses.provenance.get("steps", []),
    }

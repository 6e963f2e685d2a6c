"""What a checkpoint makes of the clips of a prepared set: its poses as the network gives them, with their sigma."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.pose_sets import Clip
from lift3d.errors import SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.lifting.encoding import Encoder, make_encoder
from lift3d.lifting.rate import blend_phases, plan_rate
from lift3d.lifting.relative import lift_both_ways
from lift3d.models.checkpoint import CheckpointInfo, load_checkpoint
from lift3d.models.inference import make_predictor
from lift3d.poses import Keypoints2D
from lift3d.skeletons import Skeleton, conversion, get_skeleton, make_skeleton

# Frames of a clip that are lifted at a time: bounds memory, changes no result.
CHUNK_FRAMES = 4096


@dataclass(frozen=True)
class LiftedClip:
    """The poses of a clip.

    Attributes:
        joints: (frames, joints, 3) metres, camera axes, relative to whatever the network's poses are relative to; of a
            root-trajectory network (frames, 1, 3), the root in camera space.
        sigma: (frames, joints, 3) standard deviation along each of ``axes``, metres; None if the network has none.
        axes: (frames, 3, 3) rotation from camera axes to those of sigma: the network's own.
    """

    joints: np.ndarray
    sigma: np.ndarray | None
    axes: np.ndarray


class ClipLifter:
    """The network of a checkpoint at work on whole clips; their ends are repeated, as VideoPose3D does.

    Args:
        checkpoint: "default" or a .safetensors file.
        keypoints: the layout of the clips' 2D.
        flip: average with the result of the mirrored clip.
        output: what the network must give, "pose" or "root".

    Raises:
        CheckpointError: the checkpoint cannot be read, or gives something else.
        SkeletonError: the layout of the clips cannot give what the network reads.
    """

    def __init__(self, checkpoint: str | PathLike[str], keypoints: Skeleton, flip: bool, output: str = "pose") -> None:
        self.network, self.info = load_checkpoint(checkpoint, output)
        layout = get_skeleton(self.info.output_skeleton)
        self.output = layout if output == "pose" else make_skeleton(layout.joints[0], {layout.joints[0]: None})
        self.flip, self.keypoints = flip, keypoints
        self._predictor = make_predictor(self.network)
        _require_joints(str(checkpoint), keypoints, self.info)

    def lift(self, clip: Clip) -> LiftedClip:
        """The poses of a clip. Raises SkeletonError if a joint that the network cannot do without is never seen."""
        keypoints = clip_keypoints(clip, self.keypoints)
        plan = plan_rate(keypoints.fps, self.info.fps)
        encoder = make_encoder(keypoints, self.info, clip_camera(clip), True, plan)
        parts = [
            self._stretch(encoder, start, min(start + CHUNK_FRAMES, keypoints.frames))
            for start in range(0, keypoints.frames, CHUNK_FRAMES)
        ]
        joints, axes = (np.concatenate([part[k] for part in parts]) for k in (0, 2))
        sigma = None
        if parts[0][1] is not None:
            variance = np.concatenate([part[1] for part in parts if part[1] is not None])
            sigma = np.sqrt(blend_phases(variance, plan.phases))
        return LiftedClip(blend_phases(joints, plan.phases), sigma, axes)

    def seen(self, clip: Clip) -> np.ndarray:
        """(frames, output joints) bool, whether the detector saw what shows the joint."""
        return np.asarray(conversion(self.keypoints, self.output).apply_confidence(clip.confidence) > 0)

    def _stretch(self, encoder: Encoder, start: int, stop: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Joints in camera axes, variance in the network's axes, and those axes, of clip frames start to stop."""
        plan = encoder.plan
        first, last = start * plan.insert // plan.phases, (stop - 1) * plan.insert // plan.phases
        inputs = encoder.encode(first - self._predictor.past, last + 1 + self._predictor.future)[0]
        if self.flip:
            lifted = lift_both_ways(self._predictor, inputs, encoder, first, self.output)
        else:
            lifted = self._predictor(inputs, first, encoder.end)

        def timeline(values: Tensor) -> np.ndarray:
            """(phases, frames, ...) interleaved, and the frames of the clip of them."""
            frames = values.transpose(0, 1).flatten(0, 1).numpy()
            offset = start * plan.insert - first * plan.phases
            return np.asarray(frames[offset : offset + (stop - start - 1) * plan.insert + 1 : plan.insert])

        # Three unit vectors along the network's axes, turned to the camera's: the rows of the rotation between them.
        units = torch.eye(3).expand(1, *lifted.joints.shape[:2], 3, 3)
        axes = encoder.to_camera_axes(units, first)[0]
        joints = encoder.to_camera_axes(lifted.joints[None], first)[0]
        variance = None if lifted.sigma is None else timeline(lifted.sigma.square())
        return timeline(joints), variance, timeline(axes)


def clip_keypoints(clip: Clip, skeleton: Skeleton) -> Keypoints2D:
    """The 2D of a clip as one person's keypoints."""
    return Keypoints2D(
        clip.xy[:, None],
        clip.confidence[:, None],
        skeleton=skeleton,
        fps=clip.recording.fps,
        image_size=clip.camera.image_size,
    )


def clip_camera(clip: Clip) -> Camera:
    """The clip's camera without its place: poses are in its space already."""
    camera = clip.camera
    return Camera(camera.K, camera.distortion, image_size=camera.image_size, name=camera.name, fisheye=camera.fisheye)


def _require_joints(checkpoint: str, source: Skeleton, info: CheckpointInfo) -> None:
    """Raise SkeletonError if the set's 2D layout lacks what the network reads: one of "image" reads every joint."""
    target = get_skeleton(info.input_skeleton)
    change = conversion(source, target)
    if info.normalization == "image" and change.missing:
        raise SkeletonError(
            f"{checkpoint} reads all joints of {target.name!r}, and the set's 2D ({source.name!r}) has no "
            f"{', '.join(change.missing)}: prepare the set with other 2D, or take another checkpoint"
        )

"""Network inputs of stretches of a clip, in the two normalizations that checkpoints know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lift3d.errors import SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.lifting.normalization import BodyMoments, BodyView, body_view, encode, measure_body
from lift3d.lifting.rate import RatePlan, insert_frames
from lift3d.models.checkpoint import CheckpointInfo
from lift3d.poses import Keypoints2D
from lift3d.skeletons import LIFTER23, Conversion, conversion, get_skeleton

# Frames read at a time while the whole clip is measured.
_CHUNK = 8192


class Encoder(ABC):
    """Turns frames of a clip into network input.

    Time runs at the network's rate: frame q of interleaved clip r is frame q * phases + r of the clip with its
    inserted frames. Frames before the first and after the last repeat them.

    Attributes:
        features: numbers a joint of the input.
    """

    features: ClassVar[int]

    def __init__(self, keypoints: Keypoints2D, change: Conversion, plan: RatePlan) -> None:
        self.keypoints, self.plan = keypoints, plan
        # Joints guessed beyond the seen ones (the top of the head from the ears) would only be noise to the network.
        guessed = np.asarray((change.weights < 0).any(axis=1))
        self.change = Conversion(
            change.source,
            change.target,
            np.where(guessed[:, None], 0.0, change.weights),
            change.measured,
            tuple(joint for joint in change.estimated if not guessed[change.target.index(joint)]),
            tuple(j for k, j in enumerate(change.target.joints) if j in change.missing or guessed[k]),
        )
        self.length = (keypoints.frames - 1) * plan.insert + 1
        # Frames of each interleaved clip.
        self.end = -(-self.length // plan.phases)

    def _frames(self, first: int, last: int) -> np.ndarray:
        """(phases, last - first) frames of the clip with inserted frames, the ends repeated."""
        q, r = np.arange(first, last), np.arange(self.plan.phases)[:, None]
        return np.asarray(np.clip(q * self.plan.phases + r, 0, self.length - 1))

    def _read(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (people, phases, frames, joints, 2) and confidence (...) of frames ``first`` to ``last``."""
        wanted = self._frames(first, last)
        insert = self.plan.insert
        low, high = int(wanted.min()) // insert, -(-int(wanted.max()) // insert)
        stretch = slice(low, high + 1)
        xy = insert_frames(self.change.apply(self.keypoints.xy[stretch]), insert)
        confidence = insert_frames(self.change.apply_confidence(self.keypoints.confidence[stretch]), insert)
        confidence = np.where(np.isfinite(xy).all(-1), confidence, 0)
        index = wanted - low * insert
        return np.moveaxis(xy[index], 2, 0), np.moveaxis(confidence[index], 2, 0)

    @abstractmethod
    def encode(self, first: int, last: int) -> Tensor:
        """Network input (people, phases, last - first, joints, features)."""

    @abstractmethod
    def mirror(self, inputs: Tensor) -> Tensor:
        """Inputs (batch, frames, joints, features) of the mirrored person."""

    @abstractmethod
    def to_camera_axes(self, poses: Tensor, first: int) -> Tensor:
        """Network outputs (people, phases, frames from ``first``, joints, 3) turned to the axes of the camera."""

    @abstractmethod
    def covariance_to_camera_axes(self, variance: Tensor, first: int) -> Tensor:
        """Covariances (..., joints, 3, 3) in the axes of the camera of variances (..., joints, 3) in the network's."""


def make_encoder(
    keypoints: Keypoints2D, info: CheckpointInfo, camera: Camera, camera_known: bool, plan: RatePlan
) -> Encoder:
    """The clip as a checkpoint's network takes it.

    Args:
        keypoints: the clip.
        info: the checkpoint.
        camera: where the keypoints were seen, for person-centred input.
        camera_known: whether its focal length is more than assumed.
        plan: how the clip meets the network's rate.

    Raises:
        SkeletonError: the layout lacks joints that the network needs, or the image size is unknown and needed.
    """
    change = conversion(keypoints.skeleton, get_skeleton(info.input_skeleton))
    if info.normalization == "person":
        return PersonEncoder(keypoints, change, camera, camera_known, plan)
    return ImageEncoder(keypoints, change, plan)


class PersonEncoder(Encoder):
    """Person-centred input; see lift3d.lifting.normalization."""

    features = 3

    def __init__(
        self, keypoints: Keypoints2D, change: Conversion, camera: Camera, camera_known: bool, plan: RatePlan
    ) -> None:
        super().__init__(keypoints, change, plan)
        if change.target is not LIFTER23:
            raise SkeletonError(
                f"person-centred input is of the layout {LIFTER23.name!r}; this checkpoint says {change.target.name!r}"
            )
        self.camera = camera
        self.camera_known = torch.tensor(camera_known)
        self.view = self._measure()

    def _plane(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        xy, confidence = self._read(first, last)
        plane = torch.from_numpy(self.camera.unproject(xy)).float()
        return plane, torch.from_numpy(confidence).float()

    def _measure(self) -> BodyView:
        """The view of the body over the whole clip: a few numbers a frame, read in chunks."""
        chunks = [
            measure_body(*self._plane(first, min(first + _CHUNK, self.end))) for first in range(0, self.end, _CHUNK)
        ]
        return body_view(
            BodyMoments(
                torch.cat([chunk.centre for chunk in chunks], dim=2),
                torch.cat([chunk.seen for chunk in chunks], dim=2),
                torch.cat([chunk.in_image for chunk in chunks], dim=2),
                torch.cat([chunk.in_metres for chunk in chunks], dim=2),
            )
        )

    def _view(self, first: int, last: int) -> BodyView:
        index = torch.arange(first, last).clamp(0, self.end - 1)
        return BodyView(self.view.rotation[:, :, index], self.view.scale[:, :, index])

    def encode(self, first: int, last: int) -> Tensor:
        plane, confidence = self._plane(first, last)
        known = self.camera_known.expand(plane.shape[:2])
        return encode(plane, confidence, self._view(first, last), known)

    def mirror(self, inputs: Tensor) -> Tensor:
        order = [*self.change.target.mirror_order, len(self.change.target)]
        mirrored = inputs[:, :, order].clone()
        mirrored[:, :, :-1, 0] *= -1
        return mirrored

    def to_camera_axes(self, poses: Tensor, first: int) -> Tensor:
        rotation = self._view(first, first + poses.shape[2]).rotation
        return poses @ rotation

    def covariance_to_camera_axes(self, variance: Tensor, first: int) -> Tensor:
        # x_view = R x_camera, so the covariance is R^T diag(variance) R.
        rotation = self._view(first, first + variance.shape[2]).rotation[..., None, :, :]
        return (rotation.mT * variance[..., None, :]) @ rotation


class ImageEncoder(Encoder):
    """VideoPose3D's input: pixels over half the image's width, the image's centre at 0, all joints known.

    Missing keypoints are interpolated over time, since these networks know no missing joints.
    """

    features = 2

    def __init__(self, keypoints: Keypoints2D, change: Conversion, plan: RatePlan) -> None:
        super().__init__(keypoints, change, plan)
        if keypoints.image_size is None:
            raise SkeletonError("this checkpoint needs the size of the images: give image_size (--image-size WxH)")
        if change.missing:
            raise SkeletonError(
                f"this checkpoint needs all joints of {change.target.name!r}; {change.source.name!r} has no "
                f"{', '.join(change.missing)}"
            )
        self.change = change
        xy = change.apply(keypoints.xy)
        for person in range(keypoints.people):
            for joint, name in enumerate(change.target.joints):
                if not _interpolate(xy[:, person, joint]):
                    raise SkeletonError(
                        f"this checkpoint needs every joint, and {name!r} of person {keypoints.track_ids[person]} is "
                        "never seen; the default checkpoint can do without"
                    )
        width, height = keypoints.image_size
        self.input = xy / np.float32(width / 2) - np.array([1, height / width], np.float32)

    def encode(self, first: int, last: int) -> Tensor:
        index = self._frames(first, last)
        insert = self.plan.insert
        low, high = int(index.min()) // insert, -(-int(index.max()) // insert)
        values = insert_frames(self.input[low : high + 1], insert)
        return torch.from_numpy(np.moveaxis(values[index - low * insert], 2, 0).copy())

    def mirror(self, inputs: Tensor) -> Tensor:
        return inputs[:, :, list(self.change.target.mirror_order)] * torch.tensor([-1.0, 1.0])

    def to_camera_axes(self, poses: Tensor, first: int) -> Tensor:
        return poses

    def covariance_to_camera_axes(self, variance: Tensor, first: int) -> Tensor:
        return torch.diag_embed(variance)


def _interpolate(path: np.ndarray) -> bool:
    """Fill the missing frames of a path (frames, 2) in place, linearly; False if there is no frame to fill from."""
    known = np.isfinite(path).all(-1)
    if not known.any():
        return False
    frames = np.arange(len(path))
    for axis in range(path.shape[1]):
        path[:, axis] = np.interp(frames, frames[known], path[known, axis])
    return True

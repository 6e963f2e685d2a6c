"""Windows of a prepared set as network input and target, in the two normalizations that checkpoints know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.windows import RawWindows
from lift3d.errors import ConfigurationError
from lift3d.lifting.normalization import REFERENCE_HEIGHT
from lift3d.skeletons import H36M17, LIFTER23, Skeleton, conversion
from lift3d.training import encoding_kernels as kernels
from lift3d.training.batches import Batch
from lift3d.training.body_rig import PROPORTIONS
from lift3d.training.compiled import over_windows
from lift3d.training.layout_mix import LayoutMix
from lift3d.training.window_encoding import encode_windows

# From the ankle to the top of the head, as a share of stature; the rest lies below the ankle.
ANKLE_TO_TOP = 0.955


@dataclass(frozen=True)
class Cut:
    """How the frames of an encoded window lie.

    Attributes:
        past, outputs, future: frames that the network wants before its outputs, poses, and frames after them.
        beyond: frames more on either side, which the encoding looks at but does not give.
    """

    past: int
    outputs: int
    future: int
    beyond: int = 0

    @property
    def frames(self) -> int:
        """Frames of a window before it is encoded."""
        return 2 * self.beyond + self.past + self.outputs + self.future

    @property
    def given(self) -> slice:
        """The frames that the network is given."""
        return slice(self.beyond, self.frames - self.beyond)

    @property
    def poses(self) -> slice:
        """The frames that the outputs stand for."""
        return slice(self.beyond + self.past, self.beyond + self.past + self.outputs)


class SetEncoding(ABC):
    """Turns windows into batches.

    Attributes:
        skeleton_in, skeleton_out: layouts of the network's input and output.
        cut: how the windows' frames lie.
    """

    def __init__(self, skeleton_2d: Skeleton, skeleton_3d: Skeleton, cut: Cut) -> None:
        self.cut = cut
        self.skeleton_in, self.skeleton_out = skeleton_2d, skeleton_3d
        self._to_out = LayoutMix(conversion(skeleton_2d, skeleton_3d), guesses=False)

    @abstractmethod
    def encode(self, windows: RawWindows, clean: RawWindows, focal: Tensor | None = None) -> Batch:
        """One batch.

        Args:
            windows: what the network sees.
            clean: the same windows before their keypoints were damaged: what losses in the image compare with.
            focal: (batch,) assumed over true focal length of windows whose camera is taken as unknown, 1 for the
                others; None if all cameras are known.
        """

    def _keypoints(self, clean: RawWindows) -> Tensor:
        """(batch, outputs, joints out, 3) pixels and confidence of the output's joints."""
        poses = self.cut.poses
        xy, confidence = self._to_out.keypoints(clean.xy[:, poses], clean.confidence[:, poses])
        return torch.cat([xy, confidence[:, :, None]], dim=2).permute(0, 3, 1, 2).contiguous()


class ImageEncoding(SetEncoding):
    """VideoPose3D's: x / width * 2 - 1 and y / width * 2 - height / width; missing keypoints are interpolated in time.

    Targets are in camera axes, metres, in the set's 3D layout.
    """

    def encode(self, windows: RawWindows, clean: RawWindows, focal: Tensor | None = None) -> Batch:
        given = self.cut.given
        size = windows.camera.image_size[:, None, None]
        xy = fill_gaps(windows.xy[:, given], windows.confidence[:, given])
        inputs = xy * (2 / size[..., :1]) - torch.cat(
            [torch.ones_like(size[..., :1]), size[..., 1:] / size[..., :1]], -1
        )
        joints = clean.xyz[:, self.cut.poses]
        axes = torch.eye(3).repeat(*joints.shape[:2], 1, 1)
        root = joints[:, :, 0].nan_to_num()
        return Batch(inputs, *_targets(joints, axes), windows.index, root, self._keypoints(clean), windows.camera)


class PersonEncoding(SetEncoding):
    """The person-centred input of ``lift3d.lifting.normalization``: LIFTER23 in, H36M17 out.

    Targets and root are in the view that looks at the body, for a body of REFERENCE_HEIGHT: person and distance are
    scaled together, so that everything is seen in the image where it was.
    """

    def __init__(self, skeleton_2d: Skeleton, skeleton_3d: Skeleton, cut: Cut) -> None:
        super().__init__(skeleton_2d, H36M17, cut)
        self.skeleton_in = LIFTER23
        self._to_in = LayoutMix(conversion(skeleton_2d, LIFTER23), guesses=False)
        change = conversion(skeleton_3d, H36M17)
        if not change.weights[0].any():
            raise ConfigurationError(f"data.normalization: 'person' needs the pelvis, which {skeleton_3d.name!r} lacks")
        self._to_target = LayoutMix(change, guesses=True)

    def encode(self, windows: RawWindows, clean: RawWindows, focal: Tensor | None = None) -> Batch:
        plane, confidence = self._to_in.keypoints(windows.xy, windows.confidence)
        camera = windows.camera
        lens = (part.numpy() for part in (camera.focal, camera.centre, camera.distortion))
        over_windows(kernels.undistort_keypoints, len(plane), *lens, plane.numpy(), confidence.numpy())
        known = torch.ones(len(plane), dtype=torch.bool)
        if focal is not None:
            known = focal == 1
            plane /= focal[:, None, None, None]
        inputs, rotation = encode_windows(plane, confidence, known, self.cut.given, self.cut.poses)
        joints = self._to_target.points(clean.xyz)
        joints = joints[:, self.cut.poses] * (REFERENCE_HEIGHT / stature(joints))[:, None, None, None]
        # Without the focal length nobody can say where the person is, nor where the joints fall in the image.
        root = joints[:, :, 0].nan_to_num() * known[:, None, None]
        keypoints = self._keypoints(clean) * known[:, None, None, None]
        return Batch(inputs, *_targets(joints, rotation), windows.index, root, keypoints, camera, rotation.mT)


def fill_gaps(xy: Tensor, confidence: Tensor) -> Tensor:
    """Missing keypoints interpolated linearly over time, the ends held; the window's mean keypoint if never seen.

    Args:
        xy: (batch, T, joints, 2); anything where missing.
        confidence: (batch, T, joints), 0 where missing.
    """
    filled = np.empty(xy.shape, np.float32)
    over_windows(kernels.fill_gaps, len(xy), xy.numpy(), confidence.numpy(), filled)
    return torch.from_numpy(filled)


# Segments of the layout H36M17 that add up to 95.5 % of stature, how much of each counts, and its share of a body.
_SEGMENTS: tuple[tuple[str, str, float, float], ...] = (
    ("left_hip", "left_knee", 0.5, PROPORTIONS["thigh"][0]),
    ("right_hip", "right_knee", 0.5, PROPORTIONS["thigh"][0]),
    ("left_knee", "left_ankle", 0.5, PROPORTIONS["shin"][0]),
    ("right_knee", "right_ankle", 0.5, PROPORTIONS["shin"][0]),
    ("pelvis", "spine", 1.0, PROPORTIONS["trunk"][0] * 0.48),
    ("spine", "thorax", 1.0, PROPORTIONS["trunk"][0] * 0.52),
    ("thorax", "head_top", 1.0, PROPORTIONS["head"][0]),
)
_STARTS = np.array([H36M17.index(start) for start, *_ in _SEGMENTS])
_ENDS = np.array([H36M17.index(end) for _, end, *_ in _SEGMENTS])
_COUNTED = torch.tensor([counted for *_, counted, _ in _SEGMENTS])
_SHARES = torch.tensor([counted * share for *_, counted, share in _SEGMENTS])


def stature(joints: Tensor) -> Tensor:
    """(batch,) height of each window's person, metres: mean lengths of legs, trunk and head over their share of it.

    Args:
        joints: (batch, frames, 17, 3) in the layout H36M17, NaN where missing. Segments that are never seen are left
            out; REFERENCE_HEIGHT where all are.
    """
    lengths = torch.empty(len(joints), len(_SEGMENTS))
    over_windows(kernels.segment_lengths, len(joints), joints.numpy(), _STARTS, _ENDS, lengths.numpy())
    known = ~lengths.isnan()
    total = torch.where(known, lengths * _COUNTED, 0.0).sum(-1)
    share = torch.where(known, _SHARES * (ANKLE_TO_TOP / _SHARES.sum()), 0.0).sum(-1)
    height = (total / share.clamp_min(1e-6)).clamp_min(0.1)
    return torch.where(known.any(-1), height, REFERENCE_HEIGHT)


def _targets(joints: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
    """Targets and their weights: joints (batch, outputs, joints, 3) from their root, turned (batch, outputs, 3, 3)."""
    target, weight = torch.empty(joints.shape), torch.empty(joints.shape[:-1])
    kernels.make_targets(joints.numpy(), rotation.contiguous().numpy(), target.numpy(), weight.numpy())
    return target, weight

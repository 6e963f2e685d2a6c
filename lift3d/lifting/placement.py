"""Root-relative poses put into camera space: the root's path, then what the 2D and the bones say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lift3d.errors import SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.lifting.refinement import (
    FOLLOWERS,
    bone_lengths,
    keep_bone_lengths,
    sight_corrections,
    sight_radius,
    spread_to_followers,
)
from lift3d.lifting.trajectory import fit_translation, smooth_depth
from lift3d.poses import Keypoints2D
from lift3d.skeletons import Skeleton, conversion

# Frame rate taken for a clip whose own is unknown, where seconds are needed.
USUAL_FPS = 30.0


def with_margins(array: np.ndarray, margin: int, size: int) -> Iterator[tuple[slice, int, np.ndarray]]:
    """Stretches of an array with their neighbours, for filters in place.

    Yields (the stretch, frames before it, the stretch with up to ``margin`` frames on either side). The frames before a
    stretch are as they were before they were yielded, whatever has been written to them since.
    """
    before = array[:0].copy()
    for start in range(0, len(array), size):
        stop = min(start + size, len(array))
        around = np.concatenate([before, array[start : stop + margin]])
        lead = len(before)
        before = around[: lead + stop - start][lead + stop - start - min(margin, stop) :].copy()
        yield slice(start, stop), lead, around


@dataclass(frozen=True)
class Placement:
    """Puts poses where they project onto the 2D, and compares the two.

    Attributes:
        keypoints: the 2D of the clip.
        camera: given or assumed.
        output: the layout of the poses.
        size: frames worked on at a time.
    """

    keypoints: Keypoints2D
    camera: Camera
    output: Skeleton
    size: int

    def _measured(self) -> list[tuple[int, int]]:
        """(output joint, keypoint) index pairs of the joints that the detector finds at the same place."""
        source = self.keypoints.skeleton
        return [(j, source.index(joint)) for j, joint in enumerate(self.output.joints) if joint in source.joints]

    def _placing(self) -> tuple[list[int], list[int]]:
        """Output joints and keypoints that say where the person is."""
        pairs = [pair for pair in self._measured() if self.output.joints[pair[0]] not in FOLLOWERS]
        if len(pairs) < 3:
            raise SkeletonError(
                f"{self.keypoints.skeleton.name!r} shares only {len(pairs)} joints of trunk and limbs with "
                f"{self.output.name!r}: too few to place the person in space"
            )
        return [joint for joint, _ in pairs], [source for _, source in pairs]

    def confidence(self) -> np.ndarray:
        """(frames, people, output joints): of the keypoints that show the joint, 0 for joints that none shows."""
        return conversion(self.keypoints.skeleton, self.output).apply_confidence(self.keypoints.confidence)

    def move_to_camera(self, xyz: np.ndarray) -> None:
        """Add the root's path to poses (frames, people, joints, 3) and refine them, in place."""
        joints, sources = self._placing()
        roots = self._roots(xyz, joints, sources)
        fps = self.keypoints.fps or USUAL_FPS
        for person in range(xyz.shape[1]):
            poses = xyz[:, person]
            poses += smooth_depth(_fill(roots[:, person]), fps).numpy()[:, None]
            self._follow_sight(poses, person, joints, sources, fps)
            lengths = bone_lengths(torch.from_numpy(poses), self.output)
            for start in range(0, len(poses), self.size):
                chunk = slice(start, start + self.size)
                points = torch.from_numpy(poses[chunk]).double()
                poses[chunk] = keep_bone_lengths(points, lengths, self.output).float().numpy()

    def _seen(self, frames: slice, people: slice | int, sources: list[int]) -> tuple[Tensor, Tensor]:
        """Keypoints on the plane z = 1 and their confidence."""
        plane = self.camera.unproject(self.keypoints.xy[frames, people][..., sources, :])
        confidence = self.keypoints.confidence[frames, people][..., sources]
        return torch.from_numpy(plane), torch.from_numpy(confidence).double()

    def _roots(self, xyz: np.ndarray, joints: list[int], sources: list[int]) -> Tensor:
        """The root of every pose (frames, people, 3), NaN where too little was seen."""
        roots = torch.empty(*xyz.shape[:2], 3)
        for start in range(0, len(xyz), self.size):
            chunk = slice(start, start + self.size)
            plane, confidence = self._seen(chunk, slice(None), sources)
            relative = torch.from_numpy(xyz[chunk][:, :, joints]).double()
            present = torch.isfinite(relative).all(-1)
            roots[chunk] = fit_translation(torch.nan_to_num(relative), plane, confidence * present).float()
        return roots

    def _follow_sight(self, poses: np.ndarray, person: int, joints: list[int], sources: list[int], fps: float) -> None:
        """Draw one person's poses (frames, joints, 3) towards the lines of sight, in place."""
        names = [self.output.joints[joint] for joint in joints]
        for chunk, lead, around in with_margins(poses, sight_radius(fps), self.size):
            frames = slice(chunk.start - lead, chunk.start - lead + len(around))
            plane, confidence = self._seen(frames, person, sources)
            corrections = sight_corrections(torch.from_numpy(around[:, joints]).double(), plane, confidence, fps)
            corrections = corrections[lead : lead + chunk.stop - chunk.start]
            poses[chunk, :, :2] += spread_to_followers(corrections, names, self.output).float().numpy()

    def reprojection_error(self, xyz: np.ndarray) -> np.ndarray:
        """(frames, people, joints) pixels between the projected joint and its keypoint, NaN where there is none."""
        error = np.full(xyz.shape[:3], np.nan, np.float32)
        intrinsics = Camera(self.camera.K, self.camera.distortion, fisheye=self.camera.fisheye)
        joints, sources = (list(index) for index in zip(*self._measured(), strict=True))
        for start in range(0, len(xyz), self.size):
            chunk = slice(start, start + self.size)
            pixels = intrinsics.project(xyz[chunk][:, :, joints])
            error[chunk][:, :, joints] = np.linalg.norm(pixels - self.keypoints.xy[chunk][:, :, sources], axis=-1)
        return error


def _fill(path: Tensor) -> Tensor:
    """A root path (frames, 3) with its missing frames interpolated between, and held before and after, known ones."""
    known = torch.isfinite(path).all(-1)
    if known.all() or not known.any():
        return path
    frames = np.arange(len(path))
    columns = [np.interp(frames, frames[known], path[known, axis]) for axis in range(3)]
    return torch.from_numpy(np.stack(columns, axis=-1)).float()

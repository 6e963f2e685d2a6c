"""Recorded human motion from many sources in one set of joints, packed for fast random windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.motion_capture_files import find_motion, read_joints, resample
from lift3d.datasets.motion_capture_joints import guess_toes, place_joints
from lift3d.errors import FileFormatError, SkeletonError
from lift3d.io.hdf5_files import member_names
from lift3d.skeletons import H36M17, get_skeleton

# The joints that every source has, or that can be placed from what it has.
BANK_JOINTS = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "right_toe", "left_hip", "left_knee", "left_ankle", "left_toe",
    "spine", "neck_base", "head_top", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist",
)  # fmt: skip
BANK_FPS = 60.0
# A bank is held in memory, 216 bytes a frame: these are 92 hours.
MAX_FRAMES = 20_000_000


@dataclass(frozen=True)
class MotionBank:
    """Clips one after the other, all in memory.

    Attributes:
        positions: (frames, joints of BANK_JOINTS, 3) float32, metres, Z up, at BANK_FPS.
        starts, lengths: (clips,) int64, where each clip lies.
        weights: (clips,) float64, how often a clip is drawn, relative to others.
        names: one a clip, ``file/clip``.
    """

    positions: Tensor
    starts: Tensor
    lengths: Tensor
    weights: Tensor
    names: tuple[str, ...]


def load_motion_bank(
    sources: Iterable[tuple[str | Path, float]], keep: Callable[[str, str], bool] = lambda clip, subject: True
) -> MotionBank:
    """Read motion into memory: up to ``MAX_FRAMES`` frames, of which a minute takes 0.8 MB.

    Args:
        sources: (source, weight) pairs; a clip is drawn in proportion to weight times its duration. A source is a file
            of BVH, AMC, C3D or HDF5 clips or a folder of such (``lift3d.datasets.motion_capture_files``), or a set that
            ``lift3d prepare`` made of poses in world space; as Human3.6M's joints have no toes, those of such a set
            are put where feet at rest have them.
        keep: of a clip's name and its subject, whether to take it.

    Raises:
        FileFormatError: a source is missing, a clip lacks a field or a joint, or they are too long together.
    """
    clips: list[np.ndarray] = []
    weights: list[float] = []
    names: list[str] = []
    frames = 0
    files = [(Path(path), weight) for path, weight in sources]
    for path, weight in files:
        for name, clip in _read_clips(path, keep):
            frames += len(clip)
            if frames > MAX_FRAMES:
                raise FileFormatError(path, f"a bank of motion is held in memory, and {MAX_FRAMES} frames are the most")
            clips.append(clip)
            weights.append(weight * len(clip))
            names.append(name)
    if not clips:
        raise FileFormatError(", ".join(str(path) for path, _ in files), "no clip was kept")
    lengths = torch.tensor([len(clip) for clip in clips])
    return MotionBank(
        torch.from_numpy(np.concatenate(clips)),
        lengths.cumsum(0) - lengths,
        lengths,
        torch.tensor(weights, dtype=torch.float64),
        tuple(names),
    )


def _read_clips(path: Path, keep: Callable[[str, str], bool]) -> Iterator[tuple[str, np.ndarray]]:
    """Names and joints (frames, BANK_JOINTS, 3) float32 at BANK_FPS of the clips that are kept."""
    if not path.exists():
        raise FileFormatError(path, "there is no such motion file")
    if path.is_file() and {"poses", "recordings"} <= set(member_names(path)):
        yield from _read_pose_set(path, keep)
        return
    for entry in find_motion(path):
        clip = entry.clip or entry.name
        if keep(clip, entry.subject):
            joints = read_joints(entry, BANK_JOINTS, BANK_FPS).positions
            yield f"{path.stem}/{clip}", _whole(joints, entry.path, clip)


def _read_pose_set(path: Path, keep: Callable[[str, str], bool]) -> Iterator[tuple[str, np.ndarray]]:
    from lift3d.datasets.pose_sets import open_pose_set

    with open_pose_set(path) as pose_set:
        if pose_set.info.space != "world":
            raise FileFormatError(path, "the poses are in camera space, where up is unknown", "info.space")
        names = get_skeleton(pose_set.info.skeleton_3d).joints
        for number, entry in enumerate(pose_set.recordings):
            if not keep(entry.name, entry.subject):
                continue
            xyz = pose_set.rows("poses/xyz", entry.start, entry.start + entry.frames).astype(np.float64)
            try:
                body = place_joints(names, xyz, H36M17.joints)
            except SkeletonError as error:
                raise FileFormatError(path, str(error), f"recordings[{number}]") from error
            toes = guess_toes(body)
            body = np.concatenate([body, toes], axis=1)
            placed = place_joints((*H36M17.joints, "left_toe", "right_toe"), body, BANK_JOINTS)
            yield f"{path.stem}/{entry.name}", _whole(resample(placed, entry.fps, BANK_FPS), path, entry.name)


def _whole(positions: np.ndarray, path: str | PathLike[str], clip: str) -> np.ndarray:
    """As float32. Raises FileFormatError if a joint is missing somewhere."""
    missing = ~np.isfinite(positions).all(axis=(0, 2))
    if missing.any():
        joints = ", ".join(joint for joint, gone in zip(BANK_JOINTS, missing, strict=True) if gone)
        raise FileFormatError(path, f"{joints}: missing in some frames; fill the gaps first (lift3d clean)", clip)
    return positions.astype(np.float32)

"""Recorded human motion from many sources in one set of joints, packed for fast random windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lift3d.errors import FileFormatError

# The joints that every source has, or that can be placed from what it has.
BANK_JOINTS = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "right_toe", "left_hip", "left_knee", "left_ankle", "left_toe",
    "spine", "neck_base", "head_top", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist",
)  # fmt: skip
BANK_FPS = 60.0
# Where Human3.6M's spine joint lies on the way from the hips to the base of the neck.
SPINE_FRACTION = 0.48


@dataclass(frozen=True)
class MotionBank:
    """Clips one after the other.

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
    """Read HDF5 files with one group a clip (``positions`` in metres, Z up; attributes ``joints`` and ``fps``).

    Args:
        sources: (file, weight) pairs; a clip is drawn in proportion to weight times its duration.
        keep: of a clip's name and its subject, whether to take it.

    Raises:
        FileFormatError: a file is missing or a clip lacks a field or a joint.
    """
    import h5py

    clips: list[np.ndarray] = []
    weights: list[float] = []
    names: list[str] = []
    for path, weight in sources:
        if not Path(path).is_file():
            raise FileFormatError(path, "there is no such motion file")
        with h5py.File(path, "r") as file:
            for clip, group in file.items():
                if not keep(clip, str(group.attrs.get("subject", ""))):
                    continue
                try:
                    joints = [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs["joints"]]
                    positions, fps = np.asarray(group["positions"][()], dtype=np.float64), float(group.attrs["fps"])
                    unified = _resample(_unify(joints, positions), fps)
                except KeyError as error:
                    raise FileFormatError(path, f"the clip lacks {error}", clip) from error
                clips.append(unified.astype(np.float32))
                weights.append(weight * len(unified))
                names.append(f"{Path(path).stem}/{clip}")
    if not clips:
        raise FileFormatError(", ".join(str(path) for path, _ in sources), "no clip was kept")
    lengths = torch.tensor([len(clip) for clip in clips])
    return MotionBank(
        torch.from_numpy(np.concatenate(clips)),
        lengths.cumsum(0) - lengths,
        lengths,
        torch.tensor(weights, dtype=torch.float64),
        tuple(names),
    )


def _unify(joints: Sequence[str], positions: np.ndarray) -> np.ndarray:
    """A clip (frames, its joints, 3) in BANK_JOINTS."""
    index = {joint: i for i, joint in enumerate(joints)}

    def joint(*names: str) -> np.ndarray:
        """The first of the named joints that the clip has."""
        for name in names:
            if name in index and np.isfinite(positions[:, index[name]]).all():
                return positions[:, index[name]]
        raise KeyError(" or ".join(names))

    hips = (joint("l_hip") + joint("r_hip")) / 2
    neck = joint("neck_base")
    trunk = [hips, joint("spine_low"), joint("spine_mid"), neck]
    head = joint("head_top", "head")
    unified = [
        hips,
        *(joint(f"r_{name}") for name in ("hip", "knee", "ankle")),
        joint("r_toe_base", "r_toe_end"),
        *(joint(f"l_{name}") for name in ("hip", "knee", "ankle")),
        joint("l_toe_base", "l_toe_end"),
        _along(trunk, SPINE_FRACTION),
        neck,
        head,
        *(joint(f"r_{name}") for name in ("shoulder", "elbow", "wrist")),
        *(joint(f"l_{name}") for name in ("shoulder", "elbow", "wrist")),
    ]
    return np.stack(unified, axis=1)


def _along(points: list[np.ndarray], fraction: float) -> np.ndarray:
    """The place (frames, 3) at a fraction of the length of a chain of points, each (frames, 3)."""
    steps = [np.linalg.norm(b - a, axis=-1, keepdims=True) for a, b in pairwise(points)]
    target = fraction * sum(steps)
    place, walked = points[0], np.zeros_like(steps[0])
    for start, end, step in zip(points, points[1:], steps, strict=False):
        share = np.clip((target - walked) / np.maximum(step, 1e-9), 0, 1)
        place = np.where(target >= walked, start + share * (end - start), place)
        walked = walked + step
    return place


def _resample(positions: np.ndarray, fps: float) -> np.ndarray:
    """A clip at BANK_FPS, by cubic splines."""
    if abs(fps - BANK_FPS) < 1e-6 or len(positions) < 4:
        return positions
    from scipy.interpolate import CubicSpline

    seconds = np.arange(len(positions)) / fps
    return np.asarray(CubicSpline(seconds, positions)(np.arange(0, seconds[-1], 1 / BANK_FPS)))

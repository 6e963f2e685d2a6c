"""How long each bone of each person is, and how much that scatters over a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.motion.filters import MEDIAN_DEVIATION
from lift3d.poses import Poses3D


@dataclass(frozen=True, eq=False)
class BoneLengths:
    """Lengths of bones, each called by its outer joint: "left_knee" is the left thigh.

    Attributes:
        names: of the bones.
        parents: the inner joint of each.
        median: (people, bones) float64, metres; NaN where a bone is never seen.
        spread: (people, bones) float64, metres, one standard deviation over the clip, robust: 0.67 of it is the median
            distance from the median.
        seen: (people, bones) int, frames in which both ends are seen.
    """

    names: tuple[str, ...]
    parents: tuple[str, ...]
    median: np.ndarray
    spread: np.ndarray
    seen: np.ndarray


def bone_lengths(poses: Poses3D) -> BoneLengths:
    """The lengths of the layout's bones."""
    joints = poses.skeleton.joints
    inner, outer = np.array(poses.skeleton.bones, dtype=np.intp).reshape(-1, 2).T
    lengths = np.linalg.norm(poses.xyz[:, :, outer].astype(np.float64) - poses.xyz[:, :, inner], axis=-1)
    middle = _median(lengths)
    return BoneLengths(
        names=tuple(joints[joint] for joint in outer),
        parents=tuple(joints[joint] for joint in inner),
        median=middle,
        spread=_median(np.abs(lengths - middle)) / MEDIAN_DEVIATION,
        seen=np.isfinite(lengths).sum(axis=0),
    )


def _median(values: np.ndarray) -> np.ndarray:
    """The median (...) over frames of what is seen of (frames, ...); NaN where nothing is."""
    count = np.isfinite(values).sum(axis=0)
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    # NaN sorts to the end.
    ordered = np.sort(values, axis=0)
    low, high = (
        np.take_along_axis(ordered, np.maximum(index, 0)[None], axis=0)[0] for index in ((count - 1) // 2, count // 2)
    )
    return np.asarray(np.where(count > 0, (low + high) / 2, np.nan))

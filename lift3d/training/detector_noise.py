"""What a 2D detector does to joints: jitter, outliers, swapped sides, gaps, missing parts, confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lift3d.skeletons import LIFTER23, Skeleton
from lift3d.training.draws import Draws, Run, knot_count, normal_table, place_knots

_INDEX = {joint: index for index, joint in enumerate(LIFTER23.joints)}
_FOOT = ("heel", "big_toe", "small_toe")
_LEGS = [j for j, name in enumerate(LIFTER23.joints) if name.split("_", 1)[-1] in ("knee", "ankle", *_FOOT)]
_FEET = [j for j, name in enumerate(LIFTER23.joints) if name.split("_", 1)[-1] in _FOOT]
_FACE = [j for j, name in enumerate(LIFTER23.joints) if name.split("_", 1)[-1] in ("nose", "eye", "ear")]
_HIPS = [_INDEX["left_hip"], _INDEX["right_hip"]]
_ARMS = [[_INDEX[f"{side}_elbow"], _INDEX[f"{side}_wrist"]] for side in ("left", "right")]
_TOP = [_INDEX["neck"], _INDEX["head_top"]]

# Joints that a kind of file or of view lacks, and how often a window is of that kind.
MISSING_PARTS: tuple[tuple[float, list[int]], ...] = (
    (0.30, []),
    (0.24, _TOP + _FEET),  # COCO-17
    (0.08, [_INDEX["head_top"], *_FEET]),  # COCO-18 of OpenPose
    (0.10, [_INDEX["head_top"]]),  # BODY_25, BlazePose
    (0.06, [j for j in _FACE if j != _INDEX["nose"]] + _FEET),  # Human3.6M, Panoptic
    (0.05, _FACE + _FEET),
    (0.07, _LEGS),  # seen from the hips up
    (0.04, _LEGS + _HIPS),
    (0.02, _ARMS[0]),
    (0.02, _ARMS[1]),
    (0.02, _FEET),
)

# Jitter of each joint relative to the others: ends of limbs are found less well than the trunk and the face.
_RELATIVE_JITTER = {
    "nose": 0.6,
    "eye": 0.6,
    "ear": 0.8,
    "hip": 1.2,
    "wrist": 1.4,
    "ankle": 1.2,
    "heel": 1.4,
    "big_toe": 1.4,
}


def relative_jitter(skeleton: Skeleton, feet: float = 1.0) -> Tensor:
    """(joints,) jitter of each joint of a layout, 1 for most of them; ``feet`` as of ``DetectorNoise``."""
    kinds = [name.split("_", 1)[-1] for name in skeleton.joints]
    return torch.tensor([_RELATIVE_JITTER.get(kind, 1.0) * (feet if kind in _FOOT else 1.0) for kind in kinds])


_SHARES = np.cumsum([share for share, _ in MISSING_PARTS])
_SHOWN = np.array([[j not in part for j in range(len(LIFTER23))] for _, part in MISSING_PARTS], np.float32)
# (left, right) joints that change sides together: those of the legs, and those of the arms.
SWAPPED = [[pair for pair in LIFTER23.pairs if pair[0] in part] for part in (_LEGS + _HIPS, _ARMS[0])]

# Kinds of runs: a joint's gross errors, a joint that is missing, the whole person missing, and each of SWAPPED.
OUTLIER, GAP, LOSS, SWAP = range(4)
# Seconds between two knots of a joint's slowly changing error.
DRIFT_SECONDS = 0.3
# Longest runs of what happens now and then, seconds.
OUTLIER_SECONDS, GAP_SECONDS, LOST_SECONDS, SWAP_SECONDS = 0.2, 0.83, 0.67, 0.4
# Standard deviation of a gross error, metres, and how many of them the detector doubts.
GROSS, ADMITTED = 0.25, 0.6


@dataclass(frozen=True)
class DetectorNoise:
    """How bad the detections are; metres at the distance of the body.

    Attributes:
        jitter: median standard deviation of a joint's error in one frame.
        drift: median standard deviation of its slowly changing error.
        spread: standard deviation of the logarithm of both over windows.
        outliers_per_second: of each joint, how often a run of gross errors starts.
        swaps_per_second: how often left and right legs, or left and right arms, change places for a while.
        gaps_per_second: of each joint, how often a run of missing frames starts.
        losses_per_second: how often the whole person is missing for a while.
        silent_probability: of a window, that the detector gives confidence 1 to everything.
        feet: factor of the errors of heels and toes.
    """

    jitter: float = 0.006
    drift: float = 0.012
    spread: float = 0.6
    outliers_per_second: float = 0.045
    swaps_per_second: float = 0.04
    gaps_per_second: float = 0.06
    losses_per_second: float = 0.0135
    silent_probability: float = 0.3
    feet: float = 1.0


def detect(plane: Tensor, depth: Tensor, noise: DetectorNoise, fps: float, draws: Draws) -> tuple[Tensor, Tensor]:
    """Detections of projected joints.

    Args:
        plane: (batch, 23, 2, frames) true joints on the plane z = 1.
        depth: (batch, frames) distance of the body, which turns metres into plane units.
        noise: how bad they are.
        fps: frames per second.
        draws: random numbers.

    Returns:
        plane (batch, 23, 2, frames) with errors and confidence (batch, 23, frames), 0 where missing.
    """
    from lift3d.training.compiled import over_windows
    from lift3d.training.detector_kernels import Errors, detect_windows

    windows, joints, _, frames = plane.shape
    swap = Run(noise.swaps_per_second, SWAP_SECONDS)
    kinds = [
        Run(noise.outliers_per_second * joints, OUTLIER_SECONDS),
        Run(noise.gaps_per_second * joints, GAP_SECONDS),
        Run(noise.losses_per_second, LOST_SECONDS),
        *[swap] * len(SWAPPED),
    ]
    runs = draws.runs(kinds, frames, fps)
    phase, typical, silent, kind = (draws.uniform(1) for _ in range(4))
    size = np.exp(noise.spread * draws.normal(1)) * relative_jitter(LIFTER23, noise.feet).numpy()
    knots = knot_count(frames, DRIFT_SECONDS * fps)
    errors = Errors(
        noise.jitter * size,
        noise.drift * size,
        draws.places(2 * joints * frames),
        draws.places(2 * joints * knots),
        knots,
        *place_knots(frames, DRIFT_SECONDS * fps, phase),
        0.55 + 0.4 * typical + 0.1 * draws.normal(joints),
        draws.places(joints * frames),
        np.where(silent[:, 0] < noise.silent_probability, np.float32(1), np.float32(0.1)),
        _SHOWN[np.searchsorted(_SHARES, kind[:, 0] * _SHARES[-1])],
    )
    found, confidence = np.empty(plane.shape, np.float32), np.empty((windows, joints, frames), np.float32)
    over_windows(
        detect_windows, windows, plane.numpy(), depth.numpy(), errors, runs, normal_table().numpy(), found, confidence
    )
    return torch.from_numpy(found), torch.from_numpy(confidence)

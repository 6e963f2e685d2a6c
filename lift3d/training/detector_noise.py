"""What a 2D detector does to joints: jitter, outliers, swapped sides, gaps, missing parts, confidence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lift3d.skeletons import LIFTER23, Skeleton
from lift3d.training.draws import CELL_NUMBERS, Cells, Draws, Run, knots, normal_table

_INDEX = {joint: index for index, joint in enumerate(LIFTER23.joints)}
_LEGS = [j for j, name in enumerate(LIFTER23.joints) if name.split("_", 1)[-1] in ("knee", "ankle", "heel", "big_toe")]
_FEET = [j for j, name in enumerate(LIFTER23.joints) if name.split("_", 1)[-1] in ("heel", "big_toe")]
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


def relative_jitter(skeleton: Skeleton) -> Tensor:
    """(joints,) jitter of each joint of a layout, 1 for most of them."""
    return torch.tensor([_RELATIVE_JITTER.get(name.split("_", 1)[-1], 1.0) for name in skeleton.joints])


_RELATIVE = relative_jitter(LIFTER23)
_SHARES = torch.tensor([share for share, _ in MISSING_PARTS]).cumsum(0)
_SHOWN = torch.tensor([[float(j not in part) for j in range(len(LIFTER23))] for _, part in MISSING_PARTS])
# What changes sides together.
_SWAPPED = (torch.tensor(_LEGS + _HIPS), torch.tensor(_ARMS[0] + _ARMS[1]))
_MIRROR = torch.tensor(LIFTER23.mirror_order)

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
    """

    jitter: float = 0.006
    drift: float = 0.012
    spread: float = 0.6
    outliers_per_second: float = 0.045
    swaps_per_second: float = 0.04
    gaps_per_second: float = 0.06
    losses_per_second: float = 0.0135
    silent_probability: float = 0.3


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
    _, joints, _, frames = plane.shape
    swap = Run(noise.swaps_per_second, SWAP_SECONDS)
    outliers, gaps, losses, *swaps = draws.runs(
        [
            Run(noise.outliers_per_second * joints, OUTLIER_SECONDS),
            Run(noise.gaps_per_second * joints, GAP_SECONDS),
            Run(noise.losses_per_second, LOST_SECONDS),
            *[swap] * len(_SWAPPED),
        ],
        frames,
        fps,
    )
    phase, typical, silent, kind = draws.uniform(4).unbind(1)
    level, own = draws.normal(1 + joints).split([1, joints], dim=1)

    slow = knots(frames, DRIFT_SECONDS * fps, phase)
    drift, error = draws.noise(2 * joints, slow.shape[1]), draws.noise(2 * joints, frames)
    error.baddbmm_(drift, slow, beta=noise.jitter, alpha=noise.drift)
    size = ((noise.spread * level).exp() * _RELATIVE)[..., None] / depth[:, None]
    found = error.view_as(plane).mul_(size[:, :, None]).add_(plane)
    # Three normal numbers for every gross error: x, y, and whether the detector knows.
    gross = normal_table()[outliers.place[:, None] + torch.arange(CELL_NUMBERS)]
    row = outliers.window * joints + (outliers.own * joints).long()
    away = gross * (GROSS / depth[outliers.window, outliers.frame])[:, None]
    for axis in (0, 1):
        found.view(-1).index_add_(0, (2 * row + axis) * frames + outliers.frame, away[:, axis])
    for part, cells in zip(_SWAPPED, swaps, strict=True):
        _swap_sides(found, part, cells)

    certain = silent < noise.silent_probability
    usual = (0.55 + 0.4 * typical[:, None] + 0.1 * own)[..., None]
    confidence = torch.add(usual, draws.noise(joints, frames), alpha=0.05)
    torch.maximum(confidence, torch.where(certain, 1.0, 0.1)[:, None, None], out=confidence).clamp_max_(1)
    chance = torch.special.ndtr(gross[:, 2])
    doubt = torch.where((chance < ADMITTED) & ~certain[outliers.window], 0.4 * chance / ADMITTED, 1.0)
    confidence.view(-1).scatter_reduce_(0, row * frames + outliers.frame, doubt, "prod")
    confidence[gaps.window, (gaps.own * joints).long(), gaps.frame] = 0
    confidence[losses.window, :, losses.frame] = 0
    confidence *= _SHOWN[torch.searchsorted(_SHARES, kind * _SHARES[-1])][..., None]
    return found, confidence


def _swap_sides(found: Tensor, part: Tensor, cells: Cells) -> None:
    """Exchange left and right of the joints of ``part`` (joints,) in some frames, in place."""
    window, frame = cells.window[:, None], cells.frame[:, None]
    found[window, part, :, frame] = found[window, _MIRROR[part], :, frame]

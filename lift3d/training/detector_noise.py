"""What a 2D detector does to joints: jitter, outliers, swapped sides, gaps, missing parts, confidence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lift3d.skeletons import LIFTER23

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


@dataclass(frozen=True)
class DetectorNoise:
    """How bad the detections are; metres at the distance of the body, probabilities per window unless said otherwise.

    Attributes:
        jitter: median standard deviation of a joint's error in one frame.
        drift: median standard deviation of its slowly changing error.
        spread: standard deviation of the logarithm of both over windows.
        outlier_probability: per joint and frame that a run of gross errors starts.
        swap_probability: left and right legs, arms or both change places for a while.
        gap_probability: per joint and frame that a run of missing frames starts.
        lost_probability: the whole person is missing for a while.
        silent_probability: the detector gives confidence 1 to everything.
    """

    jitter: float = 0.006
    drift: float = 0.012
    spread: float = 0.6
    outlier_probability: float = 0.0015
    swap_probability: float = 0.12
    gap_probability: float = 0.002
    lost_probability: float = 0.04
    silent_probability: float = 0.3


def detect(plane: Tensor, depth: Tensor, noise: DetectorNoise, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Detections of projected joints.

    Args:
        plane: (batch, frames, 23, 2) true joints on the plane z = 1.
        depth: (batch, frames) distance of the body, which turns metres into plane units.

    Returns:
        plane (batch, frames, 23, 2) with errors and confidence (batch, frames, 23), 0 where missing.
    """
    batch, frames, joints, _ = plane.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def chance(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    def runs(start_probability: float, longest: int) -> Tensor:
        """(batch, frames, joints) bool: runs of up to ``longest`` frames that start at random."""
        starts = (chance(batch, frames, joints) < start_probability).float()
        length = int(torch.randint(1, longest + 1, (1,), generator=generator))
        spread = torch.nn.functional.max_pool1d(
            torch.nn.functional.pad(starts.transpose(1, 2), (length - 1, 0)), length, stride=1
        )
        return spread.transpose(1, 2) > 0

    def while_(probability: float, longest: int) -> Tensor:
        """(batch, frames) bool: in some windows, one stretch of up to ``longest`` frames."""
        first = (chance(batch, 1) * frames).long()
        length = 1 + (chance(batch, 1) * longest).long()
        time = torch.arange(frames)
        return (time >= first) & (time < first + length) & (chance(batch, 1) < probability)

    relative = torch.tensor([_RELATIVE_JITTER.get(name.split("_", 1)[-1], 1.0) for name in LIFTER23.joints])[:, None]
    level = (noise.spread * normal(batch, 1, 1, 1)).exp() * relative
    knots = normal(batch * joints * 2, 1, max(2, frames // 8))
    drift = torch.nn.functional.interpolate(knots, frames, mode="linear", align_corners=True)
    drift = drift.reshape(batch, joints, 2, frames).permute(0, 3, 1, 2)
    error = level * (noise.jitter * normal(*plane.shape) + noise.drift * drift)

    gross = runs(noise.outlier_probability, 6)
    error = error + gross[..., None] * 0.25 * normal(batch, frames, joints, 2)
    found = plane + error / depth[..., None, None]

    mirror = torch.tensor(LIFTER23.mirror_order)
    for part in (_LEGS + _HIPS, _ARMS[0] + _ARMS[1]):
        swapped = while_(noise.swap_probability, 12)
        members = torch.zeros(joints, dtype=torch.bool)
        members[part] = True
        found = torch.where((swapped[..., None] & members)[..., None], found[:, :, mirror], found)

    typical = 0.55 + 0.4 * chance(batch, 1, 1)
    confidence = (typical + 0.1 * normal(batch, 1, joints) + 0.05 * normal(batch, frames, joints)).clamp(0.1, 1)
    # Detectors know of some of their gross errors.
    admitted = gross & (chance(batch, frames, joints) < 0.6)
    confidence = torch.where(admitted, confidence * 0.4 * chance(batch, frames, joints), confidence)
    confidence = torch.where(chance(batch, 1, 1) < noise.silent_probability, 1.0, confidence)

    shares = torch.tensor([share for share, _ in MISSING_PARTS])
    kinds = torch.zeros(len(MISSING_PARTS), joints, dtype=torch.bool)
    for kind, (_, part) in enumerate(MISSING_PARTS):
        kinds[kind, part] = True
    missing = kinds[torch.multinomial(shares, batch, replacement=True, generator=generator)][:, None]
    missing = missing | runs(noise.gap_probability, 25) | while_(noise.lost_probability, 20)[..., None]
    return found, torch.where(missing, 0.0, confidence)

"""Detections that fail, made of a prepared set's keypoints: noise, gaps, things in the way, sides that change places.

All functions give new windows, work on whole batches, and take their random numbers from ``WindowDraws``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from lift3d.datasets.windows import RawWindows
from lift3d.skeletons import Skeleton
from lift3d.training.configuration import Augmentation
from lift3d.training.detector_noise import (
    ADMITTED,
    DRIFT_SECONDS,
    GAP_SECONDS,
    GROSS,
    LOST_SECONDS,
    OUTLIER_SECONDS,
    SWAP_SECONDS,
    DetectorNoise,
    relative_jitter,
)
from lift3d.training.draws import knots
from lift3d.training.window_draws import WindowDraws

# Longest stretches, as a share of the window: of a joint that is missing, and of sides that change places.
LONGEST_GAP, LONGEST_SWAP = 0.6, 0.3
# Half the sides of what stands in the way, as a share of the body's width and height in the image.
OBSTACLE = (0.08, 0.35)
# Distance that turns metres into pixels where nobody knows it, in focal lengths of the longer side of the image.
UNKNOWN_DEPTH = 4.0

_ARMS = ("elbow", "wrist", "hand")
_LEGS = ("hip", "knee", "ankle", "heel", "big_toe", "small_toe", "foot", "toe")


def damage_keypoints(
    windows: RawWindows, skeleton: Skeleton, augmentation: Augmentation, fps: float, draws: WindowDraws
) -> RawWindows:
    """The windows' keypoints with everything that the configuration asks for; poses stay as they are."""
    if augmentation.noise_pixels > 0:
        pixels = augmentation.noise_pixels * _thousandths(windows)
        windows = _moved(windows, pixels * draws.normal(*windows.xy.shape[1:]))
    if augmentation.detector is not None:
        windows = add_detector_errors(windows, skeleton, augmentation.detector, fps, draws)
    if augmentation.swap_sides > 0:
        windows = swap_sides(windows, skeleton, augmentation.swap_sides, draws)
    if augmentation.occlusion > 0:
        windows = hide_behind_obstacle(windows, augmentation.occlusion, draws)
    if augmentation.drop_joints > 0:
        frames, joints = windows.xy.shape[1:3]
        gone = draws.chance(augmentation.drop_joints, 1, joints) & draws.stretch(frames, joints, longest=LONGEST_GAP)
        windows = _without(windows, gone)
    return windows


def add_detector_errors(
    windows: RawWindows, skeleton: Skeleton, noise: DetectorNoise, fps: float, draws: WindowDraws
) -> RawWindows:
    """Keypoints with the errors of a detector beside those that they have; see ``DetectorNoise``."""
    frames, joints = windows.xy.shape[1:3]
    level = (noise.spread * draws.normal(1, 1, 1)).exp() * relative_jitter(skeleton)[:, None]
    slow = knots(frames, DRIFT_SECONDS * fps, draws.uniform())
    drift = (draws.normal(2 * joints, slow.shape[1]) @ slow).unflatten(1, (joints, 2)).permute(0, 3, 1, 2)
    error = level * (noise.jitter * draws.normal(frames, joints, 2) + noise.drift * drift)
    gross = _runs(frames, joints, noise.outliers_per_second / fps, OUTLIER_SECONDS * fps, draws)
    error = error + GROSS * gross[..., None] * draws.normal(frames, joints, 2)
    windows = _moved(windows, _pixels_a_metre(windows)[:, :, None, None] * error)
    # Detectors know of some of their gross errors.
    admitted = gross & draws.chance(ADMITTED, frames, joints)
    doubt = torch.where(admitted, 0.4 * draws.uniform(frames, joints), 1.0)
    windows = replace(windows, confidence=windows.confidence * doubt)
    for part in (_LEGS, _ARMS):
        swapped = _runs(frames, 1, noise.swaps_per_second / fps, SWAP_SECONDS * fps, draws)
        windows = _exchanged(windows, swapped & _members(skeleton, part), skeleton)
    lost = _runs(frames, 1, noise.losses_per_second / fps, LOST_SECONDS * fps, draws)
    return _without(windows, _runs(frames, joints, noise.gaps_per_second / fps, GAP_SECONDS * fps, draws) | lost)


def swap_sides(windows: RawWindows, skeleton: Skeleton, probability: float, draws: WindowDraws) -> RawWindows:
    """In some windows left and right of the arms, of the legs or of both change places for a stretch."""
    while_ = draws.chance(probability, 1) & draws.stretch(windows.xy.shape[1], longest=LONGEST_SWAP)
    kind = draws.uniform(1, 1) * 3
    arms, legs = _members(skeleton, _ARMS), _members(skeleton, _LEGS)
    members = ((kind < 2) & arms) | ((kind >= 1) & legs)
    return _exchanged(windows, while_[..., None] & members, skeleton)


def hide_behind_obstacle(windows: RawWindows, probability: float, draws: WindowDraws) -> RawWindows:
    """In some windows a rectangle of the image hides the keypoints in it for a stretch."""
    seen = (windows.confidence > 0)[..., None]
    low = torch.where(seen, windows.xy, torch.inf).amin((1, 2)).clamp_max(1e6)
    high = torch.where(seen, windows.xy, -torch.inf).amax((1, 2)).clamp_min(-1e6)
    centre = low + (high - low) * draws.uniform(2)
    half = (high - low) * draws.uniform(2, low=OBSTACLE[0], high=OBSTACLE[1])
    inside = ((windows.xy - centre[:, None, None]).abs() <= half[:, None, None]).all(-1)
    while_ = draws.chance(probability, 1) & draws.stretch(windows.xy.shape[1], longest=1.0)
    return _without(windows, inside & while_[..., None])


def _moved(windows: RawWindows, error: Tensor) -> RawWindows:
    """Keypoints moved by an error in pixels, where there are any."""
    return replace(windows, xy=torch.where(windows.confidence[..., None] > 0, windows.xy + error, 0.0))


def _without(windows: RawWindows, gone: Tensor) -> RawWindows:
    """Keypoints missing where ``gone`` (batch, T, joints) is True."""
    return replace(
        windows,
        xy=torch.where(gone[..., None], 0.0, windows.xy),
        confidence=torch.where(gone, 0.0, windows.confidence),
    )


def _exchanged(windows: RawWindows, members: Tensor, skeleton: Skeleton) -> RawWindows:
    """Keypoints with those of the other side in place of those in ``members`` (batch, T, joints)."""
    order = list(skeleton.mirror_order)
    return replace(
        windows,
        xy=torch.where(members[..., None], windows.xy[:, :, order], windows.xy),
        confidence=torch.where(members, windows.confidence[:, :, order], windows.confidence),
    )


def _runs(frames: int, joints: int, start: float, longest: float, draws: WindowDraws) -> Tensor:
    """(windows, frames, joints) bool: runs that start with a probability a frame, of up to ``longest`` frames.

    Runs may begin before the window does. Those of a window have one length.
    """
    before = max(1, round(longest))
    time = torch.arange(frames + before)[:, None]
    last_start = torch.where(draws.chance(start, frames + before, joints), time, -before).cummax(1).values
    return (time - last_start <= (draws.uniform(1, 1) * before).long())[:, before:]


def _thousandths(windows: RawWindows) -> Tensor:
    """(batch, 1, 1, 1) pixels that a thousandth of the image's longer side is."""
    return windows.camera.image_size.amax(-1)[:, None, None, None] / 1000


def _pixels_a_metre(windows: RawWindows) -> Tensor:
    """(batch, T) pixels that a metre is at the root's depth; at the window's mean depth in frames without a root."""
    depth = windows.xyz[:, :, 0, 2]
    depth = torch.where(depth > 0, depth, torch.nan)
    focal = windows.camera.focal.mean(-1, keepdim=True)
    usual = UNKNOWN_DEPTH * focal / windows.camera.image_size.amax(-1, keepdim=True)
    mean = depth.nanmean(1, keepdim=True)
    mean = torch.where(mean.isnan(), usual, mean)
    return focal / torch.where(depth.isnan(), mean, depth)


@lru_cache
def _members(skeleton: Skeleton, parts: tuple[str, ...]) -> Tensor:
    """(joints,) bool: the joints of either side whose name is one of ``parts``."""
    return torch.tensor([joint.split("_", 1)[-1] in parts for joint in skeleton.joints])

"""Detections that fail, made of a prepared set's keypoints: noise, gaps, things in the way, sides that change places.

All functions work on whole batches and take their random numbers from ``WindowDraws``. ``damage_keypoints`` gives new
windows, the others change their keypoints in place.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.windows import RawWindows
from lift3d.skeletons import Skeleton
from lift3d.training import keypoint_kernels as kernels
from lift3d.training.compiled import over_windows
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
from lift3d.training.draws import knot_count, normal_table
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
    # The other functions change these.
    xy, confidence = (x.clone(memory_format=torch.contiguous_format) for x in (windows.xy, windows.confidence))
    windows = replace(windows, xy=xy, confidence=confidence)
    if augmentation.noise_pixels > 0:
        add_noise(windows, augmentation.noise_pixels, draws)
    if augmentation.detector is not None:
        add_detector_errors(windows, skeleton, augmentation.detector, fps, draws)
    if augmentation.swap_sides > 0:
        swap_sides(windows, skeleton, augmentation.swap_sides, draws)
    if augmentation.occlusion > 0:
        hide_behind_obstacle(windows, augmentation.occlusion, draws)
    if augmentation.drop_joints > 0:
        frames, joints = windows.xy.shape[1:3]
        chosen = draws.chance(augmentation.drop_joints, joints)
        begin, stop = draws.ends(frames, joints, longest=LONGEST_GAP)
        kernels.hide_stretches(chosen.numpy(), begin.numpy(), stop.numpy(), *_keypoints(windows))
    return windows


def add_noise(windows: RawWindows, thousandths: float, draws: WindowDraws) -> None:
    """White noise, its standard deviation in thousandths of the image's longer side."""
    frames, joints = windows.xy.shape[1:3]
    size = windows.camera.image_size.amax(-1)[:, None].repeat(1, frames) * (thousandths / 1000)
    one = np.ones((draws.windows, joints), np.float32)
    _add_noise(windows, one, 0 * one, float(frames), size, draws)


def add_detector_errors(
    windows: RawWindows, skeleton: Skeleton, noise: DetectorNoise, fps: float, draws: WindowDraws
) -> None:
    """The errors of a detector beside those that the keypoints have; see ``DetectorNoise``."""
    keypoints, metre = _keypoints(windows), _pixels_a_metre(windows)
    frames, joints = windows.xy.shape[1:3]
    level = ((noise.spread * draws.normal(1)).exp() * relative_jitter(skeleton, noise.feet)).numpy()
    _add_noise(windows, noise.jitter * level, noise.drift * level, DRIFT_SECONDS * fps, metre, draws)
    gross = draws.runs(frames, joints, noise.outliers_per_second / fps, OUTLIER_SECONDS * fps)
    kernels.add_gross_errors(gross, draws.seeds(), GROSS, ADMITTED, metre.numpy(), *keypoints)
    for part in (_LEGS, _ARMS):
        swapped = draws.runs(frames, 1, noise.swaps_per_second / fps, SWAP_SECONDS * fps)
        kernels.exchange(swapped[..., 0], _pairs(skeleton, part), *keypoints)
    lost = draws.runs(frames, 1, noise.losses_per_second / fps, LOST_SECONDS * fps)
    gaps = draws.runs(frames, joints, noise.gaps_per_second / fps, GAP_SECONDS * fps)
    gaps |= lost
    over_windows(kernels.hide, len(gaps), gaps, *keypoints)


def swap_sides(windows: RawWindows, skeleton: Skeleton, probability: float, draws: WindowDraws) -> None:
    """In some windows left and right of the arms, of the legs or of both change places for a stretch."""
    while_ = draws.chance(probability, 1) & draws.stretch(windows.xy.shape[1], longest=LONGEST_SWAP)
    kind = draws.uniform(1) * 3
    for part, chosen in ((_ARMS, kind < 2), (_LEGS, kind >= 1)):
        kernels.exchange((while_ & chosen).numpy(), _pairs(skeleton, part), *_keypoints(windows))


def hide_behind_obstacle(windows: RawWindows, probability: float, draws: WindowDraws) -> None:
    """In some windows a rectangle of the image hides the keypoints in it for a stretch."""
    place, half = draws.uniform(2), draws.uniform(2, low=OBSTACLE[0], high=OBSTACLE[1])
    while_ = draws.chance(probability, 1) & draws.stretch(windows.xy.shape[1], longest=1.0)
    kernels.hide_rectangle(while_.numpy(), place.numpy(), half.numpy(), *_keypoints(windows))


def _add_noise(
    windows: RawWindows, jitter: np.ndarray, drift: np.ndarray, spacing: float, metre: Tensor, draws: WindowDraws
) -> None:
    """Noise as ``kernels.add_noise`` has it, of numbers of each window's own."""
    frames, joints = windows.xy.shape[1:3]
    knots = knot_count(frames, spacing)
    numbers = normal_table().numpy(), draws.places(2 * joints * (knots + frames))
    sizes = jitter, drift, spacing, knots, draws.uniform().numpy(), metre.numpy()
    over_windows(kernels.add_noise, draws.windows, *numbers, *sizes, *_keypoints(windows))


def _keypoints(windows: RawWindows) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints and their confidence for kernels."""
    return windows.xy.numpy(), windows.confidence.numpy()


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
def _pairs(skeleton: Skeleton, parts: tuple[str, ...]) -> np.ndarray:
    """(n, 2) the left and right joints whose name is one of ``parts``."""
    pairs = [pair for pair in skeleton.pairs if skeleton.joints[pair[0]].split("_", 1)[-1] in parts]
    return np.array(pairs, np.int64).reshape(-1, 2)

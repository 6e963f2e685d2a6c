"""Between the clip's frame rate and the network's, without interpolating where that can be avoided.

A clip that is m times as fast as the network is m interleaved clips at the network's own rate: each is lifted by
itself, and every frame gets its result from real detections. Only clips slower than the network are interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RatePlan:
    """How a clip meets the network's rate.

    Attributes:
        phases: the clip is split into this many interleaved clips.
        insert: frames inserted between two frames of a slow clip, plus one (1: none).
        fps: the rate at which the network sees the motion; it is trained on playing speeds that cover what is left.
    """

    phases: int
    insert: int
    fps: float

    def describe(self, clip_fps: float | None, network_fps: float) -> str:
        """One line for people."""
        if clip_fps is None:
            return f"frame rate unknown: taken for the network's {network_fps:g} frames/s"
        if self.phases > 1:
            return f"{clip_fps:g} frames/s lifted as {self.phases} interleaved clips of {self.fps:g} frames/s"
        if self.insert > 1:
            return f"{clip_fps:g} frames/s interpolated to {self.fps:g} frames/s and back"
        return f"{clip_fps:g} frames/s lifted at the network's rate of {network_fps:g}"


def plan_rate(clip_fps: float | None, network_fps: float) -> RatePlan:
    """The plan for a clip; an unknown rate is taken for the network's."""
    if clip_fps is None:
        return RatePlan(1, 1, network_fps)
    ratio = clip_fps / network_fps
    phases = max(1, round(ratio))
    insert = max(1, round(1 / ratio)) if phases == 1 else 1
    return RatePlan(phases, insert, clip_fps * insert / phases)


def insert_frames(values: np.ndarray, insert: int) -> np.ndarray:
    """(frames, ...) -> ((frames - 1) * insert + 1, ...), linear between neighbours; NaN beside NaN."""
    if insert == 1 or len(values) < 2:
        return values
    share = (np.arange(insert, dtype=values.dtype) / insert).reshape(-1, *[1] * (values.ndim - 1))
    between = values[:-1, None] * (1 - share) + values[1:, None] * share
    # A frame that was there stays as it was, also beside a missing one.
    between[:, 0] = values[:-1]
    return np.concatenate([between.reshape(-1, *values.shape[1:]), values[-1:]])


def blend_phases(poses: np.ndarray, phases: int) -> np.ndarray:
    """Poses (frames, ...) of interleaved clips, averaged over one frame of the network's time.

    Neighbouring frames come from different interleaved clips, that is from different detections, and would flicker at
    the rate at which the clips alternate. A triangle as wide as two frames of the network removes exactly that rate.
    Missing frames (NaN) take no part and stay missing.
    """
    if phases == 1:
        return poses
    known = np.isfinite(poses)
    filled = np.where(known, poses, 0)
    total, weights = np.zeros_like(filled), np.zeros_like(filled)
    for shift in range(1 - phases, phases):
        weight = np.float32((phases - abs(shift)) / phases**2)
        source = slice(max(0, shift), len(poses) + min(0, shift))
        target = slice(max(0, -shift), len(poses) + min(0, -shift))
        total[target] += weight * filled[source]
        weights[target] += weight * known[source]
    return np.where(known, total / np.maximum(weights, 1e-6), np.nan).astype(poses.dtype)

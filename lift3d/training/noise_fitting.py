"""How a real detector errs: its noise measured from recordings whose truth is known.

The model is that of ``detect``: in every frame of a window a joint is off by level * (jitter w + drift d) metres, w
white and d a line between knots ``DRIFT_SECONDS`` apart, and now and then it is off by far, missing, or on the other
side. Jitter and drift are told apart by how the error changes over one frame and over many. A joint's constant offset
(another definition of the joint, a rig that is a little off) changes neither.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from lift3d.datasets.pose_sets import PoseSet
from lift3d.errors import ShapeError
from lift3d.skeletons import Skeleton, conversion
from lift3d.training.detector_noise import DRIFT_SECONDS, DetectorNoise, relative_jitter
from lift3d.training.draws import knots

# Seconds over which the level of the noise is taken as constant, and least seconds of a window that counts.
WINDOW_SECONDS, LEAST_SECONDS = 2.0, 0.5
# A gross error: so far from the joint's usual offset, metres, and in robust standard deviations.
GROSS_METRES, GROSS_DEVIATIONS = 0.10, 6.0
# Frames of a run of gross errors in which the error happens to be small.
GROSS_HOLES = 2
# Turns the median of the absolute values of a normal distribution into its standard deviation.
_NORMAL = 1.4826
_SWAPPING = {"arms": ("elbow", "wrist"), "legs": ("hip", "knee", "ankle", "heel", "big_toe")}


@dataclass(frozen=True, eq=False)
class DetectedClip:
    """One camera's detections of one person, and where the joints were.

    Attributes:
        xy: (frames, joints, 2) pixels, NaN where missing.
        confidence: (frames, joints), 0 where missing.
        truth: (frames, joints, 2) pixels, NaN where unknown.
        metre: (frames,) pixels that a metre is at the person's distance.
        fps: frames per second.
    """

    xy: np.ndarray
    confidence: np.ndarray
    truth: np.ndarray
    metre: np.ndarray
    fps: float


@dataclass(frozen=True)
class NoiseFit:
    """What was measured.

    Attributes:
        noise: for ``Augmentation.detector`` and ``SynthesisData.noise``.
        joints: each joint's jitter and drift beside that of the median joint.
        confidence: (upper edge, median error in metres) of equal shares of the detections, by confidence.
        seconds: of all clips.
    """

    noise: DetectorNoise
    joints: dict[str, float]
    confidence: tuple[tuple[float, float], ...]
    seconds: float


def detected_clips(pose_set: PoseSet) -> Iterator[DetectedClip]:
    """Every view of a prepared set whose 2D are a detector's; joints that its poses do not measure are unknown."""
    change = conversion(pose_set.skeleton_3d, pose_set.skeleton_2d)
    measured = np.array([joint in change.measured for joint in pose_set.skeleton_2d.joints])
    for clip in pose_set.clips():
        truth = change.apply(clip.camera.project(clip.xyz @ clip.camera.R - clip.camera.t @ clip.camera.R))
        truth[:, ~measured] = np.nan
        focal = np.sqrt(clip.camera.K[0, 0] * clip.camera.K[1, 1])
        yield DetectedClip(clip.xy, clip.confidence, truth, focal / clip.xyz[:, 0, 2], clip.recording.fps)


def fit_detector_noise(clips: Iterable[DetectedClip], skeleton: Skeleton) -> NoiseFit:
    """Measure a detector's noise.

    The spread of the levels needs windows of several clips; over one clip it comes out too small.

    Args:
        clips: detections and truth; a few seconds at least.
        skeleton: the layout of the joints.

    Raises:
        ShapeError: no window is long enough, or nothing is known in any.
    """
    clips = list(clips)
    relative = relative_jitter(skeleton).numpy()
    levels, per_joint, errors, confidences = [], [], [], []
    counts = dict.fromkeys(("outliers", "swaps", "gaps", "losses"), 0.0)
    seconds = joint_seconds = 0.0
    for clip in clips:
        seen = np.isfinite(clip.xy).all(-1) & (clip.confidence > 0)
        there = seen.any(0)  # joints that the file has at all
        known = np.isfinite(clip.truth).all(-1) & seen
        lost = ~seen.any(1)
        length = len(seen) / clip.fps
        seconds += length
        joint_seconds += length * there.sum()
        counts["losses"] += _starts(lost[:, None])
        counts["gaps"] += _starts((~seen & ~lost[:, None])[:, there])
        swapped, swaps = _find_swaps(clip, known, skeleton)
        counts["swaps"] += swaps
        error = np.where((known & ~swapped)[..., None], (clip.xy - clip.truth) / clip.metre[:, None, None], np.nan)
        with np.errstate(all="ignore"):
            gross = _find_outliers(error)
        counts["outliers"] += _starts(gross, GROSS_HOLES)
        error[gross] = np.nan
        frames = round(WINDOW_SECONDS * clip.fps)
        for first in range(0, len(error), frames):
            window = error[first : first + frames] / relative[:, None]
            if len(window) >= LEAST_SECONDS * clip.fps and np.isfinite(window).any():
                levels.append(_jitter_and_drift(window, clip.fps))
                per_joint.append(_changes(window, 1, axis=(0, 2)) ** 0.5)
        offset = error - _nanmedian(error, axis=0)
        distance = np.linalg.norm(offset, axis=-1)
        errors.append(distance[np.isfinite(distance)])
        confidences.append(clip.confidence[np.isfinite(distance)])
    found = np.array(levels)
    found = found[np.isfinite(found).all(1)] if len(found) else found
    if not len(found):
        raise ShapeError(f"no clip is {LEAST_SECONDS:g} s long with joints that are seen and whose truth is known")
    jitter, drift = np.sqrt(np.median(found, axis=0))
    total = 0.5 * np.log(np.maximum(found.sum(1), 1e-18))
    joints = _nanmedian(np.array(per_joint), axis=0) * relative
    every = np.concatenate(confidences) if confidences else np.zeros(0)
    noise = DetectorNoise(
        jitter=float(jitter),
        drift=float(drift),
        spread=float(_NORMAL * np.median(np.abs(total - np.median(total)))),
        outliers_per_second=float(counts["outliers"] / joint_seconds),
        swaps_per_second=counts["swaps"] / len(_SWAPPING) / seconds,
        gaps_per_second=float(counts["gaps"] / joint_seconds),
        losses_per_second=counts["losses"] / seconds,
        silent_probability=float(np.mean([bool((c.confidence[c.confidence > 0] >= 1).all()) for c in clips])),
    )
    usual = max(np.nanmedian(joints), 1e-12)
    return NoiseFit(
        noise,
        {name: float(joints[k] / usual) for k, name in enumerate(skeleton.joints) if np.isfinite(joints[k])},
        _by_confidence(every, np.concatenate(errors) if errors else np.zeros(0)),
        seconds,
    )


def _jitter_and_drift(error: np.ndarray, fps: float) -> tuple[float, float]:
    """Variances of jitter and drift of one window (frames, joints, 2) of errors.

    The error changes over k frames with the variance 2 jitter^2 + q_k drift^2; k is one frame, and half of what lies
    between two knots, and q_k is that of a line between knots.
    """
    far = max(2, round(DRIFT_SECONDS * fps / 2))
    phases = (torch.arange(16) + 0.5) / 16
    weights = knots(4 * far + 2, DRIFT_SECONDS * fps, phases).numpy()
    q = [float(np.square(weights[:, :, k:] - weights[:, :, :-k]).sum(1).mean()) for k in (1, far)]
    near_change, far_change = (float(_changes(error, k, axis=None)) for k in (1, far))
    drift = max(0.0, (far_change - near_change) / (q[1] - q[0]))
    return max(0.0, (near_change - q[0] * drift) / 2), drift


def _changes(error: np.ndarray, lag: int, axis: tuple[int, ...] | None) -> np.ndarray:
    """Robust variance of what errors (frames, joints, 2) change over ``lag`` frames."""
    return np.asarray(np.square(_NORMAL * _nanmedian(np.abs(error[lag:] - error[:-lag]), axis)))


def _find_outliers(error: np.ndarray) -> np.ndarray:
    """(frames, joints) bool: errors (frames, joints, 2) in metres that are far from the joint's usual one."""
    away = np.linalg.norm(error - _nanmedian(error, axis=0), axis=-1)
    usual = _NORMAL * _nanmedian(away, axis=0)
    return np.asarray((away > GROSS_METRES) & (away > GROSS_DEVIATIONS * usual))


def _find_swaps(clip: DetectedClip, known: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, float]:
    """Frames and joints (frames, joints) in which sides are exchanged, and how many runs of them there are.

    Sides are exchanged where the joints of a part lie much nearer to the truth of the other side, and the two sides
    are too far from each other for it to be noise.
    """
    order = np.array(skeleton.mirror_order)
    swapped, runs = np.zeros_like(known), 0.0
    for names in _SWAPPING.values():
        part = [
            k
            for k, joint in enumerate(skeleton.joints)
            if joint.split("_", 1)[-1] in names and order[k] != k and known[:, k].any()
        ]
        if not part:
            continue
        both = known[:, part] & known[:, order[part]]
        straight = np.linalg.norm(clip.xy[:, part] - clip.truth[:, part], axis=-1)
        crossed = np.linalg.norm(clip.xy[:, part] - clip.truth[:, order[part]], axis=-1)
        metre = clip.metre * both.sum(1)
        straight, crossed = (np.where(both, d, 0.0).sum(1) for d in (straight, crossed))
        with np.errstate(all="ignore"):
            there = (crossed < 0.5 * straight) & ((straight - crossed) / metre > GROSS_METRES / 2)
        swapped[np.ix_(there, part)] = True
        runs += _starts(there[:, None])
    return swapped, runs


def _by_confidence(confidence: np.ndarray, error: np.ndarray, shares: int = 5) -> tuple[tuple[float, float], ...]:
    """Median errors of equal shares of the detections, from the least confident ones to the most."""
    order = np.argsort(confidence, kind="stable")
    return tuple(
        (float(confidence[rows[-1]]), float(np.median(error[rows])))
        for rows in np.array_split(order, shares)
        if len(rows)
    )


def _starts(runs: np.ndarray, holes: int = 0) -> float:
    """How many runs of True there are in the columns of (frames, n); holes of so many frames do not end one."""
    before = np.concatenate([np.zeros((holes + 1, runs.shape[1]), bool), runs])
    recent = np.lib.stride_tricks.sliding_window_view(before, holes + 1, axis=0)[:-1].any(-1)
    return float((runs & ~recent).sum())


def _nanmedian(values: np.ndarray, axis: int | tuple[int, ...] | None) -> np.ndarray:
    """``np.nanmedian`` that is silent where everything is NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=axis))

"""Short gaps filled from the motion on both sides of them; long gaps stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lift3d.errors import ShapeError
from lift3d.poses import SOURCES, Poses3D, add_step

METHODS = ("pchip", "cubic", "linear")
# Frame rate taken for a clip whose own is unknown.
USUAL_FPS = 30.0
INTERPOLATED = SOURCES.index("interpolated")
# How much of the confidence about a gap is left within it.
KEPT_CONFIDENCE = 0.5


def fill_gaps(poses: Poses3D, max_gap: float = 0.25, method: str = "pchip") -> Poses3D:
    """Interpolate joints that are missing for a short while.

    Args:
        poses: in any layout and space.
        max_gap: seconds (at 30 frames/s where the rate is unknown); longer gaps, and frames before the first and
            after the last that is known, stay missing.
        method: "pchip", cubic pieces that do not overshoot; "cubic", a cubic spline; or "linear".

    Returns:
        The poses with source "interpolated" and half the confidence in the gaps. Where sigma is known it grows by
        ``a d1 d2 / 2`` towards the middle of a gap, the largest error of a straight line under the joint's usual
        acceleration a, d1 and d2 being the frames to the gap's ends.

    Raises:
        ShapeError: an unknown method, or a negative gap.
    """
    if not (np.isfinite(max_gap) and max_gap >= 0):
        raise ShapeError(f"max_gap must be 0 seconds or more, not {max_gap}")
    longest = round(max_gap * (poses.fps or USUAL_FPS))
    seen = np.isfinite(poses.xyz[..., 0])
    xyz = interpolate_gaps(poses.xyz, longest, method)
    filled = np.isfinite(xyz[..., 0]) & ~seen
    source = np.where(seen, SOURCES.index("measured"), 0) if poses.source is None else poses.source
    changed: dict[str, Any] = {
        "source": np.where(filled, INTERPOLATED, source),
        "confidence": np.where(filled, gap_confidence(poses.confidence, seen), poses.confidence),
    }
    if poses.sigma is not None:
        squares = np.diff(poses.xyz.astype(np.float64), 2, axis=0) ** 2
        count = np.maximum(np.isfinite(squares).sum((0, -1)), 1)
        acceleration = np.sqrt(np.nansum(squares, (0, -1)) / count)
        before, after = (np.where(filled, frames, 0.0) for frames in nearest_seen(seen))
        grown = acceleration * before * after / 2
        level = interpolate_gaps(np.where(seen, poses.sigma, np.nan)[..., None], longest, "linear")[..., 0]
        changed["sigma"] = np.where(filled, np.hypot(level, grown), poses.sigma)
    note = f"gaps of up to {longest} frames filled ({method})"
    return replace(poses, xyz=xyz, **changed, provenance=add_step(poses.provenance, note))


def interpolate_gaps(values: np.ndarray, longest: int, method: str = "pchip") -> np.ndarray:
    """Fill gaps of up to ``longest`` frames in (frames, ..., d); a frame with a NaN among its d is missing.

    Raises ShapeError for an unknown method.
    """
    from scipy.interpolate import CubicSpline, PchipInterpolator, make_interp_spline

    if method not in METHODS:
        raise ShapeError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    values = np.asarray(values)
    columns = values.reshape(len(values), -1, values.shape[-1]).astype(np.float64)
    known = np.asarray(np.isfinite(columns).all(-1))
    wanted = short_gaps(known.T, longest).T
    for column in np.flatnonzero(wanted.any(0)):
        for start, stop in runs(known[:, column] | wanted[:, column]):
            gap = start + np.flatnonzero(wanted[start:stop, column])
            frames = start + np.flatnonzero(known[start:stop, column])
            if len(gap) == 0:
                continue
            points = columns[frames, column]
            if method == "linear" or len(frames) < 3:
                curve = make_interp_spline(frames, points, k=1)
            else:
                curve = (CubicSpline if method == "cubic" else PchipInterpolator)(frames, points)
            columns[gap, column] = curve(gap)
    return columns.reshape(values.shape).astype(values.dtype)


def short_gaps(seen: np.ndarray, longest: int) -> np.ndarray:
    """(..., frames) bool: missing, in a gap of up to ``longest`` frames between frames that are seen."""
    before, after = nearest_seen(np.moveaxis(np.asarray(seen), -1, 0))
    return np.asarray(np.moveaxis((before > 0) & (before + after - 1 <= longest), 0, -1))


def runs(mask: np.ndarray) -> Iterator[tuple[int, int]]:
    """(start, stop) of each stretch of True in (frames,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def gap_confidence(confidence: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(frames, ...) what confidence interpolated joints get: part of that of the nearest frames that are seen."""
    before, after = nearest_seen(seen)
    frames = np.arange(len(seen)).reshape(-1, *[1] * (seen.ndim - 1))
    last = np.take_along_axis(
        confidence, np.clip(frames - np.where(np.isfinite(before), before, 0), 0, None).astype(int), 0
    )
    following = np.take_along_axis(
        confidence, np.clip(frames + np.where(np.isfinite(after), after, 0), None, len(seen) - 1).astype(int), 0
    )
    return np.asarray(KEPT_CONFIDENCE * np.minimum(last, following))


def nearest_seen(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames since the last that was seen and to the next, (frames, ...) as ``seen``; infinite where there is none."""
    frames = np.arange(len(seen), dtype=np.float64).reshape(-1, *[1] * (seen.ndim - 1))
    last = np.maximum.accumulate(np.where(seen, frames, -np.inf), axis=0)
    following = np.minimum.accumulate(np.where(seen, frames, np.inf)[::-1], axis=0)[::-1]
    return frames - last, following - frames

"""Keypoints of several cameras at the same moments, by interpolation between frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.multiview.clocks import CameraClock, Synchronisation
from lift3d.poses import Keypoints2D, add_step

# Positions are cubic, not linear: halfway between frames of motion capture seen with 2 px of noise, the root mean
# square error is 2.6 against 4.0 px at 25 frames/s, 2.5 against 3.2 at 30, and 2.3 against 2.1 at 60.

# The most frames that may be missing between two that are interpolated between.
LONGEST_GAP = 3
MARGIN = LONGEST_GAP + 2  # frames to each side that may matter
PART = 4096  # moments at a time, so that memory does not grow with the clip's length
ON_FRAME = 1e-4  # of a frame; nearer than this to a frame is that frame, unchanged


def apply(
    keypoints: Sequence[Keypoints2D] | Mapping[str, Keypoints2D], synchronisation: Synchronisation
) -> list[Keypoints2D]:
    """The keypoints of all cameras at the frames of the fastest one, the first if several are.

    That camera's frames stay as they are. Positions between two frames are cubic (Catmull and Rom) where the four
    frames around are seen, else linear; confidences linear. A joint is missing where the nearest frame misses it, and
    where more than ``LONGEST_GAP`` frames are missing on one side of that moment. The result begins when a second
    camera has started and ends when all but one have stopped; a camera that does not run then misses all joints.

    Args:
        keypoints: of the cameras of ``synchronisation``, by name or in its order.

    Returns:
        One a camera in the order of ``synchronisation``, all with the same number of frames and the same rate. Their
        provenance says the camera's clock, and when the first frame was taken on the first camera's.

    Raises:
        Lift3DError: other cameras than were synchronised, another frame rate, or no moment that two cameras share.
    """
    if isinstance(keypoints, Mapping):
        if set(keypoints) != set(synchronisation.names):
            raise Lift3DError(
                f"the cameras are {', '.join(keypoints)}, but those synchronised are {', '.join(synchronisation.names)}"
            )
        keypoints = [keypoints[name] for name in synchronisation.names]
    clocks = synchronisation.cameras
    if len(keypoints) != len(clocks):
        raise Lift3DError(f"there are {len(keypoints)} cameras, but {len(clocks)} were synchronised")
    for clock, points in zip(clocks, keypoints, strict=True):
        if points.fps is not None and abs(points.fps - clock.fps) > 1e-6 * clock.fps:
            raise Lift3DError(
                f"camera {clock.name!r} has {points.fps:g} frames/s, but was synchronised with {clock.fps:g}"
            )
    starts = sorted(float(clock.times(np.array(0))) for clock in clocks)
    ends = sorted(
        float(clock.times(np.array(points.frames - 1))) for clock, points in zip(clocks, keypoints, strict=True)
    )
    axis = max(clocks, key=lambda clock: clock.fps)
    first = int(np.ceil(axis.frames(np.array(starts[min(1, len(starts) - 1)])) - ON_FRAME))
    last = int(np.floor(axis.frames(np.array(ends[max(-2, -len(ends))])) + ON_FRAME))
    if last < first:
        raise Lift3DError(
            "no two cameras run at the same time: "
            + ", ".join(f"{clock.name} starts at {clock.offset:.3f} s" for clock in clocks)
        )
    times = axis.times(np.arange(first, last + 1))
    return [_resample(points, clock, axis, times) for clock, points in zip(clocks, keypoints, strict=True)]


def _resample(points: Keypoints2D, clock: CameraClock, axis: CameraClock, times: np.ndarray) -> Keypoints2D:
    xy, confidence = interpolate(points.xy, points.confidence, clock.frames(times))
    step = (
        f"synchronised: frame 0 is {times[0]:.4f} s on the first camera's clock, which is frame "
        f"{float(clock.frames(times[0])):.2f} of this camera, at the {axis.fps:g} frames/s of {axis.name}"
    )
    record = {
        "camera": clock.name,
        "offset_seconds": clock.offset,
        "drift_ppm": clock.drift,
        "first_frame_seconds": float(times[0]),
    }
    return replace(
        points,
        xy=xy,
        confidence=confidence,
        fps=axis.fps,
        provenance={**add_step(points.provenance, step), "synchronisation": record},
    )


def interpolate(xy: np.ndarray, confidence: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (frames, ..., 2) and confidences (frames, ...) at frames with fractions ``place`` (n,)."""
    if len(xy) == 0:
        return np.full((len(place), *xy.shape[1:]), np.nan, np.float32), np.zeros((len(place), *confidence.shape[1:]))
    parts = [_interpolate_part(xy, confidence, place[i : i + PART]) for i in range(0, len(place), PART)]
    positions, confidences = zip(*parts, strict=True)
    return np.concatenate(positions), np.concatenate(confidences)


def _interpolate_part(xy: np.ndarray, confidence: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for rising places that are few: only the frames around them are looked at."""
    first = int(np.clip(np.floor(place[0]) - MARGIN, 0, len(xy) - 1))
    last = int(np.clip(np.ceil(place[-1]) + MARGIN, 0, len(xy) - 1))
    xy, confidence, place = xy[first : last + 1], confidence[first : last + 1], place - first
    frames = len(xy)
    nearest = np.rint(place).astype(int)
    place = np.where(np.abs(place - nearest) < ON_FRAME, nearest, place)
    inside = (place >= 0) & (place <= frames - 1)
    place = np.clip(place, 0, frames - 1)
    nearest, floor, ceiling = np.rint(place).astype(int), np.floor(place).astype(int), np.ceil(place).astype(int)

    seen = np.isfinite(xy).all(axis=-1)
    number = np.arange(frames).reshape(-1, *[1] * (seen.ndim - 1))
    before = np.maximum.accumulate(np.where(seen, number, -frames), axis=0)[floor]
    after = np.minimum.accumulate(np.where(seen, number, 2 * frames)[::-1], axis=0)[::-1][ceiling]
    known = seen[nearest] & (after - before <= LONGEST_GAP + 1)
    known &= inside.reshape(-1, *[1] * (seen.ndim - 1))
    before, after = np.where(known, before, 0), np.where(known, after, 0)
    time = place.reshape(-1, *[1] * (seen.ndim - 1))
    share = np.where(after > before, (time - before) / np.maximum(after - before, 1), 0)

    def take(values: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Each joint's values at its own frames (n, ...)."""
        index = np.clip(at, 0, frames - 1)
        return np.take_along_axis(values, index if values.ndim == index.ndim else index[..., None], axis=0)

    u = share[..., None]
    p, q = take(xy, before).astype(np.float64), take(xy, after).astype(np.float64)
    linear = p + u * (q - p)
    even = (after - before == 1) & (before > 0) & (after < frames - 1)
    even &= take(seen, before - 1) & take(seen, after + 1)
    o, r = np.nan_to_num(take(xy, before - 1)), np.nan_to_num(take(xy, after + 1))
    cubic = p + u / 2 * (q - o + u * (2 * o - 5 * p + 4 * q - r + u * (3 * (p - q) + r - o)))
    result = np.where(even[..., None], cubic, linear)
    sure = (1 - share) * take(confidence, before) + share * take(confidence, after)
    return (
        np.where(known[..., None], result, np.nan).astype(np.float32),
        np.where(known, sure, 0).astype(np.float32),
    )

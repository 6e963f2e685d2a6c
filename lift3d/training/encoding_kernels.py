"""Loops of ``lift3d.training.set_encoding``, one window after the other, so that all of it stays in the cache.

Kernels with ``first`` and ``last`` are for ``over_windows``: they do these windows.
"""

from __future__ import annotations

import numpy as np

from lift3d.geometry.lenses import MOST_STEPS
from lift3d.training.compiled import exact

# Single precision stays so only among its own numbers.
_ZERO, _ONE, _TWO, _THREE, _SIX = (np.float32(number) for number in (0, 1, 2, 3, 6))
# What a step of Newton's method moves at the end, squared, as in ``lenses.undistort``.
_TOLERANCE = np.float32(1e-10)


@exact
def mix_points(
    first: int, last: int, points: np.ndarray, index: np.ndarray, weights: np.ndarray, mixed: np.ndarray
) -> None:
    """Joints that are sums of others, NaN where one of these is, or where there are none.

    Args:
        points: (n, joints, 3).
        index, weights: (joints of the result, k) the joints of each sum; weight 0 fills up.
        mixed: (n, joints of the result, 3), the result.
    """
    for point in range(first, last):
        for joint in range(len(weights)):
            for axis in range(3):
                total = np.float32(np.nan) if weights[joint, 0] == 0 else _ZERO
                for at in range(weights.shape[1]):
                    if weights[joint, at] != 0:
                        total += weights[joint, at] * points[point, index[joint, at], axis]
                mixed[point, joint, axis] = total


@exact
def mix_keypoints(
    first: int,
    last: int,
    xy: np.ndarray,
    confidence: np.ndarray,
    index: np.ndarray,
    weights: np.ndarray,
    xy_out: np.ndarray,
    confidence_out: np.ndarray,
) -> None:
    """Keypoints that are sums of others, with the least of their confidence; 0 where that is 0, or there are none.

    Args:
        xy, confidence: (windows, frames, joints, 2) and (windows, frames, joints).
        index, weights: as for ``mix_points``.
        xy_out, confidence_out: (windows, joints out, 2, frames) and (windows, joints out, frames), the result.
    """
    frames = xy.shape[1]
    for window in range(first, last):
        for joint in range(len(weights)):
            if weights[joint, 0] == 0:
                xy_out[window, joint] = 0
                confidence_out[window, joint] = 0
                continue
            for frame in range(frames):
                least, x, y = np.float32(np.inf), _ZERO, _ZERO
                for at in range(weights.shape[1]):
                    weight, source = weights[joint, at], index[joint, at]
                    if weight != 0:
                        least = min(least, confidence[window, frame, source])
                        x += weight * xy[window, frame, source, 0]
                        y += weight * xy[window, frame, source, 1]
                seen = least > 0
                xy_out[window, joint, 0, frame] = x if seen else _ZERO
                xy_out[window, joint, 1, frame] = y if seen else _ZERO
                confidence_out[window, joint, frame] = least


@exact
def undistort_keypoints(
    first: int,
    last: int,
    focal: np.ndarray,
    centre: np.ndarray,
    distortion: np.ndarray,
    xy: np.ndarray,
    confidence: np.ndarray,
) -> None:
    """Keypoints from pixels to the plane z = 1, in place; missing ones, and those that no point is seen at, are 0.

    Args:
        focal, centre, distortion: (windows, 2), (windows, 2) and (windows, 5), of ``CameraBatch``.
        xy, confidence: (windows, joints, 2, frames) and (windows, joints, frames).
    """
    joints, frames = xy.shape[1], xy.shape[3]
    shown_x, shown_y, good = np.empty(frames, np.float32), np.empty(frames, np.float32), np.empty(frames, np.bool_)
    for window in range(first, last):
        cx, cy = centre[window, 0], centre[window, 1]
        fx, fy = _ONE / focal[window, 0], _ONE / focal[window, 1]
        lens = distortion[window]
        for joint in range(joints):
            x, y, seen = xy[window, joint, 0], xy[window, joint, 1], confidence[window, joint]
            count = 0
            for frame in range(frames):
                there = seen[frame] > 0
                count += there
                # Missing keypoints stand at the image's centre, where every lens is well-behaved.
                shown_x[frame] = x[frame] = (x[frame] - cx) * fx if there else _ZERO
                shown_y[frame] = y[frame] = (y[frame] - cy) * fy if there else _ZERO
            # Joints that a layout lacks are missing in every frame.
            for _ in range(MOST_STEPS if count else 0):
                if not _newton_step(shown_x, shown_y, lens, x, y, good):
                    break
            for frame in range(frames):
                if not (count and good[frame]):
                    x[frame] = y[frame] = seen[frame] = 0


@exact
def _newton_step(
    shown_x: np.ndarray, shown_y: np.ndarray, lens: np.ndarray, x: np.ndarray, y: np.ndarray, good: np.ndarray
) -> int:
    """One step of ``lenses.undistort`` for points (n,), in place; how many moved far, and which are points now."""
    k1, k2, p1, p2, k3 = lens[0], lens[1], lens[2], lens[3], lens[4]
    far = 0
    for at in range(len(x)):
        u, v = x[at], y[at]
        s, uv = u * u + v * v, u * v
        factor = _ONE + s * (k1 + s * (k2 + s * k3))
        twice = _TWO * (k1 + s * (_TWO * k2 + s * (_THREE * k3)))
        dx = factor * u + _TWO * p1 * uv + p2 * (s + _TWO * u * u) - shown_x[at]
        dy = factor * v + p1 * (s + _TWO * v * v) + _TWO * p2 * uv - shown_y[at]
        dxx = factor + twice * u * u + _TWO * p1 * v + _SIX * p2 * u
        dxy = twice * uv + _TWO * p1 * u + _TWO * p2 * v
        dyy = factor + twice * v * v + _SIX * p1 * v + _TWO * p2 * u
        determinant = dxx * dyy - dxy * dxy
        step_x = (dyy * dx - dxy * dy) / determinant
        step_y = (dxx * dy - dxy * dx) / determinant
        u, v = u - step_x, v - step_y
        moved = step_x * step_x + step_y * step_y
        far += moved > _TOLERANCE
        # Not on the far side of the circle at which the polynomial turns back, nor on the other side of the axis.
        near = moved <= _TOLERANCE * (_ONE + u * u + v * v)
        good[at] = near & (determinant > _ZERO) & (u * shown_x[at] + v * shown_y[at] >= _ZERO)
        x[at], y[at] = u, v
    return far


@exact
def fill_gaps(first: int, last: int, xy: np.ndarray, confidence: np.ndarray, filled: np.ndarray) -> None:
    """Missing keypoints on straight lines over time; see ``set_encoding.fill_gaps``."""
    frames, joints = xy.shape[1:3]
    for window in range(first, last):
        total_x, total_y, seen = 0.0, 0.0, 0
        for frame in range(frames):
            for joint in range(joints):
                x, y = xy[window, frame, joint, 0], xy[window, frame, joint, 1]
                filled[window, frame, joint, 0], filled[window, frame, joint, 1] = x, y
                if confidence[window, frame, joint] > 0:
                    total_x += x
                    total_y += y
                    seen += 1
        if seen == frames * joints:
            continue
        mean = total_x / max(seen, 1), total_y / max(seen, 1)
        for joint in range(joints):
            past = -1  # frame in which the joint was last seen
            for frame in range(frames):
                if confidence[window, frame, joint] > 0:
                    for axis in range(2):
                        end = xy[window, frame, joint, axis]
                        start = xy[window, past, joint, axis] if past >= 0 else end
                        for between in range(past + 1, frame):
                            share = np.float32(between - past) / np.float32(frame - past)
                            filled[window, between, joint, axis] = start + share * (end - start)
                    past = frame
            for frame in range(past + 1, frames):
                for axis in range(2):
                    filled[window, frame, joint, axis] = xy[window, past, joint, axis] if past >= 0 else mean[axis]


@exact
def segment_lengths(
    first: int, last: int, joints: np.ndarray, starts: np.ndarray, ends: np.ndarray, lengths: np.ndarray
) -> None:
    """Mean lengths (windows, segments) of segments over the frames in which both ends are seen, NaN if in none.

    Args:
        joints: (windows, frames, joints, 3), NaN where missing.
        starts, ends: (segments,) joints.
        lengths: the result.
    """
    frames = joints.shape[1]
    for window in range(first, last):
        for segment in range(len(starts)):
            total, count = _ZERO, 0
            for frame in range(frames):
                start, end = joints[window, frame, starts[segment]], joints[window, frame, ends[segment]]
                x, y, z = end[0] - start[0], end[1] - start[1], end[2] - start[2]
                length = np.sqrt(x * x + y * y + z * z)
                if not np.isnan(length):
                    total += length
                    count += 1
            lengths[window, segment] = total / np.float32(count)


@exact
def make_targets(joints: np.ndarray, rotation: np.ndarray, target: np.ndarray, weight: np.ndarray) -> None:
    """Joints from their root, turned, and their weight: 1, or 0 where they are missing; the target is 0 there.

    Args:
        joints: (windows, outputs, joints, 3), NaN where missing; the first is the root.
        rotation: (windows, outputs, 3, 3) to the target's axes.
        target, weight: (windows, outputs, joints, 3) and (windows, outputs, joints), the result.
    """
    windows, outputs, count, _ = joints.shape
    for window in range(windows):
        for output in range(outputs):
            r, root = rotation[window, output], joints[window, output, 0]
            for joint in range(count):
                place = joints[window, output, joint]
                x, y, z = place[0] - root[0], place[1] - root[1], place[2] - root[2]
                known = np.isfinite(x) and np.isfinite(y) and np.isfinite(z)
                weight[window, output, joint] = known
                for axis in range(3):
                    turned = r[axis, 0] * x + r[axis, 1] * y + r[axis, 2] * z
                    target[window, output, joint, axis] = turned if known else _ZERO

"""Loops of ``lift3d.training.augmentation``, one window after the other, so that all of it stays in the cache.

Arrays are those of ``RawWindows``: xy (windows, frames, joints of the 2D layout, 2) in pixels, confidence without the
last axis, 0 where missing; xyz (windows, frames, joints of the 3D layout, 3) in metres, NaN where missing.

Kernels with ``first`` and ``last`` are for ``over_windows``: they do these windows.
"""

from __future__ import annotations

import numpy as np

from lift3d.training.compiled import exact
from lift3d.training.reprojection import NEAREST

# Single precision stays so only among its own numbers.
_ONE, _TWO, _NEAREST = np.float32(1), np.float32(2), np.float32(NEAREST)


@exact
def play(
    first: int,
    last: int,
    time: np.ndarray,
    xy: np.ndarray,
    confidence: np.ndarray,
    xyz: np.ndarray,
    xy_out: np.ndarray,
    confidence_out: np.ndarray,
    xyz_out: np.ndarray,
) -> None:
    """Frames between those recorded, at ``time`` (windows, frames out) in recorded frames, on straight lines.

    A keypoint must be there in both frames.
    """
    frames = time.shape[1]
    end, joints = xy.shape[1] - 1, xy.shape[2]
    for window in range(first, last):
        for frame in range(frames):
            low = min(max(int(np.floor(time[window, frame])), 0), end)
            share = np.float32(time[window, frame] - np.float32(low))
            high = min(low + 1, end) if share > 0 else low
            for joint in range(joints):
                one, other = confidence[window, low, joint], confidence[window, high, joint]
                both = one > 0 and other > 0
                confidence_out[window, frame, joint] = one + share * (other - one) if both else 0
                for axis in range(2):
                    start = xy[window, low, joint, axis]
                    between = start + share * (xy[window, high, joint, axis] - start)
                    xy_out[window, frame, joint, axis] = between if both else 0
            for joint in range(xyz.shape[2]):
                for axis in range(3):
                    start = xyz[window, low, joint, axis]
                    xyz_out[window, frame, joint, axis] = start + share * (xyz[window, high, joint, axis] - start)


@exact
def resize(
    first: int, last: int, xyz: np.ndarray, order: np.ndarray, parents: np.ndarray, factors: np.ndarray, out: np.ndarray
) -> None:
    """Every bone's length times the factor (windows, joints) of the joint it ends in, from the root outwards.

    Args:
        xyz: where the joints are.
        order: (joints,) the joints, each behind its parent.
        parents: (joints,) -1 for one that stays in place.
        factors, out: as above; as ``xyz``.
    """
    frames, joints = xyz.shape[1:3]
    for window in range(first, last):
        for frame in range(frames):
            for at in range(joints):
                joint = order[at]
                parent, factor = parents[joint], factors[window, joint]
                for axis in range(3):
                    place = xyz[window, frame, joint, axis]
                    if parent >= 0:
                        bone = place - xyz[window, frame, parent, axis]
                        place = out[window, frame, parent, axis] + factor * bone
                    out[window, frame, joint, axis] = place


@exact
def find_root(xyz: np.ndarray) -> np.ndarray:
    """(windows, 3) the root in the frame nearest to the middle of the window that has it, 0 if none has."""
    windows, frames = xyz.shape[:2]
    root = np.zeros((windows, 3), np.float32)
    for window in range(windows):
        for step in range(frames):
            # The middle, the one before, the one after, and so on.
            frame = frames // 2 + (-(step + 1) // 2 if step % 2 else step // 2)
            x, y, z = xyz[window, frame, 0, 0], xyz[window, frame, 0, 1], xyz[window, frame, 0, 2]
            if not np.isnan(x + y + z):
                root[window, 0], root[window, 1], root[window, 2] = x, y, z
                break
    return root


@exact
def move_rigidly(
    first: int, last: int, xyz: np.ndarray, rotation: np.ndarray, shift: np.ndarray, out: np.ndarray
) -> None:
    """Poses of each window turned by its rotation (windows, 3, 3), then shifted (windows, 3)."""
    for window in range(first, last):
        # By themselves the numbers stay in registers.
        r, s = rotation[window], shift[window]
        a, b, c, d, e, f, g, h, i = r[0, 0], r[0, 1], r[0, 2], r[1, 0], r[1, 1], r[1, 2], r[2, 0], r[2, 1], r[2, 2]
        u, v, w = s[0], s[1], s[2]
        given, moved = xyz[window].reshape(-1, 3), out[window].reshape(-1, 3)
        for point in range(len(given)):
            x, y, z = given[point, 0], given[point, 1], given[point, 2]
            moved[point, 0] = a * x + b * y + c * z + u
            moved[point, 1] = d * x + e * y + f * z + v
            moved[point, 2] = g * x + h * y + i * z + w


@exact
def comes_near(xyz: np.ndarray, least: float) -> np.ndarray:
    """(windows,) bool, whether any joint of a window is nearer to the camera's plane than ``least`` metres."""
    near = np.zeros(len(xyz), np.bool_)
    for window in range(len(xyz)):
        for depth in xyz[window, :, :, 2].flat:
            near[window] |= depth < least
    return near


@exact
def shift_keypoints(
    first: int,
    last: int,
    kept: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    focal: np.ndarray,
    distortion: np.ndarray,
    reach: np.ndarray,
    source: np.ndarray,
    weight: np.ndarray,
    xy: np.ndarray,
    confidence: np.ndarray,
) -> None:
    """Move keypoints in place by what the projection of their joints moves.

    Args:
        kept: (windows,) bool, those that are left as they are.
        before, after: poses.
        focal, distortion, reach: (windows, 2), (windows, 5) and (windows,), of ``reprojection.project``.
        source, weight: (joints of the 2D layout, n) the 3D joints that move a keypoint, and by how much; weight 0
            for none. Where one of them is missing the keypoint is from now on.
        xy, confidence: changed in place.
    """
    frames, joints = after.shape[1:3]
    old, new = np.empty((2, frames * joints), np.float32), np.empty((2, frames * joints), np.float32)
    for window in range(first, last):
        if kept[window]:
            continue
        _project(before[window].reshape(-1, 3), focal[window], distortion[window], reach[window], old)
        _project(after[window].reshape(-1, 3), focal[window], distortion[window], reach[window], new)
        for frame in range(frames):
            for joint in range(weight.shape[0]):
                shift_x = shift_y = np.float32(0)
                for at in range(weight.shape[1]):
                    if weight[joint, at] != 0:
                        point = frame * joints + source[joint, at]
                        shift_x += weight[joint, at] * (new[0, point] - old[0, point])
                        shift_y += weight[joint, at] * (new[1, point] - old[1, point])
                if confidence[window, frame, joint] > 0 and np.isfinite(shift_x):
                    xy[window, frame, joint, 0] += shift_x
                    xy[window, frame, joint, 1] += shift_y
                else:
                    xy[window, frame, joint, 0] = xy[window, frame, joint, 1] = 0
                    confidence[window, frame, joint] = 0


@exact
def _project(
    points: np.ndarray, focal: np.ndarray, distortion: np.ndarray, reach: np.float32, pixels: np.ndarray
) -> None:
    """``reprojection.project`` of points (n, 3) in camera space to pixels (2, n) from the camera's centre."""
    fx, fy = focal[0], focal[1]
    k1, k2, p1, p2, k3 = distortion[0], distortion[1], distortion[2], distortion[3], distortion[4]
    # Axis by axis, so that the processor works on several points at once.
    planar = points.T.copy()
    for at in range(len(points)):
        x, y, z = planar[0, at], planar[1, at], planar[2, at]
        # Comparisons that NaN passes, unlike min and max.
        z = _NEAREST if z < _NEAREST else z
        x, y = x / z, y / z
        x = -reach if x < -reach else x
        x = reach if x > reach else x
        y = -reach if y < -reach else y
        y = reach if y > reach else y
        s, xy = x * x + y * y, _TWO * x * y
        factor = _ONE + s * (k1 + s * (k2 + s * k3))
        pixels[0, at] = fx * (factor * x + p1 * xy + p2 * (s + _TWO * x * x))
        pixels[1, at] = fy * (factor * y + p1 * (s + _TWO * y * y) + p2 * xy)


@exact
def mirror(
    first: int,
    last: int,
    chosen: np.ndarray,
    width: np.ndarray,
    order_2d: np.ndarray,
    order_3d: np.ndarray,
    xy: np.ndarray,
    confidence: np.ndarray,
    xyz: np.ndarray,
    xy_out: np.ndarray,
    confidence_out: np.ndarray,
    xyz_out: np.ndarray,
) -> None:
    """The chosen windows (windows,) bool in a mirror: joints in the order of the other side, x the other way.

    Args:
        chosen: which.
        width: (windows,) of the image, pixels.
        order_2d, order_3d: (joints,) the joint of the other side, or itself.
        xy, confidence, xyz: the windows.
        xy_out, confidence_out, xyz_out: all windows, the chosen ones mirrored.
    """
    for window in range(first, last):
        turned = chosen[window]
        for frame in range(xy.shape[1]):
            for joint in range(len(order_2d)):
                other = order_2d[joint] if turned else joint
                x, seen = xy[window, frame, other, 0], confidence[window, frame, other]
                confidence_out[window, frame, joint] = seen
                xy_out[window, frame, joint, 0] = width[window] - x if turned and seen > 0 else x
                xy_out[window, frame, joint, 1] = xy[window, frame, other, 1]
            for joint in range(len(order_3d)):
                other = order_3d[joint] if turned else joint
                x = xyz[window, frame, other, 0]
                xyz_out[window, frame, joint, 0] = -x if turned else x
                xyz_out[window, frame, joint, 1] = xyz[window, frame, other, 1]
                xyz_out[window, frame, joint, 2] = xyz[window, frame, other, 2]

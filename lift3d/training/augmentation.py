"""Bodies, cameras and speeds that a prepared set does not hold, made from its windows.

Where the body is changed in space, each keypoint moves by what the projection of its joint moves. So the keypoint
keeps the error that the detector made, and a joint that only one of the layouts names moves with its neighbour.
All functions give new windows, work on whole batches, and take their random numbers from ``WindowDraws``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.windows import RawWindows
from lift3d.skeletons import Skeleton, conversion
from lift3d.training import augmentation_kernels as kernels
from lift3d.training.bodies import rotation_about
from lift3d.training.compiled import over_windows
from lift3d.training.configuration import Augmentation
from lift3d.training.layout_mix import sparse_rows
from lift3d.training.window_draws import WindowDraws

# A window in which a changed body would come nearer to the camera than this stays as it was, metres.
NEAREST_BODY = 0.5


def frames_beyond(augmentation: Augmentation, frames: int) -> int:
    """Frames that ``change_speed`` needs on either side of a window of ``frames`` frames."""
    return max(0, int((augmentation.speed[1] - 1) * (frames - 1) / 2 + 0.999))


def change_speed(windows: RawWindows, frames: int, augmentation: Augmentation, draws: WindowDraws) -> RawWindows:
    """The middle ``frames`` frames of windows, played slower or faster about their middle frame.

    Between two frames poses and keypoints are interpolated; a joint must be there in both.
    """
    middle = (windows.xy.shape[1] - 1) / 2
    if augmentation.speed == (1.0, 1.0):
        first = (windows.xy.shape[1] - frames) // 2
        inside = slice(first, first + frames)
        return replace(
            windows, xy=windows.xy[:, inside], confidence=windows.confidence[:, inside], xyz=windows.xyz[:, inside]
        )
    time = middle + _log_uniform(augmentation.speed, draws)[:, None] * (torch.arange(frames) - (frames - 1) / 2)
    played = _like(windows, frames)
    over_windows(kernels.play, len(time), time.numpy(), *_arrays(windows), *played)
    return _with(windows, played)


def change_bodies(
    windows: RawWindows, skeleton_2d: Skeleton, skeleton_3d: Skeleton, augmentation: Augmentation, draws: WindowDraws
) -> RawWindows:
    """Bodies of other size and proportions, turned about the vertical, nearer or farther, and the camera rolled."""
    if not _changes_bodies(augmentation):
        return windows
    xyz = windows.xyz
    if augmentation.bone_lengths > 0 or augmentation.scale != (1.0, 1.0):
        size = _log_uniform(augmentation.scale, draws)[:, None]
        factors = (augmentation.bone_lengths * draws.normal(len(skeleton_3d))).exp()[:, _sides_alike(skeleton_3d)]
        xyz = resize_bones(xyz, skeleton_3d, size * factors)
    # The rest moves each window's body as a whole: X -> rotation X + shift.
    root = torch.from_numpy(kernels.find_root(xyz.numpy()))
    rotation, shift = torch.eye(3).repeat(draws.windows, 1, 1), torch.zeros(draws.windows, 3)
    if augmentation.turn_vertical_degrees > 0:
        rotation = rotation_about(windows.up, _angle(augmentation.turn_vertical_degrees, draws))
        shift = root - (rotation @ root[..., None])[..., 0]
    if augmentation.distance != (1.0, 1.0):
        shift = shift + (_log_uniform(augmentation.distance, draws)[:, None] - 1) * root
    if augmentation.turn_degrees > 0:
        axis = torch.tensor([0.0, 0.0, 1.0]).expand(draws.windows, 3)
        roll = rotation_about(axis, _angle(augmentation.turn_degrees, draws))
        rotation, shift = roll @ rotation, (roll @ shift[..., None])[..., 0]
        windows = replace(windows, up=(roll @ windows.up[..., None])[..., 0])
    moved = torch.empty(xyz.shape)
    over_windows(kernels.move_rigidly, len(xyz), xyz.numpy(), rotation.numpy(), shift.numpy(), moved.numpy())
    return move_bodies(windows, moved, skeleton_2d, skeleton_3d)


def move_bodies(windows: RawWindows, xyz: Tensor, skeleton_2d: Skeleton, skeleton_3d: Skeleton) -> RawWindows:
    """Windows of bodies that are at ``xyz`` (batch, T, joints, 3) instead, seen by the same cameras.

    Keypoints move by the difference of the projections, (x + project(X') - project(X)), and are missing where the
    joints that move them are. A window whose body would come nearer than ``NEAREST_BODY`` stays as it was.
    """
    kept = kernels.comes_near(xyz.numpy(), NEAREST_BODY)
    if kept.any():
        xyz = torch.where(torch.from_numpy(kept)[:, None, None, None], windows.xyz, xyz)
    camera = windows.camera
    reach = camera.image_size.amax(-1) / camera.focal.amin(-1)
    lens = (part.numpy() for part in (camera.focal, camera.distortion, reach))
    xy, confidence = (x.clone(memory_format=torch.contiguous_format) for x in (windows.xy, windows.confidence))
    poses, rows = (windows.xyz.numpy(), xyz.numpy()), _moved_by(skeleton_2d, skeleton_3d)
    over_windows(kernels.shift_keypoints, len(xyz), kept, *poses, *lens, *rows, xy.numpy(), confidence.numpy())
    return replace(windows, xy=xy, confidence=confidence, xyz=xyz)


def resize_bones(xyz: Tensor, skeleton: Skeleton, factors: Tensor) -> Tensor:
    """Bodies with every bone's length times a factor, posed as before, their root in place.

    Args:
        xyz: (batch, T, joints, 3), NaN where missing; a joint is then missing too if one between it and the root is.
        skeleton: the layout; its first joint is the root.
        factors: (batch, joints) factor of the bone that ends in each joint; the root's is not used.
    """
    resized = torch.empty(xyz.shape)
    over_windows(kernels.resize, len(xyz), xyz.numpy(), *_outwards(skeleton), factors.numpy(), resized.numpy())
    return resized


def mirror(windows: RawWindows, chosen: Tensor, skeleton_2d: Skeleton, skeleton_3d: Skeleton) -> RawWindows:
    """Windows of which the chosen ones (batch,) bool are seen in a mirror: left is right, and x runs the other way.

    The mirrored camera is exact: its centre, its tangential distortion p2 and the vertical are mirrored too.
    """
    camera, width = windows.camera, windows.camera.image_size[:, 0]
    turned = torch.tensor([-1.0, 1.0, 1.0])
    mirrored = _like(windows, windows.xy.shape[1])
    orders = (np.array(skeleton.mirror_order) for skeleton in (skeleton_2d, skeleton_3d))
    over_windows(kernels.mirror, len(chosen), chosen.numpy(), width.numpy(), *orders, *_arrays(windows), *mirrored)
    centre, distortion = camera.centre.clone(), camera.distortion.clone()
    centre[:, 0] = torch.where(chosen, width - centre[:, 0], centre[:, 0])
    distortion[:, 3] = torch.where(chosen, -distortion[:, 3], distortion[:, 3])
    return replace(
        _with(windows, mirrored),
        up=torch.where(chosen[:, None], windows.up * turned, windows.up),
        camera=replace(camera, centre=centre, distortion=distortion),
    )


def _changes_bodies(augmentation: Augmentation) -> bool:
    """Whether bodies or cameras are changed at all."""
    still = (augmentation.distance, augmentation.scale) == ((1.0, 1.0), (1.0, 1.0))
    return (
        not still or max(augmentation.turn_vertical_degrees, augmentation.turn_degrees, augmentation.bone_lengths) > 0
    )


def _log_uniform(limits: tuple[float, float], draws: WindowDraws) -> Tensor:
    """(windows,) factors, their logarithm evenly between those of the limits."""
    low, high = (math.log(limit) for limit in limits)
    return (low + (high - low) * draws.uniform()).exp()


def _angle(degrees: float, draws: WindowDraws) -> Tensor:
    """(windows,) radians, evenly between -degrees and degrees."""
    return torch.deg2rad(draws.uniform(low=-degrees, high=degrees))


def _arrays(windows: RawWindows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints, confidence and poses for kernels."""
    return windows.xy.numpy(), windows.confidence.numpy(), windows.xyz.numpy()


def _like(windows: RawWindows, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Room for keypoints, confidence and poses of other windows, of so many frames."""
    shapes = ((len(x), frames, *x.shape[2:]) for x in _arrays(windows))
    xy, confidence, xyz = (np.empty(shape, np.float32) for shape in shapes)
    return xy, confidence, xyz


def _with(windows: RawWindows, arrays: tuple[np.ndarray, np.ndarray, np.ndarray]) -> RawWindows:
    """The windows with other keypoints, confidence and poses."""
    xy, confidence, xyz = map(torch.from_numpy, arrays)
    return replace(windows, xy=xy, confidence=confidence, xyz=xyz)


@lru_cache
def _moved_by(skeleton_2d: Skeleton, skeleton_3d: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """The 3D joints whose displacements move each keypoint, and how much of each it takes; both (2D joints, n)."""
    weights = conversion(skeleton_3d, skeleton_2d).weights.astype(np.float32)
    for joint in range(len(skeleton_2d)):
        source = joint
        while source >= 0 and not weights[source].any():
            source = skeleton_2d.parents[source]
        weights[joint] = weights[source] if source >= 0 else np.eye(len(skeleton_3d))[0]
    return sparse_rows(weights)


@lru_cache
def _outwards(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """The joints of a layout, each behind its parent, and their parents."""
    parents = np.array(skeleton.parents)
    order: list[int] = []
    while len(order) < len(parents):
        order += [
            joint for joint, parent in enumerate(parents) if joint not in order and (parent < 0 or parent in order)
        ]
    return np.array(order), parents


@lru_cache
def _sides_alike(skeleton: Skeleton) -> list[int]:
    """For each joint itself, or the left one of its pair."""
    order = list(range(len(skeleton)))
    for left, right in skeleton.pairs:
        order[right] = left
    return order

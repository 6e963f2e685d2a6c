"""Bodies, cameras and speeds that a prepared set does not hold, made from its windows.

Where the body is changed in space, each keypoint moves by what the projection of its joint moves. So the keypoint
keeps the error that the detector made, and a joint that only one of the layouts names moves with its neighbour.
All functions give new windows, work on whole batches, and take their random numbers from ``WindowDraws``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from lift3d.datasets.windows import RawWindows
from lift3d.skeletons import Skeleton, conversion
from lift3d.training.bodies import rotation_about
from lift3d.training.configuration import Augmentation
from lift3d.training.reprojection import project
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
    slow, fast = (torch.tensor(limit).log() for limit in augmentation.speed)
    middle = (windows.xy.shape[1] - 1) / 2
    if slow == fast == 0:
        first = (windows.xy.shape[1] - frames) // 2
        inside = slice(first, first + frames)
        return replace(
            windows, xy=windows.xy[:, inside], confidence=windows.confidence[:, inside], xyz=windows.xyz[:, inside]
        )
    speed = (slow + (fast - slow) * draws.uniform()).exp()
    time = middle + speed[:, None] * (torch.arange(frames) - (frames - 1) / 2)
    before = time.floor().clamp(0, windows.xy.shape[1] - 1)
    share = (time - before)[..., None]
    rows = torch.arange(len(time))[:, None]
    low = before.long()
    high = (low + (share[..., 0] > 0)).clamp_max(windows.xy.shape[1] - 1)

    def between(values: Tensor, share: Tensor) -> Tensor:
        return torch.lerp(values[rows, low], values[rows, high], share)

    both = torch.minimum(windows.confidence[rows, low], windows.confidence[rows, high]) > 0
    confidence = torch.where(both, between(windows.confidence, share), 0.0)
    xy = torch.where(both[..., None], between(windows.xy, share[..., None]), 0.0)
    return replace(windows, xy=xy, confidence=confidence, xyz=between(windows.xyz, share[..., None]))


def change_bodies(
    windows: RawWindows, skeleton_2d: Skeleton, skeleton_3d: Skeleton, augmentation: Augmentation, draws: WindowDraws
) -> RawWindows:
    """Bodies of other size and proportions, turned about the vertical, nearer or farther, and the camera rolled."""
    xyz = windows.xyz
    if augmentation.bone_lengths > 0 or augmentation.scale != (1.0, 1.0):
        size = _log_uniform(augmentation.scale, draws)[:, None]
        factors = (augmentation.bone_lengths * draws.normal(len(skeleton_3d))).exp()[:, _sides_alike(skeleton_3d)]
        xyz = resize_bones(xyz, skeleton_3d, size * factors)
    if augmentation.turn_vertical_degrees > 0:
        angle = _angle(augmentation.turn_vertical_degrees, draws)
        rotation = rotation_about(windows.up, angle)
        centre = _root(xyz)
        xyz = (xyz - centre) @ rotation[:, None].mT + centre
    if augmentation.distance != (1.0, 1.0):
        xyz = xyz + (_log_uniform(augmentation.distance, draws)[:, None, None, None] - 1) * _root(xyz)
    if augmentation.turn_degrees > 0:
        axis = torch.tensor([0.0, 0.0, 1.0]).expand(draws.windows, 3)
        rotation = rotation_about(axis, _angle(augmentation.turn_degrees, draws))
        xyz = xyz @ rotation[:, None].mT
        windows = replace(windows, up=(rotation @ windows.up[..., None])[..., 0])
    return windows if xyz is windows.xyz else move_bodies(windows, xyz, skeleton_2d, skeleton_3d)


def move_bodies(windows: RawWindows, xyz: Tensor, skeleton_2d: Skeleton, skeleton_3d: Skeleton) -> RawWindows:
    """Windows of bodies that are at ``xyz`` (batch, T, joints, 3) instead, seen by the same cameras.

    Keypoints move by the difference of the projections, (x + project(X') - project(X)), and are missing where the
    joints that move them are. A window whose body would come nearer than ``NEAREST_BODY`` stays as it was.
    """
    behind = (xyz[..., 2] < NEAREST_BODY).flatten(1).any(1)[:, None, None, None]
    xyz = torch.where(behind, windows.xyz, xyz)
    moved = project(xyz, windows.camera) - project(windows.xyz, windows.camera)
    mix = _moved_by(skeleton_2d, skeleton_3d)
    missing = moved.isnan().any(-1)
    lost = missing.to(mix.dtype) @ (mix != 0).to(mix.dtype).T > 0
    shift = mix @ torch.where(missing[..., None], 0.0, moved)
    confidence = torch.where(lost & ~behind[..., 0], 0.0, windows.confidence)
    xy = torch.where(confidence[..., None] > 0, windows.xy + shift, 0.0)
    return replace(windows, xy=xy, confidence=confidence, xyz=xyz)


def resize_bones(xyz: Tensor, skeleton: Skeleton, factors: Tensor) -> Tensor:
    """Bodies with every bone's length times a factor, posed as before, their root in place.

    Args:
        xyz: (batch, T, joints, 3), NaN where missing; a joint is then missing too if one between it and the root is.
        skeleton: the layout; its first joint is the root.
        factors: (batch, joints) factor of the bone that ends in each joint; the root's is not used.
    """
    above, parents = _ancestors(skeleton)
    bones = xyz - xyz[:, :, parents] * above.sum(1).gt(1)[:, None]
    bones = torch.cat([xyz[:, :, :1], bones[:, :, 1:] * factors[:, None, 1:, None]], dim=2)
    missing = xyz.isnan().any(-1)
    cut = missing.to(xyz.dtype) @ above.T > 0
    return torch.where(cut[..., None], torch.nan, above @ torch.where(bones.isnan(), 0.0, bones))


def mirror(windows: RawWindows, chosen: Tensor, skeleton_2d: Skeleton, skeleton_3d: Skeleton) -> RawWindows:
    """Windows of which the chosen ones (batch,) bool are seen in a mirror: left is right, and x runs the other way.

    The mirrored camera is exact: its centre, its tangential distortion p2 and the vertical are mirrored too.
    """
    rows = chosen.nonzero()[:, 0]
    camera, width = windows.camera, windows.camera.image_size[rows, 0]
    turned = torch.tensor([-1.0, 1.0, 1.0])
    confidence = windows.confidence[rows][:, :, list(skeleton_2d.mirror_order)]
    xy = windows.xy[rows][:, :, list(skeleton_2d.mirror_order)]
    xy[..., 0] = torch.where(confidence > 0, width[:, None, None] - xy[..., 0], 0.0)
    centre, distortion = camera.centre.clone(), camera.distortion.clone()
    centre[rows, 0] = width - centre[rows, 0]
    distortion[rows, 3] *= -1
    return replace(
        windows,
        xy=windows.xy.index_copy(0, rows, xy),
        confidence=windows.confidence.index_copy(0, rows, confidence),
        xyz=windows.xyz.index_copy(0, rows, windows.xyz[rows][:, :, list(skeleton_3d.mirror_order)] * turned),
        up=torch.where(chosen[:, None], windows.up * turned, windows.up),
        camera=replace(camera, centre=centre, distortion=distortion),
    )


def _log_uniform(limits: tuple[float, float], draws: WindowDraws) -> Tensor:
    """(windows,) factors, their logarithm evenly between those of the limits."""
    low, high = (torch.tensor(limit).log() for limit in limits)
    return (low + (high - low) * draws.uniform()).exp()


def _angle(degrees: float, draws: WindowDraws) -> Tensor:
    """(windows,) radians, evenly between -degrees and degrees."""
    return torch.deg2rad(draws.uniform(low=-degrees, high=degrees))


def _root(xyz: Tensor) -> Tensor:
    """(batch, 1, 1, 3) the root in the frame nearest to the middle of the window that has it, 0 if none has."""
    root = xyz[:, :, 0]
    frames = root.shape[1]
    away = (torch.arange(frames) - frames // 2).abs().expand(root.shape[:2])
    nearest = torch.where(root.isnan().any(-1), frames, away).argmin(1)
    return root[torch.arange(len(root)), nearest].nan_to_num()[:, None, None]


@lru_cache
def _moved_by(skeleton_2d: Skeleton, skeleton_3d: Skeleton) -> Tensor:
    """(2D joints, 3D joints): how much of each 3D joint's displacement each keypoint takes; rows sum to 1."""
    weights = torch.from_numpy(conversion(skeleton_3d, skeleton_2d).weights).float()
    for joint in range(len(skeleton_2d)):
        source = joint
        while source >= 0 and not weights[source].any():
            source = skeleton_2d.parents[source]
        weights[joint] = weights[source] if source >= 0 else torch.eye(len(skeleton_3d))[0]
    return weights


@lru_cache
def _ancestors(skeleton: Skeleton) -> tuple[Tensor, list[int]]:
    """(joints, joints) 1 where the second is the first or one of its ancestors, and each joint's parent (0 if none)."""
    above = torch.eye(len(skeleton))
    for joint in range(len(skeleton)):
        parent = skeleton.parents[joint]
        while parent >= 0:
            above[joint, parent] = 1
            parent = skeleton.parents[parent]
    return above, [max(parent, 0) for parent in skeleton.parents]


@lru_cache
def _sides_alike(skeleton: Skeleton) -> list[int]:
    """For each joint itself, or the left one of its pair."""
    order = list(range(len(skeleton)))
    for left, right in skeleton.pairs:
        order[right] = left
    return order

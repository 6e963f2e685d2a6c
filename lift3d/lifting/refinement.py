"""What the 2D and the body itself know better than the network: lines of sight and bone lengths.

The network's error has two parts: depth, which it has to guess, and the position across the line of sight, which the
detector has seen. ``sight_corrections`` corrects the second: joint j moves, at its own depth, by the average over
neighbouring frames of its distance d to the line of sight,

    sum_s k(t - s) w_s d_s / (sum_s k(t - s) w_s + PRIOR sum_s k(t - s)),   w = confidence / (1 + |d|^2 / TRUSTED^2),

k being a Gaussian in time that keeps the detector's jitter out, PRIOR the trust in the network, and the Geman-McClure
weight w what keeps a gross error or a swapped limb from pulling the joint along.

``keep_bone_lengths`` then corrects depths: bones do not change their length over a clip, so the depth z of each joint
moves along its line of sight to minimise

    sum_bones w (length - L)^2 / LENGTH_SPREAD^2 + sum_joints (z - z_network)^2 / DEPTH_SPREAD^2,

L being the median length over the clip, left and right together. It is solved frame by frame with Gauss-Newton steps;
bones form a tree, so each step is an elimination from its leaves to its root, linear in the number of joints.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lift3d.skeletons import Skeleton

# Standard deviation of the Gaussian in time, seconds.
SMOOTHING = 0.04
# Distance across the line of sight, metres, from which the network is trusted more than the detector.
TRUSTED = 0.12
# Weight of the network's own position beside a keypoint of confidence 1.
PRIOR = 0.2

# Standard deviations, metres: of a bone's length about its median, and of the network's depth of a joint.
LENGTH_SPREAD = 0.02
DEPTH_SPREAD = 0.05
# A bone whose length is off by this much, metres, counts half: its pose is wrong, not its depth.
TRUSTED_LENGTH = 0.08
BONE_ITERATIONS = 4
# What both corrections add to the error of a joint relative to the root, metres along each axis. On held-out people
# they leave the share of errors within a network's sigma nearly as it is, except near the root: the hips, known to
# 15 mm, come out up to 10 mm worse, for the root moves as well. With this much added, one and two sigma hold the shares
# that they hold of the network's own errors, to 2 points.
ADDED_SIGMA = 0.01
# The most that a joint's depth may change in one iteration, metres.
LARGEST_STEP = 0.2

# Joints that detectors do not show, or show at another place than the output's layout has it, move with others.
FOLLOWERS: dict[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "nose": ("left_shoulder", "right_shoulder"),
    "head_top": ("left_shoulder", "right_shoulder"),
}


def sight_radius(fps: float) -> int:
    """Frames on either side that a correction looks at."""
    return max(1, round(3 * SMOOTHING * fps))


def sight_corrections(points: Tensor, plane: Tensor, confidence: Tensor, fps: float) -> Tensor:
    """How far each joint moves across its line of sight.

    Args:
        points: (frames, joints, 3) joints in camera space, metres; NaN where there is no pose.
        plane: (frames, joints, 2) their keypoints on the plane z = 1; NaN where missing.
        confidence: (frames, joints) of the keypoints.
        fps: frames per second.

    Returns:
        (frames, joints, 2) metres along x and y; 0 where no keypoint is near in time.
    """
    distance = plane * points[..., 2:] - points[..., :2]
    known = torch.isfinite(distance).all(-1)
    distance = torch.where(known[..., None], distance, 0.0)
    weight = torch.where(known, confidence, 0.0) / (1 + distance.square().sum(-1) / TRUSTED**2)
    deviation = SMOOTHING * fps
    radius = sight_radius(fps)
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=points.dtype) / deviation) ** 2)[None, None]

    def blur(values: Tensor) -> Tensor:
        """Convolution along the first axis."""
        columns = values.flatten(1).T[:, None]
        return torch.nn.functional.conv1d(columns, kernel, padding=radius)[:, 0].T.reshape(values.shape)

    total = blur(weight) + PRIOR * blur(torch.ones_like(weight[:, :1]))
    return blur(weight[..., None] * distance) / total[..., None]


def spread_to_followers(corrections: Tensor, joints: list[str], skeleton: Skeleton) -> Tensor:
    """Corrections of some joints (frames, len(joints), 2) as corrections of all (frames, skeleton's joints, 2).

    Followers take the mean of the joints that they follow; other joints without a correction stay.
    """
    result = corrections.new_zeros(corrections.shape[0], len(skeleton), 2)
    for column, joint in enumerate(joints):
        result[:, skeleton.index(joint)] = corrections[:, column]
    for follower, leaders in FOLLOWERS.items():
        columns = [joints.index(leader) for leader in leaders if leader in joints]
        if follower in skeleton.joints and columns:
            result[:, skeleton.index(follower)] = corrections[:, columns].mean(1)
    return result


def bone_lengths(points: Tensor, skeleton: Skeleton) -> Tensor:
    """Median length (bones,) of each bone over the frames of one person, left and right averaged.

    Args:
        points: (frames, joints, 3) metres; NaN where there is no pose.
        skeleton: the layout.
    """
    parents, children = (list(ends) for ends in zip(*skeleton.bones, strict=True))
    sizes = [(points[:, c] - points[:, p]).norm(dim=-1) for p, c in zip(parents, children, strict=True)]
    median = torch.stack([size.nanmedian() for size in sizes])
    mirrored = [children.index(skeleton.mirror_order[child]) for child in children]
    return (median + median[mirrored]) / 2


def keep_bone_lengths(points: Tensor, lengths: Tensor, skeleton: Skeleton) -> Tensor:
    """Joints moved along their lines of sight so that the bones have their lengths.

    Args:
        points: (frames, joints, 3) in camera space, metres, every joint in front of the camera or NaN.
        lengths: (bones,) metres, in the order of ``skeleton.bones``.
        skeleton: the layout.

    Returns:
        (frames, joints, 3), each joint on the same line of sight as before.
    """
    sight = points / points[..., 2:]
    start = points[..., 2]
    depth = start
    for _ in range(BONE_ITERATIONS):
        diagonal = torch.full_like(depth, 1 / DEPTH_SPREAD**2)
        right = (start - depth) / DEPTH_SPREAD**2
        off_diagonal = {}
        for (parent, child), length in zip(skeleton.bones, lengths, strict=True):
            bone = sight[:, child] * depth[:, child, None] - sight[:, parent] * depth[:, parent, None]
            size = bone.norm(dim=-1).clamp_min(1e-6)
            residual = size - length
            weight = 1 / (1 + (residual / TRUSTED_LENGTH).square()) / LENGTH_SPREAD**2
            by_child = (bone * sight[:, child]).sum(-1) / size
            by_parent = -(bone * sight[:, parent]).sum(-1) / size
            diagonal[:, child] += weight * by_child.square()
            diagonal[:, parent] += weight * by_parent.square()
            off_diagonal[child] = weight * by_child * by_parent
            right[:, child] -= weight * by_child * residual
            right[:, parent] -= weight * by_parent * residual
        step = _solve_tree(diagonal, off_diagonal, right, skeleton.parents)
        depth = depth + step.clamp(-LARGEST_STEP, LARGEST_STEP)
    return sight * depth[..., None]


def allow_for_refinement(covariance: np.ndarray) -> None:
    """Enlarge covariances (frames, people, joints, 3, 3) by ``ADDED_SIGMA``, in place; the root (first) stays."""
    axes = range(3)
    covariance[:, :, 1:, axes, axes] += np.float32(ADDED_SIGMA**2)


def _solve_tree(diagonal: Tensor, off_diagonal: dict[int, Tensor], right: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Solve symmetric systems whose off-diagonal entries couple each joint with its parent only.

    Args:
        diagonal, right: (frames, joints); changed in place.
        off_diagonal: child -> (frames,) entry between it and its parent.
        parents: of each joint, -1 for a root.
    """

    def generation(joint: int) -> int:
        return 0 if parents[joint] < 0 else 1 + generation(parents[joint])

    order = sorted(range(len(parents)), key=generation)
    for child in reversed(order):
        if (parent := parents[child]) >= 0:
            factor = off_diagonal[child] / diagonal[:, child]
            diagonal[:, parent] -= factor * off_diagonal[child]
            right[:, parent] -= factor * right[:, child]
    solution = torch.empty_like(right)
    for joint in order:
        known = right[:, joint]
        if (parent := parents[joint]) >= 0:
            known = known - off_diagonal[joint] * solution[:, parent]
        solution[:, joint] = known / diagonal[:, joint]
    return solution

"""Drawing the lifted joints towards the lines of sight of their keypoints.

The network's error has two parts: depth, which it has to guess, and the position across the line of sight, which the
detector has seen. The second is corrected here: joint j moves, at its own depth, by the average over neighbouring
frames of its distance d to the line of sight,

    sum_s k(t - s) w_s d_s / (sum_s k(t - s) w_s + PRIOR sum_s k(t - s)),   w = confidence / (1 + |d|^2 / TRUSTED^2),

k being a Gaussian in time that keeps the detector's jitter out, PRIOR the trust in the network, and the Geman-McClure
weight w what keeps a gross error or a swapped limb from pulling the joint along.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lift3d.skeletons import Skeleton

# Standard deviation of the Gaussian in time, seconds.
SMOOTHING = 0.04
# Distance across the line of sight, metres, from which the network is trusted more than the detector.
TRUSTED = 0.12
# Weight of the network's own position beside a keypoint of confidence 1.
PRIOR = 0.2

# Joints that detectors do not show, or show at another place than the output's layout has it, move with others.
FOLLOWERS: dict[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "nose": ("left_shoulder", "right_shoulder"),
    "head_top": ("left_shoulder", "right_shoulder"),
}


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
    radius = max(1, round(3 * deviation))
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

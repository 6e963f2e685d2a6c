"""Losses of lifters on joints in space: metres in, metres out unless said otherwise.

Every loss is a weighted mean, sum w e / sum w, so that joints whose target is missing (weight 0) count for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lift3d.training.processes import mean_over_processes

# Smallest sigma that the likelihood believes, metres: no pose is known better than a tenth of a millimetre.
LEAST_SIGMA = 1e-4
Bones = Sequence[tuple[int, int]]


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """sum w v / sum w over all axes, of two tensors of one shape; 0 where nothing has a weight.

    In a run of several processes the sum of weights is the mean of theirs, see ``mean_over_processes``.
    """
    return (weight * values).sum() / mean_over_processes(weight.sum()).clamp_min(1e-9)


def joint_error(prediction: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean Euclidean distance, the mean per-joint position error.

    Args:
        prediction, truth: (batch, frames, joints, 3).
        weight: (batch, frames, joints), 0 or more.
    """
    return weighted_mean((prediction - truth).norm(dim=-1), weight)


def window_errors(prediction: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """``joint_error`` of each window by itself, (batch,); 0 for a window without weight."""
    error: Tensor = (prediction - truth).norm(dim=-1)
    return (weight * error).sum((1, 2)) / weight.sum((1, 2)).clamp_min(1e-9)


def scaled_joint_error(prediction: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """``joint_error`` after each pose is scaled by <p, g> / <p, p>, which fits best (Rhodin et al., CVPR 2018)."""
    shown = (weight > 0)[..., None] * prediction
    scale = (shown * truth).sum((-2, -1), keepdim=True) / shown.square().sum((-2, -1), keepdim=True).clamp_min(1e-6)
    return joint_error(scale * prediction, truth, weight)


def squared_error(prediction: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean squared error of a coordinate, square metres; arguments as for ``joint_error``."""
    return weighted_mean((prediction - truth).square().mean(-1), weight)


def velocity_error(prediction: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean error of the first difference in time, metres a frame (Pavllo et al., CVPR 2019, MPJVE).

    A difference weighs as much as the lesser of its two frames. 0 for windows of one output.
    """
    error = (prediction - truth).diff(dim=1).norm(dim=-1)
    return weighted_mean(error, torch.minimum(weight[:, 1:], weight[:, :-1]))


def bone_lengths(joints: Tensor, bones: Bones) -> Tensor:
    """Lengths (..., bones) of the (parent, child) bones of joints (..., joints, 3)."""
    parents, children = (list(ends) for ends in zip(*bones, strict=True))
    lengths: Tensor = (joints[..., children, :] - joints[..., parents, :]).norm(dim=-1)
    return lengths


def bone_weights(weight: Tensor, bones: Bones) -> Tensor:
    """Weights (..., bones) of bones: the lesser weight of a bone's two joints."""
    parents, children = (list(ends) for ends in zip(*bones, strict=True))
    return torch.minimum(weight[..., children], weight[..., parents])


def bone_length_error(prediction: Tensor, truth: Tensor, weight: Tensor, bones: Bones) -> Tensor:
    """Weighted mean difference of bone lengths, | |b| - |b*| |, frame by frame (Sun et al., ICCV 2017, sec. 4).

    Args:
        prediction, truth, weight: as for ``joint_error``.
        bones: (parent, child) indices.
    """
    difference = bone_lengths(prediction, bones) - bone_lengths(truth, bones)
    return weighted_mean(difference.abs(), bone_weights(weight, bones))


def mean_bone_length_error(unlabelled: Tensor, labelled: Tensor, bones: Bones) -> Tensor:
    """Mean over bones of the difference between their mean lengths in two batches of poses.

    It holds the bodies that are predicted without labels to the size of those with labels (Pavllo et al., CVPR 2019,
    sec. 4: "a soft constraint to approximately match the mean bone lengths").

    Args:
        unlabelled, labelled: (batch, frames, joints, 3) predictions; the batches may differ in size.
        bones: (parent, child) indices.
    """
    means = [bone_lengths(poses, bones).mean((0, 1)) for poses in (unlabelled, labelled)]
    return (means[0] - means[1]).abs().mean()


def symmetry_error(prediction: Tensor, bones: Bones, mirrored: Bones) -> Tensor:
    """Mean difference between the lengths of left bones and of their right ones (Yang et al., CVPR 2018, sec. 3.2).

    Args:
        prediction: (batch, frames, joints, 3).
        bones, mirrored: (parent, child) indices of the bones of one side, and of the other in the same order.
    """
    return (bone_lengths(prediction, bones) - bone_lengths(prediction, mirrored)).abs().mean()


def laplace_error(prediction: Tensor, sigma: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Negative log-likelihood of a coordinate under a Laplace distribution, log 2b + |x - x*| / b, b = sigma / sqrt 2.

    A Laplace distribution of scale b has the standard deviation b sqrt 2, and errors of joints have its heavy tails
    (Kendall and Gal, NeurIPS 2017, sec. 3, with the absolute error). Computed in float32 whatever the network's type.

    Args:
        prediction, truth, weight: as for ``joint_error``.
        sigma: (batch, frames, joints, 3) standard deviation of each coordinate, metres; at least ``LEAST_SIGMA`` is
            taken.

    Returns:
        nats a coordinate; negative where errors are below a fifth of a metre and are known to be.
    """
    scale = sigma.float().clamp_min(LEAST_SIGMA) / math.sqrt(2)
    error = (prediction.float() - truth.float()).abs()
    return weighted_mean((torch.log(2 * scale) + error / scale).mean(-1), weight)


def trajectory_error(root: Tensor, truth: Tensor) -> Tensor:
    """Mean distance of the root from the true one, each weighted by 1 / depth (Pavllo et al., CVPR 2019, sec. 4).

    A far root matters little and is hard to place from its image.

    Args:
        root, truth: (batch, frames, 3) camera space, metres; where the truth is missing its depth is 0 and the frame
            counts for nothing.

    Returns:
        metres a metre of depth.
    """
    depth = truth[..., 2]
    known = (depth > 0).to(depth.dtype)
    return weighted_mean((root - truth).norm(dim=-1) / depth.clamp_min(1e-3), known)

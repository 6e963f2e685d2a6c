"""Where the body is in camera space: the translation under which the lifted pose projects onto the 2D keypoints."""

from __future__ import annotations

import torch
from torch import Tensor

# Standard deviation, in seconds, of the Gaussian that smooths the depth of the body. Depth comes from apparent size,
# so its error is (detector error / size of the body) times the distance: centimetres, from frame to frame.
DEPTH_SMOOTHING = 0.12
# Reprojection errors of this many robust standard deviations count half (Geman and McClure's function).
HALF_WEIGHT = 2.5
ITERATIONS = 6


def fit_translation(relative: Tensor, plane: Tensor, weight: Tensor) -> Tensor:
    """Translations t that minimise sum_j w_j rho(|project(X_j + t) - x_j|), rho being Geman and McClure's function.

    It starts from medians: the depth is the ratio of the body's spread to its image's. Then x (Z + t_z) = X + t_x, and
    the same for y, which is linear in t, is solved several times, each equation divided by the depth found before,
    which makes its residual the distance on the plane z = 1, and weighted by how well it fitted (iteratively
    reweighted least squares).

    Args:
        relative: (..., joints, 3) pose relative to any point of the body, metres, camera axes.
        plane: (..., joints, 2) its keypoints on the plane z = 1; anything where the weight is 0.
        weight: (..., joints), 0 for joints that were not seen.

    Returns:
        (..., 3) metres; NaN where fewer than two joints were seen.
    """
    weight = torch.where(torch.isfinite(plane).all(-1), weight, 0.0)
    plane = torch.nan_to_num(plane)
    enough = (weight > 0).sum(-1) >= 2
    right = plane * relative[..., 2:] - relative[..., :2]
    start = translation = _start(relative, plane, weight)
    for _ in range(ITERATIONS):
        points = relative + translation[..., None, :]
        depth = points[..., 2].clamp_min(0.1)
        error = (points[..., :2] / depth[..., None] - plane).norm(dim=-1)
        scale = HALF_WEIGHT * 1.48 * _median(error, weight) + 1e-9
        robust = 1 / (1 + (error / scale[..., None]).square()).square()
        translation = _solve(plane, right, weight * robust / depth.square())
    # The body is in front of the camera: where the fit says otherwise, the pose is too unlike its image to do better.
    translation = torch.where(translation[..., 2:] > 0.1, translation, start)
    return torch.where(enough[..., None], translation, torch.nan)


def _solve(plane: Tensor, right: Tensor, weight: Tensor) -> Tensor:
    """Weighted least squares of t_x - x t_z = right_x, t_y - y t_z = right_y, by eliminating t_x and t_y."""
    total = weight.sum(-1, keepdim=True).clamp_min(1e-12)
    plane_mean = (weight[..., None] * plane).sum(-2) / total
    right_mean = (weight[..., None] * right).sum(-2) / total
    spread, target = plane - plane_mean[..., None, :], right - right_mean[..., None, :]
    numerator = (weight[..., None] * spread * target).sum((-2, -1))
    denominator = (weight[..., None] * spread.square()).sum((-2, -1))
    z = -numerator / denominator.clamp_min(1e-12)
    return torch.cat([right_mean + plane_mean * z[..., None], z[..., None]], dim=-1)


def _start(relative: Tensor, plane: Tensor, weight: Tensor) -> Tensor:
    """A translation that up to half of the joints cannot spoil."""

    def middle(points: Tensor) -> Tensor:
        return torch.stack([_median(points[..., axis], weight) for axis in range(points.shape[-1])], dim=-1)

    body, image = middle(relative), middle(plane)
    body_spread = _median((relative[..., :2] - body[..., None, :2]).norm(dim=-1), weight)
    image_spread = _median((plane - image[..., None, :]).norm(dim=-1), weight)
    depth = body_spread / image_spread.clamp_min(1e-6)
    across = image * depth[..., None] - body[..., :2]
    return torch.cat([across, (depth - body[..., 2])[..., None]], dim=-1)


def _median(values: Tensor, weight: Tensor) -> Tensor:
    """Median along the last axis of the values with a positive weight."""
    return torch.where(weight > 0, values, torch.nan).nanmedian(-1).values.nan_to_num(0.0)


def smooth_depth(translation: Tensor, fps: float) -> Tensor:
    """Translations (frames, 3) with their depth smoothed in time and each moved along its line of sight; NaN stays.

    The logarithm of the depth is averaged with a Gaussian of DEPTH_SMOOTHING seconds over the frames that have one.
    """
    deviation = DEPTH_SMOOTHING * fps
    radius = max(1, round(3 * deviation))
    if len(translation) < 2:
        return translation
    known = torch.isfinite(translation).all(-1)
    depth = torch.where(known, translation[:, 2], 1.0).log()
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / deviation) ** 2)[None, None]

    def blur(values: Tensor) -> Tensor:
        return torch.nn.functional.conv1d(values[None, None], kernel, padding=radius)[0, 0]

    smooth = (blur(depth * known) / blur(known.to(depth.dtype)).clamp_min(1e-9)).exp()
    return translation * (smooth / depth.exp())[:, None]

"""Losses of lifters: metres in, metres out."""

from __future__ import annotations

from torch import Tensor


def joint_error(prediction: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean Euclidean distance, the mean per-joint position error.

    Args:
        prediction, truth: (batch, frames, joints, 3).
        weight: (batch, frames, joints), 0 or more.
    """
    error: Tensor = (prediction - truth).norm(dim=-1)
    return (weight * error).sum() / weight.sum().clamp_min(1e-9)


def velocity_error(prediction: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean error of the first difference in time, metres a frame (Pavllo et al., CVPR 2019, MPJVE)."""
    error: Tensor = (prediction - truth).diff(dim=1).norm(dim=-1)
    return (weight[:, 1:] * error).sum() / weight[:, 1:].sum().clamp_min(1e-9)

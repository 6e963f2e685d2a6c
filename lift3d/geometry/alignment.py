"""Rigid and similarity alignment of point sets, batched, for numpy arrays and torch tensors alike."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np

from lift3d.errors import ShapeError

Array = Any  # a numpy array or a torch tensor; what goes in decides what comes out


def array_namespace(*arrays: Array) -> Any:
    """The module whose functions the arrays take: ``torch`` if one of them is a tensor, ``numpy`` otherwise."""
    torch = sys.modules.get("torch")
    if torch is not None and any(isinstance(array, torch.Tensor) for array in arrays):
        return torch
    return np


def as_points(xp: Any, points: Array, like: Array = None) -> Array:
    """Points as floats of the namespace: numpy in float64, torch in its own precision or as ``like``."""
    if xp is np:
        return np.asarray(points, dtype=np.float64)
    tensor = xp.as_tensor(points)
    if like is not None:
        return tensor.to(device=like.device, dtype=like.dtype)
    return tensor if tensor.is_floating_point() else tensor.to(xp.get_default_dtype())


class Alignment(NamedTuple):
    """The map ``scale * R @ x + t`` of a batch.

    Attributes:
        scale: (...,) scale factors.
        R: (..., 3, 3) rotations, determinant +1.
        t: (..., 3) translations.
    """

    scale: Array
    R: Array
    t: Array

    def apply(self, points: Array) -> Array:
        """Points (..., n, 3) moved by the alignment of their batch entry."""
        return self.scale[..., None, None] * (points @ self.R.mT) + self.t[..., None, :]


def align(source: Array, target: Array, weights: Array | None = None, *, scale: bool = True) -> Alignment:
    """The similarity (or rigid) map that takes ``source`` closest to ``target``, reflections excluded.

    Minimises ``sum_j w_j |s R x_j + t - y_j|^2`` over s > 0, det R = +1 and t, in closed form.
    Points that hold a NaN in either set weigh nothing. Without any point left the alignment is NaN; with points that
    all coincide the scale is 1. The gradient exists where three points that count do not lie on one line.

    Args:
        source, target: (..., n, 3) points, numpy or torch, any number of batch dimensions.
        weights: (..., n) weights of 0 or more, or a boolean mask; None weighs all points the same.
        scale: whether the scale is free; False holds it at 1.

    Returns:
        The alignment of each batch entry, of the same kind (numpy or torch) as the points; differentiable in torch.

    Raises:
        ShapeError: the points are not (..., n, 3), or their shapes differ.

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    IEEE TPAMI 13(4), 1991, equations 40-42.
    """
    xp = array_namespace(source, target)
    x = as_points(xp, source)
    y = as_points(xp, target, like=x)
    if x.ndim < 2 or x.shape[-1] != 3 or tuple(x.shape) != tuple(y.shape):
        raise ShapeError(f"source and target must both be (..., n, 3), not {tuple(x.shape)} and {tuple(y.shape)}")
    known = xp.isfinite(x).all(axis=-1) & xp.isfinite(y).all(axis=-1)
    given = xp.ones_like(x[..., 0]) if weights is None else as_points(xp, weights, like=x)
    w = xp.where(known, given, 0.0)[..., None]
    x = xp.where(known[..., None], x, 0.0)
    y = xp.where(known[..., None], y, 0.0)

    total = w.sum(axis=-2)
    empty = total == 0
    total = xp.where(empty, 1.0, total)
    mean_x = (w * x).sum(axis=-2) / total
    mean_y = (w * y).sum(axis=-2) / total
    x, y = x - mean_x[..., None, :], y - mean_y[..., None, :]

    # An empty entry gets a covariance whose decomposition can be differentiated.
    covariance = xp.where(empty[..., None], as_points(xp, np.diag([3.0, 2.0, 1.0]), like=x), (w * y).mT @ x)
    U, S, Vt = xp.linalg.svd(covariance)
    # The last axis turns over where the best orthogonal matrix would mirror.
    signs = xp.ones_like(S)
    signs[..., 2] = xp.sign(xp.linalg.det(U) * xp.linalg.det(Vt))
    R = (U * signs[..., None, :]) @ Vt
    factor = xp.ones_like(S[..., 0])
    if scale:
        spread = (w * x * x).sum(axis=-1).sum(axis=-1)
        factor = xp.where(spread > 0, (S * signs).sum(axis=-1) / xp.where(spread > 0, spread, 1.0), 1.0)
    t = xp.where(empty, float("nan"), mean_y - factor[..., None] * (R @ mean_x[..., None])[..., 0])
    return Alignment(factor, R, t)

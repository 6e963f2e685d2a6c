"""The geometry of two views: the fundamental matrix, known from a rig or fitted to points, and distances from it.

Source: Hartley and Zisserman, Multiple View Geometry (2004), chapters 9 and 11.
"""

from __future__ import annotations

import numpy as np

from lift3d.geometry.cameras import Camera

FIT_STEPS = 12


def fundamental_matrix(a: Camera, b: Camera, to_plane_a: np.ndarray, to_plane_b: np.ndarray) -> np.ndarray:
    """F (3, 3), of norm 1, with ``q^T F p = 0`` for the images p in camera a and q in camera b of one point.

    Args:
        a, b: the cameras.
        to_plane_a, to_plane_b: (3, 3) what maps the homogeneous p and q to the planes z = 1 of the cameras.
    """
    R = b.R @ a.R.T
    t = b.t - R @ a.t
    cross = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
    F = to_plane_b.T @ cross @ R @ to_plane_a
    return np.asarray(F / max(float(np.linalg.norm(F)), 1e-12))


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Dot products (...) of vectors (..., 2); numpy's own sum over so short an axis takes several times as long."""
    return np.asarray(a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1])


def epipolar_lines(F: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The lines (..., 3) of the second view on which points p (..., 2) of the first must lie; F.T for the reverse."""
    return np.asarray(p @ F[:, :2].T + F[:, 2])


def sampson_distances(F: np.ndarray, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far points p and q (..., 2) are from being images of one point, to first order, with sign.

    Returns:
        distance (...), and its derivatives (..., 2) by p and by q where the slow change of their scale is left out.
    """
    line_a, line_b = epipolar_lines(F.T, q), epipolar_lines(F, p)
    by_p, by_q = line_a[..., :2], line_b[..., :2]
    scale = np.sqrt(dot(by_p, by_p) + dot(by_q, by_q))
    scale = np.maximum(scale, 1e-12)
    distance = (dot(by_q, q) + line_b[..., 2]) / scale
    return distance, by_p / scale[..., None], by_q / scale[..., None]


def bilinear_rows(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Rows (n, 9) whose product with F, row by row of it, is ``q^T F p``, for p and q (n, 2)."""
    return np.asarray(np.einsum("ni,nj->nij", _homogeneous(q), _homogeneous(p)).reshape(-1, 9))


def fit_fundamental(p: np.ndarray, q: np.ndarray, noise: float | np.ndarray, F: np.ndarray | None = None) -> np.ndarray:
    """F (3, 3), of norm 1, fitted to points p and q (n, 2) by iteratively reweighted eight-point solutions.

    Weights are Geman and McClure's on the Sampson distance, whose scale shrinks to 3 ``noise``. The rank is left at 3.

    Args:
        noise: the standard deviation of the points.
        F: where to start, and whose sign to keep; from equal weights and a wide scale if not given.
    """
    rows = bilinear_rows(p, q)
    weights = np.ones(len(rows))
    wide = 1.0 if F is not None else 8.0
    for _ in range(FIT_STEPS):
        if F is not None:
            line_a, line_b = epipolar_lines(F.T, q), epipolar_lines(F, p)
            squared = np.maximum(dot(line_a[:, :2], line_a[:, :2]) + dot(line_b[:, :2], line_b[:, :2]), 1e-12)
            off = (rows @ F.ravel()) ** 2 / squared / (3 * wide * noise) ** 2
            weights = 1 / (1 + off) ** 2 / squared
        fitted = np.linalg.eigh((rows * weights[:, None]).T @ rows)[1][:, 0].reshape(3, 3)
        if F is not None and (fitted * F).sum() < 0:
            fitted = -fitted
        done = F is not None and wide == 1 and np.abs(fitted - F).max() < 1e-7
        F, wide = fitted, max(wide / 1.5, 1.0)
        if done:
            break
    assert F is not None
    return F


def _homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)

"""Error bars of joints as ellipsoids: one standard deviation in every direction."""

from __future__ import annotations

import numpy as np

from lift3d.poses import Poses3D
from lift3d.viz.scene import upright


def error_bar_axes(poses: Poses3D, frame: int) -> np.ndarray | None:
    """Semi-axes (people, joints, 3, 3), as columns in the drawings' space, metres; None where nothing is known.

    They come from the covariance: its eigenvectors times the square roots of its eigenvalues. Where only sigma is known
    they are a sphere. NaN where neither is.
    """
    if poses.covariance is None and poses.sigma is None:
        return None
    shape = poses.xyz.shape[1:3]
    axes = np.full((*shape, 3, 3), np.nan, np.float32)
    if poses.sigma is not None:
        axes = poses.sigma[frame][..., None, None] * np.eye(3, dtype=np.float32)
    if poses.covariance is not None:
        covariance = poses.covariance[frame]
        known = np.isfinite(covariance).all(axis=(-1, -2))
        values, vectors = np.linalg.eigh(covariance[known].astype(np.float64))
        scaled = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
        axes[known] = upright(scaled.swapaxes(-1, -2), poses.space).swapaxes(-1, -2)
    return axes

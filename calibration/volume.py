"""Where a rig can measure: what a camera sees, and the places that several cameras see."""

from __future__ import annotations

import numpy as np

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig

# The volume reaches beyond the places it is built around by this share of their extent on every side.
MARGIN = 0.15
# A pixel and its undistorted point that come apart by more than this, pixels, are not each other's image.
ROUND_TRIP = 0.1


def sees(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Whether the camera has world points (..., 3), metres, in its image: (...) booleans.

    A point far outside the view, which a distortion polynomial may fold back into the image, is not seen.
    """
    pixels = camera.project(points)
    inside = in_image(camera, pixels)
    plane = np.full_like(pixels, np.nan)
    plane[inside] = camera.unproject(pixels[inside])
    local = points @ camera.R.T + camera.t
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(plane - local[..., :2] / local[..., 2:]).max(axis=-1)
        return np.asarray(inside & (apart * camera.K[0, 0] < ROUND_TRIP))


def in_image(camera: Camera, pixels: np.ndarray) -> np.ndarray:
    """Whether pixels (..., 2) lie in the camera's image; one of unknown size reaches to twice its principal point."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((pixels >= -0.5) & (pixels <= image_size(camera) - 0.5)).all(axis=-1))


def image_size(camera: Camera) -> np.ndarray:
    """(2,) width and height of the camera's image, pixels; twice the principal point where they are unknown."""
    return np.array(camera.image_size or 2 * camera.K[:2, 2], dtype=np.float64)


def capture_volume(rig: Rig, around: np.ndarray | None = None, count: int = 1000) -> np.ndarray:
    """A grid of places that at least two cameras of the rig see.

    Args:
        rig: the cameras.
        around: (..., 3) places in the middle of what will be measured, metres, such as those where the board was; NaN
            ones are left out. None takes a cube about the point nearest to all optical axes, which reaches half way to
            the cameras.
        count: about how many points of the grid fill the box around the places; those that fewer than two cameras see
            drop out.

    Returns:
        (n, 3) points in the world, metres; none if no two cameras see the same place there.
    """
    if around is None:
        middle = axes_meet(rig)
        half = 0.5 * float(np.median([np.linalg.norm(camera.centre - middle) for camera in rig]))
        low, high = middle - half, middle + half
    else:
        known = around[np.isfinite(around).all(axis=-1)]
        # One board that was badly placed shall not stretch the volume.
        low, high = np.percentile(known, [1, 99], axis=0)
        low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    side = np.maximum(high - low, 1e-3 * (high - low).max())
    steps = np.maximum(np.round(side / np.cbrt(side.prod() / count)), 2).astype(int)
    axes = [np.linspace(start, end, n) for start, end, n in zip(low, high, steps, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(grid[np.sum([sees(camera, grid) for camera in rig], axis=0) >= 2])


def axes_meet(rig: Rig) -> np.ndarray:
    """(3,) the point in the world with the least sum of squared distances to the cameras' optical axes, metres.

    Cameras that look the same way have no such point; then it lies before them, as far as they are from each other.
    """
    centres = np.stack([camera.centre for camera in rig])
    forward = np.stack([camera.R[2] for camera in rig])
    across = np.eye(3) - forward[:, :, None] * forward[:, None, :]
    normal = across.sum(axis=0)
    ahead = forward.mean(axis=0)
    if np.linalg.eigvalsh(normal)[0] < 1e-3 * len(rig):
        apart = np.linalg.norm(centres - centres.mean(axis=0), axis=-1).max()
        return np.asarray(centres.mean(axis=0) + ahead * max(2 * float(apart), 1.0))
    return np.asarray(np.linalg.solve(normal, np.einsum("cij,cj->i", across, centres)))

"""The parameters of a camera that a bundle adjustment moves: their names, their derivatives, a step along them.

``fx fy cx cy`` are entries of K in pixels, ``k1 k2 p1 p2 k3 k4 k5 k6`` (of a fisheye ``k1 k2 k3 k4``) the distortion.
``rx ry rz`` in radians and ``tx ty tz`` in metres move the pose: ``x_cam = exp([r]x) R x_world + t + (tx, ty, tz)``,
so that all six are 0 at the camera itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lift3d.geometry.cameras import Camera
from lift3d.geometry.lenses import coefficient_derivatives, distort_with_derivatives

FOCAL = ("fx", "fy")
CENTRE = ("cx", "cy")
STANDARD = ("k1", "k2", "p1", "p2", "k3")
RATIONAL = (*STANDARD, "k4", "k5", "k6")
FISHEYE = ("k1", "k2", "k3", "k4")
POSE = ("rx", "ry", "rz", "tx", "ty", "tz")
_K_PLACE = {"fx": (0, 0), "fy": (1, 1), "cx": (0, 2), "cy": (1, 2)}
# Nearer to the camera's plane than this, in metres, a point has no projection that a step could learn from.
NEAREST = 1e-6


class Parameter(NamedTuple):
    """One number of one camera of a rig."""

    camera: str
    name: str


class Projection(NamedTuple):
    """Projected points and their derivatives.

    Attributes:
        pixels: (..., 2) pixels; NaN behind the camera.
        by_camera: (..., 2, n) derivatives by the n camera parameters that were asked for.
        by_point: (..., 2, 3) derivatives by the point in the world.
    """

    pixels: np.ndarray
    by_camera: np.ndarray
    by_point: np.ndarray


def distortion_names(camera: Camera) -> tuple[str, ...]:
    """The names of the camera's distortion coefficients, in their order."""
    return FISHEYE if camera.fisheye else RATIONAL[: camera.distortion.size]


def project_with_derivatives(camera: Camera, points: np.ndarray, names: Sequence[str]) -> Projection:
    """World points (..., 3) in metres, projected, with the derivatives by the named parameters and by the point."""
    turned = points @ camera.R.T
    local = turned + camera.t
    depth = np.where(local[..., 2] > NEAREST, local[..., 2], np.nan)
    u, v = local[..., 0] / depth, local[..., 1] / depth
    coefficients = camera.distortion.tolist()
    shown = distort_with_derivatives(u, v, coefficients, camera.fisheye)
    (fx, skew, cx), (_, fy, cy) = camera.K[:2]
    pixels = np.stack([fx * shown.x + skew * shown.y + cx, fy * shown.y + cy], axis=-1)

    by_plane = np.empty((*u.shape, 2, 2))
    by_plane[..., 0, 0] = fx * shown.dxx + skew * shown.dxy
    by_plane[..., 0, 1] = fx * shown.dxy + skew * shown.dyy
    by_plane[..., 1, 0] = fy * shown.dxy
    by_plane[..., 1, 1] = fy * shown.dyy
    by_local = np.empty((*u.shape, 2, 3))
    by_local[..., :2] = by_plane / depth[..., None, None]
    by_local[..., 2] = -(by_local[..., 0] * u[..., None] + by_local[..., 1] * v[..., None])

    by_camera = np.zeros((*u.shape, 2, len(names)))
    lens = dict(zip(distortion_names(camera), coefficient_derivatives(u, v, coefficients, camera.fisheye), strict=True))
    x, y, z = (turned[..., axis, None] for axis in range(3))
    d1, d2, d3 = (by_local[..., axis] for axis in range(3))
    for column, name in enumerate(names):
        into = by_camera[..., column]
        if name in lens:
            dx, dy = lens[name]
            into[..., 0], into[..., 1] = fx * dx + skew * dy, fy * dy
        elif name in FOCAL:
            row = FOCAL.index(name)
            into[..., row] = (shown.x, shown.y)[row]
        elif name in CENTRE:
            into[..., CENTRE.index(name)] = 1.0
        elif name == "rx":
            into[...] = d3 * y - d2 * z
        elif name == "ry":
            into[...] = d1 * z - d3 * x
        elif name == "rz":
            into[...] = d2 * x - d1 * y
        else:
            into[...] = by_local[..., "xyz".index(name[1])]
    return Projection(pixels, by_camera, by_local @ camera.R)


def moved(camera: Camera, names: Sequence[str], step: Sequence[float] | np.ndarray) -> Camera:
    """The camera with the named parameters moved by ``step``."""
    changes = dict(zip(names, step, strict=True))
    K, distortion = camera.K.copy(), camera.distortion.copy()
    for name, place in _K_PLACE.items():
        K[place] += changes.get(name, 0.0)
    for index, name in enumerate(distortion_names(camera)):
        distortion[index] += changes.get(name, 0.0)
    turn, shift = (np.array([changes.get(name, 0.0) for name in part]) for part in (POSE[:3], POSE[3:]))
    return replace(camera, K=K, distortion=distortion, R=rotations(turn) @ camera.R, t=camera.t + shift)


def rotations(vectors: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3) in radians."""
    from scipy.spatial.transform import Rotation

    matrices: np.ndarray = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return matrices.reshape(*vectors.shape, 3)

"""Projection of many points with its derivatives, for numpy arrays and torch tensors alike, on the tensors' device.

Coordinates are separate arrays and the camera's numbers plain floats, so that a million points are a few dozen passes
over memory, with no small matrix products.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lift3d.geometry.alignment import array_namespace, as_points
from lift3d.geometry.cameras import Camera
from lift3d.geometry.lenses import distort_with_derivatives

Array = Any  # a numpy array or a torch tensor; what goes in decides what comes out


class Projected(NamedTuple):
    """Points in an image, as separate arrays.

    Attributes:
        u, v: (...) pixels, distortion included; NaN at or behind the camera.
        du, dv: each three arrays (...), the derivatives of ``u`` and ``v`` by the world coordinates, pixels per metre.
        depth: (...) metres in front of the camera.
    """

    u: Array
    v: Array
    du: tuple[Array, Array, Array]
    dv: tuple[Array, Array, Array]
    depth: Array


def project_coordinates(camera: Camera, x: Array, y: Array, z: Array) -> Projected:
    """World coordinates, three arrays (...) in metres, to the image of the camera, with derivatives."""
    xp = array_namespace(x, y, z)
    right, down, forward = camera.R.tolist()
    to_right, to_down, to_forward = camera.t.tolist()
    (fx, skew, cx), (_, fy, cy), _ = camera.K.tolist()
    depth = forward[0] * x + forward[1] * y + forward[2] * z + to_forward
    inverse = 1 / xp.where(depth > 0, depth, float("nan"))
    a = (right[0] * x + right[1] * y + right[2] * z + to_right) * inverse
    b = (down[0] * x + down[1] * y + down[2] * z + to_down) * inverse
    lens = distort_with_derivatives(a, b, camera.distortion.tolist(), camera.fisheye)
    u_a, u_b = (fx * lens.dxx + skew * lens.dxy) * inverse, (fx * lens.dxy + skew * lens.dyy) * inverse
    v_a, v_b = fy * lens.dxy * inverse, fy * lens.dyy * inverse
    u_depth, v_depth = u_a * a + u_b * b, v_a * a + v_b * b
    rows = tuple(zip(right, down, forward, strict=True))
    return Projected(
        fx * lens.x + skew * lens.y + cx,
        fy * lens.y + cy,
        tuple(u_a * r + u_b * d - u_depth * f for r, d, f in rows),
        tuple(v_a * r + v_b * d - v_depth * f for r, d, f in rows),
        depth,
    )


def project_with_jacobian(camera: Camera, points: Array) -> tuple[Array, Array, Array]:
    """Project world points and say how their pixels move with them.

    Args:
        camera: the camera, of any lens model.
        points: (..., 3) metres, numpy or torch; NaN stays NaN.

    Returns:
        pixels (..., 2), distortion included; jacobian (..., 2, 3), pixels per metre; and depth (...), metres in front
        of the camera. Pixels and jacobian are NaN at or behind the camera. All of the same kind, precision and device
        as the points (numpy: float64).
    """
    xp = array_namespace(points)
    points = as_points(xp, points)
    found = project_coordinates(camera, points[..., 0], points[..., 1], points[..., 2])
    pixels = xp.stack([found.u, found.v], -1)
    jacobian = xp.stack([xp.stack(found.du, -1), xp.stack(found.dv, -1)], -2)
    return pixels, jacobian, found.depth

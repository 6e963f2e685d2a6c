"""Pixels as rays with a metric: the lens undone once for all that comes after, fast.

A pixel becomes the point ``(x, y)`` on its camera's plane z = 1, and beside it stands the 2x2 metric of pixels there,
``M = (K D)^T (K D)`` with the lens's derivative ``D``: ``e^T M e`` of a small error ``e`` on the plane is a squared
reprojection error in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from lift3d.geometry.alignment import array_namespace
from lift3d.geometry.cameras import Camera
from lift3d.geometry.lenses import Distorted, distort_with_derivatives, undistort

Array = Any  # a numpy array or a torch tensor; what goes in decides what comes out

# By the bytes of a number: how many steps of Newton's method, and how long the last may be on the plane z = 1. It
# leaves an error of about its square, which in float32 is half a thousandth of a pixel.
NEWTON = {4: (1, 1e-3), 8: (2, 1e-6)}
GUESS_DEGREE = 4


class Rays(NamedTuple):
    """What C cameras saw of n points.

    Attributes:
        x, y: (C, n) on the plane z = 1; 0 where missing.
        xx, xy, yy: (C, n) the metric times the weight; 0 where missing.
        weight: (C, n) one over the variance of a pixel coordinate; 0 where missing.
        used: (C, n) bool, whether the observation counts.
    """

    x: Array
    y: Array
    xx: Array
    xy: Array
    yy: Array
    weight: Array
    used: Array

    def select(self, points: Array) -> Rays:
        """The points of the given indices (k,)."""
        return Rays(*(array[:, points] for array in self))

    def restrict(self, used: Array) -> Rays:
        """Only the observations of a mask (C, n)."""
        return Rays(self.x, self.y, *(array * used for array in self[2:]))


def make_rays(cameras: Sequence[Camera], pixels: Array, weight: Array | float) -> Rays:
    """The rays of pixels (C, n, 2); a NaN, a weight of 0 or NaN, or what no lens can show, is missing.

    Args:
        cameras: C cameras.
        pixels: (C, n, 2), numpy or torch; float32 rays are good to about 0.0005 pixels.
        weight: (C, n), or one number: one over the variance of a pixel coordinate.
    """
    xp = array_namespace(pixels)
    like = pixels[..., 0]
    rays = Rays._make([*(xp.empty_like(like) for _ in range(6)), like > 0])
    for index, camera in enumerate(cameras):
        (fx, skew, cx), (_, fy, cy), _ = camera.K.tolist()
        known = xp.isfinite(pixels[index, :, 0] + pixels[index, :, 1])
        own = weight if isinstance(weight, float) else weight[index]
        if not isinstance(own, float):
            known = known & (own > 0)
            own = xp.where(known, own, 0.0)
        y = _known((pixels[index, :, 1] - cy) * (1 / fy), known)
        x = _known((pixels[index, :, 0] - cx) * (1 / fx), known)
        if skew:
            x = x - skew / fx * y
        with np.errstate(all="ignore"):
            x, y, lens, shown = _undo_lens(camera, x, y)
        rays.x[index], rays.y[index] = x, y
        rays.used[index] = known if shown is None else known & shown
        rays.weight[index] = own
        rays.weight[index] *= rays.used[index]
        metric: tuple[Any, Any, Any] = fx * fx, fx * skew, skew * skew + fy * fy
        if lens is not None:
            u_x, u_y, v_x, v_y = fx * lens.dxx, fx * lens.dxy, fy * lens.dxy, fy * lens.dyy
            if skew:
                u_x, u_y = u_x + skew * lens.dxy, u_y + skew * lens.dyy
            metric = u_x * u_x + v_x * v_x, u_x * u_y + v_x * v_y, u_y * u_y + v_y * v_y
        for entry, value in zip(rays[2:5], metric, strict=True):
            entry[index] = rays.weight[index] * value
    return rays


def _known(values: Array, known: Array) -> Array:
    """The values, now 0 where they are not known."""
    if not isinstance(values, np.ndarray):
        return values.masked_fill_(~known, 0)
    np.copyto(values, 0, where=~known)
    return values


def _undo_lens(camera: Camera, x: Array, y: Array) -> tuple[Array, Array, Distorted | None, Array | None]:
    """Distorted points (n,) back on the plane z = 1, the lens there (None: it does nothing), and whether it can show
    the point (None: all); those that it cannot are 0.

    Newton's method from a polynomial that knows the lens nearly, which takes one step for most points; what it cannot
    do is left to ``lift3d.geometry.lenses.undistort``.
    """
    coefficients = camera.distortion.tolist()
    if not (camera.fisheye or any(coefficients)):
        return x, y, None, None
    xp = array_namespace(x)
    if camera.fisheye:
        u, v = undistort(x, y, coefficients, fisheye=True)
        shown = xp.isfinite(u)
        u, v = xp.where(shown, u, 0.0), xp.where(shown, v, 0.0)
        return u, v, distort_with_derivatives(u, v, coefficients, fisheye=True), shown
    u, v, lens, left = _newton(camera, x, y)
    if len(left) == 0:
        return u, v, lens, None
    u_left, v_left = undistort(x[left], y[left], coefficients)
    shown = xp.ones_like(u) > 0
    shown[left] = xp.isfinite(u_left)
    u_left, v_left = xp.where(shown[left], u_left, 0.0), xp.where(shown[left], v_left, 0.0)
    u[left], v[left] = u_left, v_left
    for whole, part in zip(lens, distort_with_derivatives(u_left, v_left, coefficients), strict=True):
        whole[left] = part
    return u, v, lens, shown


def _newton(camera: Camera, x: Array, y: Array) -> tuple[Array, Array, Distorted, Array]:
    """The same for the rational model: points, the lens, and the indices of points that were not found."""
    xp = array_namespace(x)
    coefficients = camera.distortion.tolist()
    s = x * x + y * y
    guess, *rest = _inverse_polynomial(tuple(coefficients), _widest(camera))
    for coefficient in rest:
        guess = guess * s + coefficient
    u, v = guess * x, guess * y
    p1, p2 = coefficients[2:4]
    if p1 or p2:
        # What the tangential terms, small, would do here they did nearby.
        twice = 2 * (p1 * v + p2 * u)
        s = u * u + v * v
        u, v = u - (u * twice + p2 * s), v - (v * twice + p1 * s)
    steps, last_step = NEWTON[x.dtype.itemsize]
    for _ in range(steps):
        lens = distort_with_derivatives(u, v, coefficients)
        dx, dy = lens.x - x, lens.y - y
        determinant = lens.dxx * lens.dyy - lens.dxy * lens.dxy
        step_x = (lens.dyy * dx - lens.dxy * dy) / determinant
        step_y = (lens.dxx * dy - lens.dxy * dx) / determinant
        u, v = u - step_x, v - step_y
    left = xp.where(~(step_x * step_x + step_y * step_y <= last_step**2) | (determinant <= 0) | (u * x + v * y < 0))[0]
    return u, v, lens, left


def _widest(camera: Camera) -> float:
    """The largest distance of the image's corners from the axis, on the plane z = 1, distorted."""
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    width, height = camera.image_size or (2 * cx, 2 * cy)
    return float(np.hypot(max(cx, width - cx) / fx, max(cy, height - cy) / fy))


@lru_cache(maxsize=256)
def _inverse_polynomial(coefficients: tuple[float, ...], widest: float) -> tuple[float, ...]:
    """Coefficients, highest power first, of the factor that undoes a lens without its tangential part, by the square
    of the distorted radius."""
    shown = np.linspace(widest / 50, widest, 50)
    radial = (*coefficients[:2], 0.0, 0.0, *coefficients[4:])
    with np.errstate(all="ignore"):
        plain = undistort(shown, np.zeros_like(shown), radial)[0]
    good = np.isfinite(plain)
    if good.sum() <= GUESS_DEGREE:
        return (1.0,)
    fit = np.polynomial.Polynomial.fit(shown[good] ** 2, plain[good] / shown[good], GUESS_DEGREE)
    return tuple(fit.convert().coef[::-1].tolist())

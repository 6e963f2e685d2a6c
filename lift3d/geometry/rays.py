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
# leaves an error of about its square, which in float32 is two thousandths of a pixel.
NEWTON = {4: (1, 2e-3), 8: (2, 1e-6)}
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
        pixels: (C, n, 2), numpy or torch; float32 rays are good to about 0.002 pixels.
        weight: (C, n), or one number: one over the variance of a pixel coordinate.
    """
    return RayMaker(cameras, pixels)(pixels, weight)


class RayMaker:
    """``make_rays`` for the pixels of the same cameras again and again; all cameras are worked on at once.

    Args:
        cameras: C cameras.
        like: an array of the kind, precision and device of the pixels.
    """

    def __init__(self, cameras: Sequence[Camera], like: Array) -> None:
        def columns(values: Sequence[Sequence[float]]) -> list[Array | float]:
            """(C, 1) arrays of what C cameras have in turn, or 0 where that is 0 in all."""
            table = np.array(values, dtype=np.float64).T[..., None]
            return [_convert(column, like) if column.any() else 0.0 for column in table]

        self.cameras = cameras
        intrinsics = [(c.K[0, 0], c.K[0, 1], c.K[0, 2], c.K[1, 1], c.K[1, 2]) for c in cameras]
        self.fx, self.skew, self.cx, self.fy, self.cy = columns(intrinsics)
        self.fisheyes = [index for index, camera in enumerate(cameras) if camera.fisheye]
        rational = [
            (0.0,) * 8 if camera.fisheye else (*camera.distortion.tolist(), 0.0, 0.0, 0.0)[:8] for camera in cameras
        ]
        self.coefficients = columns(rational)
        self.guess = columns([_inverse_polynomial(own, _widest(c)) for own, c in zip(rational, cameras, strict=True)])
        self.bent = bool(self.fisheyes) or any(map(any, rational))

    def __call__(self, pixels: Array, weight: Array | float) -> Rays:
        """The rays of pixels (C, n, 2) of weight (C, n) or one number."""
        with np.errstate(all="ignore"):
            return self._make(pixels, weight)

    def _make(self, pixels: Array, weight: Array | float) -> Rays:
        xp = array_namespace(pixels)
        used = xp.isfinite(pixels[..., 0] + pixels[..., 1])
        if not isinstance(weight, float):
            used = used & (weight > 0)
        x = put((pixels[..., 0] - self.cx) * (1 / self.fx), ~used)
        y = put((pixels[..., 1] - self.cy) * (1 / self.fy), ~used)
        if not isinstance(self.skew, float):
            x = x - self.skew / self.fx * y
        metric: tuple[Array, Array, Array] = self.fx**2, self.fx * self.skew, self.skew**2 + self.fy**2
        if self.bent:
            x, y, lens, shown = self._undo_lenses(x, y)
            if shown is not None:
                used = used & shown
            u_x, u_y, v_x, v_y = self.fx * lens.dxx, self.fx * lens.dxy, self.fy * lens.dxy, self.fy * lens.dyy
            if not isinstance(self.skew, float):
                u_x, u_y = u_x + self.skew * lens.dxy, u_y + self.skew * lens.dyy
            metric = u_x * u_x + v_x * v_x, u_x * u_y + v_x * v_y, u_y * u_y + v_y * v_y
        # A NaN of the weights would outlive a product with 0.
        weights = xp.ones_like(x) * weight * used if isinstance(weight, float) else put(weight + 0, ~used)
        xx, xy, yy = metric
        return Rays(x, y, weights * xx, weights * xy, weights * yy, weights, used)

    def _undo_lenses(self, x: Array, y: Array) -> tuple[Array, Array, Distorted, Array | None]:
        """Distorted points (C, n) back on the plane z = 1, the lenses there, and whether they can show the points
        (None: all of them); those that they cannot are 0.

        Newton's method from a polynomial that knows the lens nearly, which takes one step for most points; what it
        cannot do is left to ``lift3d.geometry.lenses.undistort``.
        """
        xp = array_namespace(x)
        s = x * x + y * y
        guess = self.guess[0]
        for coefficient in self.guess[1:]:
            guess = guess * s + coefficient
        u, v = guess * x, guess * y
        p1, p2 = self.coefficients[2:4]
        if not (isinstance(p1, float) and isinstance(p2, float)):
            # What the tangential terms, small, would do here they did nearby.
            twice = 2 * (p1 * v + p2 * u)
            s = u * u + v * v
            u, v = u - (u * twice + p2 * s), v - (v * twice + p1 * s)
        steps, last_step = NEWTON[x.dtype.itemsize]
        for _ in range(steps):
            lens = distort_with_derivatives(u, v, self.coefficients)
            dx, dy = lens.x - x, lens.y - y
            determinant = lens.dxx * lens.dyy - lens.dxy * lens.dxy
            step_x = (lens.dyy * dx - lens.dxy * dy) / determinant
            step_y = (lens.dxx * dy - lens.dxy * dx) / determinant
            u, v = u - step_x, v - step_y
        found = (step_x * step_x + step_y * step_y <= last_step**2) & (determinant > 0) & (u * x + v * y >= 0)
        shown = None if bool(found.all()) and not self.fisheyes else xp.ones_like(found)
        if shown is not None:
            camera, point = xp.where(~found)
            own = [k if isinstance(k, float) else k[camera, 0] for k in self.coefficients]
            self._replace((u, v, lens, shown), (camera, point), x, y, own, False)
            for index in self.fisheyes:
                self._replace((u, v, lens, shown), (index,), x, y, self.cameras[index].distortion.tolist(), True)
        return u, v, lens, shown

    @staticmethod
    def _replace(
        whole: tuple[Array, Array, Distorted, Array],
        at: tuple[Any, ...],
        x: Array,
        y: Array,
        coefficients: Sequence[Array | float],
        fisheye: bool,
    ) -> None:
        """Undistort the points of some places by the book."""
        u, v = undistort(x[at], y[at], coefficients, fisheye)
        missing = ~array_namespace(u).isfinite(u)
        u, v = put(u, missing), put(v, missing)
        whole[0][at], whole[1][at], whole[3][at] = u, v, ~missing
        for array, values in zip(whole[2], distort_with_derivatives(u, v, coefficients, fisheye), strict=True):
            array[at] = values


def _convert(array: np.ndarray, like: Array) -> Array:
    """An array of the kind, precision and device of another."""
    return np.asarray(array, dtype=like.dtype) if isinstance(like, np.ndarray) else like.new_tensor(array)


def put(values: Array, where: Array, value: float = 0.0) -> Array:
    """The same array with one value in some places; in numpy twice as fast as ``where``."""
    if not isinstance(values, np.ndarray):
        return values.masked_fill_(where, value)
    np.copyto(values, value, where=where)
    return values


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
        return (0.0,) * GUESS_DEGREE + (1.0,)
    fit = np.polynomial.Polynomial.fit(shown[good] ** 2, plain[good] / shown[good], GUESS_DEGREE)
    return tuple(fit.convert().coef[::-1].tolist())

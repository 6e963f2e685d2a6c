"""Lens distortion and its derivatives: OpenCV's rational and fisheye models, for numpy arrays and torch tensors alike.

Points lie on the plane z = 1 of camera space, ``x = X / Z`` and ``y = Y / Z``, as two arrays of any one shape. The
coefficients are those of ``Camera.distortion``:

- rational, 5 or 8 of them (k1 k2 p1 p2 k3 [k4 k5 k6]): with ``s = x^2 + y^2`` and
  ``f = (1 + k1 s + k2 s^2 + k3 s^3) / (1 + k4 s + k5 s^2 + k6 s^3)``,
  ``x' = f x + 2 p1 x y + p2 (s + 2 x^2)`` and ``y' = f y + p1 (s + 2 y^2) + 2 p2 x y``;
- fisheye, 4 of them (k1 k2 k3 k4): with ``r = sqrt(s)`` and ``a = atan r``,
  ``(x', y') = (x, y) a (1 + k1 a^2 + k2 a^4 + k3 a^6 + k4 a^8) / r``.

A coefficient may be an array that broadcasts with the points, for those of several cameras at once.

Source: the OpenCV documentation, "Camera Calibration and 3D Reconstruction" and "Fisheye camera model".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lift3d.geometry.alignment import array_namespace

Array = Any  # a numpy array or a torch tensor; what goes in decides what comes out

# Both models are turned around by Newton's method, which doubles the right digits each time.
MOST_STEPS = 20
# Below this square of the radius the fisheye model is its limit, a pinhole.
AXIS = 1e-16


class Distorted(NamedTuple):
    """Distorted points and their derivatives by the undistorted ones.

    Attributes:
        x, y: (...) the distorted points on the plane z = 1.
        dxx, dxy, dyy: (...) the Jacobian ``[[dxx, dxy], [dxy, dyy]]``, which is symmetric in both models.
    """

    x: Array
    y: Array
    dxx: Array
    dxy: Array
    dyy: Array


def distort(x: Array, y: Array, coefficients: Sequence[Array | float], fisheye: bool = False) -> tuple[Array, Array]:
    """Points (...) on the plane z = 1 as the lens shows them, (...) on the same plane."""
    s = x * x + y * y
    if fisheye:
        factor = _fisheye(s, coefficients)[0]
        return factor * x, factor * y
    k1, k2, p1, p2, k3, k4, k5, k6 = _rational(coefficients)
    factor = 1 + s * (k1 + s * (k2 + s * k3))
    if _some(k4, k5, k6):
        factor = factor / (1 + s * (k4 + s * (k5 + s * k6)))
    if not _some(p1, p2):
        return factor * x, factor * y
    xy = x * y
    return (
        factor * x + 2 * p1 * xy + p2 * (s + 2 * x * x),
        factor * y + p1 * (s + 2 * y * y) + 2 * p2 * xy,
    )


def distort_with_derivatives(
    x: Array, y: Array, coefficients: Sequence[Array | float], fisheye: bool = False
) -> Distorted:
    """As ``distort``, with the derivatives by ``x`` and ``y``."""
    s = x * x + y * y
    if fisheye:
        factor, slope = _fisheye(s, coefficients)
        p1 = p2 = 0.0
    else:
        k1, k2, p1, p2, k3, k4, k5, k6 = _rational(coefficients)
        factor = 1 + s * (k1 + s * (k2 + s * k3))
        slope = k1 + s * (2 * k2 + s * (3 * k3))
        if _some(k4, k5, k6):
            below = 1 + s * (k4 + s * (k5 + s * k6))
            factor = factor / below
            slope = (slope - factor * (k4 + s * (2 * k5 + s * (3 * k6)))) / below
    twice = 2 * slope  # the factor's derivative is (twice x, twice y)
    xy = x * y
    dxx, dxy, dyy = factor + twice * x * x, twice * xy, factor + twice * y * y
    x_new, y_new = factor * x, factor * y
    if _some(p1, p2):
        x_new = x_new + 2 * p1 * xy + p2 * (s + 2 * x * x)
        y_new = y_new + p1 * (s + 2 * y * y) + 2 * p2 * xy
        dxx = dxx + 2 * p1 * y + 6 * p2 * x
        dxy = dxy + 2 * p1 * x + 2 * p2 * y
        dyy = dyy + 6 * p1 * y + 2 * p2 * x
    return Distorted(x_new, y_new, dxx, dxy, dyy)


def coefficient_derivatives(
    x: Array, y: Array, coefficients: Sequence[Array | float], fisheye: bool = False
) -> list[tuple[Array, Array]]:
    """The derivatives (dx', dy'), each (...), of the distorted points by every coefficient, in their order."""
    xp = array_namespace(x, y)
    s = x * x + y * y
    if fisheye:
        radius = xp.sqrt(s)
        angle = xp.arctan(radius)
        ratio = xp.where(s > AXIS, angle / xp.where(s > AXIS, radius, 1.0), 1.0)
        powers = [ratio * angle ** (2 * order) for order in (1, 2, 3, 4)]
        return [(power * x, power * y) for power in powers]
    k1, k2, _, _, k3, k4, k5, k6 = _rational(coefficients)
    below = 1 + s * (k4 + s * (k5 + s * k6))
    factor = (1 + s * (k1 + s * (k2 + s * k3))) / below
    up = [power / below for power in (s, s * s, s * s * s)]
    radial = [(power * x, power * y) for power in up]
    tangential = [(2 * x * y, s + 2 * y * y), (s + 2 * x * x, 2 * x * y)]
    derivatives = [*radial[:2], *tangential, radial[2]]
    if len(coefficients) == 8:
        derivatives += [(-factor * power * x, -factor * power * y) for power in up]
    return derivatives


def undistort(x: Array, y: Array, coefficients: Sequence[Array | float], fisheye: bool = False) -> tuple[Array, Array]:
    """Points (...) as the lens shows them, back where they are on the plane z = 1.

    NaN where the model shows no point there: beyond the circle at which a polynomial turns back, or, of a fisheye,
    at 90 degrees from the axis and more.

    Newton's method on the two coordinates of the rational model, on the angle of the fisheye.
    """
    xp = array_namespace(x, y)
    if not fisheye and not _some(*coefficients):
        return x, y
    # What one step moves at the end, squared; its precision is the square of that again.
    tolerance = 1e-10 if str(x.dtype).endswith("float32") else 1e-20
    if fisheye:
        k1, k2, k3, k4 = coefficients
        shown = xp.sqrt(x * x + y * y)
        angle = shown
        for _ in range(MOST_STEPS):
            a = angle * angle
            value = angle * (1 + a * (k1 + a * (k2 + a * (k3 + a * k4))))
            rate = 1 + a * (3 * k1 + a * (5 * k2 + a * (7 * k3 + a * (9 * k4))))
            step = (value - shown) / rate
            angle = angle - step
            if not bool((step * step > tolerance).any()):
                break
        good = (step * step <= tolerance) & (rate > 0) & (angle < 1.5707) & (angle >= 0)
        factor = xp.where(shown > 1e-12, xp.tan(angle) / xp.where(shown > 1e-12, shown, 1.0), 1.0)
        factor = xp.where(good, factor, float("nan"))
        return factor * x, factor * y
    u, v = x, y
    for _ in range(MOST_STEPS):
        now = distort_with_derivatives(u, v, coefficients)
        dx, dy = now.x - x, now.y - y
        determinant = now.dxx * now.dyy - now.dxy * now.dxy
        step_x = (now.dyy * dx - now.dxy * dy) / determinant
        step_y = (now.dxx * dy - now.dxy * dx) / determinant
        u, v = u - step_x, v - step_y
        moved = step_x * step_x + step_y * step_y
        if not bool((moved > tolerance).any()):
            break
    # A point found on the far side of the turning circle is no point that the lens shows, nor one that the polynomial
    # turns over to the other side of the axis.
    good = (moved <= tolerance * (1 + u * u + v * v)) & (determinant > 0) & (u * x + v * y >= 0)
    nan = float("nan")
    return xp.where(good, u, nan), xp.where(good, v, nan)


def _some(*coefficients: Array | float) -> bool:
    """Whether one of the coefficients is not 0, or is an array."""
    return any(not isinstance(value, int | float) or value != 0 for value in coefficients)


def _rational(coefficients: Sequence[Array | float]) -> tuple[float, ...]:
    return (*coefficients, *([0.0] * (8 - len(coefficients))))


def _fisheye(s: Array, coefficients: Sequence[Array | float]) -> tuple[Array, Array]:
    """The factor on x and y, and its derivative by the square ``s`` of the radius."""
    xp = array_namespace(s)
    k1, k2, k3, k4 = coefficients
    off_axis = s > AXIS
    square = xp.where(off_axis, s, 1.0)
    radius = xp.sqrt(square)
    angle = xp.arctan(radius)
    a = angle * angle
    factor = angle * (1 + a * (k1 + a * (k2 + a * (k3 + a * k4)))) / radius
    rate = (1 + a * (3 * k1 + a * (5 * k2 + a * (7 * k3 + a * (9 * k4))))) / (1 + square)
    slope = (rate - factor) / (2 * square)
    return xp.where(off_axis, factor, 1.0), xp.where(off_axis, slope, k1 - 1 / 3)

"""Corners to a fraction of a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

# Half the window around a corner, as a share of the clear distance around it, and its limits in pixels.
CORNER_SHARE = 0.7
MIN_WINDOW, MAX_WINDOW = 2, 40
# Half the length of the lines across a side, as a share of the clear distance, and its least in pixels.
SIDE_SHARE = 0.5
MIN_REACH = 1.5
SIDE_ROUNDS = 4
# Where the lines cross a side, from one end (0) to the other: its ends are rounded by blur.
CROSSINGS = np.linspace(0.12, 0.88, 24)
NOTHING: Any = None  # cv2.remap's second map, which it need not have


def refine_saddles(gray: np.ndarray, corners: np.ndarray, half: int) -> np.ndarray:
    """Corners at which two dark and two bright parts meet: OpenCV's ``cornerSubPix``.

    Args:
        gray: (height, width) uint8 image.
        corners: (..., 2) pixels, close to the corners.
        half: half the side of the window around a corner, in which there is no other edge, pixels.

    Returns:
        (..., 2) float64 pixels; NaN for a corner that was not found in its window.

    Source: W. Förstner and E. Gülch, "A fast operator for detection and precise location of distinct points, corners
    and centres of circular features", ISPRS Intercommission Workshop, 1987.
    """
    import cv2

    half = int(np.clip(half, MIN_WINDOW, min(MAX_WINDOW, (min(gray.shape) - 5) // 2)))
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-4)
    start = corners.reshape(-1, 1, 2).astype(np.float32)
    # Where nothing is found, OpenCV gives back the start.
    refined = np.asarray(cv2.cornerSubPix(gray, start.copy(), (half, half), (-1, -1), criteria), dtype=np.float64)
    inside = ((corners > -0.5) & (corners < np.array(gray.shape[::-1]) - 0.5)).all(axis=-1, keepdims=True)
    return np.where(inside, refined.reshape(corners.shape), np.nan)


def refine_corners(gray: np.ndarray, quads: np.ndarray, clear: float) -> np.ndarray:
    """``refine_saddles`` of (n, 4, 2) corners of markers; ``clear`` is a share of each one's shortest side."""
    sides = np.linalg.norm(np.roll(quads, -1, axis=1) - quads, axis=-1).min(axis=1)
    return np.stack(
        [
            refine_saddles(gray, quad, round(CORNER_SHARE * clear * side))
            for quad, side in zip(quads, sides, strict=True)
        ]
    )


def refine_sides(gray: np.ndarray, quads: np.ndarray, clear: float) -> np.ndarray:
    """Corners of dark markers on a bright ground, as the meeting points of lines through their sides.

    Blur moves the corner of a single dark square inwards, and what looks for the corner itself with it; its sides stay
    where they are. Where a side lies on a line across it is the mean place of the squared slope of the brightness.

    Args:
        gray: (height, width) uint8 image.
        quads: (n, 4, 2) pixels, clockwise, close to the corners.
        clear: the distance on both sides of the edges in which there is no other, as a share of the shortest side.

    Returns:
        (n, 4, 2) float64 pixels.
    """
    import cv2

    shortest = np.linalg.norm(np.roll(quads, -1, axis=1) - quads, axis=-1).min(axis=1)
    reach = np.maximum(SIDE_SHARE * clear * shortest, MIN_REACH)
    # Samples along a line across, at most half a pixel apart.
    steps = np.linspace(-1, 1, 2 * int(np.ceil(2 * min(reach.max(), MAX_WINDOW))) + 1)
    places = reach[:, None] * steps
    middles = ((places[:, 1:] + places[:, :-1]) / 2)[:, None, None]
    for _ in range(SIDE_ROUNDS):
        along = np.roll(quads, -1, axis=1) - quads
        outward = np.stack([along[..., 1], -along[..., 0]], axis=-1) / np.linalg.norm(along, axis=-1, keepdims=True)
        crossings = quads[:, :, None] + CROSSINGS[:, None] * along[:, :, None]
        points = crossings[..., None, :] + places[:, None, None, :, None] * outward[:, :, None, None]
        # One row a line keeps below the number of rows and columns that remap takes.
        brightness = np.concatenate(
            [
                cv2.remap(
                    gray, quad.reshape(-1, len(steps), 2).astype(np.float32), NOTHING, cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_REPLICATE,
                )
                for quad in points
            ]
        ).reshape(points.shape[:-1])  # fmt: skip
        weights = np.maximum(np.diff(brightness.astype(np.float64), axis=-1), 0) ** 2
        total = weights.sum(axis=-1)
        offsets = np.where(total > 0, (weights * middles).sum(axis=-1) / np.maximum(total, 1), 0)
        # The line offset = level + slope * (crossing - middle), by least squares.
        spread = CROSSINGS - CROSSINGS.mean()
        slope = (offsets * spread).sum(axis=-1, keepdims=True) / (spread**2).sum()
        start = (quads + np.roll(quads, -1, axis=1)) / 2 + offsets.mean(axis=-1, keepdims=True) * outward
        quads = _meet(
            np.roll(start, 1, axis=1), np.roll(along + slope * outward, 1, axis=1), start, along + slope * outward
        )
    return quads


def _meet(p: np.ndarray, u: np.ndarray, q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Where the lines p + s u and q + s v meet; all (..., 2)."""
    cross = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    between = q - p
    s = (between[..., 0] * v[..., 1] - between[..., 1] * v[..., 0]) / cross
    return np.asarray(p + s[..., None] * u)

"""The order of a chessboard's corners, which a detector leaves open, made the same in every image.

A detector may start at any end of the board and go either way. Of the orders that can be, those that mirror the board
are known by their sense of rotation, and half a turn by the colours where the board has one even and one odd count of
corners.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# So many of the corners that a larger board would have in its next row, and this share of them, must be there.
LEAST_CORNERS = 3
SAME = 0.7


def canonical_order(grid: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """The same corners in the order of ``Board.points``.

    The board is taken to be seen from its front: rows follow from columns clockwise. Of the two orders left the one
    is chosen whose first square, between the first two corners of the first two rows, is dark. Where both are alike
    (``Board.ambiguous``) the corner that lies closer to the image's upper left end comes first.

    A mirrored image shows a chessboard like any other: it cannot be noticed here, only later by an adjustment that
    does not fit.

    Args:
        grid: (rows, columns, 2) pixels, along the rows and columns of the board in either direction.
        gray: (height, width) image, dark squares dark.

    Returns:
        (rows, columns, 2) pixels.
    """
    along, down = grid[:, -1] - grid[:, 0], grid[-1] - grid[0]
    (x, y), (u, v) = along.mean(axis=0), down.mean(axis=0)
    if x * v - y * u < 0:
        grid = grid[::-1]
    turned = grid[::-1, ::-1]
    rows, columns = grid.shape[:2]
    if (rows - columns) % 2:
        return turned if _first_is_dark(grid, gray) < 0 else grid
    return turned if turned[0, 0].sum() < grid[0, 0].sum() else grid


def alternation(grid: np.ndarray, gray: np.ndarray) -> float:
    """Share of neighbouring squares, 0.5 to 1, of which the one is darker that should be on a chessboard."""
    agree = np.concatenate([difference.ravel() for difference in _differences(grid, gray)]) > 0
    return float(max(agree.mean(), 1 - agree.mean())) if agree.size else 1.0


def continues(grid: np.ndarray, gray: np.ndarray) -> bool:
    """Whether the pattern goes on beyond the squares around the corners: then they are a part of a larger board.

    Args:
        grid: (rows, columns, 2) pixels.
        gray: (height, width) image.
    """
    import cv2

    rows, columns = grid.shape[:2]
    plane = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2).astype(np.float64)
    H: Any = cv2.findHomography(plane, grid.reshape(-1, 2))[0]
    if H is None:
        return False
    contrast = np.median([np.median(np.abs(difference)) for difference in _differences(grid, gray) if difference.size])
    across, down = np.arange(columns, dtype=np.float64), np.arange(rows, dtype=np.float64)
    for beyond in (
        [(x, -1.0) for x in across],
        [(x, float(rows)) for x in across],
        [(-1.0, y) for y in down],
        [(float(columns), y) for y in down],
    ):
        # The four squares that would meet at each corner beyond, a quarter of a square away from it.
        around = np.array(beyond)[:, None] + 0.25 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        places = np.rint(cv2.perspectiveTransform(around.reshape(-1, 1, 2), H).reshape(-1, 4, 2)).astype(int)
        inside = ((places >= 0) & (places < gray.shape[::-1])).all(axis=(1, 2))
        if inside.sum() < LEAST_CORNERS:
            continue
        shades = gray[places[inside, :, 1], places[inside, :, 0]].astype(np.float64)
        darker = shades[:, ::2].max(axis=1) + contrast / 2 < shades[:, 1::2].min(axis=1)
        brighter = shades[:, ::2].min(axis=1) > shades[:, 1::2].max(axis=1) + contrast / 2
        if (darker | brighter).mean() >= SAME:
            return True
    return False


def _first_is_dark(grid: np.ndarray, gray: np.ndarray) -> float:
    """Positive if the squares of the first one's colour are darker than the others."""
    return float(sum(np.sign(difference).sum() for difference in _differences(grid, gray)))


def _differences(grid: np.ndarray, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much brighter the squares of the other colour are, between neighbours along rows and along columns."""
    centres = (grid[:-1, :-1] + grid[:-1, 1:] + grid[1:, :-1] + grid[1:, 1:]) / 4
    x, y = np.rint(np.moveaxis(centres, -1, 0)).astype(int)
    shades = gray[np.clip(y, 0, gray.shape[0] - 1), np.clip(x, 0, gray.shape[1] - 1)].astype(np.float64)
    # All squares of the first one's colour count negative.
    rows, columns = np.indices(shades.shape)
    signed = np.where((rows + columns) % 2, shades, -shades)
    return signed[:, 1:] + signed[:, :-1], signed[1:] + signed[:-1]

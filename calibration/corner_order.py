"""The order of a chessboard's corners, which a detector leaves open, made the same in every image.

A detector may start at any end of the board and go either way. Of the orders that can be, those that mirror the board
are known by their sense of rotation, and half a turn by the colours where the board has one even and one odd count of
corners.
"""

from __future__ import annotations

import numpy as np


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

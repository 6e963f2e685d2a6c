"""Chessboards in an image: all inner corners, or none.

Of OpenCV's two detectors the classic one misses a few boards, and the later one reports some that are not there. So
both are asked, and what they find is checked: the corners must form a grid, the squares must alternate, and the pattern
must end where the board does, or a part of a larger board would pass for the board.
"""

from __future__ import annotations

import numpy as np

from lift3d.calibration.corner_order import alternation, canonical_order, continues
from lift3d.calibration.refinement import refine_saddles

# Of recorded images, the classic detector finds most and fast on large ones made smaller; OpenCV's later one, which
# sees more but also much that is not there, finds the rest best on smaller ones still.
CLASSIC_SIDE = 1400
QUICK_SIDE = SECTOR_SIDE = 960
# Half the window of the subpixel search, as a share of the least distance of two corners. On recorded images of 0.3
# to 2 megapixels every smaller share gave larger reprojection errors, and from 0.4 on the window meets other corners.
WINDOW_SHARE = 0.3
# From one corner of a row to the next a step changes by less than this share of it, under strong perspective too.
MAX_BEND = 0.5
LEAST_ALTERNATION = 0.95


def find_chessboard(gray: np.ndarray, corners: tuple[int, int], thorough: bool = True) -> np.ndarray | None:
    """The inner corners of a chessboard, in canonical order.

    Args:
        gray: (height, width) uint8 image, dark squares dark.
        corners: (columns, rows) of inner corners.
        thorough: False looks once and fast, and misses boards that are hard to see.

    Returns:
        (columns * rows, 2) float64 pixels, row by row, or None if the board is not seen whole.
    """
    import cv2

    usual = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE
    tries = [(cv2.findChessboardCorners, QUICK_SIDE, usual | cv2.CALIB_CB_FAST_CHECK)]
    if thorough:
        sector = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE
        tries = [
            (cv2.findChessboardCorners, CLASSIC_SIDE, usual),
            (cv2.findChessboardCornersSB, SECTOR_SIDE, sector),
        ]
    for find, side, flags in tries:
        small, scale = _shrunk(gray, side)
        found, pixels = find(small, corners, flags=flags)
        if not found:
            continue
        # Pixel centres are at whole numbers, image edges at -0.5.
        grid = (np.asarray(pixels, dtype=np.float64).reshape(corners[1], corners[0], 2) + 0.5) / scale - 0.5
        if not is_regular(grid):
            continue
        spacing = min(float(np.linalg.norm(np.diff(grid, axis=axis), axis=-1).min()) for axis in (0, 1))
        grid = refine_saddles(gray, grid, round(WINDOW_SHARE * spacing))
        if is_chessboard(grid, gray):
            return canonical_order(grid, gray).reshape(-1, 2)
    return None


def is_chessboard(grid: np.ndarray, gray: np.ndarray) -> bool:
    """Whether (rows, columns, 2) pixels are the corners of a whole chessboard."""
    return is_regular(grid) and alternation(grid, gray) >= LEAST_ALTERNATION and not continues(grid, gray)


def is_regular(grid: np.ndarray) -> bool:
    """Whether (rows, columns, 2) pixels can be a flat grid: steps along rows and columns change little, none is 0."""
    for lines in (grid, grid.transpose(1, 0, 2)):
        steps = np.diff(lines, axis=1)
        lengths = np.linalg.norm(steps, axis=-1)
        if lengths.min() < 2:
            return False
        bends = np.linalg.norm(np.diff(steps, axis=1), axis=-1)
        if (bends > MAX_BEND * np.minimum(lengths[:, 1:], lengths[:, :-1])).any():
            return False
    return True


def board_size(gray: np.ndarray) -> tuple[int, int] | None:
    """(larger, smaller) count of inner corners of whatever chessboard the image shows, None if there is none.

    Source: A. Duda and U. Frese, "Accurate detection and localization of checkerboard corners for calibration",
    BMVC 2018, which OpenCV's detector follows.
    """
    import cv2

    small, _ = _shrunk(gray, SECTOR_SIDE)
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_LARGER
    # The detector starts from a board of this size and lets it grow.
    found, pixels, cells = cv2.findChessboardCornersSBWithMeta(small, (4, 3), flags)
    if not found:
        return None
    rows, columns = cells.shape[:2]
    grid = np.asarray(pixels, dtype=np.float64).reshape(rows, columns, 2)
    return (max(rows, columns), min(rows, columns)) if is_chessboard(grid, small) else None


def _shrunk(gray: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """The image with its longer side at most ``side`` pixels, and by how much it was scaled."""
    import cv2

    scale = min(1.0, side / max(gray.shape))
    if scale == 1:
        return gray, scale
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)), scale

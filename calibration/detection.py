"""One image to a board's corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.calibration.boards import CHESSBOARD, Board
from lift3d.calibration.chessboards import find_chessboard
from lift3d.calibration.markers import find_markers
from lift3d.errors import ShapeError

# Half the side of the windows in which sharpness is measured, as a share of a square, and its limits in pixels.
WINDOW_SHARE = 0.3
MIN_WINDOW, MAX_WINDOW = 3, 12
MIN_SIDE = 32  # pixels; in smaller images OpenCV's detectors fail


@dataclass(frozen=True, eq=False)
class Detection:
    """What one image shows of a board.

    Attributes:
        xy: (corners, 2) float64 pixels, NaN where a corner is not seen.
        variant: which of the prints that the board's fields leave open was seen (``markers.find_markers``).
        sharpness: of the edges at the corners, 1 / pixel; NaN where no corner is seen.
    """

    xy: np.ndarray
    variant: int
    sharpness: float

    @property
    def count(self) -> int:
        """Number of corners seen."""
        return int(np.isfinite(self.xy[:, 0]).sum())


def detect(image: np.ndarray, board: Board) -> np.ndarray:
    """The corners of a board in an image, to a fraction of a pixel.

    Boards with markers are found in part; a chessboard only whole, and its corners come in the canonical order
    (``corner_order``). A mirrored image shows no markers, but a chessboard like any other.

    Args:
        image: (height, width) or (height, width, 3) uint8, BGR.
        board: the board.

    Returns:
        (corners, 2) float64 pixels, pixel centres at whole numbers; NaN where not seen.

    Raises:
        ShapeError: the image is no such array.
    """
    return detect_board(to_gray(image), board).xy


def detect_board(gray: np.ndarray, board: Board, thorough: bool = True) -> Detection:
    """``detect`` in a (height, width) uint8 image, with what else it shows; ``thorough`` as in ``find_chessboard``."""
    if board.inverted:
        gray = 255 - gray
    variant = 0
    if min(gray.shape) < MIN_SIDE:
        return Detection(np.full((len(board.points), 2), np.nan), variant, float("nan"))
    if board.type == CHESSBOARD:
        found = find_chessboard(gray, board.corners, thorough)
        xy = np.full((len(board.points), 2), np.nan) if found is None else found
    else:
        xy, variant = find_markers(gray, board)
    return Detection(xy, variant, sharpness(gray, xy, _window(xy, board)))


def to_gray(image: np.ndarray) -> np.ndarray:
    """(height, width) uint8 of a grey or BGR image. Raises ShapeError for anything else."""
    import cv2

    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ShapeError(
            f"the image must be (height, width) or (height, width, 3) uint8, not {image.shape} {image.dtype}"
        )
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


def _window(xy: np.ndarray, board: Board) -> int:
    """Half the side of a window that takes in about the same of the board at every distance, pixels."""
    seen = np.isfinite(xy[:, 0])
    if seen.sum() < 2:
        return MIN_WINDOW
    scale = np.linalg.norm(np.ptp(xy[seen], axis=0)) / np.linalg.norm(np.ptp(board.points[seen], axis=0))
    return int(np.clip(round(WINDOW_SHARE * scale * board.square_length), MIN_WINDOW, MAX_WINDOW))


def sharpness(gray: np.ndarray, xy: np.ndarray, half: int = 8) -> float:
    """How sharp the edges at the corners are, in the direction in which they are blurred most.

    Of a straight edge with contrast C the integral of the squared gradient across it is C^2 / (2 sqrt(pi) sigma), if
    sigma is its blur in pixels. Here it is taken from the lesser eigenvalue of the structure tensor around each corner
    and divided by the contrast, which the variance of the brightness there shows.

    Args:
        gray: (height, width) uint8 image.
        xy: (corners, 2) pixels, NaN where not seen.
        half: half the side of the window around a corner, pixels.

    Returns:
        The median over the corners, 1 / pixel: about 0.3 for a sharp image, 0.1 for edges 5 pixels wide; NaN without
        corners.
    """
    import cv2

    seen = xy[np.isfinite(xy[:, 0])]
    if not len(seen):
        return float("nan")
    low = np.maximum(np.floor(seen.min(axis=0)).astype(int) - half - 2, 0)
    high = np.ceil(seen.max(axis=0)).astype(int) + half + 3
    part = gray[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    x, y = np.clip(np.rint(seen - low).astype(int), 0, np.array(part.shape[::-1]) - 1).T

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.boxFilter(values, -1, (2 * half + 1, 2 * half + 1))[y, x])

    gx = cv2.Sobel(part, cv2.CV_32F, 1, 0, scale=1 / 8)
    gy = cv2.Sobel(part, cv2.CV_32F, 0, 1, scale=1 / 8)
    xx, yy, xy_ = mean(gx * gx), mean(gy * gy), mean(gx * gy)
    lesser = (xx + yy) / 2 - np.sqrt((xx - yy) ** 2 / 4 + xy_**2)
    variance = mean(part * part) - mean(part) ** 2
    return float(np.median((2 * half + 1) * lesser / np.maximum(4 * variance, 1.0)))

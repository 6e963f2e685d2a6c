"""ChArUco boards, AprilGrids and sets of markers in an image: those of their corners that are seen."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from lift3d.calibration.boards import APRILGRID, CHARUCO, Board, marker_dictionary
from lift3d.calibration.refinement import CORNER_SHARE, refine_corners, refine_saddles, refine_sides

# Kalibr prints its tags with a border of two cells, others with one.
BORDERS = {APRILGRID: (2, 1)}
# Kalibr prints its tags upside down against OpenCV's: the corner that OpenCV names first is the lower right one.
APRILGRID_TURN = 2
MAX_CHARUCO_MOVE = 0.3  # pixels
MAX_CORNERS_OFF = 0.3  # of a marker's side, from where the others say that it is


def find_markers(gray: np.ndarray, board: Board) -> tuple[np.ndarray, int]:
    """The corners of a board with markers.

    What a recording leaves open is tried: the two patterns of ChArUco (before and since OpenCV 4.6), which differ for
    an even number of rows, and the two widths of the markers' border (AprilGrid). Markers that do not lie on one plane
    with the others are left out, and so is a single one of several.

    Args:
        gray: (height, width) uint8 image, dark squares dark.
        board: the board; not a chessboard.

    Returns:
        (corners, 2) float64 pixels, NaN where not seen, and the number of the variant that was seen.

    Source: S. Garrido-Jurado et al., "Automatic generation and detection of highly reliable fiducial markers under
    occlusion", Pattern Recognition 47(6), 2014.
    """
    find = _find_charuco if board.type == CHARUCO else _find_grid
    tries = [find(gray, board, variant) for variant in range(_variants(board))]
    counts = [int(np.isfinite(xy[:, 0]).sum()) for xy in tries]
    best = int(np.argmax(counts))
    return tries[best], best


def _variants(board: Board) -> int:
    return 2 if board.type == APRILGRID or (board.type == CHARUCO and board.squares[1] % 2 == 0) else 1


def _find_charuco(gray: np.ndarray, board: Board, variant: int) -> np.ndarray:
    xy = np.full((len(board.points), 2), np.nan)
    corners, numbers, _, _ = _charuco_detector(board, variant).detectBoard(gray)
    if numbers is not None and len(numbers):
        xy[np.asarray(numbers).ravel()] = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
    return _refine_charuco(gray, xy, board)


def _refine_charuco(gray: np.ndarray, xy: np.ndarray, board: Board) -> np.ndarray:
    """The corners in windows that no marker reaches into.

    OpenCV's windows reach further, which in oblique views puts corners off by up to a quarter of a pixel. By more than
    that they part only where bright squares bloom into each other: there the larger window is the better one.
    """
    gap = (board.square_length - float(board.marker_length or 0)) / 2
    refined = xy.copy()
    seen = np.flatnonzero(np.isfinite(xy[:, 0]))
    apart = np.linalg.norm(board.points[seen, None] - board.points[None, seen], axis=-1) / board.square_length
    for row, corner in enumerate(seen):
        neighbours = seen[np.isclose(apart[row], 1)]
        if len(neighbours):
            spacing = np.linalg.norm(xy[neighbours] - xy[corner], axis=1).min()
            window = round(CORNER_SHARE * gap / board.square_length * spacing)
            moved = refine_saddles(gray, xy[corner], window)
            if np.linalg.norm(moved - xy[corner]) < MAX_CHARUCO_MOVE:
                refined[corner] = moved
    return refined


def _find_grid(gray: np.ndarray, board: Board, variant: int) -> np.ndarray:
    import cv2

    xy = np.full((board.markers, 4, 2), np.nan)
    border = BORDERS.get(board.type, (1,))[variant]
    if board.type == APRILGRID:
        # The dark squares between the tags touch them: sharpened edges keep the two apart.
        gray_for_tags = cv2.addWeighted(gray, 2.5, cv2.GaussianBlur(gray, (0, 0), 1.5), -1.5, 0)
    else:
        gray_for_tags = gray
    quads, numbers, _ = _marker_detector(board.dictionary, border).detectMarkers(gray_for_tags)
    numbers = np.asarray([] if numbers is None else numbers, dtype=int).ravel()
    pixels = np.asarray(quads, dtype=np.float64).reshape(-1, 4, 2)
    if board.type == APRILGRID:
        pixels = np.roll(pixels, -APRILGRID_TURN, axis=1)
    known = numbers < board.markers
    known[known] = np.bincount(numbers[known], minlength=1)[numbers[known]] == 1
    numbers, pixels = fit_plane(board, numbers[known], pixels[known])
    if len(numbers):
        cells = marker_dictionary(board.dictionary).markerSize + 2 * border
        gap = board.square_length / float(board.marker_length or 0) - 1
        # The share of a marker's side around its edge in which there is nothing but that edge.
        clear = min(border / cells, gap)
        refine = refine_corners if board.type == APRILGRID else refine_sides
        xy[numbers] = refine(gray, pixels, clear)
    return xy.reshape(-1, 2)


def fit_plane(board: Board, numbers: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The markers that lie on one plane with most others, their corners moved to where the plane has them.

    A detector puts corners that touch something dark too far out; over all four corners of many markers that evens
    out. Each marker keeps its own middle, as a lens bends the plane.

    Args:
        board: "aprilgrid" or "aruco".
        numbers: (n,) the markers.
        pixels: (n, 4, 2) their corners.

    Returns:
        Numbers and corners of the markers that fit; none if only one of several does.
    """
    import cv2

    none = numbers[:0], pixels[:0]
    if len(numbers) < min(2, board.markers):
        return none
    plane = board.marker_corners(numbers)
    side = float(np.median(np.linalg.norm(np.roll(pixels, 1, axis=1) - pixels, axis=-1)))
    H: Any = cv2.findHomography(plane.reshape(-1, 2), pixels.reshape(-1, 2), cv2.RANSAC, MAX_CORNERS_OFF * side)[0]
    if H is None:
        return none
    fitted = cv2.perspectiveTransform(plane.reshape(-1, 1, 2), H).reshape(-1, 4, 2)
    moves = (pixels - fitted).mean(axis=1, keepdims=True)
    fits = (np.linalg.norm(pixels - fitted, axis=-1) < MAX_CORNERS_OFF * side).all(axis=1)
    if fits.sum() < min(2, board.markers):
        return none
    return numbers[fits], (fitted + moves)[fits]


def charuco_board(board: Board, legacy: bool = False) -> Any:
    """OpenCV's board; ``legacy`` is the pattern of OpenCV before 4.6."""
    import cv2

    side = float(board.marker_length or 0)
    made = cv2.aruco.CharucoBoard(board.squares, board.square_length, side, marker_dictionary(board.dictionary))
    made.setLegacyPattern(legacy)
    return made


@lru_cache(maxsize=8)
def _charuco_detector(board: Board, variant: int) -> Any:
    import cv2

    return cv2.aruco.CharucoDetector(charuco_board(board, legacy=variant == 1))


@lru_cache(maxsize=8)
def _marker_detector(dictionary: str, border: int) -> Any:
    import cv2

    parameters = cv2.aruco.DetectorParameters()
    parameters.markerBorderBits = border
    return cv2.aruco.ArucoDetector(marker_dictionary(dictionary), parameters)

"""Why a board was not found: what the images show instead of what the board's fields say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lift3d.calibration.boards import CHESSBOARD, Board, marker_dictionary
from lift3d.calibration.chessboards import board_size
from lift3d.calibration.detection import detect_board

# One of each size of marker: the larger sets hold the smaller ones.
DICTIONARIES = (
    "DICT_4X4_1000",
    "DICT_5X5_1000",
    "DICT_6X6_1000",
    "DICT_7X7_1000",
    "DICT_ARUCO_ORIGINAL",
    "DICT_APRILTAG_16h5",
    "DICT_APRILTAG_25h9",
    "DICT_APRILTAG_36h11",
)
LEAST_MARKERS = 4


def explain(images: Sequence[np.ndarray], board: Board) -> str | None:
    """What is wrong with images in which the board was not found, as a sentence; None if that cannot be seen.

    Args:
        images: a few (height, width) uint8 images.
        board: the board that was looked for.
    """
    if found := _seen(images, replace(board, inverted=not board.inverted)):
        true = str(not board.inverted).lower()
        return f"{found} show the board with dark and bright exchanged: set inverted = {true}"
    if board.type == CHESSBOARD:
        return _other_chessboard(images, board)
    if found := _seen([np.ascontiguousarray(image[:, ::-1]) for image in images], board):
        return f"{found} show the board mirrored: switch the mirror off in the camera's program, or flip the recording"
    columns, rows = board.squares
    if columns != rows:
        turned = replace(board, squares=(rows, columns))
        if found := _seen(images, turned):
            what = "squares" if board.type == "charuco" else "markers"
            return f"{found} show a board of {rows}x{columns} {what}, the board's fields say {columns}x{rows}"
    return _other_markers(images, board)


def _seen(images: Sequence[np.ndarray], board: Board) -> str | None:
    """In how many of the images the board is seen, in words; None if in none."""
    count = sum(detect_board(image, board).count >= 4 for image in images)
    return f"{count} of {len(images)} images that were tried" if count else None


def _other_chessboard(images: Sequence[np.ndarray], board: Board) -> str | None:
    sizes: Counter[tuple[int, int]] = Counter()
    for image in images:
        if size := board_size(255 - image if board.inverted else image):
            sizes[size] += 1
    if not sizes:
        return None
    (columns, rows), count = sizes.most_common(1)[0]
    if sorted((columns, rows)) == sorted(board.corners):
        return None
    given = "x".join(map(str, board.corners))
    return (
        f"{count} of {len(images)} images that were tried show a chessboard of {columns}x{rows} inner corners, "
        f"the board's fields say {given}"
    )


def _other_markers(images: Sequence[np.ndarray], board: Board) -> str | None:
    import cv2

    counts: Counter[tuple[str, int]] = Counter()
    largest: dict[tuple[str, int], int] = {}
    dictionaries = [marker_dictionary(name) for name in DICTIONARIES]
    for border in (1, 2):
        parameters = cv2.aruco.DetectorParameters()
        parameters.markerBorderBits = border
        parameters.errorCorrectionRate = 0.0
        detector = cv2.aruco.ArucoDetector(dictionaries, parameters)
        for image in images:
            _, numbers, _, places = detector.detectMarkersMultiDict(255 - image if board.inverted else image)
            if numbers is None or not len(numbers):
                continue
            for place, number in zip(np.ravel(places), np.ravel(numbers), strict=True):
                key = DICTIONARIES[int(place)], border
                counts[key] += 1
                largest[key] = max(largest.get(key, 0), int(number))
    if not counts or counts.most_common(1)[0][1] < LEAST_MARKERS:
        sizes = [size for image in images if (size := board_size(255 - image if board.inverted else image))]
        shown = "The images show a chessboard of {}x{} inner corners, but no markers of a known dictionary"
        return shown.format(*Counter(sizes).most_common(1)[0][0]) if sizes else None
    (name, border), _ = counts.most_common(1)[0]
    wide = " with a border of two cells (an AprilGrid)" if border == 2 else ""
    return (
        f"The images show markers of {name}{wide}, numbered up to {largest[name, border]}; "
        f"the board's fields say {board.type}, {board.dictionary}, {board.markers} markers"
    )

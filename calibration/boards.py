"""Calibration boards: what is printed on them, and where their corners lie.

A board's own space is right-handed, in metres, with x to the right and y down on the board seen from its front, z away
into the board: a board that a camera sees has positive depth, and its rotation into the camera has determinant +1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any, Self

import numpy as np

from lift3d.errors import Lift3DError

CHESSBOARD, CHARUCO, APRILGRID, ARUCO = TYPES = ("chessboard", "charuco", "aprilgrid", "aruco")
DEFAULT_DICTIONARIES = {CHARUCO: "DICT_4X4_1000", APRILGRID: "DICT_APRILTAG_36h11", ARUCO: "DICT_4X4_1000"}
MAX_COUNT = 200  # squares a side: beyond it the numbers are no counts
MAX_LENGTH = 10.0  # metres a square: beyond it the lengths are millimetres


class BoardError(Lift3DError, ValueError):
    """A board is impossible, does not fit its use, or is not what the images show."""


@dataclass(frozen=True)
class Board:
    """A flat calibration board.

    Attributes:
        type: "chessboard", "charuco" (a chessboard with ArUco markers in its white squares), "aprilgrid" (Kalibr's grid
            of AprilTags, numbered from the lower left) or "aruco" (OpenCV's grid of markers, numbered from the upper
            left; for AprilTags too).
        squares: (columns, rows) of squares, or of markers for "aprilgrid" and "aruco".
        square_length: side of a square, or from one marker to the next ("aprilgrid", "aruco"), metres.
        marker_length: side of a marker, metres; None for "chessboard".
        dictionary: OpenCV's name of the set of markers; None for "chessboard".
        inverted: whether the board is printed white on black.

    Raises:
        BoardError: a field is missing or impossible.
    """

    type: str
    squares: tuple[int, int]
    square_length: float
    marker_length: float | None = None
    dictionary: str | None = None
    inverted: bool = False

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise BoardError(f"type must be one of {', '.join(TYPES)}, not {self.type!r}")
        least = 1 if self.type in (APRILGRID, ARUCO) else 3 if self.type == CHESSBOARD else 2
        squares = _counts("squares", self.squares, least)
        if self.type == CHESSBOARD and max(squares) < 4:
            raise BoardError("squares: a chessboard of 3x3 squares has too few corners")
        object.__setattr__(self, "squares", squares)
        object.__setattr__(self, "square_length", _length("square_length", self.square_length))
        if not isinstance(self.inverted, bool):
            raise BoardError(f"inverted must be true or false, not {self.inverted!r}")
        if self.type == CHESSBOARD:
            if self.marker_length is not None or self.dictionary is not None:
                raise BoardError("a chessboard has no markers: leave out marker_length and dictionary, or say charuco")
            return
        if self.marker_length is None:
            raise BoardError(f"marker_length is missing: the side of a marker of this {self.type} board, in metres")
        object.__setattr__(self, "marker_length", _length("marker_length", self.marker_length))
        if self.marker_length >= self.square_length:
            raise BoardError(
                f"marker_length ({self.marker_length:g} m) must be less than square_length ({self.square_length:g} m)"
            )
        object.__setattr__(self, "dictionary", self.dictionary or DEFAULT_DICTIONARIES[self.type])
        available = len(marker_dictionary(self.dictionary).bytesList)
        if self.markers > available:
            raise BoardError(f"dictionary {self.dictionary} has {available} markers, the board needs {self.markers}")

    @property
    def corners(self) -> tuple[int, int]:
        """(columns, rows) of the corners between squares, of "chessboard" and "charuco"."""
        return self.squares[0] - 1, self.squares[1] - 1

    @property
    def markers(self) -> int:
        """Number of markers."""
        columns, rows = self.squares
        return {CHESSBOARD: 0, CHARUCO: columns * rows // 2}.get(self.type, columns * rows)

    @property
    def ambiguous(self) -> bool:
        """Whether the board looks the same after half a turn: a chessboard, both counts of corners odd or both even."""
        return self.type == CHESSBOARD and (self.corners[0] - self.corners[1]) % 2 == 0

    @cached_property
    def points(self) -> np.ndarray:
        """(corners, 3) float64, metres, z = 0: where each corner lies on the board.

        Chessboard and ChArUco: the inner corners row by row. AprilGrid and ArUco: four a marker, in the order of the
        markers' numbers, clockwise from the upper left. The origin is the first corner of a chessboard, the board's
        upper left end otherwise.
        """
        if self.type in (CHESSBOARD, CHARUCO):
            columns, rows = self.corners
            cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
            plane = (cells + (self.type == CHARUCO)) * self.square_length
        else:
            plane = self.marker_corners(np.arange(self.markers)).reshape(-1, 2)
        points = np.column_stack([plane, np.zeros(len(plane))]).astype(np.float64)
        points.flags.writeable = False
        return points

    def marker_corners(self, markers: np.ndarray) -> np.ndarray:
        """(n, 4, 2) metres: the corners of "aprilgrid" or "aruco" markers, clockwise from the upper left."""
        columns, rows = self.squares
        row, column = np.divmod(np.asarray(markers), columns)
        if self.type == APRILGRID:
            row = rows - 1 - row
        upper_left = np.stack([column, row], axis=-1) * self.square_length
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * float(self.marker_length or 0)
        return np.asarray(upper_left[:, None] + square)

    @property
    def diagonal(self) -> float:
        """Length from the first to the last corner of the board's extent, metres."""
        return float(np.linalg.norm(np.ptp(self.points, axis=0)))

    def describe(self) -> str:
        """One line for people."""
        size = f"{1000 * self.square_length:g} mm"
        if self.type == CHESSBOARD:
            text = f"chessboard of {'x'.join(map(str, self.corners))} inner corners, squares of {size}"
        else:
            what = "squares" if self.type == CHARUCO else "markers"
            marker = f"{1000 * float(self.marker_length or 0):g} mm"
            text = f"{self.type} board of {'x'.join(map(str, self.squares))} {what}"
            text += f", squares of {size}" if self.type == CHARUCO else f", one every {size}"
            text += f", markers of {marker}, {self.dictionary}"
        return text + (", white on black" if self.inverted else "")

    def to_dict(self) -> dict[str, Any]:
        """The fields of a ``board.toml``."""
        counts = {"corners": list(self.corners)} if self.type == CHESSBOARD else {"squares": list(self.squares)}
        values = {"type": self.type, **counts, "square_length": self.square_length}
        if self.type != CHESSBOARD:
            values |= {"marker_length": self.marker_length, "dictionary": self.dictionary}
        return values | {"inverted": self.inverted}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The board of a ``board.toml``. Raises BoardError that names the field."""
        fields = {"type", "corners", "squares", "square_length", "marker_length", "dictionary", "inverted"}
        if unknown := sorted(map(str, values.keys() - fields)):
            raise BoardError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(fields))}")
        if missing := [name for name in ("type", "square_length") if name not in values]:
            raise BoardError(f"the field {missing[0]} is missing")
        if ("corners" in values) == ("squares" in values):
            raise BoardError("say either corners or squares, as [columns, rows]")
        if "corners" in values:
            if values["type"] not in (CHESSBOARD, CHARUCO):
                raise BoardError(f"corners are for chessboards; of a board of type {values['type']!r} say squares")
            columns, rows = _counts("corners", values["corners"], 1)
            squares = (columns + 1, rows + 1)
        else:
            squares = values["squares"]
        rest = {name: values[name] for name in ("marker_length", "dictionary", "inverted") if name in values}
        return cls(values["type"], squares, values["square_length"], **rest)


def marker_dictionary(name: str | None) -> Any:
    """OpenCV's dictionary of that name. Raises BoardError that lists the known ones."""
    import cv2

    known = [key for key in dir(cv2.aruco) if key.startswith("DICT_")]
    if not isinstance(name, str) or name not in known:
        raise BoardError(f"unknown dictionary {name!r}; known are {', '.join(known)}")
    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))


def _counts(name: str, values: Any, least: int) -> tuple[int, int]:
    try:
        columns, rows = values
    except (TypeError, ValueError):
        raise BoardError(f"{name} must be [columns, rows], not {values!r}") from None
    if not all(isinstance(value, Integral) and not isinstance(value, bool) for value in (columns, rows)):
        raise BoardError(f"{name} must be two whole numbers [columns, rows], not {values!r}")
    if not (least <= columns <= MAX_COUNT and least <= rows <= MAX_COUNT):
        raise BoardError(f"{name}: each count must be {least} to {MAX_COUNT}, not {columns} and {rows}")
    return int(columns), int(rows)


def _length(name: str, value: Any) -> float:
    try:
        length = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError, OverflowError):
        length = math.nan
    if not 0 < length < math.inf:
        raise BoardError(f"{name} must be a positive number of metres, not {value!r}")
    if length > MAX_LENGTH:
        raise BoardError(f"{name} = {length:g} is more than {MAX_LENGTH:g} metres; is it in millimetres?")
    return length

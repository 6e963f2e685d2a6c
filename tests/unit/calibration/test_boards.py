"""Boards: their corners, their fields, their files."""

import contextlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift3d.calibration.board_files import read_board, write_board
from lift3d.calibration.boards import Board, BoardError
from lift3d.errors import FileFormatError, OutputExistsError

CALISCOPE = """
columns = 4
rows = 5
dictionary = "DICT_4X4_1000"
aruco_scale = 0.75
square_size_override_cm = 5.4
inverted = true
"""


def test_the_corners_of_a_chessboard_row_by_row() -> None:
    board = Board("chessboard", (4, 3), 0.1)
    assert board.corners == (3, 2)
    assert np.allclose(board.points, [[0, 0, 0], [0.1, 0, 0], [0.2, 0, 0], [0, 0.1, 0], [0.1, 0.1, 0], [0.2, 0.1, 0]])


def test_charuco_and_aruco_corners_are_opencvs() -> None:
    board = Board("charuco", (5, 4), 0.04, 0.03)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_1000)
    theirs = cv2.aruco.CharucoBoard((5, 4), 0.04, 0.03, dictionary)
    assert np.allclose(board.points, theirs.getChessboardCorners())
    grid = Board("aruco", (3, 2), 0.05, 0.04)
    theirs = cv2.aruco.GridBoard((3, 2), 0.04, 0.01, dictionary)
    assert np.allclose(grid.points, np.array(theirs.getObjPoints()).reshape(-1, 3), atol=1e-7)


def test_an_aprilgrid_counts_from_the_lower_left() -> None:
    board = Board("aprilgrid", (2, 3), 0.1, 0.08)
    assert board.dictionary == "DICT_APRILTAG_36h11"
    first, last = board.points[:4, :2], board.points[-4:, :2]
    assert np.allclose(first, [[0, 0.2], [0.08, 0.2], [0.08, 0.28], [0, 0.28]])
    assert np.allclose(last, [[0.1, 0], [0.18, 0], [0.18, 0.08], [0.1, 0.08]])


def test_boards_that_look_the_same_after_half_a_turn() -> None:
    of_corners = {(9, 6): False, (7, 4): False, (8, 6): True, (9, 7): True, (5, 5): True}
    for (columns, rows), ambiguous in of_corners.items():
        assert Board("chessboard", (columns + 1, rows + 1), 0.02).ambiguous is ambiguous
    assert not Board("charuco", (6, 6), 0.04, 0.03).ambiguous


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "circles", "squares": [5, 7], "square_length": 0.03}, "type must be one of chessboard, charuco"),
        ({"type": "chessboard", "squares": [5, 7]}, "square_length is missing"),
        ({"type": "chessboard", "square_length": 0.03}, "either corners or squares"),
        ({"type": "chessboard", "corners": [9, 6], "squares": [10, 7], "square_length": 0.03}, "either corners or"),
        ({"type": "chessboard", "corners": 9, "square_length": 0.03}, r"corners must be \[columns, rows\]"),
        ({"type": "chessboard", "corners": [9.0, 6], "square_length": 0.03}, "two whole numbers"),
        ({"type": "chessboard", "corners": [9, 0], "square_length": 0.03}, "each count must be"),
        ({"type": "chessboard", "corners": [2, 2], "square_length": 0.03}, "too few corners"),
        ({"type": "chessboard", "corners": [9, 6], "square_length": 25}, "millimetres"),
        ({"type": "chessboard", "corners": [9, 6], "square_length": -1}, "positive number of metres"),
        ({"type": "chessboard", "corners": [9, 6], "square_length": float("nan")}, "positive number of metres"),
        ({"type": "chessboard", "corners": [9, 6], "square_length": 10**400}, "positive number of metres"),
        ({"type": "chessboard", "corners": [9, 6], "square_length": 0.03, "marker_length": 0.02}, "no markers"),
        ({"type": "chessboard", "corners": [9, 6], "square_length": 0.03, "inverted": 1}, "true or false"),
        ({"type": "chessboard", "corners": [9, 6], "square_size": 0.03, "square_length": 0.03}, "unknown field"),
        ({"type": "charuco", "squares": [5, 7], "square_length": 0.03}, "marker_length is missing"),
        ({"type": "charuco", "squares": [5, 7], "square_length": 0.03, "marker_length": 0.03}, "must be less than"),
        ({"type": "aruco", "corners": [5, 7], "square_length": 0.03, "marker_length": 0.02}, "say squares"),
        (
            {"type": "aruco", "squares": [5, 7], "square_length": 0.03, "marker_length": 0.02, "dictionary": "DICT_X"},
            "unknown dictionary 'DICT_X'; known are DICT_4X4_100",
        ),
        (
            {"type": "aruco", "squares": [8, 7], "square_length": 3, "marker_length": 2, "dictionary": "DICT_4X4_50"},
            "has 50 markers, the board needs 56",
        ),
    ],
)  # fmt: skip
def test_impossible_boards(fields: dict, message: str) -> None:
    with pytest.raises(BoardError, match=message):
        Board.from_dict(fields)


@given(
    type=st.sampled_from(["chessboard", "charuco", "aprilgrid", "aruco"]),
    squares=st.tuples(st.integers(4, 12), st.integers(4, 12)),
    length=st.floats(1e-3, 9.0),
    share=st.floats(0.1, 0.95),
    inverted=st.booleans(),
)
def test_a_board_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory,
    type: str,
    squares: tuple[int, int],
    length: float,
    share: float,
    inverted: bool,
) -> None:
    board = Board(type, squares, length, None if type == "chessboard" else length * share, inverted=inverted)
    path = tmp_path_factory.mktemp("board") / "board.toml"
    write_board(board, path)
    assert read_board(path) == board


def test_a_board_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    board = Board("chessboard", (10, 7), 0.025)
    write_board(board, tmp_path / "board.toml")
    with pytest.raises(OutputExistsError):
        write_board(board, tmp_path / "board.toml")
    write_board(board, tmp_path / "board.toml", overwrite=True)


def test_caliscopes_board(tmp_path: Path) -> None:
    path = tmp_path / "charuco.toml"
    path.write_text(CALISCOPE)
    board = read_board(path)
    assert (board.type, board.squares, board.dictionary, board.inverted) == ("charuco", (4, 5), "DICT_4X4_1000", True)
    assert (board.square_length, board.marker_length) == pytest.approx((0.054, 0.0405))
    path.write_text(CALISCOPE.replace("aruco_scale = 0.75", ""))
    with pytest.raises(FileFormatError, match="aruco_scale"):
        read_board(path)


@pytest.mark.parametrize(
    "text", ["type = ", "type = 3", "", "\x00\xff", "square_size_override_cm = 'x'", "a = " + "[" * 3000]
)
def test_board_files_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "board.toml"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(FileFormatError, match=r"board\.toml"):
        read_board(path)
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_board(tmp_path / "missing.toml")


@given(st.dictionaries(
    st.sampled_from(["type", "squares", "corners", "square_length", "marker_length", "dictionary", "inverted"]),
    st.one_of(st.sampled_from(["charuco", "aruco", "chessboard", "DICT_4X4_50"]), st.integers(), st.floats(), st.none(),
              st.booleans(), st.lists(st.one_of(st.integers(-2, 300), st.floats(), st.text(max_size=3)), max_size=3)),
))  # fmt: skip
def test_any_fields_make_a_board_or_a_named_error(fields: dict) -> None:
    with contextlib.suppress(BoardError):
        Board.from_dict(fields)

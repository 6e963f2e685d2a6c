"""``lift3d board new`` and ``lift3d board check``."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import lift3d
from typer.testing import Result

from lift3d.calibration.board_files import read_board
from lift3d.calibration.boards import Board


def board(*arguments: object) -> Result:
    return lift3d("board", *arguments)


CHARUCO = ["--type", "charuco", "--squares", "4x5", "--square", 0.04, "--marker", 0.03]


def test_a_sheet_and_its_description_and_a_check_of_it(tmp_path: Path) -> None:
    result = board("new", *CHARUCO, "-o", tmp_path / "board.png", "--dpi", 100, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["output"] == [str(tmp_path / "board.png"), str(tmp_path / "board.toml")]
    assert read_board(tmp_path / "board.toml") == Board("charuco", (4, 5), 0.04, 0.03)
    checked = ["check", tmp_path / "board.png", "--board", tmp_path / "board.toml"]
    summary = json.loads(board(*checked, "-o", tmp_path / "seen.png", "--json").stdout)
    assert (summary["found"], summary["corners"]) == (12, 12)
    drawn = cv2.imread(str(tmp_path / "seen.png"))
    x, y = np.rint(summary["xy"][0]).astype(int)
    assert np.ptp(drawn[y - 6 : y + 7, x - 6 : x + 7].astype(int), axis=-1).max() > 100  # something coloured
    assert "12 of 12 corners found" in board(*checked).stdout


def test_a_description_alone(tmp_path: Path) -> None:
    result = board("new", "--type", "chessboard", "--corners", "8x6", "--square", 0.1, "-o", tmp_path / "b.toml")
    assert result.exit_code == 0, result.output
    assert read_board(tmp_path / "b.toml").corners == (8, 6)
    assert "for several take an odd and an even count" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--squares", "5x7"], "--square 0.03"),
        (["--square", 0.03], "--squares 5x7"),
        (["--squares", "5by7", "--square", 0.03], "not COLUMNSxROWS"),
        (["--squares", "5x7", "--square", 0.03], "marker_length is missing"),
        (["--type", "dots", "--squares", "5x7", "--square", 0.03], "type must be one of"),
        ([*CHARUCO, "--dictionary", "DICT_9X9"], "unknown dictionary 'DICT_9X9'"),
        ([*CHARUCO, "--paper", "100x100"], "does not fit"),
    ],
)
def test_boards_that_cannot_be_made(tmp_path: Path, arguments: list[object], message: str) -> None:
    result = board("new", *arguments, "-o", tmp_path / "board.pdf")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text("mine")
    result = board("new", *CHARUCO, "-o", tmp_path / "board.pdf")
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["board.toml"]


def test_an_image_without_the_board(tmp_path: Path) -> None:
    board("new", *CHARUCO, "-o", tmp_path / "board.png", "--dpi", 100)
    mirrored = cv2.imread(str(tmp_path / "board.png"))[:, ::-1]
    cv2.imwrite(str(tmp_path / "mirrored.png"), mirrored)
    result = board("check", tmp_path / "mirrored.png", "--board", tmp_path / "board.toml")
    assert result.exit_code == 2
    assert "mirrored" in result.stderr
    result = board("check", tmp_path / "board.toml", "--board", tmp_path / "board.toml")
    assert result.exit_code == 2
    assert "not an image" in result.stderr

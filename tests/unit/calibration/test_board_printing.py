"""Sheets to print, measured in what another library renders of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lift3d.calibration.boards import Board, BoardError
from lift3d.calibration.detection import detect
from lift3d.calibration.printing import write_board_sheet
from lift3d.errors import OutputExistsError, UnknownFormatError

BOARDS = [
    Board("chessboard", (9, 6), 0.025),
    Board("charuco", (5, 7), 0.03, 0.022, "DICT_5X5_100", inverted=True),
    Board("aprilgrid", (4, 5), 0.04, 0.03),
    Board("aruco", (4, 5), 0.04, 0.03),
]


def offsets(image: np.ndarray, sheet_mm: tuple[float, float], board: Board, origin: tuple[float, float]) -> np.ndarray:
    """How far each corner is from where it belongs on the sheet, millimetres."""
    found = detect(image, board)
    assert np.isfinite(found).all()
    millimetres = (found + 0.5) * np.array(sheet_mm) / image.shape[1::-1]
    return np.linalg.norm(millimetres - (1000 * board.points[:, :2] + origin), axis=1)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.type)
def test_a_pdf_is_true_to_scale(tmp_path: Path, board: Board) -> None:
    pdfium = pytest.importorskip("pypdfium2")
    path = tmp_path / "board.pdf"
    origin = write_board_sheet(board, path)
    page = pdfium.PdfDocument(path)[0]
    size = tuple(side / 72 * 25.4 for side in page.get_size())
    assert sorted(size) == pytest.approx([210, 297], abs=0.01)
    image = cv2.cvtColor(page.render(scale=200 / 72).to_numpy()[..., :3], cv2.COLOR_BGR2GRAY)
    image = cv2.GaussianBlur(image, (0, 0), 0.7)
    assert offsets(image, size, board, origin).max() < 0.02
    text = page.get_textpage().get_text_range()
    assert board.describe() in text
    assert "100 mm" in text


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.type)
def test_a_png_is_true_to_scale(tmp_path: Path, board: Board) -> None:
    path = tmp_path / "board.png"
    origin = write_board_sheet(board, path, dpi=150)
    data = path.read_bytes()
    place = data.index(b"pHYs") + 4
    across, down = (int.from_bytes(data[place + 4 * k : place + 4 * k + 4]) for k in (0, 1))
    assert across == down == round(150 / 0.0254)  # pixels a metre
    image = cv2.GaussianBlur(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (0, 0), 0.7)
    size = tuple(side / 150 * 25.4 for side in image.shape[::-1])
    assert offsets(image, size, board, origin).max() < 0.02


def test_a_board_that_does_not_fit(tmp_path: Path) -> None:
    board = Board("chessboard", (9, 6), 0.04)
    with pytest.raises(BoardError, match=r"take paper A3, or a square_length of at most 0\.03"):
        write_board_sheet(board, tmp_path / "board.pdf")
    largest = Board("chessboard", (9, 6), 0.0305)
    write_board_sheet(largest, tmp_path / "board.pdf")
    write_board_sheet(board, tmp_path / "wide.pdf", paper="400x300")
    with pytest.raises(BoardError, match="paper of 1516x"):
        write_board_sheet(Board("chessboard", (15, 6), 0.1), tmp_path / "other.pdf")
    assert not (tmp_path / "other.pdf").exists()


def test_impossible_sheets(tmp_path: Path) -> None:
    board = BOARDS[0]
    for paper in ("A9", "10x10", "-1x5", ""):
        with pytest.raises(BoardError, match="paper must be one of A4"):
            write_board_sheet(board, tmp_path / "board.pdf", paper=paper)
    with pytest.raises(BoardError, match="lower the dpi"):
        write_board_sheet(board, tmp_path / "board.png", paper="99999x99999", dpi=300)
    with pytest.raises(UnknownFormatError, match=r"\.pdf, \.png"):
        write_board_sheet(board, tmp_path / "board.svg")
    write_board_sheet(board, tmp_path / "board.pdf")
    with pytest.raises(OutputExistsError):
        write_board_sheet(board, tmp_path / "board.pdf")

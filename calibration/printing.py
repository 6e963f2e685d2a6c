"""Boards to print: true to scale, as a PDF of vector shapes or a PNG that carries its resolution."""

from __future__ import annotations

import math
import re
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.calibration.boards import APRILGRID, CHARUCO, CHESSBOARD, Board, BoardError, marker_dictionary
from lift3d.calibration.markers import APRILGRID_TURN, BORDERS, charuco_board
from lift3d.errors import UnknownFormatError
from lift3d.io.files import atomic_path

ENDINGS = (".pdf", ".png")
PAPERS = {
    "A4": (210.0, 297.0),
    "A3": (297.0, 420.0),
    "A2": (420.0, 594.0),
    "A1": (594.0, 841.0),
    "A0": (841.0, 1189.0),
    "LETTER": (215.9, 279.4),
    "LEGAL": (215.9, 355.6),
    "TABLOID": (279.4, 431.8),
}
MARGIN = 8.0  # mm that printers leave blank
FOOT = 11.0  # mm for the caption and the ruler
RULER = 100.0  # mm
MM_PER_INCH = 25.4
MAX_PIXELS = 400_000_000


def write_board_sheet(
    board: Board, path: str | PathLike[str], paper: str = "A4", dpi: int = 300, overwrite: bool = False
) -> tuple[float, float]:
    """Draw the board in its true size on a sheet of paper, with a caption and a ruler to check the print with.

    Args:
        board: the board.
        path: the .pdf or .png.
        paper: A4, A3, A2, A1, A0, Letter, Legal, Tabloid, or WIDTHxHEIGHT in millimetres; turned where that fits.
        dpi: dots per inch of a PNG.
        overwrite: whether an existing file may be replaced.

    Returns:
        (x, y) in millimetres from the sheet's upper left end to the origin of ``board.points``.

    Raises:
        BoardError: the board does not fit on the paper, or the paper is unknown.
        UnknownFormatError: the ending is neither .pdf nor .png.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    if Path(path).suffix.lower() not in ENDINGS:
        raise UnknownFormatError(path, f"the ending must be one of {', '.join(ENDINGS)}")
    shapes = [1000 * shape for shape in dark_shapes(board)]
    low, high = np.min([s.min(axis=0) for s in shapes], axis=0), np.max([s.max(axis=0) for s in shapes], axis=0)
    # A board printed white on black stands on a black ground that reaches beyond it by half a square.
    ground = 500 * board.square_length if board.inverted else 0.0
    extent = high - low + 2 * ground
    width, height = fitting_paper(board, extent, paper)
    if Path(path).suffix.lower() == ".png":
        if width * height * (dpi / MM_PER_INCH) ** 2 > MAX_PIXELS:
            limit = f"{MAX_PIXELS // 10**6} megapixels"
            raise BoardError(f"{width:g} x {height:g} mm at {dpi} dpi are over {limit}; lower the dpi")
        # A PNG has whole pixels: the sheet is cut to them, and the board stays true.
        width, height = (round(side / MM_PER_INCH * dpi) / dpi * MM_PER_INCH for side in (width, height))
    corner = np.array([(width - extent[0]) / 2, (height - FOOT - extent[1]) / 2])
    origin = corner + ground - low
    with atomic_path(path, overwrite) as temporary:
        _draw(board, [shape + origin for shape in shapes], (corner, extent), (width, height), temporary, dpi)
    return float(origin[0]), float(origin[1])


def dark_shapes(board: Board) -> list[np.ndarray]:
    """What is dark on the board (white if it is inverted), as closed outlines.

    Returns:
        A list of (n, 2) metres in the board's x and y. Outlines of holes run the other way round: what is dark is what
        the outlines wind around.
    """
    squares = []
    if board.type in (CHESSBOARD, CHARUCO):
        columns, rows = board.squares
        origin = -1 if board.type == CHESSBOARD else 0
        cells = [(column, row) for row in range(rows) for column in range(columns) if (row + column) % 2 == 0]
        squares = [_square((np.array(cell) + origin) * board.square_length, board.square_length) for cell in cells]
    if board.type == CHESSBOARD:
        return squares
    if board.type == CHARUCO:
        drawn = charuco_board(board)
        numbers = np.asarray(drawn.getIds()).ravel()
        corners = np.asarray(drawn.getObjPoints(), dtype=np.float64)[:, 0, :2]
    else:
        numbers = np.arange(board.markers)
        corners = board.marker_corners(numbers)[:, 0]
    if board.type == APRILGRID:
        squares = _grid_squares(board)
    side = float(board.marker_length or 0)
    for number, corner in zip(numbers, corners, strict=True):
        cells_of = _marker_cells(board, int(number))
        squares += [corner + side / len(cells_of) * outline for outline in _outlines(cells_of)]
    return squares


def _grid_squares(board: Board) -> list[np.ndarray]:
    """The dark squares of an AprilGrid between the corners of its tags."""
    gap = board.square_length - float(board.marker_length or 0)
    columns, rows = board.squares
    return [
        _square(np.array([column, row]) * board.square_length - gap, gap)
        for row in range(rows + 1)
        for column in range(columns + 1)
    ]


def _square(corner: np.ndarray, side: float) -> np.ndarray:
    return np.asarray(corner + side * np.array([[0, 0], [1, 0], [1, 1], [0, 1]]))


def _marker_cells(board: Board, number: int) -> np.ndarray:
    """(n, n) bool: the dark cells of a marker as it is printed, its border included."""
    dictionary = marker_dictionary(board.dictionary)
    border = BORDERS.get(board.type, (1,))[0]
    side = dictionary.markerSize + 2 * border
    cells = dictionary.generateImageMarker(number, side, borderBits=border) < 128
    return np.rot90(cells, APRILGRID_TURN) if board.type == APRILGRID else cells


def _outlines(cells: np.ndarray) -> list[np.ndarray]:
    """The borders of the dark cells as closed outlines, dark on the right; so no seams show between cells."""
    dark = np.pad(cells, 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, column in zip(*np.nonzero(dark), strict=True):
        x, y = int(column) - 1, int(row) - 1
        sides = [
            (dark[row - 1, column], (x, y), (x + 1, y)),
            (dark[row, column + 1], (x + 1, y), (x + 1, y + 1)),
            (dark[row + 1, column], (x + 1, y + 1), (x, y + 1)),
            (dark[row, column - 1], (x, y + 1), (x, y)),
        ]
        for neighbour, start, end in sides:
            if not neighbour:
                following.setdefault(start, []).append(end)
    outlines = []
    while following:
        place = next(iter(following))
        outline = []
        while place in following:
            outline.append(place)
            ends = following[place]
            here, place = place, ends.pop()
            if not ends:
                del following[here]
        outlines.append(np.array(outline, dtype=np.float64))
    return outlines


def fitting_paper(board: Board, extent: np.ndarray, paper: str) -> tuple[float, float]:
    """(width, height) in millimetres of the paper, turned so that ``extent`` fits. Raises BoardError if it does not."""
    sheet = _paper_size(paper)
    need = extent + np.array([2 * MARGIN, 2 * MARGIN + FOOT])
    for width, height in sorted({sheet, sheet[::-1]}, key=lambda size: size[0]):
        if need[0] <= width and need[1] <= height:
            return width, height
    best = max(
        min((width - 2 * MARGIN) / extent[0], (height - 2 * MARGIN - FOOT) / extent[1])
        for width, height in (sheet, sheet[::-1])
    )
    square = math.floor(10 * best * 1000 * board.square_length) / 10
    fits = [
        name
        for name, size in PAPERS.items()
        if any(need[0] <= width and need[1] <= height for width, height in (size, size[::-1]))
    ]
    larger = f"paper {fits[0]}" if fits else f"paper of {need[0]:.0f}x{need[1]:.0f} mm"
    raise BoardError(
        f"the board of {extent[0]:.0f} x {extent[1]:.0f} mm does not fit on {paper} with its margins: "
        f"take {larger}, or a square_length of at most {square / 1000:g} m"
    )


def _paper_size(paper: str) -> tuple[float, float]:
    if paper.upper() in PAPERS:
        return PAPERS[paper.upper()]
    match = re.fullmatch(r"(\d{1,5}(?:\.\d+)?)\s*x\s*(\d{1,5}(?:\.\d+)?)", paper.strip())
    if match is None or min(float(match[1]), float(match[2])) < 50:
        names = ", ".join(PAPERS)
        raise BoardError(f"paper must be one of {names}, or WIDTHxHEIGHT in millimetres (50 or more), not {paper!r}")
    return float(match[1]), float(match[2])


def _draw(
    board: Board,
    shapes: list[np.ndarray],
    ground: tuple[np.ndarray, np.ndarray],
    sheet: tuple[float, float],
    path: Path,
    dpi: int,
) -> None:
    """Draw shapes, in millimetres from the sheet's upper left end, and the foot of the sheet."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path as Outline

    width, height = sheet
    figure = Figure(figsize=(width / MM_PER_INCH, height / MM_PER_INCH))
    FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    if board.inverted:
        corner, extent = ground
        axes.add_patch(Rectangle(tuple(corner), *extent, facecolor="black", linewidth=0, snap=False))
    closed = [Outline(np.vstack([shape, shape[:1]]), closed=True) for shape in shapes]
    colour = "white" if board.inverted else "black"
    # Snapped to the pixels of a PNG, the edges would be off by up to half of one.
    axes.add_patch(PathPatch(Outline.make_compound_path(*closed), facecolor=colour, linewidth=0, snap=False))

    y = height - MARGIN
    axes.text(MARGIN, y - 6, _caption(board), fontsize=6.5, va="bottom", ha="left", wrap=False)
    left = MARGIN
    for tick in range(0, int(RULER) + 1, 10):
        tall = 3.0 if tick % 50 == 0 else 1.8
        axes.plot([left + tick, left + tick], [y, y - tall], color="black", linewidth=0.4, solid_capstyle="butt")
    axes.plot([left, left + RULER], [y, y], color="black", linewidth=0.4, solid_capstyle="butt")
    axes.text(left + RULER + 2, y, "100 mm: measure it after printing", fontsize=6.5, va="bottom", ha="left")
    figure.savefig(path, dpi=dpi, metadata={"CreationDate": None} if path.suffix.lower() == ".pdf" else None)


def _caption(board: Board) -> str:
    return f"{board.describe()}. Print at 100 % (no scaling), glue it to a flat plate."

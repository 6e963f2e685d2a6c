"""``lift3d board new`` and ``lift3d board check``: calibration boards to print, and whether an image shows one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift3d.cli.console import report
from lift3d.cli.options import AsJson, Overwrite, require_new

if TYPE_CHECKING:
    import numpy as np

    from lift3d.calibration.boards import Board

DRAWINGS = (".png", ".jpg", ".jpeg")
SHEETS = (".pdf", ".png", ".toml")


def new(
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="board.pdf or board.png, with board.toml beside it; or board.toml alone."),
    ],
    type: Annotated[str, typer.Option("--type", help="chessboard, charuco, aprilgrid or aruco.")] = "charuco",
    squares: Annotated[
        str | None, typer.Option("--squares", metavar="CxR", help="Columns and rows of squares, or of markers.")
    ] = None,
    corners: Annotated[
        str | None, typer.Option("--corners", metavar="CxR", help="Columns and rows of a chessboard's inner corners.")
    ] = None,
    square: Annotated[
        float | None, typer.Option("--square", metavar="M", help="Side of a square, or from marker to marker, metres.")
    ] = None,
    marker: Annotated[float | None, typer.Option("--marker", metavar="M", help="Side of a marker, metres.")] = None,
    dictionary: Annotated[
        str | None, typer.Option("--dictionary", metavar="NAME", help="OpenCV's set of markers, such as DICT_5X5_100.")
    ] = None,
    inverted: Annotated[bool, typer.Option("--inverted", help="White on black.")] = False,
    paper: Annotated[
        str, typer.Option("--paper", metavar="SIZE", help="A4 to A0, Letter, Legal, Tabloid, or WIDTHxHEIGHT in mm.")
    ] = "A4",
    dpi: Annotated[int, typer.Option("--dpi", min=50, max=2400, help="Dots per inch of a .png.")] = 300,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make a calibration board: a true-to-scale sheet to print, and the board.toml that describes it."""
    if (squares is None) == (corners is None):
        raise typer.BadParameter("say how many squares the board has (--squares 5x7), or corners (--corners 9x6)")
    if square is None:
        raise typer.BadParameter("say the side of a square in metres (--square 0.03)")

    from lift3d.calibration.board_files import write_board
    from lift3d.calibration.boards import Board

    counts = {"squares": _counts(squares, "--squares")} if squares else {"corners": _counts(corners, "--corners")}
    given = {"marker_length": marker, "dictionary": dictionary}
    optional = {key: value for key, value in given.items() if value is not None}
    board = Board.from_dict({"type": type, **counts, "square_length": square, **optional, "inverted": inverted})

    require_new(output, overwrite, SHEETS)
    description = output.with_suffix(".toml")
    require_new(description, overwrite)
    written = [description]
    if output != description:
        from lift3d.calibration.printing import write_board_sheet

        write_board_sheet(board, output, paper, dpi, overwrite)
        written.insert(0, output)
    write_board(board, description, overwrite)
    lines = [board.describe(), *(f"{path}: written" for path in written)]
    if board.ambiguous:
        lines.append(
            "  it looks the same after half a turn and serves for one camera only: "
            "for several take an odd and an even count of corners, such as 9x6"
        )
    if output != description:
        lines.append("  print it at 100 %, check the ruler of 100 mm, and glue it to a flat plate")
    report({"board": board.to_dict(), "output": written, "ambiguous": board.ambiguous}, "\n".join(lines), as_json)


def check(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture of the board.")],
    board: Annotated[Path, typer.Option("--board", metavar="TOML", help="The board.toml.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PNG|JPG", help="Draw what was found into a copy.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Say how much of a board is found in an image, or why it is not."""
    from lift3d.calibration.board_files import read_board
    from lift3d.calibration.boards import BoardError
    from lift3d.calibration.detection import detect_board
    from lift3d.calibration.diagnosis import explain
    from lift3d.calibration.footage import read_image

    if output is not None:
        require_new(output, overwrite, DRAWINGS)
    wanted = read_board(board)
    gray = read_image(image)
    found = detect_board(gray, wanted)
    if not found.count:
        reason = explain([gray], wanted)
        raise BoardError(f"{image}: the board is not found ({wanted.describe()})" + (f". {reason}" if reason else ""))
    total = len(wanted.points)
    lines = [f"{image}: {found.count} of {total} corners found, {wanted.describe()}"]
    if output is not None:
        _draw(gray, found.xy, wanted, output, overwrite)
        lines.append(f"{output}: written")
    summary = {
        "image": image,
        "image_size": gray.shape[::-1],
        "board": wanted.to_dict(),
        "found": found.count,
        "corners": total,
        "sharpness": found.sharpness,
        "xy": found.xy,
        "output": output,
    }
    report(summary, "\n".join(lines), as_json)


def _counts(text: str | None, option: str) -> list[int]:
    match = re.fullmatch(r"(\d{1,4})\s*x\s*(\d{1,4})", (text or "").strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is not COLUMNSxROWS, such as 9x6", param_hint=option)
    return [int(match[1]), int(match[2])]


def _draw(gray: np.ndarray, xy: np.ndarray, board: Board, output: Path, overwrite: bool) -> None:
    """The image with the corners, from the first (red) to the last (blue), and the first one's number."""
    import cv2
    import numpy as np

    from lift3d.errors import Lift3DError
    from lift3d.io.files import atomic_path

    picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    radius = max(3, round(max(gray.shape) / 250))
    numbers = np.flatnonzero(np.isfinite(xy[:, 0]))
    places = {number: tuple(int(v) for v in np.rint(xy[number] * 16)) for number in numbers}
    for number, place in places.items():
        share = number / max(len(xy) - 1, 1)
        colour = (255 * share, 160 * (1 - abs(2 * share - 1)), 255 * (1 - share))
        cv2.circle(picture, place, radius * 16, colour, max(1, radius // 3), cv2.LINE_AA, shift=4)
        if number + 1 in places:
            cv2.line(picture, place, places[number + 1], colour, 1, cv2.LINE_AA, shift=4)
    first = int(numbers[0])
    cv2.putText(
        picture, str(first), tuple(int(v) for v in xy[first]), cv2.FONT_HERSHEY_SIMPLEX, radius / 5, (0, 0, 255), 2
    )
    with atomic_path(output, overwrite) as temporary:
        if not cv2.imwrite(str(temporary), picture):
            raise Lift3DError(f"{output}: the picture cannot be written")

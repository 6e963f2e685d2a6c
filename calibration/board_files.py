"""``board.toml``, and the ``charuco.toml`` of Caliscope.

The fields of a ``board.toml`` are those of ``Board``: ``type``, ``squares`` or ``corners`` = [columns, rows],
``square_length`` and ``marker_length`` in metres, ``dictionary``, ``inverted``.
"""

from __future__ import annotations

import json
import tomllib
from os import PathLike
from pathlib import Path
from typing import Any

from lift3d.calibration.boards import CHARUCO, Board, BoardError
from lift3d.errors import FileFormatError
from lift3d.io.files import atomic_path

MAX_BYTES = 1 << 20


def read_board(path: str | PathLike[str]) -> Board:
    """The board of a ``board.toml``, or of Caliscope's ``charuco.toml``.

    Raises:
        FileFormatError: no such file, not TOML, or a field is missing or impossible.
    """
    try:
        data = Path(path).read_bytes()
        if len(data) > MAX_BYTES:
            raise FileFormatError(path, f"{len(data)} bytes; a board is described in a few lines")
        values = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise FileFormatError(path, f"not valid TOML ({error})") from error
    try:
        return _from_caliscope(values) if "square_size_override_cm" in values else Board.from_dict(values)
    except BoardError as error:
        raise FileFormatError(path, str(error)) from error


def write_board(board: Board, path: str | PathLike[str], overwrite: bool = False) -> None:
    """Write the board's ``board.toml``.

    Raises:
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    # Text, numbers, booleans and lists of numbers are written the same in JSON and TOML.
    lines = [f"{key} = {json.dumps(value)}" for key, value in board.to_dict().items()]
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text("\n".join([f"# {board.describe()}; lengths in metres", *lines, ""]), encoding="utf-8")


def _from_caliscope(values: dict[str, Any]) -> Board:
    """Caliscope's ChArUco board: the square is measured in centimetres, the marker a share of it."""
    missing = [name for name in ("columns", "rows", "aruco_scale") if name not in values]
    if missing:
        raise BoardError(f"the field {missing[0]} of Caliscope's board is missing")
    square, scale = values["square_size_override_cm"], values["aruco_scale"]
    for name, value in (("square_size_override_cm", square), ("aruco_scale", scale)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BoardError(f"{name} must be a number, not {value!r}")
    return Board(
        CHARUCO,
        (values["columns"], values["rows"]),
        square / 100,
        square / 100 * scale,
        values.get("dictionary"),
        values.get("inverted", False),
    )

"""Rig files of several programs, told apart by what is in them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from lift3d.errors import CameraError, FileFormatError, UnknownFormatError
from lift3d.geometry.rigs import Rig
from lift3d.io.rig_qualisys import parse_qualisys
from lift3d.io.rig_toml import parse_toml

MAX_RIG_BYTES = 16 << 20


def read_rig(path: str | PathLike[str], unit: str | None = None) -> Rig:
    """Read a rig file: TOML of aniposelib or Pose2Sim, or Qualisys ``.qca.txt``. The content decides, not the name.

    Args:
        path: the file.
        unit: "m", "cm" or "mm", the unit of a TOML file's translations if the file does not name it; metres without.
            aniposelib counts in the unit that its board was measured in, often millimetres.

    Returns:
        The rig, translations in metres; ``metadata["format"]`` says what the file was taken for.

    Raises:
        UnknownFormatError: the file is none of these.
        FileFormatError: the file is truncated or malformed, or a camera in it is impossible.
    """
    content = _read(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnknownFormatError(path, f"not a text file ({error.reason} at byte {error.start}); {_KNOWN}") from error
    try:
        if text.lstrip().startswith("<"):
            return parse_qualisys(content, path)
        if "matrix" in text and "=" in text:
            return parse_toml(text, path, unit)
    except CameraError as error:
        raise FileFormatError(path, str(error)) from error
    raise UnknownFormatError(path, f"not a rig file that lift3d knows; {_KNOWN}")


_KNOWN = "rigs are read from TOML (aniposelib, Pose2Sim) and Qualisys .qca.txt"


def _read(path: str | PathLike[str]) -> bytes:
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > MAX_RIG_BYTES:
            raise UnknownFormatError(path, f"{size / 2**20:.0f} MiB are no rig file (the limit is 16 MiB)")
        return file.read_bytes()
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error

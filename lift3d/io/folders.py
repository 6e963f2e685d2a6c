"""Folders that hold one JSON a frame."""

from __future__ import annotations

from pathlib import Path

from lift3d.errors import FileFormatError
from lift3d.io.frame_numbers import MAX_FRAMES, frame_numbers, natural_key


def json_files(folder: Path) -> list[Path]:
    """The JSON files of a folder in natural order.

    Raises:
        FileFormatError: the folder cannot be listed or holds over ten million files.
    """
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() == ".json" and not file.name.startswith(".")]
    except OSError as error:
        raise FileFormatError(folder, f"the folder cannot be listed ({error.strerror})") from error
    if len(files) > MAX_FRAMES:
        raise FileFormatError(folder, f"{len(files)} files; the limit is {MAX_FRAMES}")
    return sorted(files, key=lambda file: natural_key(file.name))


def numbered(files: list[Path], folder: Path) -> dict[int, Path]:
    """The files by the frame number in their names; 0, 1, ... in natural order if the names hold none.

    Raises:
        FileFormatError: no files, or frame numbers clash.
    """
    if not files:
        raise FileFormatError(folder, "no .json file in this folder")
    numbers = frame_numbers([file.stem for file in files], folder)
    return dict(zip(range(len(files)) if numbers is None else numbers, files, strict=True))

"""Rig files on the command line: whether a path is one, and the unit that it counts in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# Files of these endings hold nothing but rigs; others are looked into.
RIG_ENDINGS = (".toml", ".txt", ".qca", ".xml", ".yml", ".yaml")

Unit = Annotated[
    str | None,
    typer.Option(
        "--unit",
        metavar="m|cm|mm|METRES",
        help="The unit of a rig file's translations, where it does not say; 0.025 for squares of 25 mm.",
    ),
]


def holds_rig(path: Path, format: str | None) -> bool:
    """Whether the path is a rig file, by its format where the user names one, else by its ending and content."""
    from lift3d.io.rigs import RIG_FORMATS, detect_rig

    if format is not None:
        return format in RIG_FORMATS
    return path.suffix.lower() in RIG_ENDINGS or detect_rig(path) is not None


def parse_unit(text: str | None) -> str | float | None:
    """``mm`` as a name, ``0.025`` as a length in metres; None stays None."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text

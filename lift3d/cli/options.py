"""Options that several commands share, and the values that they are written as."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift3d.errors import CameraError, UnknownFormatError

if TYPE_CHECKING:
    from lift3d.geometry.cameras import Camera

AsJson = Annotated[bool, typer.Option("--json", help="Print a machine-readable summary on stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Format = Annotated[str | None, typer.Option("--format", metavar="NAME", help="The format, where it is not detected.")]
FrameRate = Annotated[
    float | None, typer.Option("--fps", metavar="HZ", help="Frames per second, where the file does not say.")
]
ImageSize = Annotated[
    str | None, typer.Option("--image-size", metavar="WxH", help="Image size in pixels, where the file does not say.")
]
Layout = Annotated[
    str | None, typer.Option("--skeleton", metavar="NAME", help="Joint layout, see 'lift3d info --skeletons'.")
]


def parse_image_size(text: str | None) -> tuple[int, int] | None:
    """``1920x1080`` as (width, height); None stays None."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,5})\s*x\s*([1-9]\d{0,5})", text.strip())
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is not WIDTHxHEIGHT in pixels, such as 1920x1080", param_hint="--image-size"
        )
    return int(match[1]), int(match[2])


def require_new(path: Path, overwrite: bool, endings: Sequence[str] = ()) -> None:
    """Raise what writing to ``path`` would raise before the work is done, and not after it."""
    if endings and path.suffix.lower() not in endings:
        raise UnknownFormatError(path, f"the ending must be one of {', '.join(endings)}")
    from lift3d.io.files import check_output

    check_output(path, overwrite)


def read_camera(text: str) -> Camera:
    """The camera that ``RIG`` or ``RIG:NAME`` names; the name is needed where the rig has more than one."""
    from lift3d.io.rigs import read_rig

    # A name follows a single colon: two of them, as in cameras.h5::S1, belong to the path.
    match = None if Path(text).exists() else re.fullmatch(r"(.*[^:]):([^:]+)", text)
    path, name = match.groups() if match else (text, "")
    rig = read_rig(path)
    if not name and len(rig) > 1:
        raise CameraError(f"{path} has several cameras; say {path}:NAME with one of {', '.join(rig.names)}")
    return rig[name or rig.names[0]]

"""What ``lift3d view`` makes of an ending, and which of its options say something of that."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from lift3d.errors import UnknownFormatError


class Kind(StrEnum):
    """What a motion is shown as; the value is how a message calls it."""

    WINDOW = "a window"
    FRAME = "a picture of one frame (.png)"
    SERIES = "a numbered series (frame-%04d.png)"
    FILM = "a film (.mp4, .gif)"
    MOMENTS = "a picture of several moments (.svg, .pdf, --moments)"
    PAGE = "a web page (.html)"
    RECORDING = "a Rerun recording (.rrd)"
    OVERLAY = "an overlay (--overlay)"


KINDS = {
    ".png": Kind.FRAME,
    ".mp4": Kind.FILM,
    ".gif": Kind.FILM,
    ".html": Kind.PAGE,
    ".rrd": Kind.RECORDING,
    ".svg": Kind.MOMENTS,
    ".pdf": Kind.MOMENTS,
}
DRAWN = (Kind.FRAME, Kind.SERIES, Kind.FILM)
SAVED = tuple(kind for kind in Kind if kind is not Kind.WINDOW)
STAGED = (Kind.WINDOW, *DRAWN)
# Options that are not named here go with everything.
GOES_WITH: dict[str, tuple[Kind, ...]] = {
    "--compare": tuple(kind for kind in Kind if kind is not Kind.OVERLAY),
    "--rig": tuple(kind for kind in Kind if kind is not Kind.MOMENTS),
    "--video": tuple(kind for kind in Kind if kind is not Kind.MOMENTS),
    "--keypoints": (Kind.OVERLAY,),
    "--moments": (Kind.MOMENTS,),
    "--frame": (Kind.FRAME,),
    "--frames": (Kind.SERIES, Kind.FILM, Kind.OVERLAY),
    "--size": DRAWN,
    "--look-from": DRAWN,
    "--move": DRAWN,
    "--speed": (Kind.FILM,),
    "--transparent": DRAWN,
    "--renderer": DRAWN,
    "--errors": STAGED,
    "--sigma": STAGED,
    "--trails": STAGED,
    "--hide": STAGED,
    "--overwrite": SAVED,
    "--json": SAVED,
}
NEEDS = {"--errors": "--compare", "--unit": "--rig"}


def kind_of(save: Path | None, overlay: bool, moments: bool) -> Kind:
    """What the ending and ``--overlay`` and ``--moments`` ask for.

    Raises UnknownFormatError if nothing is saved with this ending.
    """
    if overlay:
        return Kind.OVERLAY
    if save is None:
        return Kind.WINDOW
    ending = save.suffix.lower()
    if ending not in KINDS:
        raise UnknownFormatError(save, f"the ending must be one of {', '.join(KINDS)}")
    if ending == ".png" and moments:
        return Kind.MOMENTS
    return Kind.SERIES if ending == ".png" and is_series(save) else KINDS[ending]


def is_series(path: Path) -> bool:
    """Whether the name stands for a numbered series of files."""
    return re.search(r"%0?\d*d", path.name) is not None


def given_options(context: Any) -> list[str]:
    """The options that the user wrote, each by its long name."""
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if getattr(context.get_parameter_source(parameter.name), "name", "") == "COMMANDLINE"
    ]


def check_options(given: Collection[str], kind: Kind) -> None:
    """Raise BadParameter for an option that says nothing of this kind, or that lacks another."""
    for option in given:
        if kind not in GOES_WITH.get(option, tuple(Kind)):
            fitting = ", ".join(GOES_WITH[option])
            raise typer.BadParameter(f"{option} says nothing of {kind}; it goes with {fitting}")
        if option in NEEDS and NEEDS[option] not in given:
            raise typer.BadParameter(f"{option} needs {NEEDS[option]}")
    if kind is Kind.OVERLAY and not {"--video", "--save"} <= set(given):
        raise typer.BadParameter("an overlay needs --video CAM=FILE to draw on and --save FILE.mp4")

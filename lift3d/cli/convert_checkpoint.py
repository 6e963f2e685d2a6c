"""``lift3d convert-checkpoint``: a checkpoint of VideoPose3D as safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lift3d.cli.console import report, to_text
from lift3d.cli.options import AsJson, Overwrite


def convert_checkpoint(
    source: Annotated[Path, typer.Argument(help="A checkpoint of VideoPose3D, .bin.")],
    target: Annotated[Path, typer.Argument(help="The result, .safetensors.")],
    skeleton: Annotated[
        str, typer.Option("--skeleton", metavar="NAME", help="The layout of the 2D joints that it was trained on.")
    ] = "coco17",
    causal: Annotated[bool, typer.Option("--causal", help="It was trained with --causal.")] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Turn VideoPose3D weights into safetensors."""
    from lift3d.models import convert_videopose3d

    summary = convert_videopose3d(source, target, skeleton=skeleton, causal=causal, overwrite=overwrite)
    text = f"{target}: converted\n{to_text(summary, '  ')}"
    report(summary, text, as_json)

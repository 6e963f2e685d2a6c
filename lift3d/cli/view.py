"""``lift3d view``: a picture or a web page of a motion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lift3d.cli.console import report
from lift3d.cli.inputs import read_motion
from lift3d.cli.options import AsJson, Overwrite, require_new


def view(
    file: Annotated[Path, typer.Argument(help="A file of 3D poses or 2D keypoints.")],
    save: Annotated[Path, typer.Option("--save", "-o", help="The picture (.png) or web page (.html) to write.")],
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="TRUTH", help="3D poses to draw beside it.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw a motion as a picture or web page."""
    require_new(save, overwrite)
    motion = read_motion(file)
    truth = None
    if compare is not None:
        from lift3d.io.poses3d import read_poses

        truth = read_poses(compare)

    from lift3d.viz import save_view

    save_view(motion, save, overwrite=overwrite, truth=truth)
    report({"input": file, "output": save, "frames": motion.frames}, f"{save}: written", as_json)

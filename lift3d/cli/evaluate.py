"""``lift3d evaluate``: how far predicted poses are from the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lift3d.cli.console import report, to_json
from lift3d.cli.options import AsJson, Overwrite, read_camera, require_new


def evaluate(
    prediction: Annotated[Path, typer.Argument(help="The predicted 3D poses.")],
    truth: Annotated[Path, typer.Argument(help="The 3D poses to compare with.")],
    camera: Annotated[
        str | None,
        typer.Option("--camera", metavar="RIG:NAME", help="The camera that saw it, where the truth is in world space."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", help="Write the report here, .json or .md.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare 3D poses with the truth."""
    if output is not None:
        require_new(output, overwrite, (".json", ".md"))

    from lift3d.evaluation.compare import evaluate as compare
    from lift3d.io.files import atomic_path
    from lift3d.io.poses3d import read_poses

    result = compare(read_poses(prediction), read_poses(truth), read_camera(camera) if camera else None)
    if output is not None:
        text = to_json(result.to_dict()) if output.suffix.lower() == ".json" else result.describe()
        with atomic_path(output, overwrite) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    report(result.to_dict(), result.describe(), as_json)

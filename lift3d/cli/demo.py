"""``lift3d demo``: lift the recorded clip that ships with lift3d."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lift3d.cli.console import report
from lift3d.cli.lift import lift_with_progress, to_text
from lift3d.cli.options import AsJson, Overwrite, require_new


def demo(
    output: Annotated[Path, typer.Option("-o", metavar="FOLDER", help="The folder for the results.")] = Path(
        "demo_output"
    ),
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Lift the recorded clip of lift3d."""
    output.mkdir(parents=True, exist_ok=True)
    poses_file, picture, page = (output / name for name in ("balancing.h5", "balancing.png", "balancing.html"))
    for path in (poses_file, picture, page):
        require_new(path, overwrite)

    from lift3d.demo import CLIP
    from lift3d.io.keypoints import read_keypoints
    from lift3d.io.poses3d import write_poses
    from lift3d.lifting import describe
    from lift3d.viz import save_view

    keypoints = read_keypoints(CLIP)
    poses = lift_with_progress(keypoints)
    summary = describe(poses)
    write_poses(poses, poses_file, overwrite)
    save_view(poses, picture, overwrite=overwrite)
    save_view(poses, page, overwrite=overwrite)
    text = (
        f"A person keeping balance, recorded with one camera and OpenPose ({keypoints.skeleton.title}).\n"
        f"{to_text(summary)}\n"
        f"{poses_file}: the 3D poses in metres\n{picture}: a picture\n{page}: open it in a browser to play the motion"
    )
    report({"input": CLIP, "output": [poses_file, picture, page], **summary}, text, as_json)

"""``lift3d convert``: one file of 2D keypoints or 3D poses into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lift3d.cli.console import counted, report
from lift3d.cli.inputs import read_motion
from lift3d.cli.options import AsJson, Format, FrameRate, ImageSize, Layout, Overwrite, parse_image_size, require_new


def convert(
    source: Annotated[Path, typer.Argument(help="A file or folder of 2D keypoints, or a file of 3D poses.")],
    target: Annotated[Path, typer.Argument(help="The result; its ending is the format.")],
    to_skeleton: Annotated[
        str | None, typer.Option("--to-skeleton", metavar="NAME", help="Joint layout of the result.")
    ] = None,
    skeleton: Layout = None,
    fps: FrameRate = None,
    image_size: ImageSize = None,
    format: Format = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Turn one motion file into another."""
    require_new(target, overwrite)
    motion = read_motion(source, format=format, fps=fps, image_size=parse_image_size(image_size), skeleton=skeleton)
    lines = []
    summary: dict[str, Any] = {"input": source}
    if to_skeleton is not None:
        motion, change = motion.convert(to_skeleton)
        lines.append(change.describe())
        summary |= {"measured": change.measured, "estimated": change.estimated, "missing": change.missing}

    from lift3d.poses import Keypoints2D

    if isinstance(motion, Keypoints2D):
        from lift3d.io.keypoint_writers import write_keypoints

        write_keypoints(motion, target, overwrite)
        written = [target]
    else:
        from lift3d.io.poses3d import write_poses

        written = write_poses(motion, target, overwrite)
    layout = motion.skeleton.name
    summary |= {
        "output": written,
        "frames": motion.frames,
        "fps": motion.fps,
        "people": motion.people,
        "skeleton": layout,
    }
    content = f"{counted(motion.frames, 'frame')}, {counted(motion.people, 'person', 'people')}, {layout}"
    lines += [f"{path}: {content}" for path in written]
    report(summary, "\n".join(lines), as_json)

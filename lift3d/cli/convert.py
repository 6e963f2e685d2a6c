"""``lift3d convert``: one file of 2D keypoints or 3D poses into another, or one rig file into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lift3d.cli.clean_options import (
    Cleaning,
    FillGaps,
    Filter,
    FootLock,
    Frames,
    InPlace,
    LoopFrames,
    MarkerNames,
    People,
    choose,
)
from lift3d.cli.console import counted, report
from lift3d.cli.inputs import read_motion
from lift3d.cli.options import AsJson, Format, FrameRate, ImageSize, Layout, Overwrite, parse_image_size, require_new
from lift3d.cli.rig_options import Unit, holds_rig, parse_unit


def convert(
    source: Annotated[Path, typer.Argument(help="2D keypoints (a file or folder), 3D poses or a rig.")],
    target: Annotated[Path, typer.Argument(help="The result; its ending is the format.")],
    to_skeleton: Annotated[
        str | None, typer.Option("--to-skeleton", metavar="NAME", help="Joint layout of the result.")
    ] = None,
    skeleton: Layout = None,
    fps: FrameRate = None,
    image_size: ImageSize = None,
    format: Format = None,
    frames: Frames = None,
    people: People = None,
    fill_gaps: FillGaps = None,
    filter: Filter = None,
    foot_lock: FootLock = False,
    in_place: InPlace = False,
    loop: LoopFrames = None,
    marker_names: MarkerNames = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="NAME", help="A rig's new format, where its ending leaves it open.")
    ] = None,
    unit: Unit = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Turn one motion file or rig file into another."""
    cleaning = Cleaning(filter, fill_gaps, foot_lock, in_place, loop)
    of_motion = {"--to-skeleton": to_skeleton, "--skeleton": skeleton, "--fps": fps, "--image-size": image_size}
    of_motion |= {"--frames": frames, "--people": people, "--marker-names": marker_names}
    of_motion |= dict.fromkeys(cleaning.given, True)
    rig = holds_rig(source, format)
    foreign = of_motion if rig else {"--to": to, "--unit": unit}
    if given := [name for name, value in foreign.items() if value is not None]:
        raise typer.BadParameter(f"{source} holds {'a rig' if rig else 'no rig'}, of which {given[0]} says nothing")
    if rig:
        _convert_rig(source, target, format, to, parse_unit(unit), overwrite, as_json)
        return
    require_new(target, overwrite)
    from lift3d.poses import Poses3D

    motion = read_motion(source, format=format, fps=fps, image_size=parse_image_size(image_size), skeleton=skeleton)
    motion = choose(motion, frames, people)
    lines = []
    summary: dict[str, Any] = {"input": source}
    of_poses = cleaning.given + (["--marker-names"] if marker_names is not None else [])
    if isinstance(motion, Poses3D):
        motion, steps = cleaning.apply(motion) if cleaning.given else (motion, [])
        lines += steps
        summary |= {"steps": steps}
    elif of_poses:
        raise typer.BadParameter(f"{source} holds 2D keypoints, and {of_poses[0]} needs 3D poses; lift them first")
    if to_skeleton is not None:
        motion, change = motion.convert(to_skeleton)
        lines.append(change.describe())
        summary |= {"measured": change.measured, "estimated": change.estimated, "missing": change.missing}
    if isinstance(motion, Poses3D):
        from lift3d.io.marker_names import rename_markers
        from lift3d.io.poses3d import write_poses

        if marker_names is not None:
            motion = rename_markers(motion, marker_names)
        notes: list[str] = []
        written = write_poses(motion, target, overwrite, notes.append)
        lines += notes
        summary |= {"notes": notes}
    else:
        from lift3d.io.keypoint_writers import write_keypoints

        write_keypoints(motion, target, overwrite)
        written = [target]
    layout = motion.skeleton.name
    summary |= {
        "output": written,
        "frames": motion.frames,
        "fps": motion.fps,
        "people": motion.people,
        "skeleton": layout,
    }
    shown = 1 if len(written) > 1 else motion.people  # several files hold one person each
    content = f"{counted(motion.frames, 'frame')}, {counted(shown, 'person', 'people')}, {layout}"
    lines += [f"{path}: {content}" for path in written]
    report(summary, "\n".join(lines), as_json)


def _convert_rig(
    source: Path,
    target: Path,
    format: str | None,
    to: str | None,
    unit: str | float | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    from lift3d.io.rigs import read_rig, write_rig

    rig = read_rig(source, format, unit)
    written = write_rig(rig, target, to, overwrite)
    summary = {"input": source, "output": written, "cameras": rig.names, "format": rig.metadata["format"]}
    content = f"{counted(len(rig), 'camera')} ({', '.join(rig.names[:8])}{', ...' if len(rig) > 8 else ''})"
    report(summary, "\n".join(f"{path}: {content}" for path in written), as_json)

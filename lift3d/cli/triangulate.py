"""``lift3d triangulate``: 2D keypoints of several calibrated cameras to 3D poses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lift3d.cli.console import counted, progress_bar, report
from lift3d.cli.named_paths import camera_paths
from lift3d.cli.options import (
    AsJson,
    Format,
    FrameRate,
    ImageSize,
    Layout,
    Overwrite,
    parse_image_size,
    require_new,
)
from lift3d.cli.rig_options import Unit, parse_unit


def triangulate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="CAMERA...", help="2D keypoints: NAME=PATH for each camera, or paths in the rig's order."
        ),
    ],
    rig_file: Annotated[str, typer.Option("--rig", metavar="FILE", help="The calibrated cameras.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The 3D poses; the ending is the format.")],
    robust: Annotated[
        bool, typer.Option("--robust/--plain", help="Leave out cameras that contradict the others, joint by joint.")
    ] = True,
    swaps: Annotated[
        bool, typer.Option("--swaps/--no-swaps", help="Set right where a detector exchanged left and right.")
    ] = True,
    one_person: Annotated[
        bool | None,
        typer.Option(
            "--one-person/--by-track",
            help="Take the one person that all cameras agree on, or match people by track id. Default: found out.",
        ),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option("--min-confidence", metavar="0..1", min=0, max=1, help="Use no keypoints below this.")
    ] = 0.0,
    refine: Annotated[
        bool,
        typer.Option(
            "--refine", help="Solve the whole clip at once: smooth motion, constant bones, short gaps filled."
        ),
    ] = False,
    free_bones: Annotated[
        bool, typer.Option("--free-bones", help="With --refine: let bones change their length.")
    ] = False,
    bone_lengths: Annotated[
        str | None,
        typer.Option(
            "--bone-lengths", metavar="JOINT=M,...", help="With --refine: bones measured in metres, by joint."
        ),
    ] = None,
    gaps: Annotated[
        float | None, typer.Option("--fill-gaps", metavar="S", min=0, help="Fill gaps of up to so many seconds.")
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Let the monocular lifter fill in joints that too few cameras see.")
    ] = False,
    smooth: Annotated[
        str | None,
        typer.Option(
            "--filter", metavar="NAME[:VALUE]", help="butterworth:6 (Hz), savitzky_golay, one_euro, kalman, ..."
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="PNG|HTML", help="Draw the result as well.")
    ] = None,
    unit: Unit = None,
    fps: FrameRate = None,
    image_size: ImageSize = None,
    skeleton: Layout = None,
    format: Format = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Triangulate the 2D keypoints of several cameras to 3D poses in metres."""
    from lift3d.io.keypoints import read_keypoints
    from lift3d.io.poses3d import WRITE_ENDINGS, write_poses
    from lift3d.io.rigs import read_rig
    from lift3d.motion.filters import filter_poses, parse_filter
    from lift3d.viz.view import PAGES, PICTURES, save_view

    require_new(output, overwrite, WRITE_ENDINGS)
    if picture is not None:
        require_new(picture, overwrite, PICTURES + PAGES)
    if (free_bones or bone_lengths) and not refine:
        raise typer.BadParameter("--free-bones and --bone-lengths say how to --refine; add it")
    lengths = _bone_lengths(bone_lengths)
    chosen_filter = None if smooth is None else parse_filter(smooth)
    rig = read_rig(rig_file, unit=parse_unit(unit))
    paths = camera_paths(sources, rig)
    size = parse_image_size(image_size)
    keypoints = {
        name: read_keypoints(path, format=format, fps=fps, image_size=size, skeleton=skeleton)
        for name, path in paths.items()
    }

    from lift3d.multiview.gather import gather_views
    from lift3d.multiview.triangulate import describe, prepare_views, triangulate_views

    views = gather_views(keypoints, rig, one_person)
    views = prepare_views(views, undo_swaps=swaps, min_confidence=min_confidence)
    with progress_bar("Triangulating") as progress:
        poses = triangulate_views(views, robust=robust, progress=progress)
    if refine:
        from lift3d.multiview.refinement import refine as refine_poses

        with progress_bar("Refining") as progress:
            poses = refine_poses(
                poses, views.keypoints, views.rig, bone_lengths=lengths, rigid=not free_bones, progress=progress
            )
    if gaps is not None:
        from lift3d.motion.gaps import fill_gaps

        poses = fill_gaps(poses, gaps)
    if complete:
        from lift3d.multiview.completion import complete as complete_poses

        with progress_bar("Completing") as progress:
            poses = complete_poses(poses, views.keypoints, views.rig, progress=progress)
    if chosen_filter is not None:
        method, parameters = chosen_filter
        poses = filter_poses(poses, method, **parameters)
    summary = describe(poses, views)
    notes: list[str] = []
    written = write_poses(poses, output, overwrite, notes.append)
    if picture is not None:
        save_view(poses, picture, overwrite=overwrite)
        written.append(picture)
    text = "\n".join([to_text(summary), *notes, *(f"{path}: written" for path in written)])
    report({"inputs": paths, "rig": rig_file, "output": written, **summary}, text, as_json)


def _bone_lengths(text: str | None) -> dict[str, float] | None:
    """``left_knee=0.41,right_knee=0.41`` as metres by joint; None stays None."""
    if text is None:
        return None
    try:
        pairs = [item.split("=") for item in text.split(",")]
        return {joint.strip(): float(metres) for joint, metres in pairs}
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not JOINT=METRES,..., such as left_knee=0.41,right_knee=0.41", param_hint="--bone-lengths"
        ) from None


def to_text(summary: dict[str, Any]) -> str:
    """What was triangulated, from ``lift3d.multiview.triangulate.describe``, in a few lines."""
    rate = f" at {summary['fps']:g} fps" if summary["fps"] else ""
    lines = [
        f"triangulated {counted(summary['frames'], 'frame')}{rate}, {counted(summary['people'], 'person', 'people')}, "
        f"{counted(len(summary['cameras']), 'camera')}"
    ]
    lines += [f"  {note}" for note in summary["notes"]]
    errors = summary["median_reprojection_error_pixels"]
    lines.append(
        "  median reprojection error: "
        + ", ".join(f"{name} {'nothing' if error is None else f'{error:.1f} px'}" for name, error in errors.items())
    )
    if summary["keypoints_rejected"]:
        lines.append(
            f"  {summary['keypoints_rejected']:.1%} of the keypoints contradict the other cameras and were left out"
        )
    if missing := summary["joints_missing"]:
        lines.append(f"  {missing} of {missing + summary['joints']} joints are missing: no two cameras see them well")
    if (sigma := summary["mean_sigma_metres"]) is not None:
        lines.append(f"  mean standard deviation {1000 * sigma:.1f} mm along an axis")
    return "\n".join(lines)

"""``lift3d view``: a motion in a window, as frames, a film, a web page, a Rerun recording, or drawn on the videos."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift3d.cli.clean_options import frames_within
from lift3d.cli.console import counted, progress_bar, report, say
from lift3d.cli.inputs import open_motion
from lift3d.cli.named_paths import camera_paths, named_paths
from lift3d.cli.options import AsJson, Overwrite, parse_image_size, require_new
from lift3d.cli.rig_options import Unit, parse_unit
from lift3d.cli.view_options import DRAWN, STAGED, Kind, check_options, given_options, kind_of
from lift3d.errors import Lift3DError

if TYPE_CHECKING:
    from lift3d.geometry.rigs import Rig
    from lift3d.io.stored_poses import Clip
    from lift3d.io.videos import VideoFile
    from lift3d.poses import Keypoints2D
    from lift3d.viz.look import Look
    from lift3d.viz.stage import Stage


@dataclass(frozen=True)
class _Shown:
    """What is shown: the clip and all that stands beside it. Videos to draw on are not opened."""

    motion: Clip | Keypoints2D
    truth: Clip | None
    rig: Rig | None
    video_paths: Mapping[str, str]
    videos: Mapping[str, VideoFile]


def view(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file of 3D poses or 2D keypoints.")],
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", "-o", metavar="FILE", help=".png, .mp4, .gif, .html, .rrd, .svg or .pdf; default: a window."
        ),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="TRUTH", help="3D poses to draw beside it.")
    ] = None,
    rig_file: Annotated[
        str | None, typer.Option("--rig", metavar="FILE", help="Calibrated cameras to draw around the people.")
    ] = None,
    videos: Annotated[
        list[str] | None, typer.Option("--video", metavar="CAM=FILE", help="A camera's video; once for each.")
    ] = None,
    keypoints: Annotated[
        list[str] | None,
        typer.Option("--keypoints", metavar="CAM=PATH", help="With --overlay: 2D keypoints to draw as well."),
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Draw the motion on the videos; several give FILE_CAM.mp4 each.")
    ] = False,
    moments: Annotated[
        bool, typer.Option("--moments", help="A .png of several moments in place of one frame.")
    ] = False,
    frame: Annotated[
        int | None, typer.Option("--frame", metavar="N", min=0, help="The frame of a .png; default: the middle one.")
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", metavar="A-B", help="The frames of a film, a series or an overlay.")
    ] = None,
    size: Annotated[str, typer.Option("--size", metavar="WxH", help="Of frames, in pixels.")] = "1280x720",
    look_from: Annotated[
        str | None,
        typer.Option("--look-from", metavar="NAME", help="front, side, top, overview or a camera's name."),
    ] = None,
    move: Annotated[
        str | None, typer.Option("--move", metavar="orbit|follow", help="Turn about the people, or go with them.")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", metavar="X", help="Of a film; 0.5 is half speed.")] = 1.0,
    transparent: Annotated[bool, typer.Option("--transparent", help="No background, in .png and .gif.")] = False,
    errors: Annotated[
        bool, typer.Option("--errors", help="With --compare: colours say how far joints are from truth.")
    ] = False,
    sigma: Annotated[
        float, typer.Option("--sigma", metavar="N", min=0, help="Error bars of so many standard deviations.")
    ] = 0.0,
    trails: Annotated[
        float, typer.Option("--trails", metavar="S", min=0, help="Paths of the last so many seconds.")
    ] = 0.0,
    hide: Annotated[
        str | None,
        typer.Option("--hide", metavar="PART,...", help="face, hands, feet, legs, arms, head, trunk, left, right."),
    ] = None,
    renderer: Annotated[
        str | None, typer.Option("--renderer", metavar="NAME", help="open3d or matplotlib; default: what works here.")
    ] = None,
    unit: Unit = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Look at a motion: in a window, or saved as picture, film, web page, Rerun recording or overlay."""
    given = given_options(context)
    kind = kind_of(save, overlay, moments)
    check_options(given, kind)
    if save is not None and kind is not Kind.OVERLAY:
        require_new(save, overwrite)
    dimensions = parse_image_size(size) or (0, 0)

    from lift3d.poses import Keypoints2D
    from lift3d.viz.look import Look

    parts = frozenset(part.strip() for part in (hide or "").split(",") if part.strip())
    look = Look(errors=errors, ellipsoids=sigma, trails=trails, hidden_parts=parts)
    with ExitStack() as stack:
        shown = _open(stack, file, compare, rig_file, parse_unit(unit), videos or [], kind)
        motion = shown.motion
        if isinstance(motion, Keypoints2D):
            if kind is Kind.FRAME:
                kind = Kind.MOMENTS
                check_options(given, kind)
            if kind in STAGED:
                raise Lift3DError(
                    f"{file} holds 2D keypoints, which are shown as a picture (.png), a page (.html), a recording "
                    "(.rrd) or an overlay (--overlay): name one with --save, or lift them for 3D"
                )
        elif sigma and not (motion.has("sigma") or motion.has("covariance")):
            raise Lift3DError(f"{file} says nothing of how sure its joints are, which --sigma would draw")
        chosen = slice(None) if frames is None else frames_within(frames, motion.frames)
        summary: dict[str, Any] = {"input": file, "output": save, "frames": motion.frames}
        if save is None:
            _show(shown, look, file.name)
            return
        if kind is Kind.OVERLAY:
            lines = _save_overlays(shown, save, keypoints or [], chosen, overwrite, summary)
        elif kind in DRAWN:
            from lift3d.viz.render import save_frames

            stage = _stage(shown, look)
            # Of a single camera without its video there is nothing to see that is worth a smaller person.
            first = look_from or ("overview" if len(stage.cameras) > 1 or shown.videos else "front")
            notes: list[str] = []

            def note(reason: str) -> None:
                notes.append(f"drawn by matplotlib: {reason}")
                say(notes[-1])

            with progress_bar("Drawing") as progress:
                name = save_frames(
                    stage, save, size=dimensions, viewpoint=first, path_of_camera=move,
                    background="transparent" if transparent else "white", frames=chosen, frame=frame, speed=speed,
                    overwrite=overwrite, progress=progress, renderer=renderer, tell=note,
                )  # fmt: skip
            summary |= {"renderer": name.lower(), "notes": notes}
            lines = [f"{save}: written, drawn by {name}"]
        else:
            from lift3d.viz.view import save_view

            with progress_bar("Writing") as progress:
                save_view(motion, save, overwrite, shown.truth, shown.rig, shown.videos, progress)
            lines = [f"{save}: written"]
        report(summary, "\n".join(lines), as_json)


def _open(
    stack: ExitStack,
    file: Path,
    compare: Path | None,
    rig_file: str | None,
    unit: str | float | None,
    videos: list[str],
    kind: Kind,
) -> _Shown:
    from lift3d.io.rigs import read_rig
    from lift3d.io.stored_poses import open_poses

    motion = stack.enter_context(open_motion(file))
    truth: Clip | None = None
    if compare is not None:
        truth = open_poses(compare)
        stack.enter_context(truth)
    rig = None if rig_file is None else read_rig(rig_file, unit=unit)
    paths = _by_camera(videos, rig)
    opened: dict[str, VideoFile] = {}
    if paths and kind is not Kind.OVERLAY:
        from lift3d.io.videos import VideoFile

        opened = {name: stack.enter_context(VideoFile(path)) for name, path in paths.items()}
    return _Shown(motion, truth, rig, paths, opened)


def _by_camera(items: list[str], rig: Rig | None) -> dict[str, str]:
    return named_paths(items) if rig is None else camera_paths(items, rig)


def _stage(shown: _Shown, look: Look) -> Stage:
    from lift3d.poses import Keypoints2D
    from lift3d.viz.stage import Stage

    assert not isinstance(shown.motion, Keypoints2D)
    return Stage(shown.motion, shown.truth, shown.rig, shown.videos, look)


def _show(shown: _Shown, look: Look, name: str) -> None:
    from lift3d.viz.window import open_window

    open_window(_stage(shown, look), name)


def _save_overlays(
    shown: _Shown, save: Path, keypoints: list[str], frames: slice, overwrite: bool, summary: dict[str, Any]
) -> list[str]:
    """Save the overlays, add to the summary, and return the lines to print."""
    from lift3d.io.keypoints import read_keypoints
    from lift3d.poses import Keypoints2D
    from lift3d.viz.overlay import save_overlays

    flat = {name: read_keypoints(path) for name, path in _by_camera(keypoints, shown.rig).items()}
    poses = None
    if isinstance(shown.motion, Keypoints2D):
        if len(shown.video_paths) != 1 or flat:
            raise Lift3DError("2D keypoints are those of one camera: give its --video alone, and no --keypoints")
        flat = dict.fromkeys(shown.video_paths, shown.motion)
    else:
        poses = shown.motion
    with progress_bar("Drawing") as progress:
        written = save_overlays(
            save, shown.video_paths, poses, shown.rig, flat, overwrite=overwrite, progress=progress, frames=frames
        )
    summary |= {"output": [item.path for item in written.values()], "overlays": {}}
    lines = []
    for name, item in written.items():
        error = item.reprojection_error
        summary["overlays"][name] = {
            "output": item.path,
            "frames": item.frames,
            "reprojection_error_pixels": error,
            "notes": item.notes,
        }
        words = "" if error is None else f", median reprojection error {error:.1f} px"
        lines += [f"{item.path}: {counted(item.frames, 'frame')}{words}", *(f"  {name}: {n}" for n in item.notes)]
    return lines

"""``lift3d view``: a motion in a window, as frames, a film, a web page, a Rerun recording, or drawn on the videos."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift3d.cli.clean_options import parse_frames
from lift3d.cli.console import progress_bar, report, say
from lift3d.cli.inputs import open_motion
from lift3d.cli.named_paths import camera_paths, named_paths
from lift3d.cli.options import AsJson, Overwrite, parse_image_size, require_new
from lift3d.cli.rig_options import Unit, parse_unit
from lift3d.errors import Lift3DError

if TYPE_CHECKING:
    from lift3d.geometry.rigs import Rig
    from lift3d.io.stored_poses import Clip
    from lift3d.io.videos import VideoFile
    from lift3d.poses import Keypoints2D
    from lift3d.viz.look import Look

FRAMES = (".png", ".mp4", ".gif")


@dataclass(frozen=True)
class _Shown:
    """What is shown: the clip and all that stands beside it."""

    motion: Clip | Keypoints2D
    truth: Clip | None
    rig: Rig | None
    video_paths: Mapping[str, str]
    videos: Mapping[str, VideoFile]


def view(
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
    frame: Annotated[int | None, typer.Option("--frame", metavar="N", min=0, help="The frame of a .png.")] = None,
    frames: Annotated[str | None, typer.Option("--frames", metavar="A-B", help="The frames of a film.")] = None,
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
        str | None, typer.Option("--hide", metavar="PART,...", help="face, hands, feet, legs, arms, head, trunk.")
    ] = None,
    renderer: Annotated[
        str | None, typer.Option("--renderer", metavar="NAME", help="open3d or matplotlib; default: what works here.")
    ] = None,
    unit: Unit = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Look at a motion: in a window, or saved as picture, film, web page, Rerun recording or overlay."""
    from lift3d.viz.look import Look
    from lift3d.viz.view import PAGES, PICTURES, RECORDINGS

    known = tuple(dict.fromkeys((*FRAMES, *PAGES, *RECORDINGS, *PICTURES)))
    if save is not None and not overlay and "%" not in save.name:
        require_new(save, overwrite, known)
    if overlay and (save is None or not videos):
        raise typer.BadParameter("an overlay needs --video CAM=FILE to draw on and --save FILE.mp4")
    look = Look(
        errors=errors, ellipsoids=sigma, trails=trails, hidden_parts=frozenset(filter(None, (hide or "").split(",")))
    )
    with ExitStack() as stack:
        shown = _open(stack, file, compare, rig_file, parse_unit(unit), videos or [], overlay)
        summary: dict[str, Any] = {"input": file, "output": save, "frames": shown.motion.frames}
        chosen = slice(None) if frames is None else parse_frames(frames)
        if save is None:
            _window(shown, look, file.name)
        elif overlay:
            lines = _overlay(shown, save, keypoints or [], chosen, overwrite, summary)
            report(summary, "\n".join(lines), as_json)
        elif save.suffix.lower() in (*PAGES, *RECORDINGS) or _as_moments(shown, save, moments):
            from lift3d.viz.view import save_view

            save_view(shown.motion, save, overwrite, shown.truth, shown.rig, shown.videos)
            report(summary, f"{save}: written", as_json)
        else:
            from lift3d.viz.render import save_frames

            stage = _stage(shown, look)
            dimensions = parse_image_size(size) or (1280, 720)
            painter, why = _painter(dimensions, transparent, renderer)
            if why:
                say(f"drawn by matplotlib: {why}")
            first = look_from or ("overview" if "overview" in stage.viewpoints else "front")
            with progress_bar("Drawing") as progress:
                name = save_frames(
                    stage, save, size=dimensions, viewpoint=first, path_of_camera=move,
                    background="transparent" if transparent else "white", frames=chosen, frame=frame, speed=speed,
                    overwrite=overwrite, progress=progress, renderer=painter,
                )  # fmt: skip
            report({**summary, "renderer": name, "why": why or None}, f"{save}: written, drawn by {name}", as_json)


def _painter(size: tuple[int, int], transparent: bool, name: str | None) -> tuple[Any, str]:
    from lift3d.viz.render import make_renderer

    return make_renderer(size, transparent, name)


def _open(
    stack: ExitStack,
    file: Path,
    compare: Path | None,
    rig_file: str | None,
    unit: str | float | None,
    videos: list[str],
    overlay: bool,
) -> _Shown:
    from lift3d.io.rigs import read_rig
    from lift3d.io.stored_poses import open_poses

    motion = stack.enter_context(open_motion(file))
    truth = None
    if compare is not None:
        truth = stack.enter_context(open_poses(compare))
    rig = None if rig_file is None else read_rig(rig_file, unit=unit)
    paths = named_paths(videos) if rig is None else camera_paths(videos, rig)
    opened: dict[str, VideoFile] = {}
    if paths and not overlay:
        from lift3d.io.videos import VideoFile

        opened = {name: stack.enter_context(VideoFile(path)) for name, path in paths.items()}
    return _Shown(motion, truth, rig, paths, opened)


def _as_moments(shown: _Shown, save: Path, moments: bool) -> bool:
    from lift3d.poses import Keypoints2D

    return (
        moments
        or save.suffix.lower() not in FRAMES
        or (isinstance(shown.motion, Keypoints2D) and save.suffix.lower() == ".png")
    )


def _stage(shown: _Shown, look: Look) -> Any:
    from lift3d.poses import Keypoints2D
    from lift3d.viz.stage import Stage

    if isinstance(shown.motion, Keypoints2D):
        raise Lift3DError("2D keypoints are shown as a picture (.png), a page (.html) or an overlay; lift them for 3D")
    return Stage(shown.motion, shown.truth, shown.rig, shown.videos, look)


def _window(shown: _Shown, look: Look, name: str) -> None:
    from lift3d.viz.window import open_window, require_window

    require_window()
    open_window(_stage(shown, look), name)


def _overlay(
    shown: _Shown, save: Path, keypoints: list[str], frames: slice, overwrite: bool, summary: dict[str, Any]
) -> list[str]:
    from lift3d.io.keypoints import read_keypoints
    from lift3d.poses import Keypoints2D
    from lift3d.viz.overlay import save_overlays

    named = {name: read_keypoints(path) for name, path in _cameras(keypoints, shown.rig).items()}
    poses = None
    if isinstance(shown.motion, Keypoints2D):
        if len(shown.video_paths) != 1:
            raise Lift3DError("2D keypoints are of one camera: give one --video, or the others by --keypoints CAM=PATH")
        named.setdefault(next(iter(shown.video_paths)), shown.motion)
    else:
        poses = shown.motion
    with progress_bar("Drawing") as progress:
        written = save_overlays(
            save, shown.video_paths, poses, shown.rig, named, overwrite=overwrite, progress=progress,
            frames=None if frames == slice(None) else frames,
        )  # fmt: skip
    summary["output"] = [item.path for item in written.values()]
    summary["reprojection_error"] = {name: item.reprojection_error for name, item in written.items()}
    lines = []
    for name, item in written.items():
        error = (
            "" if item.reprojection_error is None else f", median reprojection error {item.reprojection_error:.1f} px"
        )
        lines += [f"{item.path}: {item.frames} frames{error}", *(f"  {name}: {note}" for note in item.notes)]
    return lines


def _cameras(items: list[str], rig: Rig | None) -> dict[str, str]:
    return named_paths(items) if rig is None else camera_paths(items, rig)

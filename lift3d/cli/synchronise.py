"""``lift3d synchronise``: when cameras that were started by hand started, and their keypoints at the same moments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift3d.cli.console import counted, progress_bar, report
from lift3d.cli.named_paths import camera_paths, named_paths
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

if TYPE_CHECKING:
    from lift3d.multiview.clocks import Synchronisation
    from lift3d.poses import Keypoints2D

TIMINGS = "offsets.json"
# A video's rate and its keypoints' that differ by less are one rate, rounded.
SAME_RATE = 0.01


def synchronise(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="CAMERA...", help="2D keypoints: NAME=PATH for each camera, or paths in the rig's order."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help=f"Write NAME.h5 at common moments and {TIMINGS} into it."
        ),
    ] = None,
    rig_file: Annotated[
        str | None, typer.Option("--rig", metavar="FILE", help="The calibrated cameras; more exact with them.")
    ] = None,
    audio: Annotated[
        list[str] | None,
        typer.Option("--audio", metavar="[NAME=]VIDEO", help="By sound instead: the video of each camera, in turn."),
    ] = None,
    drift: Annotated[
        bool, typer.Option("--drift/--no-drift", help="Clocks may run at different rates; for clips of minutes.")
    ] = False,
    max_offset: Annotated[
        float | None,
        typer.Option("--max-offset", metavar="S", help="Seconds apart at most. Default: 5, by sound 60."),
    ] = None,
    unit: Unit = None,
    fps: FrameRate = None,
    image_size: ImageSize = None,
    skeleton: Layout = None,
    format: Format = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find when each camera started, from motion or sound, and bring keypoints to the same moments."""
    if audio and rig_file is not None:
        raise typer.BadParameter("--rig is for synchronising by motion, --audio by sound; give one of them")

    from lift3d.io.keypoints import read_keypoints
    from lift3d.io.rigs import read_rig

    rig = None if rig_file is None else read_rig(rig_file, unit=parse_unit(unit))
    paths = named_paths(sources) if rig is None else camera_paths(sources, rig)
    if output is not None:
        _require_room(output, list(paths), overwrite)
    size = parse_image_size(image_size)
    keypoints = {
        name: read_keypoints(path, format=format, fps=fps, image_size=size, skeleton=skeleton)
        for name, path in paths.items()
    }
    limit = {} if max_offset is None else {"max_offset": max_offset}
    with progress_bar("Synchronising") as progress:
        if audio:
            from lift3d.multiview.sync_audio import find_audio_offsets

            found = find_audio_offsets(_videos(audio, list(paths)), drift=drift, progress=progress, **limit)
            keypoints = _at_rates_of(found, keypoints)
        else:
            from lift3d.multiview.synchronisation import find_offsets

            found = find_offsets(keypoints, rig, drift=drift, progress=progress, **limit)
    summary = found.to_dict()
    lines = [to_text(found)]
    written: list[Path] = []
    if output is not None:
        written, frames = _write(keypoints, found, output, overwrite)
        lines += [f"{path}: {counted(frames, 'frame')}" for path in written[:-1]] + [f"{written[-1]}: written"]
        summary["frames"] = frames
    report({"inputs": paths, "rig": rig_file, "output": written, **summary}, "\n".join(lines), as_json)


def to_text(found: Synchronisation) -> str:
    """The clocks of cameras in a few lines."""
    first = found.cameras[0]
    lines = [f"synchronised by {found.method}; when each camera started after {first.name}:"]
    for camera in found.cameras:
        line = f"  {camera.name}: "
        if camera is first:
            line += "0"
        else:
            line += (
                f"{camera.offset:+.4f} s = {camera.offset * first.fps:+.2f} frames "
                f"(± {camera.offset_sigma * first.fps:.2f})"
            )
        if camera.drift_sigma:
            line += f", drift {camera.drift:+.1f} ± {camera.drift_sigma:.1f} parts per million"
        lines.append(line)
    return "\n".join([*lines, *(f"  {note}" for note in found.notes)])


def _require_room(folder: Path, names: list[str], overwrite: bool) -> None:
    """Raise what writing into the folder would raise before the work is done, and not after it."""
    from lift3d.errors import Lift3DError

    if odd := [name for name in names if Path(name).name != name or name in (".", "..")]:
        raise Lift3DError(f"camera {odd[0]!r} cannot be a file's name; call it otherwise with NAME=PATH")
    if folder.exists() and not folder.is_dir():
        raise Lift3DError(f"{folder} is a file; -o takes the folder to write into")
    if not folder.parent.is_dir():
        raise Lift3DError(f"{folder}: the folder {folder.parent} does not exist")
    if folder.is_dir():
        for name in [*(f"{name}.h5" for name in names), TIMINGS]:
            require_new(folder / name, overwrite)


def _videos(items: list[str], names: list[str]) -> dict[str, str]:
    """The videos by camera: by name where they have the cameras' names, else in turn."""
    from lift3d.errors import Lift3DError

    videos = named_paths(items)
    if set(videos) == set(names):
        return {name: videos[name] for name in names}
    said = [name for name, path in videos.items() if path not in items]
    if said or len(videos) != len(names):
        raise Lift3DError(
            f"--audio needs one video for each of the cameras {', '.join(names)}, as NAME=VIDEO or in this order; "
            f"these are {', '.join(videos)}"
        )
    return dict(zip(names, videos.values(), strict=True))


def _at_rates_of(found: Synchronisation, keypoints: dict[str, Keypoints2D]) -> dict[str, Keypoints2D]:
    """Keypoints at the rates of their videos, which are exact.

    Raises:
        Lift3DError: keypoints and video have different rates.
    """
    from lift3d.errors import Lift3DError

    for name, points in keypoints.items():
        rate = found[name].fps
        if points.fps is not None and abs(points.fps - rate) > SAME_RATE * rate:
            raise Lift3DError(
                f"camera {name!r}: its keypoints have {points.fps:g} frames/s, its video {rate:g}; which frames are "
                "they of? Give keypoints of every frame of the video"
            )
    return {name: replace(points, fps=found[name].fps) for name, points in keypoints.items()}


def _write(
    keypoints: dict[str, Keypoints2D], found: Synchronisation, folder: Path, overwrite: bool
) -> tuple[list[Path], int]:
    """The files written, and the number of frames that all cameras have now."""
    from lift3d.cli.console import to_json
    from lift3d.io.files import atomic_path
    from lift3d.multiview.resampling import apply

    aligned = apply(keypoints, found)
    folder.mkdir(exist_ok=True)
    written = []
    for name, points in zip(found.names, aligned, strict=True):
        written.append(folder / f"{name}.h5")
        points.save(written[-1], overwrite)
    written.append(folder / TIMINGS)
    with atomic_path(written[-1], overwrite) as path:
        path.write_text(to_json(found.to_dict()) + "\n", encoding="utf-8")
    return written, aligned[0].frames

"""``lift3d calibrate``: images of a board, scene points, or people, to a rig file and a report on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift3d.cli.console import counted, progress_stages, report
from lift3d.cli.named_paths import named_paths
from lift3d.cli.options import AsJson, Format, FrameRate, Layout, Overwrite, require_new
from lift3d.cli.rig_options import Unit, parse_unit

if TYPE_CHECKING:
    from lift3d.calibration.calibrating import CalibrationReport
    from lift3d.geometry.rigs import Rig

RIGS = (".toml", ".json", ".yml", ".yaml", ".xml", ".txt", ".h5")


def calibrate(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=PATH",
            help="Each camera's video, folder of images or quoted pattern (cam1='cam1/*.jpg'), filmed at the same "
            "time; or one folder with a video or a subfolder a camera. With --rig, each camera's 2D keypoints.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The rig; the ending is the format.")] = Path(
        "rig.toml"
    ),
    board: Annotated[
        Path | None, typer.Option("--board", metavar="TOML", help="The board, see 'lift3d board new'.")
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option("--report", metavar="HTML|PNG", help="Where the report goes; beside the rig if not said."),
    ] = None,
    lens: Annotated[
        str, typer.Option("--lens", metavar="MODEL", help="standard (5 coefficients), rational (8) or fisheye (4).")
    ] = "standard",
    intrinsics: Annotated[
        list[str] | None,
        typer.Option(
            "--intrinsics",
            metavar="RIG|FOLDER|NAME=PATH",
            help="A rig file with known intrinsics; or images of the board that each camera took for itself.",
        ),
    ] = None,
    hold_intrinsics: Annotated[
        bool, typer.Option("--hold-intrinsics", help="Keep the intrinsics of the rig file as they are.")
    ] = False,
    floor: Annotated[
        str | None,
        typer.Option("--floor", metavar="FRAME", help="The frame or image number at which the board lay on the floor."),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option("--points", metavar="CSV", help="Measured scene points: camera,point,u,v,x,y,z (px, metres)."),
    ] = None,
    timestamps: Annotated[
        Path | None, typer.Option("--timestamps", metavar="CSV", help="Which frames of the videos belong together.")
    ] = None,
    corners: Annotated[
        Path | None,
        typer.Option("--corners", metavar="H5", help="Keep the found corners here; if it exists, take them from here."),
    ] = None,
    rig: Annotated[
        Path | None,
        typer.Option("--rig", metavar="RIG", help="A rig that moved a little, to be refined from people's keypoints."),
    ] = None,
    height: Annotated[
        float | None, typer.Option("--height", metavar="M", help="With --rig: the person's height in metres.")
    ] = None,
    distance: Annotated[
        str | None,
        typer.Option("--distance", metavar="JOINT,JOINT,M", help="With --rig: a distance on the people, in metres."),
    ] = None,
    unit: Unit = None,
    fps: FrameRate = None,
    skeleton: Layout = None,
    format: Format = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Calibrate cameras, and say how far to trust the result."""

    require_new(output, overwrite, RIGS)
    if rig is not None:
        of_boards = {"--board": board, "--report": report_file, "--intrinsics": intrinsics, "--floor": floor,
                     "--points": points, "--timestamps": timestamps, "--corners": corners}  # fmt: skip
        if given := [name for name, value in of_boards.items() if value is not None]:
            raise typer.BadParameter(f"--rig refines a rig from people; {given[0]} is for calibrating with a board")
        from lift3d.cli.refine_rig import refine_rig
        from lift3d.io.rigs import read_rig

        moved = read_rig(rig, unit=parse_unit(unit))
        summary, text = refine_rig(moved, sources or [], output, height, distance, fps, skeleton, format, overwrite)
        report({"rig": rig, **summary}, text, as_json)
        return
    if board is None:
        raise typer.BadParameter("name the board with --board ('lift3d board new' makes one), or a rig with --rig")

    from lift3d.calibration.board_files import read_board
    from lift3d.calibration.calibrating import calibrate as calibrate_cameras
    from lift3d.calibration.observations import Observations
    from lift3d.calibration.report import ENDINGS
    from lift3d.calibration.scene_points import read_scene_points

    page = report_file or output.with_suffix(".html")
    require_new(page, overwrite, ENDINGS)
    known_board = read_board(board)
    with progress_stages() as progress:
        footage = _images(sources or [], points is not None)
        images: Observations | dict[str, str] | None = footage
        if corners is not None and footage is not None:
            if corners.exists():
                images = Observations.load(corners)
            else:
                from lift3d.calibration.observing import observe

                told = None if progress is None else lambda done, total: progress("Looking for the board", done, total)
                seen = observe(footage, known_board, timestamps=timestamps, progress=told)
                seen.save(corners)
                images = seen
        found, result = calibrate_cameras(
            images,
            known_board,
            lens=lens,
            intrinsics=_intrinsics(intrinsics or [], unit),
            hold_intrinsics=hold_intrinsics,
            floor=floor,
            points=None if points is None else read_scene_points(points),
            timestamps=timestamps,
            progress=progress,
        )
        if progress is not None:
            progress("Writing the report", 0, 1)
        found.save(output, overwrite)
        result.save(page, overwrite)
    summary = {"output": output, "report": page, **result.to_dict(), "cameras": _cameras(found, result)}
    report(summary, _to_text(found, result, output, page), as_json)


def _images(sources: Sequence[str], placed: bool) -> dict[str, str] | None:
    """The simultaneous images by camera; None where scene points place the cameras instead."""
    if not sources:
        if placed:
            return None
        raise typer.BadParameter("name the cameras' videos or folders of images: NAME=PATH, or one folder with all")
    return _cameras_of(sources)


def _cameras_of(sources: Sequence[str]) -> dict[str, str]:
    """Paths by camera; one folder alone holds the cameras."""
    from lift3d.calibration.footage import find_sources

    if len(sources) == 1 and Path(sources[0]).is_dir():
        return {name: str(path) for name, path in find_sources(sources[0]).items()}
    return named_paths(sources)


def _intrinsics(items: Sequence[str], unit: str | None) -> Rig | dict[str, str] | None:
    from lift3d.cli.rig_options import holds_rig
    from lift3d.io.rigs import read_rig

    if len(items) == 1 and Path(items[0]).is_file() and holds_rig(Path(items[0]), None):
        return read_rig(items[0], unit=parse_unit(unit))
    return _cameras_of(items) if items else None


def _cameras(rig: Rig, result: CalibrationReport) -> list[dict[str, Any]]:
    quality = result.quality
    return [
        {
            **camera.to_dict(),
            "verdict": quality.camera_verdicts[camera.name],
            "rmse_pixels": quality.camera_rmse[camera.name],
            "images_used": quality.images_used[camera.name],
            "images_dropped": quality.images_dropped[camera.name],
            "standard_errors": result.solution.standard_errors(camera.name),
        }
        for camera in rig
    ]


def _to_text(rig: Rig, result: CalibrationReport, output: Path, page: Path) -> str:
    quality = result.quality
    lines = [result.describe(), "", f"reprojection error {quality.rmse:.3f} px (root mean square)"]
    for camera in rig:
        error = result.solution.standard_errors(camera.name).get("fx")
        focal = f"focal length {camera.K[0, 0]:.1f} px" + (f" ± {error:.1f}" if error is not None else " (given)")
        used, dropped = quality.images_used[camera.name], quality.images_dropped[camera.name]
        images = f"{counted(used, 'image')} used" + (f", {dropped} dropped" if dropped else "")
        lines.append(f"  {camera.name}: {quality.camera_rmse[camera.name]:.3f} px, {focal}, {images}")
    if expected := quality.expected_mm():
        lines.append(
            f"expected error of 3D points in the volume: {expected['median']:.1f} mm from the calibration, "
            f"{expected['per_pixel']:.1f} mm more for each pixel that a keypoint is off"
        )
    return "\n".join([*lines, f"{output}: written", f"{page}: written"])

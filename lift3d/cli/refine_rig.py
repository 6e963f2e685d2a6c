"""``lift3d calibrate --rig``: a rig that moved a little, refined from the 2D keypoints of people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lift3d.cli.console import progress_bar
from lift3d.cli.named_paths import camera_paths

if TYPE_CHECKING:
    from lift3d.calibration.people import PeopleReport
    from lift3d.geometry.rigs import Rig


def refine_rig(
    rig: Rig,
    sources: Sequence[str],
    output: Path,
    height: float | None,
    distance: str | None,
    fps: float | None,
    skeleton: str | None,
    format: str | None,
    overwrite: bool,
) -> tuple[dict[str, Any], str]:
    """Write the refined rig; what was done, for machines and for people."""
    from lift3d.calibration.people import refine_from_people
    from lift3d.io.keypoints import read_keypoints
    from lift3d.multiview.gather import gather_views

    if not sources:
        raise typer.BadParameter("name the 2D keypoints of the rig's cameras: NAME=PATH, or paths in the rig's order")
    paths = camera_paths(list(sources), rig)
    keypoints = {name: read_keypoints(path, format=format, fps=fps, skeleton=skeleton) for name, path in paths.items()}
    if unseen := [name for name in rig.names if name not in keypoints]:
        raise typer.BadParameter(f"all cameras are refined together; the keypoints of {', '.join(unseen)} are missing")
    views = gather_views(keypoints, rig)
    with progress_bar("Refining") as progress:
        refined, result = refine_from_people(
            views.rig, views.keypoints, height=height, distance=_distance(distance), progress=progress
        )
    refined.save(output, overwrite)
    return {"inputs": paths, "output": output, **_to_dict(refined, result)}, _to_text(refined, result, output)


def _to_dict(rig: Rig, result: PeopleReport) -> dict[str, Any]:
    by_camera = {
        "error_before_pixels": result.error_before,
        "error_after_pixels": result.error_after,
        "turned_degrees": result.turned,
        "shifted_metres": result.shifted,
    }
    return {
        "points": result.points,
        "scale": result.scale,
        "noise_pixels": result.noise,
        "cameras": [
            {"name": name, **{key: values[index] for key, values in by_camera.items()}}
            for index, name in enumerate(rig.names)
        ],
        "left_out": result.left_out,
        "warnings": result.warnings,
    }


def _to_text(rig: Rig, result: PeopleReport, output: Path) -> str:
    lines = [f"refined {len(rig)} cameras from {result.points} joints of people, scale {result.scale:.3f}"]
    rows = zip(rig.names, result.error_before, result.error_after, result.turned, result.shifted, strict=True)
    lines += [
        f"  {name}: error of people not used {before:.1f} -> {after:.1f} px, turned {turned:.2f} degrees, "
        f"moved {1000 * shifted:.0f} mm"
        for name, before, after, turned, shifted in rows
    ]
    if result.left_out:
        lines.append(f"  left out, since the cameras do not agree where they are: {', '.join(result.left_out)}")
    return "\n".join([*lines, *(f"!  {warning}" for warning in result.warnings), f"{output}: written"])


def _distance(text: str | None) -> tuple[str, str, float] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    try:
        first, second, metres = parts
        return first, second, float(metres)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not JOINT,JOINT,METRES, such as left_hip,left_knee,0.42", param_hint="--distance"
        ) from None

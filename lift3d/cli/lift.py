"""``lift3d lift``: 2D keypoints of one camera to 3D poses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift3d.cli.console import counted, progress_bar, report
from lift3d.cli.options import (
    AsJson,
    Format,
    FrameRate,
    ImageSize,
    Layout,
    Overwrite,
    parse_image_size,
    read_camera,
    require_new,
)

if TYPE_CHECKING:
    from lift3d.geometry.cameras import Camera
    from lift3d.poses import Keypoints2D, Poses3D


def lift(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A file or folder of 2D keypoints.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The 3D poses; the ending is the format.")],
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", metavar="NAME", help="A name of 'lift3d models', or a .safetensors file.")
    ] = "default",
    camera: Annotated[
        str | None, typer.Option("--camera", metavar="RIG[:NAME]", help="The calibrated camera that saw it.")
    ] = None,
    focal: Annotated[
        float | None, typer.Option("--focal", metavar="PX", min=1, help="The focal length, where that is known.")
    ] = None,
    height: Annotated[
        float | None, typer.Option("--height", metavar="M", help="The person's height in metres, for the scale.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="PNG|HTML", help="Draw the result as well.")
    ] = None,
    fps: FrameRate = None,
    image_size: ImageSize = None,
    skeleton: Layout = None,
    format: Format = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Lift 2D keypoints to 3D poses in metres."""
    if camera is not None and focal is not None:
        raise typer.BadParameter("--camera and --focal say the same thing; give one of them")

    from lift3d.io.keypoints import read_keypoints
    from lift3d.io.poses3d import WRITE_ENDINGS, write_poses
    from lift3d.viz.view import PAGES, PICTURES, save_view

    require_new(output, overwrite, WRITE_ENDINGS)
    if picture is not None:
        require_new(picture, overwrite, PICTURES + PAGES)

    size = parse_image_size(image_size)
    keypoints = read_keypoints(source, format=format, fps=fps, image_size=size, skeleton=skeleton)
    known = read_camera(camera) if camera else camera_of_focal(focal, keypoints) if focal else None
    poses = lift_with_progress(keypoints, checkpoint, known, height)
    notes: list[str] = []
    written = write_poses(poses, output, overwrite, notes.append)
    if picture is not None:
        save_view(poses, picture, overwrite=overwrite)
        written.append(picture)

    from lift3d.lifting import describe

    summary = describe(poses)
    text = "\n".join([to_text(summary), *notes, *(f"{path}: written" for path in written)])
    report({"input": source, "output": written, "checkpoint": checkpoint, **summary}, text, as_json)


def camera_of_focal(focal: float, keypoints: Keypoints2D) -> Camera:
    """A camera of the focal length in pixels that looks through the middle of the image."""
    import numpy as np

    from lift3d.errors import CameraError
    from lift3d.geometry.cameras import Camera

    if keypoints.image_size is None:
        raise CameraError("--focal needs the size of the image; say --image-size WIDTHxHEIGHT")
    width, height = keypoints.image_size
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return Camera(K, image_size=keypoints.image_size, name="focal")


def lift_with_progress(
    keypoints: Keypoints2D, checkpoint: str = "default", camera: Camera | None = None, height: float | None = None
) -> Poses3D:
    """``lift3d.lift`` with a progress bar."""
    from lift3d.lifting import lift as lift_keypoints

    with progress_bar("Lifting") as progress:
        return lift_keypoints(keypoints, checkpoint=checkpoint, camera=camera, height=height, progress=progress)


def to_text(summary: dict[str, Any]) -> str:
    """What was lifted, from ``lift3d.lifting.describe``, in a few lines."""
    rate = f" at {summary['fps']:g} fps" if summary["fps"] else ""
    lines = [f"lifted {counted(summary['frames'], 'frame')}{rate}, {counted(summary['people'], 'person', 'people')}"]
    lines += [f"  {note}" for note in summary["notes"]]
    if missing := (poses := summary["frames"] * summary["people"]) - summary["lifted"]:
        lines.append(f"  {missing} of {poses} poses are missing: the person is not seen, or has no place in space")
    if (depth := summary["depth_metres"]) is not None:
        lines.append(f"  {depth[0]:.2f} to {depth[1]:.2f} m from the camera")
    if (error := summary["reprojection_error_pixels"]) is not None:
        lines.append(f"  median reprojection error {error:.1f} px")
    if (sigma := summary["median_sigma_metres"]) is not None:
        lines.append(f"  median standard deviation {1000 * sigma:.0f} mm along an axis")
    return "\n".join(lines)

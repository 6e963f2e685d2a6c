"""Reading a file of which the command does not know yet whether it holds 2D or 3D."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lift3d.errors import FileFormatError, UnknownFormatError

if TYPE_CHECKING:
    from lift3d.io.stored_poses import Clip
    from lift3d.poses import Keypoints2D, Poses3D


# Endings that 2D keypoints have as well; a file with another ending of 3D poses holds just those.
SHARED_ENDINGS = (".h5", ".npz", ".json", ".csv")


def read_motion(
    path: Path,
    format: str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    skeleton: str | None = None,
) -> Keypoints2D | Poses3D:
    """2D keypoints of any format that is known, or 3D poses; what the user says of it goes before what it says.

    Raises:
        UnknownFormatError: neither; the message says why not, both ways.
        FileFormatError: it is one of them, and damaged.
    """
    from lift3d.io.keypoints import read_keypoints

    poses = _read_poses(path) if format is None and path.is_file() else None
    if poses is None:
        return read_keypoints(path, format=format, fps=fps, image_size=image_size, skeleton=skeleton)
    if image_size is not None or skeleton is not None:
        raise typer.BadParameter(f"{path} holds 3D poses, which --image-size and --skeleton say nothing of")
    return poses if fps is None else replace(poses, fps=fps)


@contextmanager
def open_motion(path: Path) -> Iterator[Keypoints2D | Clip]:
    """As ``read_motion``, but of a lift3d file of 3D poses only those frames are read that are asked for."""
    from lift3d.io.motion_file import stored_kind
    from lift3d.io.stored_poses import open_poses

    if path.suffix.lower() == ".h5" and path.is_file() and stored_kind(path) == "poses_3d":
        with open_poses(path) as poses:
            yield poses
    else:
        yield read_motion(path)


def _read_poses(path: Path) -> Poses3D | None:
    """The 3D poses of a file, None if it holds 2D keypoints."""
    from lift3d.io.keypoints import detect_format
    from lift3d.io.motion_file import stored_kind
    from lift3d.io.poses3d import WRITE_ENDINGS, read_poses

    if path.suffix.lower() not in WRITE_ENDINGS:
        return None
    if path.suffix.lower() not in SHARED_ENDINGS:
        return read_poses(path)
    try:
        if detect_format(path).format != "lift3d" or stored_kind(path) != "poses_3d":
            return None
    except UnknownFormatError as unknown:
        try:
            return read_poses(path)
        except FileFormatError as error:
            place = f"field {error.field}: " if error.field else ""
            raise UnknownFormatError(path, f"{unknown.problem}; and as 3D poses, {place}{error.problem}") from error
    return read_poses(path)

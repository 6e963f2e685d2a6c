"""What the marker files, TRC and C3D, share: one person a file, a known frame rate, plain names."""

from __future__ import annotations

from pathlib import Path

from lift3d.errors import OutputExistsError, ShapeError
from lift3d.poses import Poses3D


def check_markers(poses: Poses3D, title: str) -> None:
    """Raises ShapeError if the poses lack what a marker file needs: the frame rate, people, frames, plain names."""
    if poses.fps is None:
        raise ShapeError(f"a {title} needs the frame rate, and that of the poses is unknown; set fps")
    if not poses.people or not poses.frames:
        raise ShapeError(f"{poses.frames} frames of {poses.people} people make no {title}")
    if any(not joint.strip() or len(joint.splitlines()) > 1 or "\t" in joint for joint in poses.skeleton.joints):
        raise ShapeError(f"a joint's name is empty or holds a tab or a line end, which a {title} cannot hold")


def person_files(poses: Poses3D, path: Path, overwrite: bool) -> list[Path]:
    """A file a person: ``path`` itself for a single one, ``take_id0.trc``, ... after the track ids for several.

    Raises OutputExistsError if one of them exists and ``overwrite`` is False.
    """
    paths = [path]
    if poses.people > 1:
        paths = [path.with_name(f"{path.stem}_id{track}{path.suffix}") for track in poses.track_ids]
    if not overwrite and (existing := [str(file) for file in paths if file.exists()]):
        raise OutputExistsError(f"{', '.join(existing)} exists already; choose another name or pass --overwrite")
    return paths

"""lift3d's own HDF5 file of 2D keypoints, as ``Keypoints2D.save`` writes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lift3d.io.hdf5_files import SIGNATURE
from lift3d.io.json_values import read_head
from lift3d.io.layouts import check_layout
from lift3d.io.motion_file import stored_kind
from lift3d.io.recording import Detection, Request
from lift3d.poses import Keypoints2D

NAME = "lift3d"
TITLE = "lift3d HDF5"


def sniff(path: Path) -> Detection | None:
    """Recognise the file's own attributes."""
    if path.is_dir() or read_head(path, 8) != SIGNATURE:
        return None
    kind = stored_kind(path)
    return None if kind is None else Detection(NAME, f"lift3d HDF5, {kind}")


def read(path: Path, request: Request) -> Keypoints2D:
    """Read the file; what the user says of frame rate, image size and layout goes before what the file says.

    Raises:
        FileFormatError: damaged, or it holds 3D poses.
    """
    keypoints = Keypoints2D.load(path)
    if request.skeleton:
        check_layout(request.skeleton, len(keypoints.skeleton), path, "skeleton")
    return replace(
        keypoints,
        fps=request.fps or keypoints.fps,
        image_size=request.image_size or keypoints.image_size,
        skeleton=request.skeleton or keypoints.skeleton,
    )

"""What the 3D pose files share: the fields beside the arrays as JSON values, layouts by joint names, short numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import CameraError, FileFormatError, ShapeError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.joint_names import custom_skeleton
from lift3d.poses import Poses3D
from lift3d.skeletons import SKELETONS, Skeleton

# What text files hold of each joint beside its place.
PER_JOINT = ("confidence", "sigma", "reprojection_error", "cameras_used", "source")
MAX_CELLS = 1 << 28  # frames x people x joints: 3 GiB of positions


def to_record(poses: Poses3D) -> dict[str, Any]:
    """The fields of the poses that are not arrays, as JSON values."""
    return {
        "skeleton": poses.skeleton.to_dict(),
        "fps": poses.fps,
        "track_ids": list(poses.track_ids),
        "space": poses.space,
        "camera": None if poses.camera is None else poses.camera.to_dict(),
        "provenance": poses.provenance,
    }


def from_record(record: dict[str, Any], arrays: dict[str, Any], path: str | PathLike[str]) -> Poses3D:
    """The poses of a record and the arrays ``xyz`` and ``PER_JOINT``; ``path`` is for messages.

    Raises:
        FileFormatError: a field is missing or malformed, or the arrays do not fit each other.
    """
    with naming(path):
        fps, camera, track_ids = record.get("fps"), record.get("camera"), record.get("track_ids")
        return Poses3D(
            **arrays,
            skeleton=Skeleton.from_dict(record["skeleton"]),
            fps=None if fps is None else float(fps),
            track_ids=None if track_ids is None else tuple(int(i) for i in track_ids),  # type: ignore[arg-type]
            space=str(record.get("space", "world")),
            camera=None if camera is None else Camera.from_dict(camera),
            provenance=dict(record.get("provenance", {})),
        )


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """Turns what malformed values raise on the way into a container into a FileFormatError of the file."""
    try:
        yield
    except KeyError as error:
        raise FileFormatError(path, "the field is missing", str(error.args[0])) from error
    except (ShapeError, SkeletonError, CameraError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileFormatError(path, str(error)) from error


def layout_of(joints: Sequence[str]) -> Skeleton:
    """The known layout that has just these joints in this order, else a layout known by its names alone."""
    custom = custom_skeleton(joints)
    names = (tuple(joints), custom.joints)
    return next((known for known in SKELETONS.values() if known.joints in names), custom)


def short_text(array: np.ndarray) -> np.ndarray:
    """Float32 values as the shortest texts that read back the same, "" for NaN."""
    return np.where(np.isfinite(array), array.astype(np.float32).astype("U24"), "")


def check_last_line(path: Path) -> None:
    """Raises FileFormatError if a text file does not end with a line end, since its last number may be cut off."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        if file.read(1) not in (b"\n", b"\r"):
            raise FileFormatError(
                path, "the last line has no end; was the file cut off? If it is whole, add a line end"
            )

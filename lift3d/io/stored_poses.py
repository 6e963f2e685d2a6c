"""3D poses that stay in their file: a clip of any length opens at once, and frames are read when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from lift3d.errors import FileFormatError, Lift3DError
from lift3d.geometry.cameras import Camera
from lift3d.io.hdf5_files import hdf5_errors
from lift3d.io.motion_file import open_array, open_motion_file, read_frames
from lift3d.io.poses3d import read_poses
from lift3d.poses import PER_JOINT, Poses3D, sliced_fps
from lift3d.skeletons import Skeleton

if TYPE_CHECKING:
    import h5py


class StoredPoses:
    """A lift3d HDF5 file of 3D poses, open for reading; it has what ``Poses3D`` has but for the arrays.

    ``select`` reads frames. Use it in a ``with`` block, or ``close`` it.

    Args:
        path: the file.

    Raises:
        FileFormatError: damaged, or no lift3d file of 3D poses. At opening, everything but the numbers in the arrays
            is checked; those are when they are read.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        with ExitStack() as stack:
            file = stack.enter_context(open_motion_file(path, "poses_3d"))
            # The clip without a frame: made like any other, it checks all that all frames have in common.
            self._head = Poses3D.read_group(file, path, slice(0, 0))
            # HDF5 keeps the last chunks of an array while it is open, so these are opened once.
            self._arrays = _open_arrays(file, path, ("xyz", "confidence", *PER_JOINT))
            self._arrays_2d = _open_arrays(file["keypoints"], path, ("xy", "confidence")) if "keypoints" in file else {}
            self._frames = int(self._arrays["xyz"].shape[0])
            for array in (*self._arrays.values(), *self._arrays_2d.values()):
                if array.shape[0] != self._frames:
                    name = array.name.lstrip("/")
                    raise FileFormatError(path, f"has {array.shape[0]} frames, but xyz has {self._frames}", name)
            self._open = stack.pop_all()

    @property
    def frames(self) -> int:
        return self._frames

    @property
    def people(self) -> int:
        return self._head.people

    @property
    def skeleton(self) -> Skeleton:
        return self._head.skeleton

    @property
    def fps(self) -> float | None:
        return self._head.fps

    @property
    def track_ids(self) -> tuple[int, ...]:
        return self._head.track_ids

    @property
    def space(self) -> str:
        return self._head.space

    @property
    def camera(self) -> Camera | None:
        return self._head.camera

    @property
    def provenance(self) -> dict[str, Any]:
        return self._head.provenance

    def has(self, name: str) -> bool:
        """Whether an attribute that may be None is known: one of ``PER_JOINT``, "camera", "keypoints"."""
        return self._head.has(name)

    def select(self, frames: slice = slice(None), people: Sequence[int] | None = None) -> Poses3D:
        """Read the frames of a slice and the people of the given indices (default: all).

        Raises:
            FileFormatError: these frames are damaged, or are more than memory should hold at once.
            Lift3DError: the file was closed.
        """
        if not self._arrays["xyz"]:
            raise Lift3DError(f"{self.path}: the file was closed; open it again to read from it")
        fps = sliced_fps(self.fps, frames)
        with hdf5_errors(self.path):
            keypoints = self._head.keypoints
            if keypoints is not None:
                keypoints = replace(
                    keypoints, **self._read(self._arrays_2d, frames), fps=sliced_fps(keypoints.fps, frames)
                )
            poses = replace(self._head, **self._read(self._arrays, frames), keypoints=keypoints, fps=fps)
        return poses if people is None else poses.select(people=people)

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _read(self, arrays: dict[str, h5py.Dataset], frames: slice) -> dict[str, Any]:
        return {name: read_frames(array, self.path, frames) for name, array in arrays.items()}


# Renderers and measures that go through a clip block by block take both kinds.
Clip: TypeAlias = Poses3D | StoredPoses


def open_poses(path: str | PathLike[str]) -> Clip:
    """3D poses of any format that ``read_poses`` reads, for a ``with`` block; a lift3d HDF5 file is read lazily.

    Raises:
        UnknownFormatError: another ending.
        FileFormatError: the file is missing, truncated or malformed; the message names the field.
    """
    return StoredPoses(path) if Path(path).suffix.lower() == ".h5" else read_poses(path)


def _open_arrays(group: h5py.Group, path: str | PathLike[str], names: Sequence[str]) -> dict[str, h5py.Dataset]:
    return {name: open_array(group, name, path) for name in names if name in group}

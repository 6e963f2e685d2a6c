"""lift3d's own HDF5 file: what ``Keypoints2D`` and ``Poses3D`` have in common in it.

Arrays are data sets with a checksum; everything else is an attribute of the group that holds them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import FileFormatError, SkeletonError
from lift3d.io.files import atomic_path
from lift3d.io.hdf5_files import check_dataset, open_hdf5
from lift3d.skeletons import Skeleton

if TYPE_CHECKING:
    import h5py

    from lift3d.poses import Keypoints2D, Poses3D

FORMAT_VERSION = 1
KINDS = ("keypoints_2d", "poses_3d", "pose_set")
# The layout of HDF5 1.10 (2016) has checksums on all its structures, so that damage is an error and not a wrong number.
# That of 1.8 has none on the index of chunks: one wrong bit there, and an array reads as zeros.
LIBRARY_VERSIONS = ("v110", "v110")
# Frames are read a block at a time, so a chunk holds whole frames; one takes about 0.3 ms to unpack.
CHUNK_BYTES = 64 << 10


@contextmanager
def create_motion_file(path: str | PathLike[str], overwrite: bool) -> Iterator[h5py.File]:
    """A new file to write into. Raises OutputExistsError if it exists and ``overwrite`` is False."""
    import h5py

    with atomic_path(path, overwrite) as temporary, h5py.File(temporary, "w", libver=LIBRARY_VERSIONS) as file:
        yield file


@contextmanager
def open_motion_file(path: str | PathLike[str], kind: str) -> Iterator[h5py.File]:
    """The file, open for reading. Raises FileFormatError if it is damaged or holds something else than ``kind``."""
    with open_hdf5(path) as file:
        found = _kind(file)
        if found != kind:
            what = f"lift3d {found}" if found in KINDS else "an HDF5 file of another program"
            raise FileFormatError(path, f"expected lift3d {kind}, found {what}", "kind")
        yield file


def stored_kind(path: str | PathLike[str]) -> str | None:
    """What a lift3d HDF5 file holds, "keypoints_2d" or "poses_3d"; None for every other file."""
    try:
        with open_hdf5(path) as file:
            return _kind(file)
    except FileFormatError:
        return None


def write_motion(
    group: h5py.Group, kind: str, motion: Keypoints2D | Poses3D, arrays: Mapping[str, np.ndarray | None]
) -> None:
    """Write the arrays that are known, and what 2D and 3D motion share."""
    for name, array in arrays.items():
        if array is not None:
            group.create_dataset(
                name,
                data=array,
                chunks=_chunks(array),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
                fletcher32=True,
            )
    write_text(group, "format", "lift3d")
    group.attrs["version"] = FORMAT_VERSION
    write_text(group, "kind", kind)
    write_text(group, "skeleton", json.dumps(motion.skeleton.to_dict()))
    group.attrs["track_ids"] = np.asarray(motion.track_ids, dtype=np.int64)
    write_text(group, "provenance", json.dumps(motion.provenance))
    if motion.fps is not None:
        group.attrs["fps"] = float(motion.fps)


def read_motion(group: h5py.Group, path: str | PathLike[str], frames: slice = slice(None)) -> dict[str, Any]:
    """Confidence, skeleton, fps, track ids and provenance, by the names of the containers' fields.

    The confidence is that of ``frames``; the fps is the file's.
    """
    try:
        skeleton = Skeleton.from_dict(read_json(group, "skeleton", path))
    except SkeletonError as error:
        raise FileFormatError(path, str(error), "skeleton") from error
    fps = group.attrs.get("fps")
    return {
        "confidence": read_frames(open_array(group, "confidence", path), path, frames),
        "skeleton": skeleton,
        "fps": None if fps is None else float(fps),
        "track_ids": tuple(int(i) for i in np.atleast_1d(group.attrs.get("track_ids", ()))),
        "provenance": dict(read_json(group, "provenance", path) if "provenance" in group.attrs else {}),
    }


def open_array(group: h5py.Group, name: str, path: str | PathLike[str]) -> h5py.Dataset:
    """An array of numbers with an axis for frames, people and joints, yet to be read.

    Raises:
        FileFormatError: it is missing, none such, or larger than the file can hold.
    """
    import h5py

    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise FileFormatError(path, "the data set is missing; was the file cut off while it was written?", name)
    if dataset.dtype.kind not in "fu" or dataset.ndim not in (3, 4, 5):
        raise FileFormatError(path, f"expected numbers with 3 to 5 axes, found {dataset.dtype} {dataset.shape}", name)
    check_dataset(dataset, path, name, rows=0)
    return dataset


def read_frames(dataset: h5py.Dataset, path: str | PathLike[str], frames: slice = slice(None)) -> np.ndarray:
    """The frames of an array of ``open_array``. Raises FileFormatError if they are more than memory should hold."""
    numbers = range(*frames.indices(dataset.shape[0]))
    check_dataset(dataset, path, dataset.name.lstrip("/"), rows=len(numbers))
    if not numbers:
        return np.empty((0, *dataset.shape[1:]), dataset.dtype)
    first, last = min(numbers[0], numbers[-1]), max(numbers[0], numbers[-1])
    rows = np.asarray(dataset[first : last + 1 : abs(numbers.step)])
    return rows if numbers.step > 0 else rows[::-1]


def write_text(group: h5py.Group | h5py.Dataset, name: str, text: str) -> None:
    """A text attribute of fixed length: those of variable length lie in a heap without checksums."""
    import h5py

    data = text.encode()
    group.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", max(1, len(data))))


def read_text(group: h5py.Group, name: str) -> str | None:
    """A text attribute, None if there is none."""
    value = group.attrs.get(name)
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)


def read_json(group: h5py.Group, name: str, path: str | PathLike[str]) -> Any:
    """The JSON value in a text attribute. Raises FileFormatError if it is missing or no JSON."""
    try:
        return json.loads(read_text(group, name) or "")
    except ValueError as error:
        raise FileFormatError(path, f"not valid JSON ({error})", name) from error


def _chunks(array: np.ndarray) -> tuple[int, ...] | None:
    """The shape of an array's chunks: whole in people and joints; None (HDF5's own guess) for an empty array."""
    if not array.size:
        return None
    frames = CHUNK_BYTES // array[0].nbytes
    return (min(max(1, frames), len(array)), *array.shape[1:])


def _kind(file: h5py.File) -> str | None:
    return read_text(file, "kind") if read_text(file, "format") == "lift3d" else None

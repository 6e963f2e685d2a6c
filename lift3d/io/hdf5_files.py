"""HDF5 files: opening, and arrays whose size is checked before they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import CameraError, FileFormatError, ShapeError, SkeletonError

if TYPE_CHECKING:
    import h5py

MAX_BYTES = 4 << 30
SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Deflate packs at most 1032 times; HDF5 stores nothing at all for chunks that hold the fill value.
MOST_PACKED = 5000


@contextmanager
def open_hdf5(path: str | PathLike[str]) -> Iterator[h5py.File]:
    """The file, open for reading.

    Everything that a damaged one makes h5py raise, and what its values make a container, a layout or a camera raise,
    becomes a FileFormatError.
    """
    import h5py

    if not Path(path).is_file():
        raise FileFormatError(path, "there is no such file")
    with hdf5_errors(path, "not a readable HDF5 file"):
        file = h5py.File(path, "r")
    with file, hdf5_errors(path):
        yield file


@contextmanager
def hdf5_errors(path: str | PathLike[str], problem: str = "damaged") -> Iterator[None]:
    """What reading ``path`` in this block makes h5py, a container, a layout or a camera raise is a FileFormatError."""
    try:
        yield
    except FileFormatError:
        raise
    except (ShapeError, SkeletonError, CameraError) as error:
        raise FileFormatError(path, str(error)) from error
    except (
        OSError,
        RuntimeError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
        MemoryError,
    ) as error:
        raise FileFormatError(path, f"{problem} ({error})") from error


def member_names(path: Path) -> list[str]:
    """Names at the top of the file, empty if it is no readable HDF5."""
    try:
        with open_hdf5(path) as file:
            return list(file)
    except FileFormatError:
        return []


def read_dataset(group: h5py.Group, name: str, path: str | PathLike[str]) -> np.ndarray:
    """One array of the file.

    Raises:
        FileFormatError: missing, or larger than the file can hold.
    """
    import h5py

    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise FileFormatError(path, "the data set is missing; was the file cut off while it was written?", name)
    check_dataset(dataset, path, name)
    return np.asarray(dataset[()])


def check_dataset(dataset: Any, path: str | PathLike[str], name: str, rows: int | None = None) -> None:
    """Raises FileFormatError if reading the data set would take more memory than the file can account for.

    Args:
        dataset: the data set.
        path, name: the file and the data set in it, for the message.
        rows: how many places of the first axis are read at once; None for all.
    """
    size = int(dataset.size or 0) * dataset.dtype.itemsize
    read = size if rows is None else size // max(1, dataset.shape[0]) * rows
    if size > MOST_PACKED * Path(path).stat().st_size or read > MAX_BYTES:
        raise FileFormatError(path, f"claims {dataset.shape} values of {dataset.dtype}, over the limit", name)


def texts(array: np.ndarray) -> list[str]:
    """An array of bytes or texts as texts."""
    return [item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in array.ravel()]

"""Arrays in NPZ files, their sizes checked before anything is allocated, objects only by the restricted unpickler."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError

MAX_BYTES = 4 << 30


@contextmanager
def open_npz(path: str | PathLike[str]) -> Iterator[zipfile.ZipFile]:
    """The archive; everything that a damaged one raises becomes a FileFormatError."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileFormatError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise FileFormatError(path, f"not a readable NPZ file ({error})") from error


def names(archive: zipfile.ZipFile) -> list[str]:
    """The arrays' names."""
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def read_array(archive: zipfile.ZipFile, name: str, path: str | PathLike[str], objects: bool = False) -> Any:
    """One array of the archive.

    Args:
        archive: the open archive.
        name: the array's name.
        path: the file, for messages.
        objects: whether an array of objects may be read, through the restricted unpickler.

    Raises:
        FileFormatError: missing, over 4 GiB, an array of objects that was not expected, or its size is not its shape's.
    """
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise FileFormatError(path, f"no such array; there are {', '.join(names(archive)) or 'none'}", name) from None
    # Deflate packs at most 1032 times; a larger claim is a lie.
    if info.file_size > min(MAX_BYTES, 1100 * info.compress_size + 1024):
        raise FileFormatError(path, f"claims {info.file_size} bytes, over the limit", name)
    with archive.open(info) as file:
        data = file.read(info.file_size)
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = header(stream)
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise FileFormatError(path, f"the array's header is damaged ({error})", name) from error
    body = data[stream.tell() :]
    if dtype.hasobject:
        if not objects:
            raise FileFormatError(path, "an array of Python objects where numbers were expected", name)
        from lift3d.io.restricted_pickle import restricted_loads

        return restricted_loads(body, path, name)
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(body):
        raise FileFormatError(path, f"{len(body)} bytes do not make an array {shape} of {dtype}", name)
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")

"""MATLAB's ``.mat`` files of any version: arrays and cell arrays of numbers.

Up to version 7 they are MATLAB's own format, read by SciPy; from version 7.3 on they are HDF5 with the axes of every
array reversed and the cells of a cell array as references.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.hdf5_files import SIGNATURE, check_dataset, open_hdf5
from lift3d.io.json_values import read_head

_HDF5_HEADS = (SIGNATURE, b"MATLAB 7.3")
_MAX_CELLS = 10_000


def read_mat(path: str | PathLike[str], names: Sequence[str]) -> dict[str, np.ndarray | list[np.ndarray]]:
    """Variables of a file: an array of numbers as MATLAB shows it, a cell array as the list of its arrays.

    Args:
        path: the file.
        names: the variables wanted, all of which must be there.

    Returns:
        by name an array, or the arrays of the cells in MATLAB's order (column by column).

    Raises:
        FileFormatError: not a MATLAB file, damaged, or a variable is missing or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(path, "there is no such file")
    if read_head(path, 10).startswith(_HDF5_HEADS):
        return _read_hdf5(path, names)
    return _read_classic(path, names)


def _read_classic(path: Path, names: Sequence[str]) -> dict[str, np.ndarray | list[np.ndarray]]:
    from scipy.io import loadmat

    try:
        found = loadmat(path, variable_names=list(names))
    except Exception as error:
        # Damaged files make SciPy raise whatever the bytes lead it to.
        raise FileFormatError(path, f"not a readable MATLAB file ({error})") from error
    result: dict[str, np.ndarray | list[np.ndarray]] = {}
    for name in names:
        value = found.get(name)
        if value is None:
            raise FileFormatError(path, "the variable is missing", name)
        if isinstance(value, np.ndarray) and value.dtype == object:
            result[name] = [
                _numbers(cell, path, f"{name}{{{number}}}") for number, cell in enumerate(value.ravel(order="F"), 1)
            ]
        else:
            result[name] = _numbers(value, path, name)
    return result


def _read_hdf5(path: Path, names: Sequence[str]) -> dict[str, np.ndarray | list[np.ndarray]]:
    import h5py

    result: dict[str, np.ndarray | list[np.ndarray]] = {}
    with open_hdf5(path) as file:

        def array(dataset: Any, field: str) -> np.ndarray:
            if not isinstance(dataset, h5py.Dataset):
                raise FileFormatError(path, "the variable is missing", field)
            check_dataset(dataset, path, field)
            # MATLAB writes an empty array as its size with a mark.
            if dataset.attrs.get("MATLAB_empty", 0):
                return np.empty(tuple(int(n) for n in dataset[()]))
            return _numbers(np.asarray(dataset[()]), path, field).T

        for name in names:
            dataset = file.get(name)
            if not isinstance(dataset, h5py.Dataset) or dataset.dtype != h5py.ref_dtype:
                result[name] = array(dataset, name)
                continue
            if dataset.size > _MAX_CELLS:
                raise FileFormatError(path, f"claims {dataset.size} cells, over the limit", name)
            # The axes are reversed, so that this order is MATLAB's column by column.
            result[name] = [
                array(file[cell], f"{name}{{{number}}}") for number, cell in enumerate(dataset[()].ravel(), 1)
            ]
    return result


def _numbers(value: Any, path: Path, field: str) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        found = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise FileFormatError(path, f"expected numbers, found {found}", field)
    return value

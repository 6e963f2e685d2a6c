"""A numeric table that pandas wrote with ``DataFrame.to_hdf``, without pandas: its columns, index and values.

The layouts: pandas' ``io/pytables.py``, "fixed" (blocks of columns) and "table" (a PyTables table). PyTables keeps
lists and dicts as pickles; they go through the restricted unpickler.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.hdf5_files import check_dataset, read_dataset, texts
from lift3d.io.restricted_pickle import restricted_loads

if TYPE_CHECKING:
    import h5py

MAX_COLUMNS = 100_000

Column = tuple[str, ...]


def read_frame(group: h5py.Group, path: str | PathLike[str]) -> tuple[list[Column], list[Column], np.ndarray]:
    """The table of one key.

    Args:
        group: the key's group.
        path: the file, for messages.

    Returns:
        columns, each a tuple of its names; index, each row a tuple; values (rows, columns) float64.

    Raises:
        FileFormatError: not a table of numbers that pandas wrote, or damaged.
    """
    kind = _text(group.attrs.get("pandas_type", b""))
    if kind == "frame_table":
        return _read_table(group, path)
    if kind == "frame":
        return _read_fixed(group, path)
    raise FileFormatError(path, f"expected a pandas DataFrame, found {kind or 'another group'!r}", group.name)


def _read_table(group: h5py.Group, path: str | PathLike[str]) -> tuple[list[Column], list[Column], np.ndarray]:
    import h5py

    table = group.get("table")
    if not isinstance(table, h5py.Dataset) or table.dtype.names is None or table.ndim != 1:
        raise FileFormatError(path, "the table is missing", f"{group.name}/table")
    check_dataset(table, path, table.name)
    rows = table[()]
    columns: list[Column] = []
    blocks: list[np.ndarray] = []
    for name in table.dtype.names:
        if not name.startswith("values_block_"):
            continue
        labels = _pickled(table.attrs.get(f"{name}_kind"), path, f"{table.name}.{name}_kind")
        if not isinstance(labels, list) or len(labels) > MAX_COLUMNS:
            raise FileFormatError(path, "the columns' names are damaged", f"{table.name}.{name}_kind")
        block = rows[name].reshape(len(rows), -1)
        columns += [_column(label) for label in labels]
        blocks.append(_as_numbers(block, path, f"{table.name}.{name}"))
        if block.shape[1] != len(labels):
            raise FileFormatError(path, f"{len(labels)} names for {block.shape[1]} columns", f"{table.name}.{name}")
    if not blocks:
        raise FileFormatError(path, "no columns of numbers", table.name)
    index = [name for name in table.dtype.names if not name.startswith("values_block_")]
    keys: list[Column] = [(str(row),) for row in range(len(rows))]
    if index:
        keys = list(zip(*(texts(rows[name]) for name in index), strict=True))
    return columns, keys, np.concatenate(blocks, axis=1)


def _read_fixed(group: h5py.Group, path: str | PathLike[str]) -> tuple[list[Column], list[Column], np.ndarray]:
    count = int(group.attrs.get("nblocks", 0))
    index = _axis(group, "axis1", path)
    columns: list[Column] = []
    blocks: list[np.ndarray] = []
    for number in range(min(count, MAX_COLUMNS)):
        name = f"block{number}_values"
        values = read_dataset(group, name, path)
        items = _axis(group, f"block{number}_items", path)
        if values.ndim == 2 and not bool(group[name].attrs.get("transposed", False)):
            values = values.T
        if values.shape != (len(index), len(items)):
            raise FileFormatError(path, f"{values.shape} values for {len(index)} rows and {len(items)} columns", name)
        columns += items
        blocks.append(_as_numbers(values, path, name))
    if not blocks:
        raise FileFormatError(path, "no columns of numbers", group.name)
    return columns, index, np.concatenate(blocks, axis=1)


def _axis(group: h5py.Group, name: str, path: str | PathLike[str]) -> list[Column]:
    """The labels of an axis: one array, or levels and codes of a MultiIndex."""
    if _text(group.attrs.get(f"{name}_variety", b"")) != "multi":
        return [(label,) for label in _labels(group, name, path)]
    parts = []
    for level in range(min(int(group.attrs.get(f"{name}_nlevels", 0)), 16)):
        labels = _labels(group, f"{name}_level{level}", path)
        codes = read_dataset(group, f"{name}_label{level}", path)
        if codes.dtype.kind not in "iu" or (codes.size and not (codes.min() >= -1 and codes.max() < len(labels))):
            raise FileFormatError(path, "codes beyond the labels", f"{name}_label{level}")
        parts.append(["" if code < 0 else labels[code] for code in codes.ravel()])
    return list(zip(*parts, strict=True))


def _labels(group: h5py.Group, name: str, path: str | PathLike[str]) -> list[str]:
    array = read_dataset(group, name, path)
    if array.dtype.kind == "O" and array.size:
        # A pickled array of Python objects in PyTables' VLArray, one row of bytes.
        pickled = restricted_loads(np.asarray(array.ravel()[0], np.uint8).tobytes(), path, name)
        array = np.asarray(pickled)
    return texts(array)


def _as_numbers(array: np.ndarray, path: str | PathLike[str], field: str) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        raise FileFormatError(path, f"expected numbers, found {array.dtype}", field)
    return array.astype(np.float64)


def _column(label: Any) -> Column:
    return tuple(str(part) for part in label) if isinstance(label, tuple) else (str(label),)


def _pickled(value: Any, path: str | PathLike[str], field: str) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tobytes()
    if isinstance(value, str):
        value = value.encode("latin1", "replace")
    if not isinstance(value, bytes):
        raise FileFormatError(path, "the columns' names are missing", field)
    return restricted_loads(bytes(value), path, field)


def _text(value: Any) -> str:
    """An attribute as a text: PyTables writes plain bytes, or a pickled text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

"""One variable of a CDF file (NASA's Common Data Format), read by cdflib after a look at the counts in its headers.

cdflib believes every count in a file: a damaged one makes it loop over billions of entries. What it will count through
is compared with the size of the file first. Source: "CDF Internal Format Description", version 3.9, NASA.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lift3d.errors import FileFormatError, MissingDependencyError
from lift3d.io.hdf5_files import MAX_BYTES, MOST_PACKED

_MAGIC = {bytes.fromhex("cdf30001"): (8, 256), bytes.fromhex("cdf26002"): (4, 64), bytes.fromhex("0000ffff"): (4, 64)}
_UNCOMPRESSED = bytes.fromhex("0000ffff")
_VXR = 6  # the type of an index record
_MAX_DIMENSIONS = 16
_MAX_LEVELS = 1000


def read_variable(path: Path, name: str) -> np.ndarray:
    """The values of a variable, (records, ...) or without the axis of records if it has only one.

    Raises:
        FileFormatError: no such file, not a CDF file, damaged, or without the variable.
        MissingDependencyError: cdflib is not installed.
    """
    try:
        import cdflib
    except ImportError as error:
        raise MissingDependencyError("CDF files need cdflib: pip install 'lift3d[train]'") from error
    try:
        _check(path.read_bytes())
        return np.asarray(cdflib.CDF(path).varget(name))
    except Exception as error:
        # Damaged files make cdflib raise whatever the bytes lead it to.
        raise FileFormatError(path, f"not a readable CDF file with this variable ({error})", name) from error


@dataclass(frozen=True)
class _Records:
    """The bytes of a file and the width of its offsets."""

    data: bytes
    offset_width: int

    def number(self, place: int, width: int = 4) -> int:
        if not 0 <= place <= len(self.data) - width:
            raise ValueError("a record lies outside of the file")
        return int.from_bytes(self.data[place : place + width], "big", signed=True)

    def offset(self, place: int) -> int:
        return self.number(place, self.offset_width)

    def count(self, place: int, most: int) -> int:
        count = self.number(place)
        if not 0 <= count <= most:
            raise ValueError(f"a count of {count} is damaged")
        return count


def _check(data: bytes) -> None:
    """Raises ValueError if the file counts more things than it can hold."""
    if data[:4] not in _MAGIC:
        raise ValueError("it does not begin as one")
    if data[4:8] != _UNCOMPRESSED:
        return  # packed as a whole: a check sum guards what cdflib unpacks
    width, name_length = _MAGIC[data[:4]]
    records = _Records(data, width)
    head = 4 + width  # the size and the type that every record begins with
    descriptor = records.offset(8 + head)
    counts = descriptor + head + 4 * width
    # Variables, attributes and dimensions of the old kind, then variables of the new kind.
    for place, most in ((0, len(data)), (4, len(data)), (12, _MAX_DIMENSIONS), (16, len(data))):
        records.count(counts + place, most // 16 if most > _MAX_DIMENSIONS else most)
    variable = records.offset(descriptor + head + width)
    for _ in range(records.number(counts + 16)):
        last = records.number(variable + head + width + 4)
        fields = variable + head + 3 * width + 8
        elements = records.number(fields + 20)
        dimensions = fields + 32 + width + name_length
        values = max(elements, 1) * (last + 1)
        for axis in range(records.count(dimensions, _MAX_DIMENSIONS)):
            values *= records.count(dimensions + 4 + 4 * axis, MAX_BYTES)
        if not 0 <= values * 8 <= min(MAX_BYTES, MOST_PACKED * len(data)):
            raise ValueError(f"a variable claims {values} values, over the limit")
        _check_index(records, records.offset(variable + head + width + 8), 0)
        variable = records.offset(variable + head)


def _check_index(records: _Records, place: int, level: int) -> None:
    """Follow a variable's index of its blocks, which may refer to further indices."""
    head = 4 + records.offset_width
    seen = 0
    while place > 0:
        seen += 1
        if level + seen > _MAX_LEVELS:
            raise ValueError("its index runs in a circle")
        entries = place + head + records.offset_width
        room = records.count(entries, len(records.data) // 4)
        used = records.count(entries + 4, room)
        for entry in range(used):
            block = records.offset(entries + 8 + 8 * room + records.offset_width * entry)
            if records.number(block + records.offset_width) == _VXR:
                _check_index(records, block, level + seen)
        place = records.offset(place + head)

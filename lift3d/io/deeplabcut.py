"""DeepLabCut: labels and predictions, CSV and HDF5, one and many animals.

Columns have the levels scorer, [individuals,] bodyparts, coords (x, y[, likelihood]); the index is the frame number of
a prediction or the image of a label, in one column or, since DeepLabCut 2.3, in three.
"""

from __future__ import annotations

import csv
from os import PathLike
from pathlib import Path

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.frame_numbers import check_span, describe_missing
from lift3d.io.hdf5_files import SIGNATURE, open_hdf5
from lift3d.io.json_values import read_head
from lift3d.io.layouts import MAX_JOINTS, check_layout, layout_from_names
from lift3d.io.pandas_hdf5 import Column, read_frame
from lift3d.io.recording import MAX_PEOPLE, Detection, Request, check_size, keypoints_from_arrays
from lift3d.poses import Keypoints2D

NAME = "deeplabcut"
TITLE = "DeepLabCut CSV or HDF5"

_LEVELS = ("scorer", "individuals", "bodyparts", "coords")


def sniff(path: Path) -> Detection | None:
    """Recognise the header rows of the CSV, or a pandas table with the key ``df_with_missing`` in HDF5."""
    if path.is_dir():
        return None
    head = read_head(path, 1 << 12)
    if head.startswith(SIGNATURE):
        try:
            with open_hdf5(path) as file:
                tables = [key for key, group in file.items() if "pandas_type" in group.attrs]
        except FileFormatError:
            return None
        return Detection(NAME, f"HDF5 with the pandas table {tables[0]!r}") if tables else None
    first = [line.split(b",")[0].strip().lower() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()[:4]]
    if first[:1] == [b"scorer"] and b"bodyparts" in first:
        return Detection(NAME, "CSV with the header rows scorer, bodyparts and coords")
    return None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read labels or predictions.

    Raises:
        FileFormatError: malformed header, a column twice or missing, a cell that is no number.
    """
    columns, index, values = _read_hdf5(path) if read_head(path, 8) == SIGNATURE else _read_csv(path)
    if not all(2 <= len(column) <= 3 for column in columns):
        raise FileFormatError(path, "columns need the levels [individuals,] bodyparts and coords", "columns")
    individuals = list(dict.fromkeys(column[0] if len(column) == 3 else "" for column in columns))
    joints = list(dict.fromkeys(column[-2] for column in columns))
    if len(individuals) > MAX_PEOPLE or len(joints) > MAX_JOINTS:
        raise FileFormatError(path, f"{len(individuals)} individuals with {len(joints)} body parts are over the limit")
    check_size(len(values), len(individuals), len(joints), path)
    table = np.full((len(values), len(individuals), len(joints), 3), np.nan)
    filled = set()
    for number, column in enumerate(columns):
        person = individuals.index(column[0] if len(column) == 3 else "")
        joint, axis = joints.index(column[-2]), {"x": 0, "y": 1, "likelihood": 2}.get(column[-1])
        if axis is None:
            raise FileFormatError(path, f"expected x, y or likelihood, found {column[-1]!r}", f"column {number}")
        if (person, joint, axis) in filled:
            raise FileFormatError(path, f"column {'/'.join(column)} comes twice", f"column {number}")
        filled.add((person, joint, axis))
        table[:, person, joint, axis] = values[:, number]
    lacking = [f"{i} {j}".strip() for p, i in enumerate(individuals) for k, j in enumerate(joints)
               if ((p, k, 0) in filled) != ((p, k, 1) in filled)]  # fmt: skip
    if lacking:
        raise FileFormatError(path, f"only one of x and y is there for {', '.join(lacking[:5])}", "columns")
    steps: list[str] = []
    table = _in_time(table, index, path, steps)
    scores = any(axis == 2 for *_, axis in filled)
    skeleton = layout_from_names(joints, path, "bodyparts")
    if request.skeleton:
        skeleton = check_layout(request.skeleton, len(joints), path, "bodyparts")
    names = {"track_names": individuals} if individuals != [""] else {}
    return keypoints_from_arrays(
        path, table[..., :2], table[..., 2] if scores else None, skeleton, request, steps, **names
    )


def _in_time(table: np.ndarray, index: list[Column], path: str | PathLike[str], steps: list[str]) -> np.ndarray:
    """The rows in order of their frame numbers, missing ones NaN; labelled images stay as they come."""
    try:
        numbers = [float(key[-1]) for key in index]
        frames = [int(number) for number in numbers]
        if any(len(key) != 1 for key in index) or frames != numbers:
            raise ValueError
    except (ValueError, OverflowError):
        steps.append("rows are labelled images, not a video: each is a frame, in the order of the file")
        return table
    if not frames:
        return table
    if len(set(frames)) != len(frames):
        twice = next(frame for frame in frames if frames.count(frame) > 1)
        raise FileFormatError(path, f"frame {twice} comes twice", "index")
    first, span = check_span(frames, path)
    if frames == list(range(first, first + span)):
        return table
    if frames != sorted(frames):
        steps.append("repaired: rows were out of order and were sorted by frame number")
    if missing := describe_missing(frames):
        steps.append(missing)
    check_size(span, table.shape[1], table.shape[2], path)
    whole = np.full((span, *table.shape[1:]), np.nan)
    whole[np.array(frames) - first] = table
    return whole


def _read_hdf5(path: Path) -> tuple[list[Column], list[Column], np.ndarray]:
    """Columns without their scorer, index and values."""
    with open_hdf5(path) as file:
        tables = [key for key, group in file.items() if "pandas_type" in group.attrs]
        if len(tables) != 1:
            raise FileFormatError(path, f"expected one pandas table, found {len(tables)}")
        columns, index, values = read_frame(file[tables[0]], path)
    return [column[1:] for column in columns], index, values


def _read_csv(path: Path) -> tuple[list[Column], list[Column], np.ndarray]:
    """Columns without their scorer, index and values."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(path, f"not a readable CSV ({error})") from error
    header: dict[str, list[str]] = {}
    while rows and rows[0][0].strip().lower() in _LEVELS:
        cells = [cell.strip() for cell in rows.pop(0)]
        header[cells[0].lower()] = cells
    if not {"bodyparts", "coords"} <= header.keys():
        raise FileFormatError(path, "the header rows bodyparts and coords are missing", "line 1")
    width = len(header["coords"])
    levels = [header[level] for level in _LEVELS[1:] if level in header]
    if any(len(level) != width for level in levels):
        raise FileFormatError(path, "the header rows differ in length", "line 1")
    # The index takes the columns that carry no coordinate: one, or three since DeepLabCut 2.3.
    start = next((i for i, cell in enumerate(header["coords"]) if i and cell), width)
    columns = [tuple(level[i] for level in levels) for i in range(start, width)]
    if not columns:
        raise FileFormatError(path, "no columns of coordinates", "coords")
    values = np.full((len(rows), len(columns)), np.nan)
    for number, row in enumerate(rows):
        line = f"line {number + len(header) + 1}"
        # Rows of images without a label may be short; a short row with values was cut off.
        if len(row) != width and (len(row) > width or any(cell.strip() for cell in row[start:])):
            raise FileFormatError(path, f"{len(row)} cells, the header has {width}; was the file cut off?", line)
        try:
            values[number, : len(row) - start] = [float(cell) if cell.strip() else np.nan for cell in row[start:]]
        except ValueError as error:
            raise FileFormatError(path, f"a cell is not a number ({error})", line) from error
    return columns, [tuple(row[:start]) for row in rows], values

"""MediaPipe pose landmarks as people dump them, in CSV.

Wide: one row a frame, columns named by landmark and coordinate (``x0``, ``x_0``, ``0_x``, ``nose_x``, ``NOSE_X``,
``landmark_0_x``). Long: one row a landmark, columns ``frame``, ``landmark`` (number or name), ``x``, ``y``,
``visibility``. Frames without a person are empty cells, or left out.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.json_values import MAX_NUMBER, Repairs, read_head
from lift3d.io.mediapipe import landmarks_to_keypoints
from lift3d.io.recording import Detection, Person, Request
from lift3d.joint_names import canonical_joint_name
from lift3d.poses import Keypoints2D
from lift3d.skeletons import BLAZEPOSE33

NAME = "mediapipe_csv"
TITLE = "MediaPipe pose landmarks, CSV"

_AXES = {"x": 0, "y": 1, "visibility": 2, "v": 2, "vis": 2, "score": 2, "confidence": 2}
_FRAME = ("frame", "frame_id", "frame_index", "frame_number", "frame_idx", "frameindex", "image", "index")
_LANDMARK = (
    "landmark",
    "landmark_id",
    "landmark_index",
    "landmark_idx",
    "landmark_name",
    "id",
    "name",
    "joint",
    "keypoint",
)


def sniff(path: Path) -> Detection | None:
    """Recognise the header row of either shape, with most of the 33 landmarks in the wide one."""
    if path.is_dir() or path.suffix.lower() != ".csv":
        return None
    lines = read_head(path, 1 << 14).decode("utf-8-sig", "replace").splitlines()
    header = [cell.strip() for cell in lines[0].split(",")] if lines else []
    if "space" in header:  # lift3d's own table of 3D poses
        return None
    if _long_columns(header) is not None:
        return Detection(NAME, "CSV with one landmark a row, as dumped from MediaPipe", BLAZEPOSE33.name)
    if len({joint for joint, _ in _wide_columns(header)}) >= 25:
        return Detection(NAME, "CSV with the columns of MediaPipe's landmarks", BLAZEPOSE33.name)
    return None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read the landmarks.

    Raises:
        FileFormatError: malformed, or the image size is needed and unknown.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(path, f"not a readable CSV ({error})") from error
    header = [cell.strip() for cell in rows[0]] if rows else []
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise FileFormatError(
                path, f"{len(row)} cells, the header has {len(header)}; was the file cut off?", f"line {line}"
            )
    repairs: Repairs = Counter()
    long = _long_columns(header)
    tables = _read_long(path, rows, long, repairs) if long else _read_wide(path, header, rows, repairs)
    frames = {
        number: [(Person(table[:, :2], table[:, 2]), f"frame {number}")] if np.isfinite(table[:, :2]).any() else []
        for number, table in tables.items()
    }
    return landmarks_to_keypoints(path, frames, request.image_size, request.fps, request, repairs)


def _joint(name: str) -> int | None:
    """Index of a landmark from its number or MediaPipe's name."""
    name = re.sub(r"^(pose_)?landmark[s_]*", "", name.strip().lower()).strip("_")
    if name.isdecimal() and len(name) < 4:
        return int(name)
    # MediaPipe's own names differ from lift3d's in order (mouth_left) and for the toes (left_foot_index).
    name = re.sub(r"^mouth_(left|right)$", r"\1_mouth", name).replace("foot_index", "big_toe")
    for candidate in (name, canonical_joint_name(name)):
        if candidate in BLAZEPOSE33.joints:
            return BLAZEPOSE33.joints.index(candidate)
    return None


def _wide_columns(header: list[str]) -> dict[tuple[int, int], int]:
    """Column of each (landmark number, axis); axis 2 is the visibility."""
    found: dict[tuple[int, int], int] = {}
    axes = "|".join(_AXES)
    for column, cell in enumerate(header):
        match = re.fullmatch(rf"(?:(.+)_({axes})|({axes})_?(\d+))", cell, re.IGNORECASE)
        if match is None:
            continue
        joint = _joint(match[1] if match[1] is not None else match[4])
        if joint is not None:
            found.setdefault((joint, _AXES[(match[2] or match[3]).lower()]), column)
    if found and min(joint for joint, _ in found) == 1 and max(joint for joint, _ in found) == len(BLAZEPOSE33):
        found = {(joint - 1, axis): column for (joint, axis), column in found.items()}  # numbered from 1
    return {key: column for key, column in found.items() if key[0] < len(BLAZEPOSE33)}


def _long_columns(header: list[str]) -> dict[str, int] | None:
    """Columns frame, landmark, x, y and perhaps visibility; None if this is not the long shape."""
    lower = [cell.lower() for cell in header]
    frame = next((lower.index(name) for name in _FRAME if name in lower), None)
    landmark = next((lower.index(name) for name in _LANDMARK if name in lower), None)
    if frame is None or landmark is None or "x" not in lower or "y" not in lower:
        return None
    visibility = next((lower.index(name) for name, axis in _AXES.items() if axis == 2 and name in lower), -1)
    return {
        "frame": frame,
        "landmark": landmark,
        "x": lower.index("x"),
        "y": lower.index("y"),
        "visibility": visibility,
    }


def _number(cell: str, path: Path, field: str, repairs: Repairs) -> float:
    if not cell.strip():
        return np.nan
    try:
        value = float(cell)
    except ValueError as error:
        raise FileFormatError(path, f"not a number: {cell[:40]!r}", field) from error
    if abs(value) > MAX_NUMBER:
        repairs["values that are infinite or absurd were taken as missing"] += 1
        return np.nan
    return value


def _frame(cell: str, path: Path, field: str) -> int:
    value = _number(cell, path, field, Counter())
    if not abs(value) < 1 << 53 or value != int(value):
        raise FileFormatError(path, f"not a frame number: {cell[:40]!r}", field)
    return int(value)


def _read_wide(path: Path, header: list[str], rows: list[list[str]], repairs: Repairs) -> dict[int, np.ndarray]:
    columns = _wide_columns(header)
    lacking = [BLAZEPOSE33.joints[k] for k in range(len(BLAZEPOSE33)) if (k, 0) not in columns or (k, 1) not in columns]
    if lacking:
        raise FileFormatError(path, f"no columns x and y for {', '.join(lacking[:5])}", "line 1")
    lower = [cell.lower() for cell in header]
    frame = next((lower.index(name) for name in _FRAME if name in lower), None)
    scored = any(axis == 2 for _, axis in columns)
    tables: dict[int, np.ndarray] = {}
    for index, row in enumerate(rows[1:]):
        field = f"line {index + 2}"
        number = index if frame is None else _frame(row[frame], path, field)
        if number in tables:
            raise FileFormatError(path, f"frame {number} comes twice", field)
        table = np.full((len(BLAZEPOSE33), 3), np.nan)
        for (joint, axis), column in columns.items():
            table[joint, axis] = _number(row[column], path, f"{field}, {header[column]}", repairs)
        if not scored:
            table[:, 2] = 1
        tables[number] = table
    return tables


def _read_long(path: Path, rows: list[list[str]], columns: dict[str, int], repairs: Repairs) -> dict[int, np.ndarray]:
    tables: dict[int, np.ndarray] = {}
    for index, row in enumerate(rows[1:]):
        field = f"line {index + 2}"
        joint = _joint(row[columns["landmark"]])
        if joint is None or joint >= len(BLAZEPOSE33):
            raise FileFormatError(path, f"no landmark {row[columns['landmark']][:40]!r}", field)
        number = _frame(row[columns["frame"]], path, field)
        table = tables.setdefault(number, np.full((len(BLAZEPOSE33), 3), np.nan))
        if np.isfinite(table[joint]).any():
            raise FileFormatError(path, f"landmark {joint} of frame {number} comes twice", field)
        for axis, name in enumerate(("x", "y", "visibility")):
            column = columns[name]
            table[joint, axis] = 1.0 if column < 0 else _number(row[column], path, f"{field}, {name}", repairs)
    return tables

"""Which images of several cameras belong to one moment."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from lift3d.calibration.footage import Footage, Images, Video
from lift3d.errors import FileFormatError

TIMESTAMPS = "timestamps.csv"

Moment = tuple[str, dict[str, int]]


def match_moments(footage: Mapping[str, Footage], timestamps: str | PathLike[str] | None = None) -> list[Moment]:
    """The moments of cameras that filmed at the same time.

    Images of one number belong to one moment: the frame of a video, the last number in an image's name that differs
    within its folder. With a single image a camera, these are one moment.

    Args:
        footage: the cameras by name.
        timestamps: Caliscope's ``timestamps.csv``, which says what frames of videos belong together; by default the one
            beside the videos, if there is one.

    Returns:
        A label and the index of each camera's image, for every moment in order.

    Raises:
        FileFormatError: the numbers in names are ambiguous, or the timestamps do not fit the videos.
    """
    if timestamps is None:
        folders = {item.path.parent for item in footage.values() if isinstance(item, Video)}
        beside = next(iter(folders)) / TIMESTAMPS if len(folders) == 1 else None
        if beside is not None and beside.is_file() and all(isinstance(item, Video) for item in footage.values()):
            timestamps = beside
    if timestamps is not None:
        by_camera = _read_timestamps(Path(timestamps), footage)
    elif all(len(item) == 1 for item in footage.values()):
        by_camera = {name: {0: 0} for name in footage}
    else:
        by_camera = {
            name: {number: index for index, number in enumerate(item.numbers())} for name, item in footage.items()
        }
    moments: dict[int, dict[str, int]] = {}
    for name, numbers in by_camera.items():
        for number, index in numbers.items():
            moments.setdefault(number, {})[name] = index
    return [(str(number), moments[number]) for number in sorted(moments)]


def single_moments(footage: Mapping[str, Footage]) -> list[Moment]:
    """Every image as a moment of its own; as ``match_moments``."""
    return [
        (f"{name}/{Path(item.name(index)).name}" if isinstance(item, Images) else f"{name}/{index}", {name: index})
        for name, item in footage.items()
        for index in range(len(item))
    ]


def _read_timestamps(path: Path, footage: Mapping[str, Footage]) -> dict[str, dict[int, int]]:
    """(sync index -> frame) of each camera from Caliscope's table: sync_index, cam_id, frame_index, frame_time."""
    rows: dict[int, dict[int, int]] = {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            columns = table.fieldnames or []
            camera_column = "cam_id" if "cam_id" in columns else "port"
            for column in ("sync_index", camera_column, "frame_index"):
                if column not in columns:
                    raise FileFormatError(path, "the column is missing", "cam_id" if column == "port" else column)
            for line, row in enumerate(table, start=2):
                try:
                    sync, camera, frame = (int(float(row[c])) for c in ("sync_index", camera_column, "frame_index"))
                except (TypeError, ValueError, OverflowError):
                    raise FileFormatError(path, "expected three whole numbers", f"line {line}") from None
                rows.setdefault(camera, {})[sync] = frame
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(path, f"cannot be read ({error})") from error
    result = {}
    for name, item in footage.items():
        number = re.search(r"(\d+)$", name) or re.search(r"(\d+)$", item.path.stem)
        if number is None or int(number[1]) not in rows:
            known = ", ".join(map(str, sorted(rows)))
            raise FileFormatError(
                path, f"camera {name!r} has no rows: its name must end in one of {known}", camera_column
            )
        frames = rows[int(number[1])]
        # Caliscope counts from the start of its program; the video starts with the first frame that it kept.
        first = min(frames.values()) if max(frames.values()) >= len(item) else 0
        if max(frames.values()) - first >= len(item) or min(frames.values()) < 0:
            span = max(frames.values()) - first + 1
            raise FileFormatError(path, f"camera {name!r}: {span} frames, but its video has {len(item)}", "frame_index")
        result[name] = {sync: frame - first for sync, frame in frames.items()}
    return result

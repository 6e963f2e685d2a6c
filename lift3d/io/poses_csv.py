"""3D poses as a tidy CSV, one row a frame, person and joint, as ``pandas.read_csv`` takes it without options.

Columns ``frame, time, person, joint, x, y, z, confidence, space`` and, where known, ``sigma``,
``reprojection_error``, ``cameras_used`` and ``source``: seconds (empty if the frame rate is unknown), the person's
track id, the joint's name, metres, 0..1, "camera" or "world", metres, pixels, a number, an index of
``lift3d.poses.SOURCES``. Every joint has its row in every frame; a missing one has x, y, z empty.
``df.pivot(index="frame", columns=["person", "joint"], values=["x", "y", "z"])`` is the wide table.
A file needs ``frame, joint, x, y, z``; rows may come in any order, and rows left out are missing joints.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError, ShapeError
from lift3d.io.files import atomic_path
from lift3d.io.poses_record import MAX_CELLS, PER_JOINT, check_last_line, layout_of, naming, short_text
from lift3d.poses import Poses3D

REQUIRED = ("frame", "joint", "x", "y", "z")
VALUES = ("x", "y", "z", *PER_JOINT)
# Frame numbers may have gaps, but a file of few rows does not describe hours.
MOST_FRAMES_A_ROW = 1000


def write_csv(poses: Poses3D, path: Path, overwrite: bool = False) -> None:
    """Write the poses as CSV.

    Raises:
        OutputExistsError: the file exists and ``overwrite`` is False.
        ShapeError: there are no frames or no people, which a table cannot say.
    """
    if not poses.frames or not poses.people:
        raise ShapeError(f"{poses.frames} frames of {poses.people} people make no table")
    extra = [name for name in PER_JOINT[1:] if getattr(poses, name) is not None]
    with atomic_path(path, overwrite) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", "time", "person", "joint", "x", "y", "z", "confidence", "space", *extra])
        for frame in range(poses.frames):
            time = "" if poses.fps is None else repr(frame / poses.fps)
            xyz, confidence = short_text(poses.xyz[frame]), short_text(poses.confidence[frame])
            others = [short_text(getattr(poses, name)[frame]) for name in extra]
            writer.writerows(
                [frame, time, track, name, *xyz[person, joint], confidence[person, joint], poses.space]
                + [other[person, joint] for other in others]
                for person, track in enumerate(poses.track_ids)
                for joint, name in enumerate(poses.skeleton.joints)
            )


def read_csv(path: Path) -> Poses3D:
    """Read the poses of a tidy CSV. Raises FileFormatError that names the line and the column."""
    try:
        check_last_line(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(csv.reader(file, strict=True), path)
    except UnicodeDecodeError as error:
        raise FileFormatError(path, f"not a text file ({error.reason} at byte {error.start})") from error
    except csv.Error as error:
        raise FileFormatError(path, f"not a CSV file ({error})") from error
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error


def _read(reader: Any, path: Path) -> Poses3D:
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in REQUIRED if name not in header]
    if missing or len(set(header)) != len(header):
        raise FileFormatError(
            path, f"the first line must name the columns {', '.join(REQUIRED)} once; missing: {', '.join(missing)}"
        )
    column = {name: index for index, name in enumerate(header)}
    values = [name for name in VALUES if name in column]
    frames: list[int] = []
    people: list[int] = []
    joints: list[str] = []
    numbers: list[list[float]] = []
    times: dict[int, float] = {}
    spaces: set[str] = set()
    for row in reader:
        if not row:
            continue
        line = f"line {reader.line_num}"
        if len(row) != len(header):
            raise FileFormatError(path, f"{len(row)} columns instead of {len(header)}; was the file cut off?", line)
        frame = _whole(row[column["frame"]], path, line, "frame")
        frames.append(frame)
        people.append(_whole(row[column["person"]], path, line, "person") if "person" in column else 0)
        joints.append(row[column["joint"]])
        numbers.append([_number(row[column[name]], path, line, name) for name in values])
        if "time" in column and not math.isnan(time := _number(row[column["time"]], path, line, "time")):
            times[frame] = time
        if "space" in column:
            spaces.add(row[column["space"]])
    if not frames:
        raise FileFormatError(path, "there are no rows")
    if len(spaces) > 1:
        raise FileFormatError(path, f"rows in different spaces ({', '.join(sorted(spaces))})", "space")

    names, tracks, first = list(dict.fromkeys(joints)), list(dict.fromkeys(people)), min(frames)
    count = max(frames) - first + 1
    if count > MOST_FRAMES_A_ROW * len(frames) or count * len(names) * len(tracks) > MAX_CELLS:
        raise FileFormatError(
            path, f"frames {first} to {max(frames)} of {len(tracks)} people with {len(names)} joints are too many"
        )
    joint_index = {name: index for index, name in enumerate(names)}
    track_index = {track: index for index, track in enumerate(tracks)}
    flat = np.ravel_multi_index(
        (
            np.array(frames) - first,
            np.array([track_index[track] for track in people]),
            np.array([joint_index[name] for name in joints]),
        ),
        (count, len(tracks), len(names)),
    )
    if len(np.unique(flat)) != len(flat):
        raise FileFormatError(path, "a frame, person and joint has two rows")
    cells = np.full((count * len(tracks) * len(names), len(values)), np.nan, np.float32)
    with np.errstate(over="ignore"):
        cells[flat] = np.array(numbers)
    table = cells.reshape(count, len(tracks), len(names), len(values))
    per_joint: dict[str, Any] = {name: table[..., index] for index, name in enumerate(values) if index >= 3}
    with naming(path):
        return Poses3D(
            xyz=table[..., :3],
            **per_joint,
            skeleton=layout_of(names),
            fps=_frame_rate(times, path),
            track_ids=tuple(tracks),
            space=next(iter(spaces), "world"),
            provenance={"source": str(path), "format": "CSV"},
        )


def _frame_rate(times: dict[int, float], path: Path) -> float | None:
    if len(times) < 2:
        return None
    first, last = min(times), max(times)
    seconds = times[last] - times[first]
    rate = (last - first) / seconds if seconds > 0 else math.nan
    expected = [times[first] + (frame - first) / rate for frame in times] if rate > 0 else []
    if not expected or max(map(abs, map(float.__sub__, expected, times.values()))) > 0.5 / rate:
        raise FileFormatError(path, "the times do not grow evenly with the frames", "time")
    return round(rate, 9)


def _whole(text: str, path: Path, line: str, name: str) -> int:
    number = _number(text, path, line, name)
    if math.isnan(number) or number != int(number) or abs(number) > 1 << 53:
        raise FileFormatError(path, f"expected a whole number, found {text!r}", f"{line}, {name}")
    return int(number)


def _number(text: str, path: Path, line: str, name: str) -> float:
    try:
        number = float(text) if text.strip() else math.nan
    except ValueError as error:
        raise FileFormatError(path, f"expected a number, found {text[:40]!r}", f"{line}, {name}") from error
    if math.isinf(number):
        raise FileFormatError(path, "holds an infinite number", f"{line}, {name}")
    return number

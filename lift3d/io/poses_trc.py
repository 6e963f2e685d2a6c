"""3D poses as TRC, the marker file of OpenSim: tab-separated text, one person, **Y up**.

World space (Z up) becomes OpenSim's ground by ``(X, Y, Z) = (y, z, x)``, a turn of the axes that Pose2Sim makes too,
and comes back by ``(x, y, z) = (Z, X, Y)``. Poses in camera space (y down) are written as a level camera sees them,
``(X, Y, Z) = (x, -y, -z)``; a TRC knows no camera, and so they come back as world space.

Positions are written in metres, which OpenSim reads by the header's ``Units`` and works in itself; files in ``m``,
``cm`` and ``mm`` are read. A missing marker is an empty field.
Marker names go through ``canonical_joint_name`` (RHip -> right_hip) and are else kept as they stand: what "Neck" and
"Head" mean is up to the program that wrote the file (in Pose2Sim's BODY_25B files the upper neck and the top of the
head), and they stay ``neck`` and ``head``.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.geometry.level import to_level
from lift3d.io.files import atomic_path
from lift3d.io.marker_files import check_markers, person_files
from lift3d.io.poses_record import MAX_CELLS, check_last_line, layout_of, naming, short_text
from lift3d.poses import Poses3D

UNITS = {"m": 1.0, "meters": 1.0, "cm": 0.01, "mm": 0.001}
HEADER = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame")
MAX_BYTES = 2 << 30


def write_trc(poses: Poses3D, path: Path, overwrite: bool = False) -> list[Path]:
    """Write one TRC a person: ``path`` itself for a single one, ``take_id0.trc``, ... for several.

    Returns:
        The files that were written.

    Raises:
        ShapeError: the frame rate is unknown, or there are no people, no frames, or names with tabs or line ends.
        OutputExistsError: a file exists and ``overwrite`` is False; nothing was written.
    """
    check_markers(poses, "TRC")
    paths = person_files(poses, path, overwrite)
    x, y, z = np.moveaxis(to_level(poses.xyz, poses.space), -1, 0)
    ground = np.stack([y, z, x], axis=-1)
    for person, file in enumerate(paths):
        with atomic_path(file, overwrite) as temporary:
            temporary.write_text(_text(ground[:, person], poses, file.name), encoding="utf-8")
    return paths


def _text(ground: np.ndarray, poses: Poses3D, name: str) -> str:
    joints, fps = poses.skeleton.joints, f"{poses.fps:.12g}"
    rows = short_text(ground.reshape(len(ground), -1))
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "\t".join([*HEADER, "OrigNumFrames"]),
        "\t".join([fps, fps, str(poses.frames), str(len(joints)), "m", fps, "1", str(poses.frames)]),
        "\t".join(["Frame#", "Time", *(field for joint in joints for field in (joint, "", ""))]),
        "\t".join(["", "", *(f"{axis}{index + 1}" for index in range(len(joints)) for axis in "XYZ")]),
        *(
            "\t".join([str(frame + 1), f"{frame / float(poses.fps or 1):.6f}", *row])
            for frame, row in enumerate(rows.tolist())
        ),
    ]
    return "\n".join(lines) + "\n"


def read_trc(path: Path) -> Poses3D:
    """Read the person of a TRC as world space, Z up, in metres.

    A file that ends with a whole line before its ``NumFrames`` frames is read as far as it goes (Pose2Sim writes such
    files), and the provenance says so; one that ends within a line is an error.

    Raises:
        FileFormatError: the file is no TRC, cut off or malformed; the message names the line.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise FileFormatError(path, f"{size / 2**30:.1f} GiB are over the limit of 2 GiB")
        check_last_line(path)
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(path, f"not a text file ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    lines = text.splitlines()
    if len(lines) < 5 or not lines[0].startswith("PathFileType"):
        raise FileFormatError(path, "not a TRC file (it starts with PathFileType and has five header lines)", "line 1")
    header = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    fps = _header_number(header, "DataRate", path)
    declared = _header_number(header, "NumFrames", path)
    unit = header.get("Units", "").lower()
    if unit not in UNITS:
        raise FileFormatError(path, f"the unit must be one of {', '.join(UNITS)}, not {unit!r}", "Units")
    markers = [name.strip() for name in _fields(lines[3])[2:] if name.strip()]
    if len(markers) != _header_number(header, "NumMarkers", path):
        raise FileFormatError(path, f"{len(markers)} marker names, but NumMarkers is {header['NumMarkers']}", "line 4")
    if not markers or len(set(markers)) != len(markers):
        raise FileFormatError(path, "there is no marker, or two have the same name", "line 4")

    rows = [(number, line) for number, line in enumerate(lines[5:], start=6) if line.strip()]
    if not rows or len(rows) > declared or len(rows) * len(markers) > MAX_CELLS:
        raise FileFormatError(path, f"{declared:g} frames are declared, {len(rows)} are there", "NumFrames")
    ground = np.stack([_row(line, 3 * len(markers), path, number) for number, line in rows])
    X, Y, Z = np.moveaxis(ground.reshape(len(rows), 1, len(markers), 3) * UNITS[unit], -1, 0)
    steps = ["axes turned from Y up to Z up: (x, y, z) = (Z, X, Y)"]
    if len(rows) < declared:
        steps.append(f"the header declares {declared:g} frames, the file holds {len(rows)}")
    with naming(path), np.errstate(over="ignore"):
        return Poses3D(
            xyz=np.stack([Z, X, Y], axis=-1),
            skeleton=layout_of(markers),
            fps=fps,
            space="world",
            provenance={"source": str(path), "format": "TRC", "steps": steps},
        )


def _header_number(header: dict[str, str], name: str, path: Path) -> float:
    try:
        number = float(header[name])
    except (KeyError, ValueError):
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        raise FileFormatError(path, f"expected a positive number, found {header.get(name)!r}", name)
    return number


def _fields(line: str) -> list[str]:
    """The fields of a line; some programs separate them by spaces."""
    return line.split("\t") if "\t" in line else line.split()


def _row(line: str, count: int, path: Path, number: int) -> np.ndarray:
    """The coordinates of one line; trailing empty fields may be left out by programs that trim lines."""
    fields = _fields(line)
    values = fields[2:]
    while len(values) > count and not values[-1].strip():
        values.pop()
    if len(fields) < 2 or len(values) > count or (len(values) < count and (len(values) % 3 or "\t" not in line)):
        raise FileFormatError(path, f"{len(values)} coordinates instead of {count}", f"line {number}")
    try:
        row = np.array([float(value) if value.strip() else math.nan for value in values], dtype=np.float64)
    except ValueError as error:
        raise FileFormatError(path, f"expected numbers ({error})", f"line {number}") from error
    if np.isinf(row).any():
        raise FileFormatError(path, "holds an infinite number", f"line {number}")
    return np.pad(row, (0, count - len(row)), constant_values=math.nan)

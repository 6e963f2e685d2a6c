"""The two files of Acclaim motion capture: ASF, a skeleton of bones, and AMC, the angles of its joints frame by frame.

Source: the format's description by M. Meredith and S. Maddock, "Motion Capture File Formats Explained", University of
Sheffield CS-01-11, 2001; J. Lander, "Working with Motion Capture File Formats", Game Developer, January 1998.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np

from lift3d.errors import FileFormatError

MAX_SKELETON_BYTES = 1 << 22
MAX_MOTION_BYTES = 1 << 28
MAX_BONES = 500
INCH = 0.0254
ROOT = "root"
TURNS = ("rx", "ry", "rz")
SHIFTS = ("tx", "ty", "tz")


@dataclass(frozen=True)
class AcclaimBone:
    """A bone, or the root, which has no length.

    Attributes:
        name: as it stands in the file.
        parent: index, -1 for the root.
        offset: (3,) from the bone's start to its end, in the file's unit and in the axes of the whole figure.
        axis: (3,) angles in the file's unit that turn the figure's axes into those of the bone.
        axis_order: in which the three are applied, such as "xyz".
        channels: what an AMC gives for each frame, in this order: rx ry rz, and of the root tx ty tz too.
    """

    name: str
    parent: int
    offset: np.ndarray
    axis: np.ndarray
    axis_order: str
    channels: tuple[str, ...]


@dataclass(frozen=True)
class AcclaimSkeleton:
    """An ASF.

    Attributes:
        bones: parents before children, the root first.
        position: (3,) of the root, added to that of every frame.
        metres: of the file's unit of length.
        degrees: whether angles are in degrees, not radians.
    """

    bones: tuple[AcclaimBone, ...]
    position: np.ndarray
    metres: float
    degrees: bool


def read_asf(path: Path) -> AcclaimSkeleton:
    """Read the skeleton of an ASF file.

    Raises:
        FileFormatError: it is no ASF, cut off or malformed; names the section or the bone.
    """
    sections: dict[str, list[str]] = {}
    for line in _lines(path, MAX_SKELETON_BYTES):
        if line.startswith(":"):
            key, _, rest = line[1:].partition(" ")
            sections[key.lower()] = current = [rest.strip()] if rest.strip() else []
        elif sections:
            current.append(line)
        else:
            raise FileFormatError(path, "not an ASF file: it starts with no :section")
    for section in ("root", "bonedata", "hierarchy"):
        if section not in sections:
            raise FileFormatError(path, "the section is missing; is it an ASF, and was it cut off?", f":{section}")
    units = {words[0].lower(): words[1:] for line in sections.get("units", []) if (words := line.split())}
    length = float(_numbers(units.get("length", ["1"]), 1, path, ":units length")[0])
    if length <= 0:
        raise FileFormatError(path, f"must be positive, not {length:g}", ":units length")
    angle = (units.get("angle") or ["deg"])[0].lower()
    if angle not in ("deg", "rad"):
        raise FileFormatError(path, f"must be deg or rad, not {angle!r}", ":units angle")
    root, position = _root(sections["root"], path)
    bones = dict(_bones(sections["bonedata"], path))
    parents = _parents(sections["hierarchy"], bones, path)
    found, index = [root], {ROOT: 0}
    for name in parents:
        found.append(AcclaimBone(name, index[parents[name]], *bones[name]))
        index[name] = len(found) - 1
    return AcclaimSkeleton(tuple(found), position, INCH / length, angle == "deg")


def read_amc(path: Path, skeleton: AcclaimSkeleton) -> dict[str, np.ndarray]:
    """Read the motion of an AMC file.

    Returns:
        For each bone that the file moves (frames, its channels), in the units of the skeleton.

    Raises:
        FileFormatError: it is no AMC, cut off or malformed, or does not fit the skeleton; names frame and bone.
    """
    lines = [line for line in _lines(path, MAX_MOTION_BYTES) if not line.startswith(":")]
    if not lines or not lines[0].isdecimal():
        raise FileFormatError(path, "not an AMC file: no frame number follows its head")
    channels = {bone.name: bone.channels for bone in skeleton.bones}
    # The first frame says which bones every frame moves.
    moved = [line.split()[0] for line in takewhile(lambda line: not line.isdecimal(), lines[1:])]
    where = f"frame {lines[0]}"
    if unknown := [name for name in moved if name not in channels]:
        problem = "the skeleton has no such bone; is it the ASF of this motion?"
        raise FileFormatError(path, problem, f"{where}, bone {unknown[0][:40]}")
    if len(set(moved)) < len(moved):
        raise FileFormatError(path, "a bone is moved twice in one frame", where)
    if ROOT not in moved:
        raise FileFormatError(path, "the root is not moved; was the file cut off?", where)
    size = len(moved) + 1
    frames = [line[:40] for line in lines[::size]]
    motion = {
        name: _angles(lines[place::size], name, channels[name], frames, path)
        for place, name in enumerate(moved, start=1)
    }
    if len(lines) != len(frames) * size:
        raise FileFormatError(path, "ends within a frame; was the file cut off?", f"frame {frames[-1]}")
    numbers = _numbers(frames, len(frames), path, "frame numbers")
    if jumps := np.flatnonzero(np.diff(numbers) != 1).tolist():
        problem = f"{frames[jumps[0] + 1]} follows on {frames[jumps[0]]}; frames are missing"
        raise FileFormatError(path, problem, "frame numbers")
    return motion


def _angles(lines: list[str], name: str, channels: tuple[str, ...], frames: list[str], path: Path) -> np.ndarray:
    """(frames, channels) of a bone from its lines, each checked to be of that bone."""
    rows = [line.split() for line in lines]
    for frame, row in zip(frames, rows, strict=False):
        if row[0] != name or len(row) != len(channels) + 1:
            needed = f"{name} and {len(channels)} numbers ({' '.join(channels) or 'none'})"
            problem = f"expected {needed}, as the skeleton has it, found {' '.join(row)[:60]!r}; was the file cut off?"
            raise FileFormatError(path, problem, f"frame {frame}, bone {name}")
    numbers = _numbers([word for row in rows for word in row[1:]], len(rows) * len(channels), path, f"bone {name}")
    return numbers.reshape(len(rows), len(channels))


def _lines(path: Path, most: int) -> Iterator[str]:
    """Lines without comments and blanks; not one is empty."""
    try:
        if (size := path.stat().st_size) > most:
            raise FileFormatError(path, f"{size / 2**20:.0f} MiB are over the limit of {most >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig", errors="strict")
    except UnicodeDecodeError as error:
        raise FileFormatError(path, f"not a text file ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    for line in text.splitlines():
        if line := line.partition("#")[0].strip():
            yield line


def _root(lines: list[str], path: Path) -> tuple[AcclaimBone, np.ndarray]:
    entries = {words[0].lower(): words[1:] for line in lines if (words := line.split())}
    order = tuple(word.lower() for word in entries.get("order", []))
    if len(set(order)) != len(order) or not set(order) <= {*TURNS, *SHIFTS} or not order:
        raise FileFormatError(path, f"must list some of TX TY TZ RX RY RZ, not {' '.join(order)!r}", ":root order")
    axis_order = _axis_order(entries.get("axis", ["XYZ"]), path, ":root axis")
    angles = _numbers(entries.get("orientation", ["0"] * 3), 3, path, ":root orientation")
    position = _numbers(entries.get("position", ["0"] * 3), 3, path, ":root position")
    return AcclaimBone(ROOT, -1, np.zeros(3), angles, axis_order, order), position


def _bones(lines: list[str], path: Path) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray, str, tuple[str, ...]]]]:
    """(name, (offset, axis, its order, channels)) of each bone."""
    names: set[str] = set()
    entries: dict[str, list[str]] | None = None
    for line in lines:
        key, *values = line.split()
        key = key.lower()
        if key == "begin" and entries is None:
            entries = {}
        elif key == "end" and entries is not None:
            name = (entries.get("name") or [""])[0]
            where = f":bonedata {name or f'bone {len(names) + 1}'}"
            if not name or name in names or name == ROOT or len(names) >= MAX_BONES:
                raise FileFormatError(path, f"a bone without a name, a name twice, or over {MAX_BONES} bones", where)
            names.add(name)
            channels = tuple(word.lower() for word in entries.get("dof", []))
            if not set(channels) <= set(TURNS) or len(set(channels)) != len(channels):
                raise FileFormatError(path, f"only rx, ry and rz are known, each once, not {' '.join(channels)}", where)
            direction = _numbers(entries.get("direction", []), 3, path, f"{where} direction")
            length = _numbers(entries.get("length", []), 1, path, f"{where} length")
            axis = entries.get("axis", ["0", "0", "0", "XYZ"])
            order = _axis_order(axis[3:], path, f"{where} axis")
            yield name, (direction * length, _numbers(axis[:3], 3, path, f"{where} axis"), order, channels)
            entries = None
        elif entries is None:
            raise FileFormatError(path, f"{line[:40]!r} does not belong between bones", ":bonedata")
        elif not key.startswith("("):  # The limits of the second and the third degree of freedom.
            entries[key] = values
    if entries is not None or not names:
        raise FileFormatError(path, "the bones do not end; was the file cut off?", ":bonedata")


def _parents(lines: list[str], bones: Collection[str], path: Path) -> dict[str, str]:
    """The parent of each bone, parents before children."""
    if [line.lower() for line in (*lines[:1], *lines[-1:])] != ["begin", "end"] or len(lines) < 3:
        raise FileFormatError(path, "does not go from begin to end; was the file cut off?", ":hierarchy")
    parents: dict[str, str] = {}
    for line in lines[1:-1]:
        parent, *children = line.split()
        for child in children:
            if child not in bones or child in parents or (parent != ROOT and parent not in parents):
                raise FileFormatError(
                    path, f"{child} below {parent} is not a bone, or is there twice, or comes before it", ":hierarchy"
                )
            parents[child] = parent
    return parents


def _axis_order(words: list[str], path: Path, where: str) -> str:
    order = (words or ["XYZ"])[0].lower()
    if sorted(order) != ["x", "y", "z"]:
        raise FileFormatError(path, f"the order must be one such as XYZ, not {order!r}", where)
    return order


def _numbers(words: list[str], count: int, path: Path, where: str) -> np.ndarray:
    if len(words) != count:
        raise FileFormatError(path, f"expected {count} numbers, found {len(words)}", where)
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise FileFormatError(path, f"expected numbers ({error})", where) from error
    if not (np.abs(numbers) < 1e9).all():
        raise FileFormatError(path, "holds a number that is not finite or far too large", where)
    return numbers

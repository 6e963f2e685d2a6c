"""The two files of Acclaim motion capture: ASF, a skeleton of bones, and AMC, the angles of its joints frame by frame.

Source: the format's description by M. Meredith and S. Maddock, "Motion Capture File Formats Explained", University of
Sheffield CS-01-11, 2001; J. Lander, "Working with Motion Capture File Formats", Game Developer, January 1998.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    words: list[str] = []
    for line in _lines(path, MAX_MOTION_BYTES):
        if not line.startswith(":"):
            words += line.split()
    if not words or not words[0].isdecimal():
        raise FileFormatError(path, "not an AMC file: no frame number follows its head")
    channels = {bone.name: bone.channels for bone in skeleton.bones}
    # The first frame says which bones every frame moves.
    layout: dict[str, slice] = {}
    place = 1
    while place < len(words) and not words[place].isdecimal():
        name = words[place]
        if name not in channels:
            raise FileFormatError(path, "the skeleton has no such bone; is it the ASF of this motion?", f"bone {name}")
        if name in layout:
            raise FileFormatError(path, "moved twice in one frame", f"frame {words[0]}, bone {name}")
        given = len(list(takewhile(_is_number, words[place + 1 : place + 8])))
        count = len(channels[name])
        # Behind the last bone the number of the next frame follows.
        if given < count or (
            given > count and place + 1 + count < len(words) and not words[place + 1 + count].isdecimal()
        ):
            problem = (
                f"{given} numbers, and the skeleton's bone has {count} degrees of freedom ({' '.join(channels[name])})"
            )
            raise FileFormatError(path, problem, f"frame {words[0]}, bone {name}")
        layout[name] = slice(place + 1, place + 1 + count)
        place += 1 + count
    if ROOT not in layout:
        raise FileFormatError(path, "the root is not moved; was the file cut off?", f"frame {words[0]}")
    return _motion(words, place, layout, path)


def _motion(words: list[str], size: int, layout: dict[str, slice], path: Path) -> dict[str, np.ndarray]:
    """The columns of frames of ``size`` words each, all checked to be like the first."""
    frames = len(words) // size
    for name, columns in layout.items():
        column = words[columns.start - 1 :: size]
        if column.count(name) != len(column):
            at = next(row for row, word in enumerate(column) if word != name)
            raise FileFormatError(
                path, f"expected the bone {name}, found {column[at]!r}", f"frame {_number(words, at * size)}"
            )
    if len(words) != frames * size:
        raise FileFormatError(
            path, "ends within a frame; was the file cut off?", f"frame {_number(words, frames * size)}"
        )
    numbers = _numbers(words[::size], frames, path, "frame numbers")
    if jumps := np.flatnonzero(np.diff(numbers) != 1).tolist():
        first, second = numbers[jumps[0] : jumps[0] + 2]
        raise FileFormatError(path, f"{second:.12g} follows on {first:.12g}; frames are missing", "frame numbers")
    return {
        name: np.stack(
            [
                _numbers(words[column::size], frames, path, f"bone {name}")
                for column in range(columns.start, columns.stop)
            ],
            axis=1,
        )
        if columns.stop > columns.start
        else np.empty((frames, 0))
        for name, columns in layout.items()
    }


def _number(words: list[str], place: int) -> str:
    return words[place][:20] if place < len(words) else "behind the last"


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


def _parents(lines: list[str], bones: dict[str, object], path: Path) -> dict[str, str]:
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


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


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

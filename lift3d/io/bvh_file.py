"""The BVH file itself: a tree of joints with offsets and channels, and a table of numbers, one row a frame.

Source: the format's description by M. Meredith and S. Maddock, "Motion Capture File Formats Explained", University of
Sheffield CS-01-11, 2001. Rotations multiply in the order of the channels; where a joint has channels of position, they
take the place of its offset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.errors import FileFormatError
from lift3d.io.poses_record import MAX_CELLS

MAX_BYTES = 2 << 30
MAX_JOINTS = 2000
MAX_DEPTH = 200
CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


@dataclass
class BvhJoint:
    """A joint, or an end site, which has no channels.

    Attributes:
        name: as it stands in the file; that of an end site is its parent's with ``_end``.
        parent: index, -1 for the root.
        offset: (3,) from the parent, in the file's unit.
        channels: names in their order.
    """

    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class BvhFile:
    """A parsed file.

    Attributes:
        joints: parents before children, end sites included.
        frame_time: seconds.
        table: (frames, channels) in the file's unit and degrees.
    """

    joints: tuple[BvhJoint, ...]
    frame_time: float
    table: np.ndarray

    def places(self) -> np.ndarray:
        """Forward kinematics: places (frames, joints, 3) in the file's unit and axes."""
        frames = len(self.table)
        places = np.empty((frames, len(self.joints), 3))
        turned: list[Rotation] = []
        column = 0
        for index, joint in enumerate(self.joints):
            own = self.table[:, column : column + len(joint.channels)]
            column += len(joint.channels)
            shift = np.broadcast_to(joint.offset, (frames, 3)).copy()
            turn = Rotation.identity(frames)
            for channel, values in zip(joint.channels, own.T, strict=True):
                if channel.endswith("position"):
                    shift[:, "XYZ".index(channel[0])] = values
                else:
                    turn = turn * Rotation.from_euler(channel[0], values[:, None], degrees=True)
            if joint.parent < 0:
                places[:, index] = shift
            else:
                places[:, index] = places[:, joint.parent] + turned[joint.parent].apply(shift)
                turn = turned[joint.parent] * turn
            turned.append(turn)
        return places


def read_bvh_file(path: Path) -> BvhFile:
    """Parse a BVH file with one root.

    Raises:
        FileFormatError: the file is no BVH, cut off or malformed; the message names the place.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise FileFormatError(path, f"{size / 2**30:.1f} GiB are over the limit of 2 GiB")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(path, f"not a text file ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    head, keyword, motion = text.partition("MOTION")
    words = head.split()
    if not words or words[0].upper() != "HIERARCHY":
        raise FileFormatError(path, "not a BVH file (it starts with HIERARCHY)", "line 1")
    if not keyword:
        raise FileFormatError(path, "there is no MOTION; was the file cut off?", "MOTION")
    joints = _hierarchy(words[1:], path)
    count = sum(len(joint.channels) for joint in joints)
    return BvhFile(joints, *_motion(motion, count, path))


def _hierarchy(words: list[str], path: Path) -> tuple[BvhJoint, ...]:
    joints: list[BvhJoint] = []
    stack: list[int] = []
    pending: BvhJoint | None = None
    place = 0

    def take(count: int = 1) -> list[str]:
        nonlocal place
        taken = words[place : place + count]
        place += count
        if len(taken) < count:
            raise FileFormatError(path, "ends within the tree of joints; was the file cut off?", "HIERARCHY")
        return taken

    while place < len(words):
        word = take()[0].upper()
        current = joints[stack[-1]] if stack else None
        if word in ("ROOT", "JOINT", "END"):
            if (word == "ROOT") != (current is None) or pending is not None or (word == "ROOT" and joints):
                raise FileFormatError(path, f"a {word} does not belong here; a file holds one ROOT", "HIERARCHY")
            name = take()[0]
            if current is not None and word == "END":
                name = f"{current.name}_end"
            while word != "END" and place < len(words) and words[place] != "{":  # A name with spaces.
                name += f" {take()[0]}"
            pending = BvhJoint(name, stack[-1] if stack else -1)
        elif word == "{" and pending is not None:
            joints.append(pending)
            stack.append(len(joints) - 1)
            pending = None
            if len(joints) > MAX_JOINTS or len(stack) > MAX_DEPTH:
                raise FileFormatError(path, f"over {MAX_JOINTS} joints, or {MAX_DEPTH} below each other", "HIERARCHY")
        elif word == "}" and stack:
            stack.pop()
        elif word == "OFFSET" and current is not None:
            current.offset = _numbers(take(3), path, f"OFFSET of {current.name}")
        elif word == "CHANNELS" and current is not None:
            number = take()[0]
            if not number.isdecimal() or int(number) > 6:
                raise FileFormatError(
                    path, f"expected up to 6 channels, found {number!r}", f"CHANNELS of {current.name}"
                )
            current.channels = tuple(name[:1].upper() + name[1:].lower() for name in take(int(number)))
            if not CHANNELS.issuperset(current.channels) or len(set(current.channels)) < int(number):
                raise FileFormatError(path, f"unknown channels {current.channels}", f"CHANNELS of {current.name}")
        else:
            raise FileFormatError(path, f"{word[:40]!r} does not belong here", "HIERARCHY")
    if stack or pending is not None or not joints:
        raise FileFormatError(path, "the tree of joints is not closed; was the file cut off?", "HIERARCHY")
    return tuple(joints)


def _motion(text: str, count: int, path: Path) -> tuple[float, np.ndarray]:
    lines = text.strip().split("\n", 2)
    if len(lines) < 2 or not lines[0].startswith("Frames:") or not lines[1].startswith("Frame Time:"):
        raise FileFormatError(path, "expected the lines 'Frames:' and 'Frame Time:'", "MOTION")
    frames = _numbers([lines[0].partition(":")[2]], path, "Frames")[0]
    frame_time = float(_numbers([lines[1].partition(":")[2]], path, "Frame Time")[0])
    if frame_time <= 0 or frames < 1 or frames != int(frames):
        raise FileFormatError(path, f"{frames:g} frames of {frame_time:g} seconds make no motion", "MOTION")
    words = lines[2].split() if len(lines) > 2 else []
    if count == 0 or len(words) != int(frames) * count or len(words) > MAX_CELLS:
        needed = f"{int(frames)} frames of {count} channels need {int(frames) * count} numbers"
        raise FileFormatError(path, f"{needed}, and {len(words)} are there; was the file cut off?", "MOTION")
    return frame_time, _numbers(words, path, "MOTION").reshape(int(frames), count)


def _numbers(words: list[str], path: Path, place: str) -> np.ndarray:
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise FileFormatError(path, f"expected numbers ({error})", place) from error
    if not (np.abs(numbers) < 1e9).all():
        raise FileFormatError(path, "holds a number that is not finite or far too large", place)
    return numbers


def write_bvh_file(file: BvhFile, path: Path) -> None:
    """Write the file; an end site's name is not kept."""
    children: dict[int, list[int]] = {}
    for index, joint in enumerate(file.joints):
        children.setdefault(joint.parent, []).append(index)

    def block(index: int, depth: int) -> list[str]:
        joint, indent = file.joints[index], "\t" * depth
        title = "ROOT" if joint.parent < 0 else "JOINT"
        lines = [f"{indent}{title} {joint.name}" if joint.channels else f"{indent}End Site", indent + "{"]
        lines.append(f"{indent}\tOFFSET " + " ".join(f"{value:.6f}" for value in joint.offset))
        if joint.channels:
            lines.append(f"{indent}\tCHANNELS {len(joint.channels)} {' '.join(joint.channels)}")
        for child in children.get(index, []):
            lines += block(child, depth + 1)
        return [*lines, indent + "}"]

    with path.open("w", encoding="utf-8") as text:
        text.write("\n".join(["HIERARCHY", *block(0, 0), "MOTION"]))
        text.write(f"\nFrames: {len(file.table)}\nFrame Time: {file.frame_time:.10g}\n")
        np.savetxt(text, file.table, fmt="%.6f")

"""What a C3D file holds: header, parameters and points, each size checked before anything is read by it.

Libraries for the format loop or allocate without end on damaged files, and so lift3d reads it itself.

Source: "The C3D File Format: A Technical User Guide", https://www.c3d.org.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError

BLOCK = 512
KEY = 0x50
MAX_BYTES = 4 << 30
# The kind of processor that wrote the file: byte order and, on DEC's, a float of its own.
INTEL, DEC, MIPS = 84, 85, 86
TYPES = {-1: "S1", 1: "u1", 2: "i2", 4: "f4"}
# The largest number of the header and of POINT:FRAMES; a file with so many frames may hold more.
MOST_COUNTED = 65535


@dataclass(frozen=True)
class C3dFile:
    """The points of a file.

    Attributes:
        points: (frames, points, 3) float32, in the file's unit.
        residuals: (frames, points) float32, in the same unit; negative where a point is missing.
        rate: frames per second.
        parameters: by ``GROUP:NAME``: a list of texts, or an array.
    """

    points: np.ndarray
    residuals: np.ndarray
    rate: float
    parameters: dict[str, Any]

    def texts(self, name: str) -> list[str]:
        """The texts of a parameter and of its continuations (LABELS, LABELS2, ...); empty if there is none."""
        found: list[str] = []
        number = 1
        while isinstance(part := self.parameters.get(f"{name}{number if number > 1 else ''}"), list):
            found += part
            number += 1
        return found


def read_c3d_file(path: Path) -> C3dFile:
    """Read a C3D file of any processor, of integers or floats.

    Raises:
        FileFormatError: it is no C3D file, cut off or damaged; the message names the field.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise FileFormatError(path, f"{size / 2**30:.1f} GiB are over the limit of 4 GiB")
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    if len(data) < 2 * BLOCK or data[1] != KEY:
        raise FileFormatError(path, "not a C3D file (its second byte is 80, and it has 1024 bytes or more)")
    start = (int(data[0]) - 1) * BLOCK
    if not 0 < start <= len(data) - 4:
        raise FileFormatError(path, f"the parameters start at block {data[0]}, which is not there", "header")
    processor = int(data[start + 3])
    if processor not in (INTEL, DEC, MIPS):
        raise FileFormatError(path, f"written by an unknown processor ({processor})", "parameters")
    blocks = int(data[start + 2])
    parameters = _parameters(data[start : start + blocks * BLOCK], processor, path)
    return _points(data, parameters, processor, path)


def _numbers(data: np.ndarray, kind: str, processor: int) -> np.ndarray:
    """Bytes as numbers of a kind of ``TYPES``; floats of DEC are IEEE's times four with their halves exchanged."""
    order = ">" if processor == MIPS else "<"
    if kind != "f4" or processor != DEC:
        return data.view(f"{order}{kind}")
    words = data.view("<u2").reshape(-1, 2)[:, ::-1]
    with np.errstate(invalid="ignore", over="ignore"):
        return np.ascontiguousarray(words).view("<f4")[:, 0] / np.float32(4)


def _parameters(data: np.ndarray, processor: int, path: Path) -> dict[str, Any]:
    """The parameters of all groups by ``GROUP:NAME``."""
    groups: dict[int, str] = {}
    found: list[tuple[int, str, Any]] = []
    place = 4
    while place + 2 <= len(data) and (length := abs(int(data[place : place + 1].view("i1")[0]))):
        group = int(data[place + 1 : place + 2].view("i1")[0])
        link = place + 2 + length
        name = data[place + 2 : link].tobytes().decode("latin-1").upper()
        if link + 2 > len(data):
            raise FileFormatError(path, "ends within a parameter; was the file cut off?", name)
        step = int(_numbers(np.ascontiguousarray(data[link : link + 2]), "u2", processor)[0])
        if group < 0:
            groups[-group] = name
        elif group > 0:
            found.append((group, name, _value(data[link + 2 :], processor, path, name)))
        if step == 0:
            break
        place = link + step
    return {f"{groups.get(group, '')}:{name}": value for group, name, value in found}


def _value(data: np.ndarray, processor: int, path: Path, name: str) -> Any:
    """A parameter's texts or array, the first axis running fastest in the file."""
    problem = "the parameter is damaged; was the file cut off?"
    if len(data) < 2:
        raise FileFormatError(path, problem, name)
    kind = TYPES.get(int(data[:1].view("i1")[0]))
    axes = int(data[1])
    if kind is None or axes > 7 or len(data) < 2 + axes:
        raise FileFormatError(path, problem, name)
    shape = tuple(int(side) for side in data[2 : 2 + axes])
    count = int(np.prod(shape, dtype=np.int64))
    size = count * np.dtype(kind).itemsize
    content = np.ascontiguousarray(data[2 + axes : 2 + axes + size])
    if len(content) < size:
        raise FileFormatError(path, problem, name)
    if kind != "S1":
        return _numbers(content, kind, processor).reshape(shape[::-1])
    width = shape[0] if shape else 1
    rows = [content[row * width : (row + 1) * width] for row in range(count // width if width else 0)]
    return [_text(row.tobytes()) for row in rows]


def _text(content: bytes) -> str:
    text = content.split(b"\0")[0]
    try:
        return text.decode("utf-8").strip()
    except UnicodeDecodeError:
        return text.decode("latin-1").strip()


def _number(parameters: dict[str, Any], name: str) -> float | None:
    value = parameters.get(name)
    return float(value.flat[0]) if isinstance(value, np.ndarray) and value.size else None


def _points(data: np.ndarray, parameters: dict[str, Any], processor: int, path: Path) -> C3dFile:
    header = _numbers(data[:BLOCK], "u2", processor).astype(int)
    floats = _numbers(data[:BLOCK], "f4", processor)
    points, analogs = header[1], header[2]
    scale = _number(parameters, "POINT:SCALE") or float(floats[3])
    rate = _number(parameters, "POINT:RATE") or float(_numbers(data[20:24].copy(), "f4", processor)[0])
    if points == 0:
        raise FileFormatError(path, "holds no points", "POINT:USED")
    if not (np.isfinite(scale) and scale):
        raise FileFormatError(path, f"expected a number other than 0, found {scale}", "POINT:SCALE")
    if not (np.isfinite(rate) and rate > 0):
        raise FileFormatError(path, f"expected a positive number, found {rate:g}", "POINT:RATE")
    kind = "f4" if scale < 0 else "i2"
    width = np.dtype(kind).itemsize
    frame_bytes = int(4 * points + analogs) * width
    start = (int(header[8]) - 1) * BLOCK
    frames = _frame_count(header, parameters)
    held = (len(data) - start) // frame_bytes if 0 < start < len(data) else 0
    if frames < 1 or held < frames:
        raise FileFormatError(path, f"{frames} frames are declared, {held} are there; was it cut off?", "POINT:FRAMES")
    content = data[start : start + frames * frame_bytes].reshape(frames, frame_bytes)[:, : 4 * width * points]
    cells = _numbers(np.ascontiguousarray(content).reshape(-1), kind, processor).reshape(frames, points, 4)
    xyz = np.array(cells[..., :3], np.float32)
    if scale > 0:
        xyz *= np.float32(scale)
    # The fourth word holds the residual in its lower byte, the cameras in its upper, or is negative.
    word = np.nan_to_num(cells[..., 3].astype(np.float32), nan=-1, posinf=-1, neginf=-1)
    whole = np.clip(word, -1, 2**15).astype(np.int32)
    residuals = np.where(whole < 0, -1, (whole & 255) * abs(scale)).astype(np.float32)
    return C3dFile(xyz, residuals, round_rate(rate), parameters)


def _frame_count(header: np.ndarray, parameters: dict[str, Any]) -> int:
    """How many frames the file says it has; counts that 16 bits cannot hold stand in parameters of their own."""
    stored = parameters.get("POINT:FRAMES")
    first = stored.flat[0] if isinstance(stored, np.ndarray) and stored.size else header[4] - header[3] + 1
    if isinstance(first, np.int16):
        first = int(first) & MOST_COUNTED
    frames = int(first) if np.isfinite(first) else 0
    if frames != MOST_COUNTED:
        return frames
    if (long := _number(parameters, "POINT:LONG_FRAMES")) is not None and np.isfinite(long):
        return max(frames, int(long))
    bounds = [parameters.get(f"TRIAL:ACTUAL_{end}_FIELD") for end in ("START", "END")]
    if all(isinstance(bound, np.ndarray) and bound.size == 2 and bound.dtype.kind == "i" for bound in bounds):
        low, high = (np.array([bound.flat[0], bound.flat[1]]).astype(int) & MOST_COUNTED for bound in bounds)  # type: ignore[union-attr]
        return max(frames, int((high - low) @ [1, 1 << 16]) + 1)
    return frames


def round_rate(rate: float) -> float:
    """A frame rate that was stored in 32 bits, as it was meant: 59.94 and not 59.93999863."""
    return float(f"{rate:.7g}")

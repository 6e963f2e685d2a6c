"""JSON that may be cut off, malformed or of another tool: loading, a look at its head, and checked values."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError

MAX_JSON_BYTES = 2 << 30
HEAD_BYTES = 1 << 16
MAX_NUMBER = 1e12  # nothing that is measured in pixels is larger

Place = tuple[str, ...]
Repairs = Counter[str]

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|([\[\]{}])|([^\s,:"\[\]{}]+)')


@dataclass
class Leaf:
    """What stands at one place of a JSON tree: "object", "array", "string" or "number", and an array's length."""

    kind: str
    items: int = 0


def load_json(path: str | PathLike[str]) -> Any:
    """The parsed file.

    Raises:
        FileFormatError: no such file, over 2 GiB, not UTF-8, cut off, or not JSON.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > MAX_JSON_BYTES:
            raise FileFormatError(path, f"{size / 2**30:.1f} GiB of JSON are over the limit of 2 GiB; split the file")
        return json.loads(file.read_bytes())
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(path, f"not a text file ({error.reason} at byte {error.start})") from error
    except json.JSONDecodeError as error:
        early = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
        cut = " (the file ends too early: was it cut off while it was written?)" if early else ""
        raise FileFormatError(path, f"not valid JSON: {error.msg} in line {error.lineno}{cut}") from error
    except (ValueError, RecursionError) as error:
        raise FileFormatError(path, f"not valid JSON: {error}") from error


def read_head(path: str | PathLike[str], size: int = HEAD_BYTES) -> bytes:
    """The first bytes of a file, empty if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return b""


def outline(path: str | PathLike[str]) -> dict[Place, Leaf]:
    """The structure of a JSON file as its first 64 KiB show it, without parsing the rest.

    Returns the places, each a tuple of keys with ``[]`` for the items of an array, with what stands there first.
    """
    text = read_head(path).decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    found: dict[Place, Leaf] = {}
    if not text.startswith(("{", "[")):
        return found
    stack: list[tuple[Place, str, bool]] = []  # where a container stands, what it is, whether it is the first there
    key: str | None = None

    def enter(kind: str) -> tuple[Place, bool]:
        nonlocal key
        if not stack:
            place: Place = ()
        else:
            above, container, first = stack[-1]
            place = (*above, "[]" if container == "array" else key or "")
            if container == "array" and first:
                found[above].items += 1
        key = None
        new = place not in found
        if new:
            found[place] = Leaf(kind)
        return place, new

    for match in _TOKEN.finditer(text):
        string, colon, bracket, scalar = match.groups()
        if bracket in ("{", "["):
            kind = "object" if bracket == "{" else "array"
            place, new = enter(kind)
            stack.append((place, kind, new))
        elif bracket:
            if not stack:
                break
            stack.pop()
        elif string is not None and colon and stack and stack[-1][1] == "object" and key is None:
            key = string
        elif stack:
            enter("number" if scalar is not None else "string")
        if len(stack) > 32:
            break
    return found


def expect(value: Any, kind: type, path: str | PathLike[str], field: str) -> Any:
    """The value if it is a list or dict as expected. Raises FileFormatError that names the field."""
    if not isinstance(value, kind):
        names = {list: "a list", dict: "an object", str: "a text", int: "a whole number"}
        raise FileFormatError(path, f"expected {names[kind]}, found {describe(value)}", field)
    return value


def describe(value: Any) -> str:
    """A JSON value in a few words."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}..."


def numbers(values: Any, path: str | PathLike[str], field: str, repairs: Repairs) -> np.ndarray:
    """A flat list of numbers as float64; null, NaN, infinity and absurd numbers become NaN, counted in ``repairs``.

    Raises:
        FileFormatError: not a list, or an item is not a number.
    """
    expect(values, list, path, field)
    kinds = set(map(type, values))
    if not kinds <= {int, float, type(None)}:
        index, wrong = next((i, v) for i, v in enumerate(values) if type(v) not in (int, float, type(None)))
        raise FileFormatError(path, f"expected a number, found {describe(wrong)}", f"{field}[{index}]")
    try:
        array = np.array(values, dtype=np.float64)
    except OverflowError:
        array = np.array([np.nan if isinstance(v, int) and abs(v) > 1 << 60 else v for v in values], dtype=np.float64)
    broken = ~(np.abs(array) < MAX_NUMBER)
    if broken.any():
        repairs["values that are null, NaN, infinite or absurd were taken as missing"] += int(broken.sum())
        array[broken] = np.nan
    return array


def whole_number(value: Any) -> int | None:
    """The value as an int if it is a whole number of sane size, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1 << 53:
        return None
    return int(value) if value == int(value) else None


def positive_size(width: Any, height: Any) -> tuple[int, int] | None:
    """(width, height) in pixels if both are positive whole numbers of sane size, else None."""
    w, h = whole_number(width), whole_number(height)
    return (w, h) if w is not None and h is not None and 0 < w < 1 << 20 and 0 < h < 1 << 20 else None


def positive_rate(value: Any) -> float | None:
    """A frame rate if the value is a positive number of sane size, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 < value < 1e5 else None

"""Frame numbers in the names of files and images, and the frames that they leave out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from os import PathLike

from lift3d.errors import FileFormatError

MAX_GAP_FACTOR = 100
MAX_FRAMES = 10_000_000

_DIGITS = re.compile(r"\d+")


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Sort key under which ``cam2`` comes before ``cam10``."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.findall(r"[0-9]{1,300}|[^0-9]+", name)]


def frame_numbers(names: Sequence[str], path: str | PathLike[str]) -> list[int] | None:
    """The frame number in each name: the last run of digits in it that differs from name to name.

    Args:
        names: names of files or images without their endings, all different.
        path: the file or folder, for messages.

    Returns:
        One number a name, or None if the names hold no digits.

    Raises:
        FileFormatError: names share a frame number, as when the files of two cameras lie in one folder.
    """
    runs = [_DIGITS.findall(name)[::-1] for name in names]
    if len(names) == 1:
        return [int(runs[0][0][:18])] if runs[0] else None
    if not all(runs):
        if any(runs):
            bare = names[next(i for i, run in enumerate(runs) if not run)]
            raise FileFormatError(path, f"{bare!r} carries no frame number, others do; one recording needs one naming")
        return None
    for position in range(min(map(len, runs))):
        numbers = [int(run[position][:18]) for run in runs]
        if len(set(numbers)) == len(numbers):
            return numbers
    seen: dict[str, str] = {}
    for name, run in zip(names, runs, strict=True):
        if run[0] in seen:
            raise FileFormatError(
                path,
                f"{seen[run[0]]!r} and {name!r} carry the same frame number {int(run[0][:18])}; "
                "keep one camera's frames together and apart from others",
            )
        seen[run[0]] = name
    raise FileFormatError(path, "the frame numbers in the names are ambiguous; name the files 0000, 0001, ...")


def check_span(numbers: Sequence[int], path: str | PathLike[str]) -> tuple[int, int]:
    """(first frame number, number of frames from first to last).

    Raises:
        FileFormatError: the span is over a hundred times the frames that are there, or over ten million.
    """
    first, last = min(numbers), max(numbers)
    span = last - first + 1
    if span > MAX_GAP_FACTOR * len(numbers) or span > MAX_FRAMES:
        raise FileFormatError(
            path,
            f"frame numbers run from {first} to {last}, but only {len(numbers)} frames are there; "
            "are these numbers of frames?",
        )
    return first, span


def describe_missing(numbers: Sequence[int]) -> str | None:
    """A sentence on the frame numbers that are left out between the first and the last, None if there are none."""
    ordered = sorted(numbers)
    gaps = [(a + 1, b - 1) for a, b in itertools.pairwise(ordered) if b - a > 1]
    if not gaps:
        return None
    count = sum(b - a + 1 for a, b in gaps)
    shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in gaps[:5]) + (", ..." if len(gaps) > 5 else "")
    return f"{count} frames are not in the file and were left empty ({shown})"

"""3D poses as JSON: ``{"format": "lift3d poses", "version": 1, "unit": "m", "skeleton": {"name", "title", "joints",
"parents"}, "fps", "track_ids", "space", "camera", "provenance", "xyz": [frames][people][joints][3], "confidence":
[frames][people][joints], ...}``; a missing value is null.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.files import atomic_path
from lift3d.io.json_values import load_json
from lift3d.io.poses_record import PER_JOINT, from_record, short_text, to_record
from lift3d.poses import Poses3D

FORMAT = "lift3d poses"
VERSION = 1


def write_json(poses: Poses3D, path: Path, overwrite: bool = False) -> None:
    """Write the poses as JSON. Raises OutputExistsError if the file exists and ``overwrite`` is False."""
    arrays = {name: array for name in ("xyz", *PER_JOINT) if (array := getattr(poses, name)) is not None}
    head = {"format": FORMAT, "version": VERSION, "unit": "m", **to_record(poses)}
    with atomic_path(path, overwrite) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head, indent=1, allow_nan=False)[:-2])
        for name, array in arrays.items():
            file.write(f',\n "{name}": [')
            for index, frame in enumerate(array):
                file.write(",\n  " if index else "\n  ")
                file.write(json.dumps(_nested(frame), separators=(",", ":")))
            file.write("\n ]")
        file.write("\n}\n")


def read_json(path: Path) -> Poses3D:
    """Read the poses of a JSON file. Raises FileFormatError that names the field that is missing or wrong."""
    content = load_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FileFormatError(path, f'not a file of lift3d poses (there is no "format": "{FORMAT}")', "format")
    if content.get("version") != VERSION:
        raise FileFormatError(path, f"version {content.get('version')!r} is not known; update lift3d", "version")
    arrays = {name: _array(content[name], name, path) for name in ("xyz", *PER_JOINT) if name in content}
    if "xyz" not in arrays:
        raise FileFormatError(path, "the field is missing; was the file cut off?", "xyz")
    people = len(content["track_ids"]) if isinstance(content.get("track_ids"), list) else 0
    if arrays["xyz"].size == 0:  # an empty list does not tell its inner sizes
        joints = len(content.get("skeleton", {}).get("joints", [])) if isinstance(content.get("skeleton"), dict) else 0
        frames = len(content["xyz"])
        arrays = {name: np.empty((frames, people, joints, *([3] if name == "xyz" else []))) for name in arrays}
    return from_record(content, arrays, path)


def _nested(array: np.ndarray) -> Any:
    missing = ~np.isfinite(array)
    # By way of the shortest text, so that 0.1 is not written as 0.10000000149011612.
    values = np.where(missing, "0", short_text(array)).astype(np.float64).astype(object)
    values[missing] = None
    return values.tolist()


def _array(values: Any, name: str, path: Path) -> np.ndarray:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise FileFormatError(path, f"expected nested lists of numbers, all of one length ({error})", name) from error

"""3D poses as NPZ, read without pickle.

Arrays ``xyz`` (frames, people, joints, 3), ``confidence`` (frames, people, joints) and, where known, those of
``lift3d.poses.PER_JOINT``; ``joints`` (names), ``parents``, ``track_ids``; texts ``skeleton``, ``title``, ``space``;
``fps`` if known; ``camera`` and ``provenance`` as JSON texts. A file needs ``xyz`` and ``joints``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.files import atomic_path
from lift3d.io.npz_files import names, open_npz, read_array
from lift3d.io.poses_record import from_record, layout_of, naming, to_record
from lift3d.poses import PER_JOINT, Poses3D


def write_npz(poses: Poses3D, path: Path, overwrite: bool = False) -> None:
    """Write the poses as NPZ. Raises OutputExistsError if the file exists and ``overwrite`` is False."""
    record = to_record(poses)
    fields: dict[str, Any] = {
        "xyz": poses.xyz,
        "confidence": poses.confidence,
        **poses.per_joint(),
        "joints": np.array(poses.skeleton.joints),
        "parents": np.array(poses.skeleton.parents, dtype=np.int64),
        "track_ids": np.array(poses.track_ids, dtype=np.int64),
        "skeleton": np.array(poses.skeleton.name),
        "title": np.array(poses.skeleton.title),
        "space": np.array(poses.space),
        "camera": np.array(json.dumps(record["camera"])),
        "provenance": np.array(json.dumps(record["provenance"])),
    }
    if poses.fps is not None:
        fields["fps"] = np.array(float(poses.fps))
    with atomic_path(path, overwrite) as temporary:
        np.savez_compressed(temporary, **fields)


def read_npz(path: Path) -> Poses3D:
    """Read the poses of an NPZ. Raises FileFormatError that names the array that is missing or wrong."""
    with open_npz(path) as archive:
        present = set(names(archive))
        fields = {name: read_array(archive, name, path) for name in _KNOWN if name in present | {"xyz", "joints"}}
    for name in _ARRAYS:
        if name in fields and fields[name].dtype.kind not in "fiu":
            raise FileFormatError(path, f"expected numbers, found {fields[name].dtype}", name)
    with naming(path):
        layout = layout_of([str(joint) for joint in fields["joints"].ravel()])
        joints = fields["joints"].ravel().tolist()
        record = {
            "skeleton": {
                "name": str(fields.get("skeleton", layout.name)),
                "title": str(fields.get("title", layout.title)),
                "joints": joints if "parents" in fields else list(layout.joints),
                "parents": fields["parents"].ravel().tolist() if "parents" in fields else list(layout.parents),
            },
            "fps": fields["fps"].item() if "fps" in fields else None,
            "track_ids": fields["track_ids"].ravel().tolist() if "track_ids" in fields else None,
            "space": str(fields.get("space", "world")),
            "camera": json.loads(str(fields.get("camera", "null"))),
            "provenance": json.loads(str(fields.get("provenance", "{}"))),
        }
    return from_record(
        record, {name: fields[name] for name in ("xyz", "confidence", *PER_JOINT) if name in fields}, path
    )


_ARRAYS = ("xyz", "confidence", *PER_JOINT)
_KNOWN = (
    *_ARRAYS, "joints", "parents", "track_ids", "skeleton", "title", "space", "camera", "provenance", "fps",
)  # fmt: skip

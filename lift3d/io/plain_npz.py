"""Plain NPZ: ``xy`` (frames, people, joints, 2), ``confidence``, ``joints``, ``fps``, ``image_size``, ``track_ids``.

Only ``xy`` and ``joints`` are needed; ``xy`` may lack the axis of people. NaN is missing. Nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.json_values import positive_size, read_head
from lift3d.io.layouts import COCO_FAMILY, check_layout, layout_from_count, layout_from_names
from lift3d.io.npz_files import names, open_npz, read_array
from lift3d.io.recording import MAX_PEOPLE, Detection, Request, keypoints_from_arrays
from lift3d.poses import Keypoints2D
from lift3d.skeletons import Skeleton

NAME = "npz"
TITLE = "plain NPZ"


def sniff(path: Path) -> Detection | None:
    """Recognise an NPZ with the array ``xy``."""
    if path.is_dir() or not read_head(path, 4).startswith(b"PK\x03\x04"):
        return None
    try:
        with open_npz(path) as archive:
            found = "xy" in names(archive)
    except FileFormatError:
        return None
    return Detection(NAME, "an NPZ with the array 'xy'") if found else None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read the arrays.

    Raises:
        FileFormatError: an array is missing, damaged or has the wrong shape.
    """
    with open_npz(path) as archive:
        arrays: dict[str, np.ndarray] = {
            name: read_array(archive, name, path)
            for name in ("xy", "confidence", "joints", "fps", "image_size", "track_ids")
            if name in names(archive) or name == "xy"
        }
    for name, array in arrays.items():
        if array.dtype.kind not in ("US" if name == "joints" else "fiu"):
            raise FileFormatError(path, f"unexpected type {array.dtype}", name)
    xy = arrays["xy"]
    confidence = arrays.get("confidence")
    if xy.ndim == 3:
        xy = xy[:, None]
        confidence = confidence[:, None] if confidence is not None and confidence.ndim == 2 else confidence
    if xy.ndim != 4 or xy.shape[3] != 2 or xy.shape[1] > MAX_PEOPLE:
        raise FileFormatError(path, f"expected (frames, people, joints, 2), found {arrays['xy'].shape}", "xy")
    if confidence is not None and confidence.shape != xy.shape[:3]:
        raise FileFormatError(path, f"expected {xy.shape[:3]}, found {confidence.shape}", "confidence")
    extra: dict[str, Any] = {}
    if "fps" in arrays:
        fps = float(arrays["fps"].ravel()[0]) if arrays["fps"].size == 1 else np.nan
        if not 0 < fps < 1e5:
            raise FileFormatError(path, "expected one positive number", "fps")
        extra["fps"] = fps
    if "image_size" in arrays:
        pair = arrays["image_size"].ravel().tolist()
        size = positive_size(*pair) if len(pair) == 2 else None
        if size is None:
            raise FileFormatError(path, f"expected (width, height), found {pair[:4]}", "image_size")
        extra["image_size"] = size
    if "track_ids" in arrays:
        ids = arrays["track_ids"].ravel().tolist()
        if len(set(ids)) != xy.shape[1] or len(ids) != xy.shape[1] or arrays["track_ids"].dtype.kind == "f":
            raise FileFormatError(path, f"expected {xy.shape[1]} different whole numbers", "track_ids")
        extra["track_ids"] = tuple(ids)
    return keypoints_from_arrays(
        path, xy, confidence, _skeleton(arrays, xy.shape[2], path, request), request, [], **extra
    )


def _skeleton(arrays: dict[str, np.ndarray], count: int, path: Path, request: Request) -> Skeleton:
    if request.skeleton:
        return check_layout(request.skeleton, count, path, "xy")
    if "joints" not in arrays:
        return layout_from_count(count, COCO_FAMILY, path, "xy")
    labels = [
        x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in arrays["joints"].ravel().tolist()
    ]
    return check_layout(layout_from_names(labels, path, "joints"), count, path, "xy")

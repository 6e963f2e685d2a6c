"""SLEAP analysis HDF5.

The format: SLEAP's ``sleap.io.convert`` and sleap-io's ``dims`` attributes, which name the axes where the order is not
the original (track, xy, node, frame).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.hdf5_files import SIGNATURE, member_names, open_hdf5, read_dataset, texts
from lift3d.io.json_values import read_head
from lift3d.io.layouts import MAX_JOINTS, check_layout, layout_from_names
from lift3d.io.recording import MAX_PEOPLE, Detection, Request, check_size, keypoints_from_arrays
from lift3d.poses import Keypoints2D

NAME = "sleap"
TITLE = "SLEAP analysis HDF5"

_ORDER = ("track", "xy", "node", "frame")


def sniff(path: Path) -> Detection | None:
    """Recognise the data sets ``tracks`` and ``node_names``."""
    if path.is_dir() or read_head(path, 8) != SIGNATURE:
        return None
    if {"tracks", "node_names"} <= set(member_names(path)):
        return Detection(NAME, "HDF5 with 'tracks' and 'node_names', as SLEAP's analysis export")
    return None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read the tracks with their scores.

    Raises:
        FileFormatError: data sets are missing or their shapes do not agree.
    """
    with open_hdf5(path) as file:
        nodes = texts(read_dataset(file, "node_names", path))
        if len(nodes) > MAX_JOINTS:
            raise FileFormatError(path, f"{len(nodes)} nodes; the limit is {MAX_JOINTS}", "node_names")
        xy = _ordered(file, "tracks", path, ("frame", "track", "node", "xy"))
        if xy.shape[2:] != (len(nodes), 2):
            raise FileFormatError(path, f"{xy.shape} is not (frames, tracks, {len(nodes)} nodes, 2)", "tracks")
        if xy.shape[1] > MAX_PEOPLE:
            raise FileFormatError(path, f"{xy.shape[1]} tracks; the limit is {MAX_PEOPLE}", "tracks")
        check_size(xy.shape[0], xy.shape[1], xy.shape[2], path)
        scores = None
        if "point_scores" in file:
            scores = _ordered(file, "point_scores", path, ("frame", "track", "node"))
            if scores.shape != xy.shape[:3]:
                raise FileFormatError(path, f"{scores.shape} does not fit the tracks {xy.shape}", "point_scores")
        names = texts(read_dataset(file, "track_names", path)) if "track_names" in file else []
    skeleton = layout_from_names(nodes, path, "node_names")
    if request.skeleton:
        skeleton = check_layout(request.skeleton, len(nodes), path, "node_names")
    extra = {"track_names": names} if len(names) == xy.shape[1] else {}
    return keypoints_from_arrays(path, xy, scores, skeleton, request, [], **extra)


def _ordered(file: Any, name: str, path: Path, wanted: tuple[str, ...]) -> np.ndarray:
    """A data set with its axes in the wanted order."""
    array = read_dataset(file, name, path)
    if array.dtype.kind not in "fiu":
        raise FileFormatError(path, f"expected numbers, found {array.dtype}", name)
    dims = file[name].attrs.get("dims")
    given = tuple(axis for axis in _ORDER if axis in wanted)
    if dims is not None:
        try:
            given = tuple(str(axis) for axis in (json.loads(dims) if isinstance(dims, (str, bytes)) else dims))
        except ValueError as error:
            raise FileFormatError(path, f"the names of the axes are damaged ({error})", f"{name}.dims") from error
    if sorted(given) != sorted(wanted) or array.ndim != len(wanted):
        raise FileFormatError(path, f"{array.ndim} axes {given}, expected {', '.join(wanted)}", name)
    return array.transpose([given.index(axis) for axis in wanted])

"""VideoPose3D's ``data_2d_*.npz``: ``positions_2d`` by subject and action, a list of cameras, and ``metadata``.

The format: VideoPose3D's ``data/prepare_data_*.py`` and ``prepare_data_2d_custom.py``. Its arrays are pickled objects
and go through the restricted unpickler.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError, SkeletonError
from lift3d.io.json_values import positive_size, read_head
from lift3d.io.layouts import MAX_JOINTS, check_layout
from lift3d.io.npz_files import names, open_npz, read_array
from lift3d.io.recording import Detection, Request, keypoints_from_arrays
from lift3d.joint_names import custom_skeleton
from lift3d.poses import Keypoints2D
from lift3d.skeletons import COCO17, H36M17, HUMANEVA15, MPII16, Skeleton

NAME = "videopose3d"
TITLE = "VideoPose3D data_2d_*.npz"

_LAYOUTS = {"coco": COCO17, "h36m": H36M17, "mpii": MPII16, "humaneva15": HUMANEVA15}


def sniff(path: Path) -> Detection | None:
    """Recognise an NPZ with ``positions_2d``."""
    if path.is_dir() or not read_head(path, 4).startswith(b"PK\x03\x04"):
        return None
    try:
        with open_npz(path) as archive:
            found = names(archive)
    except FileFormatError:
        return None
    return Detection(NAME, "an NPZ with 'positions_2d', as VideoPose3D prepares") if "positions_2d" in found else None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read the clip that the selection names, or the only one.

    Raises:
        FileFormatError: malformed, or several clips and none selected: the message lists them.
    """
    with open_npz(path) as archive:
        positions = _item(read_array(archive, "positions_2d", path, objects=True))
        metadata = _item(read_array(archive, "metadata", path, objects=True)) if "metadata" in names(archive) else {}
    clips = _clips(positions, path)
    if request.selection is None and len(clips) > 1:
        raise FileFormatError(
            path, f"holds {len(clips)} clips: {_listing(clips)}; choose one as {path}::{next(iter(clips))}"
        )
    name = request.selection if request.selection is not None else next(iter(clips))
    if name not in clips:
        raise FileFormatError(path, f"no clip {name!r}; there are {_listing(clips)}")
    array = clips[name]
    if (
        not isinstance(array, np.ndarray)
        or array.dtype.kind not in "fiu"
        or array.ndim != 3
        or array.shape[2] not in (2, 3)
    ):
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise FileFormatError(path, f"expected (frames, joints, 2) numbers, found {found}", f"positions_2d {name}")
    metadata = metadata if isinstance(metadata, dict) else {}
    skeleton, steps = _skeleton(metadata, array.shape[1], path, request)
    video = metadata.get("video_metadata")
    video = video.get(name.split("/")[0]) if isinstance(video, dict) else None
    size = positive_size(_plain(video.get("w")), _plain(video.get("h"))) if isinstance(video, dict) else None
    confidence = array[:, None, :, 2] if array.shape[2] == 3 else None
    xy = array[:, None, :, :2]
    return keypoints_from_arrays(path, xy, confidence, skeleton, request, steps, image_size=size, clip=name)


def _clips(positions: Any, path: Path) -> dict[str, Any]:
    """Arrays by ``subject/action/camera``."""
    if not isinstance(positions, dict):
        raise FileFormatError(path, f"expected subjects, found {type(positions).__name__}", "positions_2d")
    clips: dict[str, Any] = {}
    for subject, actions in positions.items():
        if not isinstance(actions, dict):
            raise FileFormatError(path, "expected actions", f"positions_2d[{subject!r}]")
        for action, cameras in actions.items():
            if not isinstance(cameras, (list, tuple, np.ndarray)):
                raise FileFormatError(path, "expected a list of cameras", f"positions_2d[{subject!r}][{action!r}]")
            clips |= {f"{subject}/{action}/{camera}": array for camera, array in enumerate(cameras)}
    if not clips:
        raise FileFormatError(path, "no clips; there is nothing to read", "positions_2d")
    return clips


def _skeleton(metadata: dict[Any, Any], joints: int, path: Path, request: Request) -> tuple[Skeleton, list[str]]:
    if request.skeleton:
        return check_layout(request.skeleton, joints, path, "positions_2d"), []
    layout = metadata.get("layout_name")
    if isinstance(layout, str) and layout in _LAYOUTS and len(_LAYOUTS[layout]) == joints:
        return _LAYOUTS[layout], []
    if layout is None and joints == 17:
        # The files of the paper name no layout: their ground truth and CPN detections are Human3.6M's 17 joints.
        return H36M17, ["no layout named: 17 joints taken for Human3.6M's, as in the files of the paper"]
    if not 0 < joints <= MAX_JOINTS:
        raise FileFormatError(path, f"{joints} joints", "positions_2d")
    try:
        return custom_skeleton([f"joint_{index}" for index in range(joints)]), [
            f"layout {layout!r} with {joints} joints is unknown: joints are numbered; name it with --skeleton"
        ]
    except SkeletonError as error:
        raise FileFormatError(path, str(error), "metadata") from error


def _item(array: Any) -> Any:
    """What a 0-dimensional array of objects holds."""
    return array.item() if isinstance(array, np.ndarray) and array.shape == () else array


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _listing(clips: dict[str, Any]) -> str:
    shown = list(clips)[:12]
    return ", ".join(shown) + (f" and {len(clips) - 12} more" if len(clips) > 12 else "")

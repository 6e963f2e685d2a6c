"""Files of recorded motion with one HDF5 group a clip: ``positions`` (frames, joints, 3) in metres, Z up, and the
attributes ``joints`` and ``fps``, perhaps ``subject`` and ``action``."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.hdf5_files import check_dataset, open_hdf5
from lift3d.poses import Poses3D
from lift3d.skeletons import CMU25, make_skeleton

if TYPE_CHECKING:
    import h5py

# What the layout ``cmu25`` calls the joints of these files.
NAMES = {"pelvis": "root", "head": "skull", "head_top": "head_end"}


def list_clips(path: str | PathLike[str]) -> Iterator[tuple[str, str, str]]:
    """The clips of a file: name, subject and action, "" where the file does not say.

    Raises:
        FileFormatError: no such file, or it holds something else than clips.
    """
    import h5py

    with open_hdf5(path) as file:
        for clip, group in file.items():
            if not isinstance(group, h5py.Group) or not isinstance(group.get("positions"), h5py.Dataset):
                raise FileFormatError(path, "is no clip: it has no data set positions", clip)
            yield clip, _text(group.attrs.get("subject", "")), _text(group.attrs.get("action", ""))


def read_clip_joints(path: str | PathLike[str], clip: str) -> tuple[tuple[str, ...], np.ndarray, float]:
    """The joints of a clip in lift3d's spelling, their positions (frames, joints, 3) and the frames per second.

    Raises:
        FileFormatError: no such file or clip, or the clip lacks a field or has an impossible one.
    """
    with open_hdf5(path) as file:
        if clip not in file:
            raise FileFormatError(path, "there is no such clip", clip)
        group = file[clip]
        for name in ("joints", "fps"):
            if name not in group.attrs:
                raise FileFormatError(path, f"the clip lacks {name}", clip)
        names = tuple(_spelled(_text(name)) for name in group.attrs["joints"])
        fps = float(group.attrs["fps"])
        positions = _positions(group, path, clip)
    if positions.shape[1:] != (len(names), 3) or not len(positions):
        raise FileFormatError(path, f"{len(names)} joints, and positions of shape {positions.shape}", clip)
    if not 0 < fps < 1e5:
        raise FileFormatError(path, f"{fps:g} frames per second are impossible", clip)
    return names, positions, fps


def read_motion_clip(path: str | PathLike[str], clip: str) -> Poses3D:
    """A clip in the joints of ``cmu25`` that it has.

    Args:
        path: the file.
        clip: the group's name.

    Raises:
        FileFormatError: no such file or clip, or the clip lacks a field.
    """
    names, positions, fps = read_clip_joints(path, clip)
    spelled = [NAMES.get(name, name) for name in names]
    kept = [name for name in CMU25.joints if name in spelled]
    parent = dict(
        zip(CMU25.joints, (CMU25.joints[index] if index >= 0 else None for index in CMU25.parents), strict=True)
    )
    skeleton = make_skeleton(
        CMU25.name if len(kept) == len(CMU25) else "cmu25_part", {name: parent[name] for name in kept}
    )
    return Poses3D(positions[:, None, [spelled.index(name) for name in kept]], skeleton=skeleton, fps=fps)


def _positions(group: h5py.Group, path: str | PathLike[str], clip: str) -> np.ndarray:
    if "positions" not in group:
        raise FileFormatError(path, "the clip lacks positions", clip)
    check_dataset(group["positions"], path, f"{clip}/positions")
    return np.asarray(group["positions"][()], dtype=np.float32)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _spelled(name: str) -> str:
    side = {"l_": "left_", "r_": "right_"}.get(name[:2])
    return side + name[2:] if side else name

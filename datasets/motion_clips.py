"""One clip of a file of recorded motion as Poses3D."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.poses import Poses3D
from lift3d.skeletons import CMU25, make_skeleton

# What the layout ``cmu25`` calls the joints of these files.
NAMES = {"pelvis": "root", "head": "skull", "head_top": "head_end"}


def read_motion_clip(path: str | PathLike[str], clip: str) -> Poses3D:
    """A clip in the joints of ``cmu25`` that it has.

    Args:
        path: HDF5 file with one group a clip (``positions`` in metres, Z up; attributes ``joints`` and ``fps``).
        clip: the group's name.

    Raises:
        FileFormatError: no such file or clip, or the clip lacks a field.
    """
    import h5py

    if not Path(path).is_file():
        raise FileFormatError(path, "there is no such motion file")
    with h5py.File(path, "r") as file:
        if clip not in file:
            raise FileFormatError(path, "there is no such clip", clip)
        group = file[clip]
        try:
            joints = [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs["joints"]]
            positions, fps = group["positions"][()], float(group.attrs["fps"])
        except KeyError as error:
            raise FileFormatError(path, f"the clip lacks {error}", clip) from error
    spelled = [_spelled(name) for name in joints]
    kept = [name for name in CMU25.joints if name in spelled]
    parent = dict(
        zip(CMU25.joints, (CMU25.joints[index] if index >= 0 else None for index in CMU25.parents), strict=True)
    )
    skeleton = make_skeleton(
        CMU25.name if len(kept) == len(CMU25) else "cmu25_part", {name: parent[name] for name in kept}
    )
    return Poses3D(np.asarray(positions)[:, None, [spelled.index(name) for name in kept]], skeleton=skeleton, fps=fps)


def _spelled(name: str) -> str:
    side = {"l_": "left_", "r_": "right_"}.get(name[:2])
    return side + name[2:] if side else NAMES.get(name, name)

"""The files of MPI-INF-3DHP: annotations as MATLAB files, and the text of the cameras.

``S1/Seq1/annot.mat``: cell arrays ``annot2``, ``annot3`` and ``univ_annot3``, one array a camera, (frames, 56) pixels
or (frames, 84) millimetres in that camera's space. ``TS1/annot_data.mat``: arrays of the same names, (2 or 3, 17, 1,
frames), and ``valid_frame``. ``camera.calibration`` lists for every camera its image size and a 4x4 matrix of
intrinsics. Sources: the data set's README and the MATLAB code that comes with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lift3d.datasets.matlab_files import read_mat
from lift3d.errors import CameraError, FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.io.rig_values import read_text
from lift3d.skeletons import MPI17, MPI17_PELVIS_FIRST, MPI28

PIXELS, POSITIONS, UNIVERSAL = "annot2", "annot3", "univ_annot3"


@dataclass(frozen=True, eq=False)
class Annotations:
    """What is known of one camera's frames, in the joints of ``mpi_inf_3dhp17_pelvis_first``.

    Attributes:
        xy: (frames, 17, 2) pixels.
        xyz: (frames, 17, 3) metres in the camera's space.
        universal: the same of the skeleton scaled to one height, None if not asked for.
    """

    xy: np.ndarray
    xyz: np.ndarray
    universal: np.ndarray | None


def read_training(path: Path, cameras: Sequence[int], universal: bool) -> list[Annotations]:
    """The annotations of a training sequence, one for each of the cameras.

    Raises:
        FileFormatError: malformed, a camera is missing, or its 2D and 3D differ in length.
    """
    cells = read_mat(path, _names(universal))
    order = [MPI28.index(joint) for joint in MPI17_PELVIS_FIRST.joints]

    def joints(name: str, camera: int) -> np.ndarray:
        arrays, size = cells[name], 2 if name == PIXELS else 3
        if not isinstance(arrays, list) or len(arrays) <= camera:
            found = f"{len(arrays)} cells" if isinstance(arrays, list) else f"an array {arrays.shape}"
            raise FileFormatError(path, f"expected a cell array of 14 cameras, found {found}", name)
        array = arrays[camera]
        if array.ndim != 2 or array.shape[1] != size * len(MPI28):
            raise FileFormatError(
                path, f"expected (frames, {size * len(MPI28)}), found {array.shape}", f"{name}{{{camera + 1}}}"
            )
        return array.reshape(-1, len(MPI28), size)[:, order]

    return [_annotations({name: joints(name, camera) for name in cells}, path, camera) for camera in cameras]


def read_test(path: Path, universal: bool) -> Annotations:
    """The annotations of a test sequence, of all its frames.

    Raises:
        FileFormatError: malformed, or the 2D and 3D differ in length.
    """
    arrays = read_mat(path, _names(universal))
    order = [MPI17.index(joint) for joint in MPI17_PELVIS_FIRST.joints]

    def joints(name: str) -> np.ndarray:
        array, size = arrays[name], 2 if name == PIXELS else 3
        # MATLAB drops a last axis of length 1: a sequence of one frame has three.
        if isinstance(array, np.ndarray) and array.ndim == 3:
            array = array[..., None]
        if not isinstance(array, np.ndarray) or array.ndim != 4 or array.shape[:3] != (size, len(MPI17), 1):
            found = array.shape if isinstance(array, np.ndarray) else "cells"
            raise FileFormatError(path, f"expected ({size}, {len(MPI17)}, 1, frames), found {found}", name)
        return array[:, :, 0].T[:, order]

    return _annotations({name: joints(name) for name in arrays}, path, None)


def read_valid(path: Path) -> np.ndarray:
    """(frames,) bool, the frames of a test sequence that count. Raises FileFormatError if malformed."""
    valid = read_mat(path, ["valid_frame"])["valid_frame"]
    if not isinstance(valid, np.ndarray) or valid.size != max(valid.shape, default=0):
        raise FileFormatError(path, "expected one number a frame", "valid_frame")
    return np.asarray(valid.ravel() != 0)


def read_cameras(path: Path, count: int) -> tuple[Camera, ...] | None:
    """The cameras of a sequence in their own space, named camera0, ...; None if there is no such file.

    Raises:
        FileFormatError: malformed, or fewer cameras than ``count``.
    """
    if not path.is_file():
        return None
    cameras: list[Camera] = []
    for block in re.split(r"^name\s+", read_text(path), flags=re.MULTILINE)[1:]:
        name = f"camera{block.split()[0] if block.split() else len(cameras)}"
        fields = {words[0]: words[1:] for line in block.splitlines()[1:] if (words := line.split())}
        try:
            K = np.array(fields["intrinsic"], dtype=np.float64).reshape(4, 4)[:3, :3]
            width, height = (int(word) for word in fields["size"])
            cameras.append(Camera(K, image_size=(width, height), name=name))
        except (KeyError, ValueError, OverflowError) as error:
            if isinstance(error, CameraError):
                raise FileFormatError(path, str(error), name) from error
            raise FileFormatError(path, f"expected 'size' and 16 numbers of 'intrinsic' ({error})", name) from error
    names = [camera.name for camera in cameras]
    if names[:count] != [f"camera{index}" for index in range(count)]:
        raise FileFormatError(path, f"expected {count} cameras from 0 on, found {', '.join(names) or 'none'}", "name")
    return tuple(cameras)


def _names(universal: bool) -> list[str]:
    return [PIXELS, POSITIONS, UNIVERSAL] if universal else [PIXELS, POSITIONS]


def _annotations(arrays: dict[str, np.ndarray], path: Path, camera: int | None) -> Annotations:
    frames = len(arrays[POSITIONS])
    for name, array in arrays.items():
        if len(array) != frames:
            place = name if camera is None else f"{name}{{{camera + 1}}}"
            raise FileFormatError(path, f"{len(array)} frames, but {POSITIONS} has {frames}", place)
    universal = arrays.get(UNIVERSAL)
    return Annotations(arrays[PIXELS], arrays[POSITIONS] / 1000.0, None if universal is None else universal / 1000.0)

"""Human3.6M's poses as one file a take: the original CDF files, and what others have made of them.

===========================================  =======================================================================
``S1/MyPoseFeatures/D3_Positions/*.cdf``     the data set's ``Poses_D3_Positions_S1.tgz`` unpacked: ``Pose``
                                             (1, frames, 96), millimetres
``S1/MyPoseFeatures/D3_Positions/*.cdf.mat`` the same through MATLAB's ``cdfread``: ``data``, one cell (frames, 96)
``S1/MyPoses/3D_positions/*.h5``             3d-pose-baseline's archive: ``3D_positions`` (96, frames), millimetres
===========================================  =======================================================================

All hold the 32 joints in the world, Z up. Sources: VideoPose3D's ``DATASETS.md``, 3d-pose-baseline's README.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lift3d.datasets.cdf_files import read_variable
from lift3d.datasets.human36m_layout import JOINTS, take_name
from lift3d.datasets.matlab_files import read_mat
from lift3d.errors import FileFormatError
from lift3d.io.hdf5_files import open_hdf5, read_dataset

# Where a subject's takes lie below the subject's folder, and the endings of the files there.
_FOLDERS = ("MyPoseFeatures/D3_Positions", "MyPoses/3D_positions", "Poses_D3_Positions", "D3_Positions")
_ENDINGS = (".cdf", ".cdf.mat", ".h5")


@dataclass(frozen=True)
class TakeFile:
    """The file of one take.

    Attributes:
        path: the file.
        name: the take, "Directions 1".
        action: what is done in it, "Directions".
    """

    path: Path
    name: str
    action: str


def find_takes(source: Path, subjects: Sequence[str]) -> dict[str, list[TakeFile]]:
    """The files of each subject's takes in a folder, sorted by name.

    Raises:
        FileFormatError: a subject has none, a file is no take of Human3.6M's, or a take is there twice.
    """
    base = source / "h36m" if (source / "h36m").is_dir() else source
    found: dict[str, list[TakeFile]] = {}
    for subject in subjects:
        folder = next((base / subject / name for name in _FOLDERS if (base / subject / name).is_dir()), None)
        files = [] if folder is None else _files(folder)
        if not files:
            raise FileFormatError(
                base / subject,
                f"the subject is missing: no poses in {' or '.join(_FOLDERS)}; unpack Poses_D3_Positions_{subject}.tgz",
            )
        takes: dict[str, TakeFile] = {}
        for file in files:
            named = take_name(file.name.removesuffix(_ending(file)))
            if named is None:
                raise FileFormatError(file, "is not the name of one of Human3.6M's 15 actions; take the file away")
            if named[0] in takes:
                raise FileFormatError(file, f"is the take {named[0]!r}, which {takes[named[0]].path.name} is too")
            takes[named[0]] = TakeFile(file, *named)
        found[subject] = [takes[name] for name in sorted(takes)]
    return found


def _files(folder: Path) -> list[Path]:
    """The takes of a folder, of the first kind that is there: converted copies may lie beside the originals."""
    # Some releases add a file of everything.
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith(("_ALL", "."))]
    for ending in _ENDINGS:
        if takes := [file for file in files if _ending(file) == ending]:
            return takes
    return []


def _ending(file: Path) -> str:
    name = file.name.lower()
    return next((file.name[-len(ending) :] for ending in (".cdf.mat", ".cdf", ".h5") if name.endswith(ending)), "")


def read_take(path: Path) -> np.ndarray:
    """The positions of a take, (frames, 32, 3) float64 in metres.

    Raises:
        FileFormatError: damaged, or not the positions of 32 joints.
        MissingDependencyError: a CDF file, and cdflib is not installed.
    """
    ending = _ending(path).lower()
    if ending == ".cdf":
        values, field = read_variable(path, "Pose"), "Pose"
        values = values[0] if values.ndim == 3 and len(values) == 1 else values
    elif ending == ".cdf.mat":
        values, field = _read_mat(path), "data"
    else:
        field = "3D_positions"
        with open_hdf5(path) as file:
            values = read_dataset(file, field, path).T
    if values.dtype.kind not in "fiu" or values.ndim != 2 or values.shape[1] != 3 * JOINTS:
        raise FileFormatError(
            path, f"expected (frames, {3 * JOINTS}) numbers, found {values.shape} {values.dtype}", field
        )
    return values.reshape(-1, JOINTS, 3) / 1000.0


def _read_mat(path: Path) -> np.ndarray:
    data = read_mat(path, ["data"])["data"]
    if isinstance(data, np.ndarray):
        return data
    if len(data) != 1:
        raise FileFormatError(path, f"expected one cell, found {len(data)}", "data")
    return data[0]

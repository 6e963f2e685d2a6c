"""Files of 3D poses, read and written by their ending.

| ending | holds | loses |
|---|---|---|
| .h5 | everything (``Poses3D.save``) | nothing |
| .npz | arrays and texts for numpy | the 2D keypoints |
| .json | the same as text, missing joints null | the 2D keypoints |
| .csv | one row a frame, person and joint, for pandas | the 2D keypoints, the camera, the bones, the provenance |
| .trc | markers for OpenSim, one file a person, Y up | all but positions, names and frame rate |
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from lift3d.errors import FileFormatError, UnknownFormatError

if TYPE_CHECKING:
    from lift3d.poses import Poses3D

ENDINGS = (".h5", ".npz", ".json", ".csv", ".trc")


def read_poses(path: str | PathLike[str]) -> Poses3D:
    """Read 3D poses; the ending says the format (see the module).

    Args:
        path: a .h5, .npz, .json, .csv or .trc file.

    Returns:
        The poses, in metres; those of a .trc are in world space, Z up.

    Raises:
        UnknownFormatError: another ending.
        FileFormatError: the file is missing, truncated or malformed; the message names the field.
    """
    _check_ending(path)
    file = Path(path)
    if not file.is_file():
        raise FileFormatError(path, "there is no such file")
    return _reader(file.suffix.lower())(file)


def write_poses(poses: Poses3D, path: str | PathLike[str], overwrite: bool = False) -> list[Path]:
    """Write 3D poses; the ending says the format and with it what is kept (see the module).

    Args:
        poses: the poses.
        path: a .h5, .npz, .json, .csv or .trc file. A .trc holds one person: of several people each gets a file of
            its own, ``take_id0.trc``, ``take_id1.trc``, ... after the track ids.
        overwrite: whether an existing file may be replaced.

    Returns:
        The files that were written.

    Raises:
        UnknownFormatError: another ending.
        OutputExistsError: a file exists and ``overwrite`` is False; nothing was written.
        ShapeError: the poses lack what the format needs: a .trc the frame rate, a .trc or .csv people.
    """
    _check_ending(path)
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix == ".trc":
        from lift3d.io.poses_trc import write_trc

        return write_trc(poses, file, overwrite)
    if suffix == ".npz":
        from lift3d.io.poses_npz import write_npz as write
    elif suffix == ".json":
        from lift3d.io.poses_json import write_json as write
    elif suffix == ".csv":
        from lift3d.io.poses_csv import write_csv as write
    else:
        poses.save(file, overwrite)
        return [file]
    write(poses, file, overwrite)
    return [file]


def _check_ending(path: str | PathLike[str]) -> None:
    if Path(path).suffix.lower() not in ENDINGS:
        raise UnknownFormatError(path, f"3D poses are read from and written to {', '.join(ENDINGS)} files")


def _reader(suffix: str) -> Callable[[Path], Poses3D]:
    if suffix == ".npz":
        from lift3d.io.poses_npz import read_npz

        return read_npz
    if suffix == ".json":
        from lift3d.io.poses_json import read_json

        return read_json
    if suffix == ".csv":
        from lift3d.io.poses_csv import read_csv

        return read_csv
    if suffix == ".trc":
        from lift3d.io.poses_trc import read_trc

        return read_trc
    from lift3d.poses import Poses3D

    return Poses3D.load

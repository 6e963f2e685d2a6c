"""Files of 3D poses, read and written by their ending.

| ending | holds | loses |
|---|---|---|
| .h5 | everything (``Poses3D.save``) | nothing |
| .npz | arrays and texts for numpy | the 2D keypoints |
| .json | the same as text, missing joints null | the 2D keypoints, the covariance |
| .nc | the data set of ``movement``, for xarray | the 2D keypoints |
| .csv | one row a frame, person and joint, for pandas | the 2D keypoints, the camera, the bones, the provenance |
| .trc | markers for OpenSim in metres, one file a person, Y up | all but positions, names and frame rate |
| .c3d | markers for motion capture software in mm, one file a person, Z up | the same; sigma goes into the residuals |
| .bvh | a tree of bones that turn, for animation, one file a person | bones get one length; what is absent is held |
| .glb | a skinned figure that moves, for viewers and game engines | is not read back |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lift3d.errors import FileFormatError, UnknownFormatError

if TYPE_CHECKING:
    from lift3d.poses import Poses3D


@dataclass(frozen=True)
class _Format:
    """Where the functions of a format are: ``read(path)`` and ``write(poses, path, overwrite)``.

    A writer that ``says`` takes one more, ``say``, for what it had to fill in or leave out.
    """

    module: str
    read: str | None
    write: str
    says: bool = False

    def function(self, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(import_module(f"lift3d.io.{self.module}"), name)
        return found


_FORMATS: dict[str, _Format] = {
    ".npz": _Format("poses_npz", "read_npz", "write_npz"),
    ".json": _Format("poses_json", "read_json", "write_json"),
    ".nc": _Format("poses_netcdf", "read_netcdf", "write_netcdf"),
    ".csv": _Format("poses_csv", "read_csv", "write_csv"),
    ".trc": _Format("poses_trc", "read_trc", "write_trc"),
    ".c3d": _Format("poses_c3d", "read_c3d", "write_c3d"),
    ".bvh": _Format("poses_bvh", "read_bvh", "write_bvh", says=True),
    ".glb": _Format("poses_gltf", None, "write_gltf", says=True),
}

WRITE_ENDINGS = (".h5", *_FORMATS)
READ_ENDINGS = (".h5", *(ending for ending, format in _FORMATS.items() if format.read))


def read_poses(path: str | PathLike[str]) -> Poses3D:
    """Read 3D poses; the ending says the format (see the module).

    Args:
        path: a file with one of ``READ_ENDINGS``.

    Returns:
        The poses, in metres; those of marker files and of hierarchies are in world space, Z up.

    Raises:
        UnknownFormatError: another ending.
        FileFormatError: the file is missing, truncated or malformed; the message names the field.
        MissingDependencyError: the format needs a library that is not installed.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending in WRITE_ENDINGS and ending not in READ_ENDINGS:
        raise UnknownFormatError(path, f"{ending} files are written for other programs and not read back")
    if ending not in READ_ENDINGS:
        raise UnknownFormatError(path, f"3D poses are read from {', '.join(READ_ENDINGS)} files")
    if not file.is_file():
        raise FileFormatError(path, "there is no such file")
    if ending == ".h5":
        from lift3d.poses import Poses3D

        return Poses3D.load(file)
    format = _FORMATS[ending]
    poses: Poses3D = format.function(str(format.read))(file)
    return poses


def write_poses(
    poses: Poses3D,
    path: str | PathLike[str],
    overwrite: bool = False,
    say: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write 3D poses; the ending says the format and with it what is kept (see the module).

    Args:
        poses: the poses.
        path: a file with one of ``WRITE_ENDINGS``. Formats that hold one person get a file for each of several,
            ``take_id0.trc``, ``take_id1.trc``, ... after the track ids.
        overwrite: whether an existing file may be replaced.
        say: takes a sentence for everything that had to be filled in or left out.

    Returns:
        The files that were written.

    Raises:
        UnknownFormatError: another ending.
        OutputExistsError: a file exists and ``overwrite`` is False; nothing was written.
        ShapeError: the poses lack what the format needs, such as people, frames or the frame rate.
        MissingDependencyError: the format needs a library that is not installed.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending not in WRITE_ENDINGS:
        raise UnknownFormatError(path, f"3D poses are written to {', '.join(WRITE_ENDINGS)} files")
    if ending == ".h5":
        poses.save(file, overwrite)
        return [file]
    format = _FORMATS[ending]
    known = {"say": say} if format.says else {}
    written: list[Path] | None = format.function(format.write)(poses, file, overwrite, **known)
    return [file] if written is None else written

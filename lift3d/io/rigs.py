"""Rig files of several programs, told apart by what is in them, and written by their name.

| format | files | unit, world | refuses to write | loses |
|---|---|---|---|---|
| ``toml`` | .toml of aniposelib, Pose2Sim, Anipose, FreeMoCap, Caliscope | m, as it is | nothing | nothing |
| ``opencv`` | .yml, .yaml, .xml of one camera or a pair | must be said, first camera | a third camera | metadata |
| ``easymocap`` | intri.yml and extri.yml, or their folder | m, as it is | fisheye | metadata |
| ``kalibr`` | \\*camchain\\*.yaml | m, first camera or IMU | k3 to k6, skew, unknown image size | metadata |
| ``panoptic`` | .json of CMU Panoptic | cm, y down: turned | fisheye, k4 to k6, unknown image size | most metadata |
| ``qualisys`` | .qca.txt | mm, Z up | fisheye, k4 to k6, unknown image size | metadata |
| ``h36m`` | .h5 of Human3.6M, ``cameras.h5::S1`` | mm, Z up | fisheye, k4 to k6, skew | most metadata |

What a format says in full, and what its world is, stands in its module. Numbers keep their full precision; of a unit
other than the metre they may differ in the last digit. lift3d's world is in metres, right-handed, and Z up where the
file knows an up. Names with characters that a format cannot keep are refused.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatch
from os import PathLike
from pathlib import Path

import numpy as np

from lift3d.errors import CameraError, FileFormatError, UnknownFormatError
from lift3d.geometry.rigs import Rig
from lift3d.io import rig_easymocap, rig_h36m, rig_kalibr, rig_opencv, rig_panoptic, rig_qualisys, rig_toml
from lift3d.io.hdf5_files import SIGNATURE
from lift3d.io.json_values import read_head
from lift3d.io.keypoints import split_selection
from lift3d.io.rig_values import RigFormat, RigSource, read_text

# Asked in this order: what is sure of itself first.
RIG_FORMATS: dict[str, RigFormat] = {
    module.FORMAT.name: module.FORMAT
    for module in (rig_h36m, rig_easymocap, rig_kalibr, rig_opencv, rig_panoptic, rig_qualisys, rig_toml)
}
# No studio is this large; translations beyond it are in a smaller unit than the file was taken for.
MAX_METRES = 200.0


def read_rig(path: str | PathLike[str], format: str | None = None, unit: str | float | None = None) -> Rig:
    """Read a rig file. The content decides what it is, not the name.

    Args:
        path: the file; of a calibration in two files either or their folder; of Human3.6M ``cameras.h5::S1``.
        format: a key of ``RIG_FORMATS``; found by looking at the file if None.
        unit: the unit of the file's translations: "m", "cm", "mm", or its length in metres (0.025 for a board of
            25 mm squares that was counted in squares). None for what the file or its format says; needed for OpenCV's
            stereo pairs, which do not say, and for aniposelib's files, which count in the unit of their board.

    Returns:
        The rig, translations in metres; ``metadata["format"]`` says what the file was taken for.

    Raises:
        UnknownFormatError: the file is none of these.
        FileFormatError: the file is truncated or malformed, or a camera in it is impossible.
    """
    file, selection = split_selection(path)
    source = _open(file, unit, selection)
    found = _format(format, file) if format is not None else _detect(source)
    if found is None:
        raise UnknownFormatError(
            file, f"not a rig file that lift3d knows; it reads {', '.join(item.title for item in RIG_FORMATS.values())}"
        )
    if selection is not None and found.name != "h36m":
        raise FileFormatError(file, f"holds one rig; leave ::{selection} out")
    taken = f" (taken for {found.title})"
    try:
        rig = found.read(source)
    except UnknownFormatError:
        raise
    except FileFormatError as error:
        raise FileFormatError(error.path, error.problem + taken, error.field) from error
    except CameraError as error:
        raise FileFormatError(file, f"{error}{taken}") from error
    farthest = max(float(np.linalg.norm(camera.t)) for camera in rig)
    if farthest > MAX_METRES:
        raise FileFormatError(
            file,
            f"a camera would be {farthest:.4g} m from the origin; name the unit that the file counts in, such as "
            f"unit='mm' (--unit mm){taken}",
            "translation",
        )
    return replace(rig, metadata={**rig.metadata, "format": found.title})


def write_rig(rig: Rig, path: str | PathLike[str], format: str | None = None, overwrite: bool = False) -> list[Path]:
    """Write a rig file; the name says the format where ``format`` does not (see the module).

    Args:
        rig: the rig.
        path: the file; intri.yml, extri.yml or, with ``format="easymocap"``, their folder.
        format: a key of ``RIG_FORMATS``.
        overwrite: whether an existing file may be replaced.

    Returns:
        The files that were written.

    Raises:
        UnknownFormatError: an unknown format or ending.
        CameraError: the format cannot hold a camera of the rig; nothing was written.
        OutputExistsError: a file exists and ``overwrite`` is False; nothing was written.
    """
    file = Path(path)
    if format is not None:
        return _format(format, file).write(rig, file, overwrite)
    for item in RIG_FORMATS.values():
        if any(fnmatch(file.name.lower(), pattern) for pattern in item.patterns):
            return item.write(rig, file, overwrite)
    patterns = ", ".join(pattern for item in RIG_FORMATS.values() for pattern in item.patterns)
    raise UnknownFormatError(file, f"the name must be one of {patterns}, or the format named")


def detect_rig(path: str | PathLike[str]) -> str | None:
    """The name of the format of a rig file, None if it is no rig or cannot be read."""
    file, selection = split_selection(path)
    try:
        found = _detect(_open(file, None, selection))
    except FileFormatError:
        return None
    return None if found is None else found.name


def _open(file: Path, unit: str | float | None, selection: str | None) -> RigSource:
    plain = file.is_dir() or read_head(file, 8) == SIGNATURE
    return RigSource(file, "" if plain else read_text(file), unit, selection)


def _detect(source: RigSource) -> RigFormat | None:
    return next((item for item in RIG_FORMATS.values() if item.sniff(source)), None)


def _format(name: str, path: Path) -> RigFormat:
    if name not in RIG_FORMATS:
        raise UnknownFormatError(path, f"no rig format {name!r}; known are {', '.join(RIG_FORMATS)}")
    return RIG_FORMATS[name]

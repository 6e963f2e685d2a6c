"""What all rig formats share: the file that is read, checked numbers, and what a format can hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import CameraError, FileFormatError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
MAX_RIG_BYTES = 16 << 20
MAX_NUMBER = 1e12  # nothing that a calibration holds is larger
MAX_NUMBERS = 4096  # in one matrix
MAX_SIDE = 1e6  # pixels


@dataclass(frozen=True)
class RigSource:
    """A rig file as the readers get it.

    Attributes:
        path: the file or folder, for messages and for the files beside it.
        text: its text; empty for a folder or an HDF5 file.
        unit: what the user says of the unit: a name in ``UNITS``, or its length in metres.
        selection: what stands behind ``::`` in the path.
    """

    path: Path
    text: str
    unit: str | float | None = None
    selection: str | None = None

    def metres(self, stated: str | None) -> float:
        """Metres per unit of the file: what the user says of it, else what the file or its format states.

        Raises:
            FileFormatError: neither says it, or what they say is no unit.
        """
        unit = stated if self.unit is None else self.unit
        if unit is None:
            raise FileFormatError(
                self.path,
                "the file does not say the unit of its translations; give it as unit='mm' or, where they count "
                "squares of a board, as the square's side in metres, unit=0.025 (--unit)",
            )
        if isinstance(unit, str):
            if unit not in UNITS:
                raise FileFormatError(
                    self.path,
                    f"the unit must be one of {', '.join(UNITS)} or a length in metres, not {unit!r}",
                    "units",
                )
            return UNITS[unit]
        if not (math.isfinite(unit) and unit > 0):
            raise FileFormatError(self.path, f"the unit must be a positive length in metres, not {unit}", "units")
        return float(unit)

    def beside(self, *names: str) -> RigSource:
        """The first of the files that exists in the folder, or beside the file; of both halves the user says the same.

        Raises:
            FileFormatError: none of them exists, or it cannot be read.
        """
        folder = self.path if self.path.is_dir() else self.path.parent
        if self.path.name in names:
            return self
        for path in (folder / name for name in names):
            if path.is_file():
                return replace(self, path=path, text=read_text(path))
        raise FileFormatError(self.path, f"the other half of this calibration, {folder / names[0]}, does not exist")


def read_text(path: Path) -> str:
    """The text of a rig file.

    Raises:
        UnknownFormatError: larger than any rig, or no text.
        FileFormatError: it cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_RIG_BYTES:
            raise UnknownFormatError(path, f"{size / 2**20:.0f} MiB are no rig file (the limit is 16 MiB)")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnknownFormatError(path, f"not a text file ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error


@dataclass(frozen=True)
class RigFormat:
    """One format of rig files.

    Attributes:
        name: what ``format=`` takes.
        title: the format in words, for messages and ``Rig.metadata``.
        patterns: file names (lower case, with wildcards) that are written in it.
        sniff: whether a file is of this format; looks at its beginning words and parses nothing.
        read: the rig of a file. Raises FileFormatError or CameraError.
        write: writes (rig, path, overwrite) and returns the files. Raises CameraError if the format cannot hold it.
    """

    name: str
    title: str
    patterns: tuple[str, ...]
    sniff: Callable[[RigSource], bool]
    read: Callable[[RigSource], Rig]
    write: Callable[[Rig, Path, bool], list[Path]]


def numbers(value: Any, path: Path, field: str, *shapes: tuple[int, ...]) -> np.ndarray:
    """A list of numbers, or of lists of numbers, as float64; numbers may be texts.

    Args:
        value: what the file holds.
        path, field: where, for messages.
        shapes: the shapes that are allowed; any if none is given.

    Raises:
        FileFormatError: missing, no numbers, not finite, or of another shape.
    """
    if value is None:
        raise FileFormatError(path, "the field is missing", field)
    if not isinstance(value, list):
        raise FileFormatError(path, f"expected a list of numbers, found {str(value)[:40]!r}", field)
    nested = bool(value) and all(isinstance(row, list) for row in value)
    flat = [item for row in value for item in row] if nested and len(value) <= 16 else value
    if len(flat) > MAX_NUMBERS:
        raise FileFormatError(path, f"{len(flat)} numbers are too many (the limit is {MAX_NUMBERS})", field)
    if nested and len({len(row) for row in value}) != 1:
        raise FileFormatError(path, "expected rows of one length", field)
    array = np.array([number(item, path, field) for item in flat])
    if nested:
        array = array.reshape(len(value), -1)
    if shapes and array.shape not in shapes:
        wanted = " or ".join(" x ".join(map(str, shape)) for shape in shapes)
        raise FileFormatError(
            path, f"expected {wanted} numbers, found {' x '.join(map(str, array.shape)) or 'none'}", field
        )
    return array


def number(value: Any, path: Path, field: str) -> float:
    """A finite number, which may be a text. Raises FileFormatError."""
    if value is None:
        raise FileFormatError(path, "the field is missing", field)
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError) as error:
        raise FileFormatError(path, f"expected a number, found {str(value)[:40]!r}", field) from error
    if not abs(result) < MAX_NUMBER:
        raise FileFormatError(path, f"expected a finite number, found {value!r}", field)
    return result


def intrinsics(value: Any, path: Path, field: str) -> np.ndarray:
    """(3, 3) intrinsics ``[[fx, skew, cx], [0, fy, cy], [0, 0, 1]]``. Raises FileFormatError."""
    K = numbers(value, path, field, (3, 3))
    if not _is_upper(K):
        raise FileFormatError(path, f"expected [[fx, s, cx], [0, fy, cy], [0, 0, 1]], found {K.tolist()}", field)
    return K


def coefficients(value: Any, path: Path, field: str, fisheye: bool = False) -> np.ndarray:
    """Distortion of a ``Camera`` from OpenCV's 4, 5, 8, 12 or 14 coefficients, or from the 4 of a fisheye.

    Raises:
        FileFormatError: another number of them, or thin-prism or tilt coefficients (the ninth and on) that are not 0.
    """
    array = numbers(value, path, field).ravel()
    allowed = (4,) if fisheye else (4, 5, 8, 12, 14)
    if array.size not in allowed:
        raise FileFormatError(path, f"expected {', '.join(map(str, allowed))} coefficients, found {array.size}", field)
    if array[8:].any():
        raise FileFormatError(
            path,
            f"the thin-prism and tilt coefficients {array[8:].tolist()} are not supported; calibrate without them",
            field,
        )
    if not fisheye and array.size == 4:
        return np.append(array, 0.0)
    return array[:8]


def rotation_matrix(value: Any, path: Path, field: str) -> np.ndarray:
    """(3, 3) rotation from such a matrix or from a Rodrigues vector. Raises FileFormatError."""
    array = numbers(value, path, field, (3, 3), (3,), (3, 1), (1, 3))
    if array.shape == (3, 3):
        return array
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(array.ravel()).as_matrix())


def rotation_vector(R: np.ndarray) -> np.ndarray:
    """(3,) Rodrigues vector of a rotation.

    OpenCV's own conversion is off by up to 2e-5 near half a turn, where cameras that face each other are.
    """
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(R).as_rotvec())


def image_size(value: Any, path: Path, field: str) -> tuple[int, int]:
    """(width, height) in pixels. Raises FileFormatError."""
    width, height = numbers(value, path, field, (2,))
    if not (min(width, height) >= 1 and max(width, height) < MAX_SIDE and width % 1 == height % 1 == 0):
        raise FileFormatError(path, f"expected (width, height) in pixels, found {value}", field)
    return int(width), int(height)


def check_holds(
    rig: Rig, title: str, *, most_coefficients: int = 5, fisheye: bool = False, skew: bool = True, size: bool = False
) -> None:
    """Raise CameraError if a format cannot hold a camera of the rig.

    Args:
        rig: the rig that is to be written.
        title: the format.
        most_coefficients: how many distortion coefficients (k1 k2 p1 p2 k3 k4 k5 k6) it holds.
        fisheye, skew: whether it holds a fisheye camera and a skew.
        size: whether it needs the image size.
    """
    for camera in rig:
        problem = None
        if camera.fisheye and not fisheye:
            problem = "a fisheye camera"
        elif not camera.fisheye and camera.distortion[most_coefficients:].any():
            problem = f"more than {most_coefficients} distortion coefficients ({camera.distortion.tolist()})"
        elif not _is_upper(camera.K):
            problem = f"K = {camera.K.tolist()}"
        elif camera.K[0, 1] and not skew:
            problem = f"a skew ({camera.K[0, 1]:g})"
        elif camera.image_size is None and size:
            problem = "a camera of unknown image size"
        if problem is not None:
            raise CameraError(
                f"camera {camera.name!r}: {title} cannot hold {problem}; write .toml, which holds every camera"
            )


def distortion5(camera: Camera) -> np.ndarray:
    """(5,) coefficients of a camera that ``check_holds`` has found to need no more."""
    return camera.distortion[:5]


def _is_upper(K: np.ndarray) -> bool:
    return not (K[1, 0] or K[2, 0] or K[2, 1]) and bool(K[2, 2] == 1)

"""The small tables of a pose-set file: its recordings, their views and the cameras, as columns that are checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from os import PathLike
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np

from lift3d.datasets.recordings import DataSetInfo
from lift3d.errors import CameraError, FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.io.hdf5_files import read_dataset
from lift3d.io.motion_file import read_json

if TYPE_CHECKING:
    import h5py

# A rational lens has up to 8 coefficients; shorter ones are padded, and ``cameras/coefficients`` says how many there
# are: 4 is the fisheye model.
MOST_COEFFICIENTS = 8


@dataclass(frozen=True)
class RecordingEntry:
    """A recording of a pose set.

    Attributes:
        name, subject, action, fps: as in ``lift3d.datasets.recordings.Recording``.
        start, frames: where it lies in ``poses/xyz``.
    """

    name: str
    subject: str
    action: str
    fps: float
    start: int
    frames: int


@dataclass(frozen=True, eq=False)
class ViewEntry:
    """What one camera saw of a recording.

    Attributes:
        recording: index in ``PoseSet.recordings``, whose number of frames the view has.
        start: where it lies in ``views/xy``.
        camera: from the set's space to camera space and pixels.
        seen: in how many frames a joint was seen.
    """

    recording: int
    start: int
    camera: Camera
    seen: int


# Column of each table: kind of its numbers (of numpy's dtypes; S for text) and the shape of one entry.
_RECORDINGS: dict[str, tuple[str, tuple[int, ...]]] = {
    "name": ("S", ()), "subject": ("S", ()), "action": ("S", ()), "fps": ("f", ()), "start": ("i", ()),
    "frames": ("i", ()),
}  # fmt: skip
_VIEWS: dict[str, tuple[str, tuple[int, ...]]] = {
    "recording": ("i", ()), "start": ("i", ()), "camera": ("i", ()), "seen": ("i", ()),
}  # fmt: skip
_CAMERAS: dict[str, tuple[str, tuple[int, ...]]] = {
    "name": ("S", ()), "K": ("f", (3, 3)), "distortion": ("f", (MOST_COEFFICIENTS,)), "coefficients": ("i", ()),
    "R": ("f", (3, 3)), "t": ("f", (3,)), "image_size": ("i", (2,)),
}  # fmt: skip


class CameraTable:
    """Cameras, each one once."""

    def __init__(self) -> None:
        self.cameras: list[Camera] = []
        self._numbers: dict[tuple[Any, ...], int] = {}

    def number(self, camera: Camera) -> int:
        """The camera's number in the table; a new one is added to it."""
        arrays = (camera.K, camera.distortion, camera.R, camera.t)
        key = (camera.name, camera.fisheye, camera.image_size, *(array.tobytes() for array in arrays))
        if key not in self._numbers:
            self._numbers[key] = len(self.cameras)
            self.cameras.append(camera)
        return self._numbers[key]


def write_tables(
    file: h5py.File, recordings: list[RecordingEntry], views: list[tuple[int, int, int, int]], cameras: list[Camera]
) -> None:
    """Write the three tables; ``views`` holds recording, start, camera and seen of each view."""
    columns: dict[str, list[Any]] = {
        f"recordings/{name}": [getattr(entry, name) for entry in recordings] for name in _RECORDINGS
    }
    columns |= {f"views/{name}": [view[k] for view in views] for k, name in enumerate(_VIEWS)}
    columns |= {f"cameras/{name}": [getattr(camera, name) for camera in cameras] for name in ("name", "K", "R", "t")}
    padded = [np.pad(camera.distortion, (0, MOST_COEFFICIENTS - camera.distortion.size)) for camera in cameras]
    columns["cameras/distortion"] = padded
    columns["cameras/coefficients"] = [camera.distortion.size for camera in cameras]
    columns["cameras/image_size"] = [camera.image_size for camera in cameras]
    for table, expected in (("recordings", _RECORDINGS), ("views", _VIEWS), ("cameras", _CAMERAS)):
        for name, (kind, shape) in expected.items():
            values = columns[f"{table}/{name}"]
            dtype = {"f": "<f8", "i": "<i8"}.get(kind)
            if dtype is None:
                encoded = [value.encode() for value in values]
                array = np.array(encoded, dtype=f"S{max([1, *map(len, encoded)])}")
            else:
                array = np.array(values, dtype=dtype).reshape(len(values), *shape)
            # Checksums need chunks, and chunks need entries.
            checked = {"chunks": array.shape, "fletcher32": True} if len(array) else {}
            file.create_dataset(f"{table}/{name}", data=array, **checked)


def read_tables(
    file: h5py.File, path: str | PathLike[str], pose_rows: int, view_rows: int
) -> tuple[tuple[RecordingEntry, ...], tuple[ViewEntry, ...]]:
    """The recordings and views, checked against the rows that ``poses/xyz`` and ``views/xy`` have.

    Raises:
        FileFormatError: names the column that is wrong.
    """
    columns = _read_columns(file, path, "recordings", _RECORDINGS)
    names = [_text(value, path, "recordings/name") for value in columns["name"]]
    if not names:
        raise FileFormatError(path, "the set holds no recordings", "recordings/name")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise FileFormatError(path, f"two recordings are called {twice!r}", "recordings/name")
    _demand(np.isfinite(columns["fps"]) & (columns["fps"] > 0), path, "recordings/fps", "is no frame rate")
    frames, start = columns["frames"], columns["start"]
    _demand((frames > 0) & (frames <= pose_rows), path, "recordings/frames", f"is not 1 to {pose_rows} frames")
    _demand((start >= 0) & (start <= pose_rows - frames), path, "recordings/start", "lies outside poses/xyz")
    recordings = tuple(
        RecordingEntry(
            name,
            _text(columns["subject"][k], path, "recordings/subject"),
            _text(columns["action"][k], path, "recordings/action"),
            float(columns["fps"][k]),
            int(start[k]),
            int(frames[k]),
        )
        for k, name in enumerate(names)
    )
    cameras = _read_cameras(file, path)
    columns = _read_columns(file, path, "views", _VIEWS)
    of, start, camera, seen = (columns[name] for name in _VIEWS)
    _demand((of >= 0) & (of < len(names)), path, "views/recording", "is no recording of the set")
    _demand((camera >= 0) & (camera < len(cameras)), path, "views/camera", "is no camera of the set")
    _demand((start >= 0) & (start <= view_rows - frames[of]), path, "views/start", "lies outside views/xy")
    _demand((seen >= 0) & (seen <= frames[of]), path, "views/seen", "is no part of the recording's frames")
    views = tuple(ViewEntry(int(of[k]), int(start[k]), cameras[camera[k]], int(seen[k])) for k in range(len(of)))
    return recordings, views


def info_to_json(info: DataSetInfo) -> dict[str, Any]:
    """The record as JSON values."""
    return asdict(info)


def read_info(file: h5py.File, path: str | PathLike[str]) -> DataSetInfo:
    """The record of what holds for the whole set. Raises FileFormatError that names the field."""
    values = read_json(file, "info", path)
    if not isinstance(values, dict):
        raise FileFormatError(path, "expected named fields", "info")
    known: dict[str, Any] = {}
    for field, hint in get_type_hints(DataSetInfo).items():
        value = values.get(field, "" if hint is str else {} if field == "provenance" else [])
        wanted = str if hint is str else dict if field == "provenance" else list
        if not isinstance(value, wanted) or (wanted is list and not all(isinstance(item, str) for item in value)):
            raise FileFormatError(path, f"expected {wanted.__name__}, found {value!r:.80}", f"info.{field}")
        known[field] = tuple(value) if wanted is list else value
    if known["space"] not in ("world", "camera"):
        raise FileFormatError(path, f"the space is {known['space']!r}, neither world nor camera", "info.space")
    if unknown := values.keys() - {field.name for field in fields(DataSetInfo)}:
        raise FileFormatError(path, "there is no such field", f"info.{min(unknown)}")
    return DataSetInfo(**known)


def _read_cameras(file: h5py.File, path: str | PathLike[str]) -> list[Camera]:
    columns = _read_columns(file, path, "cameras", _CAMERAS)
    sizes = columns["coefficients"]
    _demand(np.isin(sizes, (4, 5, 8)), path, "cameras/coefficients", "is not 4, 5 or 8")
    cameras = []
    for k, size in enumerate(sizes.tolist()):
        try:
            cameras.append(
                Camera(
                    K=columns["K"][k],
                    distortion=columns["distortion"][k, :size],
                    R=columns["R"][k],
                    t=columns["t"][k],
                    image_size=(int(columns["image_size"][k, 0]), int(columns["image_size"][k, 1])),
                    name=_text(columns["name"][k], path, "cameras/name"),
                    fisheye=size == 4,
                )
            )
        except CameraError as error:
            raise FileFormatError(path, str(error), f"cameras[{k}]") from error
    return cameras


def _read_columns(
    file: h5py.File, path: str | PathLike[str], table: str, expected: dict[str, tuple[str, tuple[int, ...]]]
) -> dict[str, np.ndarray]:
    """The columns of a table, all of one length."""
    columns: dict[str, np.ndarray] = {}
    for name, (kind, shape) in expected.items():
        place = f"{table}/{name}"
        array = read_dataset(file, place, path)
        if array.dtype.kind != kind or array.shape[1:] != shape or array.ndim != len(shape) + 1:
            what = {"S": "texts", "f": "floating-point numbers", "i": "whole numbers"}[kind]
            raise FileFormatError(
                path, f"expected {what} of shape (n, *{shape}), found {array.dtype} {array.shape}", place
            )
        columns[name] = array
        first = len(next(iter(columns.values())))
        if len(array) != first:
            raise FileFormatError(path, f"has {len(array)} entries, the columns before it {first}", place)
    return columns


def _demand(good: np.ndarray, path: str | PathLike[str], field: str, problem: str) -> None:
    if not good.all():
        raise FileFormatError(path, f"entry {int(np.argmin(good))} {problem}", field)


def _text(value: bytes, path: str | PathLike[str], field: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise FileFormatError(path, f"{value!r:.60} is not UTF-8", field) from error


def first_seen(values: Iterable[str]) -> tuple[str, ...]:
    """Different values in the order in which they come."""
    return tuple(dict.fromkeys(values))

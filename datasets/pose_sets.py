"""A prepared data set: one HDF5 file that is written and read a recording at a time.

| place in the file | what |
|---|---|
| ``poses/xyz`` | (frames of all recordings, joints, 3) float32, metres, NaN where missing |
| ``views/xy`` | (frames of all views, joints, 2) float32, pixels, NaN where missing |
| ``views/confidence`` | (frames of all views, joints) float32, 0 where missing |
| ``recordings/*``, ``views/*``, ``cameras/*`` | a column a data set, see ``lift3d.datasets.pose_set_tables`` |
| attribute ``info`` | ``DataSetInfo`` as JSON |

Everything carries checksums. Nothing is compressed: gzip makes the arrays a quarter smaller and reading three times
slower (``experiments/benchmarks/reading.py``).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from operator import length_hint
from os import PathLike
from typing import TYPE_CHECKING, Self

import numpy as np

from lift3d.datasets.pose_set_tables import (
    CameraTable,
    RecordingEntry,
    ViewEntry,
    first_seen,
    info_to_json,
    read_info,
    read_tables,
    write_tables,
)
from lift3d.datasets.recordings import DataSetInfo, Recording, View
from lift3d.errors import FileFormatError, ShapeError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.io.hdf5_files import check_dataset, hdf5_errors
from lift3d.io.motion_file import FORMAT_VERSION, create_motion_file, open_motion_file, write_text
from lift3d.skeletons import Skeleton, get_skeleton

if TYPE_CHECKING:
    import h5py

KIND = "pose_set"
CHUNK_FRAMES = 256


@dataclass(frozen=True, eq=False)
class Clip:
    """A recording as one camera saw it.

    Attributes:
        recording: which one.
        camera: intrinsics and pose.
        xy: (frames, joints of the 2D layout, 2) float32 pixels, NaN where missing.
        confidence: (frames, joints of the 2D layout) float32 in 0..1, 0 where missing.
        xyz: (frames, joints of the 3D layout, 3) float32, metres, in camera space, NaN where missing.
    """

    recording: RecordingEntry
    camera: Camera
    xy: np.ndarray
    confidence: np.ndarray
    xyz: np.ndarray


class PoseSet:
    """A prepared data set, open for reading; made by ``open_pose_set``.

    Attributes:
        path: the file.
        info: what holds for the whole set.
        skeleton_3d, skeleton_2d: the layouts of its poses and of its keypoints.
        recordings: the recordings.
        views: what cameras saw of them, in the order of the recordings.
    """

    def __init__(
        self,
        file: h5py.File,
        path: str,
        info: DataSetInfo,
        recordings: tuple[RecordingEntry, ...],
        views: tuple[ViewEntry, ...],
        closing: ExitStack,
    ) -> None:
        self.path, self.info, self.recordings, self.views = path, info, recordings, views
        self.skeleton_3d, self.skeleton_2d = get_skeleton(info.skeleton_3d), get_skeleton(info.skeleton_2d)
        self._file, self._closing = file, closing
        self._arrays: dict[str, h5py.Dataset] = {}

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, in the order of the recordings."""
        return first_seen(entry.subject for entry in self.recordings)

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions, in the order of the set's tables."""
        there = first_seen(entry.action for entry in self.recordings)
        return first_seen([action for action in self.info.actions if action in there] + list(there))

    @property
    def frames(self) -> int:
        """Frames of all recordings, each counted once however many cameras saw it."""
        return sum(entry.frames for entry in self.recordings)

    def select(self, subjects: Sequence[str] = (), actions: Sequence[str] = ()) -> PoseSet:
        """The recordings of some subjects and actions, of the same open file.

        Args:
            subjects, actions: as the set calls them; empty for all.

        Raises:
            FileFormatError: a subject is not in the set, or the subjects have no frames of an action; lists what is
                there.
        """
        if missing := [subject for subject in subjects if subject not in self.subjects]:
            raise FileFormatError(
                self.path, f"no subject {', '.join(missing)}; there are {_listed(self.subjects)}", "recordings/subject"
            )
        kept = [k for k, entry in enumerate(self.recordings) if not subjects or entry.subject in subjects]
        there = first_seen(self.recordings[k].action for k in kept)
        if missing := [action for action in actions if action not in there]:
            whose = f" of {', '.join(subjects)}" if subjects else ""
            raise FileFormatError(
                self.path,
                f"no frames{whose} of the action {', '.join(missing)}; there are {_listed(there)}",
                "recordings/action",
            )
        kept = [k for k in kept if not actions or self.recordings[k].action in actions]
        number = {old: new for new, old in enumerate(kept)}
        views = tuple(
            replace(view, recording=number[view.recording]) for view in self.views if view.recording in number
        )
        chosen = tuple(self.recordings[k] for k in kept)
        return PoseSet(self._file, self.path, self.info, chosen, views, self._closing)

    def shortened(self, share: float) -> PoseSet:
        """The same recordings, of each a stretch of so many of its frames, one at least, of the same open file.

        Where a stretch lies follows from the recording's name: it is the same in every run, and shares that grow do not
        favour the recordings' beginnings.

        Args:
            share: above 0, at most 1.
        """
        recordings, offsets = [], []
        for entry in self.recordings:
            frames = max(1, round(share * entry.frames))
            offsets.append(zlib.crc32(entry.name.encode()) % (entry.frames - frames + 1))
            recordings.append(replace(entry, start=entry.start + offsets[-1], frames=frames))
        views = tuple(replace(view, start=view.start + offsets[view.recording]) for view in self.views)
        return PoseSet(self._file, self.path, self.info, tuple(recordings), views, self._closing)

    def read(self, recording: int, frames: slice = slice(None)) -> Recording:
        """Frames of a recording and of all its views.

        Args:
            recording: index in ``recordings``.
            frames: which; a step of n takes every n-th and divides the fps.

        Raises:
            FileFormatError: the file is damaged there.
        """
        entry = self.recordings[recording]
        first, stop, step = frames.indices(entry.frames)
        if step < 1:
            raise ShapeError(f"frames are read forwards; the step is {step}")
        views = tuple(
            View(
                view.camera,
                self.rows("views/xy", view.start + first, view.start + stop)[::step],
                self.rows("views/confidence", view.start + first, view.start + stop)[::step],
            )
            for view in self.views
            if view.recording == recording
        )
        xyz = self.rows("poses/xyz", entry.start + first, entry.start + stop)[::step]
        return Recording(entry.name, entry.subject, entry.action, entry.fps / step, xyz, views)

    def clips(self) -> Iterator[Clip]:
        """Every view that saw something, whole, one in memory at a time; the 3D in its camera's space."""
        for view in self.views:
            if not view.seen:
                continue
            entry = self.recordings[view.recording]
            xyz = self.rows("poses/xyz", entry.start, entry.start + entry.frames)
            yield Clip(
                entry,
                view.camera,
                self.rows("views/xy", view.start, view.start + entry.frames),
                self.rows("views/confidence", view.start, view.start + entry.frames),
                (xyz @ view.camera.R.T + view.camera.t).astype(np.float32),
            )

    def rows(self, name: str, first: int, stop: int) -> np.ndarray:
        """Rows first to stop - 1 of one of the large arrays. Raises FileFormatError if the file is damaged there."""
        with hdf5_errors(self.path, f"{name} is damaged; prepare the set again"):
            if name not in self._arrays:
                self._arrays[name] = self._file[name]
            return np.asarray(self._arrays[name][first : max(first, stop)])

    def close(self) -> None:
        """Close the file, for all selections of it."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_pose_set(path: str | PathLike[str]) -> PoseSet:
    """Open a file of ``write_pose_set``; its tables are read and checked, its arrays are not.

    Raises:
        FileFormatError: damaged, or no pose set; names the field that is wrong.
    """
    with ExitStack() as stack:
        file = stack.enter_context(open_motion_file(path, KIND))
        info = read_info(file, path)
        try:
            joints_3d, joints_2d = len(get_skeleton(info.skeleton_3d)), len(get_skeleton(info.skeleton_2d))
        except SkeletonError as error:
            raise FileFormatError(path, str(error), "info.skeleton_3d, info.skeleton_2d") from error
        pose_rows = _check_array(file, path, "poses/xyz", (joints_3d, 3))
        view_rows = _check_array(file, path, "views/xy", (joints_2d, 2))
        if _check_array(file, path, "views/confidence", (joints_2d,)) != view_rows:
            raise FileFormatError(path, f"has not the {view_rows} rows of views/xy", "views/confidence")
        recordings, views = read_tables(file, path, pose_rows, view_rows)
        return PoseSet(file, str(path), info, recordings, views, stack.pop_all())
    raise AssertionError("an ExitStack passes errors on")


def write_pose_set(
    path: str | PathLike[str],
    info: DataSetInfo,
    recordings: Iterable[Recording],
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a data set, one recording in memory at a time; nothing is left behind if it fails.

    Args:
        path: the HDF5 file.
        info: what holds for the whole set.
        recordings: all with different names, in its layouts.
        overwrite: whether an existing file may be replaced.
        progress: takes the recordings done and their number, 0 where ``recordings`` does not tell it.

    Raises:
        OutputExistsError: the file exists and ``overwrite`` is False.
        SkeletonError: a layout of ``info`` is unknown.
        ShapeError: there is no recording, or one does not fit its contract or ``info``; names it.
    """
    skeletons = get_skeleton(info.skeleton_3d), get_skeleton(info.skeleton_2d)
    total = length_hint(recordings, 0)
    entries: list[RecordingEntry] = []
    views: list[tuple[int, int, int, int]] = []
    cameras = CameraTable()
    names: set[str] = set()
    with create_motion_file(path, overwrite) as file:
        xyz = _create_array(file, "poses/xyz", (len(skeletons[0]), 3), np.nan)
        xy = _create_array(file, "views/xy", (len(skeletons[1]), 2), np.nan)
        confidence = _create_array(file, "views/confidence", (len(skeletons[1]),), 0)
        for recording in recordings:
            check_recording(recording, *skeletons)
            if recording.name in names:
                raise ShapeError(f"two recordings are called {recording.name!r}")
            names.add(recording.name)
            entries.append(
                RecordingEntry(
                    recording.name,
                    recording.subject,
                    recording.action,
                    float(recording.fps),
                    len(xyz),
                    len(recording.xyz),
                )
            )
            known = np.isfinite(recording.xyz).all(-1)
            _append(xyz, np.where(known[..., None], recording.xyz, np.nan))
            for view in recording.views:
                seen = np.isfinite(view.xy).all(-1)
                number = cameras.number(view.camera)
                views.append((len(entries) - 1, len(xy), number, int(seen.any(-1).sum())))
                _append(xy, np.where(seen[..., None], view.xy, np.nan))
                _append(confidence, np.where(seen & np.isfinite(view.confidence), view.confidence, 0))
            if progress is not None:
                progress(len(entries), max(total, len(entries)) if total else 0)
        if not entries:
            raise ShapeError(f"{path}: there are no recordings to write")
        write_tables(file, entries, views, cameras.cameras)
        write_text(file, "format", "lift3d")
        file.attrs["version"] = FORMAT_VERSION
        write_text(file, "kind", KIND)
        write_text(file, "info", json.dumps(info_to_json(info)))


def _create_array(file: h5py.File, name: str, shape: tuple[int, ...], missing: float) -> h5py.Dataset:
    return file.create_dataset(
        name,
        (0, *shape),
        np.float32,
        maxshape=(None, *shape),
        chunks=(CHUNK_FRAMES, *shape),
        fletcher32=True,
        fillvalue=np.float32(missing),
    )


def _append(dataset: h5py.Dataset, rows: np.ndarray) -> None:
    first = len(dataset)
    dataset.resize(first + len(rows), axis=0)
    dataset[first:] = rows


def _check_array(file: h5py.File, path: str | PathLike[str], name: str, shape: tuple[int, ...]) -> int:
    """The rows of one of the large arrays. Raises FileFormatError if it is missing or no such array."""
    import h5py

    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise FileFormatError(path, "the array is missing; was the file cut off while it was written?", name)
    if dataset.dtype != np.float32 or dataset.shape[1:] != shape or dataset.ndim != len(shape) + 1:
        raise FileFormatError(
            path, f"expected float32 of shape (frames, *{shape}), found {dataset.dtype} {dataset.shape}", name
        )
    check_dataset(dataset, path, name, rows=0)
    return int(dataset.shape[0])


def check_recording(recording: Recording, skeleton_3d: Skeleton, skeleton_2d: Skeleton) -> None:
    """Whether a recording is what it has to be, in these layouts.

    Raises:
        ShapeError: names the recording, and the camera where it is a view that is wrong.
    """
    where = f"recording {recording.name!r}"
    frames = len(recording.xyz)
    if recording.xyz.shape != (frames, len(skeleton_3d), 3):
        raise ShapeError(f"{where}: xyz must be (frames, {len(skeleton_3d)}, 3), not {recording.xyz.shape}")
    if not frames:
        raise ShapeError(f"{where}: it has no frames")
    if not (np.isfinite(recording.fps) and recording.fps > 0):
        raise ShapeError(f"{where}: fps must be a positive number, not {recording.fps}")
    if np.isinf(recording.xyz).any():
        raise ShapeError(f"{where}: xyz holds infinite values; a missing joint is NaN")
    cameras = [view.camera.name for view in recording.views]
    if len(set(cameras)) != len(cameras):
        raise ShapeError(f"{where}: two of its cameras have one name: {', '.join(cameras)}")
    for view in recording.views:
        place = f"{where}, camera {view.camera.name!r}"
        for name, array, shape in (
            ("xy", view.xy, (frames, len(skeleton_2d), 2)),
            ("confidence", view.confidence, (frames, len(skeleton_2d))),
        ):
            if array.shape != shape:
                raise ShapeError(f"{place}: {name} must be {shape}, as the poses and the layout are, not {array.shape}")
            if np.isinf(array).any():
                raise ShapeError(f"{place}: {name} holds infinite values; a missing joint is NaN")
        if np.any((view.confidence < 0) | (view.confidence > 1)):
            raise ShapeError(f"{place}: confidence must be between 0 and 1")
        if view.camera.image_size is None:
            raise ShapeError(f"{place}: its image size is unknown, and the keypoints are measured by it")


def _listed(names: Sequence[str], most: int = 40) -> str:
    shown = ", ".join(name or "(none)" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")

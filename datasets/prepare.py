"""Any data set that lift3d knows, turned into one file of ``lift3d.datasets.pose_sets``.

Each set is a module with ``read(source, **options) -> (DataSetInfo, Iterator[Recording])``; what holds for every set
is checked here: that poses are there and in metres, and that the cameras project them onto the keypoints.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from lift3d.datasets.pose_set_tables import first_seen
from lift3d.datasets.pose_sets import check_recording, write_pose_set
from lift3d.datasets.projection_check import check_projections
from lift3d.datasets.recordings import DataSetInfo, Recording
from lift3d.errors import FileFormatError, Lift3DError
from lift3d.io.files import check_output
from lift3d.skeletons import get_skeleton

# Diagonal of the box around a body: a crouching child to a dancer with raised arms.
BODY_METRES = (0.3, 4.0)


@dataclass(frozen=True)
class DataSet:
    """A data set that can be prepared.

    Attributes:
        module: where its ``read`` is.
        title: what people call it.
        source: what its source is.
        unlabelled: whether recordings without any 3D are meant.
        scaled_by: the option that asks for bodies of another size than the cameras saw.
    """

    module: str
    title: str
    source: str
    unlabelled: bool = False
    scaled_by: str = ""


DATA_SETS: dict[str, DataSet] = {
    "human36m": DataSet(
        "lift3d.datasets.human36m",
        "Human3.6M",
        "folder with data_3d_h36m.npz and data_2d_h36m_*.npz (VideoPose3D), or with the subjects' folders",
    ),
    "mpi_inf_3dhp": DataSet(
        "lift3d.datasets.mpi_inf_3dhp",
        "MPI-INF-3DHP",
        "folder with S1 ... S8, TS1 ... TS6 or both",
        scaled_by="universal",
    ),
    "humaneva": DataSet(
        "lift3d.datasets.humaneva", "HumanEva-I", "folder with data_3d_humaneva15.npz and data_2d_humaneva15_*.npz"
    ),
    "motion_capture": DataSet(
        "lift3d.datasets.motion_capture",
        "motion capture seen by virtual cameras",
        "file or folder of BVH, ASF/AMC, C3D or HDF5",
    ),
    "own": DataSet(
        "lift3d.datasets.own",
        "your own 2D and 3D",
        "recordings.yaml (see lift3d.datasets.own), or a folder of lift3d HDF5 poses with keypoints and camera",
        unlabelled=True,
    ),
}


@dataclass(frozen=True)
class PreparedCamera:
    """What is known of the views of one camera name.

    Attributes:
        views: recordings that it saw.
        pixels: median over them of the median distance between projected and given keypoints; None where there was
            nothing to compare.
        of_body: the same as a share of the body's size in the image.
    """

    views: int
    pixels: float | None
    of_body: float | None


@dataclass(frozen=True)
class Prepared:
    """What a prepared set holds.

    Attributes:
        output: the file.
        info: what holds for the whole set, exclusions among it.
        recordings, frames, views: how many; frames are counted once however many cameras saw them.
        missing: share of the joints of the poses that are missing.
        subjects, actions: in the order of the recordings.
        cameras: by name.
    """

    output: Path
    info: DataSetInfo
    recordings: int
    frames: int
    views: int
    missing: float
    subjects: tuple[str, ...]
    actions: tuple[str, ...]
    cameras: dict[str, PreparedCamera]


def get_data_set(name: str) -> DataSet:
    """The data set of that name. Raises Lift3DError that lists the known names."""
    if name not in DATA_SETS:
        raise Lift3DError(f"unknown data set {name!r}; known are {', '.join(DATA_SETS)}")
    return DATA_SETS[name]


def get_options(name: str) -> dict[str, tuple[Any, Any]]:
    """The options that a data set takes: name -> (type, default)."""
    read = _reader(get_data_set(name))
    hints = get_type_hints(read)
    parameters = list(inspect.signature(read).parameters.values())[1:]
    return {parameter.name: (hints[parameter.name], parameter.default) for parameter in parameters}


def prepare(
    name: str,
    source: str | PathLike[str],
    output: str | PathLike[str],
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Prepared:
    """Turn a data set into one HDF5 file, one recording in memory at a time.

    Args:
        name: a key of ``DATA_SETS``.
        source: the set's files.
        output: the HDF5 file.
        overwrite: whether an existing file may be replaced.
        progress: takes the recordings done and their number, 0 where that is unknown.
        options: of the set, see ``get_options``.

    Raises:
        Lift3DError: the set or an option is unknown.
        OutputExistsError: the file exists and ``overwrite`` is False.
        FileFormatError: a file is missing, malformed or against the set's rules, poses are missing or not in metres, or
            cameras do not project them onto the keypoints. Nothing is left behind.
    """
    data_set = get_data_set(name)
    check_output(output, overwrite)
    given = dict(options or {})
    if unknown := given.keys() - get_options(name).keys():
        known = ", ".join(get_options(name)) or "none"
        raise Lift3DError(f"{name} has no option {min(unknown)!r}; it has {known}")
    info, recordings = _reader(data_set)(Path(source), **given)
    scaled = bool(data_set.scaled_by and given.get(data_set.scaled_by))
    tally = _Tally(Path(source), info, data_set.unlabelled, projected=not scaled)
    write_pose_set(output, info, tally.checked(recordings), overwrite, progress)
    return tally.result(Path(output))


def _reader(data_set: DataSet) -> Callable[..., tuple[DataSetInfo, Iterator[Recording]]]:
    read: Callable[..., tuple[DataSetInfo, Iterator[Recording]]] = import_module(data_set.module).read
    return read


class _Tally:
    """Checks recordings on their way and counts them."""

    def __init__(self, source: Path, info: DataSetInfo, unlabelled: bool, projected: bool) -> None:
        self._source, self._info, self._unlabelled, self._projected = source, info, unlabelled, projected
        self._skeletons = get_skeleton(info.skeleton_3d), get_skeleton(info.skeleton_2d)
        self._recordings = self._frames = self._joints = self._missing = 0
        self._subjects: dict[str, None] = {}
        self._actions: dict[str, None] = {}
        self._views: dict[str, int] = defaultdict(int)
        self._errors: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def checked(self, recordings: Iterable[Recording]) -> Iterator[Recording]:
        """The recordings, each of them checked."""
        for recording in recordings:
            check_recording(recording, *self._skeletons)
            self._count(recording)
            yield recording
        customary = first_seen(self._info.training + self._info.test)
        if missing := [subject for subject in customary if subject not in self._subjects]:
            raise FileFormatError(
                self._source,
                f"there is no recording of {', '.join(missing)}, whom the split into training and test names",
            )

    def _count(self, recording: Recording) -> None:
        known = np.isfinite(recording.xyz).all(-1)
        if known.any():
            self._check_size(recording, known)
        elif not self._unlabelled:
            raise FileFormatError(self._source, "no joint has a 3D position in any frame", recording.name)
        self._recordings += 1
        self._frames += len(known)
        self._joints += known.size
        self._missing += int(known.size - known.sum())
        self._subjects[recording.subject] = self._actions[recording.action] = None
        for view in recording.views:
            self._views[view.camera.name] += 1
        if self._projected and known.any():
            for camera, error in check_projections(recording, self._info, self._source).items():
                self._errors[camera].append(error)

    def _check_size(self, recording: Recording, known: np.ndarray) -> None:
        """Raises FileFormatError if the bodies are larger or smaller than people are."""
        whole = recording.xyz[known.sum(1) == known.sum(1).max()]
        size = float(np.median(np.linalg.norm(np.nanmax(whole, axis=1) - np.nanmin(whole, axis=1), axis=-1)))
        least, most = BODY_METRES
        # Few joints may well lie close together.
        if size > most or (size < least and known.sum(1).max() > known.shape[1] // 2):
            raise FileFormatError(
                self._source,
                f"the body measures {size:.3g} m across; are the poses in another unit than metres?",
                recording.name,
            )

    def result(self, output: Path) -> Prepared:
        """What was counted."""
        cameras = {}
        for name, views in self._views.items():
            errors = np.array(self._errors[name]).reshape(-1, 2)
            pixels, share = np.median(errors, axis=0).tolist() if len(errors) else (None, None)
            cameras[name] = PreparedCamera(views, pixels, share)
        return Prepared(
            output,
            self._info,
            self._recordings,
            self._frames,
            sum(self._views.values()),
            self._missing / max(self._joints, 1),
            tuple(self._subjects),
            tuple(self._actions),
            cameras,
        )

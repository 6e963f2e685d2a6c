"""MPI-INF-3DHP: 8 people before 14 cameras for training, 6 people before one camera for the test.

Positions are in the space of the camera, so every camera gives a recording of its own, "S1/Seq1/camera0", with one view
whose R is the identity and whose t is 0. Its intrinsics come from ``camera.calibration`` beside the annotations or,
where that is missing as in the test set, from the annotations, whose 2D are projections of their 3D.

Joints outside of the image keep the place that they are projected to. Frames of the test set that are not valid are
missing (NaN, confidence 0), so that the others keep their distance in time.

Sources: Mehta et al., "Monocular 3D Human Pose Estimation In The Wild Using Improved CNN Supervision", 3DV 2017; the
frame rates of the data set's ``mpii_get_sequence_info.m``; the eight of 14 cameras that papers on the set train with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from lift3d.datasets.checks import check_targets, make_view
from lift3d.datasets.mpi_inf_3dhp_files import (
    POSITIONS,
    UNIVERSAL,
    Annotations,
    read_cameras,
    read_test,
    read_training,
    read_valid,
)
from lift3d.datasets.projection_check import check_projections
from lift3d.datasets.recordings import DataSetInfo, Recording
from lift3d.datasets.resection import find_camera
from lift3d.errors import CameraError, FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.skeletons import MPI17_PELVIS_FIRST

TRAINING = tuple(f"S{number}" for number in range(1, 9))
TEST = tuple(f"TS{number}" for number in range(1, 7))
SEQUENCES = ("Seq1", "Seq2")
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
ALL_CAMERAS = 14
TRAINING_SIZE = (2048, 2048)
# TS5 and TS6 were filmed outdoors with another camera.
TEST_SIZES = {subject: (1920, 1080) if subject in ("TS5", "TS6") else (2048, 2048) for subject in TEST}
FPS, FAST_FPS = 25.0, 50.0
FAST = {("S1", "Seq2"), ("S3", "Seq1"), ("S3", "Seq2"), ("S5", "Seq1"), ("S5", "Seq2")}

_TEST_FOLDERS = ("", "test", "mpi_inf_3dhp_test_set", "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set")


@dataclass(frozen=True)
class _Sequence:
    """Attributes: ``path`` is the file of the annotations; ``name`` "Seq1", or "" of a test sequence."""

    path: Path
    subject: str
    name: str = ""


def read(source: Path, universal: bool = False) -> tuple[DataSetInfo, Iterator[Recording]]:
    """Read MPI-INF-3DHP: the training set, the test set or both.

    Args:
        source: the folder that holds ``S1`` ... ``S8`` (or ``train`` with them), and ``TS1`` ... ``TS6`` (or
            ``mpi_inf_3dhp_test_set`` or ``test`` with them).
        universal: take ``univ_annot3`` for the targets: the skeleton scaled to one height, as tables of papers have
            it, which need not project onto the 2D. Else ``annot3``, the person's own size.

    Returns:
        what holds for the set, and the recordings, one sequence in memory at a time.

    Raises:
        FileFormatError: neither set is there, or a subject or sequence of one is missing; and while the recordings are
            read: a file is malformed, has no frames, targets that are not numbers, 2D and 3D of different lengths, or a
            camera that does not project onto the 2D.
    """
    source = Path(source)
    training, test = _training(source), _test(source)
    if not training and not test:
        raise FileFormatError(
            source, "holds neither S1/Seq1/annot.mat nor TS1/annot_data.mat; name the folder of MPI-INF-3DHP"
        )
    valid = {sequence.subject: read_valid(sequence.path) for sequence in test}
    exclusions = [
        f"{subject}: {np.count_nonzero(~frames)} of {len(frames)} frames are not valid and count as missing"
        for subject, frames in valid.items()
    ]
    if training:
        left_out = ", ".join(str(index) for index in range(ALL_CAMERAS) if index not in CAMERAS)
        exclusions.insert(0, f"Cameras {left_out} of the training set are left out, as in papers on the set")
    info = DataSetInfo(
        name="mpi_inf_3dhp",
        skeleton_3d=MPI17_PELVIS_FIRST.name,
        skeleton_2d=MPI17_PELVIS_FIRST.name,
        space="camera",
        keypoints="ground truth",
        rules="MPI-INF-3DHP, universal skeleton" if universal else "MPI-INF-3DHP, own size",
        training=TRAINING if training else (),
        test=TEST if test else (),
        actions=SEQUENCES if training else (),
        exclusions=tuple(exclusions),
        provenance={"source": source.resolve().name, "targets": UNIVERSAL if universal else POSITIONS},
    )
    return info, _recordings(training, test, valid, info, universal)


def _training(source: Path) -> list[_Sequence]:
    base = source / "train" if (source / "train").is_dir() else source
    if not any((base / subject).is_dir() for subject in TRAINING):
        return []
    return _all_there(
        [
            _Sequence(base / subject / name / "annot.mat", subject, name)
            for subject, name in product(TRAINING, SEQUENCES)
        ]
    )


def _test(source: Path) -> list[_Sequence]:
    for folder in (source / name for name in _TEST_FOLDERS):
        if any((folder / subject).is_dir() for subject in TEST):
            return _all_there([_Sequence(folder / subject / "annot_data.mat", subject) for subject in TEST])
    return []


def _all_there(sequences: list[_Sequence]) -> list[_Sequence]:
    for sequence in sequences:
        if not sequence.path.is_file():
            missing = f"{sequence.subject} {sequence.name}".strip()
            raise FileFormatError(sequence.path, f"{missing} is missing; download all of the set's sequences")
    return sequences


def _recordings(
    training: list[_Sequence],
    test: list[_Sequence],
    valid: dict[str, np.ndarray],
    info: DataSetInfo,
    universal: bool,
) -> Iterator[Recording]:
    for sequence in training:
        fps = FAST_FPS if (sequence.subject, sequence.name) in FAST else FPS
        calibrated = read_cameras(sequence.path.with_name("camera.calibration"), ALL_CAMERAS)
        found = read_training(sequence.path, CAMERAS, universal)
        for index, marks in zip(CAMERAS, found, strict=True):
            name = f"camera{index}"
            field = f"{POSITIONS}{{{index + 1}}}"
            everything = np.ones(len(marks.xyz), dtype=bool)
            camera = calibrated[index] if calibrated else _camera(marks, TRAINING_SIZE, name, sequence.path, field)
            yield _recording(sequence, f"/{sequence.name}/{name}", marks, everything, camera, fps, field, info)
    for sequence in test:
        marks, frames = read_test(sequence.path, universal), valid[sequence.subject]
        if len(frames) != len(marks.xyz):
            raise FileFormatError(
                sequence.path, f"{len(frames)} frames, but {POSITIONS} has {len(marks.xyz)}", "valid_frame"
            )
        kept = Annotations(
            marks.xy[frames],
            marks.xyz[frames],
            None if marks.universal is None else marks.universal[frames],
        )
        camera = _camera(kept, TEST_SIZES[sequence.subject], "camera", sequence.path, POSITIONS)
        yield _recording(sequence, "", kept, frames, camera, FPS, POSITIONS, info)


def _camera(marks: Annotations, size: tuple[int, int], name: str, path: Path, field: str) -> Camera:
    """The camera that made the 2D of the 3D."""
    check_targets(marks.xyz, path, field)
    try:
        camera, _ = find_camera(marks.xyz.reshape(-1, 3), marks.xy.reshape(-1, 2), size, name, own_space=True)
    except CameraError as error:
        raise FileFormatError(path, str(error), field) from error
    return camera


def _recording(
    sequence: _Sequence,
    suffix: str,
    kept: Annotations,
    frames: np.ndarray,
    camera: Camera,
    fps: float,
    field: str,
    info: DataSetInfo,
) -> Recording:
    """A recording of annotations that were kept of some frames (all frames,) bool; the others are missing."""
    name = f"{sequence.subject}{suffix}"
    targets = kept.xyz if kept.universal is None else kept.universal
    check_targets(kept.xyz, sequence.path, field)
    check_targets(targets, sequence.path, field)
    # The universal skeleton is of another size: the person's own must be where the 2D are.
    own = Recording(name, sequence.subject, sequence.name, fps, kept.xyz, (make_view(camera, kept.xy),))
    check_projections(own, info, sequence.path)
    xyz = np.full((len(frames), *targets.shape[1:]), np.nan, dtype=np.float32)
    xy = np.full((len(frames), *kept.xy.shape[1:]), np.nan)
    xyz[frames], xy[frames] = targets, kept.xy
    return Recording(name, sequence.subject, sequence.name, fps, xyz, (make_view(camera, xy),))

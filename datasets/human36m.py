"""Human3.6M: 7 people with known poses, 15 actions, 4 cameras, 50 frames per second.

Read from VideoPose3D's ``data_3d_h36m.npz``, the original CDF files or their conversions (``human36m_files``); the 2D
from VideoPose3D's ``data_2d_h36m_*.npz`` or, without one, projected through the cameras. The world is Human3.6M's own:
Z up, the floor near z = 0.

The rules are VideoPose3D's: 17 of 32 joints, S11 "Directions" left out, videos cut to the length of the motion capture.
VideoPose3D's own ground-truth 2D use its formula of the lens, which takes the two tangential coefficients in the other
order than OpenCV and lift3d: the two differ by about a pixel at the edge of the image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lift3d.datasets.checks import check_targets, make_view
from lift3d.datasets.human36m_cameras import find_cameras, read_cameras
from lift3d.datasets.human36m_files import find_takes, read_take
from lift3d.datasets.human36m_layout import (
    ACTIONS,
    CAMERAS,
    DAMAGED,
    DRIFT,
    EXCLUSION,
    FPS,
    JOINTS,
    SUBJECTS,
    TAKES,
    TEST,
    TRAINING,
    select_joints,
    take_name,
)
from lift3d.datasets.projection_check import check_projections
from lift3d.datasets.recordings import DataSetInfo, Recording
from lift3d.datasets.videopose3d_files import Keypoints, read_positions_2d, read_positions_3d
from lift3d.errors import FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.skeletons import H36M17

POSITIONS = "data_3d_h36m.npz"
GROUND_TRUTH = "gt"


@dataclass(frozen=True)
class _Take:
    """Attributes: ``load`` gives (frames, 32, 3) in metres; ``path`` and ``field`` say where they come from."""

    subject: str
    name: str
    action: str
    path: Path
    field: str
    load: Callable[[], np.ndarray]


def read(
    source: Path,
    keypoints: str | None = None,
    cameras: Path | None = None,
    subjects: Sequence[str] = SUBJECTS,
) -> tuple[DataSetInfo, Iterator[Recording]]:
    """Read Human3.6M.

    Args:
        source: ``data_3d_h36m.npz`` or the folder that holds it, or the folder of the subjects' folders.
        keypoints: which 2D: what stands in ``data_2d_h36m_<keypoints>.npz`` in the source's folder ("gt",
            "cpn_ft_h36m_dbb", ...), or the path of such a file; None to project the 3D through the cameras.
        cameras: ``cameras.h5`` or ``metadata.xml``; None to look for it in the source's folder.
        subjects: the subjects to read.

    Returns:
        what holds for the set, and the recordings, one read at a time, by subject and take.

    Raises:
        FileFormatError: a file is missing or malformed, a subject, an action or one of its two takes is missing, or a
            layout is unknown; and while the recordings are read: no frames, targets that are not numbers, fewer frames
            of 2D than of 3D, or cameras that do not project onto the 2D.
        MissingDependencyError: CDF files, and cdflib is not installed.
    """
    source = Path(source)
    folder = source if source.is_dir() else source.parent
    takes = _takes(source, subjects)
    cameras_file = Path(cameras) if cameras is not None else find_cameras(folder)
    rigs = read_cameras(cameras_file, subjects)
    detections = None if keypoints is None else read_positions_2d(_keypoints_file(folder, keypoints))
    if detections is not None:
        for take in takes:
            detections.cameras(take.subject, take.name, len(CAMERAS))
    truth = detections is None or detections.path.stem.endswith(f"_{GROUND_TRUTH}")
    info = DataSetInfo(
        name="human36m",
        skeleton_3d=H36M17.name,
        skeleton_2d=H36M17.name if detections is None else detections.skeleton.name,
        space="world",
        keypoints="ground truth" if detections is None or truth else detections.path.stem.removeprefix("data_2d_h36m_"),
        rules="VideoPose3D",
        training=tuple(subject for subject in TRAINING if subject in subjects),
        test=tuple(subject for subject in TEST if subject in subjects),
        actions=ACTIONS,
        exclusions=(EXCLUSION,) if DAMAGED[0] in subjects else (),
        provenance={
            "source": source.resolve().name,
            "cameras": cameras_file.name,
            "keypoints": "projected through the cameras, lens distortion included"
            if detections is None
            else detections.path.name,
            "notes": [DRIFT] if "S9" in subjects else [],
        },
    )
    return info, _recordings(takes, rigs, detections, info)


def _takes(source: Path, subjects: Sequence[str]) -> list[_Take]:
    file = source / POSITIONS if source.is_dir() else source
    if not source.exists():
        raise FileFormatError(source, "there is no such file or folder")
    takes = _takes_of_npz(file, subjects) if file.is_file() else _takes_of_files(source, subjects)
    kept = []
    for subject in subjects:
        mine = [take for take in takes if take.subject == subject]
        counts = Counter(take.action for take in mine)
        for action in ACTIONS:
            damaged = (subject, action) == DAMAGED
            if not TAKES - damaged <= counts[action] <= TAKES:
                raise FileFormatError(
                    mine[0].path if file.is_file() else mine[0].path.parent,
                    f"{counts[action]} takes of {action!r} where Human3.6M has {TAKES}; is the set complete?",
                    subject,
                )
        kept += [take for take in mine if (subject, take.name) != DAMAGED]
    return kept


def _takes_of_npz(path: Path, subjects: Sequence[str]) -> list[_Take]:
    positions = read_positions_3d(path, JOINTS)
    takes = []
    for subject in subjects:
        if not positions.get(subject):
            raise FileFormatError(
                path, f"the subject is missing; there are {', '.join(positions)}", f"positions_3d[{subject}]"
            )
        for key, array in positions[subject].items():
            field = f"positions_3d[{subject}][{key}]"
            named = take_name(key)
            if named is None:
                raise FileFormatError(path, "is not one of Human3.6M's 15 actions", field)
            takes.append(_Take(subject, *named, path, field, partial(np.asarray, array)))
    return sorted(takes, key=lambda take: (subjects.index(take.subject), take.name))


def _takes_of_files(folder: Path, subjects: Sequence[str]) -> list[_Take]:
    return [
        _Take(subject, take.name, take.action, take.path, "the positions", partial(read_take, take.path))
        for subject, takes in find_takes(folder, subjects).items()
        for take in takes
    ]


def _keypoints_file(folder: Path, keypoints: str) -> Path:
    path = Path(keypoints) if keypoints.endswith(".npz") else folder / f"data_2d_h36m_{keypoints}.npz"
    if not path.is_file():
        there = ", ".join(sorted(file.name for file in folder.glob("data_2d_h36m_*.npz"))) or "none"
        raise FileFormatError(path, f"there is no such file of 2D keypoints; in the folder of the poses: {there}")
    return path


def _recordings(
    takes: list[_Take], rigs: dict[str, tuple[Camera, ...]], detections: Keypoints | None, info: DataSetInfo
) -> Iterator[Recording]:
    for take in takes:
        xyz = select_joints(take.load()).astype(np.float32)
        check_targets(xyz, take.path, take.field)
        views = [
            make_view(camera, camera.project(xyz))
            if detections is None
            else make_view(camera, *detections.pixels(take.subject, take.name, index, len(CAMERAS), len(xyz)))
            for index, camera in enumerate(rigs[take.subject])
        ]
        recording = Recording(f"{take.subject}/{take.name}", take.subject, take.action, FPS, xyz, tuple(views))
        if detections is not None:
            check_projections(recording, info, detections.path)
        yield recording

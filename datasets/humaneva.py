"""HumanEva-I as VideoPose3D prepares it: 3 people, 3 cameras, 60 frames per second, 15 joints.

``data_3d_humaneva15.npz`` holds the positions (metres, world Z up) and ``data_2d_humaneva15_gt.npz`` their projections;
both come from the same conversion, which takes the recordings apart where the motion capture failed ("Walking 1
chunk0"). The files hold no cameras: they are found from the two, for each person and camera, and must leave less than a
pixel. Detections (``data_2d_humaneva15_detectron_pt_coco.npz``) may stand in for the ground-truth 2D.

Sources: Sigal et al., "HumanEva", IJCV 2010; VideoPose3D's ``DATASETS.md`` and ``data/prepare_data_humaneva.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lift3d.datasets.checks import check_targets, make_view
from lift3d.datasets.projection_check import check_projections
from lift3d.datasets.recordings import DataSetInfo, Recording
from lift3d.datasets.resection import find_camera
from lift3d.datasets.videopose3d_files import Keypoints, read_positions_2d, read_positions_3d
from lift3d.errors import CameraError, FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.skeletons import HUMANEVA15

PEOPLE = ("S1", "S2", "S3")
TRAINING = tuple(f"Train/{person}" for person in PEOPLE)
TEST = tuple(f"Validate/{person}" for person in PEOPLE)
ACTIONS = ("Walking", "Jog", "ThrowCatch", "Gestures", "Box")
FPS = 60.0
CAMERAS = ("C1", "C2", "C3")
IMAGE_SIZE = (640, 480)
POSITIONS = "data_3d_humaneva15.npz"
GROUND_TRUTH = "gt"
# Pixels that half of the joints may be away from their projection through a camera that was found. Elbows and knees are
# the middles of two projected markers, which moves them by a fraction of a pixel.
LIMIT = 1.0


def read(source: Path, keypoints: str = GROUND_TRUTH) -> tuple[DataSetInfo, Iterator[Recording]]:
    """Read HumanEva-I.

    Args:
        source: ``data_3d_humaneva15.npz`` or the folder that holds it and the 2D.
        keypoints: which 2D: what stands in ``data_2d_humaneva15_<keypoints>.npz``.

    Returns:
        what holds for the set, and the recordings by subject ("Train/S1") and chunk.

    Raises:
        FileFormatError: a file is missing or malformed, a subject or its 2D are missing, an action is unknown or has no
            frames, targets are not numbers, or no camera projects the 3D onto the 2D.
    """
    source = Path(source)
    path = source / POSITIONS if source.is_dir() else source
    positions = read_positions_3d(path, len(HUMANEVA15))
    for subject in TRAINING + TEST:
        if not positions.get(subject):
            raise FileFormatError(
                path, f"the subject is missing; there are {', '.join(positions)}", f"positions_3d[{subject}]"
            )
    truth = read_positions_2d(path.with_name(f"data_2d_humaneva15_{GROUND_TRUTH}.npz"))
    if truth.skeleton is not HUMANEVA15:
        raise FileFormatError(truth.path, f"expected 15 joints, found the layout {truth.skeleton.name}", "metadata")
    detections = (
        truth if keypoints == GROUND_TRUTH else read_positions_2d(path.with_name(f"data_2d_humaneva15_{keypoints}.npz"))
    )
    for subject in TRAINING + TEST:
        for chunk, xyz in positions[subject].items():
            field = f"positions_3d[{subject}][{chunk}]"
            if _action(chunk) not in ACTIONS:
                raise FileFormatError(path, f"is not one of the actions {', '.join(ACTIONS)}", field)
            check_targets(xyz, path, field)
            detections.cameras(subject, chunk, len(CAMERAS))
    rigs = {person: _cameras(person, positions, truth) for person in PEOPLE}
    unlabelled = [subject for subject in detections.positions if subject.startswith("Unlabeled/")]
    info = DataSetInfo(
        name="humaneva",
        skeleton_3d=HUMANEVA15.name,
        skeleton_2d=detections.skeleton.name,
        space="world",
        keypoints="ground truth" if detections is truth else keypoints,
        rules="VideoPose3D",
        training=TRAINING,
        test=TEST,
        actions=ACTIONS,
        exclusions=("Recordings without 3D ('Unlabeled/...') are left out",) if unlabelled else (),
        provenance={
            "source": path.name,
            "keypoints": detections.path.name,
            "cameras": f"found from {path.name} and {truth.path.name}",
        },
    )
    return info, _recordings(positions, rigs, detections, info)


def _action(chunk: str) -> str:
    return chunk.split(" ")[0]


def _cameras(person: str, positions: dict[str, dict[str, np.ndarray]], truth: Keypoints) -> tuple[Camera, ...]:
    """The cameras of one person's recordings, which stood still through the training and the validation parts."""
    chunks = [
        (subject, chunk, xyz)
        for subject in (f"Train/{person}", f"Validate/{person}")
        for chunk, xyz in positions[subject].items()
    ]
    points = np.concatenate([xyz.reshape(-1, 3) for _, _, xyz in chunks])
    cameras = []
    for index, name in enumerate(CAMERAS):
        pixels = np.concatenate(
            [
                truth.pixels(subject, chunk, index, len(CAMERAS), len(xyz))[0].reshape(-1, 2)
                for subject, chunk, xyz in chunks
            ]
        )
        try:
            camera, left = find_camera(points, pixels, IMAGE_SIZE, name, own_space=False)
        except CameraError as error:
            raise FileFormatError(truth.path, str(error), f"positions_2d[.../{person}][...][{index}]") from error
        if not left <= LIMIT:
            raise FileFormatError(
                truth.path,
                f"no camera {name} projects the 3D onto these 2D: the best leaves {left:.1f} pixels; are both files of "
                "the same conversion?",
                f"positions_2d[.../{person}][...][{index}]",
            )
        cameras.append(camera)
    return tuple(cameras)


def _recordings(
    positions: dict[str, dict[str, np.ndarray]],
    rigs: dict[str, tuple[Camera, ...]],
    detections: Keypoints,
    info: DataSetInfo,
) -> Iterator[Recording]:
    for subject in TRAINING + TEST:
        for chunk in sorted(positions[subject]):
            xyz = positions[subject][chunk].astype(np.float32)
            views = tuple(
                make_view(camera, *detections.pixels(subject, chunk, index, len(CAMERAS), len(xyz)))
                for index, camera in enumerate(rigs[subject.split("/")[1]])
            )
            recording = Recording(f"{subject}/{chunk}", subject, _action(chunk), FPS, xyz, views)
            check_projections(recording, info, detections.path)
            yield recording

"""Motion capture as a data set: BVH, ASF/AMC, C3D and HDF5 clips as Human3.6M's joints, seen by virtual cameras."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lift3d.datasets.motion_capture_files import AMC_FPS, MotionSource, find_motion, read_joints
from lift3d.datasets.pose_set_tables import first_seen
from lift3d.datasets.recordings import DataSetInfo, Recording
from lift3d.datasets.virtual_views import MAX_CAMERAS, make_views
from lift3d.errors import FileFormatError, Lift3DError
from lift3d.skeletons import H36M17

# Of what was recorded without cameras the keypoints are exact: noise is for training to add.
KEYPOINTS = "ground truth, virtual cameras"


def read(
    source: Path,
    cameras: int = 4,
    fps: float = 50.0,
    amc_fps: float = AMC_FPS,
    held_out: tuple[str, ...] = (),
    seed: int = 0,
) -> tuple[DataSetInfo, Iterator[Recording]]:
    """Read motion capture.

    Args:
        source: a file of BVH, AMC with its ASF beside it, C3D or HDF5 clips, or a folder of such files.
        cameras: virtual cameras around each recording.
        fps: frames per second of the set, to which recordings are resampled; 0 keeps the rate of each.
        amc_fps: frames per second of AMC files, which do not say.
        held_out: subjects of the test; all others are trained on. None for a set without a split.
        seed: of the places of the cameras.

    Returns:
        What holds for the set, and the recordings, one in memory at a time. What had to be put right stands in the
        provenance's notes when the last of them was read.

    Raises:
        FileFormatError: a file is malformed, cut off or lacks joints, or a subject is not there.
        Lift3DError: an impossible option.
    """
    if not 1 <= cameras <= MAX_CAMERAS:
        raise Lift3DError(f"cameras must be 1 to {MAX_CAMERAS}, not {cameras}")
    for name, rate, least in (("fps", fps, 0.0), ("amc_fps", amc_fps, 1.0)):
        if not least <= rate <= 10_000:
            raise Lift3DError(f"{name} must be {least:g} to 10000 frames per second, not {rate:g}")
    if seed < 0:
        raise Lift3DError(f"seed must not be negative, and is {seed}")
    found = find_motion(source)
    subjects = first_seen(entry.subject for entry in found)
    if missing := [subject for subject in held_out if subject not in subjects]:
        raise FileFormatError(source, f"held_out: nobody called {missing[0]!r}; there are {', '.join(subjects)}")
    notes: list[str] = []
    info = DataSetInfo(
        name="motion_capture",
        skeleton_3d=H36M17.name,
        skeleton_2d=H36M17.name,
        keypoints=KEYPOINTS,
        training=tuple(subject for subject in subjects if subject not in held_out) if held_out else (),
        test=held_out,
        actions=first_seen(entry.action for entry in found),
        provenance={
            "files": [path.name for path in dict.fromkeys(entry.path for entry in found)],
            "cameras": cameras,
            "fps": fps,
            "amc_fps": amc_fps,
            "seed": seed,
            "notes": notes,
        },
    )
    return info, _recordings(found, cameras, fps or None, amc_fps, seed, notes)


def _recordings(
    found: Sequence[MotionSource], cameras: int, fps: float | None, amc_fps: float, seed: int, notes: list[str]
) -> Iterator[Recording]:
    """The clips, read one after the other; what had to be put right is added to ``notes`` behind the last."""
    remarks: Counter[str] = Counter()
    for entry in found:
        motion = read_joints(entry, H36M17.joints, fps, amc_fps)
        remarks.update(motion.notes)
        xyz = motion.positions.astype(np.float32)
        views = make_views(xyz, cameras, entry.name, seed)
        yield Recording(entry.name, entry.subject, entry.action, motion.fps, xyz, views)
    notes += [f"{count} of {len(found)} clips: {remark}" for remark, count in remarks.items()]

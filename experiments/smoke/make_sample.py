"""Make sample.h5, the motion of the smoke training: python make_sample.py FOLDER (with cmu.h5 and reactidle.h5).

Positions at 30 frames/s are rounded to a millimetre and packed, which h5py undoes when it reads them.
"""

import sys
from pathlib import Path

import h5py
import numpy as np

from lift3d.datasets.motion_capture_files import resample
from lift3d.datasets.motion_clips import list_clips, read_clip_joints

FPS = 30.0
STEP = 1 / 1024  # metres
SECONDS = 8
# (file, clip, first second): dance, jumping jacks, steps, walking, running, jumping, cartwheels, standing about.
CLIPS = (
    ("cmu.h5", "05_02", 1.0), ("cmu.h5", "05_09", 0.0), ("cmu.h5", "14_06", 2.0), ("cmu.h5", "14_21", 1.0),
    ("cmu.h5", "16_05", 0.0), ("cmu.h5", "16_21", 0.0), ("cmu.h5", "16_57", 0.0), ("cmu.h5", "49_02", 0.0),
    ("cmu.h5", "49_08", 0.0), ("cmu.h5", "131_09", 0.0), ("reactidle.h5", "000_genuine", 5.0),
    ("reactidle.h5", "003_genuine", 5.0),
)  # fmt: skip
JOINTS = (
    "left_hip", "left_knee", "left_ankle", "left_toe_base", "right_hip", "right_knee", "right_ankle", "right_toe_base",
    "spine_low", "spine_mid", "neck_base", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder",
    "right_elbow", "right_wrist",
)  # fmt: skip
TERMS = (
    "CMU Graphics Lab Motion Capture Database: free for all uses, not to be resold as data; "
    "ReActIdle: MIT (see NOTICE.md)"
)


def main(folder: Path, output: Path) -> None:
    with h5py.File(output, "w") as file:
        file.attrs["terms"] = TERMS
        for name, clip, first in CLIPS:
            subject = next(subject for found, subject, _ in list_clips(folder / name) if found == clip)
            joints, positions, fps = read_clip_joints(folder / name, clip)
            columns = [joints.index(joint) for joint in JOINTS]
            start = round(first * fps)
            part = positions[start : start + round(SECONDS * fps), columns].astype(np.float64)
            part = resample(part, fps, FPS)
            rounded = (np.round(part / STEP) * STEP).astype(np.float32)
            group = file.create_group(f"{Path(name).stem}_{clip}")
            group.create_dataset(
                "positions", data=rounded, chunks=rounded.shape, compression="gzip", compression_opts=9, shuffle=True
            )
            group.attrs.update({"joints": list(JOINTS), "fps": FPS, "subject": subject, "units": "m", "up": "z"})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent / "sample.h5")

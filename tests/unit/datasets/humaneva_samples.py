"""HumanEva-I in the files that VideoPose3D prepares, with a synthetic person."""

from pathlib import Path
from typing import Any

import numpy as np
from set_people import looking_at, walker

from lift3d.geometry.cameras import Camera

SUBJECTS = ("Train/S1", "Train/S2", "Train/S3", "Validate/S1", "Validate/S2", "Validate/S3")
CHUNKS = (
    "Walking 1 chunk0",
    "Walking 1 chunk2",
    "Jog 1 chunk0",
    "ThrowCatch 1 chunk0",
    "Gestures 1 chunk0",
    "Box 1 chunk1",
)
JOINTS = [
    "pelvis",
    "thorax",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_hip",
    "right_knee",
    "right_ankle",
    "head_top",
]
METADATA = {
    "layout_name": "humaneva15",
    "num_joints": 15,
    "keypoints_symmetry": [[2, 3, 4, 8, 9, 10], [5, 6, 7, 11, 12, 13]],
}
COCO_METADATA = {
    "layout_name": "coco",
    "num_joints": 17,
    "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
}


def positions_15(subject: str, chunk: str, frames: int) -> np.ndarray:
    """(frames, 15, 3) float32 metres."""
    seed = SUBJECTS.index(subject) + CHUNKS.index(chunk)
    body = walker(frames + seed, fps=60, size=0.9 + 0.03 * int(subject[-1]), phase=0.7 * seed)
    return np.stack([body[joint] for joint in JOINTS], axis=1).astype(np.float32)


def cameras_of(person: str) -> tuple[Camera, ...]:
    """Three cameras of 640x480 as the real ones stand; S2 was filmed on another day."""
    move = 0.05 if person == "S2" else 0.0
    centres = {"C1": (4.06, 0.66, 1.53), "C2": (0.84, -3.81, 1.50), "C3": (-0.80, 3.92, 1.43)}
    lens = [-0.289, 0.106, -0.00136, 0.00113, 0.0]
    return tuple(looking_at(name, (x + move, y, z), 765.8, (640, 480), lens) for name, (x, y, z) in centres.items())


def write_set(folder: Path, frames: int = 8) -> dict[str, dict[str, np.ndarray]]:
    """``data_3d_humaneva15.npz`` and ``data_2d_humaneva15_gt.npz``; gives the positions."""
    positions = {subject: {chunk: positions_15(subject, chunk, frames) for chunk in CHUNKS} for subject in SUBJECTS}
    np.savez_compressed(folder / "data_3d_humaneva15.npz", positions_3d=positions)  # type: ignore[arg-type]
    write_keypoints(folder, "gt", ground_truth(positions), METADATA)
    return positions


def ground_truth(positions: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, list[np.ndarray]]]:
    return {
        subject: {
            chunk: [camera.project(xyz).astype(np.float32) for camera in cameras_of(subject[-2:])]
            for chunk, xyz in chunks.items()
        }
        for subject, chunks in positions.items()
    }


def write_keypoints(folder: Path, name: str, positions: dict[str, Any], metadata: dict[str, Any]) -> None:
    np.savez_compressed(
        folder / f"data_2d_humaneva15_{name}.npz",
        positions_2d=positions,  # type: ignore[arg-type]
        metadata=metadata,  # type: ignore[arg-type]
    )

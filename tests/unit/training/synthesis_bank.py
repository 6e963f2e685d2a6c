"""A small bank of motion: people who walk and wave."""

import numpy as np
import torch

from lift3d.datasets.motion_bank import BANK_FPS, BANK_JOINTS, MotionBank

# A person who faces +x, Z up, in BANK_JOINTS.
UPRIGHT = {
    "pelvis": (0, 0, 0.95), "hip": (0, 0.1, 0.95), "knee": (0.02, 0.1, 0.5), "ankle": (0, 0.1, 0.08),
    "toe": (0.13, 0.12, 0.02), "spine": (0, 0, 1.2), "neck_base": (0, 0, 1.45), "head_top": (0.02, 0, 1.72),
    "shoulder": (0, 0.18, 1.42), "elbow": (0.02, 0.25, 1.15), "wrist": (0.15, 0.28, 0.95),
}  # fmt: skip


def upright() -> np.ndarray:
    points = []
    for joint in BANK_JOINTS:
        x, y, z = UPRIGHT[joint.split("_", 1)[1] if joint.startswith(("left", "right")) else joint]
        points.append((x, -y if joint.startswith("right") else y, z))
    return np.array(points, np.float32)


def make_bank(clips: int = 3, frames: int = 240, seed: int = 0) -> MotionBank:
    """People who walk along +x and wave."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / BANK_FPS
    positions = []
    for _ in range(clips):
        sway = 0.03 * np.sin(2 * np.pi * time * generator.uniform(0.3, 1.5, (1, len(BANK_JOINTS), 3)))
        positions.append(upright() + sway + np.array([1.0, 0, 0]) * time)
    lengths = torch.full((clips,), frames)
    return MotionBank(
        torch.from_numpy(np.concatenate(positions).astype(np.float32)),
        lengths.cumsum(0) - lengths,
        lengths,
        torch.ones(clips, dtype=torch.float64),
        tuple(f"clip{k}" for k in range(clips)),
    )


def place(weights: np.ndarray, vectors: np.ndarray) -> torch.Tensor:
    """Joints (windows, frames, joints, 3) of weights (windows, joints, vectors) of vectors (.., 3, frames)."""
    return torch.from_numpy(np.einsum("wjv,wvaf->wfja", weights, vectors))

"""Windows of random people, as a reader of a prepared set gives them."""

import torch
from torch import Tensor

from lift3d.datasets.windows import RawWindows
from lift3d.geometry.camera_batch import CameraBatch
from lift3d.skeletons import H36M17
from lift3d.training.reprojection import project

# The reference body standing, camera axes: y down.
STANDING = {
    "pelvis": (0, 0), "hip": (0.1, 0.0), "knee": (0.1, 0.41), "ankle": (0.1, 0.82), "spine": (0, -0.24),
    "thorax": (0, -0.49), "nose": (0, -0.66), "head_top": (0, -0.8), "shoulder": (0.165, -0.49),
    "elbow": (0.22, -0.22), "wrist": (0.25, 0.02),
}  # fmt: skip


def standing() -> Tensor:
    """(17, 3) metres."""
    rows = []
    for joint in H36M17.joints:
        x, y = STANDING[joint.removeprefix("left_").removeprefix("right_")]
        rows.append((-x if joint.startswith("right_") else x, y, 0.0))
    return torch.tensor(rows)


def lens_cameras(batch: int) -> CameraBatch:
    k = torch.arange(batch).float()[:, None]
    return CameraBatch(
        focal=torch.tensor([1145.0, 1143.0]) + k,
        centre=torch.tensor([512.0, 495.0]) - k,
        distortion=torch.tensor([-0.2, 0.24, -0.001, 0.002, -0.05]).expand(batch, 5),
        image_size=torch.tensor([1000.0, 1002.0]).expand(batch, 2),
    )


def make_windows(batch: int = 6, frames: int = 9, noise: float = 0.0, seed: int = 0) -> RawWindows:
    """People who sway and walk about, 4 to 6 m away, seen exactly, or with ``noise`` pixels of error."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(frames)[:, None, None] / 10
    phase = 6 * torch.rand(batch, 1, 17, 3, generator=generator)
    sway = 0.06 * torch.sin(2 * time + phase)
    start = torch.tensor([0.0, 0, 4.5]) + torch.tensor([0.3, 0.1, 0.5]) * torch.randn(
        batch, 1, 1, 3, generator=generator
    )
    xyz = standing() + sway + start + time * torch.tensor([0.05, 0, 0.1])
    camera = lens_cameras(batch)
    xy = project(xyz, camera) + noise * torch.randn(batch, frames, 17, 2, generator=generator)
    up = torch.nn.functional.normalize(torch.tensor([[0.1, -1.0, -0.2]])).expand(batch, 3)
    return RawWindows(xy, torch.full((batch, frames, 17), 0.8), xyz, camera, torch.arange(batch), up)

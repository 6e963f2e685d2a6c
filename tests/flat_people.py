"""People without depth, of whom a network can tell the truth: image coordinates times a constant are metres."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from lift3d.datasets.pose_sets import write_pose_set
from lift3d.datasets.recordings import DataSetInfo, Recording, View
from lift3d.geometry.cameras import Camera
from lift3d.models.checkpoint import CheckpointInfo
from lift3d.models.network import Lifted, Lifter
from lift3d.skeletons import H36M17

# A joint at (X, Y) metres and depth Z lies at f X / Z pixels from the middle of the image, 2 f X / (Z width) in the
# network's input.
DISTANCE, FOCAL, SIZE = 4.0, 1000.0, (1000, 800)
METRES = DISTANCE * SIZE[0] / (2 * FOCAL)

# An upright figure, metres: to its left (the image's right, as it faces the camera) and down from the pelvis.
_PLACES = {
    "pelvis": (0, 0), "spine": (0, -0.25), "thorax": (0, -0.5), "nose": (0, -0.62), "head_top": (0, -0.75),
    "hip": (0.13, 0), "knee": (0.15, 0.44), "ankle": (0.16, 0.86), "shoulder": (0.16, -0.48), "elbow": (0.3, -0.22),
    "wrist": (0.34, 0.03),
}  # fmt: skip


def figure(frames: int, seed: int = 0, size: float = 1.0) -> np.ndarray:
    """(frames, 17, 3) in camera space: a flat figure that sways and walks across the image."""
    generator = np.random.default_rng(seed)
    points = np.zeros((len(H36M17), 3))
    for k, joint in enumerate(H36M17.joints):
        side, place = (joint.split("_", 1)[0], joint.split("_", 1)[-1]) if H36M17.side(k) != "middle" else ("", joint)
        across, down = _PLACES[place]
        points[k] = (-across if side == "right" else across, down, 0)
    time = np.arange(frames)[:, None, None] / 50
    sway = 0.05 * np.sin(2 * np.pi * generator.uniform(0.3, 1, (1, 17, 3)) * time) * np.array([1, 1, 0])
    path = np.concatenate([0.3 * np.sin(time), 0 * time, 0 * time + DISTANCE], axis=-1)
    return size * (points + sway) + path


def cameras(count: int = 2) -> list[Camera]:
    """Cameras anywhere in the world; figures are made in their space."""
    K = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])
    made = []
    for k in range(count):
        R = np.linalg.qr(np.random.default_rng(k).normal(size=(3, 3)))[0]
        made.append(
            Camera(K, R=R * np.sign(np.linalg.det(R)), t=np.array([k, 2.0, 3.0]), image_size=SIZE, name=f"c{k}")
        )
    return made


def recording(name: str, frames: int, seed: int = 0, size: float = 1.0, action: str | None = None) -> Recording:
    """A recording ``subject/take`` seen by one camera, whose poses are in world space."""
    (camera,) = cameras(1)
    seen = figure(frames, seed, size)
    world = (seen - camera.t) @ camera.R
    xy = camera.project(world).astype(np.float32)
    subject, take = name.split("/")
    view = View(camera, xy, np.ones(xy.shape[:2], np.float32))
    return Recording(name, subject, action or take.split()[0], 50.0, world.astype(np.float32), (view,))


def write_set(path: Path, recordings: list[Recording], **info: object) -> Path:
    """A prepared set of these recordings."""
    known = {
        "name": "own", "skeleton_3d": "h36m17", "skeleton_2d": "h36m17", "keypoints": "ground truth",
        "test": tuple(dict.fromkeys(r.subject for r in recordings)),
        "actions": tuple(dict.fromkeys(r.action for r in recordings)),
    }  # fmt: skip
    write_pose_set(path, DataSetInfo(**(known | info)), recordings)  # type: ignore[arg-type]
    return path


@dataclass
class FlatLifter:
    """A ``load_checkpoint`` whose network tells the truth, times ``scale``, plus ``offset`` (17, 3) metres.

    Asked for a root-trajectory network it tells the root's place of a person of size 1, plus ``root_offset``.
    """

    scale: float = 1.0
    offset: np.ndarray | None = None
    sigma: float | None = None
    height: float | None = None
    fps: float = 50.0
    calibration: dict[str, object] | None = None
    reads: str = "h36m17"
    root_offset: tuple[float, float, float] = (0, 0, 0)
    root_height: float | None = None

    def __call__(self, _checkpoint: object, output: str = "pose") -> tuple[Lifter, CheckpointInfo]:
        info = CheckpointInfo(
            "temporal_convolution", {}, self.reads, "h36m17", "image", self.fps, self.height,
            card={"title": "tells the truth"}, sigma=self.calibration or {},
        )  # fmt: skip
        if output == "root":
            return _RootNetwork(self), replace(info, output="root", height=self.root_height)
        return _Network(self), info


class _Network(Lifter):
    def __init__(self, settings: FlatLifter) -> None:
        super().__init__()
        self.settings = settings
        self.config = SimpleNamespace(  # type: ignore[assignment]
            joints_in=17, features_in=2, joints_out=17, sigma=settings.sigma is not None, past=2, future=2, window=None,
            multiply_adds=1_000_000,
        )  # fmt: skip
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Lifted:
        flat = METRES * x[:, 2:-2, :, :2]
        joints = torch.cat([flat - flat[:, :, :1], torch.zeros_like(flat[..., :1])], dim=-1) * self.settings.scale
        if self.settings.offset is not None:
            joints = joints + torch.as_tensor(self.settings.offset, dtype=joints.dtype)
        sigma = None if self.settings.sigma is None else torch.full_like(joints, self.settings.sigma)
        return Lifted(joints, sigma)


class _RootNetwork(_Network):
    def forward(self, x: Tensor) -> Lifted:
        place = METRES * x[:, 2:-2, :1, :2]
        root = torch.cat([place, torch.full_like(place[..., :1], DISTANCE)], dim=-1)
        return Lifted(root + torch.tensor(self.settings.root_offset))

"""People who move in front of cameras that start at different times, with known truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.poses import Keypoints2D
from lift3d.skeletons import COCO17

Motion = Callable[[np.ndarray], np.ndarray]

_BODY = np.array(
    [
        [0, 0.10, 1.65], [0.03, 0.08, 1.70], [-0.03, 0.08, 1.70], [0.08, 0, 1.68], [-0.08, 0, 1.68], [0.2, 0, 1.45],
        [-0.2, 0, 1.45], [0.28, 0, 1.15], [-0.28, 0, 1.15], [0.3, 0.1, 0.9], [-0.3, 0.1, 0.9], [0.12, 0, 0.95],
        [-0.12, 0, 0.95], [0.13, 0.02, 0.5], [-0.13, 0.02, 0.5], [0.13, 0, 0.08], [-0.13, 0, 0.08],
    ]
)  # fmt: skip


def ring(count: int = 4) -> Rig:
    """Cameras on a circle of 4 m, that look at the middle of the body from 1.2 to 2 m."""
    cameras = []
    for index in range(count):
        angle = 2 * np.pi * index / count + 0.3
        centre = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.2 + 0.8 * (index % 3) / 2])
        forward = np.array([0, 0, 1.0]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        K = np.array([[1100.0, 0, 640], [0, 1100, 480], [0, 0, 1]])
        cameras.append(Camera(K, R=R, t=-R @ centre, image_size=(1280, 960), name=f"cam{index + 1}"))
    return Rig(tuple(cameras))


def mover(seed: int, size: float = 0.12) -> Motion:
    """A body of 17 joints that sways, each joint with five frequencies up to 2.5 Hz of its own."""
    generator = np.random.default_rng(seed)
    frequency = generator.uniform(0.15, 2.5, (5, 17, 3))
    phase = generator.uniform(0, 2 * np.pi, (5, 17, 3))
    amplitude = generator.normal(size=(5, 17, 3)) * size / (1 + frequency)
    common = generator.normal(size=(3, 1, 3)) * [0.3, 0.3, 0.05]
    slow, start = generator.uniform(0.05, 0.4, (3, 1, 3)), generator.uniform(0, 6, (3, 1, 3))

    def motion(times: np.ndarray) -> np.ndarray:
        t = np.asarray(times)[:, None, None, None]
        joints = (amplitude * np.sin(2 * np.pi * frequency * t + phase)).sum(axis=1)
        return _BODY + joints + (common * np.sin(2 * np.pi * slow * t + start)).sum(axis=1)

    return motion


def film(
    rig: Rig,
    people: Sequence[Motion],
    offsets: Sequence[float],
    seconds: float = 6.0,
    fps: float | Sequence[float] = 30.0,
    drifts: Sequence[float] | None = None,
    noise: float = 1.5,
    missing: float = 0.1,
    gross: float = 0.02,
    seed: int = 0,
) -> dict[str, Keypoints2D]:
    """What cameras see that start at ``offsets`` (s) and whose seconds are longer by ``drifts`` (ppm)."""
    generator = np.random.default_rng(seed)
    seen = {}
    for index, (camera, offset) in enumerate(zip(rig, offsets, strict=True)):
        rate = fps if isinstance(fps, float) else fps[index]
        times = np.arange(int(seconds * rate)) / rate * (1 + (drifts[index] if drifts else 0) * 1e-6) + offset
        order = generator.permutation(len(people))  # no camera knows who is who
        xy = np.stack([camera.project(people[person](times)) for person in order], axis=1)
        xy += noise * generator.normal(size=xy.shape)
        slip = generator.random(xy.shape[:3]) < gross
        xy[slip] += 60 * generator.normal(size=(np.count_nonzero(slip), 2))
        xy[generator.random(xy.shape[:3]) < missing] = np.nan
        seen[camera.name] = Keypoints2D(xy, skeleton=COCO17, fps=rate, image_size=camera.image_size)
    return seen

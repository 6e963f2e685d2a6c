"""Small synthetic data sets: people who wander and wave, seen exactly by cameras around them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.datasets.recordings import DataSetInfo, Recording, View
from lift3d.geometry.cameras import Camera
from lift3d.skeletons import H36M17

INFO = DataSetInfo(
    name="own",
    skeleton_3d="h36m17",
    skeleton_2d="h36m17",
    keypoints="ground truth",
    training=("S1",),
    test=("S9",),
    actions=("Walking", "Eating"),
    exclusions=("nothing",),
    provenance={"files": ["a", "b"], "seed": 3},
)


def camera(number: int, **changes: Any) -> Camera:
    """Camera ``number`` of a ring around the origin, 5 m away, looking at it, with a lens of its own."""
    angle = 0.3 + 2.1 * number
    # World +Y is forward and world +Z up in the image, after a turn about the vertical.
    R = (Rotation.from_euler("x", 90, degrees=True) * Rotation.from_euler("z", angle)).as_matrix()
    values = {
        "K": np.array([[1100.0 + number, 0, 500], [0, 1110 + number, 505 - number], [0, 0, 1]]),
        "distortion": np.array([-0.2, 0.25, 0.001 * number, -0.002, 0.003]),
        "R": R,
        "t": np.array([0.02 * number, 1.0, 5.0]),
        "image_size": (1000, 1002),
        "name": f"cam{number}",
    }
    return Camera(**{**values, **changes})


def body(frames: int, seed: int) -> np.ndarray:
    """(frames, 17, 3) metres, Z up, near the origin."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / 50
    rest = np.stack([rng.uniform(-0.3, 0.3, 17), rng.uniform(-0.3, 0.3, 17), np.linspace(0, 1.7, 17)], axis=-1)
    wave = 0.1 * np.sin(t * rng.uniform(0.5, 3, (17, 3)) + rng.uniform(0, 6, (17, 3)))
    return (rest + wave + [0.2, -0.1, 0] * np.sin(t)).astype(np.float32)


def view(xyz: np.ndarray, of: Camera) -> View:
    """Exactly what the camera sees."""
    xy = of.project(xyz).astype(np.float32)
    confidence = np.linspace(0.2, 1, xyz.shape[1], dtype=np.float32) * np.ones(xyz.shape[:2], np.float32)
    return View(of, xy, confidence)


def recording(name: str, frames: int, cameras: int = 2, seed: int = 0, fps: float = 50.0) -> Recording:
    """A recording called ``subject/action n``."""
    subject, action = name.split("/")
    xyz = body(frames, seed)
    return Recording(name, subject, action.split()[0], fps, xyz, tuple(view(xyz, camera(k)) for k in range(cameras)))


def recordings(lengths: tuple[int, ...] = (40, 7, 61), cameras: int = 2) -> Iterator[Recording]:
    """Recordings of S1 and S9 in turn, one with gaps."""
    for k, frames in enumerate(lengths):
        one = recording(f"{('S1', 'S9')[k % 2]}/{('Walking', 'Eating')[k // 2 % 2]} {k}", frames, cameras, seed=k)
        if k == 0:
            one.xyz[3:5, 2] = np.nan
            for seen in one.views:
                seen.xy[1:4, H36M17.index("left_wrist")] = np.nan
                seen.confidence[1:4, H36M17.index("left_wrist")] = 0
        yield one

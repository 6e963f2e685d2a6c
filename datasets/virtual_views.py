"""Virtual cameras that stand still around recorded motion: what gives motion capture its 2D."""

from __future__ import annotations

import zlib

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.datasets.checks import make_view
from lift3d.datasets.recordings import View
from lift3d.errors import Lift3DError
from lift3d.geometry.cameras import Camera

MAX_CAMERAS = 64
IMAGE_SIZE = (1280, 960)
# Focal length over the longer side of the image: 64 to 37 degrees of view, phones to surveillance cameras.
FOCAL_RATIO = (0.8, 1.5)
HEIGHT = (0.6, 2.6)  # metres above the floor: a low tripod to a wall above people's heads
MOST_PITCH = 40.0  # degrees up or down
ROLL = 2.0  # degrees, one standard deviation
NEAREST = 1.8  # metres from the camera to the nearest joint, at least
FARTHER = 1.4  # up to so many times as far as the motion needs
BORDER = 0.06  # of the image's width and height, that stays empty on each side
# World Z up, seen by a level camera that looks along +Y: x right, y down, z forward.
_LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def make_views(xyz: np.ndarray, count: int, name: str, seed: int = 0) -> tuple[View, ...]:
    """What virtual cameras around a recording see: its exact projections, with confidence 1.

    Args:
        xyz: (frames, joints, 3) metres, Z up; NaN where missing.
        count: how many cameras.
        name: of the recording; each gets cameras of its own, always the same.
        seed: for others.

    Raises:
        Lift3DError: no joint is there, or an impossible number of cameras.
    """
    return tuple(make_view(camera, camera.project(xyz)) for camera in place_cameras(xyz, count, name, seed))


def place_cameras(xyz: np.ndarray, count: int, name: str, seed: int = 0) -> tuple[Camera, ...]:
    """Cameras all around a recording, at people's heights, that have every joint in the image in every frame.

    They stand at about equal angles around the middle of the recorded space and look at it. The floor is where the
    lowest joints are. Arguments and errors as of ``make_views``.
    """
    if not 1 <= count <= MAX_CAMERAS:
        raise Lift3DError(f"1 to {MAX_CAMERAS} cameras can be placed, not {count}")
    points = xyz[np.isfinite(xyz).all(-1)].astype(np.float64)
    if not len(points):
        raise Lift3DError(f"no joint of {name!r} is there to place cameras around")
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    middle = (points.min(0) + points.max(0)) / 2
    floor = float(np.quantile(points[:, 2], 0.002))
    first = rng.uniform(0, 2 * np.pi)
    cameras = []
    for number in range(count):
        heading = first + 2 * np.pi * (number + rng.uniform(-0.25, 0.25)) / count
        cameras.append(_place(points - middle, middle, heading, floor, f"virtual{number}", rng))
    return tuple(cameras)


def _place(
    around: np.ndarray, middle: np.ndarray, heading: float, floor: float, name: str, rng: np.random.Generator
) -> Camera:
    """A camera that looks along ``heading`` at points (n, 3) around ``middle``."""
    width, height = IMAGE_SIZE
    focal = width * rng.uniform(*FOCAL_RATIO)
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    reach = focal / ((0.5 - BORDER) * np.array([width, height]))
    above = floor + rng.uniform(*HEIGHT) - middle[2]
    roll, farther = rng.normal(0, ROLL), rng.uniform(1, FARTHER)
    pitch = 0.0
    # How far away the camera has to stand depends on how far it looks down, and the other way round.
    for _ in range(4):
        R = _rotation(heading, pitch, roll)
        local = around @ R.T
        needed = np.maximum(np.abs(local[:, :2] * reach).max(axis=1), NEAREST) - local[:, 2]
        distance = float(needed.max()) * farther
        pitch = float(np.clip(np.degrees(np.arcsin(np.clip(above / distance, -1, 1))), -MOST_PITCH, MOST_PITCH))
    return Camera(K, R=R, t=np.array([0, 0, distance]) - R @ middle, image_size=IMAGE_SIZE, name=name)


def _rotation(heading: float, pitch: float, roll: float) -> np.ndarray:
    """World to camera: heading in radians about the vertical, pitch (down is positive) and roll in degrees."""
    tilt = Rotation.from_euler("z", roll, degrees=True) * Rotation.from_euler("x", pitch, degrees=True)
    return np.asarray(tilt.as_matrix() @ _LEVEL @ Rotation.from_euler("z", heading).as_matrix())

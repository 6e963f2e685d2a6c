"""Synthetic rigs around a small stage, and what their cameras see of points, for the tests of triangulation."""

from __future__ import annotations

import numpy as np

from lift3d.geometry.cameras import Camera

BENT = (-0.12, 0.06, 0.001, -0.001, 0.0)


def ring(count: int, distortion: tuple[float, ...] = BENT, radius: float = 5.0, fisheye: bool = False) -> list[Camera]:
    """Cameras on a circle that look at the point one metre above its middle, every other one a metre higher."""
    cameras = []
    for index in range(count):
        angle = 2 * np.pi * index / count + 0.1
        centre = np.array([radius * np.cos(angle), radius * np.sin(angle), 1.5 + index % 2])
        cameras.append(look_at(centre, np.array([0, 0, 1.0]), f"cam{index}", distortion, fisheye))
    return cameras


def look_at(
    centre: np.ndarray,
    target: np.ndarray,
    name: str = "camera",
    distortion: tuple[float, ...] = BENT,
    fisheye: bool = False,
) -> Camera:
    """A camera of 1920 x 1080 pixels, upright."""
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[1100.0, 0, 960], [0, 1110, 540], [0, 0, 1]])
    return Camera(K, np.array(distortion), R, -R @ centre, (1920, 1080), name, fisheye)


def stage_points(count: int, seed: int = 0) -> np.ndarray:
    """(count, 3) points of the stage, 2 m wide and high."""
    return np.random.default_rng(seed).uniform([-1, -1, 0], [1, 1, 2], (count, 3))


def see(cameras: list[Camera], points: np.ndarray, noise: float = 0.0, seed: int = 1) -> np.ndarray:
    """(C, ..., 2) pixels of the points with noise, float64."""
    xy = np.stack([camera.project(points) for camera in cameras])
    return np.asarray(xy + np.random.default_rng(seed).normal(0, noise, xy.shape))


def strike(xy: np.ndarray, share: float, seed: int = 2) -> np.ndarray:
    """(C, n) the observations that were replaced, in place, by any place of the image."""
    rng = np.random.default_rng(seed)
    struck = rng.random(xy.shape[:-1]) < share
    xy[struck] = rng.uniform([0, 0], [1920, 1080], (int(struck.sum()), 2))
    return struck

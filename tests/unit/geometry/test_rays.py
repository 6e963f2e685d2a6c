"""Rays against Camera.unproject, and their metric against how far pixels move."""

import numpy as np
import pytest
import torch

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rays import make_rays

K = np.array([[1000.0, 2.5, 640], [0, 1010, 360], [0, 0, 1]])
CAMERAS = [
    pytest.param(Camera(K, distortion, image_size=size, fisheye=fisheye), id=name)
    for name, distortion, fisheye, size in (
        ("none", np.zeros(5), False, None),
        ("5", np.array([-0.3, 0.1, 0.001, -0.002, 0.02]), False, (1280, 720)),
        ("strong", np.array([-0.45, 0.3, 0.01, -0.01, -0.1]), False, (1280, 720)),
        ("turns back in the image", np.array([-1.0, 0.0, 0.0, 0.0, 0.0]), False, (1280, 720)),
        ("8", np.array([0.1, -0.2, 0.001, -0.002, 0.02, 0.1, -0.05, 0.01]), False, None),
        ("fisheye", np.array([0.05, -0.01, 0.003, -0.001]), True, (1280, 720)),
    )
]


def pixels() -> np.ndarray:
    xy = np.random.default_rng(0).uniform([-100, -100], [1380, 820], (500, 2))
    xy[::50] = np.nan
    xy[::33] *= 20
    return xy


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-4), (np.float32, 3e-2)])
def test_rays_are_undistorted_pixels(camera: Camera, dtype: type, tolerance: float) -> None:
    xy = pixels().astype(dtype)
    rays = make_rays([camera], xy[None], 1.0)
    plane = camera.unproject(xy)
    shown = np.isfinite(plane).all(-1)
    np.testing.assert_array_equal(rays.used[0], shown)
    found = np.stack([rays.x[0], rays.y[0]], -1)
    assert np.isfinite(found).all()
    scale = K[0, 0] / (1 + np.linalg.norm(plane[shown], axis=-1, keepdims=True) ** 2)
    assert (np.abs(found - plane)[shown] * scale).max() < tolerance
    tensors = make_rays([camera], torch.as_tensor(xy)[None], 1.0)
    for array, tensor in zip(rays, tensors, strict=True):
        np.testing.assert_allclose(tensor.numpy(), array, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_metric_measures_pixels(camera: Camera) -> None:
    plane = np.random.default_rng(1).uniform(-0.3, 0.3, (200, 2))
    weight = np.random.default_rng(2).uniform(0.5, 2, (1, 200))

    def image(points: np.ndarray) -> np.ndarray:
        return camera.project(np.column_stack([points, np.ones(len(points))]))

    rays = make_rays([camera], image(plane)[None], weight)
    for step in (np.array([1e-6, 0]), np.array([0, 1e-6]), np.array([1e-6, 1e-6])):
        moved = ((image(plane + step / 2) - image(plane - step / 2)) ** 2).sum(-1) * weight[0]
        x, y = step
        measured = rays.xx[0] * x * x + 2 * rays.xy[0] * x * y + rays.yy[0] * y * y
        np.testing.assert_allclose(measured, moved, rtol=2e-3)


def test_a_weight_of_nought_is_missing() -> None:
    rays = make_rays([Camera(K)], np.full((1, 4, 2), 500.0), np.array([[1.0, 0.0, np.nan, 2.0]]))
    np.testing.assert_array_equal(rays.used, [[True, False, False, True]])
    np.testing.assert_array_equal(rays.weight, [[1, 0, 0, 2]])

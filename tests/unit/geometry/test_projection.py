"""Projection with derivatives against Camera.project and finite differences."""

import numpy as np
import pytest
import torch

from lift3d.geometry.cameras import Camera
from lift3d.geometry.projection import project_with_jacobian

K = np.array([[1000.0, 2.5, 640], [0, 1010, 360], [0, 0, 1]])
TURN = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
CAMERAS = [
    pytest.param(Camera(K, distortion, TURN * np.linalg.det(TURN), [0.1, -0.2, 4.0], fisheye=fisheye), id=name)
    for name, distortion, fisheye in (
        ("none", np.zeros(5), False),
        ("5", np.array([-0.3, 0.1, 0.001, -0.002, 0.02]), False),
        ("8", np.array([0.1, -0.2, 0.001, -0.002, 0.02, 0.1, -0.05, 0.01]), False),
        ("fisheye", np.array([0.05, -0.01, 0.003, -0.001]), True),
    )
]


def points() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (5, 8, 3))


@pytest.mark.parametrize("camera", CAMERAS)
def test_pixels_are_the_cameras_and_the_jacobian_is_their_derivative(camera: Camera) -> None:
    world = points()
    pixels, jacobian, depth = project_with_jacobian(camera, world)
    np.testing.assert_allclose(pixels, camera.project(world), atol=1e-9)
    np.testing.assert_allclose(depth, (world @ camera.R.T + camera.t)[..., 2], atol=1e-12)
    step = 1e-6
    for axis in range(3):
        move = step * np.eye(3)[axis]
        slope = (camera.project(world + move) - camera.project(world - move)) / (2 * step)
        np.testing.assert_allclose(jacobian[..., axis], slope, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("camera", CAMERAS)
def test_torch_is_numpy(camera: Camera) -> None:
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-2)):
        tensors = project_with_jacobian(camera, torch.as_tensor(points(), dtype=dtype))
        for tensor, array in zip(tensors, project_with_jacobian(camera, points()), strict=True):
            assert tensor.dtype == dtype
            np.testing.assert_allclose(tensor.numpy(), array, atol=tolerance)


def test_behind_the_camera_and_missing_are_nan() -> None:
    pixels, jacobian, depth = project_with_jacobian(Camera(K), np.array([[0, 0, -1.0], [0, 0, 0], [np.nan, 0, 1]]))
    assert np.isnan(pixels).all()
    assert np.isnan(jacobian).all()
    np.testing.assert_array_equal(depth, [-1, 0, np.nan])
    assert project_with_jacobian(Camera(K), np.empty((0, 3)))[1].shape == (0, 2, 3)

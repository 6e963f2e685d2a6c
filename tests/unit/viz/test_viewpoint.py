"""Viewpoints against the geometry of a pinhole camera."""

import numpy as np
import pytest
from stage_scenes import ring

from lift3d.viz.viewpoint import Viewpoint


def test_the_target_is_in_the_middle_and_up_is_up() -> None:
    viewpoint = Viewpoint(np.array([3.0, -4, 2]), np.array([0.2, 0.1, 1.0]))
    middle, depth = viewpoint.project(viewpoint.target, 640, 480)
    np.testing.assert_allclose(middle, [320, 240])
    assert np.isclose(depth, np.linalg.norm(viewpoint.eye - viewpoint.target))
    above, _ = viewpoint.project(viewpoint.target + np.array([0, 0, 0.1]), 640, 480)
    assert above[1] < 240
    assert np.isclose(above[0], 320)


def test_field_of_view_is_the_image_height() -> None:
    viewpoint = Viewpoint(np.array([0, -2.0, 0]), np.zeros(3), field_of_view=60)
    top, _ = viewpoint.project(np.array([0, 0, 2 * np.tan(np.radians(30))]), 640, 480)
    np.testing.assert_allclose(top, [320, 0], atol=1e-9)


@pytest.mark.parametrize("size", [(1280, 720), (640, 720), (640, 360), (2000, 720)])
def test_a_camera_view_is_its_image_scaled_to_fit(size: tuple[int, int]) -> None:
    points = np.random.default_rng(0).normal(size=(20, 3)) * 0.5 + [0, 0, 1]
    for camera in ring():
        own = camera.project(points)
        seen, _ = Viewpoint.of_camera(camera).project(points, *size)
        scale = min(size[0] / 1280, size[1] / 720)
        offset = (np.array(size) - scale * np.array([1280, 720])) / 2
        np.testing.assert_allclose(seen, scale * own + offset, atol=1e-6)


def test_a_free_view_from_a_camera_looks_the_same_way() -> None:
    for camera in ring():
        own = Viewpoint.of_camera(camera, 2.0)
        free = own.orbited(0)
        assert free.camera is None
        np.testing.assert_allclose(free.extrinsics()[0], camera.R, atol=1e-9)
        np.testing.assert_allclose(free.extrinsics()[1], camera.t, atol=1e-9)


def test_orbit_keeps_distance_and_height() -> None:
    viewpoint = Viewpoint(np.array([3.0, -4, 2]), np.array([1.0, 1, 1]))
    turned = viewpoint.orbited(90)
    np.testing.assert_allclose(turned.eye, [6, 3, 2])
    np.testing.assert_allclose(viewpoint.orbited(360).eye, viewpoint.eye)


@pytest.mark.parametrize("down", [-1.0, 1.0])
def test_straight_down_and_up_are_views(down: float) -> None:
    R, t = Viewpoint(np.array([0, 0, -3 * down]), np.zeros(3)).extrinsics()
    assert np.isclose(np.linalg.det(R), 1)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(t, [0, 0, 3], atol=1e-12)


def test_points_behind_the_viewer_have_no_pixel() -> None:
    pixels, depth = Viewpoint(np.array([0, -2.0, 0]), np.zeros(3)).project(np.array([0, -3.0, 0]), 100, 100)
    assert np.isnan(pixels).all()
    assert depth < 0

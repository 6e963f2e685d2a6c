"""Derivatives against finite differences, the adjustment against scipy's dense one, and what it makes of outliers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibration_scenes import synthetic_scene
from scipy.optimize import least_squares

from lift3d.calibration.bundle_adjustment import adjust, information
from lift3d.calibration.parameters import (
    CENTRE,
    FOCAL,
    POSE,
    STANDARD,
    distortion_names,
    moved,
    project_with_derivatives,
    rotations,
)
from lift3d.calibration.structure import BoardPoses, FreePoints, KnownPoints
from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera

LENSES = [([-0.2, 0.05, 0.002, -0.001, 0.01], False), ([0.1] * 8, False), ([0.05, -0.01, 0.003, -0.001], True)]


def make_camera(distortion: list[float], fisheye: bool) -> Camera:
    K = np.array([[900.0, 2.0, 640.0], [0.0, 880.0, 360.0], [0.0, 0.0, 1.0]])
    R = rotations(np.array([0.3, -0.2, 0.1]))
    return Camera(K, distortion, R, [0.1, -0.2, 3.0], (1280, 720), "a", fisheye)


@pytest.mark.parametrize(("distortion", "fisheye"), LENSES)
def test_derivatives_are_the_finite_differences(distortion, fisheye):
    camera = make_camera(distortion, fisheye)
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    names = (*FOCAL, *CENTRE, *distortion_names(camera), *POSE)
    found = project_with_derivatives(camera, points, names)
    np.testing.assert_allclose(found.pixels, camera.project(points), atol=1e-9)
    for column in range(len(names)):
        step = np.zeros(len(names))
        step[column] = 1e-6
        difference = moved(camera, names, step).project(points) - moved(camera, names, -step).project(points)
        np.testing.assert_allclose(found.by_camera[..., column], difference / 2e-6, atol=1e-3, err_msg=names[column])
    for axis in range(3):
        step = 1e-6 * np.eye(3)[axis]
        difference = camera.project(points + step) - camera.project(points - step)
        np.testing.assert_allclose(found.by_point[..., axis], difference / 2e-6, atol=1e-3)


def test_a_point_behind_the_camera_has_no_projection():
    camera = make_camera(*LENSES[0])
    assert np.isnan(project_with_derivatives(camera, camera.centre - camera.R[2], POSE).pixels).all()


@pytest.mark.parametrize("kind", ["board", "points"])
def test_the_structure_moves_as_its_derivatives_say(kind):
    random = np.random.default_rng(1)
    camera = make_camera(*LENSES[0])
    structure = (
        BoardPoses(random.normal(size=(5, 3)) * 0.2, rotations(random.normal(size=(4, 3))), random.normal(size=(4, 3)))
        if kind == "board"
        else FreePoints(random.normal(size=(4, 3)))
    )
    by_point = project_with_derivatives(camera, structure.world(), ()).by_point
    found = structure.derivatives(np.arange(4), by_point)
    assert found.shape[-1] == structure.freedom
    for column in range(structure.freedom):
        step = np.zeros((4, structure.freedom))
        step[:, column] = 1e-6
        difference = camera.project(structure.moved(step).world()) - camera.project(structure.moved(-step).world())
        np.testing.assert_allclose(found[..., column], difference / 2e-6, atol=1e-3)


@pytest.fixture(scope="module")
def scene():
    return synthetic_scene(3, cameras=3, moments=12, noise=0.3, outliers=0)


def free_parameters(scene):
    return {
        camera.name: (*FOCAL, *CENTRE, *STANDARD[:4], *(POSE if index else ()))
        for index, camera in enumerate(scene.rig)
    }


def test_the_minimum_and_the_covariance_are_those_of_dense_least_squares(scene):
    free = free_parameters(scene)
    found = adjust(scene.rig.cameras, scene.board_poses, scene.xy, free)
    cameras, structure = found.cameras, found.structure
    counts = [len(free[camera.name]) for camera in cameras]

    def residuals(parameters):
        parts = np.split(parameters[: sum(counts)], np.cumsum(counts)[:-1])
        board = structure.moved(parameters[sum(counts) :].reshape(-1, 6)).world()
        errors = [
            (scene.xy[i] - moved(camera, free[camera.name], parts[i]).project(board)) / found.noise[i]
            for i, camera in enumerate(cameras)
        ]
        return np.stack(errors)[found.used].ravel()

    start = np.zeros(sum(counts) + 6 * len(structure.t))
    dense = least_squares(residuals, start, method="lm", x_scale="jac", ftol=1e-12, xtol=1e-12)
    assert 2 * dense.cost == pytest.approx(np.square(residuals(start)).sum(), rel=1e-6)
    covariance = np.linalg.inv(dense.jac.T @ dense.jac)[: sum(counts), : sum(counts)]
    errors = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), errors, rtol=1e-2)
    np.testing.assert_allclose(
        found.covariance / np.outer(errors, errors), covariance / np.outer(errors, errors), atol=0.02
    )


def test_outliers_are_dropped_and_nothing_else():
    scene = synthetic_scene(5, cameras=3, moments=20, noise=0.3, outliers=0.05)
    found = adjust(scene.rig.cameras, scene.board_poses, scene.xy, free_parameters(scene))
    seen = np.isfinite(scene.xy).all(axis=-1)
    far = np.linalg.norm(scene.xy - np.stack([c.project(scene.board_poses.world()) for c in scene.rig]), axis=-1) > 2
    assert not found.used[far & seen].any()
    assert found.used[seen & ~scene.outliers].mean() > 0.998
    np.testing.assert_allclose(found.noise, 0.3, rtol=0.06)


def test_the_noise_of_the_cameras_is_in_proportion():
    quiet, loud = (synthetic_scene(6, cameras=2, moments=25, noise=noise, outliers=0) for noise in (0.1, 0.8))
    xy = np.stack([quiet.xy[0], loud.xy[1]])
    found = adjust(quiet.rig.cameras, quiet.board_poses, xy, free_parameters(quiet), relative_noise=np.array([1, 8]))
    np.testing.assert_allclose(found.noise, [0.1, 0.8], rtol=0.05)


def test_a_tight_prior_holds_and_a_wide_one_says_nothing(scene):
    free = free_parameters(scene)
    start = (replace(scene.rig.cameras[0], K=scene.rig.cameras[0].K + np.diag([30.0, 0, 0])), *scene.rig.cameras[1:])
    name = start[0].name
    plain = adjust(start, scene.board_poses, scene.xy, free)
    wide = adjust(start, scene.board_poses, scene.xy, free, information(start, free, {name: {"fx": 1e5}}))
    tight = adjust(start, scene.board_poses, scene.xy, free, information(start, free, {name: {"fx": 1e-3}}))
    assert wide.cameras[0].K[0, 0] == pytest.approx(plain.cameras[0].K[0, 0], abs=1e-2)
    assert tight.cameras[0].K[0, 0] == pytest.approx(start[0].K[0, 0], abs=0.1)


def test_a_prior_as_sure_as_the_images_meets_them_half_way(scene):
    first = scene.rig.cameras[0]
    start = (replace(first, K=first.K + np.diag([0.5, 0, 0])), *scene.rig.cameras[1:])
    free = {first.name: ("fx",)}
    plain = adjust(start, scene.board_poses, scene.xy, free)
    sigma = float(np.sqrt(plain.covariance[0, 0]))
    both = adjust(start, scene.board_poses, scene.xy, free, information(start, free, {first.name: {"fx": sigma}}))
    half_way = (start[0].K[0, 0] + plain.cameras[0].K[0, 0]) / 2
    assert abs(start[0].K[0, 0] - half_way) > 0.1
    assert both.cameras[0].K[0, 0] == pytest.approx(half_way, abs=0.02)
    assert both.covariance[0, 0] == pytest.approx(sigma**2 / 2, rel=0.02)


def test_known_points_and_free_points():
    random = np.random.default_rng(2)
    scene = synthetic_scene(7, cameras=3, moments=1)
    points = random.uniform(-0.8, 0.8, (60, 3)) + np.array([0, 0, 1.1])
    xy = (
        np.stack([camera.project(points) for camera in scene.rig])[:, :, None] + random.normal(size=(3, 60, 1, 2)) * 0.1
    )
    shaken = tuple(moved(camera, POSE, random.normal(size=6) * 0.02) for camera in scene.rig)
    free = {camera.name: POSE for camera in shaken}
    known = adjust(shaken, KnownPoints(points), xy, free)
    for found, true in zip(known.cameras, scene.rig, strict=True):
        np.testing.assert_allclose(found.centre, true.centre, atol=2e-3)
    assert known.covariance.shape == (18, 18)
    free_points = adjust(scene.rig.cameras, FreePoints(points + random.normal(size=(60, 3)) * 0.05), xy, {})
    assert np.abs(free_points.structure.xyz - points).max() < 2e-3


def test_what_nothing_determines_has_no_small_error():
    """One board that stands parallel to the image says nothing of the focal length."""
    camera = Camera(np.array([[1000.0, 0, 640], [0, 1000.0, 360], [0, 0, 1]]), image_size=(1280, 720), name="a")
    grid = np.stack(np.meshgrid(np.arange(7), np.arange(5)), axis=-1).reshape(-1, 2) * 0.05
    board = BoardPoses(
        np.column_stack([grid - grid.mean(axis=0), np.zeros(len(grid))]), np.eye(3)[None], np.array([[0, 0, 1.0]])
    )
    xy = camera.project(board.world())[None] + np.random.default_rng(0).normal(size=(1, 1, 35, 2)) * 0.1
    found = adjust([camera], board, xy, {"a": ("fx", "fy", "cx")})
    assert (np.sqrt(np.diag(found.covariance)) > 50).all()


def test_nothing_seen_is_said():
    scene = synthetic_scene(8, cameras=2, moments=2)
    with pytest.raises(CameraError, match="no camera saw anything"):
        adjust(scene.rig.cameras, scene.board_poses, np.full_like(scene.xy, np.nan), {})
    few = np.where(np.arange(scene.xy.shape[2])[:, None] < 3, scene.xy, np.nan)
    with pytest.raises(CameraError, match="too few"):
        adjust(scene.rig.cameras, scene.board_poses, few, free_parameters(scene))

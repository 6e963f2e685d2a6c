"""Expected errors of 3D points: against draws of the cameras, and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from calibration_scenes import observations, synthetic_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.calibration.parameters import moved, project_with_derivatives, rotations
from lift3d.calibration.solve import solve
from lift3d.calibration.uncertainty import expected_error, position_covariance, without_rigid_motion
from lift3d.calibration.volume import axes_meet, capture_volume, sees
from lift3d.calibration.world import WorldChange
from lift3d.errors import ShapeError
from lift3d.geometry.alignment import align
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig


@pytest.fixture(scope="module")
def solution():
    return solve(observations(synthetic_scene(1, cameras=3, moments=30)))


def triangulated(cameras, pixels, start):
    """Gauss-Newton on the reprojection error of all cameras; pixels (C, N, 2), NaN where unseen."""
    X = start.copy()
    for _ in range(3):
        A, b = np.zeros((len(X), 3, 3)), np.zeros((len(X), 3))
        for camera, seen in zip(cameras, pixels, strict=True):
            projection = project_with_derivatives(camera, X, ())
            residual = seen - projection.pixels
            J = np.where(np.isfinite(residual)[..., None], projection.by_point, 0.0)
            A += J.mT @ J
            b += (J.mT @ np.nan_to_num(residual)[..., None])[..., 0]
        X = X + np.linalg.solve(A, b[..., None])[..., 0]
    return X


def test_covariances_are_those_of_drawn_cameras_and_drawn_noise(solution):
    random = np.random.default_rng(0)
    points = capture_volume(solution.rig, solution.board_poses.world(), count=60)
    points = points[random.permutation(len(points))[:12]]
    pixel_noise = 0.4
    expected = expected_error(solution, points, pixel_noise)
    cameras = solution.rig.cameras
    seen = [np.where(sees(c, points)[:, None], c.project(points), np.nan) for c in cameras]
    draws = random.multivariate_normal(np.zeros(len(solution.parameters)), solution.covariance, 1200, method="eigh")
    by_cameras, shape = [], []
    for draw in draws:
        drawn = []
        for camera in cameras:
            mine = [
                (n, step) for (owner, n), step in zip(solution.parameters, draw, strict=True) if owner == camera.name
            ]
            drawn.append(moved(camera, [n for n, _ in mine], [step for _, step in mine]))
        X = triangulated(drawn, seen, points)
        by_cameras.append(X - points)
        shape.append(align(X, points, scale=False).apply(X) - points)
    many = np.tile(points, (len(draws), 1))
    noisy = [np.tile(pixels, (len(draws), 1)) + random.normal(size=(len(many), 2)) * pixel_noise for pixels in seen]
    by_noise = (triangulated(cameras, noisy, many) - many).reshape(len(draws), -1, 3)
    for found, covariances in (
        (by_cameras, expected.calibration),
        (by_noise, expected.noise),
        (shape, expected.shape),
    ):
        moves = np.stack(found)
        drawn_covariances = np.einsum("dni,dnj->nij", moves, moves) / len(moves)
        scale = np.trace(covariances, axis1=-2, axis2=-1)[:, None, None]
        np.testing.assert_allclose(drawn_covariances / scale, covariances / scale, atol=0.12)
        ratio = np.trace(drawn_covariances, axis1=-2, axis2=-1) / np.trace(covariances, axis1=-2, axis2=-1)
        assert ratio.mean() == pytest.approx(1, abs=0.06)


def test_two_cameras_side_by_side_have_the_textbook_depth_error():
    """Depth error ``z^2 s sqrt(2) / (f b)`` and ``z s / (f sqrt(2))`` across, for a point far off between the two."""
    f, b, z = 1000.0, 0.2, 10.0
    K = np.array([[f, 0, 500], [0, f, 500], [0, 0, 1]])
    rig = Rig(tuple(Camera(K, t=[-x, 0, 0], image_size=(1000, 1000), name=n) for n, x in (("a", -b / 2), ("b", b / 2))))
    scene = synthetic_scene(0, cameras=2, moments=6)
    solution = replace(solve(observations(scene), extrinsics=True), rig=rig, parameters=(), covariance=np.zeros((0, 0)))
    expected = expected_error(solution, np.array([[0.0, 0, z]]), pixel_noise=0.5)
    depth, across = np.sqrt(expected.noise[0, 2, 2]), np.sqrt(expected.noise[0, 1, 1])
    assert depth == pytest.approx(z**2 * 0.5 * np.sqrt(2) / (f * b), rel=1e-3)
    assert across == pytest.approx(z * 0.5 / (f * np.sqrt(2)), rel=1e-3)
    assert expected.calibration_mm() == pytest.approx([0.0])


def test_noise_is_proportional_and_shape_is_never_larger(solution):
    points = capture_volume(solution.rig, solution.board_poses.world(), count=200)
    one, two = expected_error(solution, points), expected_error(solution, points, pixel_noise=2.0)
    np.testing.assert_allclose(two.noise_mm(), 2 * one.noise_mm())
    np.testing.assert_allclose(two.shape, one.shape)
    assert np.square(one.shape_mm()).sum() < np.square(one.calibration_mm()).sum()


def test_shape_does_not_depend_on_the_world(solution):
    R, t = rotations(np.array([0.4, -1.2, 0.3])), np.array([3.0, -2.0, 1.0])
    turned = solution.in_world(WorldChange(R, t))
    points = capture_volume(solution.rig, solution.board_poses.world(), count=50)
    here, there = expected_error(solution, points), expected_error(turned, points @ R.T + t)
    np.testing.assert_allclose(there.shape_mm(), here.shape_mm(), rtol=1e-6)
    np.testing.assert_allclose(there.noise, R @ here.noise @ R.T, atol=1e-12)


def test_what_is_unseen_is_missing_and_what_is_undetermined_infinite(solution):
    behind = np.stack([camera.centre - camera.R[2] for camera in solution.rig]).mean(axis=0)
    middle = axes_meet(solution.rig)
    covariance = solution.covariance.copy()
    expected = expected_error(solution, np.stack([middle, behind]))
    assert expected.seen_by[1] < 2
    assert np.isnan(expected.shape_mm()[1])
    assert np.isfinite(expected.shape_mm()[0])
    covariance[0, 0] = np.inf
    loose = expected_error(replace(solution, covariance=covariance), np.stack([middle, behind]))
    assert loose.shape_mm()[0] == np.inf
    assert np.isfinite(loose.noise_mm()[0])
    assert np.isnan(loose.shape_mm()[1])


def test_points_of_another_shape_are_refused(solution):
    with pytest.raises(ShapeError, match=r"\(N, 3\)"):
        expected_error(solution, np.zeros((2, 2)))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_rigid_motions_vanish(seed):
    random = np.random.default_rng(seed)
    points = random.normal(size=(7, 3)) * 3 + 5
    turn, shift = random.normal(size=3), random.normal(size=3)
    rigid = (np.cross(turn, points) + shift)[..., None]
    other = random.normal(size=(7, 3, 1))
    np.testing.assert_allclose(without_rigid_motion(points, rigid), 0, atol=1e-10)
    np.testing.assert_allclose(
        without_rigid_motion(points, rigid + other), without_rigid_motion(points, other), atol=1e-10
    )


def test_the_covariance_of_places_is_that_of_drawn_poses(solution):
    random = np.random.default_rng(2)
    draws = random.multivariate_normal(np.zeros(len(solution.parameters)), solution.covariance, 1500, method="eigh")
    for camera in solution.rig:
        mine = [index for index, (owner, _) in enumerate(solution.parameters) if owner == camera.name]
        names = [solution.parameters[index].name for index in mine]
        centres = np.stack([moved(camera, names, draw[mine]).centre for draw in draws]) - camera.centre
        np.testing.assert_allclose(
            centres.T @ centres / len(draws),
            position_covariance(solution, camera.name),
            atol=0.1 * np.trace(position_covariance(solution, camera.name)) + 1e-15,
        )
    assert not position_covariance(solution, solution.metadata["reference"]).any()


def test_the_volume_is_where_two_cameras_see():
    scene = synthetic_scene(2, cameras=4)
    volume = capture_volume(scene.rig)
    assert (np.sum([sees(camera, volume) for camera in scene.rig], axis=0) >= 2).all()
    assert np.linalg.norm(axes_meet(scene.rig) - [0, 0, 1.1]) < 0.4
    around = np.random.default_rng(0).uniform(-0.3, 0.3, (50, 3)) + np.array([0, 0, 1.1])
    near = capture_volume(scene.rig, np.concatenate([around, np.full((2, 3), np.nan)]), count=300)
    assert 200 < len(near) < 400
    assert np.abs(near - [0, 0, 1.1]).max() < 0.45


def test_what_a_distortion_folds_back_into_the_image_is_not_seen():
    K = np.array([[500.0, 0, 500], [0, 500, 500], [0, 0, 1]])
    camera = Camera(K, [-0.3, 0, 0, 0, 0], image_size=(1000, 1000))
    folded, proper = np.array([1.8, 0, 1]), np.array([0.5, 0, 1])
    assert 0 < camera.project(folded)[0] < 1000
    np.testing.assert_array_equal(sees(camera, np.stack([folded, proper])), [False, True])

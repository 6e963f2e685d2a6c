"""Points from several cameras: exact scenes, an independent minimiser, calibrated covariance, and no solutions."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rig_scenes import BENT, look_at, ring, see, stage_points
from scipy.optimize import least_squares

from lift3d.errors import ShapeError
from lift3d.geometry import batches
from lift3d.geometry.cameras import Camera
from lift3d.geometry.triangulation import triangulate_points

LENSES = [
    pytest.param((0.0,) * 5, False, id="none"),
    pytest.param((-0.3, 0.1, 0.001, -0.002, 0.02), False, id="5"),
    pytest.param((0.1, -0.2, 0.001, -0.002, 0.02, 0.1, -0.05, 0.01), False, id="8"),
    pytest.param((0.05, -0.01, 0.003, -0.001), True, id="fisheye"),
]


@pytest.mark.parametrize("count", [2, 3, 7, 32])
@pytest.mark.parametrize(("distortion", "fisheye"), LENSES)
def test_exact_pixels_give_exact_points(distortion: tuple[float, ...], fisheye: bool, count: int) -> None:
    cameras, points = ring(count, distortion, fisheye=fisheye), stage_points(300)
    xy = see(cameras, points)
    found = triangulate_points(cameras, xy)
    np.testing.assert_allclose(found.points, points, atol=1e-7)
    assert found.reprojection_error.max() < 1e-4
    assert found.used.all()
    single = triangulate_points(cameras, xy.astype(np.float32))
    assert single.points.dtype == np.float32
    np.testing.assert_allclose(single.points, points, atol=3e-5)


@pytest.mark.parametrize("count", [2, 4])
def test_the_minimum_is_scipys(count: int) -> None:
    cameras, points = ring(count), stage_points(20)
    xy = see(cameras, points, noise=5.0)
    weights = np.random.default_rng(3).uniform(0.2, 1, xy.shape[:2])
    found = triangulate_points(cameras, xy, weights, noise=5.0)
    for index, point in enumerate(points):

        def residuals(x: np.ndarray, index: int = index) -> np.ndarray:
            errors = np.stack([camera.project(x) for camera in cameras]) - xy[:, index]
            return np.asarray((errors * np.sqrt(weights[:, index, None]) / 5.0).ravel())

        best = least_squares(residuals, point, xtol=1e-12, ftol=1e-12)
        sigma = np.sqrt(np.diag(np.linalg.inv(best.jac.T @ best.jac)))
        assert np.abs((found.points[index] - best.x) / sigma).max() < 0.03
        np.testing.assert_allclose(best.jac @ found.covariance[index] @ best.jac.T, hat(best.jac), atol=0.02)
        mean_square = 25 * 2 * best.cost / weights[:, index].sum()
        assert found.reprojection_error[index] == pytest.approx(np.sqrt(mean_square), rel=0.02)


def hat(jacobian: np.ndarray) -> np.ndarray:
    """What least squares makes of the observations: ``J (J^T J)^-1 J^T``."""
    return np.asarray(jacobian @ np.linalg.pinv(jacobian))


def test_far_and_near_cameras_start_well() -> None:
    """The linear solution overrates a camera twenty times as far; the minimum does not."""
    near = [look_at(np.array([x, -1.5, 1.0]), np.array([0, 0, 1.0])) for x in (-0.7, 0.7)]
    far = look_at(np.array([0, 30.0, 8.0]), np.array([0, 0, 1.0]))
    points = stage_points(2000) * 0.2 + [0, 0, 0.9]
    xy = see([*near, far], points, noise=1.0)
    with_far = np.linalg.norm(triangulate_points([*near, far], xy).points - points, axis=-1)
    without = np.linalg.norm(triangulate_points(near, xy[:2]).points - points, axis=-1)
    assert np.mean(with_far**2) <= np.mean(without**2)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_errors_whitened_by_the_covariance_have_mean_square_one(count: int) -> None:
    cameras, points = ring(count), stage_points(8000)
    if count == 2:
        cameras = ring(5)[:2]
    found = triangulate_points(cameras, see(cameras, points, noise=1.5).astype(np.float32), noise=1.5)
    away = found.points - points
    squares = np.einsum("ni,nij,nj->n", away, np.linalg.inv(found.covariance.astype(np.float64)), away) / 3
    assert squares.mean() == pytest.approx(1, abs=0.04)


def test_an_observation_of_weight_nought_or_nan_is_missing() -> None:
    cameras, points = ring(4), stage_points(50)
    xy, weights = see(cameras, points, noise=2.0), np.ones((4, 50))
    three = triangulate_points(cameras[1:], xy[1:])
    for missing in (0.0, np.nan):
        weights[0] = missing
        np.testing.assert_allclose(triangulate_points(cameras, xy, weights).points, three.points, atol=1e-6)
    xy[0] = np.nan
    found = triangulate_points(cameras, xy)
    np.testing.assert_allclose(found.points, three.points, atol=1e-6)
    assert not found.used[0].any()
    assert found.used[1:].all()


def test_what_has_no_solution_is_nan() -> None:
    cameras = [look_at(np.array([x, -5.0, 1]), np.array([x, 0, 1.0]), distortion=(0.0,) * 5) for x in (-0.5, 0.5)]
    ahead = np.array([[960.0, 540.0], [960, 540]])  # parallel rays
    apart = np.array([[400.0, 540], [1500, 540]])  # rays that meet behind the cameras
    one = np.array([[960.0, 540], [np.nan, np.nan]])
    none = np.full((2, 2), np.nan)
    infinite = np.array([[np.inf, 540], [960, 540]])
    good = see(cameras, np.array([[0.1, 0.2, 1.1]]))[:, 0]
    xy = np.stack([ahead, apart, one, none, infinite, good], axis=1)
    for dtype in (np.float32, np.float64):
        found = triangulate_points(cameras, xy.astype(dtype))
        for array in (found.points, found.covariance, found.reprojection_error):
            assert np.isnan(array[:5]).all()
            assert np.isfinite(array[5]).all()
        assert not found.used[:, :5].any()


def test_pixels_that_the_lens_cannot_show_are_missing() -> None:
    """A polynomial that turns back shows nothing beyond its turning circle."""
    cameras, points = ring(3, (-0.4, 0.0, 0.0, 0.0, 0.0)), stage_points(10)
    xy = see(cameras, points)
    xy[0] = [5000.0, 5000.0]
    found = triangulate_points(cameras, xy)
    np.testing.assert_allclose(found.points, points, atol=1e-6)
    assert not found.used[0].any()


def test_torch_and_any_shape_give_the_same() -> None:
    cameras, points = ring(4), stage_points(60)
    xy = see(cameras, points, noise=2.0)
    xy[1, 7] = np.nan
    weights = np.random.default_rng(0).uniform(0.5, 1, xy.shape[:2])
    noise = np.linspace(1, 2, 5)
    flat = triangulate_points(cameras, xy, weights, np.tile(noise, 12)[None])
    folded = triangulate_points(cameras, xy.reshape(4, 3, 4, 5, 2), weights.reshape(4, 3, 4, 5), noise)
    tensors = triangulate_points(
        cameras,
        torch.as_tensor(xy).reshape(4, 12, 5, 2),
        torch.as_tensor(weights).reshape(4, 12, 5),
        torch.as_tensor(noise),
    )
    assert folded.points.shape == (3, 4, 5, 3)
    assert folded.used.shape == (4, 3, 4, 5)
    for a, b, c in zip(flat, folded, tensors, strict=True):
        np.testing.assert_allclose(b.reshape(a.shape), a, rtol=1e-6, atol=1e-9)
        assert isinstance(c, torch.Tensor)
        np.testing.assert_allclose(c.numpy().reshape(a.shape), a, rtol=1e-5, atol=1e-8)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    cameras, points = ring(3), stage_points(1000)
    xy = see(cameras, points, noise=2.0)
    xy[0, ::50] += 200  # difficult ones
    whole = triangulate_points(cameras, xy)
    monkeypatch.setattr(batches, "BATCH", 60)
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        for a, b in zip(whole, triangulate_points(cameras, xy), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    assert triangulate_points(cameras, xy[:, :0]).points.shape == (0, 3)


@settings(max_examples=25, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0.01, 1000))
def test_neither_place_nor_unit_of_the_world_matters(shift: float, scale: float) -> None:
    """Rigs in millimetres and rigs far from the origin are as good, in float32 too."""
    offset = np.array([shift, -shift, shift / 2])
    near, points = ring(3), stage_points(20)
    cameras = [Camera(c.K, c.distortion, c.R, scale * c.t - c.R @ offset) for c in near]
    xy = see(near, points).astype(np.float32)
    found = triangulate_points(cameras, xy)
    resolution = np.abs(offset).max() * 2.0**-23
    np.testing.assert_allclose(found.points, scale * points + offset, atol=scale * 5e-5 + 2 * resolution)


def test_rigs_that_opencv_solves_too() -> None:
    cameras, points = ring(6)[:2], stage_points(30)
    xy = see(cameras, points)
    matrices = [np.column_stack([camera.R, camera.t]) for camera in cameras]
    rays = [camera.unproject(view).T for camera, view in zip(cameras, xy, strict=True)]
    homogeneous = cv2.triangulatePoints(*matrices, *rays)
    np.testing.assert_allclose(triangulate_points(cameras, xy).points, (homogeneous[:3] / homogeneous[3]).T, atol=1e-6)


def test_shapes_that_do_not_fit() -> None:
    cameras = ring(3, BENT)
    xy = np.zeros((3, 5, 2))
    with pytest.raises(ShapeError, match="two cameras"):
        triangulate_points(cameras[:1], xy[:1])
    for bad in (xy[:2], xy[..., :1], xy[0]):
        with pytest.raises(ShapeError, match="xy must be"):
            triangulate_points(cameras, bad)
    with pytest.raises(ShapeError, match="weights must be"):
        triangulate_points(cameras, xy, np.ones((3, 4)))
    with pytest.raises(ShapeError, match="noise must be"):
        triangulate_points(cameras, xy, noise=np.ones(4))


def test_the_linear_solution_alone() -> None:
    cameras, points = ring(4), stage_points(500)
    found = triangulate_points(cameras, see(cameras, points), linear=True)
    np.testing.assert_allclose(found.points, points, atol=1e-9)
    assert found.covariance is None
    noisy = see(cameras, points, noise=2.0)
    best, linear = triangulate_points(cameras, noisy, covariance=False), triangulate_points(cameras, noisy, linear=True)
    assert best.covariance is None
    assert (linear.reprojection_error >= best.reprojection_error - 1e-3).all()
    assert np.mean((linear.points - points) ** 2) < 1.2 * np.mean((best.points - points) ** 2)

"""Wrong cameras found and left out: against knowing them, for two to 32 cameras, with the noise known and estimated."""

import numpy as np
import pytest
import torch
from rig_scenes import look_at, ring, see, stage_points, strike

from lift3d.errors import Lift3DError, ShapeError
from lift3d.geometry.robust_triangulation import estimate_noise, triangulate_robustly
from lift3d.geometry.triangulation import triangulate_points


def scene(count: int, points: int = 3000, struck: float = 0.1, noise: float = 2.0) -> tuple:
    """Cameras, points, pixels with wrong ones among them, which these are, and the pixels without them."""
    cameras, truth = ring(count), stage_points(points)
    xy = see(cameras, truth, noise=noise)
    xy[np.random.default_rng(5).random(xy.shape[:2]) < 0.05] = np.nan
    clean = xy.copy()
    wrong = strike(xy, struck) & np.isfinite(clean[..., 0])
    xy[np.isnan(clean)] = np.nan
    clean[wrong] = np.nan
    return cameras, truth, xy.astype(np.float32), wrong, clean.astype(np.float32)


@pytest.mark.parametrize("count", [4, 6, 9, 32])
def test_as_good_as_knowing_the_wrong_cameras(count: int) -> None:
    cameras, truth, xy, wrong, clean = scene(count)
    found = triangulate_robustly(cameras, xy, noise=2.0)
    best = triangulate_points(cameras, clean)
    # Points of which three right cameras are left.
    sure = np.isfinite(clean[..., 0]).sum(0) >= 3
    error = np.linalg.norm(found.points - truth, axis=-1)[sure]
    least = np.linalg.norm(best.points - truth, axis=-1)[sure]
    assert np.median(error) < 1.02 * np.median(least)
    assert np.percentile(error, 99) < 1.1 * np.percentile(least, 99)
    right = np.isfinite(clean[..., 0])
    assert (right & ~found.used)[:, sure].sum() < 0.005 * right.sum()
    assert (wrong & found.used)[:, sure].sum() < 0.02 * wrong.sum()
    away = (found.points - truth)[sure]
    squares = np.einsum("ni,nij,nj->n", away, np.linalg.inv(found.covariance[sure].astype(np.float64)), away)
    assert np.median(squares) / 2.366 == pytest.approx(1, abs=0.08)  # the median of chi-square of 3


@pytest.mark.parametrize("struck", [0.3, 0.4])
def test_many_of_many_cameras_may_be_wrong(struck: float) -> None:
    cameras, truth, xy, _, clean = scene(16, 1000, struck)
    error = np.linalg.norm(triangulate_robustly(cameras, xy, noise=2.0).points - truth, axis=-1)
    least = np.linalg.norm(triangulate_points(cameras, clean).points - truth, axis=-1)
    assert np.nanmedian(error) < 1.05 * np.nanmedian(least)
    assert np.nanpercentile(error, 97) < 1.2 * np.nanpercentile(least, 97)


def test_three_cameras_drop_the_one_that_two_contradict() -> None:
    cameras, truth = ring(3), stage_points(500)
    xy = see(cameras, truth, noise=1.0)
    xy[1] += np.where(np.arange(500) % 2 == 0, 80.0, 0.0)[:, None]
    found = triangulate_robustly(cameras, xy, noise=1.0)
    pair = triangulate_points([cameras[0], cameras[2]], xy[[0, 2]])
    dropped = ~found.used[1]
    assert dropped[::2].mean() > 0.97
    assert not dropped[1::2].any()
    right = dropped & found.used[0] & found.used[2]
    np.testing.assert_allclose(found.points[right], pair.points[right], atol=1e-4)


def test_confidence_decides_where_agreement_does_not() -> None:
    """Of three cameras in one plane with the point, each pair agrees on some point of it."""
    cameras = [look_at(4 * np.array([np.sin(a), -np.cos(a), 0.25]), np.array([0, 0, 1.0])) for a in (-0.6, 0.0, 0.6)]
    point = np.array([[0.0, 0.0, 1.0]])
    xy = see(cameras, point)
    for doubted in range(3):
        moved = xy.copy()
        moved[doubted, :, 0] += 60
        weights = np.full((3, 1), 0.9)
        weights[doubted] = 0.2
        found = triangulate_robustly(cameras, moved, weights, noise=2.0)
        assert not found.used[doubted]
        np.testing.assert_allclose(found.points, point, atol=0.01)


def test_two_cameras_that_disagree_say_so() -> None:
    cameras, truth = ring(5)[:2], stage_points(200)
    xy = see(cameras, truth, noise=1.0)
    agreed = triangulate_robustly(cameras, xy, noise=1.0)
    xy[0, :, 1] += 100
    found = triangulate_robustly(cameras, xy, noise=1.0)
    assert found.used.all()
    assert found.reprojection_error.min() > 10
    assert (np.trace(found.covariance, axis1=1, axis2=2) > 100 * np.trace(agreed.covariance, axis1=1, axis2=2)).all()


def test_where_nobody_agrees_there_is_still_an_honest_point() -> None:
    cameras = ring(4)
    rng = np.random.default_rng(0)
    xy = rng.uniform([400, 200], [1500, 900], (4, 500, 2))
    found = triangulate_robustly(cameras, xy, noise=1.0)
    made = np.isfinite(found.points).all(-1)
    assert made.mean() > 0.9
    assert np.median(found.reprojection_error[made]) > 3


@pytest.mark.parametrize("count", [2, 3, 4, 12])
def test_the_noise_is_found_joint_by_joint(count: int) -> None:
    cameras, levels = ring(5)[:2] if count == 2 else ring(count), np.array([1.0, 2.0, 4.0])
    truth = stage_points(1500).reshape(500, 3, 3)
    xy = see(cameras, truth) + np.random.default_rng(1).normal(size=(count, 500, 3, 2)) * levels[:, None]
    strike(xy, 0.02 if count == 2 else 0.1)
    np.testing.assert_allclose(estimate_noise(cameras, xy), levels, rtol=0.12 if count < 4 else 0.06)
    tensor = torch.as_tensor(xy, dtype=torch.float32)
    np.testing.assert_allclose(estimate_noise(cameras, tensor), levels, rtol=0.12 if count < 4 else 0.06)


def test_the_noise_of_weighted_observations() -> None:
    cameras, truth = ring(5), stage_points(2000).reshape(1000, 2, 3)
    weights = np.random.default_rng(4).uniform(0.2, 1, (5, 1000, 2))
    xy = see(cameras, truth) + np.random.default_rng(1).normal(size=(5, 1000, 2, 2)) * 3 / np.sqrt(weights)[..., None]
    np.testing.assert_allclose(estimate_noise(cameras, xy, weights), 3, rtol=0.06)
    found = triangulate_robustly(cameras, xy, weights)
    away = (found.points - truth).reshape(-1, 3)
    squares = np.einsum("ni,nij,nj->n", away, np.linalg.inv(found.covariance.reshape(-1, 3, 3)), away) / 3
    assert squares.mean() == pytest.approx(1, abs=0.1)


def test_a_seldom_joint_borrows_the_noise_of_all() -> None:
    cameras, truth = ring(4), stage_points(800).reshape(400, 2, 3)
    xy = see(cameras, truth, noise=2.0)
    xy[:, 5:, 1] = np.nan
    np.testing.assert_allclose(estimate_noise(cameras, xy), 2, rtol=0.1)


def test_torch_is_numpy() -> None:
    cameras, _, xy, _, _ = scene(9, 300)
    arrays = triangulate_robustly(cameras, xy, noise=2.0)
    tensors = triangulate_robustly(cameras, torch.as_tensor(xy), noise=2.0)
    assert (tensors.used.numpy() == arrays.used).mean() > 0.999
    np.testing.assert_allclose(tensors.points.numpy(), arrays.points, atol=1e-3)


def test_the_input_is_left_alone() -> None:
    cameras, _, xy, _, _ = scene(4, 200)
    before = xy.copy()
    triangulate_robustly(cameras, xy)
    np.testing.assert_array_equal(xy, before)


def test_what_cannot_be_done() -> None:
    cameras = ring(3)
    with pytest.raises(Lift3DError, match="no two cameras see a point"):
        estimate_noise(cameras, np.full((3, 10, 2, 2), np.nan))
    with pytest.raises(ShapeError, match="frames, joints"):
        estimate_noise(cameras, np.zeros((3, 10, 2)))
    found = triangulate_robustly(cameras, np.full((3, 10, 2), np.nan), noise=1.0)
    assert np.isnan(found.points).all()

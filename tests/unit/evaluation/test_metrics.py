"""Metrics by closed forms, in both kinds of arrays, with masks and missing joints."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from lift3d.errors import ShapeError
from lift3d.evaluation import auc_3d, mpjpe, mpjve, n_mpjpe, p_mpjpe, pck_3d
from lift3d.evaluation.metrics import joint_errors

ALL = [mpjpe, p_mpjpe, n_mpjpe, mpjve, pck_3d, auc_3d]


def pair(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(6, 2, 17, 3))
    return truth + rng.normal(size=truth.shape) * 0.05, truth


def test_mpjpe_of_one_displaced_joint() -> None:
    truth = np.random.default_rng(0).normal(size=(5, 4, 3))
    prediction = truth.copy()
    prediction[:, 2] += [0.03, 0.04, 0]
    assert mpjpe(prediction, truth) == pytest.approx(50 / 4)
    assert mpjpe(prediction, truth, root=2) == pytest.approx(50 * 3 / 4)
    assert mpjpe(prediction + 1, truth) == pytest.approx(50 / 4)
    assert mpjpe(prediction + np.array([1, 0, 0]), truth, root=None) == pytest.approx(
        (3 * 1000 + np.hypot(1030, 40)) / 4
    )


def test_the_middle_of_two_joints_as_root() -> None:
    truth = np.zeros((1, 3, 3))
    prediction = truth.copy()
    prediction[0, 0, 0], prediction[0, 1, 0] = 0.1, -0.1
    assert mpjpe(prediction, truth, root=[0, 1]) == pytest.approx(200 / 3)


def test_keeping_the_predicted_root() -> None:
    """VideoPose3D's way: a predicted root 30 mm off costs 30 mm at every joint, the root too."""
    truth = np.random.default_rng(1).normal(size=(5, 4, 3))
    prediction = truth - truth[:, :1] + [0.03, 0, 0]
    assert mpjpe(prediction, truth) == pytest.approx(0, abs=1e-9)
    assert mpjpe(prediction, truth, keep_predicted_root=True) == pytest.approx(30)


def test_p_mpjpe_forgives_a_similarity_but_no_mirror() -> None:
    truth = np.random.default_rng(2).normal(size=(5, 17, 3))
    R = Rotation.random(5, rng=0).as_matrix()
    assert p_mpjpe(0.3 * truth @ R.mT + 7, truth) == pytest.approx(0, abs=1e-9)
    assert p_mpjpe(truth * [-1, 1, 1], truth) > 100


def test_p_mpjpe_against_scipys_procrustes() -> None:
    """scipy standardises the truth and lets mirrors in, which none of these poses needs."""
    prediction, truth = (poses[:, 0] for poses in pair())
    errors = []
    for p, g in zip(prediction, truth, strict=True):
        standard, fitted, _ = procrustes(g, p)
        errors.append(np.linalg.norm(standard - fitted, axis=1) * np.linalg.norm(g - g.mean(axis=0)) * 1000)
    assert p_mpjpe(prediction, truth) == pytest.approx(np.mean(errors))


def test_n_mpjpe_forgives_a_scale_per_pose_only() -> None:
    truth = np.random.default_rng(3).normal(size=(5, 17, 3))
    scales = np.linspace(0.5, 2, 5)[:, None, None]
    assert n_mpjpe(truth * scales + 3, truth) == pytest.approx(0, abs=1e-9)
    prediction, truth = pair()
    best = n_mpjpe(prediction[:1], truth[:1])
    assert 0 < best <= mpjpe(prediction[:1], truth[:1])


def test_mpjve_of_a_joint_that_drifts() -> None:
    """A joint that moves 10 mm a frame too much, of 4 joints, costs 2.5 mm per frame; a constant offset nothing."""
    truth = np.random.default_rng(4).normal(size=(8, 4, 3))
    prediction = truth + 5
    prediction[:, 3, 1] += 0.01 * np.arange(8)
    assert mpjve(prediction, truth) == pytest.approx(2.5)
    assert mpjve(prediction, truth, root=None) == pytest.approx(2.5)
    assert np.isnan(mpjve(prediction[:1], truth[:1]))


def test_pck_and_auc_by_counting() -> None:
    """Errors of 0, 75, 149.9, 150 and 200 mm: three of five are strictly below 150."""
    truth = np.zeros((1, 5, 3))
    prediction = truth.copy()
    prediction[0, :, 0] = [0, 0.075, 0.1499, 0.15, 0.2]
    assert pck_3d(prediction, truth, root=None) == pytest.approx(60)
    assert pck_3d(prediction, truth, root=None, threshold=100) == pytest.approx(40)
    thresholds = np.arange(0, 151, 5)
    assert len(thresholds) == 31
    shares = [np.mean(np.array([0, 75, 149.9, 150, 200]) < t) for t in thresholds]
    assert auc_3d(prediction, truth, root=None) == pytest.approx(100 * np.mean(shares))
    assert auc_3d(truth, truth) == pytest.approx(100 * 30 / 31)


@pytest.mark.parametrize("metric", ALL)
def test_masked_equals_missing_equals_left_out(metric: Callable[..., Any]) -> None:
    prediction, truth = pair()
    mask = np.ones(truth.shape[:-1], dtype=bool)
    mask[..., [4, 9]] = False
    expected = metric(np.delete(prediction, [4, 9], axis=-2), np.delete(truth, [4, 9], axis=-2))
    assert metric(prediction, truth, mask) == pytest.approx(expected)
    prediction[..., 4, 1], truth[..., 9, :] = np.nan, np.nan
    assert metric(prediction, truth) == pytest.approx(expected)
    assert metric(prediction, truth, mask) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ALL)
def test_torch_equals_numpy(metric: Callable[..., Any]) -> None:
    prediction, truth = pair()
    prediction[0, 0, 3] = np.nan
    truth[2, 1] = np.nan
    mask = np.random.default_rng(5).random(truth.shape[:-1]) > 0.2
    expected = metric(prediction, truth, mask)
    tensor = torch.tensor(prediction, requires_grad=True)
    found = metric(tensor, torch.tensor(truth), torch.tensor(mask))
    assert isinstance(expected, np.floating)
    assert isinstance(found, torch.Tensor)
    assert found.item() == pytest.approx(expected)
    if found.requires_grad and metric not in (pck_3d, auc_3d):
        found.backward()
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.abs().sum() > 0


@pytest.mark.parametrize("metric", ALL)
def test_nothing_to_compare_is_nan_without_a_warning(metric: Callable[..., Any]) -> None:
    prediction, truth = pair()
    assert np.isnan(metric(prediction, np.full_like(truth, np.nan)))
    assert np.isnan(metric(prediction, truth, np.zeros(truth.shape[:-1], dtype=bool)))


def test_a_missing_root_leaves_its_pose_out() -> None:
    prediction, truth = pair()
    prediction[0, 0, 0] = np.nan
    errors = joint_errors(prediction, truth)
    assert np.isnan(errors[0, 0]).all()
    assert np.isfinite(errors).sum() == 11 * 17


@pytest.mark.parametrize("metric", ALL)
def test_shapes_are_checked(metric: Callable[..., Any]) -> None:
    with pytest.raises(ShapeError):
        metric(np.zeros((4, 5, 3)), np.zeros((4, 6, 3)))
    with pytest.raises(ShapeError):
        metric(np.zeros((4, 5, 2)), np.zeros((4, 5, 2)))
    with pytest.raises(ShapeError, match="mask"):
        metric(np.zeros((4, 5, 3)), np.zeros((4, 5, 3)), np.ones((4, 4), dtype=bool))


def test_a_root_that_is_no_joint() -> None:
    with pytest.raises(ShapeError, match="root 9"):
        mpjpe(np.zeros((4, 5, 3)), np.zeros((4, 5, 3)), root=9)

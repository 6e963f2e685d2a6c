"""Alignment against known maps, scipy, a reflection, missing points; numpy and torch alike."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lift3d.errors import ShapeError
from lift3d.geometry.alignment import align


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100), points=st.integers(3, 20))
def test_finds_the_map_again(seed: int, scale: float, points: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, 4, points, 3))
    R = Rotation.random(8, rng=rng).as_matrix().reshape(2, 4, 3, 3)
    t = rng.normal(size=(2, 4, 3))
    y = scale * x @ R.mT + t[..., None, :]
    found = align(x, y)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-9)
    np.testing.assert_allclose(found.R, R, atol=1e-7)
    np.testing.assert_allclose(found.t, t, atol=1e-7 * max(1, scale))
    np.testing.assert_allclose(found.apply(x), y, atol=1e-8 * max(1, scale))


def test_rigid_rotation_is_scipys() -> None:
    """scipy solves the same problem (Wahba's) for weighted vectors about the origin."""
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(9, 3)), rng.normal(size=(9, 3)), rng.random(9)
    x -= np.average(x, axis=0, weights=w)
    y -= np.average(y, axis=0, weights=w)
    expected, _ = Rotation.align_vectors(y, x, weights=w)
    found = align(x, y, w, scale=False)
    np.testing.assert_allclose(found.R, expected.as_matrix(), atol=1e-9)
    assert found.scale == 1


def test_is_the_minimum() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 10, 3))
    best = align(x, y)

    def cost(scale: float, R: np.ndarray, t: np.ndarray) -> float:
        return float(((scale * x @ R.T + t - y) ** 2).sum())

    least = cost(*best)
    for _ in range(100):
        step = Rotation.from_rotvec(rng.normal(size=3) * 1e-3).as_matrix()
        other = (best.scale * (1 + rng.normal() * 1e-3), step @ best.R, best.t + rng.normal(size=3) * 1e-3)
        assert cost(*other) > least


def test_a_reflection_is_not_undone() -> None:
    x = np.random.default_rng(2).normal(size=(12, 3))
    y = x * [1, 1, -1]
    found = align(x, y)
    assert np.linalg.det(found.R) == pytest.approx(1)
    assert np.abs(found.apply(x) - y).max() > 0.1


def test_points_that_are_missing_or_masked_weigh_nothing() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 3, 8, 3))
    expected = align(x[:, :5], y[:, :5])
    gone_x, gone_y = x.copy(), y.copy()
    gone_x[:, 5], gone_y[:, 6, 1] = np.nan, np.nan
    mask = np.arange(8) != 7
    found = align(gone_x, gone_y, np.broadcast_to(mask, (3, 8)))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_degenerate_sets() -> None:
    nothing = align(np.full((4, 3), np.nan), np.zeros((4, 3)))
    assert np.isnan(nothing.t).all()
    one = align(np.ones((1, 3)), np.full((1, 3), 5.0))
    np.testing.assert_allclose(one.apply(np.ones((1, 3))), [[5, 5, 5]])
    flat = np.random.default_rng(4).normal(size=(6, 3)) * [1, 1, 0]
    turned = flat @ Rotation.from_euler("xyz", [1, 2, 3]).as_matrix().T
    found = align(flat, turned)
    np.testing.assert_allclose(found.apply(flat), turned, atol=1e-12)
    assert np.linalg.det(found.R) == pytest.approx(1)


def test_torch_equals_numpy_and_has_a_gradient() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 3, 7, 3))
    x[0, 2] = np.nan
    x[2] = np.nan
    tensor = torch.tensor(x, requires_grad=True)
    found = align(tensor, torch.tensor(y))
    for a, b in zip(found, align(x, y), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, atol=1e-12)
    found.apply(torch.nan_to_num(tensor))[:2].square().sum().backward()
    assert torch.isfinite(tensor.grad).all()
    clean = torch.tensor(rng.normal(size=(2, 5, 3)), requires_grad=True)
    target = torch.tensor(rng.normal(size=(2, 5, 3)))
    assert torch.autograd.gradcheck(lambda p: align(p, target).apply(p), clean)
    assert align(clean.detach().float(), target.float()).R.dtype == torch.float32


def test_shapes_are_checked() -> None:
    for x, y in (
        (np.zeros((4, 2)), np.zeros((4, 2))),
        (np.zeros((4, 3)), np.zeros((5, 3))),
        (np.zeros(3), np.zeros(3)),
    ):
        with pytest.raises(ShapeError):
            align(x, y)

"""Lens models against OpenCV, their derivatives against finite differences, and their inverse."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lift3d.geometry.lenses import coefficient_derivatives, distort, distort_with_derivatives, undistort

WEBCAM = (-0.33, 0.12, -0.004, 0.003, -0.02)
WIDE = (0.4, -0.1, 0.001, -0.002, 0.02, 0.5, -0.05, 0.01)
FISHEYE = (0.05, -0.01, 0.003, -0.001)
LENSES = [(WEBCAM, False), (WIDE, False), (FISHEYE, True)]


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.7, 0.7, (200, 2))


@pytest.mark.parametrize(("coefficients", "fisheye"), LENSES)
def test_distortion_is_opencvs(coefficients, fisheye, points):
    local = np.concatenate([points, np.ones((len(points), 1))], axis=1)[:, None]
    project = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    expected = project(local, np.zeros(3), np.zeros(3), np.eye(3), np.array(coefficients))[0].reshape(-1, 2)
    np.testing.assert_allclose(np.stack(distort(*points.T, coefficients, fisheye), axis=1), expected, atol=1e-12)


@pytest.mark.parametrize(("coefficients", "fisheye"), LENSES)
def test_derivatives_are_the_finite_differences(coefficients, fisheye, points):
    x, y = points.T
    step = 1e-6
    found = distort_with_derivatives(x, y, coefficients, fisheye)
    np.testing.assert_allclose(found[:2], distort(x, y, coefficients, fisheye), atol=1e-15)

    def difference(dx, dy, change=0.0, index=0):
        moved = [np.array(coefficients), np.array(coefficients)]
        moved[0][index] += change
        moved[1][index] -= change
        up, down = distort(x + dx, y + dy, moved[0], fisheye), distort(x - dx, y - dy, moved[1], fisheye)
        return (np.array(up) - np.array(down)) / (2 * step)

    np.testing.assert_allclose(difference(step, 0), [found.dxx, found.dxy], atol=1e-8)
    np.testing.assert_allclose(difference(0, step), [found.dxy, found.dyy], atol=1e-8)
    derivatives = coefficient_derivatives(x, y, coefficients, fisheye)
    assert len(derivatives) == len(coefficients)
    for index, derivative in enumerate(derivatives):
        np.testing.assert_allclose(difference(0, 0, step, index), derivative, atol=1e-8)


@pytest.mark.parametrize(("coefficients", "fisheye"), [*LENSES, ((0, 0, 0, 0), True)])
def test_the_axis_is_no_special_place(coefficients, fisheye):
    centre = np.zeros(1)
    near = np.full(1, 1e-7)
    np.testing.assert_allclose(
        np.array(distort_with_derivatives(centre, centre, coefficients, fisheye)),
        np.array(distort_with_derivatives(near, near, coefficients, fisheye)),
        atol=1e-6,
    )
    assert np.array(undistort(centre, centre, coefficients, fisheye)).tolist() == [[0], [0]]


@given(
    st.tuples(st.floats(-0.4, 0.4), st.floats(-0.1, 0.1), *[st.floats(-0.01, 0.01)] * 2, st.floats(-0.02, 0.02)),
    st.floats(-0.6, 0.6),
    st.floats(-0.6, 0.6),
)
def test_undistorting_undoes_distorting(coefficients, x, y):
    x, y = np.array([x]), np.array([y])
    found = undistort(*distort(x, y, coefficients), coefficients)
    if distort_with_derivatives(x, y, coefficients).dxx[0] > 0.3:  # within the circle at which the model turns back
        np.testing.assert_allclose(np.array(found), [x, y], atol=1e-9)


@pytest.mark.parametrize(("coefficients", "fisheye"), LENSES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_tensors_agree_with_arrays(coefficients, fisheye, dtype, points):
    tolerance = 1e-12 if dtype == torch.float64 else 3e-6
    tensors = torch.from_numpy(points.T.copy()).to(dtype)
    for function in (distort, undistort):
        expected = np.array(function(*points.T, coefficients, fisheye))
        np.testing.assert_allclose(torch.stack(function(*tensors, coefficients, fisheye)), expected, atol=tolerance)


def test_wide_fisheyes_come_back():
    angles = np.linspace(0.01, 1.5, 50)
    x, y = np.tan(angles) * np.cos(angles * 7), np.tan(angles) * np.sin(angles * 7)
    found = undistort(*distort(x, y, FISHEYE, True), FISHEYE, True)
    np.testing.assert_allclose(np.array(found), [x, y], rtol=1e-8)


def test_what_the_lens_cannot_show_is_missing():
    # x (1 - x^2 / 3) turns back at x = 1, where it is 2 / 3.
    x, _ = undistort(np.array([0.6, 0.7, np.nan]), np.zeros(3), (-1 / 3, 0, 0, 0, 0))
    assert 0 < x[0] < 1
    assert np.isnan(x[1:]).all()
    x, _ = undistort(np.array([1.5, 1.6]), np.zeros(2), (0, 0, 0, 0), fisheye=True)
    assert x[0] == pytest.approx(np.tan(1.5))
    assert np.isnan(x[1])

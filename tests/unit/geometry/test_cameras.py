"""Camera against OpenCV: projection, undistortion, and what it refuses."""

from typing import Any

import cv2
import numpy as np
import pytest

from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera

K = np.array([[1000.0, 0, 640], [0, 1010, 360], [0, 0, 1]])
LENSES = [
    pytest.param(np.array([-0.3, 0.1, 0.001, -0.002, 0.02]), False, id="5"),
    pytest.param(np.array([0.1, -0.2, 0.001, -0.002, 0.02, 0.1, -0.05, 0.01]), False, id="8"),
    pytest.param(np.array([0.05, -0.01, 0.003, -0.001]), True, id="fisheye"),
    pytest.param(np.zeros(5), False, id="none"),
]


def points() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.uniform(-0.8, 0.8, 200), rng.uniform(-0.6, 0.6, 200), rng.uniform(1.5, 4, 200)])


@pytest.mark.parametrize(("distortion", "fisheye"), LENSES)
def test_project_is_opencvs(distortion: np.ndarray, fisheye: bool) -> None:
    rotation, t = np.array([0.1, -0.2, 0.3]), np.array([0.2, -0.1, 0.5])
    camera = Camera(K, distortion, cv2.Rodrigues(rotation)[0], t, fisheye=fisheye)
    project = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    expected = project(points()[:, None], rotation, t, K, distortion)[0][:, 0]
    np.testing.assert_allclose(camera.project(points()), expected, atol=1e-9)
    np.testing.assert_allclose(camera.project(points().reshape(10, 20, 3)), expected.reshape(10, 20, 2), atol=1e-9)


@pytest.mark.parametrize("skew", [0.0, 2.5])
@pytest.mark.parametrize(("distortion", "fisheye"), LENSES)
def test_unproject_undoes_project(distortion: np.ndarray, fisheye: bool, skew: float) -> None:
    skewed = K.copy()
    skewed[0, 1] = skew
    camera = Camera(skewed, distortion, fisheye=fisheye)
    pixels = camera.project(points())
    np.testing.assert_allclose(camera.unproject(pixels), points()[:, :2] / points()[:, 2:], atol=1e-9)
    pixels[3] = np.nan
    again = camera.unproject(pixels.reshape(10, 20, 2))
    assert again.shape == (10, 20, 2)
    assert np.isnan(again).any(axis=-1).sum() == 1
    assert camera.unproject(np.empty((0, 2))).shape == (0, 2)


def test_behind_the_camera_and_missing_are_nan() -> None:
    camera = Camera(K)
    assert np.isnan(camera.project(np.array([[0, 0, -1.0], [0, 0, 0], [np.nan, 0, 1]]))).all(axis=-1).all()


def test_dictionary_round_trip() -> None:
    camera = Camera(K, [0.1, 0, 0, 0, 0], np.diag([1, -1, -1]), [1, 2, 3], image_size=(1280, 720), name="left")
    again = Camera.from_dict(camera.to_dict())
    assert again.to_dict() == camera.to_dict()
    for key in camera.to_dict():
        values = camera.to_dict()
        del values[key]
        with pytest.raises(CameraError):
            Camera.from_dict(values)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"K": np.full((3, 3), np.nan)}, "finite"),
        ({"K": np.diag([-1.0, 1, 1])}, "positive"),
        ({"K": np.eye(2)}, "3x3"),
        ({"R": np.diag([1, 1, 2])}, "orthonormal"),
        ({"R": np.diag([1, 1, -1])}, "mirrors"),
        ({"R": np.full((3, 3), np.nan)}, "orthonormal"),
        ({"t": [1, 2]}, "t must"),
        ({"t": [1, 2, np.inf]}, "t must"),
        ({"distortion": [1, 2, 3]}, "coefficients"),
        ({"distortion": np.zeros(5), "fisheye": True}, "coefficients"),
        ({"image_size": (0, 5)}, "image size"),
    ],
)
def test_impossible_cameras(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(CameraError, match=message):
        Camera(**{"K": K, **fields})


def test_assumed_camera_sees_53_degrees() -> None:
    camera = Camera.assumed((1920, 1080))
    left = camera.unproject(np.array([0.0, 540]))
    assert np.degrees(2 * np.arctan(-left[0])) == pytest.approx(53.13, abs=0.01)
    assert camera.image_size == (1920, 1080)

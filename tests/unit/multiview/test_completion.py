"""Completion with a lifter whose errors are known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lift3d.multiview.completion as completion
from lift3d.errors import Lift3DError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.multiview.completion import complete
from lift3d.multiview.joint_completion import outwards
from lift3d.poses import SOURCES, Keypoints2D, Poses3D
from lift3d.skeletons import H36M17, SKELETONS

FPS, FRAMES = 50.0, 300
ELBOW, WRIST = H36M17.index("left_elbow"), H36M17.index("left_wrist")
LIFTED = SOURCES.index("lifted")
# A person who stands: height and width of each joint of H36M17, metres.
STANDING = {
    "pelvis": (0, 0.95), "right_hip": (-0.12, 0.92), "right_knee": (-0.13, 0.5), "right_ankle": (-0.14, 0.09),
    "left_hip": (0.12, 0.92), "left_knee": (0.13, 0.5), "left_ankle": (0.14, 0.09), "spine": (0, 1.2),
    "thorax": (0, 1.45), "nose": (0, 1.6), "head_top": (0, 1.75), "left_shoulder": (0.18, 1.42),
    "left_elbow": (0.3, 1.15), "left_wrist": (0.4, 0.92), "right_shoulder": (-0.18, 1.42),
    "right_elbow": (-0.3, 1.15), "right_wrist": (-0.4, 0.92),
}  # fmt: skip


def turn(angle: np.ndarray) -> np.ndarray:
    """(..., 3, 3) about the vertical."""
    c, s, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.stack([np.stack([c, -s, zero], -1), np.stack([s, c, zero], -1), np.stack([zero, zero, zero + 1], -1)], -2)


def person() -> np.ndarray:
    """(FRAMES, 17, 3) someone who turns, and waves the left arm."""
    t = np.arange(FRAMES) / FPS
    body = np.array([[x, 0.0, z] for x, z in (STANDING[joint] for joint in H36M17.joints)])
    poses = np.repeat(body[None], FRAMES, axis=0)
    upper, fore = 0.3, 0.25
    a, b = 0.8 * np.sin(2 * t), 0.5 + 0.9 * np.sin(3 * t)
    shoulder = poses[:, H36M17.index("left_shoulder")]
    poses[:, ELBOW] = shoulder + upper * np.stack([np.cos(a), 0 * a, np.sin(a)], 1)
    poses[:, WRIST] = poses[:, ELBOW] + fore * np.stack([np.cos(a + b), np.sin(b) * 0, np.sin(a + b)], 1)
    return np.asarray(poses @ turn(0.3 * t).mT + np.stack([0.2 * np.sin(t), 0.1 * t, 0 * t], 1)[:, None])


def make_rig() -> Rig:
    """Three cameras around."""
    cameras = []
    for k in range(3):
        centre = np.array([4 * np.cos(2.1 * k), 4 * np.sin(2.1 * k), 1.4])
        z = np.array([0, 0, 1.0]) - centre
        z /= np.linalg.norm(z)
        x = np.cross(z, [0, 0, 1])
        x /= np.linalg.norm(x)
        R = np.stack([x, np.cross(z, x), z])
        K = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
        cameras.append(Camera(K, np.zeros(5), R, -R @ centre, (1280, 720), f"cam{k}"))
    return Rig(tuple(cameras))


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, Rig, list[Keypoints2D]]:
    """The truth, the rig and what it saw, with a lifter that is 4 cm off and knows neither place nor scale."""
    rng = np.random.default_rng(0)
    truth, rig = person(), make_rig()
    keypoints = [
        Keypoints2D((camera.project(truth) + rng.normal(0, 1.5, (FRAMES, 17, 2)))[:, None], skeleton=H36M17, fps=FPS)
        for camera in rig
    ]

    def lifted(keypoints: Keypoints2D, camera: Camera, *_: Any) -> np.ndarray:
        own = np.random.default_rng(len(camera.name) + int(camera.name[-1]))
        moved = 1.2 * (truth + own.normal(0, 0.04, truth.shape)) @ turn(np.array(0.4)).mT + [5.0, 1.0, 0.3]
        return np.asarray(moved)

    monkeypatch.setattr(completion, "_lift", lifted)
    return truth, rig, keypoints


def hide(keypoints: list[Keypoints2D], frames: slice, joints: list[int], cameras: list[int]) -> list[Keypoints2D]:
    hidden = []
    for index, motion in enumerate(keypoints):
        xy = motion.xy.copy()
        if index in cameras:
            for joint in joints:
                xy[frames, 0, joint] = np.nan
        hidden.append(Keypoints2D(xy, skeleton=H36M17, fps=FPS))
    return hidden


def with_gap(truth: np.ndarray, frames: slice, joints: list[int]) -> Poses3D:
    xyz = truth[:, None].astype(np.float32)
    for joint in joints:
        xyz[frames, 0, joint] = np.nan
    known = np.isfinite(xyz[..., 0])
    covariance = np.where(known[..., None, None], 1e-6 * np.eye(3), np.nan)
    return Poses3D(xyz, skeleton=H36M17, fps=FPS, sigma=np.where(known, 0.001, np.nan), covariance=covariance)


# A joint that no camera sees is taken to be guessed worse than this lifter guesses.
@pytest.mark.parametrize(("cameras", "largest", "least"), [([1, 2], 0.05, 0.5), ([0, 1, 2], 0.12, 0.1)])
def test_a_hidden_arm_is_completed_and_as_sure_as_it_says(
    scene: tuple[np.ndarray, Rig, list[Keypoints2D]], cameras: list[int], largest: float, least: float
) -> None:
    truth, rig, keypoints = scene
    gap, joints = slice(100, 220), [ELBOW, WRIST]
    poses = with_gap(truth, gap, joints)
    done = complete(poses, hide(keypoints, gap, joints, cameras), rig)
    assert done.source is not None
    assert done.sigma is not None
    assert done.covariance is not None
    assert done.cameras_used is not None
    lifted = done.source == LIFTED
    assert lifted[gap, 0, joints[0]].all()
    assert lifted.sum() == 240
    np.testing.assert_array_equal(done.xyz[~lifted], poses.xyz[~lifted])
    error = np.linalg.norm(done.xyz - truth[:, None], axis=-1)[gap, 0][:, joints]
    sigma = done.sigma[gap, 0][:, joints]
    assert np.sqrt(np.mean(error**2)) < largest
    assert least < np.sqrt(np.mean((error / sigma) ** 2) / 3) < 2.0
    np.testing.assert_allclose(
        sigma, np.sqrt(np.trace(done.covariance[gap, 0][:, joints], axis1=-2, axis2=-1) / 3), rtol=1e-4
    )
    assert (done.cameras_used[gap, 0, WRIST] == 3 - len(cameras)).mean() > 0.95
    confidence = done.confidence[gap, 0, WRIST]
    assert (np.isclose(confidence, 0.1) | np.isclose(confidence, 0.5)).all()
    assert np.median(confidence) == pytest.approx(0.5 if len(cameras) < 3 else 0.1)
    if len(cameras) < 3:
        # The one camera that sees the wrist still does, where it says.
        pixels = rig.cameras[0].project(done.xyz[gap, 0, WRIST])
        assert np.nanmedian(np.linalg.norm(pixels - keypoints[0].xy[gap, 0, WRIST], axis=-1)) < 4


def test_the_bone_has_its_length(scene: tuple[np.ndarray, Rig, list[Keypoints2D]]) -> None:
    truth, rig, keypoints = scene
    gap = slice(100, 220)
    done = complete(with_gap(truth, gap, [WRIST]), hide(keypoints, gap, [WRIST], [1, 2]), rig)
    lengths = np.linalg.norm(done.xyz[gap, 0, WRIST] - done.xyz[gap, 0, ELBOW], axis=-1)
    np.testing.assert_allclose(lengths, 0.25, atol=0.03)


def test_what_the_lifter_cannot_place_stays_missing(scene: tuple[np.ndarray, Rig, list[Keypoints2D]]) -> None:
    truth, rig, keypoints = scene
    poses = with_gap(truth, slice(50, 60), list(range(3, 17)))
    done = complete(poses, keypoints, rig)
    np.testing.assert_array_equal(np.isnan(done.xyz[50:60, 0, 3:]), True)
    assert done.source is not None
    assert not (done.source == LIFTED).any()


def test_nothing_is_lifted_where_nothing_is_missing(
    scene: tuple[np.ndarray, Rig, list[Keypoints2D]], monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, rig, keypoints = scene

    def never(*_: Any) -> np.ndarray:
        raise AssertionError("lifted for nothing")

    monkeypatch.setattr(completion, "_lift", never)
    poses = with_gap(truth, slice(0), [])
    np.testing.assert_array_equal(complete(poses, keypoints, rig).xyz, poses.xyz)


def test_every_joint_comes_after_its_parent() -> None:
    for skeleton in SKELETONS.values():
        order = outwards(skeleton)
        assert sorted(order) == list(range(len(skeleton)))
        for parent, child in skeleton.bones:
            assert order.index(parent) < order.index(child)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, k, r: complete(p, k[:2], r), "2 cameras for a rig of 3"),
        (lambda p, k, r: complete(p.select(slice(9)), k, r), "300 frames, the poses 9"),
    ],
)
def test_what_does_not_fit_is_refused(
    scene: tuple[np.ndarray, Rig, list[Keypoints2D]], call: Callable[..., object], message: str
) -> None:
    truth, rig, keypoints = scene
    with pytest.raises(Lift3DError, match=message):
        call(with_gap(truth, slice(0), []), keypoints, rig)

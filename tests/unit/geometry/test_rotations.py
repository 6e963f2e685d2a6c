"""Curves of rotations: filled, continuous, and the nearest rotation, against scipy and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lift3d.geometry.rotations import continuous_euler, continuous_quaternions, fill_rotations, nearest_rotation


def random_rotations(count: int, seed: int = 0) -> np.ndarray:
    return Rotation.random(count, rng=np.random.default_rng(seed)).as_matrix()


def smooth_rotations(frames: int, seed: int) -> np.ndarray:
    """A tumble through every orientation in small steps."""
    steps = np.random.default_rng(seed).normal(size=(frames, 3)).cumsum(axis=0)
    steps *= np.radians(4) / np.linalg.norm(steps, axis=1, keepdims=True)
    turned = [np.eye(3)]
    for step in Rotation.from_rotvec(steps).as_matrix()[1:]:
        turned.append(step @ turned[-1])
    return np.array(turned)


def test_the_nearest_rotation_undoes_stretch_and_never_mirrors() -> None:
    rotations = random_rotations(20)
    stretch = np.diag([3.0, 2.0, 0.5])
    np.testing.assert_allclose(nearest_rotation(rotations @ stretch), rotations, atol=1e-12)
    found = nearest_rotation(rotations @ np.diag([3.0, 2.0, -0.5]))
    np.testing.assert_allclose(np.linalg.det(found), 1)


def test_a_direction_and_a_little_of_a_prior_make_the_shortest_swing() -> None:
    old, new = np.array([1.0, 0, 0]), np.array([0.6, 0.8, 0])
    found = nearest_rotation(np.outer(new, old) + 1e-6 * np.eye(3))
    expected = Rotation.from_rotvec([0, 0, np.arctan2(0.8, 0.6)]).as_matrix()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_gaps_turn_evenly_and_ends_are_held() -> None:
    angles = np.array([0, 10, np.nan, np.nan, 40, np.nan])
    known = np.isfinite(angles)
    turns = Rotation.from_euler("Z", np.nan_to_num(angles)[:, None], degrees=True).as_matrix()
    filled = Rotation.from_matrix(fill_rotations(turns, known)).as_euler("ZXY", degrees=True)
    np.testing.assert_allclose(filled[:, 0], [0, 10, 20, 30, 40, 40], atol=1e-9)


@pytest.mark.parametrize("known", [[], [2]])
def test_nothing_to_turn_between(known: list[int]) -> None:
    turns = random_rotations(4)
    filled = fill_rotations(turns, np.isin(np.arange(4), known))
    expected = turns[2] if known else np.eye(3)
    np.testing.assert_array_equal(filled, np.broadcast_to(expected, filled.shape))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_quaternions_of_a_tumble_do_not_jump(seed: int) -> None:
    turns = smooth_rotations(200, seed)
    quaternions = continuous_quaternions(turns[:, None])[:, 0]
    assert np.linalg.norm(np.diff(quaternions, axis=0), axis=1).max() < np.radians(4)
    np.testing.assert_allclose(Rotation.from_quat(quaternions).as_matrix(), turns, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), order=st.sampled_from(["ZXY", "YXZ", "XZY", "YZX"]))
def test_euler_angles_are_the_same_rotations(seed: int, order: str) -> None:
    turns = smooth_rotations(200, seed)
    angles = continuous_euler(turns, order)
    np.testing.assert_allclose(Rotation.from_euler(order, angles, degrees=True).as_matrix(), turns, atol=1e-7)
    # Away from the middle angle's pole, no step is more than what the pole's nearness allows.
    away = np.abs(np.cos(np.radians(angles[:, 1])))
    steps = np.abs(np.diff(angles, axis=0)).max(axis=1)
    assert (steps < 8 / np.minimum(away[1:], away[:-1]).clip(1e-3) + 1e-6).all()


def test_euler_angles_pass_half_turns_and_the_pole() -> None:
    turning = np.linspace(0, 1080, 200)
    spin = Rotation.from_euler("Y", turning[:, None], degrees=True).as_matrix()
    np.testing.assert_allclose(continuous_euler(spin, "YXZ")[:, 0], turning, atol=1e-6)
    # The middle angle itself goes round: scipy's own angles jump by 180 degrees at 90.
    over = continuous_euler(Rotation.from_euler("X", turning[:, None], degrees=True).as_matrix(), "YXZ")
    np.testing.assert_allclose(over[:, 1], turning, atol=1e-4)
    np.testing.assert_allclose(over[:, [0, 2]], 0, atol=1e-4)

"""Velocities and accelerations of motions whose derivatives are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from turned_bodies import turned_body

from lift3d.errors import Lift3DError, ShapeError
from lift3d.motion import acceleration, angular_acceleration, angular_velocity, joint_angles, speed, velocity
from lift3d.motion.bones import bone_lengths
from lift3d.motion.kinematics import derivative
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17

FPS = 50.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 40))
def test_polynomials_are_exact_everywhere(seed: int, frames: int) -> None:
    """Velocity up to degree 2 and acceleration up to degree 3, the ends and the edges of gaps included."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / FPS
    curve = np.polynomial.Polynomial(rng.normal(size=3))
    cubic = np.polynomial.Polynomial(rng.normal(size=4))
    gap = slice(frames // 2, frames // 2 + rng.integers(0, 3))
    for order, polynomial, least in ((1, curve, 3), (2, cubic, 4)):
        values = polynomial(time)
        values[gap] = np.nan
        truth = polynomial.deriv(order)(time)
        result = derivative(values, FPS, order)
        assert np.isnan(result[gap]).all()
        for start, stop in ((0, gap.start), (gap.stop, frames)):
            if stop - start >= least:
                np.testing.assert_allclose(result[start:stop], truth[start:stop], atol=1e-7)


def test_short_stretches() -> None:
    values = np.array([1.0, np.nan, 2.0, 4.0, np.nan, 0.0, 1.0, 4.0])
    np.testing.assert_allclose(derivative(values, 10.0), [np.nan, np.nan, 20, 20, np.nan, 0, 20, 40])
    np.testing.assert_allclose(derivative(values, 10.0, 2), [*[np.nan] * 5, 200, 200, 200])
    assert derivative(np.zeros((0, 3)), 10.0).shape == (0, 3)
    with pytest.raises(ShapeError, match="order"):
        derivative(values, 10.0, 3)


def test_metres_per_second_of_joints() -> None:
    time = np.arange(20) / FPS
    path = np.stack([3 * time, 1 - 4 * time, 0.5 * 9.81 * time**2], axis=-1)
    xyz = np.broadcast_to(path[:, None, None], (20, 1, 17, 3))
    poses = Poses3D(xyz, skeleton=H36M17, fps=FPS)
    np.testing.assert_allclose(velocity(poses)[:, 0, 4, :2], np.tile([3, -4], (20, 1)), atol=1e-4)
    np.testing.assert_allclose(velocity(poses)[:, 0, 4, 2], 9.81 * time, atol=1e-4)
    np.testing.assert_allclose(acceleration(poses)[:, 0, 4], np.tile([0, 0, 9.81], (20, 1)), atol=2e-2)
    np.testing.assert_allclose(speed(poses)[0, 0], 5, atol=1e-4)
    with pytest.raises(Lift3DError, match="frame rate"):
        velocity(Poses3D(xyz, skeleton=H36M17))


def test_degrees_per_second_of_angles() -> None:
    time = np.arange(100) / FPS
    flexion = 40 + 30 * time - 5 * time**2
    angles = joint_angles(turned_body({"left_knee_flexion": flexion}, frames=100, fps=FPS))
    index = angles.names.index("left_knee_flexion")
    np.testing.assert_allclose(angular_velocity(angles)[:, 0, index], 30 - 10 * time, atol=0.05)
    assert np.median(angular_acceleration(angles)[:, 0, index]) == pytest.approx(-10, abs=0.5)


def test_an_angle_that_starts_again_does_not_jump() -> None:
    """An arm that goes round and round in the plane of walking at 200 degrees/s."""
    flexion = (200 * np.arange(300) / FPS + 120) % 360 - 120
    angles = joint_angles(turned_body({"left_shoulder_flexion": flexion}, frames=300, fps=FPS))
    spin = angular_velocity(angles)[:, 0, angles.names.index("left_shoulder_flexion")]
    np.testing.assert_allclose(spin, 200, atol=0.5)


def test_bone_lengths_and_their_spread() -> None:
    rng = np.random.default_rng(0)
    poses = turned_body({"left_knee_flexion": np.linspace(0, 120, 2000)}, H36M17, frames=2000)
    xyz = poses.xyz + rng.normal(0, 0.004, poses.xyz.shape)
    xyz[:1990, :, H36M17.index("right_wrist")] = np.nan
    xyz[:, :, H36M17.index("left_wrist")] = np.nan
    bones = bone_lengths(Poses3D(xyz, skeleton=H36M17))
    shin, hand, lost = (bones.names.index(name) for name in ("left_ankle", "right_wrist", "left_wrist"))
    assert bones.parents[shin] == "left_knee"
    assert bones.median[0, shin] == pytest.approx(0.4, abs=0.001)
    # Both ends scatter along the bone.
    assert bones.spread[0, shin] == pytest.approx(0.004 * np.sqrt(2), rel=0.1)
    assert bones.median[0, hand] == pytest.approx(0.26, abs=0.01)
    assert (bones.seen[0, shin], bones.seen[0, hand], bones.seen[0, lost]) == (2000, 10, 0)
    assert np.isnan(bones.median[0, lost])

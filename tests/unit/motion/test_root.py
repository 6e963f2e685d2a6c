"""Motion on the spot, and which way a body faces."""

from dataclasses import replace

import numpy as np
import pytest
from walkers import CYCLE, periodic, walker

from lift3d.errors import ShapeError, SkeletonError
from lift3d.geometry.level import from_level, to_level
from lift3d.joint_names import custom_skeleton
from lift3d.motion.root import heading, in_place, root_position
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17

PELVIS = H36M17.index("pelvis")


def test_level_space_is_upright_and_comes_back() -> None:
    points = np.random.default_rng(0).normal(size=(5, 3))
    level = to_level(points, "camera")
    np.testing.assert_array_equal(level[:, 2], -points[:, 1])
    np.testing.assert_array_equal(from_level(level, "camera"), points)
    assert np.linalg.det(to_level(np.eye(3), "camera")) == pytest.approx(1)
    np.testing.assert_array_equal(to_level(points, "world"), points)


def test_an_even_way_is_taken_out_whole() -> None:
    poses = periodic(50, 200, drift=0.02)
    still = periodic(50, 200)
    np.testing.assert_allclose(in_place(poses).xyz, still.xyz, atol=1e-5)
    np.testing.assert_allclose(in_place(poses, smooth=0).xyz, still.xyz, atol=1e-5)


def test_sway_faster_than_the_average_stays() -> None:
    poses, _ = walker()
    xyz = poses.xyz.copy()
    sway = 0.02 * np.sin(2 * np.pi * np.arange(poses.frames) / CYCLE)
    xyz[..., 1] += sway[:, None, None]
    swaying = replace(poses, xyz=xyz)
    kept = in_place(swaying, smooth=2.0).xyz[:, 0, PELVIS]
    inner = slice(60, -60)
    np.testing.assert_allclose(np.diff(kept[inner, 1]), np.diff(sway[inner]), atol=3e-4)
    assert np.ptp(kept[:, 0]) < 0.02
    held = in_place(swaying, smooth=0).xyz[:, 0, PELVIS]
    np.testing.assert_allclose(held[:, :2], np.broadcast_to(held[0, :2], held[:, :2].shape), atol=1e-6)
    np.testing.assert_allclose(held[:, 2], xyz[:, 0, PELVIS, 2], atol=1e-6)


def test_in_camera_space_depth_and_width_are_the_ground() -> None:
    poses = periodic(50, 100, drift=0.02)
    seen = replace(poses, xyz=from_level(poses.xyz, "camera"), space="camera")
    still = from_level(periodic(50, 100).xyz, "camera")
    np.testing.assert_allclose(in_place(seen).xyz, still, atol=1e-5)


@pytest.mark.parametrize("turn", [0.03, -0.05])
def test_heading_goes_round_without_jumps(turn: float) -> None:
    poses = periodic(50, 300, turn=turn)
    facing = heading(poses.xyz.astype(np.float64), H36M17)[:, 0]
    np.testing.assert_allclose(facing, turn * np.arange(300), atol=1e-5)


def test_a_root_that_is_missing_for_a_while_moves_on() -> None:
    poses = periodic(50, 60, drift=0.02)
    xyz = poses.xyz.astype(np.float64)
    whole = root_position(xyz, H36M17)
    xyz[20:30, 0, PELVIS] = np.nan
    np.testing.assert_allclose(root_position(xyz, H36M17), whole, atol=1e-6)


def test_what_has_no_root() -> None:
    poses = Poses3D(np.ones((2, 1, 2, 3)), skeleton=custom_skeleton(["tail", "paw"]))
    with pytest.raises(SkeletonError, match="pelvis"):
        in_place(poses)
    with pytest.raises(ShapeError, match="smooth"):
        in_place(periodic(50, 60), smooth=-1)


def test_a_person_never_seen_stays_so() -> None:
    xyz = np.concatenate([periodic(50, 60).xyz, np.full((60, 1, 17, 3), np.nan)], axis=1)
    assert np.isnan(in_place(Poses3D(xyz, skeleton=H36M17, fps=60)).xyz[:, 1]).all()

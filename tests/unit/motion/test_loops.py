"""Loops found and closed, in motions whose period is known."""

from dataclasses import replace

import numpy as np
import pytest
from walkers import FPS, periodic, walker

from lift3d.errors import Lift3DError, ShapeError
from lift3d.geometry.level import from_level
from lift3d.motion import loops
from lift3d.motion.loops import find_loop, make_loop
from lift3d.motion.root import heading
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17


@pytest.mark.parametrize("period", [70, 93, 128])
def test_a_loop_of_exactly_the_period(period: int) -> None:
    """Drift and turn of the body, which never come back, do not count."""
    loop = find_loop(periodic(period, 400, drift=0.02, turn=0.004, seed=period))
    assert loop.stop - loop.start == period
    assert loop.distance < 1e-4


def test_noise_does_not_make_it_longer() -> None:
    poses = periodic(75, 400, drift=0.01)
    noise = np.random.default_rng(1).normal(size=poses.xyz.shape) * 0.002
    loop = find_loop(replace(poses, xyz=poses.xyz + noise))
    assert (loop.stop - loop.start) % 75 in (0, 1, 74)


def test_no_shorter_than_asked() -> None:
    loop = find_loop(periodic(40, 400), shortest=1.5)
    assert loop.stop - loop.start == 120


def test_of_a_long_clip_only_some_starts_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "COMPARED", 8000)
    loop = find_loop(periodic(93, 400))
    assert loop.stop - loop.start == 93
    assert loop.distance < 1e-4


def rounds(poses: Poses3D, count: int = 3) -> np.ndarray:
    """The clip played again and again, (frames, joints, 3)."""
    return np.concatenate([poses.xyz[:, 0].astype(np.float64)] * count)


def roughness(path: np.ndarray) -> np.ndarray:
    """Second differences: how much the speed changes from frame to frame, (frames,) metres."""
    return np.linalg.norm(np.diff(path, n=2, axis=0), axis=-1).max(axis=-1)


def test_an_exact_loop_plays_on_without_a_seam() -> None:
    poses = periodic(80, 300, drift=0.02, turn=0.003)
    loop = make_loop(poses, 30, 110, path="in_place")
    still = periodic(80, 300)
    expected = roughness(still.xyz[:, 0].astype(np.float64)).max()
    assert roughness(rounds(loop)).max() < 1.05 * expected
    assert loop.frames == 80


def test_ends_that_differ_are_blended() -> None:
    poses = periodic(80, 300)
    xyz = poses.xyz.copy()
    wrist = H36M17.index("left_wrist")
    xyz[:, 0, wrist, 2] += np.linspace(0, 0.3, 300)
    off = replace(poses, xyz=xyz, confidence=None)
    path = rounds(make_loop(off, 100, 180, blend=0))[:, [wrist]]
    blended = rounds(make_loop(off, 100, 180, blend=0.5))[:, [wrist]]
    assert np.abs(np.diff(path, axis=0)).max() > 0.07
    usual = np.abs(np.diff(xyz[:, 0, wrist], axis=0)).max()
    assert np.abs(np.diff(blended, axis=0)).max() < 1.5 * usual
    assert roughness(blended).max() < 0.25 * roughness(path).max()
    # Up to the blend all stays as it was.
    np.testing.assert_allclose(make_loop(off, 100, 180, blend=0.5).xyz[:50], xyz[100:150], atol=1e-5)


def test_a_walk_goes_on_where_it_ended() -> None:
    """Kept as it is, a round moves the body on by what it moved in the clip."""
    poses = periodic(80, 300, drift=0.02, turn=0.004)
    loop = make_loop(poses, 40, 120)
    np.testing.assert_allclose(loop.xyz, poses.xyz[40:120], atol=1e-4)


def test_a_straight_path() -> None:
    loop = make_loop(periodic(80, 300, drift=0.02, turn=0.004), 40, 120, path="straight")
    facing = heading(loop.xyz.astype(np.float64), H36M17)[:, 0]
    np.testing.assert_allclose(facing, 0.16, atol=1e-4)
    way = np.diff(loop.xyz[:, 0, H36M17.index("pelvis"), :2].astype(np.float64), axis=0)
    np.testing.assert_allclose(
        way, np.broadcast_to(0.02 * np.array([np.cos(0.16), np.sin(0.16)]), way.shape), atol=1e-4
    )


def test_a_walk_on_the_spot_from_a_walker() -> None:
    poses, _ = walker(frames=300)
    found = find_loop(poses, shortest=0.8)
    assert found.stop - found.start == 60
    loop = make_loop(poses, found.start, found.stop, path="in_place")
    steps = np.linalg.norm(np.diff(rounds(loop), axis=0), axis=-1).max(axis=1)
    assert steps[59] < 1.1 * steps[:59].max()


def test_camera_space_is_the_same_motion() -> None:
    poses = periodic(80, 300, drift=0.02, turn=0.004)
    seen = replace(poses, xyz=from_level(poses.xyz, "camera"), space="camera")
    assert find_loop(seen).stop - find_loop(seen).start == 80
    expected = from_level(make_loop(poses, 40, 120, path="in_place").xyz, "camera")
    np.testing.assert_allclose(make_loop(seen, 40, 120, path="in_place").xyz, expected, atol=1e-5)


def test_missing_joints_are_not_compared_and_stay_missing() -> None:
    poses = periodic(80, 300)
    xyz = poses.xyz.copy()
    wrist = H36M17.index("left_wrist")
    xyz[100:110, 0, wrist] = np.nan
    gappy = replace(poses, xyz=xyz, confidence=None)
    assert find_loop(gappy).stop - find_loop(gappy).start == 80
    loop = make_loop(gappy, 60, 140)
    np.testing.assert_array_equal(np.isnan(loop.xyz[:, 0, wrist, 0]), np.isnan(xyz[60:140, 0, wrist, 0]))


def test_what_makes_no_loop() -> None:
    poses = periodic(80, 300)
    with pytest.raises(Lift3DError, match="does not fit into 60 frames"):
        find_loop(poses.select(slice(0, 60)))
    nobody = Poses3D(np.full((300, 1, 17, 3), np.nan), skeleton=H36M17, fps=FPS)
    with pytest.raises(Lift3DError, match="no joint is seen in every frame"):
        find_loop(nobody)
    with pytest.raises(ShapeError, match="within 300 frames"):
        make_loop(poses, 250, 301)
    with pytest.raises(ShapeError, match="path"):
        make_loop(poses, 10, 90, path="round")

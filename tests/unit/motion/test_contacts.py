"""Ground contacts and footskate of walkers with known stance phases."""

from dataclasses import replace

import numpy as np
import pytest
from walkers import CYCLE, FPS, STANCE, walker

from lift3d.errors import Lift3DError, SkeletonError
from lift3d.motion.contacts import _with_hysteresis, footskate, ground_contacts
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17, make_skeleton


def edges(on: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.diff(on.astype(int)))


@pytest.mark.parametrize("body", ["h36m17", "body25b"])
@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_stance_phases(body: str, noise: float) -> None:
    poses, standing = walker(slide=0.0, body=body)
    jitter = np.random.default_rng(0).normal(0, noise, poses.xyz.shape)
    contacts = ground_contacts(replace(poses, xyz=poses.xyz + jitter))
    assert contacts.feet == ("left_foot", "right_foot")
    assert (contacts.on == standing).mean() > 0.9
    for foot in (0, 1):
        # As many steps as there are, each edge within 3 frames (50 ms).
        found, truth = edges(contacts.on[:, 0, foot]), edges(standing[:, 0, foot])
        assert len(found) == len(truth)
        assert np.abs(found - truth).max() <= 3
    stands = standing[:, 0, 0]
    assert np.nanmax(contacts.height[stands, 0, 0]) < 0.02
    assert np.nanmax(contacts.height[:, 0, 0]) == pytest.approx(0.12, abs=0.02)


def test_heights_do_not_depend_on_where_the_floor_is() -> None:
    poses, _ = walker()
    lifted = replace(poses, xyz=poses.xyz + np.array([5.0, 2.0, -1.3]))
    np.testing.assert_array_equal(ground_contacts(lifted).on, ground_contacts(poses).on)


@pytest.mark.parametrize("slide", [0.0, 0.05, 0.12])
def test_footskate_is_the_slide(slide: float) -> None:
    poses, _ = walker(slide=slide)
    skate = footskate(poses)
    assert skate.slide[0] == pytest.approx(1000 * slide / STANCE, abs=0.25)
    # At most 0.2 m/s: that is no skating.
    assert skate.skating[0] < 0.02
    assert skate.frames[0] == pytest.approx(2 * len(poses.xyz) * STANCE / CYCLE, rel=0.1)


def test_skating_counts_frames() -> None:
    """A foot that is on the ground by another take's contacts and moves at 1 m/s in half of the frames."""
    still, _ = walker(frames=1)
    poses = Poses3D(np.repeat(still.xyz, 101, axis=0), skeleton=H36M17, fps=FPS)
    contacts = ground_contacts(poses)
    assert contacts.on.all()
    xyz = poses.xyz.copy()
    moves = np.concatenate([np.zeros(51), np.arange(1, 51) / FPS])
    xyz[:, 0, H36M17.index("left_ankle"), 0] += moves
    skate = footskate(replace(poses, xyz=xyz), contacts)
    assert skate.skating[0] == pytest.approx(0.25)
    assert skate.slide[0] == pytest.approx(1000 / FPS / 4, rel=0.001)
    assert skate.frames[0] == 200
    with pytest.raises(Lift3DError, match="same clip"):
        footskate(poses.select(slice(0, 50)), contacts)


def test_a_jump_leaves_the_ground() -> None:
    still, _ = walker(frames=1)
    time = np.arange(120) / FPS
    flight = np.clip(3.0 * (time - 0.7) - 4.905 * (time - 0.7) ** 2, 0, None)
    xyz = np.repeat(still.xyz, 120, axis=0) + flight[:, None, None, None] * np.array([0, 0, 1.0])
    on = ground_contacts(Poses3D(xyz, skeleton=H36M17, fps=FPS)).on[:, 0, 0]
    assert (on == (flight < 0.05)).mean() > 0.95
    assert len(edges(on)) == 2


def test_a_foot_held_still_in_the_air_is_not_on_the_ground() -> None:
    """A stand on both feet, then the left one is lifted by 9 cm and held there."""
    still, _ = walker(frames=1)
    xyz = np.repeat(still.xyz, 120, axis=0)
    lift = 0.09 * np.clip((np.arange(120) - 60) / 10, 0, 1)
    xyz[:, 0, H36M17.index("left_ankle"), 2] += lift
    on = ground_contacts(Poses3D(xyz, skeleton=H36M17, fps=FPS)).on[:, 0]
    assert on[:58].all()
    assert not on[72:, 0].any()
    assert on[72:, 1].all()


def test_missing_feet_are_not_on_the_ground() -> None:
    poses, _ = walker()
    xyz = poses.xyz.copy()
    xyz[50:60, :, H36M17.index("left_ankle")] = np.nan
    xyz[:, :, H36M17.index("right_ankle")] = np.nan
    contacts = ground_contacts(replace(poses, xyz=xyz))
    assert not contacts.on[50:60, 0, 0].any()
    assert not contacts.on[:, 0, 1].any()
    assert np.isnan(contacts.height[50:60, 0, 0]).all()
    assert np.isnan(footskate(replace(poses, xyz=np.full_like(xyz, np.nan))).slide[0])


def test_camera_space_goes_by_speed() -> None:
    poses, standing = walker(slide=0.0)
    x, y, z = np.moveaxis(poses.xyz, -1, 0)
    camera = replace(poses, xyz=np.stack([x, -z, y], axis=-1), space="camera")
    contacts = ground_contacts(camera)
    assert np.isnan(contacts.height).all()
    assert (contacts.on == standing).mean() > 0.9
    with pytest.raises(Lift3DError, match="camera space"):
        footskate(camera)


def test_hysteresis() -> None:
    begin = np.array([0, 0, 1, 0, 0, 0, 0, 0, 1, 0], bool)
    last = np.array([0, 1, 1, 1, 0, 1, 1, 0, 1, 1], bool)
    np.testing.assert_array_equal(_with_hysteresis(begin, last).astype(int), [0, 1, 1, 1, 0, 0, 0, 0, 1, 1])


def test_bad_input() -> None:
    poses, _ = walker(frames=3)
    with pytest.raises(Lift3DError, match="frame rate"):
        ground_contacts(replace(poses, fps=None))
    with pytest.raises(SkeletonError, match="ankle"):
        ground_contacts(Poses3D(np.zeros((3, 1, 1, 3)), skeleton=make_skeleton("dot", {"nose": None}), fps=30))
    for frames in (0, 1, 2, 3):
        assert ground_contacts(poses.select(slice(0, frames))).on.shape == (frames, 1, 2)
        assert footskate(poses.select(slice(0, frames))).frames.shape == (1,)

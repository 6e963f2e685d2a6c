"""Feet that slid, held: against a walker whose sliding is known."""

from dataclasses import replace

import numpy as np
import pytest
from walkers import ANKLE_HEIGHT, HIP_HEIGHT, SHIN, THIGH, bone_lengths, set_leg, walker

from lift3d.errors import ShapeError, SkeletonError
from lift3d.geometry.level import from_level
from lift3d.joint_names import custom_skeleton
from lift3d.motion.contacts import footskate, ground_contacts
from lift3d.motion.foot_lock import MAX_DROP, SETTLED, lock_feet
from lift3d.motion.gaps import runs
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17


def slides(poses: Poses3D, standing: np.ndarray, joint: str = "ankle") -> np.ndarray:
    """How far (metres) each foot moves within each contact."""
    return np.array([
        np.ptp(poses.xyz[start:stop, 0, poses.skeleton.index(f"{side}_{joint}")], axis=0).max()
        for foot, side in enumerate(("left", "right"))
        for start, stop in runs(standing[:, 0, foot])
    ])  # fmt: skip


@pytest.mark.parametrize("body", ["h36m17", "body25b"])
def test_sliding_ends_and_bones_keep_their_length(body: str) -> None:
    poses, standing = walker(slide=0.05, body=body)
    assert slides(poses, standing).max() > 0.045
    locked = lock_feet(poses, standing)
    assert slides(locked, standing).max() < 1e-5
    np.testing.assert_allclose(bone_lengths(locked), bone_lengths(poses), atol=1e-5)
    if body == "body25b":
        assert slides(locked, standing, "big_toe").max() < 1e-5
    assert "held" in locked.provenance["steps"][-1]


def test_footskate_falls_to_nothing() -> None:
    """By the measure of ``contacts``, with the contacts that it finds itself."""
    poses, standing = walker(slide=0.05)
    contacts = ground_contacts(poses)
    assert (contacts.on == standing).mean() > 0.9
    locked = lock_feet(poses)
    assert footskate(poses, contacts).slide[0] > 1.2
    assert footskate(locked, contacts).slide[0] < 0.12
    # What is left is how feet land and leave; while they stand nothing is.
    settled = replace(contacts, on=contacts.on & (contacts.speed < SETTLED))
    assert footskate(poses, settled).slide[0] > 1.2
    assert footskate(locked, settled).slide[0] < 0.001


def test_a_foot_that_does_not_slide_stays() -> None:
    poses, standing = walker(slide=0.0)
    np.testing.assert_allclose(lock_feet(poses, standing).xyz, poses.xyz, atol=1e-5)


def test_knees_bend_the_way_they_bent() -> None:
    poses, standing = walker()
    locked = lock_feet(poses, standing)
    for side in ("left", "right"):
        hip, knee, ankle = (locked.xyz[:, 0, H36M17.index(f"{side}_{joint}")] for joint in ("hip", "knee", "ankle"))
        middle = hip + (ankle - hip) * (THIGH / (THIGH + SHIN))
        assert (knee - middle)[:, 0].min() > 0.01


def test_no_jump_where_a_contact_begins_or_ends() -> None:
    poses, standing = walker(slide=0.05)

    def jump(locked: Poses3D) -> float:
        """The largest change of a foot's correction from one frame to the next, metres."""
        feet = [H36M17.index("left_ankle"), H36M17.index("right_ankle")]
        return float(np.linalg.norm(np.diff((locked.xyz - poses.xyz)[:, 0, feet], axis=0), axis=-1).max())

    assert jump(lock_feet(poses, standing, blend=0)) > 0.02
    locked = lock_feet(poses, standing)
    assert jump(locked) < 0.006
    assert np.linalg.norm(locked.xyz - poses.xyz, axis=-1).max() < 0.04


def test_what_stands_is_the_joint_that_moves_least() -> None:
    """A heel that rises over planted toes goes on rising: the foot is held by its toes."""
    poses, standing = walker(slide=0.0, body="body25b")
    index = poses.skeleton.index
    xyz = poses.xyz.copy()
    for foot, side in enumerate(("left", "right")):
        for start, stop in runs(standing[:, 0, foot]):
            rise = 0.06 * np.linspace(0, 1, stop - start) ** 2
            for joint in ("ankle", "heel"):
                xyz[start:stop, 0, index(f"{side}_{joint}")] += rise[:, None] * [0.3, 0, 1]
    raised = replace(poses, xyz=xyz, confidence=None)
    locked = lock_feet(raised, standing)
    for joint in ("left_heel", "right_ankle"):
        np.testing.assert_allclose(locked.xyz[:, 0, index(joint)], xyz[:, 0, index(joint)], atol=1e-4)


def far_step(half: float) -> tuple[Poses3D, np.ndarray]:
    """A body that slides along on its straight left leg, by ``half`` metres to both sides of where it will be held."""
    frames = 60
    poses, _ = walker(frames=frames)
    xyz = poses.xyz.copy()
    way = np.linspace(-half, half, frames)
    hip = np.stack([way, np.full(frames, 0.1), np.full(frames, ANKLE_HEIGHT + 0.998 * (THIGH + SHIN))], axis=1)
    ankle = hip * [1, 1, 0] + [0, 0, ANKLE_HEIGHT]
    set_leg(xyz[:, 0], H36M17.joints, "left", hip, ankle)
    standing = np.zeros((frames, 1, 2), bool)
    standing[:, 0, 0] = True
    return replace(poses, xyz=xyz, confidence=None), standing


def test_the_body_sinks_where_a_leg_is_too_short() -> None:
    poses, standing = far_step(0.15)
    locked = lock_feet(poses, standing)
    assert slides(locked, standing).max() < 1e-5
    np.testing.assert_allclose(bone_lengths(locked)[..., 3:6], bone_lengths(poses)[..., 3:6], atol=1e-5)
    drop = (poses.xyz - locked.xyz)[:, 0, H36M17.index("head_top"), 2]
    reach = 0.998 * (THIGH + SHIN)  # more than legs are stretched to, but this one was so long already
    assert drop.max() == pytest.approx(reach - np.sqrt(reach**2 - 0.15**2), abs=1e-4)
    assert np.abs(np.diff(drop)).max() < 0.005


def test_a_leg_far_too_short_lifts_its_foot() -> None:
    poses, standing = far_step(0.35)
    locked = lock_feet(poses, standing)
    drop = (poses.xyz - locked.xyz)[:, 0, H36M17.index("head_top"), 2]
    assert drop.max() == pytest.approx(MAX_DROP, abs=1e-5)
    assert slides(locked, standing).max() > 0.01
    np.testing.assert_allclose(bone_lengths(locked)[..., 3:6], bone_lengths(poses)[..., 3:6], atol=1e-5)


def test_camera_space_is_the_same_motion() -> None:
    poses, standing = walker()
    seen = replace(poses, xyz=from_level(poses.xyz, "camera"), space="camera", confidence=None)
    locked = lock_feet(seen, standing)
    np.testing.assert_allclose(locked.xyz, from_level(lock_feet(poses, standing).xyz, "camera"), atol=1e-5)


def test_missing_joints_stay_missing_and_leave_the_others_alone() -> None:
    poses, standing = walker()
    xyz = poses.xyz.copy()
    knee, ankle = H36M17.index("left_knee"), H36M17.index("left_ankle")
    xyz[30:50, 0, knee] = np.nan
    xyz[80:90, 0, ankle] = np.nan
    gappy = replace(poses, xyz=xyz, confidence=None)
    locked = lock_feet(gappy, standing)
    np.testing.assert_array_equal(np.isnan(locked.xyz), np.isnan(xyz))
    right = [H36M17.index(f"right_{joint}") for joint in ("hip", "knee", "ankle")]
    np.testing.assert_allclose(locked.xyz[:, 0, right], lock_feet(poses, standing).xyz[:, 0, right], atol=1e-5)


def test_a_straight_leg_bends_to_the_front() -> None:
    frames = 20
    poses, _ = walker(frames=frames)
    xyz = poses.xyz.copy()
    for side, sign in (("left", 1), ("right", -1)):
        for joint, height in (("hip", HIP_HEIGHT), ("knee", HIP_HEIGHT - THIGH), ("ankle", HIP_HEIGHT - THIGH - SHIN)):
            xyz[:, 0, H36M17.index(f"{side}_{joint}")] = [0, 0.1 * sign, height]
    xyz[..., 0] += np.linspace(-0.1, 0.1, frames)[:, None, None]
    standing = np.ones((frames, 1, 2), bool)
    locked = lock_feet(replace(poses, xyz=xyz, confidence=None), standing)
    hip, knee, ankle = (locked.xyz[:, 0, H36M17.index(f"left_{joint}")] for joint in ("hip", "knee", "ankle"))
    middle = hip + (ankle - hip) * (THIGH / (THIGH + SHIN))
    assert (knee - middle)[:, 0].max() > 0.02
    assert (knee - middle)[:, 0].min() > -1e-5


def test_what_cannot_be_held() -> None:
    poses, standing = walker(frames=10)
    with pytest.raises(SkeletonError, match="left_knee"):
        lock_feet(Poses3D(np.ones((2, 1, 2, 3)), skeleton=custom_skeleton(["left_hip", "left_ankle"])), standing)
    with pytest.raises(ShapeError, match="contacts"):
        lock_feet(poses, standing[:5])
    with pytest.raises(ShapeError, match="blend"):
        lock_feet(poses, standing, blend=-1)

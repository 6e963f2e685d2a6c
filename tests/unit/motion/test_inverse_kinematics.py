"""Rotations solved from the joints of bodies whose rotations are known."""

from dataclasses import replace

import numpy as np
import pytest
from armature_scenes import Scene, scene, waves
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lift3d.errors import ShapeError, SkeletonError
from lift3d.motion.inverse_kinematics import ArmatureMotion, solve_armature
from lift3d.poses import Poses3D
from lift3d.skeletons import SKELETONS

FRAMES = 60
STILL = np.zeros((FRAMES, 3))
MOVING = {
    "Hips": waves(FRAMES, [0.3, 0.2, 0.4], [20, 60, 10]),
    "Spine1": waves(FRAMES, [0.5, 0.4, 0.3], [15, 25, 10]),
    "Head": waves(FRAMES, [0.5, 0.0, 0.3], [20, 0, 10]),
    "LeftArm": waves(FRAMES, [0.0, 0.4, 0.5], [0, 50, 60]),
    "RightArm": waves(FRAMES, [0.0, 0.5, 0.3], [0, 40, 50]),
    "LeftForeArm": waves(FRAMES, [0.0, 0.7, 0.0], [0, 40, 0]) - [0, 60, 0],
    "LeftUpLeg": waves(FRAMES, [0.8, 0.0, 0.5], [40, 0, 15]),
    "LeftLeg": waves(FRAMES, [0.8, 0.0, 0.0], [30, 0, 0]) + np.array([50, 0, 0]),
    "RightLeg": waves(FRAMES, [0.6, 0.0, 0.0], [20, 0, 0]) + np.array([50, 0, 0]),
    "RightFoot": waves(FRAMES, [0.6, 0.0, 0.0], [20, 0, 0]),
}


def steps(motion: ArmatureMotion) -> np.ndarray:
    """Degrees (frames - 1, nodes) that each node turns from frame to frame, seen from its parent."""
    dots = np.abs((motion.rotations[1:] * motion.rotations[:-1]).sum(axis=-1))
    return np.asarray(2 * np.degrees(np.arccos(np.clip(dots, 0, 1))))


def turned_by(motion: ArmatureMotion, made: Scene, node: str) -> np.ndarray:
    """Degrees between a node's solved turn and its true one."""
    index = made.of(node)
    solved = Rotation.from_quat(motion.rotations[:, index])
    return np.asarray(np.degrees((solved * Rotation.from_matrix(made.rotations[:, index]).inv()).magnitude()))


@pytest.mark.parametrize("layout", ["mpi_inf_3dhp28", "cmu25"])
def test_known_rotations_give_their_joints_back(layout: str) -> None:
    made = scene(MOVING, layout=layout)
    motion = solve_armature(made.poses)
    measured = made.plan.strength[: len(made.plan.nodes)] == 1
    np.testing.assert_allclose(motion.places()[:, measured], made.places[:, measured], atol=1e-4)
    assert motion.notes == ()
    assert motion.seen.all()
    bones = measured & measured[list(made.plan.parents)]
    lengths = np.linalg.norm(motion.armature.offsets[bones], axis=-1)
    np.testing.assert_allclose(lengths, np.linalg.norm(made.armature.offsets[bones], axis=-1), atol=1e-4)


def test_limbs_that_swing_and_bend_about_their_hinges_get_no_twist() -> None:
    one_axis = {
        "LeftArm": waves(FRAMES, [0.0, 0.0, 0.5], [0, 0, 60]),
        "RightArm": waves(FRAMES, [0.0, 0.5, 0.0], [0, 40, 0]),
        "LeftUpLeg": waves(FRAMES, [0.8, 0.0, 0.0], [40, 0, 0]),
    }
    made = scene(MOVING | one_axis)
    motion = solve_armature(made.poses)
    for node in ("LeftUpLeg", "LeftLeg", "RightLeg", "LeftArm", "LeftForeArm", "Hips"):
        assert turned_by(motion, made, node).max() < 4, node
    # The chest's turn is shared out over both joints of the spine.
    spine, chest = (Rotation.from_quat(motion.rotations[:, made.of(node)]) for node in ("Spine", "Spine1"))
    truth = Rotation.from_matrix(made.rotations[:, made.of("Spine1")])
    assert np.degrees((spine * chest * truth.inv()).magnitude()).max() < 4
    twists = [np.ptp(turn.as_euler("YXZ", degrees=True)[:, 0]) for turn in (spine, truth)]
    assert twists[0] == pytest.approx(twists[1] / 2, rel=0.15)


def test_a_bent_knee_tells_the_twist_of_the_thigh() -> None:
    made = scene({"LeftUpLeg": np.array([0, 30.0, 0]) + STILL, "LeftLeg": np.array([70.0, 0, 0]) + STILL})
    assert turned_by(solve_armature(made.poses), made, "LeftUpLeg").max() < 3


def test_straight_arms_that_circle_slowly_do_not_flip() -> None:
    frames = 300
    t = np.arange(frames) / 30
    circle = np.stack([0 * t, 55 * np.sin(0.8 * t), 70 * np.cos(0.8 * t)], axis=-1)
    made = scene({"LeftArm": circle, "RightArm": -circle}, frames, noise=0.001)
    motion = solve_armature(made.poses)
    arms = [made.of(name) for name in ("LeftArm", "RightArm", "LeftForeArm", "RightForeArm", "LeftUpLeg", "RightUpLeg")]
    assert steps(motion)[:, arms].max() < 6
    assert (np.linalg.norm(np.diff(motion.rotations, axis=0), axis=-1) < 0.5).all()


def test_bones_keep_their_length_in_noise_and_come_near_the_joints() -> None:
    made = scene(MOVING, noise=0.01)
    motion = solve_armature(made.poses)
    places = motion.places()
    bones = np.linalg.norm(places[:, 1:] - places[:, list(made.plan.parents[1:])], axis=-1)
    assert np.ptp(bones, axis=0).max() < 1e-9
    measured = made.plan.strength[: len(made.plan.nodes)] == 1
    assert np.median(np.linalg.norm(places - made.places, axis=-1)[:, measured]) < 0.012


def broken(poses: Poses3D, joints: list[str], frames: slice) -> Poses3D:
    xyz = poses.xyz.copy()
    xyz[frames, :, [poses.skeleton.index(joint) for joint in joints]] = np.nan
    return replace(poses, xyz=xyz, confidence=None)


def test_a_bone_turns_evenly_where_its_joint_is_missing() -> None:
    swing = np.linspace(0, 60, FRAMES)[:, None] * [0, 0, 1.0]
    made = scene({"LeftArm": swing})
    gone = broken(made.poses, ["left_elbow", "left_wrist", "left_hand"], slice(20, 30))
    motion = solve_armature(gone)
    np.testing.assert_allclose(motion.places()[:, made.of("LeftHand")], made.places[:, made.of("LeftHand")], atol=2e-3)
    assert motion.notes == (
        "joints missing in some of 60 frames, where their bones turn evenly: left_elbow (10), left_wrist (10), "
        "left_hand (10)",
    )


def test_a_person_who_comes_and_goes() -> None:
    made = scene(MOVING)
    joints = list(made.poses.skeleton.joints)
    gone = broken(broken(made.poses, joints, slice(0, 10)), joints, slice(30, 40))
    motion = solve_armature(gone)
    assert motion.seen.sum() == 40
    assert not motion.seen[[0, 9, 30, 39]].any()
    places = motion.places()
    np.testing.assert_allclose(places[0], places[10], atol=1e-9)
    assert np.isfinite(places).all()
    assert steps(motion).max() < 20
    assert "absent in 20 of 60 frames" in motion.notes[0]


def test_joints_that_are_never_seen_are_placed_by_proportion() -> None:
    made = scene(MOVING)
    motion = solve_armature(broken(made.poses, ["left_wrist", "left_hand", "head_top"], slice(None)))
    assert np.isfinite(motion.places()).all()
    forearm = np.linalg.norm(motion.armature.offsets[motion.armature.nodes.index("LeftHand")])
    assert forearm == pytest.approx(0.25, abs=0.01)
    assert "never seen" in motion.notes[-1]


def test_an_upper_body_alone() -> None:
    made = scene(MOVING)
    legs = [
        j for j in made.poses.skeleton.joints if any(p in j for p in ("hip", "knee", "ankle", "foot", "toe", "pelvis"))
    ]
    motion = solve_armature(broken(made.poses, [*legs, "spine", "spine2"], slice(None)))
    places = motion.places()
    arm = made.of("LeftForeArm")
    np.testing.assert_allclose(places[:, arm], made.places[:, arm], atol=0.02)
    assert (places[:, made.of("Hips"), 1] < places[:, made.of("Neck"), 1] - 0.3).all()


def test_nothing_seen_and_no_trunk_are_errors() -> None:
    made = scene(MOVING)
    joints = list(made.poses.skeleton.joints)
    with pytest.raises(ShapeError, match="no joint of person 0"):
        solve_armature(broken(made.poses, joints, slice(None)))
    arms_only = [joint for joint in joints if "elbow" not in joint and "wrist" not in joint]
    with pytest.raises(SkeletonError, match=r"person 0: .*neither both hips nor both shoulders"):
        solve_armature(broken(made.poses, arms_only, slice(None)))


def test_fingers_follow_their_hand() -> None:
    bent = {"LeftHandIndex1": STILL + np.array([0, 0, -40.0]), "LeftHand": STILL + np.array([20.0, 0, 10])}
    made = scene(MOVING | bent, layout="wholebody133")
    places = solve_armature(made.poses).places()
    for node in ("LeftHandIndex3", "LeftHandThumb4", "RightHandPinky4"):
        assert np.median(np.linalg.norm(places - made.places, axis=-1)[:, made.of(node)]) < 0.004, node


@settings(max_examples=15, deadline=None)
@given(
    layout=st.sampled_from(sorted(SKELETONS)),
    seed=st.integers(0, 1000),
    missing=st.floats(0, 0.6),
    frames=st.integers(1, 12),
)
def test_whatever_is_missing_the_motion_is_whole(layout: str, seed: int, missing: float, frames: int) -> None:
    made = scene({name: turn[:frames] for name, turn in MOVING.items()}, frames, layout, noise=0.01)
    xyz = made.poses.xyz.copy()
    gone = np.random.default_rng(seed).random(xyz.shape[:3]) < missing
    xyz[gone] = np.nan
    try:
        motion = solve_armature(replace(made.poses, xyz=xyz, confidence=None))
    except (ShapeError, SkeletonError):
        ever = np.isfinite(xyz[..., 0]).any(axis=(0, 1))
        seen = {joint for joint, there in zip(made.poses.skeleton.joints, ever, strict=True) if there}
        assert not any({f"left_{part}", f"right_{part}"} <= seen for part in ("hip", "shoulder"))
        return
    assert motion.rotations.shape[:2] == (frames, len(motion.armature.nodes))
    np.testing.assert_allclose(np.linalg.norm(motion.rotations, axis=-1), 1, atol=1e-9)
    assert np.isfinite(motion.places()).all()
    assert np.abs(motion.places()).max() < 5

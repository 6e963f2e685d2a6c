"""BVH against pybvh's own forward kinematics, recorded files, and damage."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pybvh
import pytest
from damage import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from walking import walking

from lift3d.errors import FileFormatError, Lift3DError, OutputExistsError, ShapeError
from lift3d.io.bvh_file import BvhFile, BvhJoint, read_bvh_file, write_bvh_file
from lift3d.io.bvh_names import body_names
from lift3d.io.poses_bvh import read_bvh, write_bvh
from lift3d.motion.armature import y_up
from lift3d.motion.inverse_kinematics import solve_armature


def read_by_pybvh(path: Path) -> tuple[pybvh.Bvh, dict[str, np.ndarray]]:
    """The file as pybvh has it, and the places (frames, 3) of its nodes by our names of them."""
    bvh = pybvh.read_bvh_file(path)
    places = bvh.node_positions()
    return bvh, {name: places[:, index] for name, index in bvh.node_index.items()}


ENDS = {"HeadTop_End": "EndSiteHead", "LeftHand_End": "EndSiteLeftHand", "RightToe_End": "EndSiteRightToeBase"}


@pytest.mark.parametrize("space", ["world", "camera"])
def test_pybvh_finds_the_solved_joints(tmp_path: Path, space: str) -> None:
    poses = walking(space=space)
    assert write_bvh(poses, tmp_path / "take.bvh") == [tmp_path / "take.bvh"]
    bvh, places = read_by_pybvh(tmp_path / "take.bvh")
    motion = solve_armature(poses)
    solved = dict(zip(motion.armature.nodes, motion.places().transpose(1, 0, 2), strict=True))
    assert set(bvh.joint_names) == {
        n for n, c in zip(motion.armature.nodes, motion.armature.children, strict=True) if c
    }
    for name in (*bvh.joint_names, *ENDS):
        np.testing.assert_allclose(places[ENDS.get(name, name)], solved[name], atol=1e-5)
    # And these are the joints that went in: Y up, people on their feet.
    source = y_up(poses.xyz[:, 0], space)
    for joint, name in (("left_wrist", "LeftHand"), ("right_ankle", "RightFoot"), ("left_hip", "LeftUpLeg")):
        gaps = np.linalg.norm(places[name] - source[:, poses.skeleton.index(joint)], axis=-1)
        assert np.median(gaps) < 0.003, name
    assert bvh.fps == pytest.approx(25)
    assert bvh.world_up == "+y"
    assert (places["Head"][:, 1] > places["LeftFoot"][:, 1] + 1).all()


def test_curves_of_two_whole_turns_do_not_jump(tmp_path: Path) -> None:
    write_bvh(walking(), tmp_path / "take.bvh")
    table = read_bvh_file(tmp_path / "take.bvh").table
    steps = np.abs(np.diff(table[:, 3:], axis=0))
    assert steps.max() < 25
    yaw = table[:, 3]
    assert abs(yaw[-1] - yaw[0]) == pytest.approx(720, abs=15)


def test_written_files_come_back(tmp_path: Path) -> None:
    poses = walking()
    write_bvh(poses, tmp_path / "take.bvh")
    back = read_bvh(tmp_path / "take.bvh")
    assert back.fps == 25
    assert back.space == "world"
    for joint in ("left_shoulder", "right_elbow", "left_wrist", "right_knee", "left_ankle"):
        a, b = (p.xyz[:, 0, p.skeleton.index(joint)] for p in (back, poses))
        assert np.median(np.linalg.norm(a - b, axis=-1)) < 0.003, joint
    assert {"pelvis", "neck", "head", "head_top"} <= set(back.skeleton.joints)
    assert "in metres" in back.provenance["steps"][0]
    assert {"pelvis": "left_hip", "left_hip": "left_knee"}.items() <= {
        back.skeleton.joints[p]: back.skeleton.joints[c]
        for p, c in back.skeleton.bones
        if "left" in back.skeleton.joints[c]
    }.items()


def test_each_person_has_a_file_of_the_whole_clip(tmp_path: Path) -> None:
    poses = walking(people=3)
    xyz = poses.xyz.copy()
    xyz[:10, 1] = xyz[20:25, 1] = np.nan
    xyz[:, 2] = np.nan
    said: list[str] = []
    written = write_bvh(replace(poses, xyz=xyz, confidence=None), tmp_path / "take.bvh", say=said.append)
    assert [path.name for path in written] == ["take_id4.bvh", "take_id5.bvh"]
    _, places = read_by_pybvh(written[1])
    assert len(places["Hips"]) == poses.frames
    np.testing.assert_allclose(places["LeftHand"][:10], np.broadcast_to(places["LeftHand"][10], (10, 3)), atol=1e-5)
    assert "nan" not in written[1].read_text().lower()
    assert said == ["person 5: absent in 15 of 50 frames, which hold or join the poses around",
                    "person 6: never seen, and not written"]  # fmt: skip


def test_what_makes_no_bvh(tmp_path: Path) -> None:
    poses = walking()
    with pytest.raises(ShapeError, match="frame rate"):
        write_bvh(replace(poses, fps=None), tmp_path / "a.bvh")
    with pytest.raises(ShapeError, match="no joint of any person"):
        write_bvh(replace(poses, xyz=np.full_like(poses.xyz, np.nan), confidence=None), tmp_path / "a.bvh")
    (tmp_path / "a.bvh").write_text("mine")
    with pytest.raises(OutputExistsError):
        write_bvh(poses, tmp_path / "a.bvh")
    assert (tmp_path / "a.bvh").read_text() == "mine"


RANDOM = BvhFile(
    (
        BvhJoint(
            "Hips", -1, np.zeros(3), ("Xposition", "Yposition", "Zposition", "Zrotation", "Xrotation", "Yrotation")
        ),
        BvhJoint("Leg", 0, np.array([1.0, -40, 2]), ("Yrotation", "Zrotation", "Xrotation")),
        BvhJoint("Leg_end", 1, np.array([0, -45.0, 3])),
        BvhJoint("Arm", 0, np.array([20.0, 50, 0]), ("Xrotation", "Yrotation", "Zrotation")),
        BvhJoint("Arm_end", 3, np.array([30.0, 0, 1])),
    ),
    1 / 30,
    np.random.default_rng(1).uniform(-170, 170, (20, 12)),
)


def test_kinematics_of_any_order_are_pybvhs(tmp_path: Path) -> None:
    write_bvh_file(RANDOM, tmp_path / "a.bvh")
    _, places = read_by_pybvh(tmp_path / "a.bvh")
    ours = read_bvh_file(tmp_path / "a.bvh").places()
    np.testing.assert_allclose(ours, np.stack([*places.values()], axis=1), atol=1e-4)


@pytest.mark.parametrize(
    ("scale", "unit"), [(1, "metres"), (100, "centimetres"), (1000, "millimetres"), (0.45 / 0.0254, "CMU")]
)
def test_the_unit_is_found_by_the_body(tmp_path: Path, scale: float, unit: str) -> None:
    write_bvh(walking(), tmp_path / "take.bvh")
    file = read_bvh_file(tmp_path / "take.bvh")
    file.table[:, :3] *= scale
    for joint in file.joints:
        joint.offset *= scale
    write_bvh_file(file, tmp_path / "scaled.bvh")
    scaled = read_bvh(tmp_path / "scaled.bvh")
    np.testing.assert_allclose(scaled.xyz, read_bvh(tmp_path / "take.bvh").xyz, atol=1e-4)
    assert unit in scaled.provenance["steps"][0]
    given_unit = read_bvh(tmp_path / "scaled.bvh", unit=2 / scale)
    np.testing.assert_allclose(given_unit.xyz, 2 * scaled.xyz, rtol=1e-5)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("Hips LeftUpLeg LeftLeg LeftShoulder LeftArm", "root left_hip left_knee left_clavicle left_shoulder"),
        ("Hips LeftHip LeftKnee LeftCollar LeftShoulder", "root left_hip left_knee left_clavicle left_shoulder"),
        ("Hips LeftShoulder LeftElbow", "root left_shoulder left_elbow"),
        ("hip rThigh rShin rCollar rShldr", "root right_hip right_knee right_clavicle right_shoulder"),
        ("mixamorig:Hips mixamorig:RightForeArm thigh.L tail", "root right_elbow left_hip tail"),
    ],
)
def test_names_of_many_programs(names: str, expected: str) -> None:
    assert body_names(names.split()) == expected.split()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "TREE", "not a BVH"),
        ("MOTION", "", "no MOTION"),
        ("Frames: 20", "Frames: 21", "cut off"),
        ("Frame Time: 0.03", "Frame Time: -0.03", "make no motion"),
        ("OFFSET 1.0", "OFFSET one", "expected numbers"),
        ("OFFSET 1.000000", "OFFSET inf", "not finite"),
        ("Zrotation Xrotation Yrotation", "Wrotation Xrotation Yrotation", "unknown channels"),
        ("CHANNELS 6", "CHANNELS 99", "up to 6"),
        ("JOINT Leg", "ROOT Leg", "one ROOT"),
        ("JOINT Leg\n\t{", "JOINT Leg\n\t", "does not belong"),
        ("}\nMOTION", "MOTION", "not closed"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    write_bvh_file(RANDOM, tmp_path / "a.bvh")
    text = (tmp_path / "a.bvh").read_text()
    assert old in text
    (tmp_path / "a.bvh").write_text(text.replace(old, new, 1))
    with pytest.raises(FileFormatError, match=message):
        read_bvh(tmp_path / "a.bvh")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_poses_or_a_named_error(tmp_path: Path, data: st.DataObject) -> None:
    write_bvh_file(RANDOM, tmp_path / "whole.bvh")
    (tmp_path / "a.bvh").write_bytes(data.draw(damaged((tmp_path / "whole.bvh").read_bytes())))
    try:
        poses = read_bvh(tmp_path / "a.bvh")
    except Lift3DError:
        return
    assert np.isfinite(poses.xyz).all()

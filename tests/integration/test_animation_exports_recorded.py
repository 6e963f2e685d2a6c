"""BVH and glTF of recorded people: how near the bones come to the joints, and others' BVH files."""

from pathlib import Path

import h5py
import numpy as np
import pybvh
import pytest

import lift3d
from lift3d.io.poses_bvh import read_bvh, write_bvh
from lift3d.motion.armature import y_up
from lift3d.motion.inverse_kinematics import solve_armature
from lift3d.poses import Poses3D

DEMO = Path(lift3d.__file__).parent / "demo" / "balancing.h5"
NODES = {"Arm": "shoulder", "ForeArm": "elbow", "Hand": "wrist", "UpLeg": "hip", "Leg": "knee", "Foot": "ankle"}


def mocap(shared_data: Path, clip: str) -> np.ndarray:
    with h5py.File(shared_data / "mocap" / "cmu.h5") as file:
        return np.asarray(file[clip]["positions"])


def check_export(poses: Poses3D, path: Path, nearest: float, steepest: float) -> None:
    """pybvh's joints are the solved ones, their bones do not change, and they lie within ``nearest`` of the source."""
    written = write_bvh(poses, path)
    for person, file in enumerate(written):
        bvh = pybvh.read_bvh_file(file)
        places = dict(zip(bvh.node_index, bvh.node_positions().transpose(1, 0, 2), strict=True))
        motion = solve_armature(poses, person)
        solved = dict(zip(motion.armature.nodes, motion.places().transpose(1, 0, 2), strict=True))
        source = y_up(poses.xyz[:, person], poses.space)
        gaps = []
        for name in bvh.joint_names:
            np.testing.assert_allclose(places[name], solved[name], atol=1e-4)
            side, part = name[:4].replace("Righ", "Right"), name.removeprefix("Left").removeprefix("Right")
            if part in NODES and part != name:
                gaps.append(places[name] - source[:, poses.skeleton.index(f"{side.lower()}_{NODES[part]}")])
        parents = [list(bvh.node_index)[bvh.nodes.index(node.parent)] for node in bvh.nodes[1:]]
        bones = [
            np.linalg.norm(places[n] - places[p], axis=-1) for n, p in zip([*bvh.node_index][1:], parents, strict=True)
        ]
        assert np.ptp(bones, axis=1).max() < 1e-4
        assert len(gaps) == 12
        assert np.nanmedian(np.linalg.norm(gaps, axis=-1)) < nearest
        assert np.degrees(np.abs(np.diff(bvh.joint_angles, axis=0))).max() < steepest


def test_the_lifted_demo(tmp_path: Path) -> None:
    check_export(lift3d.lift(lift3d.read_keypoints(DEMO)), tmp_path / "lifted.bvh", 0.012, 45)


@pytest.mark.parametrize("clip", ["05_01", "49_01", "135_04"])
def test_motion_capture(tmp_path: Path, shared_data: Path, clip: str) -> None:
    poses = Poses3D(xyz=mocap(shared_data, clip)[:, None], skeleton="cmu25", fps=60.0)
    check_export(poses, tmp_path / "take.bvh", 0.003, 45)


def test_two_people_of_whom_one_comes_and_goes(tmp_path: Path, shared_data: Path) -> None:
    first, second = (mocap(shared_data, clip)[:150] for clip in ("49_01", "135_04"))
    second = second + np.float32([1.2, 0, 0])
    second[:30] = second[80:100] = np.nan
    poses = Poses3D(xyz=np.stack([first, second], axis=1), skeleton="cmu25", fps=60.0, track_ids=(2, 7))
    check_export(poses, tmp_path / "two.bvh", 0.003, 45)


def test_a_file_of_the_motionbuilder_release(shared_data: Path) -> None:
    path = shared_data / "mocap" / "raw" / "cmu_09_03_motionbuilder.bvh"
    poses = read_bvh(path)
    bvh = pybvh.read_bvh_file(path)
    theirs = dict(zip(bvh.node_index, bvh.node_positions().transpose(1, 0, 2) * (0.0254 / 0.45), strict=True))
    ours = y_up(poses.xyz[:, 0], "world")
    for joint, name in (
        ("root", "Hips"),
        ("left_wrist", "LeftHand"),
        ("right_toe_base", "RightToeBase"),
        ("head", "Head"),
    ):
        np.testing.assert_allclose(ours[:, poses.skeleton.index(joint)], theirs[name], atol=1e-4)
    assert poses.fps == 120
    assert 0.8 < np.median(poses.xyz[:, 0, 0, 2]) < 1.1
    steps = " ".join(poses.provenance["steps"])
    assert "CMU's motion capture" in steps
    assert "thorax and wrist" in steps
    assert not {"Neck", "LHipJoint", "left_clavicle"} & set(poses.skeleton.joints)


def test_a_file_with_positions_on_every_joint(shared_data: Path) -> None:
    poses = read_bvh(shared_data / "mocap" / "raw" / "reactidle_003_genuine.bvh")
    with h5py.File(shared_data / "mocap" / "reactidle.h5") as file:
        clip = file["003_genuine"]
        names, stored = [name.decode() for name in clip.attrs["joints"]], np.asarray(clip["positions"])
    for joint, stored_name in (("left_knee", "l_knee"), ("right_elbow", "r_elbow"), ("left_wrist", "l_wrist")):
        place = poses.xyz[: len(stored), 0, poses.skeleton.index(joint)]
        np.testing.assert_allclose(place, stored[: len(place), names.index(stored_name)], atol=5e-4)
    assert poses.fps == 24
    assert "in metres" in poses.provenance["steps"][0]

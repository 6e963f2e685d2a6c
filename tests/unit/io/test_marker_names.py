"""Marker names of other programs."""

from pathlib import Path

import numpy as np
import pytest

from lift3d.errors import Lift3DError, SkeletonError
from lift3d.io.marker_names import OPENSIM, rename_markers
from lift3d.io.poses3d import read_poses, write_poses
from lift3d.joint_names import custom_skeleton
from lift3d.poses import Poses3D
from lift3d.skeletons import BODY25B, H36M17, SKELETONS, Skeleton

# The header line of Pose2Sim's Balancing_for_IK.trc, which its OpenSim set-up reads.
POSE2SIM = [
    "RHip", "RKnee", "RAnkle", "RBigToe", "RSmallToe", "RHeel", "LHip", "LKnee", "LAnkle", "LBigToe", "LSmallToe",
    "LHeel", "Neck", "Head", "Nose", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist",
]  # fmt: skip


def still(skeleton: Skeleton) -> Poses3D:
    return Poses3D(np.ones((2, 1, len(skeleton), 3)), skeleton=skeleton, fps=30)


def test_all_markers_of_pose2sim_have_a_joint() -> None:
    assert set(POSE2SIM) <= set(rename_markers(still(BODY25B), "opensim").skeleton.joints)


def test_the_reference_recording_names_them_so(shared_data: Path) -> None:
    path = shared_data / "multiview" / "pose2sim_demo" / "single_balancing" / "reference" / "Balancing_for_IK.trc"
    assert path.read_text().splitlines()[3].split()[2:] == POSE2SIM


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
def test_every_layout_can_be_renamed_and_keeps_its_order(skeleton: Skeleton) -> None:
    renamed = rename_markers(still(skeleton), "opensim").skeleton
    assert renamed.parents == skeleton.parents
    for new, old in zip(renamed.joints, skeleton.joints, strict=True):
        both = old == "upper_neck" and "thorax" in skeleton.joints
        assert new == (old if both else OPENSIM.get(old, old))
        if old.startswith(("left_", "right_")):
            assert new[0] in (old[0], old[0].upper())


@pytest.mark.parametrize("ending", ["trc", "c3d"])
def test_names_in_files(tmp_path: Path, ending: str) -> None:
    write_poses(rename_markers(still(H36M17), "opensim"), tmp_path / f"a.{ending}")
    assert b"RBigToe" not in (tmp_path / f"a.{ending}").read_bytes()
    assert b"RKnee" in (tmp_path / f"a.{ending}").read_bytes()
    joints = read_poses(tmp_path / f"a.{ending}").skeleton.joints
    assert {"right_knee", "left_wrist", "neck"} <= set(joints)


def test_what_cannot_be_renamed() -> None:
    with pytest.raises(SkeletonError, match="Neck"):
        rename_markers(still(custom_skeleton(["neck", "thorax"])), "opensim")
    with pytest.raises(Lift3DError, match="opensim"):
        rename_markers(still(H36M17), "vicon")

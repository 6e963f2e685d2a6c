"""Angles of recorded motion: the four-camera demo against its reference, and motion capture against what bodies do."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import lift3d
from lift3d.motion import angle_sigma, angular_velocity, filter_poses, footskate, ground_contacts, joint_angles
from lift3d.multiview.gather import gather_views
from lift3d.multiview.triangulate import prepare_views, triangulate_views
from lift3d.poses import Poses3D
from lift3d.skeletons import CMU25


def mocap(path: Path, clip: str) -> Poses3D:
    """A clip of motion capture in CMU's layout."""
    with h5py.File(path) as file:
        names = [name.decode() for name in file[clip].attrs["joints"]]
        points, fps = file[clip]["positions"][:], float(file[clip].attrs["fps"])
    own = {"root": "pelvis", "skull": "head", "head_end": "head_top"}
    order = [names.index(own.get(j, j.replace("left_", "l_").replace("right_", "r_"))) for j in CMU25.joints]
    return Poses3D(points[:, None, order], skeleton=CMU25, fps=fps)


def test_demo_against_its_reference(shared_data: Path) -> None:
    """Other keypoints of the same videos: alike where the hips, which the two place differently, play no part."""
    demo = shared_data / "multiview" / "pose2sim_demo"
    rig = lift3d.read_rig(demo / "calibration" / "Calib.qca.txt")
    folders = sorted((demo / "single_balancing" / "pose").iterdir())
    views = prepare_views(gather_views([lift3d.read_keypoints(folder, fps=60) for folder in folders], rig))
    poses = filter_poses(triangulate_views(views), "butterworth", cutoff=6.0)
    reference = lift3d.read_poses(demo / "single_balancing" / "reference" / "Balancing_for_IK.trc")
    # Pose2Sim calls the upper neck and the top of the head so.
    renamed = {"neck": "upper_neck", "head": "head_top"}
    joints = tuple(renamed.get(joint, joint) for joint in reference.skeleton.joints)
    reference = replace(reference, skeleton=replace(reference.skeleton, joints=joints))
    own, theirs = joint_angles(poses), joint_angles(reference)
    assert set(own.missing) == {"trunk_flexion"}
    for limit, names in (
        (2, ("trunk_lean", "neck_flexion", "left_shoulder_elevation", "left_shoulder_abduction")),
        (5, ("right_shoulder_elevation", "right_shoulder_abduction", "left_ankle_dorsiflexion", "left_elbow_flexion")),
        (11, ("left_knee_flexion", "right_knee_flexion", "right_elbow_flexion", "left_shoulder_rotation")),
        (25, ("left_hip_rotation", "right_hip_rotation", "trunk_rotation", "left_hip_flexion")),
    ):
        for name in names:
            apart = np.abs(own[name] - theirs[name])
            assert np.nanmedian(apart) < limit, name
    # The stated errors cover the distances, the hips' included.
    sigma = angle_sigma(poses)
    had = [index for index, name in enumerate(own.names) if name not in own.missing]
    ratio = np.nanmedian((np.abs(own.values - theirs.values) / sigma)[..., had], axis=(0, 1))
    assert ratio.max() < 2
    assert 0.3 < np.median(ratio) < 1


@pytest.fixture(scope="module")
def walk(shared_data: Path) -> Poses3D:
    return mocap(shared_data / "mocap" / "cmu.h5", "05_01")


def test_walking(walk: Poses3D) -> None:
    angles = joint_angles(walk)
    for side in ("left", "right"):
        knee, hip = angles[f"{side}_knee_flexion"], angles[f"{side}_hip_flexion"]
        assert -5 < knee.min() < 15
        assert 55 < knee.max() < 72
        assert -32 < hip.min() < -15
        assert 22 < hip.max() < 40
    # Arms and legs swing against each other, and left against right.
    assert np.corrcoef(angles["left_hip_flexion"][:, 0], angles["right_hip_flexion"][:, 0])[0, 1] < -0.6
    assert np.corrcoef(angles["left_hip_flexion"][:, 0], angles["left_shoulder_flexion"][:, 0])[0, 1] < -0.3
    assert np.median(angles["trunk_lean"]) < 6
    assert np.nanmax(np.abs(angular_velocity(angles)[..., angles.names.index("left_knee_flexion")])) < 600


def test_steps(walk: Poses3D) -> None:
    contacts = ground_contacts(walk)
    on = contacts.on[:, 0]
    # From the first to the last whole step; textbooks have a foot on the ground for 60 to 62 % of the time.
    for foot in (0, 1):
        starts = np.flatnonzero(on[1:, foot] & ~on[:-1, foot])
        assert len(starts) >= 3
        assert 0.57 < on[starts[0] : starts[-1], foot].mean() < 0.68
    assert on.any(axis=1).all()
    assert footskate(walk).slide[0] < 3


def test_squats(shared_data: Path) -> None:
    angles = joint_angles(mocap(shared_data / "mocap" / "hdm05.h5", "hdm05_tr_squat1Reps_052"))
    for side in ("left", "right"):
        knee = angles[f"{side}_knee_flexion"][:, 0]
        assert 110 < knee.max() < 150
        assert knee[[0, -1]].max() < 40
    assert 25 < angles["trunk_lean"].max() < 50

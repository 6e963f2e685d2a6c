"""Comparing poses: joints, roots, people, frames and spaces that differ, and what the report says of it."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lift3d.errors import ShapeError, SkeletonError
from lift3d.evaluation import evaluate
from lift3d.geometry.cameras import Camera
from lift3d.joint_names import custom_skeleton
from lift3d.poses import Poses3D


def walk(people: int = 1, frames: int = 40, fps: float | None = 50, skeleton: str = "h36m17", **fields: Any) -> Poses3D:
    """Smooth motion, the people two metres apart."""
    rng = np.random.default_rng(7)
    time = np.arange(frames)[:, None, None, None] / 50
    rest = rng.normal(size=(1, people, 17, 3)) * 0.4 + 2 * np.arange(people)[None, :, None, None]
    swing = rng.normal(size=(1, people, 17, 3)) * 0.1
    return Poses3D(rest + swing * np.sin(2 * time), skeleton=skeleton, fps=fps, **fields)


def noisy(poses: Poses3D, sigma: float = 0.02) -> Poses3D:
    return replace(poses, xyz=poses.xyz + np.random.default_rng(8).normal(size=poses.xyz.shape) * sigma)


def test_the_same_poses() -> None:
    report = evaluate(walk(), walk())
    assert max(report.mpjpe, report.p_mpjpe, report.n_mpjpe, report.mpjve) < 1e-9
    assert report.pck_3d == 100
    assert report.auc_3d == pytest.approx(100 * 30 / 31)
    assert (report.frames, report.poses, report.compared, report.fps) == (40, 40, 680, 50)
    assert report.root == "pelvis"
    assert not report.notes


def test_one_joint_off_shows_in_the_table() -> None:
    truth = walk()
    xyz = truth.xyz.copy()
    xyz[..., truth.skeleton.index("left_wrist"), 2] += 0.17
    report = evaluate(replace(truth, xyz=xyz), truth)
    assert report.mpjpe == pytest.approx(10, abs=1e-3)
    assert report.per_joint["left_wrist"][0] == pytest.approx(170, abs=1e-2)
    assert report.per_joint["nose"][0] == pytest.approx(0, abs=1e-2)
    assert report.pck_3d == pytest.approx(100 * 16 / 17)
    assert "left_wrist" in report.describe()
    only = evaluate(replace(truth, xyz=xyz), truth, joints=["left_wrist", "nose"])
    assert only.mpjpe == pytest.approx(85, abs=1e-2)
    assert only.joints == ("left_wrist", "nose")


def test_layouts_meet_in_their_common_joints() -> None:
    truth = walk()
    prediction, _ = truth.convert(custom_skeleton(["left_hip", "right_hip", "nose", "left_knee"]))
    prediction = replace(prediction, skeleton=custom_skeleton(["left_hip", "right_hip", "nose", "tail"]))
    report = evaluate(prediction, truth)
    assert report.joints == ("left_hip", "right_hip", "nose")
    assert report.root == "middle of the hips"
    assert report.mpjpe < 1e-3
    assert report.joints_left_out[0] == ("tail",)
    assert "only in the prediction: tail" in report.describe()
    with pytest.raises(SkeletonError, match="no joint name in common"):
        evaluate(replace(truth, skeleton=custom_skeleton([f"j{k}" for k in range(17)])), truth)
    with pytest.raises(SkeletonError, match="not a joint of both: tail"):
        evaluate(prediction, truth, joints=["tail"])


def test_without_a_root_positions_are_compared() -> None:
    animal = custom_skeleton(["nose", "tail"])
    truth = Poses3D(np.zeros((3, 1, 2, 3)), skeleton=animal, fps=10)
    report = evaluate(replace(truth, xyz=truth.xyz + 0.1), truth)
    assert report.mpjpe == pytest.approx(100 * np.sqrt(3), rel=1e-5)
    assert report.root == "none"
    assert "no root" in report.describe()


def test_people_in_another_order() -> None:
    truth = walk(people=3)
    prediction = noisy(truth.select(people=[2, 0, 1]))
    prediction = replace(prediction, track_ids=(0, 1, 2))
    report = evaluate(prediction, truth)
    assert set(report.people) == {(0, 2), (1, 0), (2, 1)}
    assert report.mpjpe < 80
    by_id = evaluate(prediction, truth, match_people="id")
    assert by_id.mpjpe > 300
    assert by_id.people_matched_by == "track id"
    with pytest.raises(ShapeError, match="no track id"):
        evaluate(replace(prediction, track_ids=(7, 8, 9)), truth, match_people="id")


def test_people_that_are_missing_are_counted() -> None:
    report = evaluate(noisy(walk(people=3).select(people=[1])), walk(people=3))
    assert report.people == ((1, 1),)
    assert report.left_out["true people without a match"] == 2
    assert "2 true people" in report.describe()


def test_missing_joints_are_counted_on_each_side() -> None:
    truth = walk()
    ours, theirs = truth.xyz.copy(), truth.xyz.copy()
    ours[:10, 0, 5] = np.nan
    theirs[5:10, 0, 5] = np.nan
    theirs[20, 0, 0] = np.nan
    report = evaluate(replace(truth, xyz=ours), replace(truth, xyz=theirs))
    assert report.left_out["joints missing in the prediction only"] == 5
    assert report.left_out["joints missing in the truth"] == 5 + 17
    assert report.compared == 40 * 17 - 10 - 17
    assert report.poses == 39


def test_another_frame_rate_is_resampled_and_said() -> None:
    truth = walk(frames=41)
    prediction = truth.select(slice(None, None, 2))
    report = evaluate(prediction, truth)
    assert report.frames == 41
    assert report.fps == 50
    assert report.mpjpe < 1
    assert "resampled from 25 to 50" in report.describe()
    assert evaluate(truth, prediction).mpjpe < 1e-3


def test_other_lengths_and_unknown_rates_are_said() -> None:
    report = evaluate(walk(frames=30, fps=None), walk(frames=40))
    assert report.frames == 30
    assert "30 frames predicted, 40 true" in report.describe()
    assert "rates is unknown" in report.describe()
    with pytest.raises(ShapeError, match="nothing to compare"):
        evaluate(walk(frames=0), walk())


def test_camera_space_against_world_space() -> None:
    truth = walk(people=2)
    camera = Camera(np.eye(3), R=Rotation.from_euler("xyz", [1, 2, 3]).as_matrix(), t=[1, 2, 8], name="cam1")
    seen = replace(truth, xyz=truth.xyz @ camera.R.T + camera.t, space="camera")
    exact = evaluate(noisy(seen), truth, camera)
    plain = evaluate(noisy(truth), truth)
    assert exact.mpjpe == pytest.approx(plain.mpjpe, rel=0.02)
    assert not exact.rotated
    assert "'cam1'" in exact.describe()

    turned = evaluate(noisy(seen), truth)
    assert turned.rotated
    assert "no camera was given" in turned.describe()
    assert "one best rotation" in turned.describe()
    assert turned.mpjpe == pytest.approx(exact.mpjpe, rel=0.05)
    assert turned.p_mpjpe == pytest.approx(exact.p_mpjpe, rel=1e-6)
    # One rotation for all frames does not hide a body that turns when it should not.
    spin = Rotation.from_rotvec(np.linspace(0, 2, seen.frames)[:, None] * [0, 0, 1]).as_matrix()[:, None]
    assert evaluate(replace(seen, xyz=seen.xyz @ spin.mT), truth).mpjpe > 100


def test_the_report_as_json_values() -> None:
    report = evaluate(noisy(walk(frames=1)), walk(frames=1))
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["mpjve"] is None
    assert values["mpjpe"] == pytest.approx(report.mpjpe)
    assert values["per_joint"]["nose"]["p_mpjpe"] == pytest.approx(report.per_joint["nose"][1])
    assert values["people"] == [{"prediction": 0, "truth": 0}]


def test_unknown_way_of_matching() -> None:
    with pytest.raises(ShapeError, match="match_people"):
        evaluate(walk(), walk(), match_people="name")

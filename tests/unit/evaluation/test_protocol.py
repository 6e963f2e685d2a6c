"""Checkpoints on prepared sets: a network that tells the truth, and errors that are put into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flat_people import FlatLifter, figure, recording, write_set

from lift3d.errors import FileFormatError, Lift3DError, SkeletonError
from lift3d.evaluation.data_set_report import DataSetReport
from lift3d.evaluation.metrics import n_mpjpe, p_mpjpe
from lift3d.evaluation.protocol import Evaluation, evaluate_checkpoint
from lift3d.skeletons import H36M17


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Two people; "Walk" is long, "Sit" short and of smaller people."""
    return write_set(
        tmp_path / "people.h5",
        [
            recording("S9/Walk", 80, seed=1),
            recording("S9/Sit", 20, seed=2, size=0.5),
            recording("S11/Walk", 60, seed=3),
            recording("S11/Sit 1", 10, seed=4, size=0.5),
        ],
    )


def run(monkeypatch: pytest.MonkeyPatch, path: Path, lifter: FlatLifter, *args: Any, **options: Any) -> Evaluation:
    monkeypatch.setattr("lift3d.evaluation.clip_lifting.load_checkpoint", lifter)
    return evaluate_checkpoint("flat", path, *args, **options)


def relative(frames: int, seed: int, size: float = 1.0) -> np.ndarray:
    points = figure(frames, seed, size)
    return points - points[:, :1]


def offset(joint: str, *metres: float) -> np.ndarray:
    values = np.zeros((17, 3))
    values[H36M17.index(joint)] = metres
    return values


def test_the_truth_has_no_error(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    report = run(monkeypatch, people, FlatLifter()).report
    for figures in (report.mean_of_actions, report.mean_of_frames):
        assert figures.mpjpe == pytest.approx(0, abs=0.01)
        assert figures.p_mpjpe == pytest.approx(0, abs=0.01)
        assert figures.mpjve == pytest.approx(0, abs=0.01)
        assert figures.pck_3d == 100
        assert figures.auc_3d == pytest.approx(100 * 30 / 31)
        assert np.isnan(figures.root)
    assert (report.frames, report.clips, report.compared) == (170, 4, 170 * 17)
    assert report.subjects == ("S9", "S11")
    assert report.fps == (50,)


def test_a_joint_that_is_off(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    # 120 mm along y at the top of the head of every frame: below 150 mm and constant in time.
    report = run(monkeypatch, people, FlatLifter(offset=offset("head_top", 0, 0.12, 0))).report
    assert report.mean_of_frames.mpjpe == pytest.approx(120 / 17, rel=1e-3)
    assert report.per_joint["head_top"][0] == pytest.approx(120, rel=1e-3)
    assert report.per_joint["nose"][0] == pytest.approx(0, abs=0.01)
    assert report.mean_of_frames.mpjve == pytest.approx(0, abs=0.01)
    assert report.mean_of_frames.pck_3d == 100
    # Thresholds 0, 5, ..., 150 hold 16 of 17 joints from 5 mm on, and the head from 125 mm on.
    assert report.mean_of_frames.auc_3d == pytest.approx(100 * (30 * 16 + 6) / (31 * 17), rel=1e-3)
    truth = np.concatenate([relative(80, 1), relative(20, 2, 0.5), relative(60, 3), relative(10, 4, 0.5)])
    moved = truth + offset("head_top", 0, 0.12, 0)
    assert report.mean_of_frames.p_mpjpe == pytest.approx(p_mpjpe(moved, truth), rel=1e-3)
    assert report.mean_of_frames.n_mpjpe == pytest.approx(n_mpjpe(moved, truth), rel=1e-3)


def test_two_averages_differ_where_actions_differ(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    report = run(monkeypatch, people, FlatLifter(scale=1.1)).report
    errors = {
        "Walk": np.concatenate([relative(80, 1), relative(60, 3)]),
        "Sit": np.concatenate([relative(20, 2, 0.5), relative(10, 4, 0.5)]),
    }
    by_action = {name: 100 * np.linalg.norm(points, axis=-1).mean() for name, points in errors.items()}
    for name, expected in by_action.items():
        assert report.actions[name].figures.mpjpe == pytest.approx(expected, rel=1e-3)
        assert report.actions[name].figures.n_mpjpe == pytest.approx(0, abs=0.01)
    assert list(report.actions) == ["Walk", "Sit"]
    assert report.actions["Sit"].frames == 30
    assert report.mean_of_actions.mpjpe == pytest.approx(np.mean(list(by_action.values())), rel=1e-3)
    assert report.mean_of_frames.mpjpe == pytest.approx(
        (140 * by_action["Walk"] + 30 * by_action["Sit"]) / 170, rel=1e-3
    )
    assert report.mean_of_frames.mpjpe > report.mean_of_actions.mpjpe + 5


def test_velocity_is_a_frame_at_the_sets_rate(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    report = run(monkeypatch, people, FlatLifter(scale=2.0), ["S9"], ["Walk"]).report
    expected = 1000 * np.linalg.norm(np.diff(relative(80, 1), axis=0), axis=-1).mean()
    assert report.mean_of_frames.mpjve == pytest.approx(expected, rel=1e-3)


def test_flip_cancels_what_is_the_same_way_round_in_the_mirror(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    sideways = FlatLifter(offset=offset("head_top", 0.1, 0, 0))
    assert run(monkeypatch, people, sideways).report.mean_of_frames.mpjpe == pytest.approx(0, abs=0.01)
    report = run(monkeypatch, people, sideways, flip=False).report
    assert report.mean_of_frames.mpjpe == pytest.approx(100 / 17, rel=1e-3)
    assert "flip augmentation off" in report.describe()
    # One side's error is shared by both.
    wrist = run(monkeypatch, people, FlatLifter(offset=offset("left_wrist", 0, 0.1, 0))).report.per_joint
    assert wrist["left_wrist"][0] == pytest.approx(50, rel=1e-3)
    assert wrist["right_wrist"][0] == pytest.approx(50, rel=1e-3)


@pytest.mark.parametrize(("rules", "expected"), [("plain", 16 * 80 / 17), ("videopose3d", 80 / 17)])
def test_the_predicted_root(monkeypatch: pytest.MonkeyPatch, people: Path, rules: str, expected: float) -> None:
    # The root alone is 80 mm off: subtracted, all others are; kept, only itself.
    report = run(monkeypatch, people, FlatLifter(offset=offset("pelvis", 0, 0.08, 0)), rules=rules).report
    assert report.mean_of_frames.mpjpe == pytest.approx(expected, rel=1e-3)
    assert report.rules.name == rules


@pytest.mark.parametrize("scale", ["best", "truth", "height"])
def test_scales_that_come_from_the_truth(monkeypatch: pytest.MonkeyPatch, people: Path, scale: str) -> None:
    lifter = FlatLifter(scale=1.25, height=1.25 * 1.7)
    report = run(monkeypatch, people, lifter, ["S9"], ["Walk"], scale=scale).report
    if scale == "height":
        # The figure's own stature, ankle to top of the head over 0.955, is not 1.70 m but constant.
        figures = run(monkeypatch, people, FlatLifter(scale=1.0, height=1.7), ["S9"], ["Walk"], scale=scale).report
        assert report.mean_of_frames.mpjpe == pytest.approx(figures.mean_of_frames.mpjpe, rel=1e-3)
        assert report.mean_of_frames.mpjpe < 30
    else:
        assert report.mean_of_frames.mpjpe == pytest.approx(0, abs=0.02)
    assert report.scale == scale
    assert run(monkeypatch, people, lifter, ["S9"], ["Walk"]).report.mean_of_frames.mpjpe > 50


def test_motionberts_rules_leave_out_three_clips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    takes = ("S9/Greeting", "S9/Greeting 1", "S9/SittingDown", "S9/Waiting 1", "S9/Waiting", "S11/Greeting")
    path = write_set(
        tmp_path / "h36m.h5",
        [recording(name, 20, seed) for seed, name in enumerate(takes)],
        name="human36m",
        rules="VideoPose3D",
        exclusions=("S11 'Directions' is left out",),
    )
    report = run(monkeypatch, path, FlatLifter(scale=1.3), rules="motionbert").report
    assert report.frames == 60
    assert report.excluded == {"S9/Greeting": 20, "S9/SittingDown": 20, "S9/Waiting 1": 20}
    assert set(report.actions) == {"Greeting", "Waiting"}
    assert report.actions["Greeting"].clips == 2
    assert report.scale == "truth"
    assert report.mean_of_actions.mpjpe == pytest.approx(0, abs=0.02)
    assert len(report.exclusions) == 4
    text = report.describe()
    for words in ("MotionBERT", "S9/Waiting 1 is left out", "S11 'Directions'", "one factor a frame"):
        assert words in text
    # Without being asked, the set's own rules.
    own = run(monkeypatch, path, FlatLifter(scale=1.3)).report
    assert (own.rules.name, own.scale, own.frames) == ("videopose3d", "none", 120)
    assert own.mean_of_actions.mpjpe > 50


def test_joints_missing_in_the_truth_and_whole_actions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole, part, none = (recording(f"S1/{name}", 20, k) for k, name in enumerate(("Walk", "Sit", "Jump")))
    part.xyz[:5, H36M17.index("left_wrist")] = np.nan
    none.xyz[:] = np.nan
    path = write_set(tmp_path / "set.h5", [whole, part, none])
    report = run(monkeypatch, path, FlatLifter(offset=offset("head_top", 0, 0.1, 0))).report
    assert report.missing == (5 + 20 * 17, 0)
    assert report.compared == 40 * 17 - 5
    assert set(report.actions) == {"Walk", "Sit"}
    assert report.actions["Sit"].figures.mpjpe == pytest.approx(20 * 100 / (20 * 17 - 5), rel=1e-3)
    assert "345 joints missing in the truth" in report.describe()


def test_a_clip_that_cannot_be_lifted_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good, bad = recording("S1/Walk", 20, 1), recording("S1/Sit", 20, 2)
    bad.views[0].xy[:, 3] = np.nan
    report = run(monkeypatch, write_set(tmp_path / "set.h5", [good, bad]), FlatLifter()).report
    assert list(report.left_out) == ["S1/Sit, camera c0"]
    assert "right_ankle" in report.describe()
    assert report.clips == 1
    with pytest.raises(Lift3DError, match=r"nothing is left to compare.*right_ankle"):
        run(monkeypatch, write_set(tmp_path / "bad.h5", [bad]), FlatLifter())


def test_worst_clips_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The larger the person, the larger the error of a wrong scale.
    clips = [recording(f"S1/Walk {k}", 30, k, size=size) for k, size in enumerate((0.6, 1.0, 0.4, 0.9, 0.5, 0.8, 0.7))]
    clips[1].xyz[10] += 5  # the whole person somewhere else: the root-relative error stays
    report = run(monkeypatch, write_set(tmp_path / "set.h5", clips), FlatLifter(scale=1.1)).report
    assert [clip.recording for clip in report.worst] == [f"S1/Walk {k}" for k in (1, 3, 5, 6)]
    worst = report.worst[0]
    errors = 100 * np.linalg.norm(relative(30, 1), axis=-1)
    assert worst.mpjpe == pytest.approx(errors.mean(), rel=1e-3)
    assert worst.worst_frame == errors.mean(axis=1).argmax()
    assert worst.worst_joint == H36M17.joints[errors.mean(axis=0).argmax()]
    assert worst.prediction.frames == worst.truth.frames == 30
    np.testing.assert_allclose(worst.prediction.xyz[:, 0, 0], worst.truth.xyz[:, 0, 0], atol=1e-4)


def test_a_faster_clip_than_the_network(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    report = run(monkeypatch, people, FlatLifter(fps=25.0), ["S9"], ["Walk"]).report
    # Interleaved clips are blended over a frame of the network's time, which rounds off the sway a little.
    assert 0 < report.mean_of_frames.mpjpe < 1


def test_chunks_change_no_result(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    whole = run(monkeypatch, people, FlatLifter(scale=1.1, sigma=0.05)).report.to_dict()
    monkeypatch.setattr("lift3d.evaluation.clip_lifting.CHUNK_FRAMES", 7)
    assert run(monkeypatch, people, FlatLifter(scale=1.1, sigma=0.05)).report.to_dict() == whole


def test_coverage_of_a_set(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    # 60 mm along y at every joint but the root: within two sigma of 40 mm, not within one.
    shift = np.array([[0, 0.06, 0]]) * (np.arange(17) > 0)[:, None]
    result = run(monkeypatch, people, FlatLifter(offset=shift, sigma=0.04))
    coverage = result.report.coverage
    assert coverage is not None
    assert coverage.axes["y"] == (0, 0, 0, 100, 100)
    assert coverage.axes["x"] == (100,) * 5
    assert "pelvis" not in coverage.joints
    assert coverage.sigma == pytest.approx((40, 40, 40))
    assert coverage.error == pytest.approx((0, 60, 0), abs=0.02)
    assert coverage.unseen is None
    calibrated = FlatLifter(offset=shift, sigma=0.04, calibration={"temperature": [1, 2, 1], "interval_68": 1.0})
    widened = run(monkeypatch, people, calibrated).report.coverage
    assert widened is not None
    assert widened.axes["y"] == (0, 100, 100, 100, 100)
    assert result.sigma is not None
    assert set(result.sigma.folds) == {"S9", "S11"}
    # A wrong scale is no error of the pose, once it is known.
    large = FlatLifter(scale=1.5, sigma=0.01)
    for scale in ("best", "truth"):
        scaled = run(monkeypatch, people, large, scale=scale).report.coverage
        assert scaled is not None
        assert scaled.pooled == (100,) * 5
    own = run(monkeypatch, people, large).report.coverage
    assert own is not None
    assert own.axes["y"][4] < 30


def test_unseen_joints_are_counted_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clip = recording("S1/Walk", 40, 1)
    clip.views[0].confidence[10:20, H36M17.index("left_knee")] = 0
    clip.views[0].xy[10:20, H36M17.index("left_knee")] = np.nan
    result = run(monkeypatch, write_set(tmp_path / "set.h5", [clip]), FlatLifter(sigma=0.04))
    assert result.sigma is not None
    assert result.sigma.counts[:, 0].sum() == 30
    assert result.sigma.counts[:, 1].sum() == 40 * 16 * 3 - 30


def test_what_cannot_be_evaluated(monkeypatch: pytest.MonkeyPatch, people: Path, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no subject S1"):
        run(monkeypatch, people, FlatLifter(), ["S1"])
    with pytest.raises(FileFormatError, match="action Jump"):
        run(monkeypatch, people, FlatLifter(), [], ["Jump"])
    for options, message in (
        ({"rules": "mine"}, "unknown rules"),
        ({"rules": "motionbert"}, "are for human36m"),
        ({"scale": "big"}, "unknown scale"),
        ({"scale": "height"}, "known stature"),
        ({"placed": True, "flip": False}, "--no-flip"),
    ):
        with pytest.raises(Lift3DError, match=message):
            run(monkeypatch, people, FlatLifter(), **options)
    named = write_set(tmp_path / "h36m.h5", [recording("S9/Walk", 5)], name="human36m")
    with pytest.raises(Lift3DError, match="ask for the scale 'truth'"):
        run(monkeypatch, named, FlatLifter(), rules="motionbert", scale="best")


def test_a_set_whose_2d_the_network_cannot_read(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    with pytest.raises(SkeletonError, match=r"reads all joints of 'lifter23', .* \('h36m17'\) has no .*left_big_toe"):
        run(monkeypatch, people, FlatLifter(reads="lifter23"))


def test_report_is_json(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    report: DataSetReport = run(monkeypatch, people, FlatLifter(scale=1.1)).report
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["mean_of_actions"]["mpjpe"] == report.mean_of_actions.mpjpe
    assert values["mean_of_actions"]["root"] is None
    assert values["actions"]["Sit"]["frames"] == 30
    assert values["checkpoint"]["card"] == {"title": "tells the truth"}
    assert values["data_set"]["keypoints"] == "ground truth"

"""Every form rule: a movement that trips it and one that does not."""

from pathlib import Path

import numpy as np
import pytest
from exercise_bodies import FOREARM, UPPER_ARM, bend, hills, points, push_up, stand, together, without

from lift3d.errors import FileFormatError
from lift3d.motion.form import Form, check_form
from lift3d.motion.repetitions import count_repetitions
from lift3d.motion.rule_files import FOLDER, read_form_rules
from lift3d.poses import Poses3D

FPS = 30.0


def part(signal: np.ndarray) -> np.ndarray:
    """How far a signal is from its lowest, 0 to 1."""
    return np.asarray((signal - signal.min()) / np.ptp(signal))


def squat(depth: float = 130.0, lean: float = 30.0, block: float = 0.0, **changes: float) -> Poses3D:
    """Hips go back with the depth; ``block`` is the height of what the right foot stands on."""
    knee = hills([depth] * 2, FPS)
    moved = {name: value * part(knee) for name, value in {"lean": lean, "hips_back": 28.0, **changes}.items()}
    return stand(FPS, knee, right_ankle_lift=block, **moved)


def lunge(depth: float = 105.0, lean: float = 5.0) -> Poses3D:
    knee = hills([depth] * 2, FPS)
    return stand(FPS, knee, lean=lean * part(knee), step=0.6)


def curl(depth: float = 140.0, drift: float = 0.0, swing: float = 0.0) -> Poses3D:
    elbow = hills([depth] * 2, FPS)
    return stand(FPS, np.full(len(elbow), 5.0), elbow=elbow, arm_forward=drift * part(elbow), lean=swing * part(elbow))


def press(depth: float = 100.0, sag: float = 0.0, lift: float = 0.0) -> Poses3D:
    poses = push_up(FPS, hills([depth] * 2, FPS), sag)
    if lift:
        # One hand on a step: that elbow bends more.
        wrist = poses.skeleton.index("left_wrist")
        poses.xyz[:, 0, wrist, 2] += lift
        shoulder = poses.xyz[:, 0, poses.skeleton.index("left_shoulder")]
        pole = points(np.full(poses.frames, -1.0), -1.0, 0.0)
        poses.xyz[:, 0, poses.skeleton.index("left_elbow")] = bend(
            shoulder.astype(np.float64), poses.xyz[:, 0, wrist].astype(np.float64), UPPER_ARM, FOREARM, pole
        )
    return poses


def jack(arms: float = 165.0, feet: float = 0.25) -> Poses3D:
    signal = hills([arms] * 2, FPS, 1.2)
    return stand(FPS, np.full(len(signal), 8.0), arm_sideways=signal, stance=0.1 + feet * part(signal))


GOOD = {"squat": squat(), "lunge": lunge(), "curl": curl(), "push_up": press(), "jumping_jack": jack()}
BAD = {
    "squat_depth": ("squat", squat(depth=90.0)),
    "squat_knees_in": ("squat", squat(knees_in=0.06)),
    "squat_trunk_lean": ("squat", squat(lean=60.0)),
    "squat_asymmetry": ("squat", squat(block=0.12)),
    "squat_heels": ("squat", squat(heel=0.07)),
    "lunge_depth": ("lunge", lunge(depth=66.0)),
    "lunge_trunk_lean": ("lunge", lunge(lean=40.0)),
    "push_up_depth": ("push_up", press(depth=70.0)),
    "push_up_hips_sag": ("push_up", press(sag=0.12)),
    "push_up_hips_high": ("push_up", press(sag=-0.25)),
    "push_up_asymmetry": ("push_up", press(lift=0.1)),
    "curl_elbow_drift": ("curl", curl(drift=40.0)),
    "curl_range": ("curl", curl(depth=105.0)),
    "curl_swing": ("curl", curl(swing=-22.0)),
    "jumping_jack_arms": ("jumping_jack", jack(arms=125.0)),
    "jumping_jack_feet": ("jumping_jack", jack(feet=0.07)),
}


def form(exercise: str, poses: Poses3D) -> Form:
    found = count_repetitions(poses, exercise)
    assert len([item for item in found if item.complete]) == 2
    return check_form(poses, found)


def test_every_rule_has_a_test() -> None:
    assert set(BAD) == {rule.id for rule in read_form_rules()}


@pytest.mark.parametrize("exercise", GOOD)
def test_good_form_gets_no_hint(exercise: str) -> None:
    result = form(exercise, GOOD[exercise])
    assert [hint.rule for hint in result] == []
    assert result.unchecked == {}


@pytest.mark.parametrize("rule", BAD)
def test_bad_form_gets_its_hint_and_no_other(rule: str) -> None:
    exercise, poses = BAD[rule]
    result = form(exercise, poses)
    assert [hint.rule for hint in result] == [rule]
    (hint,) = result
    assert hint.repetitions == (1, 2)
    assert hint.checked == 2
    for value in hint.values:
        assert value > hint.threshold if hint.comparison == "above" else value < hint.threshold


def test_measured_values_are_those_of_the_body() -> None:
    (lean,) = form("squat", squat(lean=60.0))
    assert lean.values == pytest.approx((60, 60), abs=1)
    (drift,) = form("curl", curl(drift=40.0))
    assert drift.values == pytest.approx((40, 40), abs=1.5)
    (heels,) = form("squat", squat(heel=0.07))
    assert heels.values == pytest.approx((0.07, 0.07), abs=0.004)
    assert heels.unit == "metres"


def test_only_the_repetitions_that_break_a_rule_are_named() -> None:
    knee = hills([130, 95, 130], FPS)
    poses = stand(FPS, knee, lean=30 * part(knee), hips_back=28 * part(knee))
    result = check_form(poses, count_repetitions(poses, "squat"))
    assert [(hint.rule, hint.repetitions, hint.checked) for hint in result] == [("squat_depth", (2,), 3)]


def test_people_get_their_own_hints() -> None:
    both = together(squat(), squat(depth=90.0))
    result = check_form(both, count_repetitions(both, "squat"))
    assert [(hint.person, hint.rule) for hint in result] == [(1, "squat_depth")]


def test_rules_that_cannot_be_checked_say_why() -> None:
    poses = without(squat(), slice(None), ["left_heel", "right_heel"])
    result = check_form(poses, count_repetitions(poses, "squat"))
    assert list(result.unchecked) == ["squat_heels"]
    assert "missing" in result.unchecked["squat_heels"]


def test_rules_of_a_users_own_file(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text((FOLDER / "form.yaml").read_text().replace("threshold: 50", "threshold: 25"))
    poses = squat()
    result = check_form(poses, count_repetitions(poses, "squat"), read_form_rules(own))
    assert [hint.rule for hint in result] == ["squat_trunk_lean"]
    own.write_text((FOLDER / "form.yaml").read_text().replace("comparison: above", "comparison: over", 1))
    with pytest.raises(FileFormatError, match="'above' or 'below'"):
        read_form_rules(own)


def test_tables() -> None:
    result = form("squat", squat(depth=90.0))
    table = result.to_dataframe()
    assert list(table["repetition"]) == [1, 2]
    assert list(table["rule"]) == ["squat_depth"] * 2
    assert result.to_dict()["hints"][0]["source"]
    assert list(form("squat", squat()).to_dataframe().columns) == list(table.columns)

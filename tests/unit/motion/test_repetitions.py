"""Repetitions of bodies whose movements are known exactly."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exercise_bodies import hills, push_up, stand, together, with_noise, without
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import FileFormatError, Lift3DError
from lift3d.motion.hills import find_hills
from lift3d.motion.repetitions import count_repetitions, detect_exercise
from lift3d.motion.rule_files import FOLDER, read_exercises
from lift3d.poses import Poses3D

FPS = 30.0


def squat(knee: np.ndarray, fps: float = FPS) -> Poses3D:
    return stand(fps, knee, lean=knee * 0.25)


def lunge(knee: np.ndarray, fps: float = FPS, front: str = "left") -> Poses3D:
    return stand(fps, knee, step=0.55, front=front)


def curl(elbow: np.ndarray, fps: float = FPS) -> Poses3D:
    return stand(fps, np.full(len(elbow), 5.0), elbow=elbow)


def jumping_jack(arms: np.ndarray, fps: float = FPS) -> Poses3D:
    return stand(fps, np.full(len(arms), 8.0), arm_sideways=arms, stance=0.1 + 0.25 * (arms - 5) / 160)


MOTIONS: dict[str, tuple[Callable[..., Poses3D], float, float]] = {
    # What does it, the height of a full repetition, and of a partial one.
    "squat": (squat, 105.0, 70.0),
    "lunge": (lunge, 100.0, 58.0),
    "push_up": (push_up, 95.0, 60.0),
    "curl": (curl, 135.0, 80.0),
    "jumping_jack": (jumping_jack, 165.0, 90.0),
}


def perform(exercise: str, signal: np.ndarray, fps: float) -> Poses3D:
    return push_up(fps, signal) if exercise == "push_up" else MOTIONS[exercise][0](signal, fps)


@pytest.mark.parametrize("fps", [12.0, 25.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize("exercise", MOTIONS)
def test_counted_exactly_at_any_frame_rate_and_tempo(exercise: str, fps: float) -> None:
    full = MOTIONS[exercise][1]
    for count, seconds in ((1, 2.0), (4, 1.2), (7, 2.5)):
        poses = perform(exercise, hills([full] * count, fps, seconds, rest=0.3), fps)
        found = count_repetitions(poses, exercise)
        assert found.count() == len(found) == count
        assert [item.number for item in found] == list(range(1, count + 1))
        assert detect_exercise(poses) == exercise


@pytest.mark.parametrize("exercise", MOTIONS)
def test_noise_spikes_and_gaps_change_no_count(exercise: str) -> None:
    full = MOTIONS[exercise][1]
    clean = perform(exercise, hills([full] * 5, FPS, 2.0, rest=0.6), FPS)
    for seed in range(3):
        noisy = with_noise(clean, 0.012, seed)
        spikes = np.random.default_rng(seed).integers(0, noisy.frames, 12)
        noisy.xyz[spikes] += np.float32(0.4) * np.random.default_rng(seed).normal(size=noisy.xyz[spikes].shape)
        gapped = without(noisy, slice(40, 50), ["left_knee", "left_elbow", "right_elbow", "left_wrist"])
        assert count_repetitions(gapped, exercise).count() == 5


@pytest.mark.parametrize("exercise", MOTIONS)
def test_partial_repetitions_are_reported_as_such(exercise: str) -> None:
    _, full, partial = MOTIONS[exercise]
    poses = perform(exercise, hills([full, partial, full, full, partial], FPS), FPS)
    found = count_repetitions(poses, exercise)
    assert [item.full for item in found] == [True, False, True, True, False]
    assert all(item.complete for item in found)
    assert found.count() == 3


def test_times_depth_tempo_and_drop_of_a_squat() -> None:
    fps, seconds, rest, pause = 60.0, 2.0, 1.0, 0.8
    found = count_repetitions(squat(hills([100, 110], fps, seconds, rest, pause), fps), "squat")
    period = seconds + pause + rest
    for index, item in enumerate(found):
        assert item.start_seconds == pytest.approx(rest + index * period, abs=0.12)
        assert item.end_seconds == pytest.approx(rest + index * period + seconds + pause, abs=0.12)
        assert item.toward_seconds == pytest.approx(seconds / 2, abs=0.15)
        assert item.back_seconds == pytest.approx(seconds / 2, abs=0.15)
        assert item.pause_seconds == pytest.approx(pause, abs=0.2)
        assert item.seen == 1
    assert [item.depth for item in found] == pytest.approx([100, 110], abs=1.5)
    # Both bones are 0.42 m: from 5 to 100 degrees of flexion the hips sink by 0.84 (cos 2.5 - cos 50).
    drop = 0.84 * (np.cos(np.radians(2.5)) - np.cos(np.radians([50, 55])))
    assert [item.hip_drop for item in found] == pytest.approx(drop, abs=0.01)


def test_a_pause_at_the_bottom_with_a_bounce_is_one_repetition() -> None:
    knee = hills([110], FPS, 2.0, 1.0, pause=2.0)
    bounce = np.zeros_like(knee)
    bounce[66:114] = -12 * (1 - np.cos(np.arange(48) * 2 * np.pi / 16))
    assert count_repetitions(squat(knee + bounce), "squat").count() == 1


def test_repetitions_that_stop_short_of_standing_are_two() -> None:
    time = np.arange(0, 8, 1 / FPS)
    # Down to 110 and up to 20 only, four times, from and to standing.
    knee = np.clip(65 - 45 * np.cos(np.pi * time), 0, None)
    assert count_repetitions(squat(knee), "squat").count() == 4


def test_a_slow_change_of_posture_before_is_no_part_of_a_repetition() -> None:
    knee = hills([100], FPS, 2.0, 1.0, low=25)
    before = np.linspace(5, 25, 300)
    (item,) = count_repetitions(squat(np.concatenate([before, knee])), "squat")
    assert item.start_seconds == pytest.approx(11.0, abs=0.25)


@pytest.mark.parametrize("exercise", MOTIONS)
def test_first_and_last_are_marked_where_the_clip_cuts_them_off(exercise: str) -> None:
    signal = hills([MOTIONS[exercise][1]] * 3, FPS, 2.0, 1.0)
    poses = perform(exercise, signal, FPS).select(slice(60, len(signal) - 60))
    found = count_repetitions(poses, exercise)
    assert [item.complete for item in found] == [False, True, False]
    assert found.count() == 1
    assert found[0].start == 0
    assert found[-1].end == poses.frames - 1


def test_a_long_gap_cuts_a_repetition_off() -> None:
    poses = without(squat(hills([100] * 3, FPS, 2.0, 1.0)), slice(130, 160))
    assert count_repetitions(poses, "squat").count() == 2


def test_two_people_are_counted_by_themselves() -> None:
    first, second = squat(hills([100] * 3, FPS, 2.0)), squat(hills([110] * 8, FPS, 0.95, rest=0.3))
    found = count_repetitions(together(first, second), "squat")
    assert (found.count(0), found.count(1)) == (3, 8)
    assert {item.person for item in count_repetitions(together(first, second), "squat", person=1)} == {1}


def test_lunges_know_their_front_foot() -> None:
    for front in ("left", "right"):
        found = count_repetitions(lunge(hills([100] * 2, FPS), front=front), "lunge")
        assert [item.side for item in found] == [front, front]
    assert count_repetitions(lunge(hills([100] * 2, FPS)), "squat").count() == 0
    assert count_repetitions(squat(hills([100] * 2, FPS)), "lunge").count() == 0


def test_curls_of_either_arm_and_of_both() -> None:
    still = np.full(len(hills([135] * 2, FPS)), 5.0)
    moving = hills([135] * 2, FPS)
    both = count_repetitions(curl(moving), "curl")
    assert [item.side for item in both] == ["both", "both"]
    knee = np.full(len(still), 5.0)
    right = count_repetitions(stand(FPS, knee, elbow={"left": still, "right": moving}), "curl")
    assert [item.side for item in right] == ["right", "right"]
    alternate = {"left": np.concatenate([moving, still]), "right": np.concatenate([still, moving])}
    found = count_repetitions(stand(FPS, np.full(2 * len(still), 5.0), elbow=alternate), "curl")
    assert [item.side for item in found] == ["left", "left", "right", "right"]
    assert (found.count(side="left"), found.count(side="right"), found.count()) == (2, 2, 4)


def test_other_movements_are_not_counted() -> None:
    signal = hills([100] * 3, FPS)
    knee = np.full(len(signal), 5.0)
    raised = stand(FPS, knee, right_ankle_lift=0.4 * (signal - 5) / 95)
    assert count_repetitions(raised, "squat").count() == 0
    # Arms that swing without the feet, and feet that jump without the arms.
    assert count_repetitions(stand(FPS, knee, arm_sideways=signal * 1.6), "jumping_jack").count() == 0
    assert count_repetitions(stand(FPS, knee, stance=0.1 + signal / 400), "jumping_jack").count() == 0
    assert count_repetitions(curl(signal * 1.35), "push_up").count() == 0
    assert detect_exercise(stand(FPS, knee)) is None


def test_camera_space_counts_the_same() -> None:
    world = squat(hills([100] * 3, FPS))
    camera = Poses3D(world.xyz[..., [0, 2, 1]] * [1, -1, 1], skeleton=world.skeleton, fps=FPS, space="camera")
    (a, b) = (count_repetitions(poses, "squat") for poses in (world, camera))
    assert a.count() == 3
    assert [item.start for item in a] == [item.start for item in b]
    assert [item.hip_drop for item in a] == pytest.approx([item.hip_drop for item in b], abs=1e-5)


def test_missing_joints_of_a_condition_are_noted() -> None:
    poses = without(squat(hills([100] * 2, FPS)), slice(None), ["neck", "left_shoulder", "right_shoulder"])
    found = count_repetitions(poses, "squat")
    assert found.count() == 2
    assert any("trunk_lean" in note for note in found.notes)


def test_tables() -> None:
    found = count_repetitions(squat(hills([100, 70], FPS)), "squat")
    table = found.to_dataframe()
    assert list(table["full"]) == [True, False]
    record = found.to_dict()
    assert record["repetitions"][0]["depth"] == pytest.approx(100, abs=2)
    assert count_repetitions(curl(hills([135], FPS)), "curl").to_dict()["repetitions"][0]["hip_drop"] is None
    assert list(count_repetitions(squat(np.full(60, 5.0)), "squat").to_dataframe().columns) == list(table.columns)


def test_what_cannot_be_counted() -> None:
    poses = squat(hills([100], FPS))
    with pytest.raises(Lift3DError, match="known are jumping_jack"):
        count_repetitions(poses, "burpee")
    with pytest.raises(Lift3DError, match="no person 1"):
        count_repetitions(poses, "squat", person=1)
    with pytest.raises(Lift3DError, match="frame rate"):
        count_repetitions(Poses3D(poses.xyz, skeleton=poses.skeleton), "squat")
    with pytest.raises(Lift3DError, match="joints are missing"):
        count_repetitions(without(poses, slice(None), ["left_knee", "right_knee"]), "squat")
    with pytest.raises(Lift3DError, match="joints are missing"):
        count_repetitions(poses.select(slice(0, 0)), "squat")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(60, 150), min_size=1, max_size=8),
    st.floats(0.0, 1.0),
    st.floats(0.6, 3.0),
    st.floats(1.0, 20.0),
    st.integers(0, 1000),
)
def test_hills_of_any_height_tempo_and_noise(
    heights: list[float], pause: float, seconds: float, low: float, seed: int
) -> None:
    signal = hills(heights, FPS, seconds, 0.5, pause, low) + np.random.default_rng(seed).normal(
        0, 0.3, len(hills(heights, FPS, seconds, 0.5, pause, low))
    )
    found = find_hills(signal, 50, 30)
    assert len(found) == len(heights)
    for hill, height in zip(found, heights, strict=True):
        assert hill.complete
        assert hill.start <= hill.arrival <= hill.highest <= hill.departure <= hill.end
        assert hill.height == pytest.approx(height, abs=2)


def test_exercises_of_a_users_own_file(tmp_path: Path) -> None:
    text = (FOLDER / "exercises.yaml").read_text()
    own = tmp_path / "own.yaml"
    own.write_text(text.replace("full_from: 80", "full_from: 120"))
    exercise = read_exercises(own)["squat"]
    assert count_repetitions(squat(hills([105, 130], FPS)), exercise).count() == 1


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ("most_seconds: 4", "most_second: 4", r"exercises\[0\].most_seconds", "missing"),
        ("    toward: up\n", "    toward: up\n    colour: red\n", r"exercises\[0\].colour", "no such field"),
        ("signal: hand_elevation", "signal: happiness", r"exercises\[0\]", "no measure 'happiness'"),
        ("measure: trunk_lean", "measure: __import__", r"conditions\[3\]", "no measure '__import__'"),
        ("sides: lesser", "sides: best", r"exercises\[0\].sides", "'lesser', 'greater'"),
        ("full_from: 110", "full_from: much", r"exercises\[0\].full_from", "number"),
        ("full_from: 110", "full_from: nan", r"exercises\[0\].full_from", "finite number"),
        ("id: push_up", "id: jumping_jack", "jumping_jack", "twice"),
        ("least_seconds: 0.4", "least_seconds: 400", r"exercises\[0\]", "least_seconds"),
        ("exercises:", "exercise:", "exercises", "missing"),
    ],
)
def test_a_wrong_file_is_one_clear_error(tmp_path: Path, old: str, new: str, field: str, problem: str) -> None:
    text = (FOLDER / "exercises.yaml").read_text()
    assert old in text
    path = tmp_path / "own.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FileFormatError, match=problem) as raised:
        read_exercises(path)
    assert "own.yaml" in str(raised.value)
    assert raised.value.field is not None
    assert re.search(field, raised.value.field)


def test_no_file_and_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_exercises(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("exercises: [")
    with pytest.raises(FileFormatError, match="not valid YAML"):
        read_exercises(tmp_path / "bad.yaml")

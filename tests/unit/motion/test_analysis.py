"""``analyze`` on bodies of closed form: what it gathers is what its parts say, beside what is true."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas
import pytest
from exercise_bodies import hills, push_up, stand, together, without

from lift3d.errors import Lift3DError
from lift3d.motion.analysis import Analysis, analyze
from lift3d.motion.angle_errors import angle_sigma
from lift3d.motion.angles import joint_angles
from lift3d.motion.contacts import ground_contacts
from lift3d.motion.events import smooth_speed
from lift3d.motion.rule_files import read_norms
from lift3d.motion.segment_masses import centre_of_mass
from lift3d.poses import Poses3D
from lift3d.skeletons import make_skeleton

FPS = 30.0


def squats(*heights: float, at: tuple[float, float, float] = (0, 0, 0)) -> Poses3D:
    knee = hills(heights, FPS)
    return stand(FPS, knee, hips_back=knee * 0.15, lean=knee * 0.4, at=at)


@pytest.fixture(scope="module")
def two() -> Analysis:
    """Person 4 squats twice; person 7 beside stands with the right foot ahead and is absent for the last half."""
    poses = together(squats(110, 110), stand(FPS, np.full(220, 20.0), step=0.3, at=(1, 0, 0)))
    poses = replace(poses, track_ids=(4, 7))
    poses.xyz[poses.frames // 2 :, 1] = np.nan
    return analyze(poses)


def test_counts_and_ranges_are_those_of_the_body(two: Analysis) -> None:
    assert list(two.repetitions) == [0]
    assert two.repetitions[0].exercise.id == "squat"
    assert two.repetitions[0].count(0) == 2
    knee = two.ranges.of("left_knee_flexion", 0)
    assert knee is not None
    assert (knee.minimum, knee.maximum) == pytest.approx((5, 110), abs=1)
    still = two.ranges.of("left_knee_flexion", 1)
    assert still is not None
    assert still.range == pytest.approx(0, abs=0.1)
    assert still.frames == two.poses.frames // 2
    assert two.ranges.of("left_hip_rotation", 1) is None


def test_the_table_holds_what_the_parts_say(two: Analysis) -> None:
    table, poses = two.to_dataframe(), two.poses
    assert len(table) == poses.frames * 2
    assert list(table.columns[:3]) == ["frame", "time", "person"]
    np.testing.assert_array_equal(table.person[:4], [4, 7, 4, 7])
    np.testing.assert_allclose(table.time, table.frame / FPS)
    angles, speeds, centre = joint_angles(poses), smooth_speed(poses), centre_of_mass(poses).xyz
    for name in angles.names:
        np.testing.assert_array_equal(table[f"{name}_deg"], angles[name].ravel())
    for joint in ("left_wrist", "right_ankle"):
        np.testing.assert_array_equal(table[f"{joint}_speed"], speeds[..., poses.skeleton.index(joint)].ravel())
    for axis, name in enumerate("xyz"):
        np.testing.assert_allclose(table[f"centre_of_mass_{name}"], centre[..., axis].ravel(), atol=1e-6)
    contacts = ground_contacts(poses)
    for index, foot in enumerate(contacts.feet):
        np.testing.assert_array_equal(table[f"{foot}_on_ground"], contacts.on[..., index].ravel())
    assert not [name for name in table if "sigma" in name]


def test_symmetry_is_that_of_the_ranges() -> None:
    fold = hills((100,), FPS)
    found = analyze(stand(FPS, np.full(len(fold), 5.0), elbow={"left": fold, "right": 5 + (fold - 5) / 2}), None)
    left, right = (found.ranges.of(f"{side}_elbow_flexion") for side in ("left", "right"))
    assert left is not None
    assert right is not None
    limb = found.symmetry.limb[0, found.symmetry.names.index("elbow_flexion")]
    assert limb == pytest.approx(100 * right.range / left.range)
    assert limb == pytest.approx(50, abs=1)
    assert found.to_dict()["limb_symmetry_percent"]["0"]["elbow_flexion"] == pytest.approx(limb)


def test_errors_of_angles_where_joints_have_them() -> None:
    poses = squats(110)
    assert analyze(poses).sigma is None
    poses = replace(poses, sigma=np.full(poses.xyz.shape[:3], 0.01, np.float32))
    found = analyze(poses)
    expected = angle_sigma(poses)
    np.testing.assert_array_equal(found.sigma, expected)
    column = found.angles.names.index("left_knee_flexion")
    np.testing.assert_array_equal(found.to_dataframe()["left_knee_flexion_sigma_deg"], expected[:, 0, column])
    assert np.isfinite(expected[..., column]).all()


def test_the_dictionary_is_strict_json(two: Analysis) -> None:
    found = json.loads(json.dumps(two.to_dict(), allow_nan=False))
    assert found["people"] == [4, 7]
    assert list(found["repetitions"]) == ["4"]
    assert found["frames"] == two.poses.frames
    assert len(found["ranges_of_motion"]["ranges"]) == len(two.ranges)


def test_the_centre_of_mass_needs_most_of_the_body() -> None:
    """Without a wrist a forearm and its hand are unknown, without a knee a thigh and a shank: too much."""
    assert np.isfinite(analyze(without(squats(110), slice(None), ["left_wrist"])).centre.xyz).all()
    assert np.isnan(analyze(without(squats(110), slice(None), ["left_knee"])).centre.xyz).all()


def test_notes_name_what_is_missing() -> None:
    found = analyze(without(squats(110), slice(None), ["left_elbow", "left_heel"]))
    notes = "\n".join(found.notes)
    assert "Elbow flexion, left: left_elbow never seen" in notes
    assert "Ankle dorsiflexion, left: left_heel never seen" in notes
    assert "Knee flexion" not in notes


def test_camera_space_has_no_ground() -> None:
    found = analyze(replace(squats(110), space="camera"), None)
    assert found.contacts is None
    assert any("ground" in note for note in found.notes)
    assert not [name for name in found.to_dataframe() if name.endswith("_on_ground")]


def test_an_exercise_that_one_of_two_cannot_show() -> None:
    poses = together(squats(110), squats(110))
    knees = [poses.skeleton.index(f"{side}_knee") for side in ("left", "right")]
    poses.xyz[:, 1, knees] = np.nan
    found = analyze(replace(poses, track_ids=(3, 8)), "squat")
    assert list(found.repetitions) == [0]
    assert any(note.startswith("person 8:") for note in found.notes)
    poses.xyz[:, 0, knees] = np.nan
    with pytest.raises(Lift3DError, match="knee"):
        analyze(poses, "squat")


def test_sessions_follow_the_norms_that_are_given() -> None:
    norms = read_norms().model_copy(update={"between_sessions": 40.0})
    clips = {date(2025, 2, 1): squats(80), date(2025, 1, 1): squats(110)}
    found = analyze(clips[date(2025, 1, 1)], norms=norms, sessions=clips).progress
    assert found is not None
    assert found.sessions == (date(2025, 1, 1), date(2025, 2, 1))
    knee = found.of("left_knee_flexion", "maximum")
    assert knee.values == pytest.approx((110, 80), abs=1.5)
    assert (knee.minimal_change, knee.real) == (40.0, False)


def test_a_take_compared_with_a_slower_one() -> None:
    slow = stand(FPS, (knee := hills((110,), FPS, seconds=4, rest=2)), hips_back=knee * 0.15, lean=knee * 0.4)
    found = analyze(squats(110), other=slow)
    assert found.comparison is not None
    assert found.comparison.similarity > 99
    assert found.comparison.duration_b == pytest.approx(2 * found.comparison.duration_a, rel=0.02)


@pytest.mark.parametrize("make", [lambda: push_up(FPS, hills((95, 95), FPS)), lambda: squats(110)])
def test_auto_is_the_exercise_named(make: Callable[[], Poses3D]) -> None:
    poses = make()
    auto = analyze(poses)
    named = analyze(poses, auto.repetitions[0].exercise.id)
    assert auto.to_dict() == named.to_dict()
    assert auto.repetitions[0].count() >= 1


def test_layouts_that_know_no_body() -> None:
    skeleton = make_skeleton("mouse", {"snout": None, "ear": "snout", "tail_base": "ear"})
    found = analyze(Poses3D(np.zeros((40, 1, 3, 3), np.float32), skeleton=skeleton, fps=FPS))
    assert len(found.ranges) == 0
    assert len(found.angles.missing) == len(found.angles.names)
    assert isinstance(found.to_dataframe(), pandas.DataFrame)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_clips(frames: int) -> None:
    found = analyze(squats(110).select(slice(frames)))
    assert len(found.to_dataframe()) == frames
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("poses", "words"),
    [
        (squats(110).select(slice(0)), "0 frames"),
        (without(squats(110), slice(None)), "no joint is seen"),
        (replace(squats(110), fps=None), "frame rate"),
    ],
)
def test_what_cannot_be_analysed(poses: Poses3D, words: str) -> None:
    with pytest.raises(Lift3DError, match=words):
        analyze(poses)

"""Two takes of a movement whose differences are known."""

import numpy as np
import pytest
from exercise_bodies import stand, without

from lift3d.errors import Lift3DError, ShapeError, SkeletonError
from lift3d.motion.takes import PHASES, compare_takes
from lift3d.poses import Poses3D
from lift3d.skeletons import make_skeleton

FPS = 30.0
TIME = np.linspace(0, 1, 180)


def take(time: np.ndarray, deeper: float = 0.0, fps: float = FPS) -> Poses3D:
    """A squat with an arm raise, at normalised times 0 to 1."""
    knee = 5 + (95 + deeper) * np.sin(np.pi * time) ** 2
    return stand(fps, knee, arm_forward=120 * time)


def moved(poses: Poses3D, degrees: float, scale: float, to: tuple[float, float, float]) -> Poses3D:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = scale * np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return Poses3D(poses.xyz @ turn.T + np.array(to), skeleton=poses.skeleton, fps=poses.fps)


def test_the_same_movement_elsewhere_turned_and_of_another_size_is_the_same() -> None:
    result = compare_takes(take(TIME), moved(take(TIME), 70, 0.8, (3.0, -2.0, 0.5)))
    assert result.similarity == pytest.approx(100, abs=0.01)
    assert result.distance < 1e-3
    assert max(abs(item.greatest) for item in result.angles) < 0.1


def test_a_known_warp_is_told_as_pace() -> None:
    """The second take runs through the first half in a quarter of its time; both last 6 s."""
    warped = np.where(TIME < 0.25, 2 * TIME, 0.5 + (TIME - 0.25) * 2 / 3)
    result = compare_takes(take(TIME), take(warped), band=0.4)
    assert result.similarity > 99.5
    for item in result.timing:
        assert item.pace == pytest.approx(0.5 if item.phase <= PHASES / 2 else 1.5, abs=0.12)
    assert result.timing[-1].end_b == pytest.approx(result.duration_b)


def test_takes_of_other_length_and_frame_rate() -> None:
    result = compare_takes(take(TIME), take(np.linspace(0, 1, 480), fps=60.0))
    assert result.similarity > 99.9
    assert (result.duration_a, result.duration_b) == pytest.approx((179 / 30, 479 / 60))
    assert [item.pace for item in result.timing] == pytest.approx(
        [result.duration_b / result.duration_a] * 10, rel=0.06
    )


def test_differences_of_angles_by_phase() -> None:
    """The second take bends the knees by up to 20 degrees more in the middle."""
    result = compare_takes(take(TIME), take(TIME, 20), band=0.02)
    knee = {item.phase: item for item in result.angles if item.angle == "left_knee_flexion"}
    assert len(knee) == PHASES
    assert knee[5].greatest == pytest.approx(20, abs=1)
    assert knee[1].difference == pytest.approx(0, abs=1.5)
    assert 90 < result.similarity < 99.9
    worst = result.largest_differences(1)[0]
    assert worst.phase in (5, 6)


def test_other_movements_are_not_similar() -> None:
    jack = stand(FPS, np.full(180, 5.0), arm_sideways=160 * np.sin(np.pi * TIME) ** 2)
    assert compare_takes(take(TIME), jack).similarity < 30


def test_similarity_of_a_body_that_stands_still_is_unknown() -> None:
    still = stand(FPS, np.full(60, 5.0))
    assert np.isnan(compare_takes(still, still).similarity)


def test_missing_joints_and_frames() -> None:
    hidden = without(take(TIME), slice(60, 90), ["left_wrist", "left_elbow", "right_knee"])
    hidden = without(hidden, slice(100, 130))
    hidden = without(hidden, slice(None), ["head_top"])
    result = compare_takes(take(TIME), hidden)
    assert "head_top" not in result.joints
    assert result.timing[4].pace == pytest.approx(1, abs=0.15)


def test_layouts_with_some_joints_in_common() -> None:
    small = take(TIME).convert("coco17")[0]
    result = compare_takes(take(TIME), small)
    assert "neck" not in result.joints
    assert result.similarity == pytest.approx(100, abs=0.1)


def test_tables() -> None:
    result = compare_takes(take(TIME), take(TIME, 20))
    assert set(result.to_dataframe()["phase"]) == set(range(1, PHASES + 1))
    record = result.to_dict()
    assert record["path"][0] == [0, 0]
    assert len(record["timing"]) == PHASES


def test_what_cannot_be_compared() -> None:
    with pytest.raises(Lift3DError, match="first take has no person 1"):
        compare_takes(take(TIME), take(TIME), person_a=1)
    tail = make_skeleton("tail", {"tail": None})
    with pytest.raises(SkeletonError):
        compare_takes(take(TIME), Poses3D(np.zeros((5, 1, 1, 3)), skeleton=tail, fps=30))
    with pytest.raises(Lift3DError, match="never shows hips"):
        compare_takes(take(TIME), without(take(TIME), slice(None), ["left_hip"]))
    with pytest.raises(ShapeError):
        compare_takes(take(TIME), take(TIME), band=0)
    with pytest.raises(Lift3DError):
        compare_takes(take(TIME), take(TIME).select(slice(0, 0)))

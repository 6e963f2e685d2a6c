"""Ranges of motion against joints that swing like a sine."""

import numpy as np
import pytest
from exercise_bodies import stand, together, with_noise, without

from lift3d.errors import FileFormatError
from lift3d.motion.range_of_motion import range_of_motion
from lift3d.motion.rule_files import FOLDER, read_norms
from lift3d.poses import Poses3D

FPS = 60.0
TIME = np.arange(0, 20, 1 / FPS)
# The 1st and 99th percentile of a sine.
EDGE = np.cos(np.pi * 0.01)


def swinging(low: float = 10.0, high: float = 110.0) -> Poses3D:
    """Knees and the left elbow swing between two angles; the right elbow keeps 20 degrees."""
    swing = (low + high) / 2 + (high - low) / 2 * np.sin(2 * np.pi * 0.5 * TIME)
    return stand(FPS, swing, elbow={"left": swing, "right": np.full(len(TIME), 20.0)})


def test_limits_of_a_swing() -> None:
    result = range_of_motion(swinging())
    for angle in ("left_knee_flexion", "right_knee_flexion", "left_elbow_flexion"):
        item = result.of(angle)
        assert item is not None
        assert item.minimum == pytest.approx(60 - 50 * EDGE, abs=0.3)
        assert item.maximum == pytest.approx(60 + 50 * EDGE, abs=0.3)
        assert item.range == pytest.approx(100 * EDGE, abs=0.5)
        assert item.frames == len(TIME)


def test_norms_and_sides() -> None:
    result = range_of_motion(swinging())
    knee, left, right = (result.of(a) for a in ("left_knee_flexion", "left_elbow_flexion", "right_elbow_flexion"))
    assert knee is not None
    assert left is not None
    assert right is not None
    assert (knee.norm_minimum, knee.norm_maximum) == (0, 135)
    assert knee.percent_of_norm == pytest.approx(100 * 100 * EDGE / 135, abs=0.5)
    assert knee.side_difference == pytest.approx(0, abs=0.1)
    assert left.side_difference == pytest.approx(100 * EDGE, abs=0.5)
    assert right.side_difference == -left.side_difference
    assert right.range == pytest.approx(0, abs=0.1)
    trunk = result.of("trunk_lean")
    assert trunk is not None
    assert np.isnan(trunk.percent_of_norm)
    assert np.isnan(trunk.side_difference)
    assert trunk.side == ""


def test_movement_beyond_the_norm_does_not_exceed_it() -> None:
    item = range_of_motion(swinging(0, 150)).of("left_knee_flexion")
    assert item is not None
    assert item.maximum > item.norm_maximum
    assert item.percent_of_norm == pytest.approx(100, abs=0.5)


def test_spikes_make_no_range_and_noise_is_told() -> None:
    poses = swinging()
    spiked = poses.xyz.copy()
    spiked[100::150] += np.random.default_rng(0).normal(0, 0.5, spiked[100::150].shape)
    spiked_poses = Poses3D(spiked, skeleton=poses.skeleton, fps=FPS)
    item = range_of_motion(spiked_poses).of("left_knee_flexion")
    assert item is not None
    assert item.maximum == pytest.approx(60 + 50 * EDGE, abs=2)
    noisy = range_of_motion(with_noise(poses, 0.01)).of("left_knee_flexion")
    assert noisy is not None
    # 1 cm at each end of two bones of 0.42 m turns their angle by about 0.01 sqrt(6) / 0.42 rad.
    assert noisy.noise == pytest.approx(np.degrees(0.01 * np.sqrt(6) / 0.42), rel=0.25)
    clean = range_of_motion(poses).of("left_knee_flexion")
    assert clean is not None
    assert clean.noise < 0.05


def test_people_and_what_is_missing() -> None:
    both = together(swinging(), swinging(10, 60))
    result = range_of_motion(both)
    first, second = result.of("left_knee_flexion", 0), result.of("left_knee_flexion", 1)
    assert first is not None
    assert second is not None
    assert first.range == pytest.approx(2 * second.range, rel=0.02)
    hidden = range_of_motion(without(swinging(), slice(None), ["left_wrist"]))
    assert hidden.of("left_elbow_flexion") is None
    assert "left_wrist" in hidden.missing["left_elbow_flexion"]
    right = hidden.of("right_elbow_flexion")
    assert right is not None
    assert np.isnan(right.side_difference)


def test_no_frames_is_an_empty_table() -> None:
    result = range_of_motion(swinging().select(slice(0, 0)))
    assert len(result) == 0
    assert list(result.to_dataframe().columns) == list(range_of_motion(swinging()).to_dataframe().columns)


def test_tables() -> None:
    result = range_of_motion(swinging())
    assert len(result.to_dataframe()) == len(result)
    record = result.to_dict()
    assert "AAOS" in record["norm_sources"]["knee_flexion"]
    lean = next(row for row in record["ranges"] if row["angle"] == "trunk_lean")
    assert lean["percent_of_norm"] is None


def test_norms_of_a_users_own_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = (FOLDER / "norms.yaml").read_text()
    own = tmp_path / "own.yaml"
    own.write_text(text.replace("knee_flexion, minimum: 0, maximum: 135", "knee_flexion, minimum: 0, maximum: 100"))
    item = range_of_motion(swinging(), read_norms(own)).of("left_knee_flexion")
    assert item is not None
    assert item.norm_maximum == 100
    own.write_text(text.replace("angle: knee_flexion", "angle: tail_flexion"))
    with pytest.raises(FileFormatError, match="no angle 'tail_flexion'"):
        read_norms(own)
    own.write_text(text.replace("minimum: 0, maximum: 135", "minimum: 140, maximum: 135"))
    with pytest.raises(FileFormatError, match="below maximum"):
        read_norms(own)

"""Repetitions counted in recorded squats and jumping jacks; the experiment's YAML says how the truth is known."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from lift3d.datasets.motion_clips import read_motion_clip
from lift3d.motion.form import check_form
from lift3d.motion.repetitions import count_repetitions, detect_exercise

TRUTH = Path(__file__).parents[2] / "experiments" / "motion" / "repetitions_recorded.yaml"
CLIPS = yaml.safe_load(TRUTH.read_text())["clips"]


@pytest.mark.parametrize("exercise", ["squat", "jumping_jack"])
def test_repetitions_of_recorded_clips(shared_data: Path, exercise: str) -> None:
    true = {clip["clip"]: clip[exercise] for clip in CLIPS}
    counted = {
        clip["clip"]: count_repetitions(
            read_motion_clip(shared_data / "mocap" / clip["file"], clip["clip"]), exercise
        ).count()
        for clip in CLIPS
    }
    assert counted == true
    assert sum(true.values()) > 10


def test_recorded_squats_are_deep_and_come_when_they_do(shared_data: Path) -> None:
    """Read off the plot of clip 14_06: the hips are lowest at 9.9 and 12.0 s, 0.58 m below standing."""
    poses = read_motion_clip(shared_data / "mocap" / "cmu.h5", "14_06")
    found = [item for item in count_repetitions(poses, "squat") if item.counts]
    assert [item.deepest_seconds for item in found] == pytest.approx([9.9, 12.05], abs=0.1)
    assert [item.hip_drop for item in found] == pytest.approx([0.57, 0.59], abs=0.04)
    hints = {hint.rule for hint in check_form(poses, count_repetitions(poses, "squat"))}
    assert "squat_depth" not in hints


def test_a_recorded_half_squat_is_cut_off(shared_data: Path) -> None:
    poses = read_motion_clip(shared_data / "mocap" / "hdm05.h5", "hdm05_dg_squat1Reps_028_part1")
    (item,) = count_repetitions(poses, "squat")
    assert (item.complete, item.full, item.deepest) == (False, True, 0)


def test_recorded_squats_are_detected_and_knee_raises_are_none(shared_data: Path) -> None:
    squats = [clip for clip in CLIPS if clip["file"] == "hdm05.h5" and clip["squat"]]
    detected = [detect_exercise(read_motion_clip(shared_data / "mocap" / "hdm05.h5", c["clip"])) for c in squats[::4]]
    assert detected == ["squat"] * len(detected)


def test_recorded_squats_at_other_frame_rates(shared_data: Path) -> None:
    from dataclasses import replace

    poses = read_motion_clip(shared_data / "mocap" / "cmu.h5", "14_14")
    for step in (2, 3, 4, 6):
        thinned = poses.select(slice(None, None, step))
        assert count_repetitions(thinned, "squat").count() == 2, thinned.fps
        assert count_repetitions(thinned, "jumping_jack").count() == 3, thinned.fps
    rng = np.random.default_rng(0)
    noisy = replace(poses, xyz=poses.xyz + rng.normal(0, 0.015, poses.xyz.shape).astype(np.float32), confidence=None)
    assert count_repetitions(noisy, "squat").count() == 2
    assert count_repetitions(noisy, "jumping_jack").count() == 3

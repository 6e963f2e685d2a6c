"""Jumps of recorded motion: two independent ways to their height agree."""

from itertools import pairwise
from pathlib import Path

import pytest

from lift3d.datasets.motion_clips import read_motion_clip
from lift3d.motion.events import key_events


@pytest.mark.parametrize("clip", ["16_01", "16_02", "16_03", "16_04", "16_05", "16_06", "16_07", "16_09", "16_10"])
def test_a_recorded_jump_is_as_high_by_time_as_by_the_centre_of_mass(shared_data: Path, clip: str) -> None:
    result = key_events(read_motion_clip(shared_data / "mocap" / "cmu.h5", clip))
    (jump,) = result.jumps
    assert 0.15 < jump.height_by_time < 0.6
    # Who jumps forward lands with legs bent further than at the take-off.
    assert jump.height_by_rise == pytest.approx(jump.height_by_time, abs=0.06)


def test_walks_hold_steps_and_no_jump(shared_data: Path) -> None:
    result = key_events(read_motion_clip(shared_data / "mocap" / "cmu.h5", "16_15"))
    assert result.jumps == ()
    sides = [event.side for event in result.named("foot_strike")]
    assert len(sides) >= 4
    assert all(a != b for a, b in pairwise(sides))

"""Progress over sessions whose ranges are known."""

from datetime import date

import numpy as np
import pytest
from exercise_bodies import stand, with_noise

from lift3d.errors import Lift3DError
from lift3d.motion.progress import progress
from lift3d.motion.range_of_motion import range_of_motion
from lift3d.poses import Poses3D

FPS = 30.0
TIME = np.arange(0, 10, 1 / FPS)
EDGE = np.cos(np.pi * 0.01)


def session(most: float) -> Poses3D:
    return stand(FPS, 5 + (most - 5) / 2 * (1 - np.cos(np.pi * TIME)))


def test_change_and_slope_a_week() -> None:
    sessions = {date(2026, 1, 22): session(95), date(2026, 1, 1): session(80), date(2026, 1, 8): session(85)}
    result = progress(sessions)
    assert result.sessions == (date(2026, 1, 1), date(2026, 1, 8), date(2026, 1, 22))
    assert result.slope_unit == "degrees a week"
    line = result.of("left_knee_flexion", "maximum")
    # 5 degrees a week, but for the percentile.
    middle, half = (80 + 5) / 2, np.array([75, 80, 90]) / 2
    assert line.values == pytest.approx(5 + half + half * EDGE, abs=0.4)
    assert line.change == pytest.approx(15, abs=0.3)
    assert line.slope == pytest.approx(5, abs=0.1)
    assert line.real
    assert middle < line.values[0]


def test_labels_are_sessions_in_the_order_given() -> None:
    result = progress({"before": session(90), "after": session(80)})
    line = result.of("right_knee_flexion")
    assert result.slope_unit == "degrees a session"
    assert line.slope == pytest.approx(line.change) == pytest.approx(-10, abs=0.3)


def test_a_change_within_the_error_is_not_real() -> None:
    small = progress({"a": session(90), "b": session(93)}).of("left_knee_flexion")
    assert small.change == pytest.approx(3, abs=0.3)
    assert small.minimal_change == 5
    assert not small.real
    noisy = progress({"a": with_noise(session(90), 0.03, 1), "b": with_noise(session(98), 0.03, 2)})
    line = noisy.of("left_knee_flexion", "maximum")
    noise = max(
        range_of_motion(with_noise(session(m), 0.03, s)).of("left_knee_flexion").noise for m, s in ((90, 1), (98, 2))
    )  # type: ignore[union-attr]
    assert line.minimal_change == pytest.approx(2 * noise)
    assert line.minimal_change > 8
    assert "McGinley" in noisy.caution


def test_an_angle_that_a_session_lacks() -> None:
    hidden = session(85)
    hidden.xyz[:, :, hidden.skeleton.index("left_ankle")] = np.nan
    line = progress({"a": session(80), "b": hidden, "c": session(90)}).of("left_knee_flexion")
    assert np.isnan(line.values[1])
    assert line.change == pytest.approx(10, abs=0.3)
    assert line.slope == pytest.approx(5, abs=0.2)
    once = progress({"a": session(80), "b": hidden}).of("left_knee_flexion")
    assert np.isnan(once.change)
    assert np.isnan(once.slope)
    assert not once.real


def test_tables() -> None:
    result = progress({date(2026, 1, 1): session(80), date(2026, 1, 8): session(85)})
    table = result.to_dataframe()
    assert {"2026-01-01", "2026-01-08", "slope"} <= set(table.columns)
    assert result.to_dict()["sessions"] == ["2026-01-01", "2026-01-08"]


def test_what_is_no_progress() -> None:
    with pytest.raises(Lift3DError, match="two sessions"):
        progress({"a": session(80)})
    with pytest.raises(Lift3DError, match="all sessions by dates"):
        progress({"a": session(80), date(2026, 1, 1): session(80)})  # type: ignore[dict-item]
    with pytest.raises(Lift3DError, match="no session"):
        progress({"a": session(80), "b": session(80)}).of("left_knee_flexion", "mean")

"""Frame rates: which plan is taken, and that splitting, inserting and blending frames do what they say."""

import numpy as np
import pytest

from lift3d.lifting.placement import with_margins
from lift3d.lifting.rate import blend_phases, insert_frames, plan_rate


@pytest.mark.parametrize(
    ("fps", "phases", "insert", "seen"),
    [
        (None, 1, 1, 30), (30, 1, 1, 30), (25, 1, 1, 25), (29.97, 1, 1, 29.97), (50, 2, 1, 25), (60, 2, 1, 30),
        (120, 4, 1, 30), (240, 8, 1, 30), (15, 1, 2, 30), (10, 1, 3, 30), (5, 1, 6, 30),
    ],
)  # fmt: skip
def test_plan(fps: float | None, phases: int, insert: int, seen: float) -> None:
    plan = plan_rate(fps, 30.0)
    assert (plan.phases, plan.insert) == (phases, insert)
    assert plan.fps == pytest.approx(seen)
    assert plan.describe(fps, 30.0)


@pytest.mark.parametrize("fps", np.geomspace(3, 1000, 60))
def test_every_rate_is_seen_at_a_speed_that_training_covers(fps: float) -> None:
    assert 0.65 <= plan_rate(float(fps), 30.0).fps / 30.0 <= 1.5


def test_inserted_frames_are_linear_and_keep_the_others() -> None:
    values = np.array([[0.0, 1.0], [2.0, 5.0], [3.0, np.nan], [4.0, 2.0]])
    result = insert_frames(values, 2)
    assert len(result) == 7
    np.testing.assert_array_equal(result[::2], values)
    np.testing.assert_array_equal(result[1], [1, 3])
    assert np.isnan(result[3, 1])
    assert np.isnan(result[5, 1])


@pytest.mark.parametrize("phases", [2, 3, 4])
def test_blending_removes_the_flicker_of_phases_and_keeps_straight_motion(phases: int) -> None:
    frames = np.arange(40, dtype=np.float32)[:, None]
    flicker = np.tile(np.random.default_rng(0).normal(size=phases), 40)[:40, None].astype(np.float32)
    inner = slice(phases, -phases)
    blended = blend_phases(0.1 * frames + flicker, phases)
    np.testing.assert_allclose(blended[inner], 0.1 * frames[inner] + flicker[:phases].mean(), atol=1e-5)


def test_blending_goes_around_missing_frames() -> None:
    poses = np.ones((20, 2), np.float32)
    poses[8:10] = np.nan
    blended = blend_phases(poses, 3)
    assert np.isnan(blended[8:10]).all()
    np.testing.assert_allclose(np.delete(blended, [8, 9], 0), 1, rtol=1e-6)


@pytest.mark.parametrize(("margin", "size"), [(0, 4), (2, 5), (3, 1), (7, 2), (4, 100)])
def test_stretches_with_margins_filter_in_place_like_the_whole(margin: int, size: int) -> None:
    """A running maximum over the margin, written in place, equals the one of the untouched array."""
    values = np.random.default_rng(1).normal(size=23)
    expected = [values[max(0, k - margin) : k + margin + 1].max() for k in range(23)]
    array = values.copy()
    for chunk, lead, around in with_margins(array, margin, size):
        array[chunk] = [
            around[max(0, k - margin) : k + margin + 1].max() for k in range(lead, lead + chunk.stop - chunk.start)
        ]
    np.testing.assert_array_equal(array, expected)

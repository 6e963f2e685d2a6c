"""Gaps filled in motions whose missing part is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import ShapeError
from lift3d.motion.gaps import fill_gaps, interpolate_gaps, runs, short_gaps
from lift3d.poses import SOURCES, Poses3D
from lift3d.skeletons import make_skeleton

PAIR = make_skeleton("pair", {"a": None, "b": "a"})


@pytest.mark.parametrize(("method", "degree"), [("linear", 1), ("cubic", 3)])
def test_polynomials_come_back(method: str, degree: int) -> None:
    t = np.linspace(-1, 1, 60)
    motion = np.stack([t**degree, 1 - t, 0 * t + 3], axis=1)
    broken = motion.copy()
    broken[[5, 6, 7, 30, 31, 40]] = np.nan
    np.testing.assert_allclose(interpolate_gaps(broken, 5, method), motion, atol=1e-12)


def test_pchip_does_not_overshoot() -> None:
    step = np.array([0.0, 0, 0, np.nan, np.nan, 1, 1, 1])[:, None]
    filled = interpolate_gaps(step, 3, "pchip")
    assert ((filled >= 0) & (filled <= 1)).all()
    assert (np.diff(filled[:, 0]) >= 0).all()


@settings(max_examples=50, deadline=None)
@given(seen=st.lists(st.booleans(), min_size=1, max_size=40), longest=st.integers(0, 6))
def test_only_short_gaps_between_seen_frames_are_filled(seen: list[bool], longest: int) -> None:
    mask = np.array(seen)
    expected = np.zeros(len(mask), dtype=bool)
    for start, stop in runs(~mask):
        expected[start:stop] = start > 0 and stop < len(mask) and stop - start <= longest
    np.testing.assert_array_equal(short_gaps(mask, longest), expected)
    values = np.where(mask, np.arange(len(mask)), np.nan)[:, None, None]
    filled = interpolate_gaps(values, longest, "linear")
    np.testing.assert_array_equal(np.isfinite(filled[:, 0, 0]), mask | expected)
    np.testing.assert_array_equal(filled[mask], values[mask])


def test_poses_say_what_was_filled_and_how_sure_it_is() -> None:
    t = np.arange(60) / 30
    motion = np.zeros((60, 1, 2, 3), np.float32)
    motion[:, 0, 0, 0] = np.sin(3 * t)
    motion[:, 0, 1, 1] = t
    broken = motion.copy()
    broken[10:15, 0, 0] = np.nan
    broken[20:40, 0, 1] = np.nan
    sigma = np.where(np.isfinite(broken[..., 0]), 0.01, np.nan)
    filled = fill_gaps(Poses3D(broken, skeleton=PAIR, fps=30.0, sigma=sigma), max_gap=0.2)
    assert filled.source is not None
    assert filled.sigma is not None
    interpolated = filled.source == SOURCES.index("interpolated")
    assert interpolated[10:15, 0, 0].all()
    assert interpolated.sum() == 5
    assert np.isnan(filled.xyz[20:40, 0, 1]).all()
    assert (filled.source[20:40, 0, 1] == SOURCES.index("missing")).all()
    assert (filled.confidence[10:15, 0, 0] == 0.5).all()
    assert filled.sigma[12, 0, 0] > filled.sigma[10, 0, 0] > 0.01
    error = np.linalg.norm(filled.xyz - motion, axis=-1)[10:15, 0, 0]
    assert (error < 3 * filled.sigma[10:15, 0, 0]).all()
    np.testing.assert_array_equal(filled.xyz[:10], motion[:10])


def test_nothing_seen_and_bad_arguments() -> None:
    nothing = Poses3D(np.full((5, 1, 2, 3), np.nan), skeleton=PAIR, sigma=np.full((5, 1, 2), np.nan))
    assert np.isnan(fill_gaps(nothing).xyz).all()
    with pytest.raises(ShapeError, match="0 seconds or more"):
        fill_gaps(nothing, max_gap=-1)
    with pytest.raises(ShapeError, match="pchip, cubic, linear"):
        fill_gaps(nothing, method="magic")

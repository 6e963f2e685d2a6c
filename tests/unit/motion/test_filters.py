"""Filters against motions whose filtered form is known."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import Lift3DError, ShapeError
from lift3d.motion.filters import (
    butterworth,
    filter_poses,
    hampel,
    median,
    parse_filter,
    residual_cutoff,
    savitzky_golay,
)
from lift3d.motion.one_euro import OneEuroFilter, one_euro
from lift3d.poses import Poses3D
from lift3d.skeletons import make_skeleton

FPS = 60.0
SINGLE = make_skeleton("single", {"a": None})
FILTERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "butterworth": lambda x: butterworth(x, FPS, 6.0),
    "savitzky_golay": lambda x: savitzky_golay(x, 7, 3),
    "one_euro": lambda x: one_euro(x, FPS),
    "median": lambda x: median(x, 2),
    "hampel": lambda x: hampel(x, 3),
}


def complex_gain(filtered: np.ndarray, frequency: float) -> complex:
    """What a filter made of a cosine of that frequency, away from the ends."""
    inner = slice(len(filtered) // 4, -len(filtered) // 4)
    t = np.arange(len(filtered)) / FPS
    basis = np.stack([np.cos(2 * np.pi * frequency * t), -np.sin(2 * np.pi * frequency * t)], axis=1)
    real, imaginary = np.linalg.lstsq(basis[inner], filtered[inner], rcond=None)[0]
    return complex(real, imaginary)


@pytest.mark.parametrize("cutoff", [2.0, 6.0, 20.0])
@pytest.mark.parametrize("order", [2, 4, 8])
def test_butterworth_takes_half_the_power_at_the_cutoff_without_delay(cutoff: float, order: int) -> None:
    motion = np.cos(2 * np.pi * cutoff * np.arange(3000) / FPS)
    gain = complex_gain(butterworth(motion, FPS, cutoff, order), cutoff)
    assert abs(gain) == pytest.approx(1 / np.sqrt(2), abs=1e-6)
    assert np.angle(gain) == pytest.approx(0, abs=1e-6)


def test_butterworth_falls_with_its_order() -> None:
    cutoff, frequency, order = 4.0, 12.0, 4
    gain = complex_gain(butterworth(np.cos(2 * np.pi * frequency * np.arange(3000) / FPS), FPS, cutoff, order), 12.0)
    # Two passes of order 2, each with the corrected cut-off, on the bilinear transform's scale of frequencies.
    ratio = np.tan(np.pi * frequency / FPS) / np.tan(np.pi * cutoff / FPS)
    assert abs(gain) == pytest.approx(1 / (1 + (np.sqrt(2) - 1) * ratio**order), abs=1e-6)


def test_savitzky_golay_keeps_polynomials_of_its_degree_to_the_ends() -> None:
    t = np.linspace(-1, 1, 50)
    motion = np.stack([t**3 - t, 2 * t**2, t], axis=1)
    np.testing.assert_allclose(savitzky_golay(motion, 9, 3), motion, atol=1e-12)
    assert np.abs(savitzky_golay(t**4, 9, 3) - t**4).max() > 1e-6


def test_one_euro_is_the_published_algorithm() -> None:
    rng = np.random.default_rng(0)
    motion = np.cumsum(rng.normal(size=80)) * 0.05
    cutoff, beta, speed_cutoff = 1.3, 0.7, 1.1

    def alpha(frequency: float) -> float:
        period, tau = 1 / FPS, 1 / (2 * np.pi * frequency)
        return 1 / (1 + tau / period)

    expected, speed = [motion[0]], 0.0
    for value in motion[1:]:
        speed = alpha(speed_cutoff) * (value - expected[-1]) * FPS + (1 - alpha(speed_cutoff)) * speed
        share = alpha(cutoff + beta * abs(speed))
        expected.append(share * value + (1 - share) * expected[-1])
    np.testing.assert_allclose(one_euro(motion, FPS, cutoff, beta, speed_cutoff), expected, rtol=1e-12)


def test_one_euro_is_causal_and_starts_anew_after_a_gap() -> None:
    motion = np.sin(np.arange(40) / 5.0)
    changed = motion.copy()
    changed[30:] += 1
    np.testing.assert_array_equal(one_euro(motion, FPS)[:30], one_euro(changed, FPS)[:30])
    broken = motion.copy()
    broken[20] = np.nan
    np.testing.assert_array_equal(one_euro(broken, FPS)[21:], one_euro(motion[21:], FPS))
    stream = OneEuroFilter(FPS)
    np.testing.assert_array_equal([stream(value) for value in motion], one_euro(motion, FPS))


def test_spikes_go_and_the_rest_stays_exactly() -> None:
    motion = np.sin(np.arange(100) / 10)[:, None] * [1.0, 2.0]
    spiked = motion.copy()
    spiked[[20, 60], [0, 1]] += 5
    cleaned = hampel(spiked, 3, 4.0)
    changed = cleaned != spiked
    assert changed[20, 0]
    assert changed[60, 1]
    assert changed.sum() == 2
    assert np.abs(cleaned - motion).max() < 0.2
    assert np.abs(median(spiked, 2) - motion).max() < 0.3


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(sorted(FILTERS)),
    seed=st.integers(0, 2**32 - 1),
    shift=st.floats(-100, 100),
    missing=st.floats(0, 0.6),
)
def test_properties_of_all_filters(name: str, seed: int, shift: float, missing: float) -> None:
    rng = np.random.default_rng(seed)
    motion = np.cumsum(rng.normal(size=(70, 3, 3)), axis=0)
    motion[rng.random((70, 3)) < missing] = np.nan
    work = FILTERS[name]
    filtered = work(motion)
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(motion))
    np.testing.assert_allclose(work(motion + shift), filtered + shift, atol=1e-7 if name != "hampel" else 1e-5)
    constant = np.where(np.isnan(motion), np.nan, shift)
    np.testing.assert_allclose(work(constant), constant, atol=1e-9)
    if name != "one_euro":
        # What lies across a gap does not matter.
        motion[35] = np.nan
        other = motion.copy()
        other[36:] += 100
        np.testing.assert_array_equal(work(other)[:35], work(motion)[:35])


def test_residual_analysis_finds_a_cutoff_near_the_best() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(1200) / FPS
    clean = np.stack([np.sin(2 * np.pi * 0.8 * t), 0.5 * np.cos(2 * np.pi * 1.7 * t), 0.1 * np.sin(10 * t)], axis=1)
    noisy = clean + rng.normal(0, 0.02, clean.shape)
    cutoff = residual_cutoff(noisy, FPS)

    def error(frequency: float) -> float:
        return float(np.sqrt(np.mean((butterworth(noisy, FPS, frequency) - clean) ** 2)))

    assert 1.7 < cutoff < 8
    assert error(cutoff) < 1.35 * min(error(frequency) for frequency in np.arange(1, 20, 0.25))


def test_poses_are_filtered_and_say_so() -> None:
    rng = np.random.default_rng(0)
    xyz = np.cumsum(rng.normal(size=(50, 2, 1, 3)), axis=0).astype(np.float32)
    xyz[10, 0] = np.nan
    poses = Poses3D(xyz, skeleton=SINGLE, fps=FPS, reprojection_error=np.ones((50, 2, 1)))
    filtered = filter_poses(poses, *(name := parse_filter("butterworth:6.5"))[:1], **name[1])
    np.testing.assert_allclose(filtered.xyz, butterworth(xyz, FPS, 6.5))
    assert filtered.reprojection_error is None
    assert filtered.provenance["steps"] == ["filtered: butterworth (cutoff 6.5)"]
    assert parse_filter("kalman:model=acceleration,noise=0.01") == (
        "kalman",
        {"model": "acceleration", "noise": 0.01},
    )


def test_kalman_filters_the_root_of_lifted_poses_like_their_surest_joint() -> None:
    """Its sigma is 0, for the others' is relative to it; it is no less noisy than they are."""
    rng = np.random.default_rng(5)
    same = np.repeat(rng.normal(0, 0.02, (60, 1, 1, 3)), 17, axis=2)
    sigma = np.full((60, 1, 17), 0.05)
    sigma[:, :, 0], sigma[:, :, 4] = 0, 0.02
    smoothed = filter_poses(Poses3D(same, skeleton="h36m17", fps=FPS, sigma=sigma), "kalman")
    np.testing.assert_allclose(smoothed.xyz[:, :, 0], smoothed.xyz[:, :, 4], atol=1e-7)
    assert float(smoothed.xyz[:, :, 0].std()) < 0.8 * float(same.std())
    assert smoothed.sigma is not None
    assert (smoothed.sigma[:, :, 0] == 0).all()
    assert (smoothed.sigma[:, :, 1:] > 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: filter_poses(p, "gauss"), "unknown filter 'gauss'"),
        (lambda p: filter_poses(p, "median", cutoff=3), "no parameter cutoff; it has radius"),
        (lambda p: filter_poses(p, "butterworth", cutoff=40), "half the frame rate"),
        (lambda p: filter_poses(p, "butterworth", order=3), "even number"),
        (lambda p: filter_poses(p, "savitzky_golay", window=4), "odd number"),
        (lambda p: filter_poses(p, "one_euro", beta=-1), "beta"),
        (lambda p: filter_poses(p, "kalman"), "needs sigma"),
        (lambda p: filter_poses(p, "median", radius=0), "radius"),
        (lambda p: filter_poses(p, "hampel", threshold=0), "threshold"),
        (lambda p: parse_filter("butterworth:fast"), "'fast' is not a number"),
        (lambda p: residual_cutoff(p.xyz[:20], FPS), "a second without a gap"),
    ],
)
def test_what_cannot_be_is_refused(call: Callable[[Poses3D], object], message: str) -> None:
    with pytest.raises(Lift3DError, match=message):
        call(Poses3D(np.zeros((100, 1, 1, 3)), skeleton=SINGLE, fps=FPS))


def test_hertz_need_a_frame_rate() -> None:
    with pytest.raises(Lift3DError, match="frame rate"):
        filter_poses(Poses3D(np.zeros((30, 1, 1, 3)), skeleton=SINGLE), "butterworth")
    assert isinstance(ShapeError("x"), Lift3DError)

"""Calibration of sigma and its coverage on errors whose distribution is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import erf

from lift3d.errors import CheckpointError, ShapeError
from lift3d.evaluation.coverage import FOLDS, NOMINAL, SigmaTally
from lift3d.evaluation.sigma_calibration import (
    BINS,
    LEVELS,
    SigmaCalibration,
    calibrate_checkpoint,
    count_ratios,
    fit_calibration,
    share_within,
)

JOINTS = ("root", "knee", "wrist")
# Half widths of a Laplace distribution's central intervals, in its 68.27 % half width: ln(1 - p) / ln(1 - 0.6827).
LAPLACE = [np.log(1 - share) / np.log(1 - LEVELS[68]) for share in LEVELS.values()]
GAUSS = [0.6745, 1.0, 1.2816, 1.6449, 1.96]


def normal_share(z: float) -> float:
    """P(|z'| < z) of a standard normal."""
    return float(erf(z / np.sqrt(2)))


def draw(kind: str, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Errors of 1 sigma (normal) or scale 1 sigma (Laplace), and sigma from 5 to 50 mm."""
    generator = np.random.default_rng(seed)
    sigma = np.exp(generator.uniform(np.log(0.005), np.log(0.05), (n, len(JOINTS), 3)))
    return getattr(generator, kind)(size=sigma.shape) * sigma, sigma


@pytest.mark.parametrize(("kind", "multiples", "half_width"), [("normal", GAUSS, 1.0), ("laplace", LAPLACE, 1.1479)])
def test_the_fit_finds_the_scale_of_each_axis(kind: str, multiples: list[float], half_width: float) -> None:
    errors, sigma = draw(kind, 30_000)
    claimed = sigma / np.array([2.0, 0.5, 1.3])
    fit = fit_calibration(count_ratios(errors, claimed))
    assert fit.temperature == pytest.approx(np.array([2.0, 0.5, 1.3]) * half_width, rel=0.02)
    assert fit.multiples == pytest.approx(multiples, rel=0.02)


@pytest.mark.parametrize("kind", ["normal", "laplace", "standard_cauchy"])
def test_held_out_errors_are_covered_as_the_intervals_say(kind: str) -> None:
    fitted, held_out = SigmaTally(JOINTS), SigmaTally(JOINTS)
    fitted.add(*draw(kind, 20_000, seed=1))
    held_out.add(*draw(kind, 20_000, seed=2))
    coverage = held_out.coverage(fitted.fit())
    # 80,000 coordinates (the root does not count): three standard errors are half a point.
    assert coverage.pooled == pytest.approx(NOMINAL, abs=0.8)
    assert coverage.calibration_error < 0.5
    for values in (*coverage.axes.values(), *coverage.joints.values()):
        assert values == pytest.approx(NOMINAL, abs=1.5)
    assert "root" not in coverage.joints


def test_error_bars_that_are_too_small_are_shown_as_such() -> None:
    errors, sigma = draw("normal", 20_000)
    tally = SigmaTally(JOINTS)
    tally.add(errors, sigma / 2)
    coverage = tally.coverage(SigmaCalibration())
    # Half the width holds 38.3 % of normal errors where 68.27 % are promised.
    assert coverage.pooled[1] == pytest.approx(38.3, abs=1)
    assert coverage.calibration_error > 20
    assert "68.27 %" in coverage.describe()


def test_seen_and_unseen_joints_and_single_joints_are_told_apart() -> None:
    errors, sigma = draw("normal", 20_000)
    seen = np.ones(errors.shape[:2], bool)
    seen[:5000, 1] = False
    errors[:5000, 1] *= 3  # three times as wrong where it is not seen
    tally = SigmaTally(JOINTS)
    tally.add(errors, sigma, seen)
    coverage = tally.coverage(SigmaCalibration())
    assert coverage.seen is not None
    assert coverage.unseen is not None
    assert coverage.seen == pytest.approx(NOMINAL, abs=1)
    assert coverage.unseen[1] == pytest.approx(26.1, abs=1.5)  # P(|z| < 1/3)
    assert coverage.joints["wrist"] == pytest.approx(NOMINAL, abs=1)
    assert coverage.joints["knee"][1] == pytest.approx((26.1 + 3 * 68.27) / 4, abs=1.5)


def test_cross_fitting_measures_each_person_by_the_others() -> None:
    tally = SigmaTally(JOINTS)
    for person, factor in enumerate((1.0, 1.0, 3.0)):
        errors, sigma = draw("normal", 10_000, seed=person)
        tally.add(errors * factor, sigma, person=f"S{person}")
    # Fitted on all three at once the pooled 68 % are exact by construction; the others' fit shows the third person.
    assert tally.coverage(tally.fit()).pooled[1] == pytest.approx(68.27, abs=0.1)
    crossed = tally.cross_fitted_coverage()
    # S2 by the fit on S0 and S1; S0 and S1 by the fit on one another and S2, whose half width is found here.
    widened = brentq(lambda t: normal_share(t) + normal_share(t / 3) - 2 * LEVELS[68], 0.1, 10)
    expected = 100 * (normal_share(1 / 3) + 2 * normal_share(widened)) / 3
    assert expected > 70
    assert crossed.pooled[1] == pytest.approx(expected, abs=0.8)
    alone = SigmaTally(JOINTS)
    alone.add(*draw("normal", 10_000), person="S1")
    with pytest.raises(ShapeError, match="two people"):
        alone.cross_fitted_coverage()


def test_more_people_than_groups() -> None:
    tally = SigmaTally(JOINTS)
    for person in range(FOLDS + 3):
        tally.add(*draw("laplace", 2000, seed=person), person=f"S{person}")
    assert tally.cross_fitted_coverage().pooled == pytest.approx(NOMINAL, abs=1)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=200), st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_counts_agree_with_counting_one_by_one(ratios: list[float], limit: float) -> None:
    errors = np.array(ratios).reshape(-1, 1, 1) * np.ones(3) * 0.01
    counts = count_ratios(errors * np.array([1, -1, 1]), np.full_like(errors, 0.01))
    assert counts.sum() == 3 * len(ratios)
    # A bin is 0.9 % wide: only ratios that near the limit may fall on its other side.
    low, high = (float((np.array(ratios) < limit * f).mean()) for f in (0.99, 1.01))
    assert low - 1e-9 <= float(share_within(counts[0, 0], limit)) <= high + 1e-9


def test_what_does_not_count_is_not_counted() -> None:
    errors, sigma = draw("normal", 1000)
    errors[:400] = np.nan
    sigma[:, :, 1] = np.nan
    counts = count_ratios(errors, sigma)
    assert counts.sum(axis=-1).tolist() == [[600, 0, 600]] * 3
    with pytest.raises(ShapeError, match="cannot be calibrated on 0"):
        fit_calibration(counts)
    with pytest.raises(ShapeError, match="must both be"):
        count_ratios(errors, sigma[:10])
    exact = np.zeros((10, 3, 3))
    assert count_ratios(exact, exact + 0.1)[..., 0].sum() == 90


def test_rank_correlation_and_sharpness() -> None:
    errors, sigma = draw("normal", 5000)
    errors = np.abs(sigma)  # the error is exactly sigma: ranks agree
    tally = SigmaTally(JOINTS)
    for start in range(0, 5000, 500):
        tally.add(errors[start : start + 500], sigma[start : start + 500])
    coverage = tally.coverage(SigmaCalibration((2.0, 2.0, 2.0)))
    assert coverage.spearman == pytest.approx(1)
    assert coverage.sigma == pytest.approx(2000 * sigma[:, 1:].mean(axis=(0, 1)))
    assert coverage.error == pytest.approx(1000 * np.sqrt((sigma[:, 1:] ** 2).mean(axis=(0, 1))))
    # Sigma that does not tell anything.
    tally = SigmaTally(JOINTS)
    tally.add(*(draw("normal", 5000)[0], draw("normal", 5000, seed=9)[1]))
    assert abs(tally.coverage(SigmaCalibration()).spearman) < 0.05


def test_the_kept_coordinates_are_an_even_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lift3d.evaluation.coverage.KEPT", 300)
    tally = SigmaTally(("knee",), root=None)
    for value in range(1, 101):
        tally.add(np.full((20, 1, 3), float(value)), np.ones((20, 1, 3)))
    values = tally._kept[:, 3]
    assert len(values) == 300
    assert values.mean() == pytest.approx(50.5, abs=6)  # standard error 1.7
    assert tally.counts.shape[-1] == BINS


def test_a_calibration_travels_in_a_checkpoint() -> None:
    calibration = SigmaCalibration((1.2, 0.8, 1.5), (0.6, 1.0, 1.4, 2.0, 2.63))
    values = calibration.to_dict()
    assert values["temperature"] == [1.2, 0.8, 1.5]
    assert (values["interval_68"], values["interval_95"]) == (1.0, 2.63)
    assert SigmaCalibration.from_dict(values) == calibration
    assert SigmaCalibration.from_dict({}) == SigmaCalibration()
    for broken in ({"temperature": [1, 2]}, {"temperature": [1, 1, -1], "interval_68": 1}, {"temperature": "x"}):
        with pytest.raises(CheckpointError, match="calibration of sigma"):
            SigmaCalibration.from_dict(broken)


def test_a_network_without_sigma_cannot_be_calibrated(tmp_path: Path) -> None:
    from lift3d.models.checkpoint import load_checkpoint

    if getattr(load_checkpoint("default")[0].config, "sigma", False):
        pytest.skip("the weights that ship give sigma")
    with pytest.raises(CheckpointError, match="gives no sigma"):
        calibrate_checkpoint("default", SigmaCalibration(), tmp_path / "out.safetensors")
    assert not list(tmp_path.iterdir())

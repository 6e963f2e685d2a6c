"""Whether error bars hold: the share of errors inside intervals that say which share they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lift3d.errors import ShapeError
from lift3d.evaluation.report import markdown_table
from lift3d.evaluation.sigma_calibration import (
    AXES,
    BINS,
    LEVELS,
    SigmaCalibration,
    count_ratios,
    fit_calibration,
    share_within,
)

# People are dealt out to this many groups, each of which is measured with the calibration of the others.
FOLDS = 8
# Coordinates that are kept for the correlation of sigma and error, drawn evenly from all.
KEPT = 100_000
NOMINAL = tuple(100 * share for share in LEVELS.values())


@dataclass(frozen=True)
class Coverage:
    """How much of the errors lies within intervals of 50, 68.27, 80, 90 and 95 per cent.

    Attributes:
        pooled: per cent measured at each level, over all coordinates.
        axes: the same for each of the network's axes.
        joints: the same for each joint.
        seen, unseen: the same for joints that the detector saw and did not see; None if there are none.
        coordinates: how many were measured.
        sigma: mean calibrated sigma of each axis, mm (sharpness: the smaller, the more the error bars tell).
        error: root mean square error of each axis, mm.
        spearman: rank correlation of sigma and absolute error, NaN if either is constant.
        calibration: what sigma was multiplied with; of cross-fitting the one fitted on everybody.
        how: which errors the calibration was fitted on.
    """

    pooled: tuple[float, ...]
    axes: dict[str, tuple[float, ...]]
    joints: dict[str, tuple[float, ...]]
    seen: tuple[float, ...] | None
    unseen: tuple[float, ...] | None
    coordinates: int
    sigma: tuple[float, ...]
    error: tuple[float, ...]
    spearman: float
    calibration: SigmaCalibration
    how: str

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: mean distance of measured and nominal coverage over the levels, points."""
        return float(np.mean(np.abs(np.subtract(self.pooled, NOMINAL))))

    @property
    def deviation(self) -> float:
        """How far the measured coverage of the 68 and 95 % intervals is off at most, points, over all coordinates."""
        return max(abs(self.pooled[k] - NOMINAL[k]) for k, level in enumerate(LEVELS) if level in (68, 95))

    def rows(self) -> dict[str, tuple[float, ...]]:
        """What there is to show, name by name."""
        rows = {"all": self.pooled}
        rows |= {f"axis {axis}": values for axis, values in self.axes.items()}
        rows |= {f"joints {name}": value for name in ("seen", "unseen") if (value := getattr(self, name)) is not None}
        return rows | self.joints

    def to_dict(self) -> dict[str, Any]:
        """The coverage as JSON values."""

        def named(values: tuple[float, ...] | None) -> dict[str, float] | None:
            return None if values is None else {str(level): v for level, v in zip(LEVELS, values, strict=True)}

        return {
            "nominal": named(NOMINAL),
            "pooled": named(self.pooled),
            "axes": {axis: named(values) for axis, values in self.axes.items()},
            "joints": {joint: named(values) for joint, values in self.joints.items()},
            "seen": named(self.seen),
            "unseen": named(self.unseen),
            "coordinates": self.coordinates,
            "mean_sigma_mm": dict(zip(AXES, self.sigma, strict=True)),
            "rms_error_mm": dict(zip(AXES, self.error, strict=True)),
            "spearman": self.spearman,
            "expected_calibration_error_points": self.calibration_error,
            "deviation_of_68_and_95_points": self.deviation,
            "calibration": self.calibration.to_dict(),
            "fitted_on": self.how,
        }

    def describe(self) -> str:
        """The coverage as Markdown, which reads as plain text too."""
        head = ("per cent of errors within", *(f"{nominal:.4g} %" for nominal in NOMINAL))
        temperature = ", ".join(f"{axis} {t:.3f}" for axis, t in zip(AXES, self.calibration.temperature, strict=True))
        multiples = dict(zip(LEVELS, self.calibration.multiples, strict=True))
        return "\n".join(
            [
                *markdown_table(head, [(name, *(f"{v:.1f}" for v in values)) for name, values in self.rows().items()]),
                "",
                f"- calibration: {self.how}; temperature {temperature}; 95 % within {multiples[95]:.2f} sigma",
                f"- 68 and 95 % intervals off by {self.deviation:.1f} points at most; expected calibration error "
                f"{self.calibration_error:.1f} points over {self.coordinates} coordinates",
                f"- mean sigma {', '.join(f'{a} {s:.1f}' for a, s in zip(AXES, self.sigma, strict=True))} mm; "
                f"root mean square error {', '.join(f'{a} {e:.1f}' for a, e in zip(AXES, self.error, strict=True))} mm",
                f"- rank correlation (Spearman) of sigma and error {self.spearman:.2f}",
            ]
        )


class SigmaTally:
    """Counts errors in units of their sigma, batch by batch, in memory that does not grow.

    Args:
        joints: names of the joints.
        root: the joint that all others are relative to, whose error is 0 by definition and does not count.
    """

    def __init__(self, joints: Sequence[str], root: int | None = 0) -> None:
        self.joints, self.root = tuple(joints), root
        self.counts = np.zeros((FOLDS, 2, len(self.joints), 3, BINS), np.int64)
        self.folds: dict[str, int] = {}
        self._sums = np.zeros((3, 3))  # of each axis: coordinates, sigma, squared error
        self._kept = np.zeros((0, 4))  # order of drawing, axis, sigma, absolute error
        self._random = np.random.default_rng(0)

    def add(self, errors: np.ndarray, sigma: np.ndarray, seen: np.ndarray | None = None, person: str = "") -> None:
        """Count a batch.

        Args:
            errors: (n, joints, 3) prediction minus truth, metres, in the network's axes; NaN where it does not count.
            sigma: (n, joints, 3) as the network gives it, metres.
            seen: (n, joints) bool, whether the detector saw the joint; None counts all as seen.
            person: who it is, for cross-fitting.

        Raises:
            ShapeError: the shapes do not fit.
        """
        if errors.shape[1:] != (len(self.joints), 3):
            raise ShapeError(f"errors must be (n, {len(self.joints)}, 3), not {errors.shape}")
        errors, sigma = np.array(errors, np.float64), np.asarray(sigma, np.float64)
        if self.root is not None:
            errors[:, self.root] = np.nan
        seen = np.ones(errors.shape[:2], bool) if seen is None else seen
        fold = self.folds.setdefault(person, len(self.folds) % FOLDS)
        for group in (True, False):
            inside = np.where((seen == group)[..., None], errors, np.nan)
            self.counts[fold, int(group)] += count_ratios(inside, sigma)
        known = np.isfinite(errors) & np.isfinite(sigma) & (sigma > 0)
        error, spread = np.where(known, errors, 0), np.where(known, sigma, 0)
        self._sums += [known.sum((0, 1)), spread.sum((0, 1)), np.square(error).sum((0, 1))]
        self._keep(np.argwhere(known)[:, 2], spread[known], np.abs(error[known]))

    def _keep(self, axis: np.ndarray, sigma: np.ndarray, error: np.ndarray) -> None:
        order = self._random.random(len(axis))
        # An even draw: of all coordinates so far, those with the lowest numbers stay.
        if len(self._kept) == KEPT:
            chosen = order < self._kept[:, 0].max()
            order, axis, sigma, error = order[chosen], axis[chosen], sigma[chosen], error[chosen]
        kept = np.concatenate([self._kept, np.stack([order, axis, sigma, error], axis=1)])
        self._kept = kept[np.argpartition(kept[:, 0], KEPT - 1)[:KEPT]] if len(kept) > KEPT else kept

    def fit(self) -> SigmaCalibration:
        """The calibration of all that was counted. Raises ShapeError if that is too little."""
        return fit_calibration(self.counts)

    def coverage(self, calibration: SigmaCalibration, how: str = "as the checkpoint says") -> Coverage:
        """The coverage under a calibration that was fitted on other people."""
        return self._coverage([calibration] * FOLDS, calibration, how)

    def cross_fitted_coverage(self) -> Coverage:
        """The coverage of each person under the calibration fitted on the others.

        Raises:
            ShapeError: there is one person only, or too few coordinates.
        """
        if len(self.folds) < 2:
            raise ShapeError("cross-fitting takes two people or more: there is nobody to fit on but the one measured")
        used = sorted(set(self.folds.values()))
        fits = {fold: fit_calibration(np.delete(self.counts, fold, axis=0)) for fold in used}
        everybody = self.fit()
        how = f"each person by the fit on the others ({len(self.folds)} people in {len(used)} groups)"
        return self._coverage([fits.get(fold, everybody) for fold in range(FOLDS)], everybody, how)

    def _coverage(self, by_fold: list[SigmaCalibration], shown: SigmaCalibration, how: str) -> Coverage:
        count, sigma, square = self._sums
        if not count.all():
            raise ShapeError("there are no errors to hold against sigma")
        # Counts and those within each level: (folds, seen, joints, axes[, levels]).
        total = self.counts.sum(axis=-1)
        within = np.zeros((*total.shape, len(LEVELS)))
        for place in np.argwhere(total):
            calibration = by_fold[place[0]]
            ratio = np.array(calibration.multiples) * calibration.temperature[place[3]]
            within[tuple(place)] = share_within(self.counts[tuple(place)], ratio) * total[tuple(place)]

        def per_cent(*where: Any) -> tuple[float, ...] | None:
            inside, all_of_them = within[where].reshape(-1, len(LEVELS)).sum(axis=0), total[where].sum()
            return tuple(float(100 * value / all_of_them) for value in inside) if all_of_them else None

        def by_name(names: Sequence[str], *before: Any) -> dict[str, tuple[float, ...]]:
            found = {name: per_cent(*before, index) for index, name in enumerate(names)}
            return {name: values for name, values in found.items() if values is not None}

        everywhere = slice(None)
        pooled = per_cent(...)
        assert pooled is not None
        return Coverage(
            pooled=pooled,
            axes=by_name(AXES, everywhere, everywhere, everywhere),
            joints=by_name(self.joints, everywhere, everywhere),
            seen=per_cent(everywhere, 1),
            unseen=per_cent(everywhere, 0),
            coordinates=int(count.sum()),
            sigma=tuple(float(v) for v in 1000 * sigma / count * shown.temperature),
            error=tuple(float(v) for v in 1000 * np.sqrt(square / count)),
            spearman=self._spearman(shown),
            calibration=shown,
            how=how,
        )

    def _spearman(self, calibration: SigmaCalibration) -> float:
        from scipy.stats import rankdata

        _, axis, sigma, error = self._kept.T
        ranks = rankdata(sigma * np.take(calibration.temperature, axis.astype(int))), rankdata(error)
        spread = [np.std(rank) for rank in ranks]
        return float(np.corrcoef(*ranks)[0, 1]) if min(spread) > 0 else float("nan")

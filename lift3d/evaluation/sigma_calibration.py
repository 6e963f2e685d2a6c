"""Error bars that hold: the factor a axis that makes sigma true, and how many sigma hold other shares of the errors.

A network's sigma is right up to a factor at best, and its errors have longer tails than a normal distribution. With
the ratio r = |error| / sigma of every coordinate, the temperature of an axis is the quantile of its r that 68.27 % of
them stay below, so that one calibrated sigma holds 68.27 % as it would of normal errors; the multiple of sigma that
holds another share is the quantile of r / temperature over all axes. Quantiles do not care how far outliers lie.

Source: V. Kuleshov et al., "Accurate uncertainties for deep learning using calibrated regression", ICML 2018, whose
map from nominal to measured quantiles this is, reduced to one factor an axis and one multiple a level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np

from lift3d.errors import CheckpointError, ShapeError

AXES = ("x", "y", "z")
# The shares of errors that intervals are made for, by the number in their name; 68 is one sigma of a normal.
LEVELS = {50: 0.5, 68: 0.6827, 80: 0.8, 90: 0.9, 95: 0.95}
NORMAL = {50: 0.6745, 68: 1.0, 80: 1.2816, 90: 1.6449, 95: 1.9600}
# Fewer coordinates than this on an axis make no calibration.
LEAST_SAMPLES = 200

# Ratios are counted in bins of equal width of their logarithm, so that memory does not grow with their number.
BINS = 2048
LOG_EDGES = np.linspace(np.log(1e-4), np.log(1e4), BINS + 1)


@dataclass(frozen=True)
class SigmaCalibration:
    """How a network's sigma becomes error bars.

    Attributes:
        temperature: factor of sigma on each of the network's three axes.
        multiples: for each of LEVELS how many calibrated sigma hold that share of the errors.
    """

    temperature: tuple[float, float, float] = (1.0, 1.0, 1.0)
    multiples: tuple[float, ...] = tuple(NORMAL.values())

    def to_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps (``CheckpointInfo.sigma``)."""
        intervals = {f"interval_{level}": multiple for level, multiple in zip(LEVELS, self.multiples, strict=True)}
        return {"temperature": list(self.temperature), **intervals}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SigmaCalibration:
        """The calibration of a checkpoint: nothing means sigma as the network gives it, with normal errors.

        Raises:
            CheckpointError: a value is missing, or no positive number.
        """
        if not values:
            return cls()
        try:
            temperature = tuple(float(value) for value in values["temperature"])
            multiples = tuple(
                float(values.get(f"interval_{level}", NORMAL[level] * values["interval_68"])) for level in LEVELS
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the checkpoint's calibration of sigma cannot be read ({error!r})") from error
        if len(temperature) != 3 or not all(0 < value < np.inf for value in temperature + multiples):
            raise CheckpointError(f"the checkpoint's calibration of sigma must be positive numbers, not {values}")
        return cls((temperature[0], temperature[1], temperature[2]), multiples)


def count_ratios(errors: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """How often each ratio |error| / sigma occurs, by joint and axis.

    Args:
        errors, sigma: (n, joints, 3) metres, in the network's axes; NaN where a coordinate does not count.

    Returns:
        (joints, 3, BINS) int64; ratios beyond the edges are counted in the outermost bins.

    Raises:
        ShapeError: the shapes differ or are not (n, joints, 3).
    """
    if errors.ndim != 3 or errors.shape[-1] != 3 or errors.shape != sigma.shape:
        raise ShapeError(f"errors and sigma must both be (n, joints, 3), not {errors.shape} and {sigma.shape}")
    known = np.isfinite(errors) & np.isfinite(sigma) & (sigma > 0)
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(errors[known]).astype(np.float64)) - np.log(sigma[known].astype(np.float64))
    width = LOG_EDGES[1] - LOG_EDGES[0]
    bins = np.floor((np.clip(logs, LOG_EDGES[0], LOG_EDGES[-1]) - LOG_EDGES[0]) / width).astype(np.int64)
    cells = errors.shape[1] * 3
    cell = np.broadcast_to(np.arange(cells).reshape(1, -1, 3), errors.shape)[known]
    counts = np.bincount(cell * BINS + np.minimum(bins, BINS - 1), minlength=cells * BINS)
    return counts.reshape(-1, 3, BINS)


def share_within(counts: np.ndarray, ratio: np.ndarray | float) -> np.ndarray:
    """Share of the counted ratios that are at most ``ratio``; NaN where nothing is counted.

    Args:
        counts: (BINS,) of ``count_ratios``.
        ratio: (...,) ratios.

    Returns:
        (...,) in 0..1.
    """
    total = counts.sum()
    cumulative = np.concatenate([[0], np.cumsum(counts)])
    within = np.interp(np.log(ratio), LOG_EDGES, cumulative)
    return np.asarray(within / total if total else np.full_like(within, np.nan))


def fit_calibration(counts: np.ndarray) -> SigmaCalibration:
    """The calibration under which sigma holds what it says on the counted errors.

    Args:
        counts: (..., 3, BINS) of ``count_ratios``.

    Raises:
        ShapeError: an axis has fewer than LEAST_SAMPLES coordinates.
    """
    axes = counts.reshape(-1, 3, BINS).sum(axis=0)
    if axes.sum(axis=-1).min() < LEAST_SAMPLES:
        raise ShapeError(
            f"sigma cannot be calibrated on {int(axes.sum(axis=-1).min())} coordinates an axis; "
            f"it takes {LEAST_SAMPLES} or more, of joints that are known and not the root"
        )
    temperature = [float(np.exp(_quantile(axis, LEVELS[68]))) for axis in axes]
    # Share of all three axes within k calibrated sigma, at every edge k, and back from share to k.
    shares = sum(
        share_within(axis, np.exp(LOG_EDGES) * t) * axis.sum() for axis, t in zip(axes, temperature, strict=True)
    ) / float(axes.sum())
    multiples = np.exp(np.interp(list(LEVELS.values()), shares, LOG_EDGES))
    named = {level: float(multiple) for level, multiple in zip(LEVELS, multiples, strict=True)} | {68: 1.0}
    return SigmaCalibration((temperature[0], temperature[1], temperature[2]), tuple(named.values()))


def _quantile(counts: np.ndarray, share: float) -> float:
    """The logarithm of the ratio that ``share`` of the counted ones stay below."""
    cumulative = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    return float(np.interp(share, cumulative, LOG_EDGES))


def require_sigma(checkpoint: str | PathLike[str]) -> None:
    """Raises CheckpointError if the checkpoint cannot be read, or its network gives no sigma."""
    from lift3d.models.checkpoint import load_checkpoint

    if not load_checkpoint(checkpoint)[0].config.sigma:
        raise CheckpointError(f"{checkpoint}: the network gives no sigma that could be calibrated")


def calibrate_checkpoint(
    checkpoint: str | PathLike[str],
    calibration: SigmaCalibration,
    output: str | PathLike[str],
    people: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Write a checkpoint anew with the calibration of its sigma; its weights stay as they are.

    Args:
        checkpoint: a name or path.
        calibration: of ``fit_calibration``.
        output: the new .safetensors file.
        people: whose errors it was fitted on, for the card.
        overwrite: whether an existing file may be replaced.

    Raises:
        CheckpointError: the checkpoint cannot be read, or its network gives no sigma.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    from lift3d.models.checkpoint import load_checkpoint, save_checkpoint

    require_sigma(checkpoint)
    network, info = load_checkpoint(checkpoint)
    fitted = {"sigma calibrated on": list(people)} if people else {}
    info = replace(info, sigma=calibration.to_dict(), card={**info.card, **fitted})
    save_checkpoint(network, info, output, overwrite)

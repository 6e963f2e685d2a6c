"""Errors by action: sums over clips that are read one after the other, and the two averages that papers print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lift3d.evaluation.metrics import (
    AUC_THRESHOLDS,
    MILLIMETRES,
    PCK_THRESHOLD,
    aligned_joint_errors,
    joint_errors,
    scaled_joint_errors,
)


@dataclass(frozen=True)
class Figures:
    """The errors of some frames, or the mean of several of these.

    Attributes:
        mpjpe, p_mpjpe, n_mpjpe: mm.
        mpjve: mm per frame.
        pck_3d, auc_3d: per cent, at 150 mm and over the 31 thresholds 0 to 150 mm.
        root: mean distance of the root from its true place in camera space, mm; NaN where nothing gives its place.
    """

    mpjpe: float
    p_mpjpe: float
    n_mpjpe: float
    mpjve: float
    pck_3d: float
    auc_3d: float
    root: float

    def to_dict(self) -> dict[str, float]:
        """The figures as JSON values."""
        return asdict(self)


class Tally:
    """Sums of the errors of poses, clip after clip.

    Args:
        joints: how many joints are compared.
    """

    def __init__(self, joints: int) -> None:
        self.frames = self.poses = self.clips = 0
        # Of each joint: those compared, sum of errors, of errors after alignment, of errors after scaling.
        self._joints = np.zeros((4, joints))
        self._below = np.zeros(1 + len(AUC_THRESHOLDS))
        self._velocity, self._root = np.zeros(2), np.zeros(2)

    def add(self, prediction: np.ndarray, truth: np.ndarray, root_error: np.ndarray | None = None) -> np.ndarray:
        """Add a clip.

        Args:
            prediction, truth: (frames, joints, 3) metres, both already relative to what they are compared from; NaN
                where missing.
            root_error: (frames,) distance of the root from its true place, metres.

        Returns:
            (frames, joints) errors in mm, NaN where a joint does not count.
        """
        errors = joint_errors(prediction, truth, root=None)
        known = np.isfinite(errors)
        aligned = aligned_joint_errors(prediction, truth)
        scaled = scaled_joint_errors(prediction, truth, root=None)
        self.frames += len(errors)
        self.poses += int(known.any(axis=-1).sum())
        self.clips += 1
        self._joints += [known.sum(axis=0), *(np.nansum(values, axis=0) for values in (errors, aligned, scaled))]
        self._below += [(errors < threshold).sum() for threshold in (PCK_THRESHOLD, *AUC_THRESHOLDS)]
        velocity = joint_errors(np.diff(prediction, axis=0), np.diff(truth, axis=0), root=None)
        self._velocity += [np.isfinite(velocity).sum(), np.nansum(velocity)]
        if root_error is not None:
            self._root += [np.isfinite(root_error).sum(), MILLIMETRES * np.nansum(root_error)]
        return np.asarray(errors)

    @property
    def compared(self) -> int:
        """Joints compared in all."""
        return int(self._joints[0].sum())

    def figures(self) -> Figures:
        """The means over all joints of all frames; NaN where nothing was compared."""
        count, errors, aligned, scaled = self._joints.sum(axis=1)
        shares = 100 * self._below / count if count else np.full_like(self._below, np.nan)
        return Figures(
            mpjpe=_ratio(errors, count),
            p_mpjpe=_ratio(aligned, count),
            n_mpjpe=_ratio(scaled, count),
            mpjve=_ratio(self._velocity[1], self._velocity[0]),
            pck_3d=float(shares[0]),
            auc_3d=float(shares[1:].mean()),
            root=_ratio(self._root[1], self._root[0]),
        )

    def per_joint(self, names: Sequence[str]) -> dict[str, tuple[float, float]]:
        """MPJPE and P-MPJPE of each joint, mm."""
        return {
            name: (_ratio(errors, count), _ratio(aligned, count))
            for name, (count, errors, aligned, _) in zip(names, self._joints.T, strict=True)
        }

    @classmethod
    def total(cls, tallies: Iterable[Tally], joints: int) -> Tally:
        """All clips of several tallies in one."""
        result = cls(joints)
        for tally in tallies:
            result.frames += tally.frames
            result.poses += tally.poses
            result.clips += tally.clips
            result._joints += tally._joints
            result._below += tally._below
            result._velocity += tally._velocity
            result._root += tally._root
        return result


def mean_of_actions(figures: Sequence[Figures]) -> Figures:
    """The unweighted mean over actions, of each figure over the actions that have it."""
    table = np.array([list(asdict(figure).values()) for figure in figures], np.float64)
    known = np.isfinite(table)
    means = np.where(known, table, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return Figures(*(float(value) for value in means))


def columns(figures: Figures) -> dict[str, str]:
    """The figures as a table shows them, by their titles; those that are not known are left out."""
    shown: dict[str, tuple[float, int]] = {
        "MPJPE mm": (figures.mpjpe, 1),
        "P-MPJPE mm": (figures.p_mpjpe, 1),
        "N-MPJPE mm": (figures.n_mpjpe, 1),
        "MPJVE mm/frame": (figures.mpjve, 2),
        "PCK %": (figures.pck_3d, 1),
        "AUC %": (figures.auc_3d, 1),
        "root mm": (figures.root, 1),
    }
    return {
        title: f"{value:.{digits}f}" for title, (value, digits) in shown.items() if title != "root mm" or value == value
    }


def _ratio(total: Any, count: Any) -> float:
    return float(total / count) if count else float("nan")

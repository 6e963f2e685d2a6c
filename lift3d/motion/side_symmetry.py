"""Left beside right: ranges of motion and lengths of bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.motion.angle_table import Angles
from lift3d.motion.bones import BoneLengths

# A range of motion is taken between these percentiles, so that a single bad frame does not make it.
RANGE = (1.0, 99.0)


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Measures of the left side beside those of the right.

    Attributes:
        names: of the measures, without their side.
        left, right: (people, measures), in the measure's unit; NaN where missing.
    """

    names: tuple[str, ...]
    left: np.ndarray
    right: np.ndarray

    @property
    def index(self) -> np.ndarray:
        """(people, measures) percent, the symmetry index: the difference, right less left, over the mean of both.

        0 is perfect symmetry.

        Source: R. Robinson, W. Herzog and B. Nigg, "Use of force platform variables to quantify the effects of
        chiropractic manipulation on gait symmetry", J. Manipulative Physiol. Ther. 10, 1987.
        """
        return _ratio(100 * (self.right - self.left), (self.right + self.left) / 2)

    @property
    def limb(self) -> np.ndarray:
        """(people, measures) percent, the limb symmetry index: the lesser side over the greater, 100 being equal.

        Where an injured side is known, it stands for the lesser one in the source.

        Source: F. Noyes, S. Barber and R. Mangine, "Abnormal lower limb symmetry determined by function hop tests
        after anterior cruciate ligament rupture", Am. J. Sports Med. 19, 1991.
        """
        return _ratio(100 * np.minimum(self.left, self.right), np.maximum(self.left, self.right))


def symmetry(measured: Angles | BoneLengths) -> Symmetry:
    """How alike the sides are: of angles the ranges of motion in degrees, of bones the median lengths in metres.

    A range of motion runs from the 1st to the 99th percentile of an angle over the clip.
    """
    values = _ranges(measured.values) if isinstance(measured, Angles) else measured.median
    names = tuple(
        name.removeprefix("left_")
        for name in measured.names
        if name.startswith("left_") and "right_" + name.removeprefix("left_") in measured.names
    )
    left, right = (values[:, [measured.names.index(f"{side}_{name}") for name in names]] for side in ("left", "right"))
    return Symmetry(names, left, right)


def _ranges(values: np.ndarray) -> np.ndarray:
    """(people, angles) from (frames, people, angles)."""
    result = np.full(values.shape[1:], np.nan)
    for place in np.ndindex(*result.shape):
        seen = values[(slice(None), *place)]
        seen = seen[np.isfinite(seen)]
        if seen.size:
            result[place] = np.ptp(np.percentile(seen, RANGE))
    return result


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(part / np.where(whole > 0, whole, np.nan))

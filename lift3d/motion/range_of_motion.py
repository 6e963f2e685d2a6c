"""How far each joint moves in a clip: its limits beside what is normal, and left beside right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.motion.angle_table import ANGLES, Angles
from lift3d.motion.angles import joint_angles
from lift3d.motion.filters import MEDIAN_DEVIATION
from lift3d.motion.gaps import USUAL_FPS
from lift3d.motion.measures import steady
from lift3d.motion.rule_files import Norms, read_norms
from lift3d.motion.tables import dataframe, rows_of
from lift3d.poses import Poses3D

if TYPE_CHECKING:
    import pandas

# The limits are these percentiles of the steady angle, so that no single wrong frame makes a range.
PERCENTILES = (1.0, 99.0)


@dataclass(frozen=True)
class JointRange:
    """How far one angle of one person moved. Angles are in degrees; NaN is what is not known.

    Attributes:
        person: index of the person.
        angle: its name in ``lift3d.motion.angles.ANGLES``; title: for people.
        side: "left", "right" or "".
        minimum, maximum: the 1st and the 99th percentile over the frames; range: the one from the other.
        frames: how many frames it was measured in.
        noise: what it jitters, one standard deviation of a frame.
        norm_minimum, norm_maximum: the normal limits.
        percent_of_norm: the part of the normal range that was used, 100 for all of it; what lies beyond the normal
            limits does not add to it.
        side_difference: this side's range less that of the other.
    """

    person: int
    angle: str
    title: str
    side: str
    minimum: float
    maximum: float
    range: float
    frames: int
    noise: float
    norm_minimum: float
    norm_maximum: float
    percent_of_norm: float
    side_difference: float


@dataclass(frozen=True)
class RangeOfMotion:
    """The ranges of motion of a clip.

    Attributes:
        ranges: by person and angle, all angles that were measured at all.
        missing: why angles are missing, by name.
        norms: what they were compared with.
    """

    ranges: tuple[JointRange, ...]
    missing: dict[str, str]
    norms: Norms

    def __iter__(self) -> Iterator[JointRange]:
        return iter(self.ranges)

    def __len__(self) -> int:
        return len(self.ranges)

    def of(self, angle: str, person: int = 0) -> JointRange | None:
        """The range of an angle of a person; None if it was not measured."""
        return next((item for item in self.ranges if item.angle == angle and item.person == person), None)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, the sources of the norms included."""
        sources = {norm.angle: norm.source for norm in self.norms.norms}
        return {"ranges": rows_of(self.ranges), "missing": dict(self.missing), "norm_sources": sources}

    def to_dataframe(self) -> pandas.DataFrame:
        """One row an angle. Raises MissingDependencyError without pandas."""
        return dataframe(rows_of(self.ranges), JointRange.__dataclass_fields__)


def range_of_motion(motion: Poses3D | Angles, norms: Norms | None = None) -> RangeOfMotion:
    """The limits of every joint angle over a clip.

    Args:
        motion: poses, or their angles. Short gaps are bridged and jitter above 4 Hz is smoothed before limits are taken
            (at 30 frames/s where the rate is unknown).
        norms: of ``rule_files.read_norms``; default: those that lift3d ships.
    """
    angles = joint_angles(motion) if isinstance(motion, Poses3D) else motion
    norms = read_norms() if norms is None else norms
    smooth = steady(angles.values, angles.fps or USUAL_FPS)
    measured = np.isfinite(angles.values)
    ranges = [
        _range(name, person, angles.values[:, person, column], smooth[:, person, column], norms)
        for person in range(angles.values.shape[1])
        for column, name in enumerate(angles.names)
        if measured[:, person, column].any()
    ]
    by_name = {(item.person, item.angle): item.range for item in ranges}
    compared = tuple(_beside(item, by_name) for item in ranges)
    return RangeOfMotion(compared, dict(angles.missing), norms)


def _range(name: str, person: int, raw: np.ndarray, smooth: np.ndarray, norms: Norms) -> JointRange:
    seen = np.isfinite(raw)
    minimum, maximum = np.percentile(smooth[np.isfinite(smooth)], PERCENTILES)
    norm = norms.of(name)
    lower, upper = (norm.minimum, norm.maximum) if norm else (np.nan, np.nan)
    used = max(min(maximum, upper) - max(minimum, lower), 0.0)
    return JointRange(
        person=person,
        angle=name,
        title=ANGLES[name].title,
        side=name.split("_")[0] if name.startswith(("left_", "right_")) else "",
        minimum=float(minimum),
        maximum=float(maximum),
        range=float(maximum - minimum),
        frames=int(seen.sum()),
        noise=angle_noise(raw[seen] - smooth[seen]),
        norm_minimum=lower,
        norm_maximum=upper,
        percent_of_norm=float(100 * used / (upper - lower)) if norm else float("nan"),
        side_difference=float("nan"),
    )


def angle_noise(residual: np.ndarray) -> float:
    """Standard deviation of what smoothing took away, by its median size, which no spike moves."""
    return float(np.median(np.abs(residual)) / MEDIAN_DEVIATION) if residual.size else float("nan")


def _beside(item: JointRange, ranges: dict[tuple[int, str], float]) -> JointRange:
    """The range with its difference from the other side's."""
    if not item.side:
        return item
    other = ("right" if item.side == "left" else "left") + item.angle.removeprefix(item.side)
    return replace(item, side_difference=item.range - ranges.get((item.person, other), float("nan")))

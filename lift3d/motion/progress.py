"""Ranges of motion over sessions: what changed, how fast, and whether the change is more than the error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.motion.range_of_motion import JointRange, RangeOfMotion, range_of_motion
from lift3d.motion.tables import dataframe, json_values, rows_of
from lift3d.poses import Poses3D

if TYPE_CHECKING:
    import pandas

LIMITS = ("minimum", "maximum", "range")
DAYS_A_WEEK = 7
# A change below this many standard deviations of noise may be noise.
NOISES = 2.0


@dataclass(frozen=True)
class AngleProgress:
    """One limit of one angle over the sessions. Angles are in degrees; NaN is what is not known.

    Attributes:
        angle, title, side: as in ``JointRange``.
        limit: "minimum", "maximum" or "range".
        values: one a session.
        change: from the first to the last session in which it is known.
        slope: of the straight line of least squares, degrees a week with dates, degrees a session without.
        minimal_change: what is more than error: twice the noise of a frame, and at least what sessions differ by.
        real: whether the change is more than that.
    """

    angle: str
    title: str
    side: str
    limit: str
    values: tuple[float, ...]
    change: float
    slope: float
    minimal_change: float
    real: bool


@dataclass(frozen=True)
class Progress:
    """What changed over sessions.

    Attributes:
        sessions: dates or labels, in order.
        slope_unit: "degrees a week" or "degrees a session".
        angles: by angle and limit.
        caution: in words, what a small change means.
    """

    sessions: tuple[date | str, ...]
    slope_unit: str
    angles: tuple[AngleProgress, ...]
    caution: str

    def __iter__(self) -> Iterator[AngleProgress]:
        return iter(self.angles)

    def of(self, angle: str, limit: str = "range") -> AngleProgress:
        """The progress of an angle. Raises Lift3DError if it was measured in no session."""
        for item in self.angles:
            if (item.angle, item.limit) == (angle, limit):
                return item
        raise Lift3DError(f"the {limit} of {angle!r} was measured in no session")

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "sessions": json_values(self.sessions),
            "slope_unit": self.slope_unit,
            "angles": rows_of(self.angles),
            "caution": self.caution,
        }

    def to_dataframe(self) -> pandas.DataFrame:
        """One row an angle and limit, a column a session. Raises MissingDependencyError without pandas."""
        names = [str(name) for name in json_values(self.sessions)]
        rows = [{**row, **dict(zip(names, row.pop("values"), strict=True))} for row in rows_of(self.angles)]
        fields = [name for name in AngleProgress.__dataclass_fields__ if name != "values"]
        return dataframe(rows, [*fields, *names])


def progress(
    sessions: Mapping[date, Poses3D | RangeOfMotion] | Mapping[str, Poses3D | RangeOfMotion], person: int = 0
) -> Progress:
    """The ranges of motion of a person over sessions.

    Args:
        sessions: poses or their ranges of motion, by date (put in order) or by label (in the order given).
        person: index of the person in each of them.

    Raises:
        Lift3DError: fewer than two sessions, or dates mixed with labels.
    """
    names: list[Any] = list(sessions)
    if len(names) < 2:
        raise Lift3DError(f"progress needs two sessions or more, not {len(names)}")
    dated = [isinstance(name, date) for name in names]
    if any(dated) != all(dated):
        raise Lift3DError("name all sessions by dates, or all by labels")
    if all(dated):
        names.sort()
    found = [dict(sessions)[name] for name in names]
    ranges = [range_of_motion(item) if isinstance(item, Poses3D) else item for item in found]
    norms = ranges[0].norms
    time = np.array(
        [(name - names[0]).days / DAYS_A_WEEK for name in names] if all(dated) else range(len(names)), dtype=np.float64
    )
    angles = dict.fromkeys(item.angle for each in ranges for item in each if item.person == person)
    lines = [
        _line([each.of(angle, person) for each in ranges], limit, time, norms.between_sessions)
        for angle in angles
        for limit in LIMITS
    ]
    caution = (
        f"A change below {norms.between_sessions:g} degrees, or below twice the noise of the angle, may be how the "
        f"person stood, was dressed or was filmed. {norms.between_sessions_source}"
    )
    return Progress(tuple(names), "degrees a week" if all(dated) else "degrees a session", tuple(lines), caution)


def _line(items: list[JointRange | None], limit: str, time: np.ndarray, between_sessions: float) -> AngleProgress:
    known = [item for item in items if item is not None]
    values = np.array([np.nan if item is None else getattr(item, limit) for item in items])
    seen = np.isfinite(values)
    change = float(values[seen][-1] - values[seen][0]) if seen.sum() > 1 else float("nan")
    spread = np.ptp(time[seen]) > 0
    noise = [item.noise for item in known if np.isfinite(item.noise)]
    minimal = max(NOISES * max(noise, default=0.0), between_sessions)
    return AngleProgress(
        angle=known[0].angle,
        title=known[0].title,
        side=known[0].side,
        limit=limit,
        values=tuple(values.tolist()),
        change=change,
        slope=float(np.polyfit(time[seen], values[seen], 1)[0]) if spread else float("nan"),
        minimal_change=minimal,
        real=bool(abs(change) > minimal),
    )

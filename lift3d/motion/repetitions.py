"""Repetitions of exercises: how many, when, how deep, how fast, and whether they are whole.

A repetition is a hill (``hills.find_hills``) of the exercise's leading signal (``rules/exercises.yaml``): the bend of
the knees in a squat, of the elbow in a curl, the lift of the arms in a jumping jack. The signal is bridged over short
gaps, freed of spikes and smoothed (``measures.steady``). A hill counts if the exercise's conditions hold of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.motion.hills import Hill, find_hills
from lift3d.motion.measures import MeasuredBody
from lift3d.motion.rule_files import Condition, Exercise, get_exercise, shipped_exercises
from lift3d.motion.tables import dataframe, rows_of
from lift3d.poses import Poses3D

if TYPE_CHECKING:
    import pandas

# A clip is of an exercise if its repetitions last at least this part of the time that the signal is seen.
SHARE = 1 / 3
# An exercise is detected if its repetitions last at least this part as long as those of the exercise that fits longest.
RIVAL = 0.6

SIDES = ("left", "right")
STATISTICS: dict[str, Callable[[np.ndarray], Any]] = {
    "minimum": np.min,
    "maximum": np.max,
    "mean": np.mean,
    "range": np.ptp,
}


@dataclass(frozen=True)
class Repetition:
    """One repetition.

    Attributes:
        number: from 1, of this person.
        person: index of the person.
        side: "left", "right" or "both".
        start, deepest, end: frames.
        arrival, departure: frames between which the deepest is held.
        start_seconds, deepest_seconds, end_seconds: the same in seconds from the first frame.
        toward_seconds, pause_seconds, back_seconds: the tempo (of a squat: down, pause, up).
        depth: the leading signal at the deepest, degrees.
        travel: how far it came from the start, degrees; from the end if the start is cut off.
        hip_drop: how far the hips sank, metres; NaN where the exercise does not ask for it.
        complete: False if the clip or a gap cuts it off, or it does not come back half of the way.
        full: False if it did not get as deep as a full repetition; then it is a partial one.
        seen: the part of its frames in which the signal was measured and not bridged, 0 to 1.
    """

    number: int
    person: int
    side: str
    start: int
    arrival: int
    deepest: int
    departure: int
    end: int
    start_seconds: float
    deepest_seconds: float
    end_seconds: float
    toward_seconds: float
    pause_seconds: float
    back_seconds: float
    depth: float
    travel: float
    hip_drop: float
    complete: bool
    full: bool
    seen: float

    @property
    def counts(self) -> bool:
        """Whether it is a whole repetition: complete and full."""
        return self.complete and self.full


@dataclass(frozen=True)
class Repetitions:
    """The repetitions of one exercise, by person and time.

    Attributes:
        exercise: what was counted.
        items: all that were found, partial and cut-off ones too.
        notes: what could not be checked, in words.
    """

    exercise: Exercise
    items: tuple[Repetition, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Repetition]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Repetition:
        return self.items[index]

    def count(self, person: int = 0, side: str | None = None) -> int:
        """How many whole repetitions a person did (with one side)."""
        return sum(item.counts and item.person == person and side in (None, item.side) for item in self.items)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "exercise": self.exercise.id,
            "title": self.exercise.title,
            "repetitions": rows_of(self.items),
            "notes": list(self.notes),
        }

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a repetition. Raises MissingDependencyError without pandas."""
        return dataframe(rows_of(self.items), Repetition.__dataclass_fields__)


def count_repetitions(poses: Poses3D, exercise: str | Exercise, person: int | None = None) -> Repetitions:
    """Find the repetitions of an exercise.

    Args:
        poses: in any layout and space, with a frame rate; in camera space the camera is taken to stand level.
        exercise: an id of ``rules/exercises.yaml``, or one of ``rule_files.read_exercises``.
        person: index of a person, None for all.

    Raises:
        Lift3DError: an unknown exercise, no frame rate, no such person, or joints the exercise needs are in no frame.
    """
    return _count(MeasuredBody(poses), get_exercise(exercise), person)


def detect_exercise(poses: Poses3D, person: int = 0) -> str | None:
    """Which exercise of ``rules/exercises.yaml`` a person does throughout a clip, None if it is none of them.

    The exercise whose whole repetitions last longest; among those that last nearly as long, the first of the file,
    which moves more of the body (a squat with bending arms is no curl). Movements of the same form are taken for the
    exercise: the arm that dribbles a ball curls. A clip in which repetitions are less than a third of the time is of
    none.

    Raises:
        Lift3DError: no frame rate, or no such person.
    """
    body = MeasuredBody(poses)
    _people(body, person)
    lasting: dict[str, float] = {}
    for exercise in shipped_exercises().values():
        seen = np.isfinite(body.measure(exercise.signal)[:, person]).any(axis=-1).sum() / body.fps
        if seen:
            found = _count(body, exercise, person)
            seconds = sum(item.end_seconds - item.start_seconds for item in found if item.counts)
            lasting[exercise.id] = seconds if seconds >= SHARE * seen else 0.0
    longest = max(lasting.values(), default=0.0)
    return next((name for name, seconds in lasting.items() if 0 < RIVAL * longest <= seconds), None)


def _people(body: MeasuredBody, person: int | None) -> list[int]:
    if person is not None and not 0 <= person < body.poses.people:
        raise Lift3DError(f"there is no person {person}; the poses have {body.poses.people} (counted from 0)")
    return list(range(body.poses.people)) if person is None else [person]


def _count(body: MeasuredBody, exercise: Exercise, person: int | None) -> Repetitions:
    people = _people(body, person)
    if not np.isfinite(body.measure(exercise.signal)[:, people]).any():
        raise Lift3DError(f"{exercise.title}: its signal {exercise.signal} can be had in no frame (joints are missing)")
    items: list[Repetition] = []
    notes: dict[str, None] = {}
    for index in people:
        items += _of_person(body, exercise, index, notes)
    return Repetitions(exercise, tuple(items), tuple(notes))


def _of_person(body: MeasuredBody, exercise: Exercise, person: int, notes: dict[str, None]) -> list[Repetition]:
    """A person's repetitions in the order of time; what could not be checked goes into the notes."""
    values = body.measure(exercise.signal)[:, person]
    signals = {
        side: values[:, index] if exercise.sides == "each" else of_sides(values, exercise.sides)
        for index, side in enumerate(SIDES if exercise.sides == "each" else ("both",))
    }
    found = [
        (hill, side)
        for side, signal in signals.items()
        for hill in find_hills(signal, exercise.reported_from, exercise.least_travel)
    ]
    if exercise.sides == "each":
        found = _joined(found)
    elif exercise.side_from is not None:
        leads = body.measure(exercise.side_from)[:, person]
        found = [(hill, _leading(leads[hill.highest])) for hill, _ in found]
    measured = np.isfinite(body.raw(exercise.signal)[:, person]).any(axis=1)
    candidates = (_repetition(body, exercise, person, side, hill, measured) for hill, side in found)
    kept = [item for item in candidates if _is_one(body, exercise, item, notes)]
    return [replace(item, number=number) for number, item in enumerate(kept, 1)]


def _leading(values: np.ndarray) -> str:
    return SIDES[int(np.argmax(values))] if np.isfinite(values).all() else "both"


def _joined(found: list[tuple[Hill, str]]) -> list[tuple[Hill, str]]:
    """Hills of left and right in the order of time; two that overlap by half of the shorter are one of both sides."""
    joined: list[tuple[Hill, str]] = []
    for hill, side in sorted(found, key=lambda item: item[0].highest):
        if joined and joined[-1][1] not in (side, "both"):
            other = joined[-1][0]
            overlap = min(hill.end, other.end) - max(hill.start, other.start)
            if overlap > min(hill.end - hill.start, other.end - other.start) / 2:
                joined[-1] = (max(hill, other, key=lambda one: (one.complete, one.height)), "both")
                continue
        joined.append((hill, side))
    return joined


def _repetition(
    body: MeasuredBody, exercise: Exercise, person: int, side: str, hill: Hill, measured: np.ndarray
) -> Repetition:
    drop = np.nan
    if exercise.hip_drop:
        height = body.measure("hip_height")[:, person, 0]
        rest = height[hill.start] if hill.complete or hill.start < hill.highest else height[hill.end]
        drop = float(rest - height[hill.highest])
    return Repetition(
        number=0,
        person=person,
        side=side,
        start=hill.start,
        arrival=hill.arrival,
        deepest=hill.highest,
        departure=hill.departure,
        end=hill.end,
        start_seconds=hill.start / body.fps,
        deepest_seconds=hill.highest / body.fps,
        end_seconds=hill.end / body.fps,
        toward_seconds=(hill.arrival - hill.start) / body.fps,
        pause_seconds=(hill.departure - hill.arrival) / body.fps,
        back_seconds=(hill.end - hill.departure) / body.fps,
        depth=hill.height,
        travel=hill.travel,
        hip_drop=drop,
        complete=hill.complete,
        full=hill.height >= exercise.full_from,
        seen=float(measured[hill.start : hill.end + 1].mean()),
    )


def _is_one(body: MeasuredBody, exercise: Exercise, item: Repetition, notes: dict[str, None]) -> bool:
    """Whether the exercise's limits and conditions hold of a repetition; a condition that cannot be checked does.

    Of a repetition that is cut off, nothing that compares it with its start or end is asked.
    """
    seconds = item.end_seconds - item.start_seconds
    if seconds > exercise.most_seconds or (item.complete and seconds < exercise.least_seconds):
        return False
    for condition in exercise.conditions:
        if not item.complete and (condition.phase in ("start", "end") or condition.statistic == "change"):
            continue
        value = condition_value(body, condition, item)
        if np.isnan(value):
            notes[f"person {item.person}: {condition.measure} could not be checked (joints are missing)"] = None
        elif not condition.holds(value):
            return False
    return True


def of_sides(values: np.ndarray, sides: str) -> np.ndarray:
    """Values (..., 2) of left and right, or (..., 1), as one (...): see ``rule_files.Condition``.

    Where one side is missing, the other stands for both; a difference is then missing.
    """
    if sides == "difference":
        return np.asarray(np.abs(values[..., 0] - values[..., -1]))
    left, right = values[..., 0], values[..., -1]
    if sides == "mean":
        return np.where(np.isnan(left), right, np.where(np.isnan(right), left, (left + right) / 2))
    return np.asarray((np.fmin if sides == "lesser" else np.fmax)(left, right))


def condition_value(body: MeasuredBody, condition: Condition, item: Repetition) -> float:
    """What a condition's measure is in a repetition; NaN if it cannot be had."""
    values = body.measure(condition.measure)[item.start : item.end + 1, item.person]
    if condition.sides != "leading":
        values = of_sides(values, condition.sides)
    elif item.side == "both":
        values = of_sides(values, "mean")
    else:
        values = values[:, SIDES.index(item.side) if values.shape[1] == 2 else 0]
    deepest = slice(item.arrival - item.start, item.departure - item.start + 1)
    part = {
        "start": values[:1],
        "toward": values[: deepest.start + 1],
        "deepest": values[deepest],
        "back": values[deepest.stop - 1 :],
        "end": values[-1:],
        "whole": values,
    }[condition.phase]
    part = part[np.isfinite(part)]
    if not part.size:
        return float("nan")
    if condition.statistic == "change":
        return float(np.abs(part - values[0]).max())
    return float(STATISTICS[condition.statistic](part))

"""Hints on the form of repetitions, from named rules with their sources (``rules/form.yaml``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.motion.measures import MEASURES, MeasuredBody
from lift3d.motion.repetitions import Repetitions, condition_value
from lift3d.motion.rule_files import FormRule, read_form_rules
from lift3d.motion.tables import dataframe, rows_of
from lift3d.poses import Poses3D

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class FormHint:
    """A rule that a person's repetitions break.

    Attributes:
        rule, title, words: the rule's id, its short name, and what to tell the person.
        person: index of the person.
        repetitions: the numbers of the repetitions that it is about.
        values: the measured value in each of them.
        checked: how many repetitions of the person were checked.
        measure, unit: what was measured.
        comparison, threshold: the hint is given where the value is "above" or "below" the threshold.
        source: where the rule comes from.
    """

    rule: str
    title: str
    words: str
    person: int
    repetitions: tuple[int, ...]
    values: tuple[float, ...]
    checked: int
    measure: str
    unit: str
    comparison: str
    threshold: float
    source: str


@dataclass(frozen=True)
class Form:
    """The hints on a set of repetitions.

    Attributes:
        exercise: its id.
        hints: by person, in the order of the rules.
        unchecked: why rules could not be checked, by their ids.
    """

    exercise: str
    hints: tuple[FormHint, ...]
    unchecked: dict[str, str]

    def __iter__(self) -> Iterator[FormHint]:
        return iter(self.hints)

    def __len__(self) -> int:
        return len(self.hints)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {"exercise": self.exercise, "hints": rows_of(self.hints), "unchecked": dict(self.unchecked)}

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a hint and repetition. Raises MissingDependencyError without pandas."""
        rows = [
            {**row, "repetition": number, "value": value}
            for row in rows_of(self.hints)
            for number, value in zip(row.pop("repetitions"), row.pop("values"), strict=True)
        ]
        columns = [name for name in FormHint.__dataclass_fields__ if name not in ("repetitions", "values")]
        return dataframe(rows, [*columns, "repetition", "value"])


def check_form(poses: Poses3D, repetitions: Repetitions, rules: Sequence[FormRule] | None = None) -> Form:
    """Which form rules the complete repetitions break; partial ones are checked too.

    Args:
        poses: those that the repetitions were counted in.
        repetitions: of ``count_repetitions``.
        rules: of ``rule_files.read_form_rules``; default: those that lift3d ships.

    Returns:
        The hints, and the rules that could not be checked because joints are missing.
    """
    body = MeasuredBody(poses)
    hints: list[FormHint] = []
    unchecked: dict[str, str] = {}
    complete = [item for item in repetitions if item.complete]
    for rule in read_form_rules() if rules is None else rules:
        if rule.exercise != repetitions.exercise.id:
            continue
        values = np.array([condition_value(body, rule, item) for item in complete])
        if len(values) and np.isnan(values).all():
            unchecked[rule.id] = f"{rule.measure} cannot be had: joints that it needs are missing"
        for person in sorted({item.person for item in complete}):
            known = [
                (item.number, float(value))
                for item, value in zip(complete, values, strict=True)
                if item.person == person and np.isfinite(value)
            ]
            if broken := [(number, value) for number, value in known if rule.holds(value)]:
                numbers, measured = zip(*broken, strict=True)
                hints.append(_hint(rule, person, numbers, measured, len(known)))
    hints.sort(key=lambda hint: hint.person)
    return Form(repetitions.exercise.id, tuple(hints), unchecked)


def _hint(rule: FormRule, person: int, numbers: tuple[int, ...], values: tuple[float, ...], checked: int) -> FormHint:
    return FormHint(
        rule=rule.id,
        title=rule.title,
        words=rule.words,
        person=person,
        repetitions=numbers,
        values=values,
        checked=checked,
        measure=rule.measure,
        unit=MEASURES[rule.measure].unit,
        comparison=rule.comparison,
        threshold=rule.threshold,
        source=rule.source,
    )

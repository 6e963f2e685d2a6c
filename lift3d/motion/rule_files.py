"""Exercises, form rules and norms: what their YAML files hold, read and checked.

A user's own file has the form of the file of the same kind in ``lift3d/motion/rules``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lift3d.errors import FileFormatError, Lift3DError
from lift3d.io.rig_text import load_yaml
from lift3d.motion.angle_table import ANGLES
from lift3d.motion.measures import MEASURES

FOLDER = Path(__file__).parent / "rules"
Degrees = Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Strict):
    """A measure of one repetition compared with a threshold.

    Attributes:
        measure: one of ``lift3d.motion.measures.MEASURES``.
        sides: which of left and right: their "mean", the "lesser", the "greater", their absolute "difference", or
            that of the "leading" side, which the repetition is of.
        phase: the frames of the repetition: "start", "toward", "deepest" (the pause there), "back", "end"
            or "whole".
        statistic: over those frames: "minimum", "maximum", "mean", "range", or "change", the largest difference from
            the start of the repetition.
        comparison, threshold: "above" or "below" what, in the unit of the measure.
    """

    measure: str
    sides: Literal["mean", "lesser", "greater", "difference", "leading"] = "mean"
    phase: Literal["start", "toward", "deepest", "back", "end", "whole"] = "whole"
    statistic: Literal["minimum", "maximum", "mean", "range", "change"] = "mean"
    comparison: Literal["above", "below"]
    threshold: Annotated[float, Field(allow_inf_nan=False)]

    @model_validator(mode="after")
    def _known_measure(self) -> Self:
        _check_measure(self.measure)
        return self

    def holds(self, value: float) -> bool:
        """Whether a value is above or below the threshold; NaN is neither."""
        return value > self.threshold if self.comparison == "above" else value < self.threshold


class Exercise(_Strict):
    """What a repetition of an exercise is.

    Attributes:
        id, title, source: the name in code, the name for people, and where the definition comes from.
        signal: the measure that leads, at rest low and high at the deepest.
        sides: "lesser", "greater" or "mean" of left and right count once; "each" counts both sides by themselves, and
            two that go together as one of both.
        side_from: a measure of both sides; the greater at the deepest says which side a repetition is of.
        reported_from: the least height of the signal for anything to be reported.
        full_from: the least height of a full repetition; below it is a partial one.
        least_travel: how far the signal rises and falls at least.
        least_seconds, most_seconds: how long a repetition lasts from its start to its end.
        toward, back: words for the way to the deepest and back.
        hip_drop: whether how far the hips sink is part of the result.
        conditions: what must hold of a repetition, else it is none of this exercise.
    """

    id: Identifier
    title: str
    source: str
    signal: str
    sides: Literal["lesser", "greater", "mean", "each"]
    side_from: str | None = None
    reported_from: Degrees
    full_from: Degrees
    least_travel: Degrees
    least_seconds: Seconds
    most_seconds: Seconds
    toward: str
    back: str
    hip_drop: bool = False
    conditions: tuple[Condition, ...] = ()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for measure in (self.signal, self.side_from):
            if measure is not None:
                _check_measure(measure)
        if not 0 < self.least_travel <= self.full_from or self.reported_from > self.full_from:
            raise ValueError("least_travel must be positive, and neither it nor reported_from above full_from")
        if self.least_seconds >= self.most_seconds:
            raise ValueError("least_seconds must be below most_seconds")
        return self


class FormRule(Condition):
    """A hint on form: what is said when the condition holds of a repetition.

    Attributes:
        id, exercise: of the rule, and of the exercise it is about.
        title, words: a short name, and the hint in words.
        source: where rule and threshold come from.
    """

    id: Identifier
    exercise: Identifier
    title: str
    words: str
    source: str


class Norm(_Strict):
    """Normal limits of a joint angle.

    Attributes:
        angle: a name of ``lift3d.motion.angles.ANGLES`` without its side.
        minimum, maximum: degrees.
        source: of the limits.
    """

    angle: str
    minimum: Degrees
    maximum: Degrees
    source: str

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.angle not in ANGLES and f"left_{self.angle}" not in ANGLES:
            raise ValueError(f"there is no angle {self.angle!r}")
        if self.minimum >= self.maximum:
            raise ValueError("minimum must be below maximum")
        return self


class _ExerciseFile(_Strict):
    exercises: tuple[Exercise, ...] = Field(min_length=1)


class _FormFile(_Strict):
    rules: tuple[FormRule, ...]


class Norms(_Strict):
    """Norms of joint angles, and what an angle is off from one session to the next.

    Attributes:
        between_sessions: degrees; a smaller change may be how the person was measured.
        between_sessions_source: where that comes from.
        norms: one an angle.
    """

    between_sessions: Annotated[float, Field(ge=0, le=90)]
    between_sessions_source: str
    norms: tuple[Norm, ...]

    def of(self, angle: str) -> Norm | None:
        """The norm of an angle, named with or without its side; None if there is none."""
        base = angle.removeprefix("left_").removeprefix("right_")
        return next((norm for norm in self.norms if norm.angle in (angle, base)), None)


def read_exercises(path: str | PathLike[str] | None = None) -> dict[str, Exercise]:
    """The exercises of a YAML file by their ids, by default those that lift3d ships.

    Raises:
        FileFormatError: names the file and the field that is wrong.
    """
    file = Path(path) if path is not None else FOLDER / "exercises.yaml"
    return {exercise.id: exercise for exercise in _unique(file, _read(file, _ExerciseFile).exercises)}


def read_form_rules(path: str | PathLike[str] | None = None) -> tuple[FormRule, ...]:
    """The form rules of a YAML file, by default those that lift3d ships. Raises FileFormatError."""
    file = Path(path) if path is not None else FOLDER / "form.yaml"
    return _unique(file, _read(file, _FormFile).rules)


def read_norms(path: str | PathLike[str] | None = None) -> Norms:
    """The norms of a YAML file, by default those that lift3d ships. Raises FileFormatError."""
    return _read(Path(path) if path is not None else FOLDER / "norms.yaml", Norms)


@lru_cache(maxsize=1)
def shipped_exercises() -> dict[str, Exercise]:
    """The exercises that lift3d ships, read once."""
    return read_exercises()


def get_exercise(exercise: str | Exercise) -> Exercise:
    """The exercise of that id. Raises Lift3DError that lists the known ids."""
    if isinstance(exercise, Exercise):
        return exercise
    known = shipped_exercises()
    if exercise not in known:
        raise Lift3DError(f"unknown exercise {exercise!r}; known are {', '.join(known)}")
    return known[exercise]


Model = TypeVar("Model", bound=BaseModel)
Named = TypeVar("Named", Exercise, FormRule)


def _read(path: Path, model: type[Model]) -> Model:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(path, f"not a text file ({error.reason} at byte {error.start})") from error
    try:
        return model.model_validate(load_yaml(text, path))
    except ValidationError as error:
        first = error.errors()[0]
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        problem = {
            "extra_forbidden": "there is no such field",
            "missing": "this field is missing",
        }.get(first["type"], first["msg"].removeprefix("Value error, "))
        more = f" (and {len(error.errors()) - 1} more)" if len(error.errors()) > 1 else ""
        raise FileFormatError(path, problem + more, field or None) from error


def _unique(path: Path, items: Iterable[Named]) -> tuple[Named, ...]:
    found: dict[str, Named] = {}
    for item in items:
        if item.id in found:
            raise FileFormatError(path, "this id is given twice", item.id)
        found[item.id] = item
    return tuple(found.values())


def _check_measure(name: str) -> None:
    if name not in MEASURES:
        raise ValueError(f"there is no measure {name!r}; known are {', '.join(MEASURES)}")

"""Two takes of a movement compared: warped in time onto each other, then posture by posture and phase by phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import Lift3DError, SkeletonError
from lift3d.motion.angle_table import ANGLES
from lift3d.motion.gaps import interpolate_gaps
from lift3d.motion.measures import BRIDGED, MeasuredBody, steady
from lift3d.motion.tables import dataframe, json_values, rows_of
from lift3d.motion.time_warping import warp
from lift3d.poses import Poses3D

if TYPE_CHECKING:
    import pandas

PHASES = 10
# A person's size: trunk and leg, in metres, of a body to whose scale both takes are brought.
USUAL_SIZE = 1.35
# Takes whose joints move less than this about their mean, in metres, hold no movement to compare.
LEAST_MOVEMENT = 0.01


@dataclass(frozen=True)
class PhaseTiming:
    """One phase of the movement, an equal part of the first take's time.

    Attributes:
        phase: from 1.
        start_a, end_a, start_b, end_b: seconds in each take.
        pace: how much longer the second take needs for it: 1 the same, 2 twice as long.
    """

    phase: int
    start_a: float
    end_a: float
    start_b: float
    end_b: float
    pace: float


@dataclass(frozen=True)
class PhaseAngle:
    """An angle in one phase, in degrees: means of both takes, the second less the first, and the largest such."""

    phase: int
    angle: str
    title: str
    mean_a: float
    mean_b: float
    difference: float
    greatest: float


@dataclass(frozen=True, eq=False)
class TakeComparison:
    """What two takes have in common and where they differ.

    Attributes:
        path: (steps, 2) frames of the first and the second take that go together.
        distances: (steps,) metres, the root mean square distance of the joints, both bodies centred on the pelvis,
            turned to face forward and scaled to one size.
        distance: metres, the root mean square over the path.
        similarity: ``100 (1 - distance² / spread²)``, not below 0; spread is the root mean square distance of both
            takes' joints from their common mean posture. 100: the same postures in the same order; 0: no closer than a
            body that stands still. NaN if hardly anything moves.
        duration_a, duration_b: seconds.
        timing: by phase.
        angles: by phase and angle.
        joints: that were compared.
    """

    path: np.ndarray
    distances: np.ndarray
    distance: float
    similarity: float
    duration_a: float
    duration_b: float
    timing: tuple[PhaseTiming, ...]
    angles: tuple[PhaseAngle, ...]
    joints: tuple[str, ...]

    def largest_differences(self, count: int = 5) -> list[PhaseAngle]:
        """The phases and angles that differ most in their means."""
        known = [item for item in self.angles if np.isfinite(item.difference)]
        return sorted(known, key=lambda item: -abs(item.difference))[:count]

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        numbers = ("distance", "similarity", "duration_a", "duration_b")
        return {
            **{name: json_values(getattr(self, name)) for name in numbers},
            "joints": list(self.joints),
            "timing": rows_of(self.timing),
            "angles": rows_of(self.angles),
            "path": json_values(self.path),
            "distances": json_values(self.distances),
        }

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a phase and angle. Raises MissingDependencyError without pandas."""
        return dataframe(rows_of(self.angles), PhaseAngle.__dataclass_fields__)


def compare_takes(a: Poses3D, b: Poses3D, person_a: int = 0, person_b: int = 0, band: float = 0.2) -> TakeComparison:
    """Compare two takes of a movement, of one person or two, whatever their tempo, place, heading and size.

    Args:
        a, b: in any layout and space, with frame rates. Cut both to the movement: their first and their last frames are
            taken to go together.
        person_a, person_b: indices of the people.
        band: how far the takes may be out of step, as a part of the longer one.

    Raises:
        Lift3DError: a frame rate is unknown, there is no such person, or a take shows no hips.
        SkeletonError: the layouts have no joint name in common.
        ShapeError: a take has no frames, or the band is out of range or too wide for takes of this length.
    """
    first, second = MeasuredBody(a), MeasuredBody(b)
    names = _common(first, second, person_a, person_b)
    posture_a, posture_b = _postures(first, person_a, names, "first"), _postures(second, person_b, names, "second")
    found = warp(posture_a, posture_b, band)
    spread = _spread(posture_a, posture_b)
    distance = float(np.sqrt(found.costs.mean()))
    similarity = 100 * max(0.0, 1 - distance**2 / spread**2) if spread > LEAST_MOVEMENT else float("nan")
    phase = np.minimum(found.path[:, 0] * PHASES // a.frames, PHASES - 1)
    return TakeComparison(
        path=found.path,
        distances=np.sqrt(found.costs),
        distance=distance,
        similarity=similarity,
        duration_a=(a.frames - 1) / first.fps,
        duration_b=(b.frames - 1) / second.fps,
        timing=_timing(found.times(), first.fps, second.fps),
        angles=_angles(first, second, person_a, person_b, found.path, phase),
        joints=names,
    )


def _common(first: MeasuredBody, second: MeasuredBody, person_a: int, person_b: int) -> tuple[str, ...]:
    """Names of the joints that both takes show."""
    shown: list[set[str]] = []
    for which, body, person in (("first", first, person_a), ("second", second, person_b)):
        if not 0 <= person < body.poses.people:
            raise Lift3DError(f"the {which} take has no person {person}; it has {body.poses.people} (counted from 0)")
        seen = np.asarray(np.isfinite(body.upright[:, person]).all(axis=-1).any(axis=0))
        shown.append({name for name, known in zip(body.poses.skeleton.joints, seen, strict=True) if known})
    names = tuple(name for name in first.poses.skeleton.joints if name in shown[0] & shown[1])
    if not names:
        raise SkeletonError("the takes have no joint name in common that both show; convert one to the other's layout")
    return names


def _postures(body: MeasuredBody, person: int, names: tuple[str, ...], which: str) -> np.ndarray:
    """(frames, joints, 3) metres relative to the pelvis, forward along y, in the usual size; short gaps bridged."""
    pelvis, across = body.middle("hip")[:, person], body.across[:, person]
    size = body.leg_length[person] + body.trunk_length[person]
    if not np.isfinite(across).any() or not np.isfinite(size):
        raise Lift3DError(f"the {which} take never shows hips, knees, ankles and shoulders, which a comparison needs")
    points = body.upright[:, person][:, [body.poses.skeleton.index(name) for name in names]] - pelvis[:, None]
    right = across[:, None]
    forward = np.cross([0.0, 0.0, 1.0], right)
    turned = np.stack([(points * right).sum(-1), (points * forward).sum(-1), points[..., 2]], axis=-1)
    return interpolate_gaps(turned * (USUAL_SIZE / size), round(BRIDGED * body.fps), "linear")


def _spread(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square distance of both takes' joints from their common mean posture; every joint is seen in both."""
    middle = (np.nanmean(a, axis=0) + np.nanmean(b, axis=0)) / 2
    return float(np.sqrt(np.mean([np.nanmean(((take - middle) ** 2).sum(-1)) for take in (a, b)])))


def _timing(times: np.ndarray, fps_a: float, fps_b: float) -> tuple[PhaseTiming, ...]:
    """Phases by the frames of the second take (frames of the first,) that go with the first's."""
    edges = np.linspace(0, len(times) - 1, PHASES + 1)
    seconds_a = edges / fps_a
    seconds_b = np.interp(edges, np.arange(len(times)), times) / fps_b
    lasting_a, lasting_b = np.diff(seconds_a), np.diff(seconds_b)
    pace = np.divide(lasting_b, lasting_a, out=np.full(PHASES, np.nan), where=lasting_a > 0)
    columns = (seconds_a[:-1], seconds_a[1:], seconds_b[:-1], seconds_b[1:], pace)
    return tuple(PhaseTiming(index + 1, *map(float, values)) for index, values in enumerate(zip(*columns, strict=True)))


def _angles(
    first: MeasuredBody, second: MeasuredBody, person_a: int, person_b: int, path: np.ndarray, phase: np.ndarray
) -> tuple[PhaseAngle, ...]:
    """The angles of both takes, by phase, of the pairs of frames in which both are known."""
    values_a, values_b = (
        steady(body.angles.values[:, person], body.fps)[frames]
        for body, person, frames in ((first, person_a, path[:, 0]), (second, person_b, path[:, 1]))
    )
    rows: list[PhaseAngle] = []
    for index in range(PHASES):
        for column, name in enumerate(first.angles.names):
            a, b = values_a[phase == index, column], values_b[phase == index, column]
            both = np.isfinite(a) & np.isfinite(b)
            if both.any():
                difference = (b - a)[both]
                greatest = float(difference[np.argmax(np.abs(difference))])
                means = float(a[both].mean()), float(b[both].mean())
                rows.append(PhaseAngle(index + 1, name, ANGLES[name].title, *means, float(difference.mean()), greatest))
    return tuple(rows)

"""What every joint angle means, and the container that angles travel in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from lift3d.errors import Lift3DError, MissingDependencyError
from lift3d.poses import sliced_fps

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class AngleDefinition:
    """What an angle means. The unit is degrees.

    Attributes:
        title: for people: "Knee flexion, left".
        positive: the movement that makes it grow.
        zero: the posture in which it is 0.
        joints: the places of the body that it needs: joints, or places of ``body_frames.PLACES``.
        source: where the definition is from.
    """

    title: str
    positive: str
    zero: str
    joints: tuple[str, ...]
    source: str


_GROOD = "Grood and Suntay 1983, Wu et al. 2002"
_ELEVATION = "Wu et al. 2005"
_MIYAZAKI = "Miyazaki and Ishida 1991"
_PROJECTION = "projection angle"
_PELVIS = "left_hip right_hip neck "
_THORAX = "left_shoulder right_shoulder pelvis neck "
_ALONG = "thigh in line with the trunk's lower part, as in standing"
_BESIDE = "upper arm hanging along the trunk"

# Of each side: title, positive, zero, places ("*" for the side), source.
SIDED: dict[str, tuple[str, str, str, str, str]] = {
    "hip_flexion": ("Hip flexion", "thigh forward and up", _ALONG, _PELVIS + "*_hip *_knee", _GROOD),
    "hip_abduction": ("Hip abduction", "thigh away from the other", _ALONG, _PELVIS + "*_hip *_knee", _GROOD),
    "hip_rotation": (
        "Hip rotation", "internal: knee cap inwards", "the knee bends in the plane of walking",
        _PELVIS + "*_hip *_knee *_ankle", _GROOD,
    ),
    "knee_flexion": ("Knee flexion", "heel to the buttock", "leg straight", "*_hip *_knee *_ankle", _GROOD),
    "ankle_dorsiflexion": (
        "Ankle dorsiflexion", "toes up", "line from heel to toes at right angles to the shank",
        "*_knee *_ankle *_heel *_toes", _PROJECTION,
    ),
    "shoulder_flexion": (
        "Shoulder flexion", "arm forward and up, seen from the side", _BESIDE, _THORAX + "*_shoulder *_elbow",
        _PROJECTION,
    ),
    "shoulder_abduction": (
        "Shoulder abduction", "arm sideways and up, seen from the front", _BESIDE, _THORAX + "*_shoulder *_elbow",
        _PROJECTION,
    ),
    "shoulder_elevation": (
        "Shoulder elevation", "arm away from hanging, in any direction", _BESIDE, _THORAX + "*_shoulder *_elbow",
        _ELEVATION,
    ),
    "shoulder_rotation": (
        "Shoulder rotation", "internal: the hand of a bent, hanging arm to the belly",
        "forearm of a bent, hanging arm points forward", _THORAX + "*_shoulder *_elbow *_wrist", _MIYAZAKI,
    ),
    "elbow_flexion": (
        "Elbow flexion", "hand to the shoulder", "arm straight", "*_shoulder *_elbow *_wrist", _ELEVATION,
    ),
}  # fmt: skip
_MIDDLE: dict[str, tuple[str, str, str, str, str]] = {
    "trunk_flexion": (
        "Trunk flexion", "thorax forward on the pelvis", "spine between pelvis and neck straight",
        _THORAX + "left_hip right_hip spine", _GROOD,
    ),
    "trunk_bending": (
        "Trunk bending", "thorax to the right", "trunk at right angles to the hips", _THORAX + "left_hip right_hip",
        _GROOD,
    ),
    "trunk_rotation": (
        "Trunk rotation", "shoulders to the left on the pelvis", "shoulders parallel to the hips",
        _THORAX + "left_hip right_hip", _GROOD,
    ),
    "trunk_lean": (
        "Trunk lean", "neck away from above the pelvis, in any direction", "neck above the pelvis", "pelvis neck",
        _PROJECTION,
    ),
    "neck_flexion": (
        "Neck flexion", "head forward", "head in line with the trunk", _THORAX + "head", _GROOD,
    ),
    "neck_bending": ("Neck bending", "head to the right", "head in line with the trunk", _THORAX + "head", _GROOD),
}  # fmt: skip


def _places(text: str, side: str = "") -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace("*", side).split()))


ANGLES: dict[str, AngleDefinition] = {
    f"{side}_{name}": AngleDefinition(f"{title}, {side}", positive, zero, _places(joints, side), source)
    for name, (title, positive, zero, joints, source) in SIDED.items()
    for side in ("left", "right")
} | {
    name: AngleDefinition(title, positive, zero, _places(joints), source)
    for name, (title, positive, zero, joints, source) in _MIDDLE.items()
}


@dataclass(frozen=True, eq=False)
class Angles:
    """Joint angles of people over time.

    Attributes:
        names: of the angles, keys of ``ANGLES``.
        values: (frames, people, angles) float32, degrees; NaN where an angle cannot be had.
        missing: why angles are NaN in every frame of everyone, by name.
        fps: frames per second, None if unknown.
        track_ids: one number a person.
    """

    names: tuple[str, ...]
    values: np.ndarray
    missing: dict[str, str]
    fps: float | None
    track_ids: tuple[int, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        """(frames, people) degrees of one angle. Raises Lift3DError if there is no such angle."""
        return np.asarray(self.values[..., self._index(name)])

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise Lift3DError(f"there is no angle {name!r}; there are {', '.join(self.names)}")
        return self.names.index(name)

    def select(
        self,
        names: Sequence[str] | None = None,
        frames: slice = slice(None),
        people: Sequence[int] | None = None,
    ) -> Self:
        """Some of the angles, frames and people (default: all). Raises Lift3DError if there is no such angle."""
        chosen = self.names if names is None else tuple(names)
        persons = list(range(len(self.track_ids))) if people is None else list(people)
        columns = [self._index(name) for name in chosen]
        return replace(
            self,
            names=chosen,
            values=self.values[frames][:, persons][..., columns],
            missing={name: self.missing[name] for name in chosen if name in self.missing},
            fps=sliced_fps(self.fps, frames),
            track_ids=tuple(self.track_ids[i] for i in persons),
        )

    def frame(self, long: bool = False) -> pandas.DataFrame:
        """The angles as a pandas DataFrame, in degrees.

        Args:
            long: one row an angle (frame, time, person, angle, degrees) in place of one a frame and person with a
                column an angle. ``time`` is in seconds, NaN where the frame rate is unknown.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingDependencyError("a DataFrame needs pandas: pip install pandas") from error
        frames, people = self.values.shape[:2]
        number = np.repeat(np.arange(frames), people)
        table = pandas.DataFrame(
            {
                "frame": number,
                "time": number / self.fps if self.fps else np.full(len(number), np.nan),
                "person": np.tile(np.array(self.track_ids, dtype=np.int64), frames),
            }
        )
        wide = pandas.concat(
            [table, pandas.DataFrame(self.values.reshape(-1, len(self.names)), columns=self.names)], axis=1
        )
        if not long:
            return wide
        return wide.melt(["frame", "time", "person"], var_name="angle", value_name="degrees")

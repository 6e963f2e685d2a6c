"""The measures that exercises and form rules may name: joint angles, and a few more that coaches look at.

A measure is (frames, people, 2) for left and right, or (frames, people, 1) where there is no side. Rules are data, so
this closed set of named functions is all that they can compute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.motion.angle_table import ANGLES, SIDED, Angles
from lift3d.motion.angles import joint_angles
from lift3d.motion.body_frames import dot, unit
from lift3d.motion.filters import butterworth, hampel
from lift3d.motion.gaps import interpolate_gaps
from lift3d.poses import Poses3D
from lift3d.skeletons import conversion, make_skeleton

# Slow exercise lies below this frequency and jitter of poses above; repetitions faster than two a second are lost.
CUTOFF = 4.0
# The cut-off is at most this part of the frame rate.
HIGHEST_CUTOFF = 0.4
# Gaps up to this many seconds are bridged.
BRIDGED = 0.5
# A spike is looked for in this many seconds to both sides.
SPIKE = 0.1

_SIDES = ("left", "right")
_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel")
_LAYOUT = make_skeleton(
    "human body", {"neck": None, "pelvis": None} | {f"{side}_{joint}": None for joint in _JOINTS for side in _SIDES}
)


def frame_rate(poses: Poses3D, what: str) -> float:
    """The frame rate. Raises Lift3DError that says what needs it if it is unknown."""
    if poses.fps is None:
        raise Lift3DError(f"{what} needs the frame rate, which these poses do not know; give it (fps)")
    return poses.fps


def steady(values: np.ndarray, fps: float) -> np.ndarray:
    """Values (frames, ...) with short gaps bridged, spikes taken out and jitter smoothed; long gaps stay NaN."""
    values = np.asarray(values, np.float64)
    if not values.size:
        return values
    values = interpolate_gaps(values[..., None], round(BRIDGED * fps))[..., 0]
    values = hampel(values, max(1, round(SPIKE * fps)))
    return butterworth(values, fps, min(CUTOFF, HIGHEST_CUTOFF * fps))


class MeasuredBody:
    """People's measures over a clip, each computed once.

    Args:
        poses: in any layout and space, with a frame rate.

    Attributes:
        upright: (frames, people, joints, 3) metres, Z up: the joints of the poses.

    Raises:
        Lift3DError: the frame rate is unknown, or the layout has no joint of a human body.
    """

    def __init__(self, poses: Poses3D) -> None:
        self.poses = poses
        self.fps = frame_rate(poses, "timing of movements")
        xyz = poses.xyz.astype(np.float64)
        # In camera space (x right, y down, z forward) up is taken to be the image's up.
        self.upright = np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1) if poses.space == "camera" else xyz
        self._places = conversion(poses.skeleton, _LAYOUT).apply(self.upright)
        self._steady: dict[str, np.ndarray] = {}

    @cached_property
    def angles(self) -> Angles:
        """The joint angles of the poses."""
        return joint_angles(self.poses)

    def joint(self, name: str) -> np.ndarray:
        """(frames, people, 3) metres, Z up."""
        return np.asarray(self._places[:, :, _LAYOUT.index(name)])

    def sides(self, joint: str) -> np.ndarray:
        """(frames, people, 2, 3) metres, Z up: the left and the right joint."""
        return np.stack([self.joint(f"{side}_{joint}") for side in _SIDES], axis=2)

    def middle(self, joint: str) -> np.ndarray:
        """(frames, people, 3) metres, Z up: the middle of the left and the right joint."""
        return np.asarray(self.sides(joint).mean(axis=2))

    @cached_property
    def across(self) -> np.ndarray:
        """(frames, people, 3) horizontal unit vectors from the left to the right hip."""
        line = self.joint("right_hip") - self.joint("left_hip")
        return unit(line * [1.0, 1.0, 0.0])

    @cached_property
    def leg_length(self) -> np.ndarray:
        """(people,) metres, thigh and shank: the median over frames and both legs; NaN if no leg is seen."""
        hip, knee, ankle = self.sides("hip"), self.sides("knee"), self.sides("ankle")
        return _median_seen(np.linalg.norm(hip - knee, axis=-1) + np.linalg.norm(knee - ankle, axis=-1))

    @cached_property
    def trunk_length(self) -> np.ndarray:
        """(people,) metres from the middle of the hips to the neck: the median over frames; NaN if never seen."""
        return _median_seen(np.linalg.norm(self.joint("neck") - self.middle("hip"), axis=-1)[..., None])

    @cached_property
    def hip_width(self) -> np.ndarray:
        """(people,) metres between the hips: the median over frames; NaN if they are never seen."""
        return _median_seen(np.linalg.norm(self.joint("right_hip") - self.joint("left_hip"), axis=-1)[..., None])

    def raw(self, measure: str) -> np.ndarray:
        """A measure (frames, people, sides) as it is, NaN where it cannot be had."""
        return np.asarray(MEASURES[measure].compute(self))

    def measure(self, measure: str) -> np.ndarray:
        """A measure (frames, people, sides), ``steady``."""
        if measure not in self._steady:
            self._steady[measure] = steady(self.raw(measure), self.fps)
        return self._steady[measure]


@dataclass(frozen=True)
class Measure:
    """A measure's name for people, its unit, and how it is computed."""

    title: str
    unit: str
    compute: Callable[[MeasuredBody], np.ndarray]


def _median_seen(lengths: np.ndarray) -> np.ndarray:
    """Lengths (frames, people, sides) -> (people,) median of what is not NaN."""
    people = np.moveaxis(lengths, 1, 0).reshape(lengths.shape[1], -1)
    return np.array([np.median(seen) if (seen := row[np.isfinite(row)]).size else np.nan for row in people])


def _angle(name: str) -> Callable[[MeasuredBody], np.ndarray]:
    def compute(body: MeasuredBody) -> np.ndarray:
        names = [f"{side}_{name}" for side in _SIDES] if name in SIDED else [name]
        return np.stack([body.angles[angle] for angle in names], axis=-1)

    return compute


def _degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), dot(a, b))))


def _thigh_slope(body: MeasuredBody) -> np.ndarray:
    thigh = body.sides("hip") - body.sides("knee")
    return np.asarray(np.degrees(np.arctan2(thigh[..., 2], np.linalg.norm(thigh[..., :2], axis=-1))))


def _apart(body: MeasuredBody, joint: str) -> np.ndarray:
    """(frames, people) metres from the left to the right joint, across the body."""
    return np.asarray(dot(body.joint(f"right_{joint}") - body.joint(f"left_{joint}"), body.across))


def _knee_spread(body: MeasuredBody) -> np.ndarray:
    knees, ankles = _apart(body, "knee"), _apart(body, "ankle")
    # With the feet closer than this the ratio says nothing.
    return np.asarray((knees / np.where(ankles > 0.2 * body.hip_width, ankles, np.nan))[..., None])


def _foot_spread(body: MeasuredBody) -> np.ndarray:
    return np.asarray((_apart(body, "ankle") / body.hip_width)[..., None])


def _step_length(body: MeasuredBody) -> np.ndarray:
    forward = np.cross([0.0, 0.0, 1.0], body.across)
    step = dot(body.joint("left_ankle") - body.joint("right_ankle"), forward) / body.leg_length
    return np.stack([step, -step], axis=-1)


def _hand_elevation(body: MeasuredBody) -> np.ndarray:
    arm = body.sides("wrist") - body.sides("shoulder")
    trunk = (body.joint("pelvis") - body.joint("neck"))[:, :, None]
    return _degrees_between(arm, np.broadcast_to(trunk, arm.shape))


def _hip_sag(body: MeasuredBody) -> np.ndarray:
    upper, lower = (body.middle(joint) - body.joint("pelvis") for joint in ("shoulder", "ankle"))
    bend = 180 - _degrees_between(upper, lower)
    # The hips sag where they lie below the line from the shoulders to the ankles: then both lie above them in the mean.
    below = unit(upper)[..., 2] + unit(lower)[..., 2] > 0
    return np.where(below, bend, -bend)[..., None]


def _height(joint: str) -> Callable[[MeasuredBody], np.ndarray]:
    return lambda body: body.sides(joint)[..., 2]


def _hip_height(body: MeasuredBody) -> np.ndarray:
    return np.asarray(body.joint("pelvis")[..., 2:])


MEASURES: dict[str, Measure] = {
    **{name: Measure(title, "degrees", _angle(name)) for name, (title, *_) in SIDED.items()},
    **{
        name: Measure(definition.title, "degrees", _angle(name))
        for name, definition in ANGLES.items()
        if not name.startswith(("left_", "right_"))
    },
    "thigh_slope": Measure("slope of the thigh, 0 when level, above 0 with the hip higher", "degrees", _thigh_slope),
    "hand_elevation": Measure("angle of the line from shoulder to wrist from the trunk", "degrees", _hand_elevation),
    "hip_sag": Measure(
        "bend of the line shoulder, hip, ankle, above 0 with the hip lower than straight", "degrees", _hip_sag
    ),
    "knee_spread": Measure("distance of the knees by that of the ankles, across the body", "ratio", _knee_spread),
    "foot_spread": Measure("distance of the ankles by that of the hips, across the body", "ratio", _foot_spread),
    "step_length": Measure("how far the foot is before the other, by the length of a leg", "ratio", _step_length),
    "hip_height": Measure("height of the hips", "metres", _hip_height),
    "shoulder_height": Measure("height of the shoulders", "metres", _height("shoulder")),
    "heel_height": Measure("height of the heel", "metres", _height("heel")),
}  # fmt: skip

"""What coaches look for in a movement: how fast joints got, when, and the body's angles at that moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import SkeletonError
from lift3d.motion.angles import joint_angles
from lift3d.motion.contacts import ground_contacts
from lift3d.motion.filters import butterworth, hampel
from lift3d.motion.gaps import runs
from lift3d.motion.kinematics import derivative
from lift3d.motion.measures import HIGHEST_CUTOFF, frame_rate, steady
from lift3d.motion.segment_masses import centre_of_mass
from lift3d.motion.tables import dataframe, rows_of
from lift3d.poses import Poses3D

if TYPE_CHECKING:
    import pandas

# Fast limbs move below this frequency; steps and throws are filtered at 8 to 15 Hz.
SPEED_CUTOFF = 10.0
# A spike is looked for in this many seconds to both sides.
SPIKE = 0.05
# A stretch without gaps must last this many frames for its filter.
LEAST_FRAMES = 10
SIDES = ("left", "right")
FAST_JOINTS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
# A hand slower than this, in m/s, throws nothing; a basketball leaves hands of about 3 m/s.
THROW_SPEED = 2.5
# In a jump both feet are this high above where they stand, in metres, for so many seconds at least and at most; steps
# of a run are shorter.
CLEAR = 0.04
LEAST_FLIGHT, MOST_FLIGHT = 0.2, 1.2
GRAVITY = 9.81


@dataclass(frozen=True)
class PeakSpeed:
    """The greatest speed of a joint of a person: m/s, the frame, and the seconds from the first frame."""

    person: int
    joint: str
    speed: float
    frame: int
    seconds: float


@dataclass(frozen=True)
class KeyEvent:
    """A moment of a movement.

    Attributes:
        name: "peak_wrist_speed", "peak_ankle_speed", "release", "foot_strike", "take_off", "landing", "highest" or
            "lowest" (of the centre of mass).
        person: index of the person.
        side: "left", "right" or "".
        frame, seconds: when.
        value, unit: the speed, or the height of the centre of mass above its lowest.
        angles: degrees, by name; NaN where one cannot be had.
    """

    name: str
    person: int
    side: str
    frame: int
    seconds: float
    value: float
    unit: str
    angles: dict[str, float]


@dataclass(frozen=True)
class Jump:
    """A flight of a person.

    Attributes:
        person: index of the person.
        take_off, landing: frames, the first with both feet more than 4 cm above where they stand, and the first after
            it without. A layout without heels and toes shows ankles, which rise before the feet leave the ground.
        seconds: of the take-off.
        flight_seconds: between the moments at which the feet pass 4 cm, which lie between frames.
        height_by_time: metres, ``0.04 + g t² / 8``: what a body rises that lands as it took off.
        height_by_rise: metres that the centre of mass rises, the 4 cm included; NaN if it is not known.
    """

    person: int
    take_off: int
    landing: int
    seconds: float
    flight_seconds: float
    height_by_time: float
    height_by_rise: float


@dataclass(frozen=True)
class KeyEvents:
    """The events of a clip by person and time, its jumps, and what could not be had."""

    events: tuple[KeyEvent, ...]
    jumps: tuple[Jump, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[KeyEvent]:
        return iter(self.events)

    def named(self, name: str, person: int = 0) -> list[KeyEvent]:
        """The events of one name of a person."""
        return [event for event in self.events if event.name == name and event.person == person]

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {"events": rows_of(self.events), "jumps": rows_of(self.jumps), "notes": list(self.notes)}

    def to_dataframe(self) -> pandas.DataFrame:
        """One row an event, a column an angle. Raises MissingDependencyError without pandas."""
        rows = [{**row, **row.pop("angles")} for row in rows_of(self.events)]
        return dataframe(rows, [name for name in KeyEvent.__dataclass_fields__ if name != "angles"])


def smooth_speed(poses: Poses3D) -> np.ndarray:
    """(frames, people, joints) m/s: spikes taken out (Hampel), low-passed at 10 Hz (Butterworth), then differentiated.

    Missing where a joint is, and where it is seen for fewer than 10 frames in a row. At frame rates below 25 the
    cut-off is 0.4 of the rate.

    Raises:
        Lift3DError: the frame rate is unknown.
    """
    fps = frame_rate(poses, "speed")
    if not poses.frames:
        return np.zeros(poses.xyz.shape[:3])
    clean = hampel(poses.xyz.astype(np.float64), max(1, round(SPIKE * fps)))
    filtered = butterworth(clean, fps, min(SPEED_CUTOFF, HIGHEST_CUTOFF * fps))
    lasting = np.zeros(poses.xyz.shape[:3], dtype=bool)
    seen = np.isfinite(poses.xyz).all(axis=-1)
    for person in range(poses.people):
        for joint in range(len(poses.skeleton)):
            for start, stop in runs(seen[:, person, joint]):
                lasting[start:stop, person, joint] = stop - start >= LEAST_FRAMES
    return np.where(lasting, np.linalg.norm(derivative(filtered, fps), axis=-1), np.nan)


def peak_speeds(poses: Poses3D, joints: Sequence[str] | None = None) -> list[PeakSpeed]:
    """How fast joints get, and when; people and joints that are never seen long enough are left out.

    Args:
        poses: in any layout and space, with a frame rate; speeds are those in that space.
        joints: names; default: wrists and ankles, as far as the layout has them.

    Raises:
        Lift3DError: the frame rate is unknown.
        SkeletonError: the layout has no such joint.
    """
    names = [name for name in FAST_JOINTS if name in poses.skeleton.joints] if joints is None else list(joints)
    columns = [poses.skeleton.index(name) for name in names]
    speeds = smooth_speed(poses)
    fps = frame_rate(poses, "speed")
    peaks: list[PeakSpeed] = []
    for person in range(poses.people):
        for name, column in zip(names, columns, strict=True):
            values = speeds[:, person, column]
            if np.isfinite(values).any():
                frame = int(np.nanargmax(values))
                peaks.append(PeakSpeed(person, name, float(values[frame]), frame, frame / fps))
    return peaks


def key_events(poses: Poses3D) -> KeyEvents:
    """The moments of a movement that coaches look at, with the joint angles there.

    - Per side: the greatest speed of wrist and ankle. The faster wrist's is also the release if it is above 2.5 m/s.
    - Every foot strike: where ``contacts.ground_contacts`` begin.
    - Highest and lowest place of the centre of mass.
    - Jumps: both feet clear of the ground for 0.2 to 1.2 s, with take-off and landing; in world space only.

    What needs joints that are missing is left out and noted.

    Args:
        poses: in any layout and space, with a frame rate. In camera space the camera is taken to stand level.

    Raises:
        Lift3DError: the frame rate is unknown.
    """
    moments, notes = _fastest(poses)
    rises, missing = _of_mass(poses)
    strikes, jumps, unseen = _of_feet(poses)
    angles = joint_angles(poses)
    events = [
        replace(event, angles=dict(zip(angles.names, angles.values[event.frame, event.person].tolist(), strict=True)))
        for event in sorted([*moments, *rises, *strikes], key=lambda event: (event.person, event.frame))
    ]
    return KeyEvents(tuple(events), tuple(jumps), (*notes, *missing, *unseen))


def speeds_dataframe(peaks: Sequence[PeakSpeed]) -> pandas.DataFrame:
    """One row a peak speed. Raises MissingDependencyError without pandas."""
    return dataframe(rows_of(peaks), PeakSpeed.__dataclass_fields__)


def _fastest(poses: Poses3D) -> tuple[list[KeyEvent], list[str]]:
    """The peaks of wrists and ankles, the releases, and what is missing."""
    events: list[KeyEvent] = []
    peaks = peak_speeds(poses)
    for peak in peaks:
        side, part = peak.joint.split("_")
        events.append(_event(f"peak_{part}_speed", peak.person, side, peak.frame, poses, peak.speed, "m/s"))
    for person in range(poses.people):
        hands = [peak for peak in peaks if peak.person == person and peak.joint.endswith("wrist")]
        fastest = max(hands, key=lambda peak: peak.speed, default=None)
        if fastest is not None and fastest.speed >= THROW_SPEED:
            side = fastest.joint.split("_")[0]
            events.append(_event("release", person, side, fastest.frame, poses, fastest.speed, "m/s"))
    known = {peak.joint for peak in peaks}
    return events, [f"{joint} is never seen long enough for its speed" for joint in FAST_JOINTS if joint not in known]


def _mass_height(poses: Poses3D) -> np.ndarray:
    """(frames, people) metres, how high the centre of mass is in the space of the poses; steady."""
    xyz = centre_of_mass(poses).xyz
    return steady(-xyz[..., 1] if poses.space == "camera" else xyz[..., 2], frame_rate(poses, "events"))


def _of_mass(poses: Poses3D) -> tuple[list[KeyEvent], list[str]]:
    """The highest and lowest place of each person's centre of mass."""
    heights = _mass_height(poses)
    events: list[KeyEvent] = []
    for person in range(poses.people):
        height = heights[:, person]
        if np.isfinite(height).any():
            lowest = float(np.nanmin(height))
            for name, frame in (("lowest", int(np.nanargmin(height))), ("highest", int(np.nanargmax(height)))):
                events.append(_event(name, person, "", frame, poses, float(height[frame]) - lowest, "m"))
    return events, [] if events else ["the centre of mass is not known: joints are missing"]


def _of_feet(poses: Poses3D) -> tuple[list[KeyEvent], list[Jump], list[str]]:
    """The foot strikes and the jumps."""
    try:
        contacts = ground_contacts(poses)
    except SkeletonError as error:
        return [], [], [f"ground contacts are not known: {error}"]
    heights = _mass_height(poses)
    above = heights - np.fmin.reduce(heights, axis=0, initial=np.inf)
    seen = np.isfinite(contacts.speed)
    events: list[KeyEvent] = []
    jumps: list[Jump] = []
    for person in range(poses.people):
        for index, side in enumerate(SIDES):
            for start, _ in runs(contacts.on[:, person, index]):
                if start > 0 and seen[start - 1, person, index]:
                    events.append(_event("foot_strike", person, side, start, poses, float(above[start, person]), "m"))
        found = _jumps(person, contacts.height[:, person].min(axis=-1), heights[:, person], frame_rate(poses, "events"))
        for jump in found:
            for name, frame in (("take_off", jump.take_off), ("landing", jump.landing)):
                events.append(_event(name, person, "", frame, poses, float(above[frame, person]), "m"))
        jumps += found
    notes = ["jumps are not known: camera space has no floor"] if poses.space == "camera" else []
    return events, jumps, notes


def _jumps(person: int, feet: np.ndarray, mass: np.ndarray, fps: float) -> list[Jump]:
    """Flights, by the heights (frames,) of the lower foot above where it stands and of the centre of mass."""
    jumps: list[Jump] = []
    for start, stop in runs(feet > CLEAR):
        if start == 0 or stop == len(feet) or not np.isfinite(feet[[start - 1, stop]]).all():
            continue
        # Between the frames where the feet pass the height that counts.
        first = start - (feet[start] - CLEAR) / (feet[start] - feet[start - 1])
        last = stop - (CLEAR - feet[stop]) / (feet[stop - 1] - feet[stop])
        flight = float(last - first) / fps
        if LEAST_FLIGHT <= flight <= MOST_FLIGHT:
            begin = np.interp(first, [start - 1, start], mass[start - 1 : start + 1])
            rise = mass[start:stop]
            jumps.append(
                Jump(
                    person=person,
                    take_off=start,
                    landing=stop,
                    seconds=start / fps,
                    flight_seconds=flight,
                    height_by_time=CLEAR + GRAVITY * flight**2 / 8,
                    height_by_rise=float(CLEAR + rise.max() - begin),
                )
            )
    return jumps


def _event(name: str, person: int, side: str, frame: int, poses: Poses3D, value: float, unit: str) -> KeyEvent:
    return KeyEvent(name, person, side, frame, frame / frame_rate(poses, "events"), value, unit, {})

"""Everything that lift3d can say of a motion, in one call: angles, speeds, exercise, balance, two takes, sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.motion.angle_errors import angle_sigma
from lift3d.motion.angles import Angles, joint_angles
from lift3d.motion.bones import BoneLengths, bone_lengths
from lift3d.motion.contacts import Contacts, Footskate, footskate, ground_contacts
from lift3d.motion.events import FAST_JOINTS, KeyEvents, PeakSpeed, key_events, peak_speeds, smooth_speed
from lift3d.motion.form import Form, check_form
from lift3d.motion.measures import frame_rate
from lift3d.motion.progress import Progress, progress
from lift3d.motion.range_of_motion import RangeOfMotion, range_of_motion
from lift3d.motion.repetitions import Repetitions, count_repetitions, detect_exercise
from lift3d.motion.rule_files import Exercise, FormRule, Norms
from lift3d.motion.segment_masses import CentreOfMass, centre_of_mass
from lift3d.motion.side_symmetry import Symmetry
from lift3d.motion.takes import TakeComparison, compare_takes
from lift3d.poses import Poses3D

if TYPE_CHECKING:
    import pandas

# The centre of mass is given where the place of this part of the body's mass is known: hands and feet may be missing.
LEAST_MASS = 0.9


@dataclass(frozen=True, eq=False)
class Analysis:
    """What was found in a clip.

    Attributes:
        poses: the clip.
        angles: joint angles over time.
        sigma: (frames, people, angles) degrees, one standard deviation of each, from those of the joints; None where
            the poses have none.
        ranges: the range of motion of each joint, beside norms.
        peaks: how fast wrists and ankles get.
        events: key events and the angles at them, jumps.
        centre: the centre of mass over time.
        bones: lengths of the bones, a check on the poses themselves.
        contacts, footskate: when feet are on the ground, and how far they slide there; None in camera space, where the
            ground is not known, and for layouts without feet.
        repetitions, form: by the person's index, for those whose exercise is known.
        comparison, other: how the clip differs from another take, and that take.
        progress: how ranges of motion change over sessions.
        notes: what could not be had, and why.
    """

    poses: Poses3D
    angles: Angles
    sigma: np.ndarray | None
    ranges: RangeOfMotion
    peaks: tuple[PeakSpeed, ...]
    events: KeyEvents
    centre: CentreOfMass
    bones: BoneLengths
    contacts: Contacts | None
    footskate: Footskate | None
    repetitions: dict[int, Repetitions]
    form: dict[int, Form]
    comparison: TakeComparison | None
    other: Poses3D | None
    progress: Progress | None
    notes: tuple[str, ...]

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a frame and person.

        Time in seconds, angles in degrees (``_deg``) and where it is known their standard deviation (``_sigma_deg``),
        speeds in metres a second (``_speed``), the centre of mass in metres and which feet are on the ground
        (``_on_ground``).

        Raises MissingDependencyError without pandas.
        """
        table = self.angles.frame().rename(columns={name: f"{name}_deg" for name in self.angles.names})
        if self.sigma is not None:
            for index, name in enumerate(self.angles.names):
                table[f"{name}_sigma_deg"] = self.sigma[..., index].ravel()
        speeds = smooth_speed(self.poses)
        for joint in FAST_JOINTS:
            if joint in self.poses.skeleton.joints:
                table[f"{joint}_speed"] = speeds[..., self.poses.skeleton.index(joint)].ravel()
        for axis, name in enumerate("xyz"):
            table[f"centre_of_mass_{name}"] = self.centre.xyz[..., axis].ravel()
        if self.contacts is not None:
            for index, foot in enumerate(self.contacts.feet):
                table[f"{foot}_on_ground"] = self.contacts.on[..., index].ravel()
        return table

    @property
    def symmetry(self) -> Symmetry:
        """The ranges of motion of the left side beside those of the right, in degrees."""
        names = tuple(name.removeprefix("left_") for name in self.angles.names if name.startswith("left_"))
        found = {(item.person, item.angle): item.range for item in self.ranges}
        left, right = (
            np.array([[found.get((person, f"{side}_{name}"), np.nan) for name in names] for person in self._people])
            for side in ("left", "right")
        )
        return Symmetry(names, left, right)

    @property
    def _people(self) -> range:
        return range(self.poses.people)

    def to_dict(self) -> dict[str, Any]:
        """The results, without what is known of every frame, as JSON values."""
        from lift3d.motion.tables import json_values, rows_of

        people = self.poses.track_ids
        skate, symmetry = self.footskate, self.symmetry
        return {
            "frames": self.poses.frames,
            "fps": self.poses.fps,
            "people": list(people),
            "ranges_of_motion": self.ranges.to_dict(),
            "limb_symmetry_percent": {
                str(people[person]): dict(zip(symmetry.names, json_values(symmetry.limb[person]), strict=True))
                for person in self._people
            },
            "peak_speeds": rows_of(self.peaks),
            "events": self.events.to_dict(),
            "repetitions": {str(people[person]): found.to_dict() for person, found in self.repetitions.items()},
            "form": {str(people[person]): found.to_dict() for person, found in self.form.items()},
            "footskate": None
            if skate is None
            else {"slide_mm_per_frame": json_values(skate.slide), "skating": json_values(skate.skating)},
            "comparison": None if self.comparison is None else self.comparison.to_dict(),
            "progress": None if self.progress is None else self.progress.to_dict(),
            "notes": list(self.notes),
        }

    def save(self, path: str | PathLike[str], overwrite: bool = False) -> None:
        """Write the report, one HTML file.

        Raises:
            UnknownFormatError: the ending is not .html.
            OutputExistsError: the file exists and ``overwrite`` is False.
        """
        from lift3d.motion.report import save_report

        save_report(self, path, overwrite)


def analyze(
    poses: Poses3D,
    exercise: str | Exercise | None = "auto",
    *,
    form_rules: tuple[FormRule, ...] | None = None,
    norms: Norms | None = None,
    other: Poses3D | None = None,
    sessions: Mapping[date, Poses3D] | Mapping[str, Poses3D] | None = None,
) -> Analysis:
    """Analyse a clip.

    Args:
        poses: in any layout and space, with a frame rate.
        exercise: whose repetitions are counted: an id of ``rules/exercises.yaml`` or an exercise of a file of one's
            own; "auto" looks at each person for one that is known; None counts nothing.
        form_rules: of ``rule_files.read_form_rules``; default: those that lift3d ships.
        norms: of ``rule_files.read_norms``; default: those that lift3d ships.
        other: another take of the movement to compare with; its first person beside the first of this clip.
        sessions: other sessions of the first person, by date or label, this clip among them.

    Raises:
        Lift3DError: no frames, nobody seen in any frame, no frame rate, an unknown exercise, or an exercise, take or
            session that lacks what it needs.
    """
    if not np.isfinite(poses.xyz[..., 0]).any():
        what = f"{poses.frames} frames of {poses.people} people"
        raise Lift3DError(f"there is nothing to analyse: no joint is seen in {what}")
    frame_rate(poses, "an analysis")
    notes: list[str] = []
    angles = joint_angles(poses)
    ranges = range_of_motion(angles, norms)
    repetitions = _repetitions(poses, exercise, notes)
    form = {person: check_form(poses, found, form_rules) for person, found in repetitions.items()}
    contacts = skate = None
    if poses.space == "camera":
        notes.append("ground contacts need poses in world space; in the camera's space the ground is not known")
    else:
        try:
            contacts = ground_contacts(poses)
            skate = footskate(poses, contacts)
        except Lift3DError as error:
            notes.append(f"no ground contacts: {error}")
    notes += [f"{angles_title(name)}: {reason}" for name, reason in angles.missing.items()]
    # This clip is measured already.
    measured: dict[Any, Any] = {
        name: ranges if each is poses else range_of_motion(each, norms) for name, each in (sessions or {}).items()
    }
    events = key_events(poses)
    return Analysis(
        poses=poses,
        angles=angles,
        sigma=None if poses.sigma is None and poses.covariance is None else angle_sigma(poses),
        ranges=ranges,
        peaks=tuple(peak_speeds(poses)),
        events=events,
        centre=centre_of_mass(poses, least_known=LEAST_MASS),
        bones=bone_lengths(poses),
        contacts=contacts,
        footskate=skate,
        repetitions=repetitions,
        form=form,
        comparison=None if other is None else compare_takes(poses, other),
        other=other,
        progress=None if sessions is None else progress(measured),
        notes=(*notes, *events.notes),
    )


def angles_title(name: str) -> str:
    """What people call an angle."""
    from lift3d.motion.angle_table import ANGLES

    return ANGLES[name].title if name in ANGLES else name


def _repetitions(poses: Poses3D, exercise: str | Exercise | None, notes: list[str]) -> dict[int, Repetitions]:
    """The repetitions by the person's index; why someone's cannot be counted is a note, unless nobody's can."""
    found: dict[int, Repetitions] = {}
    failed: Lift3DError | None = None
    for person in range(poses.people):
        chosen = _seen_exercise(poses, person) if exercise == "auto" else exercise
        if chosen is None:
            continue
        who = f"person {poses.track_ids[person]}"
        try:
            found[person] = count_repetitions(poses, chosen, person)
        except Lift3DError as error:
            failed = error
            notes.append(f"{who}: {error}")
            continue
        # The notes of repetitions name the person by its index.
        notes += [note.replace(f"person {person}:", f"{who}:", 1) for note in found[person].notes]
    if failed is not None and not found:
        raise failed
    return found


def _seen_exercise(poses: Poses3D, person: int) -> str | None:
    """The exercise that a person is seen to do; None where it is none, or where joints that tell it are missing."""
    try:
        return detect_exercise(poses, person)
    except Lift3DError:
        return None

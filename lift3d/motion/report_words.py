"""The words and the key numbers of a motion report."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lift3d.motion.analysis import Analysis
from lift3d.motion.range_of_motion import JointRange
from lift3d.poses import Poses3D

# Sides are said to differ where their ranges do by this many degrees and by this part of the larger one.
SIDES_DEGREES, SIDES_PART = 10.0, 0.15
# A bone is said to vary where its spread is this part of its length.
LOOSE_BONE = 0.05


def clip_name(poses: Poses3D) -> str:
    """The file or folder that a clip is from, without its path."""
    source = str(poses.provenance.get("source") or "").replace("\\", "/").rstrip("/")
    return source.rsplit("/", 1)[-1] or "Motion"


def clip_line(poses: Poses3D) -> str:
    """Length, rate, people and layout in one line."""
    people = f"{poses.people} {'person' if poses.people == 1 else 'people'}"
    frames = f"{poses.frames} frame{'s' * (poses.frames != 1)}"
    length = f"{poses.frames / float(poses.fps or 1):.2f} s, {frames} at {poses.fps:g} frames/s"
    return f"{length} · {people} · {poses.skeleton.title or poses.skeleton.name}"


def person_name(poses: Poses3D, person: int) -> str:
    """``person 3``, by the track id."""
    return f"person {poses.track_ids[person]}"


def key_numbers(analysis: Analysis, person: int) -> Iterator[tuple[str, str, str]]:
    """(value, title, meaning) of the numbers that stand on top, for the first person reported."""
    if (found := analysis.repetitions.get(person)) is not None:
        others = sum(item.person == person for item in found) - found.count(person)
        more = f", and {others} partial or cut off" if others else ""
        yield str(found.count(person)), f"{found.exercise.title.lower()} repetitions", f"whole ones{more}"
    peaks = [peak for peak in analysis.peaks if peak.person == person]
    if peaks:
        fastest = max(peaks, key=lambda peak: peak.speed)
        yield f"{fastest.speed:.1f} m/s", "fastest", f"{fastest.joint.replace('_', ' ')}, at {fastest.seconds:.2f} s"
    bent = [analysis.ranges.of(f"{side}_knee_flexion", person) for side in ("left", "right")]
    if known := [item for item in bent if item is not None]:
        deepest = max(known, key=lambda item: item.maximum)
        yield f"{deepest.maximum:.0f}°", "deepest knee bend", deepest.side
    if differing := _uneven(analysis, person):
        item = differing[0]
        yield f"{abs(item.side_difference):.0f}°", "largest difference of the sides", _plain(item)
    seen = np.isfinite(analysis.poses.xyz[:, person, :, 0])
    yield f"{100 * seen.any(axis=1).mean():.0f} %", "of the frames", "show the person"


def summary(analysis: Analysis, person: int) -> Iterator[str]:
    """What there is to say of a person, a sentence each."""
    poses = analysis.poses
    who = "The person" if poses.people == 1 else person_name(poses, person).capitalize()
    found = analysis.repetitions.get(person)
    if found is not None:
        count = found.count(person)
        tempo = [item.end_seconds - item.start_seconds for item in found if item.counts and item.person == person]
        pace = f", {np.median(tempo):.1f} s{' each' * (count != 1)}" if tempo else ""
        yield f"{who} did {count} whole {found.exercise.title.lower()} repetition{'s' * (count != 1)}{pace}."
        for hint in analysis.form[person]:
            yield f"{hint.title}: {hint.words}"
    for item in _uneven(analysis, person)[:3]:
        other = "right" if item.side == "left" else "left"
        yield (
            f"{who} moved the {item.side} side further than the {other} in {_plain(item)}: {item.range:.0f}° beside "
            f"{item.range - item.side_difference:.0f}°."
        )
    jumps = [jump for jump in analysis.events.jumps if jump.person == person]
    if jumps:
        highest = max(jumps, key=lambda jump: jump.height_by_time)
        yield (
            f"{who} jumped {len(jumps)} time{'s' * (len(jumps) != 1)}, {100 * highest.height_by_time:.0f} cm high at "
            "most by the time in the air."
        )
    bones = analysis.bones
    length = np.where(bones.median[person] > 0, bones.median[person], np.nan)
    loose = [
        name.replace("_", " ") for name, part in zip(bones.names, bones.spread[person] / length, strict=True)
        if part > LOOSE_BONE
    ]  # fmt: skip
    if loose:
        shown = ", ".join(loose[:5]) + (", ..." if len(loose) > 5 else "")
        yield (
            f"The bones that lead to {shown} change their length by more than {100 * LOOSE_BONE:.0f} %: take angles "
            "there with care."
        )
    seen = np.isfinite(poses.xyz[:, person, :, 0]).any(axis=1)
    if seen.mean() < 0.9:
        yield f"{who} is seen in {int(seen.sum())} of {poses.frames} frames."


def _uneven(analysis: Analysis, person: int) -> list[JointRange]:
    """The ranges of the side that moved further, where the sides clearly differ, the largest difference first."""
    items = [
        item
        for item in analysis.ranges
        if item.person == person and item.side_difference > max(SIDES_DEGREES, SIDES_PART * item.range)
    ]
    return sorted(items, key=lambda item: -item.side_difference)


def _plain(item: JointRange) -> str:
    return item.title.removesuffix(f", {item.side}").lower()

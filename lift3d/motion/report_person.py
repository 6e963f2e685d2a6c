"""The sections of a motion report on one person: exercise, ranges, angles, speed, balance, bones."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lift3d.motion import report_plots as plots
from lift3d.motion.analysis import Analysis
from lift3d.motion.angle_table import ANGLES
from lift3d.motion.events import FAST_JOINTS, smooth_speed
from lift3d.motion.form import FormHint
from lift3d.motion.measures import MEASURES, MeasuredBody, steady
from lift3d.motion.range_of_motion import JointRange
from lift3d.motion.report_parts import (
    about,
    base_title,
    bullets,
    folded,
    frame_times,
    number,
    panels,
    section,
    wide_image,
)  # fmt: skip
from lift3d.motion.report_words import person_name
from lift3d.motion.side_symmetry import Symmetry
from lift3d.pages.assemble import new_figure, row, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Angles that are written beside a key event; the DataFrame has all.
AT_EVENTS = ("hip_flexion", "knee_flexion", "elbow_flexion", "trunk_lean")
# Of long lists a report shows so many rows; the DataFrames hold all.
MOST_ROWS = 60
# Degrees. The ratio of two ranges that are both smaller says more of noise than of the body.
LEAST_RANGE = 10.0


def person_sections(analysis: Analysis, person: int) -> Iterator[str]:
    """The sections on a person, by its index."""
    many = analysis.poses.people > 1
    head = f"{person_name(analysis.poses, person)}: " if many else ""
    if person in analysis.repetitions:
        yield section(head + "exercise", _exercise(analysis, person))
    yield section(head + "range of motion", _ranges(analysis, person))
    yield section(head + "joint angles over time", _angles(analysis, person))
    yield section(head + "speed and key events", _speed(analysis, person))
    yield section(head + "balance and ground contact", _balance(analysis, person))
    yield section(head + "lengths of the bones", _bones(analysis, person))


def _exercise(analysis: Analysis, person: int) -> str:
    found, form = analysis.repetitions[person], analysis.form[person]
    exercise, measure = found.exercise, MEASURES[found.exercise.signal]
    items = [item for item in found if item.person == person]
    figure = new_figure(11, 2.8, left=0.06, right=0.99, bottom=0.17, top=0.88)
    axes = figure.subplots()
    signal = MeasuredBody(analysis.poses).measure(exercise.signal)[:, person]
    sides = ("left", "right") if signal.shape[1] == 2 else ("",)
    curves = {side: signal[:, index] for index, side in enumerate(sides)}
    plots.draw_sides(axes, frame_times(analysis), curves, measure.title, measure.unit)
    plots.mark_spans(axes, [(item.start_seconds, item.end_seconds, item.counts) for item in items])
    axes.set_xlabel("seconds", fontsize=9, color=plots.FAINT)
    rows = (
        row(
            (
                str(item.number),
                item.side,
                f"{item.start_seconds:.2f} to {item.end_seconds:.2f} s",
                f"{item.depth:.0f}°" + ("" if np.isnan(item.hip_drop) else f", hips {100 * item.hip_drop:.0f} cm"),
                f"{item.toward_seconds:.1f} · {item.pause_seconds:.1f} · {item.back_seconds:.1f} s",
                "whole" if item.counts else "cut off" if not item.complete else "partial",
            )
        )
        for item in items[:MOST_ROWS]
    )
    heads = ("", "side", "from start to end", "deepest", f"{exercise.toward} · pause · {exercise.back}", "")
    more = about(f"The first {MOST_ROWS} of {len(items)}.") if len(items) > MOST_ROWS else ""
    hints = "".join(map(_hint, form))
    unchecked = bullets(f"{rule} was not checked: {reason}" for rule, reason in form.unchecked.items())
    nothing = "<p>No rule was broken.</p>" if items else "<p>There is no repetition to check.</p>"
    count = found.count(person)
    return (
        about(
            f"{exercise.title}: {count} whole repetition{'s' * (count != 1)}. Blue stretches are whole ones, grey "
            "ones are partial or cut off."
        )
        + wide_image(figure, f"{measure.title} over time with the repetitions")
        + (table(heads, rows) if items else "")
        + more
        + f"<h3>Form</h3>{hints or nothing}{unchecked}"
    )


def _hint(hint: FormHint) -> str:
    which = ", ".join(map(str, hint.repetitions[:12])) + (", ..." if len(hint.repetitions) > 12 else "")
    unit = "" if hint.unit == "ratio" else f" {hint.unit}"
    low, high = (f"{value:.3g}" for value in (min(hint.values), max(hint.values)))
    measured = low if low == high else f"{low} to {high}"
    text = (
        f"In {len(hint.repetitions)} of {hint.checked} repetitions ({which}): {measured}{unit}. The hint is given "
        f"{hint.comparison} {hint.threshold:g}{unit}; measured: {MEASURES[hint.measure].title}."
    )
    return (
        f'<div class="finding doubtful"><h3>{html.escape(hint.title)}</h3><p>{html.escape(hint.words)}</p>'
        f"{about(text)}</div>"
    )


def _ranges(analysis: Analysis, person: int) -> str:
    items = [item for item in analysis.ranges if item.person == person]
    if not items:
        return about("No joint angle could be measured.")
    tall = 0.8 + 0.27 * len(items)
    figure = new_figure(11, tall, left=0.18, right=0.98, bottom=0.6 / tall, top=1)
    plots.draw_ranges(
        figure.subplots(),
        [item.title for item in items],
        [item.side for item in items],
        np.array([item.minimum for item in items]),
        np.array([item.maximum for item in items]),
        [None if np.isnan(item.norm_minimum) else (item.norm_minimum, item.norm_maximum) for item in items],
    )
    heads = ["joint", "from", "to", "range", "of the norm", "other side", "symmetry", "frames"]
    heads += ["error"] * (analysis.sigma is not None)
    symmetry = analysis.symmetry
    rows = (row(_range_cells(analysis, item, symmetry)) for item in items)
    text = (
        "How far each joint moved in this clip, without its rarest 2 % of frames. Grey is what is normal: a movement "
        "that does not ask for all of it does not use all of it."
    )
    meaning = (
        "Other side: how much further this side moved than the other. Symmetry: the lesser range over the greater, "
        f"100 % being equal (limb symmetry index); not given where both are below {LEAST_RANGE:.0f}°. Frames: the "
        "part of the frames in which the angle could be told."
    )
    if analysis.sigma is not None:
        meaning += " Error: one standard deviation of the angle in a frame, the median over the clip."
    return (
        about(text)
        + wide_image(figure, "Ranges of motion beside norms")
        + folded("In numbers", about(meaning) + table(heads, rows))
    )


def _range_cells(analysis: Analysis, item: JointRange, symmetry: Symmetry) -> list[str]:
    greatest = max(item.range, item.range - item.side_difference)
    base = item.angle.removeprefix(f"{item.side}_")
    ratio = np.nan
    if item.side and greatest >= LEAST_RANGE:
        ratio = float(symmetry.limb[item.person, symmetry.names.index(base)])
    cells = [
        item.title,
        number(item.minimum, unit="°"),
        number(item.maximum, unit="°"),
        number(item.range, unit="°"),
        number(item.percent_of_norm, unit=" %"),
        number(item.side_difference, unit="°", sign="+"),
        number(ratio, unit=" %"),
        number(100 * item.frames / analysis.poses.frames, unit=" %"),
    ]
    if analysis.sigma is not None:
        sigma = analysis.sigma[:, item.person, analysis.angles.names.index(item.angle)]
        known = sigma[np.isfinite(sigma)]
        cells.append(f"± {np.median(known):.1f}°" if known.size else "-")
    return cells


def _angles(analysis: Analysis, person: int) -> str:
    time, angles = frame_times(analysis), analysis.angles
    by_title: dict[str, dict[str, tuple[np.ndarray, np.ndarray | None]]] = {}
    for column, name in enumerate(angles.names):
        side = name.split("_")[0] if name.startswith(("left_", "right_")) else ""
        values = angles.values[:, person, column]
        if np.isfinite(values).any():
            sigma = None if analysis.sigma is None else analysis.sigma[:, person, column]
            by_title.setdefault(base_title(ANGLES[name].title, side), {})[side] = values, sigma
    if not by_title:
        return about("No joint angle could be measured.")
    drawn: list[tuple[str, Callable[[Axes], None]]] = [
        (f"{title} over time", partial(_angle_panel, time, curves, title)) for title, curves in by_title.items()
    ]
    text = "Left in blue, right in orange; the middle of the body in grey. A curve breaks where the angle is not known."
    if analysis.sigma is not None:
        text += " The light band is one standard deviation to both sides."
    return about(text) + panels(drawn, "seconds")


def _angle_panel(
    time: np.ndarray, curves: dict[str, tuple[np.ndarray, np.ndarray | None]], title: str, axes: Axes
) -> None:
    for side, (values, sigma) in curves.items():
        if sigma is not None:
            plots.draw_band(axes, time, values, sigma, plots.SIDES[side])
    plots.draw_sides(axes, time, {side: values for side, (values, _) in curves.items()}, title)


def _speed(analysis: Analysis, person: int) -> str:
    joints = [joint for joint in FAST_JOINTS if joint in analysis.poses.skeleton.joints]
    peaks = [peak for peak in analysis.peaks if peak.person == person]
    rows = [
        row((f"fastest {p.joint.replace('_', ' ')}", f"{p.seconds:.2f}\u00a0s", f"{p.speed:.2f}\u00a0m/s", ""))
        for p in peaks
    ]
    for jump in analysis.events.jumps:
        if jump.person == person:
            height = f"{100 * jump.height_by_time:.0f} cm by the time in the air"
            rise = number(100 * jump.height_by_rise, unit=" cm by the rise of the centre of mass")
            rows.append(row(("jump", f"{jump.seconds:.2f}\u00a0s", height, rise)))
    events = [event for event in analysis.events if event.person == person and not event.name.startswith("peak_")]
    for event in events[: max(0, MOST_ROWS - len(rows))]:
        name = f"{event.side} {event.name}".strip().replace("_", " ")
        known = ", ".join(
            f"{ANGLES[angle].title.lower()} {value:.0f}°"
            for angle, value in event.angles.items()
            if angle.endswith(AT_EVENTS) and np.isfinite(value)
        )
        rows.append(row((name, f"{event.seconds:.2f}\u00a0s", f"{number(event.value, 2)}\u00a0{event.unit}", known)))
    listing = folded("Key events", table(("what", "when", "how much", "angles"), rows)) if rows else ""
    if not peaks:
        return about("No wrist or ankle is seen long enough to tell its speed.") + listing
    speeds, time = smooth_speed(analysis.poses)[:, person], frame_times(analysis)
    figure = new_figure(11, 2.4, left=0.055, right=0.99, bottom=0.2, top=0.88, wspace=0.15)
    parts = list(dict.fromkeys(joint.removeprefix("left_").removeprefix("right_") for joint in joints))
    for axes, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        curves = {
            side: speeds[:, analysis.poses.skeleton.index(f"{side}_{part}")]
            for side in ("left", "right")
            if f"{side}_{part}" in joints
        }
        plots.draw_sides(axes, time, curves, f"Speed of the {part}s", "m/s")
        axes.set_xlabel("seconds", fontsize=9, color=plots.FAINT)
    text = "Smoothed at 10 Hz; peaks of poses that jitter are still a little high."
    return about(text) + wide_image(figure, "Speeds over time") + listing


def _balance(analysis: Analysis, person: int) -> str:
    centre, time = analysis.centre.xyz[:, person], frame_times(analysis)
    if analysis.poses.space == "camera":
        centre = np.stack([centre[:, 0], centre[:, 2], -centre[:, 1]], axis=-1)
    blocks = []
    if np.isfinite(centre).any():
        figure = new_figure(11, 3.2, left=0.055, right=0.98, bottom=0.15, top=0.9, wspace=0.18)
        above, height = figure.subplots(1, 2, width_ratios=(1, 2))
        plots.draw_path(above, centre[:, :2])
        plots.draw_sides(
            height, time, {"": centre[:, 2] - np.nanmin(centre[:, 2])}, "Height above its lowest", "metres"
        )
        height.set_xlabel("seconds", fontsize=9, color=plots.FAINT)
        # Jitter is no way that a body went.
        way = np.linalg.norm(np.diff(steady(centre[:, :2], float(analysis.poses.fps or 1)), axis=0), axis=1)
        blocks.append(
            about(
                f"The centre of mass, by segments of common proportions. Its way on the floor: {np.nansum(way):.2f} m."
            )
            + wide_image(figure, "Path and height of the centre of mass")
        )
    else:
        blocks.append(about("Too little of the body is seen to tell its centre of mass."))
    if analysis.contacts is not None and analysis.footskate is not None:
        feet = {foot: analysis.contacts.on[:, person, index] for index, foot in enumerate(analysis.contacts.feet)}
        figure = new_figure(11, 1.3, left=0.09, right=0.98, bottom=0.3, top=0.98)
        plots.draw_contacts(figure.subplots(), time, feet)
        slide, skating = analysis.footskate.slide[person], analysis.footskate.skating[person]
        blocks.append(
            about(
                "Feet on the ground. While they are, they slide by "
                f"{number(float(slide), 1)} mm a frame, and faster than 0.5 m/s in {number(100 * float(skating))} % "
                "of the frames: for animation, 'lift3d convert --foot-lock' holds them."
            )
            + wide_image(figure, "When each foot is on the ground")
        )
    return "".join(blocks)


def _bones(analysis: Analysis, person: int) -> str:
    bones = analysis.bones
    rows = (
        row(
            (
                f"{parent.replace('_', ' ')} to {name.replace('_', ' ')}",
                f"{100 * bones.median[person, index]:.1f} cm",
                f"{100 * bones.spread[person, index]:.1f} cm",
            )
        )
        for index, (name, parent) in enumerate(zip(bones.names, bones.parents, strict=True))
        if bones.seen[person, index]
    )
    text = "Bones do not change: how much their lengths vary over the clip says how far the poses can be trusted."
    return about(text) + folded("All bones", table(("bone", "length", "spread"), rows))

"""The report of an analysis: one HTML file with plots and words, for any browser and for print."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from os import PathLike
from pathlib import Path

import numpy as np

from lift3d.errors import UnknownFormatError
from lift3d.io.files import atomic_path
from lift3d.motion import report_plots as plots
from lift3d.motion.analysis import Analysis
from lift3d.motion.angle_table import ANGLES
from lift3d.motion.events import FAST_JOINTS, smooth_speed
from lift3d.motion.measures import MEASURES, MeasuredBody
from lift3d.motion.report_words import clip_line, clip_name, key_numbers, person_name, summary
from lift3d.pages.assemble import fill_page, image, new_figure, plain_text, report_style, row, table

# Of a crowd so many people are reported, those that are seen most.
MOST_PEOPLE = 6
# Angles that are written beside a key event; the DataFrame has all.
AT_EVENTS = ("hip_flexion", "knee_flexion", "elbow_flexion", "trunk_lean")
# Of long lists a report shows so many rows; the DataFrames hold all.
MOST_ROWS = 60
COLUMNS = 3


def save_report(analysis: Analysis, path: str | PathLike[str], overwrite: bool = False) -> None:
    """Write the report.

    Raises:
        UnknownFormatError: the ending is not .html.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    if Path(path).suffix.lower() != ".html":
        raise UnknownFormatError(path, "a report needs the ending .html")
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(make_report(analysis).encode("utf-8", "replace"))


def make_report(analysis: Analysis) -> str:
    """The text of the page that ``save_report`` writes."""
    people = _reported(analysis)
    with plain_text():
        sections = [section for person in people for section in _person(analysis, person)]
        sections += [*_comparison(analysis), *_progress(analysis)]
    sentences = [sentence for person in people for sentence in summary(analysis, person)]
    if len(people) < analysis.poses.people:
        sentences.append(f"Of {analysis.poses.people} people the {len(people)} who are seen most are reported.")
    parts = {
        "TITLE": html.escape(clip_name(analysis.poses)),
        "LINE": html.escape(clip_line(analysis.poses)),
        "NUMBERS": "".join(
            f"<div><b>{html.escape(value)}</b><i>{html.escape(title)}</i><span>{html.escape(meaning)}</span></div>"
            for value, title, meaning in key_numbers(analysis, people[0])
        ),
        "WORDS": _list(sentences),
        "SECTIONS": "\n".join(sections),
        "NOTES": _list(analysis.notes) or "<p>Nothing is missing.</p>",
        "DEFINITIONS": table(
            ("angle", "positive", "zero", "by"),
            (row((a.title, a.positive, a.zero, a.source)) for a in ANGLES.values()),
        ),
        "SOURCES": _sources(analysis),
        "ORIGIN": _origin(analysis),
    }
    template = (resources.files("lift3d.motion") / "analysis.html").read_text("utf-8")
    return fill_page(template, report_style(), parts)


def _reported(analysis: Analysis) -> list[int]:
    """Indices of the people that are reported, in their order."""
    seen = np.isfinite(analysis.poses.xyz[..., 0]).any(axis=2).sum(axis=0)
    most = sorted(range(analysis.poses.people), key=lambda person: -int(seen[person]))[:MOST_PEOPLE]
    return sorted(person for person in most if seen[person])


def _person(analysis: Analysis, person: int) -> Iterator[str]:
    many = analysis.poses.people > 1
    head = f"{person_name(analysis.poses, person)}: " if many else ""
    if person in analysis.repetitions:
        yield _section(head + "exercise", _exercise(analysis, person))
    yield _section(head + "range of motion", _ranges(analysis, person))
    yield _section(head + "joint angles over time", _angles(analysis, person))
    yield _section(head + "speed", _speed(analysis, person))
    yield _section(head + "balance and ground contact", _balance(analysis, person))
    yield _section(head + "lengths of the bones", _bones(analysis, person))


def _section(title: str, content: str) -> str:
    return f"<section><h2>{html.escape(title[0].upper() + title[1:])}</h2>{content}</section>"


def _about(text: str) -> str:
    return f'<p class="about">{html.escape(text)}</p>'


def _list(sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _number(value: float, digits: int = 0) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"


def _time(analysis: Analysis) -> np.ndarray:
    return np.arange(analysis.poses.frames) / float(analysis.poses.fps or 1)


def _exercise(analysis: Analysis, person: int) -> str:
    found, form = analysis.repetitions[person], analysis.form[person]
    exercise, measure = found.exercise, MEASURES[found.exercise.signal]
    time = _time(analysis)
    figure = new_figure(11, 2.8, left=0.06, right=0.99, bottom=0.17, top=0.88)
    axes = figure.subplots()
    signal = MeasuredBody(analysis.poses).measure(exercise.signal)[:, person]
    sides = ("left", "right") if signal.shape[1] == 2 else ("",)
    curves = {side: signal[:, index] for index, side in enumerate(sides)}
    plots.draw_sides(axes, time, curves, measure.title, measure.unit)
    plots.mark_spans(axes, [(item.start_seconds, item.end_seconds, item.counts) for item in found])
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
        for item in found.items[:MOST_ROWS]
    )
    tempo = f"{exercise.toward} · pause · {exercise.back}"
    listing = table(("", "side", "from start to end", "deepest", tempo, ""), rows)
    hints = "".join(
        f'<div class="finding doubtful"><h3>{html.escape(hint.title)}</h3><p>{html.escape(hint.words)}</p>'
        f'<p class="about">{html.escape(_measured(hint.repetitions, hint.values, hint.checked))} '
        f"{html.escape(f'{MEASURES[hint.measure].title}, {hint.comparison} {hint.threshold:g} {hint.unit}.')}</p></div>"
        for hint in form
    )
    unchecked = _list(f"{rule} was not checked: {reason}" for rule, reason in form.unchecked.items())
    heading = f"<h3>Form</h3>{hints or '<p>No rule was broken.</p>'}{unchecked}"
    return (
        _about(f"{exercise.title}: {found.count(person)} whole repetitions. Shaded: where they were found.")
        + image(figure, f"{measure.title} over time with the repetitions")
        + listing
        + heading
    )


def _measured(repetitions: Sequence[int], values: Sequence[float], checked: int) -> str:
    which = ", ".join(map(str, repetitions[:12])) + (", ..." if len(repetitions) > 12 else "")
    return f"In {len(repetitions)} of {checked} repetitions ({which}): {min(values):.3g} to {max(values):.3g}."


def _ranges(analysis: Analysis, person: int) -> str:
    items = [item for item in analysis.ranges if item.person == person]
    if not items:
        return _about("No joint angle could be measured.")
    figure = new_figure(
        11, 0.8 + 0.27 * len(items), left=0.24, right=0.98, bottom=0.6 / (0.8 + 0.27 * len(items)), top=1
    )
    plots.draw_ranges(
        figure.subplots(),
        [item.title for item in items],
        [item.side for item in items],
        np.array([item.minimum for item in items]),
        np.array([item.maximum for item in items]),
        [None if np.isnan(item.norm_minimum) else (item.norm_minimum, item.norm_maximum) for item in items],
    )
    rows = (
        row(
            (
                item.title,
                f"{item.minimum:.0f}° to {item.maximum:.0f}°",
                f"{item.range:.0f}°",
                "-" if np.isnan(item.percent_of_norm) else f"{item.percent_of_norm:.0f} %",
                "-" if np.isnan(item.side_difference) else f"{item.side_difference:+.0f}°",
                f"{100 * item.frames / analysis.poses.frames:.0f} %",
            )
        )
        for item in items
    )
    heads = ("joint", "from to", "range", "of the norm", "more than the other side", "frames measured")
    text = (
        "How far each joint moved in this clip, without its rarest 2 % of frames. Grey is what is normal: a movement "
        "that does not ask for all of it does not use all of it."
    )
    return (
        _about(text)
        + image(figure, "Ranges of motion beside norms")
        + f"<details><summary>In numbers</summary>{table(heads, rows)}</details>"
    )


def _angles(analysis: Analysis, person: int) -> str:
    time, angles = _time(analysis), analysis.angles
    panels: dict[str, dict[str, np.ndarray]] = {}
    for column, name in enumerate(angles.names):
        side = name.split("_")[0] if name.startswith(("left_", "right_")) else ""
        values = angles.values[:, person, column]
        if np.isfinite(values).any():
            title = ANGLES[name].title.removesuffix(f", {side}")
            panels.setdefault(title, {})[side] = values
    if not panels:
        return _about("No joint angle could be measured.")
    down = -(-len(panels) // COLUMNS)
    tall = 2.0 * down + 0.4
    figure = new_figure(
        11, tall, left=0.055, right=0.99, bottom=0.45 / tall, top=1 - 0.3 / tall, wspace=0.2, hspace=0.45
    )
    grid = figure.subplots(down, COLUMNS, squeeze=False, sharex=True).ravel()
    for axes, (title, curves) in zip(grid, panels.items(), strict=False):
        plots.draw_sides(axes, time, curves, title)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[max(0, len(panels) - COLUMNS) : len(panels)]:
        axes.set_xlabel("seconds", fontsize=9, color=plots.FAINT)
        axes.tick_params(labelbottom=True)
    return _about("Left in blue, right in orange; the middle of the body in grey.") + image(figure, "Joint angles")


def _speed(analysis: Analysis, person: int) -> str:
    joints = [joint for joint in FAST_JOINTS if joint in analysis.poses.skeleton.joints]
    peaks = [peak for peak in analysis.peaks if peak.person == person]
    if not peaks:
        return _about("No wrist or ankle is seen long enough to tell its speed.")
    speeds, time = smooth_speed(analysis.poses)[:, person], _time(analysis)
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
    rows = [
        row((f"fastest {p.joint.replace('_', ' ')}", f"{p.seconds:.2f} s", f"{p.speed:.2f} m/s", "")) for p in peaks
    ]
    events = [event for event in analysis.events if event.person == person and not event.name.startswith("peak_")]
    for event in events[: MOST_ROWS - len(rows)]:
        name = f"{event.side} {event.name}".strip().replace("_", " ")
        known = ", ".join(
            f"{ANGLES[angle].title.lower()} {value:.0f}°"
            for angle, value in event.angles.items()
            if angle.endswith(AT_EVENTS) and np.isfinite(value)
        )
        rows.append(row((name, f"{event.seconds:.2f} s", f"{_number(event.value, 2)} {event.unit}", known)))
    for jump in analysis.events.jumps:
        if jump.person == person:
            height = (
                f"{100 * jump.height_by_time:.0f} cm by flight time, {_number(100 * jump.height_by_rise)} cm by rise"
            )
            rows.append(row(("jump", f"{jump.seconds:.2f} s", height, "")))
    return (
        _about("Smoothed at 10 Hz; peaks of poses that jitter are still a little high.")
        + image(figure, "Speeds over time")
        + f"<details><summary>Key events</summary>{table(('what', 'when', 'how much', 'angles'), rows)}</details>"
    )


def _balance(analysis: Analysis, person: int) -> str:
    centre, time = analysis.centre.xyz[:, person], _time(analysis)
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
        way = np.linalg.norm(np.diff(centre[:, :2], axis=0), axis=1)
        blocks.append(
            _about(
                f"The centre of mass, by segments of common proportions. Its way on the floor: {np.nansum(way):.2f} m."
            )
            + image(figure, "Path and height of the centre of mass")
        )
    else:
        blocks.append(_about("Too little of the body is seen to tell its centre of mass."))
    if analysis.contacts is not None and analysis.footskate is not None:
        feet = {foot: analysis.contacts.on[:, person, index] for index, foot in enumerate(analysis.contacts.feet)}
        figure = new_figure(11, 1.3, left=0.09, right=0.98, bottom=0.3, top=0.98)
        plots.draw_contacts(figure.subplots(), time, feet)
        slide, skating = analysis.footskate.slide[person], analysis.footskate.skating[person]
        blocks.append(
            _about(
                "Feet on the ground. While they are, they slide by "
                f"{_number(float(slide), 1)} mm a frame, and faster than 0.5 m/s in {_number(100 * float(skating))} % "
                "of the frames: for animation, 'lift3d convert --foot-lock' holds them."
            )
            + image(figure, "When each foot is on the ground")
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
    return _about(text) + f"<details><summary>All bones</summary>{table(('bone', 'length', 'spread'), rows)}</details>"


def _comparison(analysis: Analysis) -> Iterator[str]:
    found, other = analysis.comparison, analysis.other
    if found is None or other is None:
        return
    from lift3d.motion.angles import joint_angles

    theirs = joint_angles(other)
    names = list(dict.fromkeys(item.angle for item in found.largest_differences(30)))[:6]
    share = np.linspace(0, 100, len(found.path))
    down = max(1, -(-len(names) // COLUMNS))
    tall = 2.2 * down + 0.3
    figure = new_figure(11, tall, left=0.055, right=0.99, bottom=0.5 / tall, top=1 - 0.3 / tall, wspace=0.2, hspace=0.6)
    grid = figure.subplots(down, COLUMNS, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        first, second = analysis.angles[name][found.path[:, 0], 0], theirs[name][found.path[:, 1], 0]
        plots.draw_two_takes(axes, share, first, second, ANGLES[name].title)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    rows = (
        row(
            (
                str(p.phase),
                f"{p.start_a:.2f} to {p.end_a:.2f} s",
                f"{p.start_b:.2f} to {p.end_b:.2f} s",
                f"{p.pace:.2f}",
            )
        )
        for p in found.timing
    )
    text = (
        f"Matched in time by dynamic time warping: similarity {_number(found.similarity)} of 100, postures "
        f"{1000 * found.distance:.0f} mm apart. This clip (blue) took {found.duration_a:.2f} s, the other "
        f"(grey) {found.duration_b:.2f} s. The angles that differ most:"
    )
    heads = ("phase", "this clip", "the other", "pace")
    yield _section("beside the other take", _about(text) + image(figure, "Angles of both takes") + table(heads, rows))


def _progress(analysis: Analysis) -> Iterator[str]:
    found = analysis.progress
    if found is None:
        return
    labels = [str(session) for session in found.sessions]
    ranges = [item for item in found if item.limit == "range"]
    panels: dict[str, dict[str, np.ndarray]] = {}
    for item in ranges:
        panels.setdefault(item.title.removesuffix(f", {item.side}"), {})[item.side] = np.array(item.values)
    down = max(1, -(-len(panels) // COLUMNS))
    tall = 2.1 * down + 0.5
    figure = new_figure(
        11, tall, left=0.055, right=0.99, bottom=0.5 / tall, top=1 - 0.3 / tall, wspace=0.2, hspace=0.65
    )
    grid = figure.subplots(down, COLUMNS, squeeze=False).ravel()
    for axes, (title, curves) in zip(grid, panels.items(), strict=False):
        plots.draw_sessions(axes, labels, curves, title)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    rows = (
        row(
            (
                item.title,
                *(f"{_number(value)}°" for value in item.values),
                f"{item.change:+.0f}°",
                f"{item.minimal_change:.0f}°",
                "more than error" if item.real else "may be error",
            )
        )
        for item in ranges
    )
    heads = ("range of", *labels, "change", "error", "")
    yield _section(
        "progress over sessions", _about(found.caution) + image(figure, "Ranges over sessions") + table(heads, rows)
    )


def _sources(analysis: Analysis) -> str:
    norms = analysis.ranges.norms
    shown = {
        f"{norm.angle.replace('_', ' ')}: {norm.minimum:g}° to {norm.maximum:g}°": norm.source for norm in norms.norms
    }
    rules = {hint.title: hint.source for form in analysis.form.values() for hint in form}
    exercises = {found.exercise.title: found.exercise.source for found in analysis.repetitions.values()}
    return table(("what", "source"), (row(item) for item in {**shown, **exercises, **rules}.items()))


def _origin(analysis: Analysis) -> str:
    provenance = analysis.poses.provenance
    steps = provenance.get("steps", [])
    rest = {key: value for key, value in provenance.items() if key != "steps"}
    known = (
        row((key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)[:500]))
        for key, value in rest.items()
    )
    return table(("", ""), known) + _list(str(step) for step in steps)

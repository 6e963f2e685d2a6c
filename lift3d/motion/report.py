"""The report of an analysis: one HTML file with plots and words, for any browser and for print."""

from __future__ import annotations

import html
import json
from importlib import resources
from os import PathLike
from pathlib import Path

import numpy as np

from lift3d.errors import UnknownFormatError
from lift3d.io.files import atomic_path
from lift3d.motion.analysis import Analysis
from lift3d.motion.angle_table import ANGLES
from lift3d.motion.report_parts import bullets
from lift3d.motion.report_person import person_sections
from lift3d.motion.report_takes import comparison_section, progress_section
from lift3d.motion.report_words import clip_line, clip_name, key_numbers, person_name, summary
from lift3d.pages.assemble import fill_page, plain_text, report_style, row, table

# Of a crowd so many people are reported, those that are seen most.
MOST_PEOPLE = 6


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
        sections = [section for person in people for section in person_sections(analysis, person)]
        sections += [*comparison_section(analysis), *progress_section(analysis)]
    parts = {
        "TITLE": html.escape(clip_name(analysis.poses)),
        "LINE": html.escape(clip_line(analysis.poses)),
        "SUMMARY": _summary(analysis, people),
        "SECTIONS": "\n".join(sections),
        "NOTES": bullets(analysis.notes) or "<p>Nothing is missing.</p>",
        "DEFINITIONS": table(
            ("angle", "positive", "zero", "by"),
            (row((a.title, a.positive, a.zero, a.source)) for a in ANGLES.values()),
        ),
        "SOURCES": _sources(analysis),
        "ORIGIN": _origin(analysis),
    }
    template = (resources.files("lift3d.motion") / "analysis.html").read_text("utf-8")
    return fill_page(template, report_style(), parts)


def _summary(analysis: Analysis, people: list[int]) -> str:
    parts = []
    for person in people:
        numbers = "".join(
            f"<div><b>{html.escape(value)}</b><i>{html.escape(title)}</i><span>{html.escape(meaning)}</span></div>"
            for value, title, meaning in key_numbers(analysis, person)
        )
        name = person_name(analysis.poses, person).capitalize()
        head = f"<h3>{html.escape(name)}</h3>" if analysis.poses.people > 1 else ""
        parts.append(f'{head}<div class="numbers">{numbers}</div>{bullets(summary(analysis, person))}')
    if len(people) < analysis.poses.people:
        counted = f"Of {analysis.poses.people} people the {len(people)} who are seen most are reported."
        parts.append(f"<p>{html.escape(counted)}</p>")
    return "".join(parts)


def _reported(analysis: Analysis) -> list[int]:
    """Indices of the people that are reported, in their order."""
    seen = np.isfinite(analysis.poses.xyz[..., 0]).any(axis=2).sum(axis=0)
    most = sorted(range(analysis.poses.people), key=lambda person: -int(seen[person]))[:MOST_PEOPLE]
    return sorted(person for person in most if seen[person])


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
    return table(("", ""), known) + bullets(str(step) for step in steps)

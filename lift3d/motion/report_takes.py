"""The sections of a motion report that set the clip beside others: another take, and earlier or later sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lift3d.motion import report_plots as plots
from lift3d.motion.analysis import Analysis
from lift3d.motion.angle_table import ANGLES
from lift3d.motion.angles import joint_angles
from lift3d.motion.report_parts import about, base_title, folded, number, panels, section
from lift3d.pages.assemble import row, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# So many angles that differ most between takes are drawn.
MOST_ANGLES = 6


def comparison_section(analysis: Analysis) -> Iterator[str]:
    """How the clip differs from the other take, if there is one."""
    found, other = analysis.comparison, analysis.other
    if found is None or other is None:
        return
    theirs = joint_angles(other)
    differing = found.largest_differences(len(found.angles))
    names = list(dict.fromkeys(item.angle for item in differing))[:MOST_ANGLES]
    share = np.linspace(0, 100, len(found.path))
    drawn: list[tuple[str, Callable[[Axes], None]]] = []
    for name in names:
        first, second = analysis.angles[name][found.path[:, 0], 0], theirs[name][found.path[:, 1], 0]
        title = ANGLES[name].title
        drawn.append((f"{title} of both takes", partial(_two_takes, share, first, second, title)))
    timing = (
        row(
            (
                str(p.phase),
                f"{p.start_a:.2f} to {p.end_a:.2f} s",
                f"{p.start_b:.2f} to {p.end_b:.2f} s",
                number(p.pace, 2),
            )
        )
        for p in found.timing
    )
    differences = (
        row(
            (
                item.title,
                str(item.phase),
                number(item.mean_a, unit="°"),
                number(item.mean_b, unit="°"),
                number(item.difference, unit="°", sign="+"),
            )
        )
        for item in differing[:10]
    )
    text = (
        f"Matched in time by dynamic time warping: similarity {number(found.similarity)} of 100, postures "
        f"{1000 * found.distance:.0f} mm apart. This clip (blue) took {found.duration_a:.2f} s, the other "
        f"(grey) {found.duration_b:.2f} s."
    )
    yield section(
        "beside the other take",
        about(text)
        + "<h3>The angles that differ most</h3>"
        + panels(drawn, "% of the movement")
        + folded("In numbers", table(("angle", "phase", "this clip", "the other", "difference"), differences))
        + folded(
            "Timing",
            about("A pace of 2: the other take needs twice as long for the phase.")
            + table(("phase", "this clip", "the other", "pace"), timing),
        ),
    )


def progress_section(analysis: Analysis) -> Iterator[str]:
    """How the ranges of motion changed over the sessions, if there are any."""
    found = analysis.progress
    if found is None:
        return
    labels = [str(session) for session in found.sessions]
    ranges = [item for item in found if item.limit == "range"]
    by_title: dict[str, dict[str, np.ndarray]] = {}
    for item in ranges:
        by_title.setdefault(base_title(item.title, item.side), {})[item.side] = np.array(item.values)
    drawn: list[tuple[str, Callable[[Axes], None]]] = [
        (f"Range of {title.lower()} over the sessions", partial(_sessions, labels, curves, title))
        for title, curves in by_title.items()
    ]
    rows = (
        row(
            (
                item.title,
                *(number(value, unit="°") for value in item.values),
                number(item.change, unit="°", sign="+"),
                number(item.minimal_change, unit="°"),
                "not known" if np.isnan(item.change) else "more than error" if item.real else "may be error",
            )
        )
        for item in ranges
    )
    heads = ("range of", *labels, "change", "error", "")
    who = f" Of person {analysis.poses.track_ids[0]}." if analysis.poses.people > 1 else ""
    yield section("progress over sessions", about(found.caution + who) + panels(drawn) + table(heads, rows))


def _two_takes(share: np.ndarray, first: np.ndarray, second: np.ndarray, title: str, axes: Axes) -> None:
    plots.draw_two_takes(axes, share, first, second, title)


def _sessions(labels: list[str], curves: dict[str, np.ndarray], title: str, axes: Axes) -> None:
    plots.draw_sessions(axes, labels, curves, title)

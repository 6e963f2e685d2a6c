"""The pictures of a report on a data set: bars by action and by joint, coverage of the error bars, the worst clips."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lift3d.evaluation.coverage import NOMINAL, Coverage
from lift3d.evaluation.worst_clips import draw_worst_clip
from lift3d.palette import LEFT, MIDDLE, PEOPLE, RIGHT, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lift3d.evaluation.data_set_report import DataSetReport

INK, FAINT, GRID = "#1D2127", "#636B76", "#E3E6EB"
SEEN, UNSEEN = PEOPLE[2], PEOPLE[3]
MPJPE, P_MPJPE = PEOPLE[0], shade(PEOPLE[0], 0.6)
# Inches: of a bar's row, and of what surrounds the bars.
ROW, WIDTH = 0.34, 8.0
# The promise of error bars: measured coverage within so many points of the nominal one.
TOLERANCE = 3.0


def report_pictures(report: DataSetReport) -> Iterator[tuple[str, Figure]]:
    """The pictures of a report, as (file name, figure), one at a time."""
    yield "actions.png", draw_actions(report)
    yield "joints.png", draw_joints(report)
    if report.coverage is not None:
        yield "coverage.png", draw_coverage(report.coverage)
    for number, clip in enumerate(report.worst, start=1):
        yield f"worst_{number}.png", draw_worst_clip(clip)


def draw_actions(report: DataSetReport) -> Figure:
    """MPJPE and P-MPJPE of each action, the largest first, and the mean over actions as a line."""
    bars = {name: (result.figures.mpjpe, result.figures.p_mpjpe) for name, result in report.actions.items()}
    mean = report.mean_of_actions
    return _bars(
        bars,
        f"Errors by action on {report.data_set.name}",
        f"mean of actions: MPJPE {mean.mpjpe:.1f} mm, P-MPJPE {mean.p_mpjpe:.1f} mm · rules: {report.rules.name}",
        (mean.mpjpe, mean.p_mpjpe),
    )


def draw_joints(report: DataSetReport) -> Figure:
    """MPJPE and P-MPJPE of each joint, the largest first, and the mean over frames as a line."""
    mean = report.mean_of_frames
    return _bars(
        report.per_joint,
        f"Errors by joint on {report.data_set.name}",
        f"mean of frames: MPJPE {mean.mpjpe:.1f} mm, P-MPJPE {mean.p_mpjpe:.1f} mm · relative to: {report.root}",
        (mean.mpjpe, mean.p_mpjpe),
    )


def _bars(bars: dict[str, tuple[float, float]], title: str, subtitle: str, means: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    names = sorted((name for name in bars if np.isfinite(bars[name]).all()), key=lambda name: bars[name][0])
    height = 1.6 + ROW * max(len(names), 1)
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    left = 0.12 + 0.011 * max([4, *map(len, names)])
    axes = figure.add_axes((left, 0.75 / height, 0.93 - left, 1 - 1.6 / height))
    places = np.arange(len(names))
    for values, colour, label, thickness in (
        ([bars[name][0] for name in names], MPJPE, "MPJPE", 0.74),
        ([bars[name][1] for name in names], P_MPJPE, "P-MPJPE", 0.34),
    ):
        axes.barh(places, values, height=thickness, color=colour, label=label)
    for place, name in zip(places, names, strict=True):
        axes.annotate(
            f"{bars[name][0]:.1f}", (max(bars[name]), place), (4, 0), textcoords="offset points", va="center",
            fontsize=9, color=INK, zorder=4, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip
    for mean, colour in zip(means, (MPJPE, P_MPJPE), strict=True):
        if np.isfinite(mean):
            axes.axvline(mean, color=shade(colour, -0.25), linewidth=1.2, linestyle=(0, (4, 3)), zorder=3)
    axes.set_yticks(places, names, parse_math=False)
    axes.set_ylim(-0.6, max(len(names), 1) - 0.4)
    axes.set_xlim(0, 1.1 * max([1e-6, *(max(bars[name]) for name in names)]))
    axes.set_xlabel("mm (dashed: the mean)", fontsize=10, color=FAINT)
    _quiet(axes, "x")
    axes.tick_params(axis="y", labelsize=10, colors=INK)
    _words(figure, title, subtitle)
    figure.legend(loc="lower right", bbox_to_anchor=(0.98, 0.0), ncols=2, frameon=False, fontsize=10, labelcolor=INK)
    return figure


def draw_coverage(coverage: Coverage) -> Figure:
    """Measured against nominal coverage, of axes and of seen and unseen joints; and of each joint within one sigma."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 5.4), facecolor="white")
    curves = figure.add_axes((0.07, 0.12, 0.40, 0.70))
    curves.fill_between(
        [0, 100], [-TOLERANCE, 100 - TOLERANCE], [TOLERANCE, 100 + TOLERANCE], color=GRID, linewidth=0, zorder=0
    )
    curves.plot([0, 100], [0, 100], color=FAINT, linewidth=0.9, zorder=1)
    lines: list[tuple[str, tuple[float, ...] | None, str, str]] = [
        *(
            (f"axis {axis}", values, colour, "--")
            for (axis, values), colour in zip(coverage.axes.items(), (RIGHT, MIDDLE, PEOPLE[5]), strict=False)
        ),
        ("joints seen", coverage.seen, SEEN, ":"),
        ("joints unseen", coverage.unseen, UNSEEN, ":"),
        ("all", coverage.pooled, LEFT, "-"),
    ]
    for name, values, colour, style in lines:
        if values is not None:
            width = 2.4 if name == "all" else 1.5
            curves.plot(NOMINAL, values, style, color=colour, linewidth=width, marker="o", markersize=4, label=name)
    lowest = min(min(values) for _, values, _, _ in lines if values is not None)
    low = max(0.0, 5 * np.floor(min(lowest, NOMINAL[0]) / 5) - 5)
    curves.set_xlim(low, 100)
    curves.set_ylim(low, 100)
    curves.set_aspect("equal", adjustable="box")
    curves.set_xlabel("errors that the interval promises to hold, %", fontsize=10, color=FAINT)
    curves.set_ylabel("errors that it holds, %", fontsize=10, color=FAINT)
    _quiet(curves, "both")
    curves.legend(frameon=False, fontsize=9.5, labelcolor=INK, loc="upper left")

    joints = figure.add_axes((0.66, 0.12, 0.31, 0.70))
    names = list(coverage.joints)[::-1]
    within = [coverage.joints[name][1] for name in names]
    nominal = NOMINAL[1]
    joints.axvspan(nominal - TOLERANCE, nominal + TOLERANCE, color=GRID, linewidth=0, zorder=0)
    joints.axvline(nominal, color=FAINT, linewidth=0.9, zorder=1)
    joints.scatter(within, range(len(names)), color=LEFT, s=30, zorder=3)
    joints.set_yticks(range(len(names)), names, parse_math=False)
    spread = max(10.0, 1.15 * max([abs(value - nominal) for value in within], default=0))
    joints.set_xlim(nominal - spread, nominal + spread)
    joints.set_xlabel("errors within one sigma, %, by joint", fontsize=10, color=FAINT)
    _quiet(joints, "x")
    joints.tick_params(axis="y", labelsize=9.5, colors=INK)
    _words(
        figure,
        "Do the error bars hold?",
        f"calibration: {coverage.how} · {coverage.calibration_error:.1f} points off on average · grey: within "
        f"{TOLERANCE:g} points",
    )
    return figure


def _quiet(axes: Axes, grid: str) -> None:
    axes.set_facecolor("white")
    axes.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=FAINT, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _words(figure: Figure, title: str, subtitle: str) -> None:
    height = figure.get_size_inches()[1]
    for text, below, size, colour, weight in (
        (title, 0.2, 14, INK, "bold"),
        (subtitle, 0.52, 10, FAINT, "normal"),
    ):
        figure.text(0.03, 1 - below / height, text, fontsize=size, color=colour, fontweight=weight, va="top",
                    parse_math=False)  # fmt: skip

"""A calibration's report on one page: what a projector shows, or a paper prints."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from lift3d.calibration.findings import TITLES, Severity
from lift3d.calibration.quality import Quality, grouped, sentence
from lift3d.calibration.report_plots import (
    BAD,
    FAINT,
    INK,
    camera_style,
    draw_coverage,
    draw_links,
    draw_moments,
    draw_residuals,
    draw_rig,
    draw_vectors,
    drawable,
    views_of_rig,
)
from lift3d.calibration.report_words import VERDICT_COLOURS, key_numbers, title_line
from lift3d.calibration.solution import Solution

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of more cameras than this the images have no room.
MOST_IMAGES = 8
MOST_LINES, LINE = 14, 60


def draw_summary(solution: Solution, quality: Quality) -> Figure:
    """One page of 16 by 9: verdict, numbers, findings, the rig, errors, links and coverage."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(16, 9), facecolor="white")

    def write(x: float, y: float, text: str, size: float, colour: str = INK, weight: str = "normal") -> None:
        figure.text(x, y, drawable(text), fontsize=size, color=colour, fontweight=weight, va="top")

    colour = VERDICT_COLOURS[quality.verdict]
    figure.add_artist(Rectangle((0, 0.905), 1, 0.095, color=colour, transform=figure.transFigure))
    write(0.02, 0.972, quality.words, 23, "white", "bold")
    write(0.02, 0.888, title_line(solution), 11, FAINT)

    for place, (value, _, meaning) in zip(np.linspace(0.02, 0.80, 5), key_numbers(quality), strict=False):
        write(place, 0.852, value, 21, INK, "bold")
        write(place, 0.802, "\n".join(textwrap.wrap(meaning, 31)[:3]), 9.5, FAINT)

    rig = len(solution.rig) > 1
    if rig:
        above, side = views_of_rig(solution)
        heat = None
        for box, scene, title in (
            ((0.04, 0.40, 0.26, 0.29), above, "The rig from above"),
            ((0.35, 0.40, 0.26, 0.29), side, "from the side"),
        ):
            axes = figure.add_axes(box)
            heat = draw_rig(axes, scene, solution, quality)
            axes.set_title(title, fontsize=12, color=INK, loc="left")
        if heat is not None:
            bar = figure.colorbar(heat, cax=figure.add_axes((0.625, 0.42, 0.008, 0.24)))
            bar.set_label("expected error by the calibration, mm", fontsize=9.5, color=FAINT)
            bar.ax.tick_params(labelsize=9, colors=FAINT)
    else:
        for left, draw, title in (
            (0.03, draw_residuals, "Errors of all corners"),
            (0.34, draw_vectors, "Mean errors over the image"),
        ):
            axes = figure.add_axes((left, 0.40, 0.28, 0.29))
            draw(axes, solution, 0)
            axes.set_title(title, fontsize=12, color=INK, loc="left")
    axes = figure.add_axes((0.05, 0.08, 0.33, 0.22))
    draw_moments(axes, solution)
    axes.set_title("Error of each image (hollow: left out)", fontsize=12, color=INK, loc="left")
    if rig:
        axes = figure.add_axes((0.42, 0.06, 0.22, 0.24))
        draw_links(axes, solution)
        axes.set_title("Moments that two cameras share", fontsize=12, color=INK, loc="left")

    write(0.69, 0.715, "What to do" if quality.findings else "Nothing to complain of", 14, INK, "bold")
    lines = _lines(quality)
    for line, (text, severity) in enumerate(lines):
        write(0.69, 0.675 - 0.0225 * line, text, 10.5, BAD if severity is Severity.REDO else INK)

    names = solution.rig.names[:MOST_IMAGES]
    columns = 2 if len(names) <= 4 else 4
    rows = -(-len(names) // columns)
    write(0.69, 0.345, "Where in each image the board was", 12)
    for index, name in enumerate(names):
        row, column = divmod(index, columns)
        width, height = 0.30 / columns, 0.29 / rows
        axes = figure.add_axes((0.69 + column * width, 0.30 - (row + 1) * height + 0.005, width - 0.01, height - 0.035))
        axes.set_anchor("NW")
        draw_coverage(axes, solution, index)
        rmse = quality.camera_rmse[name]
        axes.set_title(
            drawable(f"{name}   {rmse:.2f} px"), fontsize=9.5, color=camera_style(index)[0], loc="left", pad=3,
            fontweight="bold",
        )  # fmt: skip
    return figure


def _lines(quality: Quality) -> list[tuple[str, Severity]]:
    """The findings, wrapped, as many as have room."""
    lines: list[tuple[str, Severity]] = []
    for kind in grouped(quality.findings):
        worst = max(finding.severity for finding in kind)
        first = kind[0]
        names = ", ".join(dict.fromkeys(name for finding in kind for name in finding.cameras))
        text = sentence(first) if len(kind) == 1 else f"{names}: {TITLES[first.kind].lower()}."
        new = textwrap.wrap(text, LINE, initial_indent="• ", subsequent_indent="  ", max_lines=3)
        new += textwrap.wrap(f"→ {first.advice}", LINE, initial_indent="  ", subsequent_indent="    ", max_lines=2)
        if len(lines) + len(new) > MOST_LINES:
            return [*lines, ("… and more: see the report as .html", Severity.NOTE)]
        lines += [(line, worst) for line in new]
    return lines

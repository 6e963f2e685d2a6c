"""The report on a calibration: one HTML file for any browser, or one picture for a slide."""

from __future__ import annotations

import html
from importlib import resources
from os import PathLike
from pathlib import Path

import numpy as np

from lift3d.calibration import report_plots as plots
from lift3d.calibration.findings import LIMITS, TITLES, Limit, Severity
from lift3d.calibration.quality import Quality, grouped, sentence
from lift3d.calibration.report_words import camera_rows, key_numbers, millimetres, origin, pixels, title_line
from lift3d.calibration.solution import Solution
from lift3d.errors import UnknownFormatError
from lift3d.io.files import atomic_path
from lift3d.pages.assemble import fill_page, image, new_figure, plain_text, report_style, row, table

ENDINGS = (".html", ".png")
PICTURE_DPI = 120


def write_report(solution: Solution, quality: Quality, path: str | PathLike[str], overwrite: bool = False) -> None:
    """Write what a calibration is worth, for people.

    Args:
        solution: the calibration.
        quality: its quality (``assess``).
        path: .html, one file that needs nothing else and no network; or .png, a summary on one page.
        overwrite: whether an existing file may be replaced.

    Raises:
        UnknownFormatError: the ending is neither.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise UnknownFormatError(
            path, f"a report is written as {' or '.join(ENDINGS)}, not {ending or 'without ending'}"
        )
    with atomic_path(path, overwrite) as temporary, plain_text():
        if ending == ".html":
            temporary.write_bytes(make_report(solution, quality).encode("utf-8", "replace"))
        else:
            from lift3d.calibration.report_picture import draw_summary

            draw_summary(solution, quality).savefig(temporary, dpi=PICTURE_DPI, format="png")


def make_report(solution: Solution, quality: Quality) -> str:
    """The text of the page that ``write_report`` writes."""
    with plain_text():
        sections = [_rig(solution, quality)] if len(solution.rig) > 1 else []
        sections += [_overview(solution, quality), _moments(solution)]
        sections += [_camera(solution, quality, index) for index in range(len(solution.rig))]
    parts = {
        "VERDICT": quality.verdict,
        "WORDS": html.escape(quality.words),
        "LINE": html.escape(title_line(solution)),
        "NUMBERS": "".join(
            f"<div><b>{html.escape(value)}</b><i>{html.escape(title)}</i><span>{html.escape(meaning)}</span></div>"
            for value, title, meaning in key_numbers(quality)
        ),
        "FINDINGS": _findings(quality),
        "SECTIONS": "\n".join(sections),
        "LIMITS": "".join(row([TITLES[kind], *_bounds(limit), limit.why]) for kind, limit in LIMITS.items()),
        "ORIGIN": "".join(row(pair) for pair in origin(solution)),
    }
    template = (resources.files("lift3d.calibration") / "report.html").read_text("utf-8")
    return fill_page(template, report_style(), parts)


def _findings(quality: Quality) -> str:
    """The findings, those of one kind together, each with what to film again."""
    if not quality.findings:
        return "<p>Nothing: all that was checked is within its limits.</p>"
    blocks = []
    for kind in grouped(quality.findings):
        worst = max(finding.severity for finding in kind)
        name = worst.name.lower()
        word = "could be better" if worst is Severity.NOTE else name
        items = "".join(f"<li>{html.escape(sentence(finding))}</li>" for finding in kind)
        advice = "".join(f"<p>→ {html.escape(text)}</p>" for text in dict.fromkeys(f.advice for f in kind))
        blocks.append(
            f'<div class="finding {name}"><h3>{html.escape(TITLES[kind[0].kind])} '
            f'<span class="badge {name}">{word}</span></h3><ul>{items}</ul>{advice}</div>'
        )
    return "".join(blocks)


def _rig(solution: Solution, quality: Quality) -> str:
    figure = new_figure(11, 4.8, left=0.06, right=0.99, bottom=0.12, top=0.92, wspace=0.18)
    heat = None
    scenes = plots.views_of_rig(solution)
    for axes, scene, title in zip(figure.subplots(1, 2), scenes, ("from above", "from the side"), strict=True):
        heat = plots.draw_rig(axes, scene, solution, quality)
        axes.set_title(title, fontsize=12, color=plots.INK, loc="left")
    about = "Cameras as pyramids that open to where they look, and the board at each moment as an outline."
    if heat is not None:
        bar = figure.colorbar(heat, ax=figure.axes, shrink=0.8, pad=0.02)
        bar.set_label("expected 3D error by the calibration, mm", fontsize=10, color=plots.FAINT)
        expected = quality.expected_mm()
        median, p95, more = (millimetres(expected[key]) for key in ("median", "p95", "per_pixel"))
        about += (
            " The colour says how wrong a triangulated point is expected to be because of the cameras alone: "
            f"{median} typically, less than {p95} in 95 % of the places. Each pixel by which keypoints are off adds "
            f"{more}. Both hold for errors that are random; what the findings above say of contradictions comes on "
            "top, and so does an error in the board's squares: 1 % of their length is 1 % of everything."
        )
    side = 2.4 + 0.35 * len(solution.rig)
    links = new_figure(side, side, left=0.2, right=0.99, bottom=0.2, top=0.99)
    plots.draw_links(links.subplots(), solution)
    return (
        f"<section><h2>The rig</h2><p class='about'>{html.escape(about)}</p>{image(figure, 'The rig')}"
        "<h3>Which cameras saw the board together</h3><p class='about'>The number of moments at which each pair saw "
        "it; in italics, all moments of one camera. Each camera should share 10 or more with some other, so that all "
        f"are linked.</p>{image(links, 'Moments shared by cameras')}</section>"
    )


def _overview(solution: Solution, quality: Quality) -> str:
    out, fitted = quality.held_out.image_rmse, quality.held_out.image_fitted_rmse
    rows = []
    for index, name in enumerate(solution.rig.names):
        known = np.isfinite(out[index])
        typical = (float(np.median(values[index, known])) if known.any() else float("nan") for values in (fitted, out))
        verdict = quality.camera_verdicts[name]
        cells = [
            str(quality.images_used[name]),
            str(quality.images_dropped[name]),
            str(solution.observations.images[index]),
            pixels(quality.camera_rmse[name]),
            *(pixels(value) for value in typical),
        ]
        badge = f'<td><span class="badge {verdict}">{verdict}</span></td>'
        rows.append(f"<tr><td>{html.escape(name)}</td>{badge}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    heads = (
        "camera", "verdict", "images used", "left out", "looked at", "reprojection error",
        "typical image", "typical image, held out",
    )  # fmt: skip
    return (
        "<section><h2>The cameras</h2><p class='about'>Reprojection error: how far the board's corners are from where "
        "the calibrated camera has them. Held out: the same for images that took no part in the calibration, each "
        "fifth of the moments in turn; it is nearly the same where the calibration can be trusted everywhere.</p>"
        f"{table(heads, rows)}</section>"
    )


def _moments(solution: Solution) -> str:
    figure = new_figure(11, 3.4, left=0.06, right=0.88, bottom=0.2, top=0.97)
    axes = figure.subplots()
    plots.draw_moments(axes, solution)
    if len(solution.rig) > 1:
        axes.legend(fontsize=9, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return (
        "<section><h2>Moment by moment</h2><p class='about'>The error of each image: the middle one of its corners. "
        "Hollow marks are images that did not fit and were left out. One camera that is off at most moments may not be "
        f"synchronous.</p>{image(figure, 'Errors by moment')}</section>"
    )


def _camera(solution: Solution, quality: Quality, index: int) -> str:
    name = solution.rig.names[index]
    figure = new_figure(11, 3.4, left=0.01, right=0.99, bottom=0.15, top=0.91, wspace=0.2)
    drawings = (
        (plots.draw_coverage, "where the board was"),
        (plots.draw_residuals, "errors of all corners"),
        (plots.draw_vectors, "mean errors over the image"),
    )
    for axes, (draw, title) in zip(figure.subplots(1, 3, width_ratios=(4, 3, 4)), drawings, strict=True):
        draw(axes, solution, index)
        axes.set_title(title, fontsize=11, color=plots.INK, loc="left")
    verdict = quality.camera_verdicts[name]
    rows = (
        f"<tr><td>{html.escape(parameter.name)}</td><td>{html.escape(parameter.value)}</td>"
        f"<td>{html.escape(parameter.error)}</td><td class='why'>{html.escape(parameter.meaning)}</td></tr>"
        for parameter in camera_rows(solution, name)
    )
    return (
        f'<section><h2>{html.escape(name)} <span class="badge {verdict}">{verdict}</span></h2>'
        f"{image(figure, 'Coverage and errors')}<p class='about'>Left: corners that were used (dots) and left out "
        "(crosses), and the principal point (+). Middle: by how much they are off; the circle is the root mean square. "
        "Right: the mean error in each part of the image, a root mean square error drawn one cell long; arrows that "
        "form a pattern are something that the lens model does not describe.</p>"
        f"{table(('parameter', 'value', 'standard error', 'what it is'), rows)}</section>"
    )


def _bounds(limit: Limit) -> list[str]:
    sign = "below" if limit.least else "above"
    return [f"{sign} {value:g}" if np.isfinite(value) else "never" for value in (limit.doubtful, limit.redo)]

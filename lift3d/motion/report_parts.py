"""The pieces that the sections of a motion report are built of: headings, lists, numbers, plots that fit any width."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from lift3d.motion import report_plots as plots
from lift3d.motion.analysis import Analysis
from lift3d.pages.assemble import image, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (3.9, 2.15)


def section(title: str, content: str) -> str:
    """A section of the page under its heading."""
    return f"<section><h2>{html.escape(title[0].upper() + title[1:])}</h2>{content}</section>"


def about(text: str) -> str:
    """A paragraph that explains."""
    return f'<p class="about">{html.escape(text)}</p>'


def bullets(sentences: Iterable[str]) -> str:
    """A list of sentences, "" for none."""
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""


def folded(title: str, content: str) -> str:
    """Content that opens on a click."""
    return f"<details><summary>{html.escape(title)}</summary>{content}</details>"


def number(value: float, digits: int = 0, unit: str = "", sign: str = "") -> str:
    """A number with its unit; "-" where it is not known."""
    if not np.isfinite(value):
        return "-"
    rounded = round(float(value), digits)
    # Nothing is neither more nor less.
    return f"{rounded:{sign}.{digits}f}{unit}" if rounded else f"{0:.{digits}f}{unit}"


def frame_times(analysis: Analysis) -> np.ndarray:
    """(frames,) seconds from the first frame."""
    return np.arange(analysis.poses.frames) / float(analysis.poses.fps or 1)


def base_title(title: str, side: str) -> str:
    """``Knee flexion`` of ``Knee flexion, left``."""
    return title.removesuffix(f", {side}")


def wide_image(figure: Figure, words: str) -> str:
    """A wide figure, which a narrow screen scrolls sideways and does not shrink until nobody can read it."""
    return f'<div class="wide">{image(figure, words)}</div>'


def panels(draw: Iterable[tuple[str, Callable[[Axes], None]]], xlabel: str = "") -> str:
    """Small plots side by side, as many as the width of the screen takes.

    Args:
        draw: for each, what it shows in words, and what draws it.
        xlabel: below each.
    """
    images = []
    for words, fill in draw:
        figure = new_figure(*PANEL, left=0.15, right=0.98, bottom=0.21 if xlabel else 0.14, top=0.87)
        axes = figure.subplots()
        fill(axes)
        if xlabel:
            axes.set_xlabel(xlabel, fontsize=9, color=plots.FAINT)
        images.append(image(figure, words))
    return f'<div class="panels">{"".join(images)}</div>'

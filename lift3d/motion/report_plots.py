"""The drawings of a motion report: curves over time, ranges beside norms, paths, contacts, two takes, sessions.

All take plain arrays and matplotlib axes; nothing here computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.palette import LEFT, MIDDLE, RIGHT, TRUTH, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FAINT, GRID = "#1D2127", "#636B76", "#E3E6EB"
SIDES = {"left": LEFT, "right": RIGHT, "": MIDDLE}
# Curves of more points than a figure has pixels are drawn by the lowest and highest value of each pixel's frames.
MOST_POINTS = 1500
# Degrees, the least width of a bar and the least height of a panel.
LEAST_BAR, LEAST_PANEL = 1.0, 20.0


def quiet(axes: Axes) -> None:
    """A light grid, no frame, small grey numbers."""
    axes.set_facecolor("white")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=FAINT, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_curve(axes: Axes, time: np.ndarray, values: np.ndarray, colour: str, **style: Any) -> None:
    """A curve (frames,) over time that breaks where values are NaN."""
    time, values = thinned(time, values)
    axes.plot(time, values, **{"color": colour, "linewidth": 1.6, "solid_capstyle": "round", **style})


def draw_band(axes: Axes, time: np.ndarray, values: np.ndarray, sigma: np.ndarray, colour: str) -> None:
    """One standard deviation (frames,) to both sides of a curve; nothing where it is not known."""
    low, high = values - sigma, values + sigma
    width = -(-len(time) // MOST_POINTS)
    if width > 1:
        # The lowest and the highest of each stretch, NaN only where all of it is.
        starts = np.arange(0, len(time), width)
        time, low, high = time[starts], np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)
    axes.fill_between(time, low, high, color=colour, alpha=0.22, linewidth=0)


def thinned(time: np.ndarray, values: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """A curve in at most about ``most`` points that shows every peak: the lowest and the highest of each stretch."""
    if len(values) <= most:
        return time, values
    width = int(np.ceil(len(values) / (most / 2)))
    count = len(values) // width
    blocks = values[: count * width].reshape(count, width)
    seen = np.isfinite(blocks).any(axis=1)
    low = np.where(seen, np.argmin(np.where(np.isfinite(blocks), blocks, np.inf), axis=1), 0)
    high = np.where(seen, np.argmax(np.where(np.isfinite(blocks), blocks, -np.inf), axis=1), width - 1)
    chosen = np.sort(np.stack([low, high], axis=1), axis=1) + np.arange(count)[:, None] * width
    chosen = np.concatenate([chosen.ravel(), np.arange(count * width, len(values))])
    return time[chosen], values[chosen]


def draw_sides(
    axes: Axes, time: np.ndarray, curves: Mapping[str, np.ndarray], title: str, unit: str = "degrees"
) -> None:
    """The curves of "left" and "right", or of "" for the middle of the body, in one panel."""
    quiet(axes)
    for side, values in curves.items():
        draw_curve(axes, time, values, SIDES[side])
    axes.axhline(0, color=FAINT, linewidth=0.7)
    axes.set_title(title, fontsize=11, color=INK, loc="left")
    axes.set_ylabel(unit, fontsize=9, color=FAINT)
    if unit == "degrees":
        _not_blown_up(axes)
    axes.margins(x=0.01)


def _not_blown_up(axes: Axes) -> None:
    """A curve that hardly moves does not fill the panel."""
    low, high = axes.get_ylim()
    if high - low < LEAST_PANEL:
        axes.set_ylim((low + high - LEAST_PANEL) / 2, (low + high + LEAST_PANEL) / 2)


def mark_spans(axes: Axes, spans: Sequence[tuple[float, float, bool]]) -> None:
    """Shade stretches of time (start, end, whole), numbered; those that are not whole are hatched."""
    for number, (start, end, whole) in enumerate(spans, start=1):
        colour = shade(LEFT, 0.85) if whole else "#EEEEEE"
        axes.axvspan(start, end, color=colour, linewidth=0, zorder=0)
        axes.axvline(start, color="white", linewidth=1.5, zorder=0.5)
        if len(spans) <= 40:
            axes.annotate(
                str(number), ((start + end) / 2, 1), (0, -4), xycoords=("data", "axes fraction"),
                textcoords="offset points", ha="center", va="top", fontsize=9, color=FAINT,
            )  # fmt: skip


def draw_ranges(
    axes: Axes,
    names: Sequence[str],
    sides: Sequence[str],
    low: np.ndarray,
    high: np.ndarray,
    norms: Sequence[tuple[float, float] | None],
) -> None:
    """One bar a row from the least to the greatest angle, the norm behind it in grey."""
    quiet(axes)
    rows = np.arange(len(names))[::-1]
    # What does not move at all is still to be seen.
    width = np.maximum(high - low, LEAST_BAR)
    for row, norm in zip(rows, norms, strict=True):
        if norm is not None:
            axes.barh(row, norm[1] - norm[0], left=norm[0], height=0.82, color="#E3E6EB", linewidth=0)
    axes.barh(
        rows, width, left=(low + high - width) / 2, height=0.42, color=[SIDES[side] for side in sides], linewidth=0
    )
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.set_yticks(rows, names, fontsize=9.5, color=INK)
    axes.set_ylim(-0.7, len(names) - 0.3)
    ends = np.array([*low, *high, *(limit for norm in norms if norm for limit in norm)])
    axes.set_xlim(ends.min() - 5, ends.max() + 5)
    axes.set_xlabel("degrees     grey: norm", fontsize=9, color=FAINT)


def draw_contacts(axes: Axes, time: np.ndarray, feet: Mapping[str, np.ndarray]) -> None:
    """When each foot is on the ground: one row of bars a foot, ``feet`` by name as (frames,) bool."""
    quiet(axes)
    axes.grid(axis="y", visible=False)
    step = float(time[1] - time[0]) if len(time) > 1 else 1.0
    for row, (name, on) in enumerate(reversed(list(feet.items()))):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(int)))
        spans = [(float(time[a]), (b - a) * step) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        axes.broken_barh(spans, (row - 0.3, 0.6), color=SIDES["left" if name.startswith("left") else "right"])
    axes.set_yticks(range(len(feet)), [name.replace("_", " ") for name in reversed(list(feet))], fontsize=9.5)
    axes.set_ylim(-0.6, len(feet) - 0.4)
    axes.set_xlim(float(time[0]), float(time[-1]) + step)


def draw_path(axes: Axes, path: np.ndarray) -> None:
    """A path (frames, 2) on the floor from above, in metres, its start as a ring."""
    quiet(axes)
    axes.plot(path[:, 0], path[:, 1], color=MIDDLE, linewidth=1.4)
    seen = path[np.isfinite(path).all(axis=1)]
    if len(seen):
        axes.scatter(seen[0, 0], seen[0, 1], s=70, facecolors="white", edgecolors=MIDDLE, linewidths=1.8, zorder=3)
        centre, half = (seen.min(axis=0) + seen.max(axis=0)) / 2, max(float(np.ptp(seen, axis=0).max()) * 0.58, 0.05)
        axes.set_xlim(centre[0] - half, centre[0] + half)
        axes.set_ylim(centre[1] - half, centre[1] + half)
    axes.set_aspect("equal")
    axes.set_title("from above (○ start), metres", fontsize=11, color=INK, loc="left")


def draw_two_takes(axes: Axes, share: np.ndarray, first: np.ndarray, second: np.ndarray, title: str) -> None:
    """An angle of two takes (steps,) over the share of the movement done, and what lies between them."""
    quiet(axes)
    axes.fill_between(share, first, second, color="#E3E6EB", linewidth=0)
    draw_curve(axes, share, first, LEFT)
    draw_curve(axes, share, second, TRUTH, linewidth=2)
    axes.set_title(title, fontsize=11, color=INK, loc="left")
    axes.set_ylabel("degrees", fontsize=9, color=FAINT)
    _not_blown_up(axes)
    axes.margins(x=0.01)


def draw_sessions(axes: Axes, labels: Sequence[str], curves: Mapping[str, np.ndarray], title: str) -> None:
    """A range of motion over the sessions, by side."""
    quiet(axes)
    places = np.arange(len(labels))
    for side, values in curves.items():
        axes.plot(places, values, color=SIDES[side], marker="o", markersize=5, linewidth=1.8)
    few = places[:: max(1, -(-len(places) // 3))]
    axes.set_xticks(few, [labels[place] for place in few], fontsize=8.5)
    axes.set_xlim(-0.35, len(labels) - 0.65)
    _not_blown_up(axes)
    axes.set_title(title, fontsize=11, color=INK, loc="left")
    axes.set_ylabel("degrees", fontsize=9, color=FAINT)

"""A picture of a clip: a few moments in columns, the 2D input and the 3D pose from two sides in rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lift3d.errors import UnknownFormatError
from lift3d.io.files import atomic_path
from lift3d.palette import LEFT, MIDDLE, RIGHT, TRUTH, shade, side_colours
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import Skeleton
from lift3d.viz.bones import drawn_bones
from lift3d.viz.scene import (
    check_truth,
    describe,
    floor_height,
    front_view,
    root_path,
    sampled,
    seen_frames,
    seen_from,
    side_view,
    upright,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")
DPI = 120
MOMENTS = 8
# A body whose root stays within this many metres stands still: its path from above tells nothing.
STANDING = 0.25
INK, FAINT, PAPER, FLOOR = "#222222", "#6B6B6B", "#F4F5F7", "#B9BEC6"
# Sizes in inches; at 120 dots an inch a full picture is about 1900 pixels wide.
LEFT_MARGIN, RIGHT_MARGIN, TOP, BOTTOM, GAP, BREADTH = 0.55, 0.25, 1.35, 0.75, 0.08, 12.0
ROW_HEIGHT, ONLY_ROW_HEIGHT, PATH_WIDTH, LEAST_WIDTH = 2.5, 4.0, 3.0, 9.0


def save_picture(
    motion: Poses3D | Keypoints2D, path: str | PathLike[str], overwrite: bool = False, truth: Poses3D | None = None
) -> None:
    """Save a picture of a clip: moments over time, as 2D input, from the front, from the side, and the path from above.

    Args:
        motion: 3D poses (with their 2D keypoints, if they carry them) or 2D keypoints alone.
        path: the file, .png, .svg or .pdf.
        overwrite: whether an existing file may be replaced.
        truth: poses to draw beneath in grey, with as many frames and in the same space.

    Raises:
        UnknownFormatError: the ending is none of the three.
        OutputExistsError: the file exists and ``overwrite`` is False.
        ShapeError: ``truth`` does not fit ``motion``.
        Lift3DError: no joint is seen in the whole clip.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise UnknownFormatError(path, f"a picture cannot have the ending {ending!r}; use one of {', '.join(ENDINGS)}")
    with atomic_path(path, overwrite) as temporary:
        draw_picture(motion, truth).savefig(temporary, dpi=DPI, format=ending[1:])


@dataclass(frozen=True)
class _Layer:
    """People of one skeleton: the container's points, or after ``take`` (right, up or down, depth)."""

    points: np.ndarray
    skeleton: Skeleton
    truth: bool = False


@dataclass(frozen=True)
class _Row:
    """One row of panels: the 2D input, or the 3D seen ``into`` a direction above a floor."""

    label: str
    layers: tuple[_Layer, ...]
    image: tuple[int, int] | None = None
    space: str = ""
    into: np.ndarray | None = None
    floor: float | None = None

    @property
    def metres(self) -> bool:
        return self.into is not None

    def take(self, frames: np.ndarray) -> _Row:
        """The row of these frames alone, ready to draw: nothing is computed for the others, however long the clip."""

        def seen(points: np.ndarray) -> np.ndarray:
            if self.into is None:
                return np.concatenate([points, np.zeros_like(points[..., :1])], axis=-1)
            return seen_from(upright(points, self.space), self.into)

        layers = tuple(_Layer(seen(layer.points[frames]), layer.skeleton, layer.truth) for layer in self.layers)
        return replace(self, layers=layers)

    def boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corners (frames, 2) of all that a panel shows; NaN where it shows nothing."""
        flat = [layer.points[..., :2].reshape(len(layer.points), -1, 2) for layer in self.layers]
        points = np.concatenate(flat, axis=1)
        return np.fmin.reduce(points, axis=1), np.fmax.reduce(points, axis=1)


def draw_picture(motion: Poses3D | Keypoints2D, truth: Poses3D | None = None) -> Figure:
    """The matplotlib figure that ``save_picture`` saves (same arguments and errors)."""
    from matplotlib.figure import Figure

    check_truth(motion, truth)
    points = motion.xyz if isinstance(motion, Poses3D) else motion.xy
    seen = seen_frames(points)
    rows = _rows(motion, truth)

    height = ROW_HEIGHT if len(rows) > 1 and len(seen) > 1 else ONLY_ROW_HEIGHT
    aspect = max(half[0] / half[1] for half in (_half_size(row.take(seen[sampled(len(seen), 60)])) for row in rows))
    width = height * float(np.clip(aspect, 0.55, 1.15))
    moments = seen[sampled(len(seen), int(np.clip(BREADTH // width, 1, MOMENTS)))]
    frames = np.union1d(sampled(motion.frames), moments)
    path = _path(motion, frames, rows[-2:][0])
    # Of a single moment the views stand side by side.
    across, down = (len(moments), len(rows)) if len(moments) > 1 else (len(rows), 1)
    panels = LEFT_MARGIN + across * (width + GAP)
    total = max(LEAST_WIDTH, panels + (0.7 + PATH_WIDTH if path is not None else 0) + RIGHT_MARGIN)
    tall = TOP + down * (height + GAP) + BOTTOM
    figure = Figure(figsize=(total, tall), facecolor="white")

    for r, row in enumerate(rows):
        shown = row.take(moments)
        half = _half_size(shown)
        half = np.array([max(half[0], half[1] * width / height), max(half[1], half[0] * height / width)])
        centres = _centres(shown, half)
        for c, frame in enumerate(moments):
            x, y = (c, r) if len(moments) > 1 else (r, c)
            left, bottom = LEFT_MARGIN + x * (width + GAP), tall - TOP - (y + 1) * height - y * GAP
            place = (left / total, bottom / tall, width / total, height / tall)
            axes = figure.add_axes(place, facecolor=PAPER, gid=f"panel-{r}-{c}")
            _draw_panel(axes, shown, c, centres[c], half, motion.people, height * 72)
            if r == 0:
                _draw_time(axes, int(frame), motion.fps)
            if c == 0:
                (axes.set_ylabel if len(moments) > 1 else axes.set_xlabel)(
                    row.label, fontsize=13, color=INK, labelpad=6
                )
                if row.metres:
                    _draw_scale(axes, half)
    if path is not None:
        place = ((panels + 0.6) / total, (BOTTOM + 0.3) / tall, PATH_WIDTH / total, (tall - TOP - BOTTOM - 0.3) / tall)
        _draw_path(figure.add_axes(place, facecolor=PAPER, gid="path"), motion, path, np.searchsorted(frames, moments))
    _draw_words(figure, motion, truth is not None)
    return figure


def _rows(motion: Poses3D | Keypoints2D, truth: Poses3D | None) -> list[_Row]:
    rows: list[_Row] = []
    keypoints = motion if isinstance(motion, Keypoints2D) else motion.keypoints
    if keypoints is not None:
        rows.append(_Row("2D input", (_Layer(keypoints.xy, keypoints.skeleton),), keypoints.image_size))
    if isinstance(motion, Keypoints2D):
        return rows
    points = upright(motion.xyz[sampled(motion.frames)], motion.space)
    floor = floor_height(points, motion.skeleton, motion.space)
    front = front_view(points, motion.skeleton, motion.space)
    people = _Layer(motion.xyz, motion.skeleton)
    layers = (people,) if truth is None else (_Layer(truth.xyz, truth.skeleton, truth=True), people)
    first = "from the camera" if motion.space == "camera" else "from the front"
    for label, into in ((first, front), ("from the side", side_view(front))):
        rows.append(_Row(label, layers, space=motion.space, into=into, floor=floor))
    return rows


def _path(motion: Poses3D | Keypoints2D, frames: np.ndarray, front: _Row) -> np.ndarray | None:
    """The roots' path (frames, people, 2) as seen from above, right and away from the viewer; None if all stand."""
    if not isinstance(motion, Poses3D) or front.into is None:
        return None
    points = upright(motion.xyz[frames], motion.space)
    path = seen_from(root_path(points, motion.skeleton), front.into)[..., [0, 2]]
    travelled = np.fmax.reduce(path, axis=0) - np.fmin.reduce(path, axis=0)
    return path if (np.nan_to_num(travelled) > STANDING).any() else None


def _centres(row: _Row, half: np.ndarray) -> np.ndarray:
    """The middle (frames, 2) of each panel: the people's own, but at one height for all where there is a floor."""
    low, high = row.boxes()
    centres = (low + high) / 2
    if row.floor is not None:
        centres[:, 1] = min(row.floor, float(np.nanmin(low[:, 1]))) + 0.86 * half[1]
    return np.where(np.isfinite(centres), centres, 0)


def _half_size(row: _Row) -> np.ndarray:
    """Half the width and height of a panel that has room for what every frame of a row shows."""
    low, high = row.boxes()
    size: np.ndarray = np.fmax.reduce(high - low, axis=0)
    if row.floor is not None:
        size[1] = np.nanmax(high[:, 1]) - min(row.floor, float(np.nanmin(low[:, 1])))
    size = np.nan_to_num(size)
    least = 0.3 * size.max() if size.max() > 0 else 1.0
    room: np.ndarray = np.maximum(size, least) * (0.625, 0.57)
    return room


def _draw_panel(
    axes: Axes, row: _Row, column: int, centre: np.ndarray, half: np.ndarray, people: int, height: float
) -> None:
    """One panel, ``height`` points tall: the image's border or the floor, then the people from back to front."""
    from matplotlib.patches import Rectangle

    low, high = centre - half, centre + half
    axes.set_xlim(low[0], high[0])
    axes.set_ylim((low[1], high[1]) if row.metres else (high[1], low[1]))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if row.image is not None:
        axes.set_facecolor("#DFE2E7")
        axes.add_patch(Rectangle((0, 0), *row.image, facecolor=PAPER, edgecolor=FLOOR, linewidth=1, zorder=0))
    if row.floor is not None:
        axes.axhspan(low[1], row.floor, color="#E6E8EC", linewidth=0, zorder=0)
        axes.axhline(row.floor, color=FLOOR, linewidth=1.2, zorder=0.5)
    for layer in row.layers:
        _draw_people(axes, layer, column, people, height / (2 * half[1]))


def _draw_people(axes: Axes, layer: _Layer, frame: int, people: int, scale: float) -> None:
    """All people of a layer in one panel; ``scale`` is points (1/72 inch) a unit."""
    from matplotlib.collections import LineCollection

    points, skeleton = layer.points[frame], layer.skeleton
    sizes = np.fmax.reduce(points[..., :2], axis=1) - np.fmin.reduce(points[..., :2], axis=1)
    seen = sizes[np.isfinite(sizes).all(axis=-1)]
    if not len(seen):
        return
    width = float(np.clip(0.021 * scale * np.median(seen.max(axis=-1)), 1.0, 4.5)) * (0.6 if layer.truth else 1)
    palette = [
        dict.fromkeys(("left", "right", "middle"), TRUTH) if layer.truth else side_colours(person, people)
        for person in range(len(points))
    ]
    lines = [
        (float(body[[a, b], 2].mean()), body[[a, b], :2], colours[side])
        for body, colours in zip(points, palette, strict=True)
        for a, b, side in drawn_bones(skeleton)
        if np.isfinite(body[[a, b]]).all()
    ]
    lines.sort(key=lambda line: -line[0])
    # A paler line beneath each bone parts it from the bones behind it.
    collection = LineCollection(
        [line[1] for line in lines for _ in range(2)],
        colors=[colour for line in lines for colour in ("white", line[2])],
        linewidths=[width + 1.6, width] * len(lines),
        capstyle="round",
        zorder=1 if layer.truth else 2,
        gid="truth" if layer.truth else "people",
    )
    axes.add_collection(collection, autolim=False)
    if layer.truth:
        return
    many = len(skeleton) > 40
    for person, (body, colours) in enumerate(zip(points, palette, strict=True)):
        axes.scatter(
            body[:, 0],
            body[:, 1],
            s=(width * (0.9 if many else 1.5)) ** 2,
            c=[shade(colours[skeleton.side(joint)], -0.25) for joint in range(len(skeleton))],
            edgecolors="white",
            linewidths=0.0 if many else 0.6,
            zorder=3,
            gid=f"joints-{person}",
        )


def _draw_time(axes: Axes, frame: int, fps: float | None) -> None:
    time = f"frame {frame}" if fps is None else f"{frame / fps:.2f} s"
    axes.set_title(time, fontsize=15, color=INK, pad=20 if fps else 6)
    if fps is not None:
        axes.annotate(
            f"frame {frame}", (0.5, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", ha="center",
            fontsize=10.5, color=FAINT,
        )  # fmt: skip


def _draw_scale(axes: Axes, half: np.ndarray) -> None:
    """A bar of a round number of metres in the lower left corner."""
    length = max((s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if s <= half[0]), default=half[0])
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x, y = left + 0.06 * (right - left), bottom + 0.03 * (top - bottom)
    axes.plot([x, x + length], [y, y], color=INK, linewidth=2.5, solid_capstyle="butt", zorder=5, gid="scale")
    axes.annotate(
        f"{length:g} m", (x + length, y), (5, 0), textcoords="offset points", va="center", fontsize=11, color=INK
    )


def _draw_path(axes: Axes, motion: Poses3D | Keypoints2D, path: np.ndarray, moments: np.ndarray) -> None:
    """The roots' path from above: the front view's viewer stands below the panel."""
    for person in range(path.shape[1]):
        colour = MIDDLE if motion.people == 1 else side_colours(person, motion.people)["middle"]
        axes.plot(*path[:, person].T, color=colour, linewidth=2, alpha=0.75, gid=f"path-{person}")
        marks = path[moments, person]
        axes.scatter(marks[:, 0], marks[:, 1], s=26, color=colour, edgecolors="white", linewidths=0.8, zorder=3)
        if len(first := marks[np.isfinite(marks[:, 0])]):
            axes.scatter(
                first[:1, 0], first[:1, 1], s=90, facecolors="white", edgecolors=colour, linewidths=2, zorder=4
            )
    low, high = np.nanmin(path, axis=(0, 1)), np.nanmax(path, axis=(0, 1))
    centre, half = (low + high) / 2, np.maximum((high - low) * 0.58, 0.5)
    shape = np.array(axes.get_window_extent().size)
    half = shape * (half / shape).max()
    axes.set_xlim(centre[0] - half[0], centre[0] + half[0])
    axes.set_ylim(centre[1] - half[1], centre[1] + half[1])
    axes.locator_params(nbins=6)
    axes.grid(color="white", linewidth=1.2)
    axes.tick_params(labelsize=10, colors=FAINT, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("path from above (○ start)", fontsize=13, color=INK, pad=8)
    viewer = "camera" if isinstance(motion, Poses3D) and motion.space == "camera" else "viewer"
    axes.set_xlabel(f"metres     ↓ to the {viewer}", fontsize=11, color=FAINT)


def _draw_words(figure: Figure, motion: Poses3D | Keypoints2D, with_truth: bool) -> None:
    from matplotlib.lines import Line2D

    name, line = describe(motion)
    name = name if len(name) <= 70 else f"{name[:69]}…"
    kind = "3D motion" if isinstance(motion, Poses3D) else "2D keypoints"
    width, height = figure.get_size_inches()
    # File names are shown as they are: a dollar sign in one does not start a formula.
    for text, below, size, colour, weight in (
        (name or kind, 0.18, 17, INK, "bold"),
        (line, 0.52, 11.5, FAINT, "normal"),
    ):
        place = (LEFT_MARGIN / width, 1 - below / height)
        figure.text(*place, text, fontsize=size, color=colour, fontweight=weight, va="top", parse_math=False)
    if motion.people == 1:
        entries = [(LEFT, "left side"), (RIGHT, "right side"), (MIDDLE, "middle")]
    else:
        shown = min(motion.people, 8)
        entries = [(side_colours(p, motion.people)["middle"], f"person {motion.track_ids[p]}") for p in range(shown)]
        entries += [("#C4C4C4", "left: paler"), ("#555555", "right: darker")]
    entries += [(TRUTH, "truth")] if with_truth else []
    handles = [Line2D([], [], color=colour, linewidth=5, solid_capstyle="round") for colour, _ in entries]
    figure.legend(
        handles,
        [label for _, label in entries],
        loc="lower left",
        bbox_to_anchor=(LEFT_MARGIN / width - 0.005, 0.02 / height),
        ncols=len(entries),
        frameon=False,
        fontsize=12.5,
        labelcolor=INK,
        handlelength=1.2,
        columnspacing=1.6,
    )

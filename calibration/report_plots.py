"""The drawings of a calibration's report: the rig from above and from the side, errors, links, one camera's image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lift3d.calibration.measures import CELLS, coverage, image_errors, images_found, images_used, shared_moments
from lift3d.calibration.quality import Quality
from lift3d.calibration.solution import Solution
from lift3d.calibration.volume import image_size
from lift3d.geometry.cameras import Camera
from lift3d.palette import LEFT, PEOPLE, RIGHT, TRUTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

GOOD, BAD, INK, FAINT, GRID = LEFT, RIGHT, "#1D2127", "#636B76", "#E3E6EB"
MARKS = "osD^vP"
# Sequential colours that colour-blind people, and grey prints, keep in order.
HEAT, COUNTS = "cividis_r", "Blues"
# A camera is drawn as a pyramid of this part of the rig's extent; of the boards at most so many are drawn.
PYRAMID, MOST_BOARDS = 0.09, 80
# Errors in pixels are drawn this many times the root mean square error far.
SPAN = 4.0


def camera_style(index: int) -> tuple[str, str]:
    """(colour, mark) of the camera of that index, both to tell it from the others."""
    return PEOPLE[index % len(PEOPLE)], MARKS[index // len(PEOPLE) % len(MARKS)]


def drawable(text: str) -> str:
    """A name as a font can draw it: file names may hold halves of characters."""
    return text.encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class Scene:
    """A view of the rig: what is right and what is up on the paper, unit vectors in the world, and their names."""

    right: np.ndarray
    up: np.ndarray
    labels: tuple[str, str]

    def flat(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) on the paper (..., 2), metres."""
        return np.stack([points @ self.right, points @ self.up], axis=-1)


def views_of_rig(solution: Solution) -> tuple[Scene, Scene]:
    """The rig from above and from the side from which it is widest."""
    cameras = solution.rig.cameras
    upright = -np.mean([camera.R[1] for camera in cameras], axis=0)
    length = np.linalg.norm(upright)
    level = upright[2] > 0.5 * length
    z = np.array([0.0, 0.0, 1.0]) if level or length < 0.3 else upright / length
    x = np.array([1.0, 0.0, 0.0]) if level or length < 0.3 else _across(z, cameras[0].R[0])
    y = np.cross(z, x)
    centres = np.stack([camera.centre for camera in cameras])
    names = ("X, m", "Y, m", "Z, m") if level or length < 0.3 else ("to the right, m", "backwards, m", "up, m")
    along = x if np.ptp(centres @ x) >= np.ptp(centres @ y) else y
    name = names[0] if along is x else names[1]
    return Scene(x, y, names[:2]), Scene(along, z, (name, names[2]))


def draw_rig(axes: Axes, scene: Scene, solution: Solution, quality: Quality) -> ScalarMappable | None:
    """Cameras as pyramids, boards as outlines, and the volume coloured by the error that is to be expected, mm.

    Returns what a colour bar needs, or None without a volume.
    """
    from matplotlib.collections import LineCollection

    axes.set_aspect("equal")
    heat = _draw_volume(axes, scene, quality)
    poses = solution.board_poses
    placed = np.flatnonzero(np.isfinite(poses.t).all(axis=-1))
    placed = placed[np.unique(np.linspace(0, len(placed) - 1, min(len(placed), MOST_BOARDS)).astype(int))]
    (x0, y0, _), (x1, y1, _) = poses.points.min(axis=0), poses.points.max(axis=0)
    outline = np.array([[x0, y0, 0], [x1, y0, 0], [x1, y1, 0], [x0, y1, 0], [x0, y0, 0]])
    boards = outline @ poses.R[placed].mT + poses.t[placed][:, None]
    axes.add_collection(LineCollection(list(scene.flat(boards)), colors=INK, linewidths=0.6, alpha=0.35))

    centres = np.stack([camera.centre for camera in solution.rig])
    everything = np.concatenate([centres, boards.reshape(-1, 3)])
    extent = float(np.ptp(everything, axis=0).max())
    for index, camera in enumerate(solution.rig):
        colour, _ = camera_style(index)
        pyramid = scene.flat(_pyramid(camera, PYRAMID * extent))
        axes.add_collection(LineCollection(list(pyramid), colors=colour, linewidths=1.6, capstyle="round"))
        place = scene.flat(camera.centre)
        axes.plot(*place, "o", color=colour, markersize=4)
        # The name stands behind the camera, or above one that looks into the paper.
        ahead = scene.flat(camera.R[2])
        behind = -15 * ahead / np.linalg.norm(ahead) if np.linalg.norm(ahead) > 0.5 else np.array([0.0, 14.0])
        axes.annotate(
            drawable(camera.name), tuple(place), tuple(behind), textcoords="offset points", ha="center", va="center",
            fontsize=10, color=INK,
        )  # fmt: skip
    flat = scene.flat(everything)
    low, high = flat.min(axis=0) - 0.15 * extent, flat.max(axis=0) + 0.15 * extent
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.locator_params(nbins=6)
    _plain(axes, *scene.labels)
    return heat


def _draw_volume(axes: Axes, scene: Scene, quality: Quality) -> ScalarMappable | None:
    """The expected error, of all places behind each other the middle one."""
    if quality.expected is None:
        return None
    error = quality.expected.shape_mm()
    flat = scene.flat(quality.expected.points)[np.isfinite(error)]
    error = error[np.isfinite(error)]
    if not len(error):
        return None
    columns, which = np.unique(flat.round(6), axis=0, return_inverse=True)
    value = np.array([np.median(error[which.ravel() == column]) for column in range(len(columns))])
    # Rectangles of the grid's own size, in the units of the axes.
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    step = [_spacing(columns[:, axis]) for axis in range(2)]
    squares = PatchCollection([Rectangle(corner, *step) for corner in columns - np.array(step) / 2], linewidth=0)
    squares.set(array=value, cmap=HEAT, clim=(0, float(np.percentile(error, 95))), alpha=0.85)
    axes.add_collection(squares)
    return squares


def _spacing(values: np.ndarray) -> float:
    """The distance between neighbours of a grid, of which some may be missing."""
    gaps = np.diff(np.unique(values))
    gaps = gaps[gaps > 1e-6]
    return float(gaps.min()) if gaps.size else 0.1


def _pyramid(camera: Camera, depth: float) -> np.ndarray:
    """(8, 2, 3) the edges of the pyramid that the camera sees, metres in the world."""
    width, height = image_size(camera)
    half = np.array([width / camera.K[0, 0], height / camera.K[1, 1]]) / 2 * depth
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.minimum(half, depth)
    ends = (np.column_stack([corners, np.full(4, depth)]) - camera.t) @ camera.R
    centre = np.broadcast_to(camera.centre, ends.shape)
    return np.concatenate([np.stack([centre, ends], axis=1), np.stack([ends, np.roll(ends, -1, axis=0)], axis=1)])


def draw_moments(axes: Axes, solution: Solution) -> None:
    """The error of every image over the moments, those that were left out hollow."""
    errors, kept, found = image_errors(solution), images_used(solution), images_found(solution)
    worst = float(np.nanmax(np.where(kept, errors, np.nan), initial=0.1))
    for index, name in enumerate(solution.rig.names):
        colour, mark = camera_style(index)
        moments = np.flatnonzero(found[index])
        shown = np.minimum(errors[index, moments], 1.6 * worst)
        used = kept[index, moments]
        axes.plot(
            moments[used], shown[used], mark, color=colour, markersize=4.5, label=drawable(name), alpha=0.9, linewidth=0
        )
        axes.plot(moments[~used], shown[~used], mark, color=colour, markersize=5.5, markerfacecolor="none", linewidth=0)
    # Of the labels so many as have room.
    labels = [drawable(label) for label in solution.observations.frames]
    ticks = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), 12)).astype(int))
    axes.set_xticks(
        ticks, [labels[tick] for tick in ticks], fontsize=9, rotation=30 if max(map(len, labels)) > 4 else 0
    )
    axes.set_ylim(0, 1.7 * worst)
    _plain(axes, "moment (image or frame number)", "median error, px")


def draw_links(axes: Axes, solution: Solution) -> None:
    """How many moments each pair of cameras shares, as a matrix of counts."""
    shared = shared_moments(solution)
    names = [drawable(name) for name in solution.rig.names]
    off_diagonal = shared.astype(float)
    np.fill_diagonal(off_diagonal, np.nan)
    largest = float(np.nanmax(off_diagonal, initial=1.0))
    axes.imshow(off_diagonal, cmap=COUNTS, vmin=0, vmax=1.3 * largest)
    size = 10 if len(names) <= 10 else 6
    for a in range(len(names)):
        for b in range(len(names)):
            dark = a != b and shared[a, b] > 0.8 * largest
            axes.text(
                b, a, str(shared[a, b]), ha="center", va="center", fontsize=size, color="white" if dark else INK,
                fontstyle="italic" if a == b else "normal",
            )  # fmt: skip
    axes.set_xticks(range(len(names)), names, fontsize=size, color=INK, rotation=45 if len(names) > 5 else 0)
    axes.set_yticks(range(len(names)), names, fontsize=size, color=INK)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_coverage(axes: Axes, solution: Solution, index: int) -> None:
    """Where in the image the board was: corners used and outliers, over the cells that they fill."""
    camera = solution.rig.cameras[index]
    width, height = image_size(camera)
    xy, used = solution.observations.xy[index], solution.used[index]
    outliers = xy[solution.observations.seen[index] & ~used]
    counts = coverage(camera, xy[used])
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(
        np.where(counts > 0, np.log1p(counts), np.nan), cmap=COUNTS, extent=extent, alpha=0.6, aspect="equal",
        vmin=0, vmax=2 * np.log1p(max(counts.max(), 1)),
    )  # fmt: skip
    axes.plot(*xy[used].T, ".", color=GOOD, markersize=1.8, label="used")
    axes.plot(*outliers.T, "x", color=BAD, markersize=4, label="left out")
    for column in range(1, CELLS[0]):
        axes.axvline(column * width / CELLS[0], color=GRID, linewidth=0.5, zorder=0)
    for row in range(1, CELLS[1]):
        axes.axhline(row * height / CELLS[1], color=GRID, linewidth=0.5, zorder=0)
    axes.plot(*camera.K[:2, 2], "+", color=INK, markersize=10)
    _image_axes(axes, camera)


def draw_residuals(axes: Axes, solution: Solution, index: int) -> None:
    """The errors of all corners as points, with the circle of their root mean square."""
    residuals, used = solution.residuals[index], solution.used[index]
    rmse = float(solution.camera_rmse()[index])
    span = SPAN * rmse if rmse > 0 else 1.0
    out = residuals[solution.observations.seen[index] & ~used]
    axes.axhline(0, color=GRID, zorder=0)
    axes.axvline(0, color=GRID, zorder=0)
    axes.plot(*residuals[used].T, ".", color=GOOD, markersize=2, alpha=0.6)
    # What lies beyond the edge stands on it.
    axes.plot(*np.clip(out[np.isfinite(out).all(axis=-1)], -span, span).T, "x", color=BAD, markersize=4)
    if np.isfinite(rmse):
        angle = np.linspace(0, 2 * np.pi, 100)
        axes.plot(rmse * np.cos(angle), rmse * np.sin(angle), color=INK, linewidth=1.2)
    axes.set(xlim=(-span, span), ylim=(span, -span), aspect="equal")
    _plain(axes, "error to the right, px", "error down, px")


def draw_vectors(axes: Axes, solution: Solution, index: int) -> None:
    """The mean error in each cell of the image as an arrow: a pattern is what the lens model does not describe."""
    camera = solution.rig.cameras[index]
    used = solution.used[index]
    xy, residuals = solution.observations.xy[index][used], solution.residuals[index][used]
    columns, rows = 2 * CELLS[0], 2 * CELLS[1]
    cell = np.floor((xy + 0.5) / image_size(camera) * [columns, rows]).astype(int).clip(0, [columns - 1, rows - 1])
    number = cell[:, 1] * columns + cell[:, 0]
    count = np.bincount(number, minlength=columns * rows)
    enough = count >= 3
    places, means = (
        np.stack([np.bincount(number, values[:, axis], columns * rows)[enough] / count[enough] for axis in (0, 1)])
        for values in (xy, residuals)
    )
    width, _ = image_size(camera)
    rmse = float(solution.camera_rmse()[index])
    unit = width / columns / rmse if rmse > 0 else 1.0
    if enough.any():
        axes.quiver(
            *places, *(means * unit), color=GOOD, angles="xy", scale_units="xy", scale=1, width=0.005, headwidth=3.5
        )
    _image_axes(axes, camera)


def _image_axes(axes: Axes, camera: Camera) -> None:
    width, height = image_size(camera)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal", xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_color(FAINT)


def _plain(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across, fontsize=10, color=FAINT)
    axes.set_ylabel(up, fontsize=10, color=FAINT)
    axes.tick_params(labelsize=9, colors=FAINT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(TRUTH)


def _across(up: np.ndarray, towards: np.ndarray) -> np.ndarray:
    across = towards - (towards @ up) * up
    flat: np.ndarray = across / np.linalg.norm(across)
    return flat

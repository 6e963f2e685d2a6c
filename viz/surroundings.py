"""What stands still around the people: the floor's grid, the axes and the cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lift3d.geometry.cameras import Camera
from lift3d.viz.drawing import Label, Lines
from lift3d.viz.look import rgb

GRID, AXES, FRUSTUM = rgb("#C9CDD3"), rgb(["#A8323E", "#2E7D4F", "#3457A6"]), rgb("#5A6472")
INK = rgb("#222222")
# The grid ends this many metres beyond what stands on it; cameras farther out than FAR do not widen it.
MARGIN, FAR = 1.0, 15.0
MOST_LINES = 40
AXIS = 0.5
# A frustum is this part of the distance to the people deep.
DEPTH = 0.2


def floor_grid(low: np.ndarray, high: np.ndarray, height: float) -> Lines:
    """A grid of round metres over the corners (2,) ``low`` to ``high`` at a height; coarser where it would be dense."""
    low, high = np.floor(low - MARGIN), np.ceil(high + MARGIN)
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100) if (high - low).max() / s <= MOST_LINES), 1000)
    low, high = np.floor(low / step) * step, np.ceil(high / step) * step
    segments = []
    for along in (0, 1):
        places = np.arange(low[1 - along], high[1 - along] + step / 2, step)
        lines = np.full((len(places), 2, 3), height)
        lines[:, :, 1 - along] = places[:, None]
        lines[:, :, along] = low[along], high[along]
        segments.append(lines)
    grid = np.concatenate(segments).astype(np.float32)
    return Lines(grid, np.broadcast_to(GRID, (len(grid), 3)), 1.0)


def draw_axes(place: np.ndarray) -> tuple[Lines, tuple[Label, ...]]:
    """The three axes of the drawings' space, half a metre long, from a place (3,)."""
    ends = place + AXIS * np.eye(3)
    segments = np.stack([np.broadcast_to(place, (3, 3)), ends], axis=1).astype(np.float32)
    beyond = place + 1.15 * AXIS * np.eye(3)
    return Lines(segments, AXES, 2.5), tuple(
        Label(beyond[axis], name, AXES[axis]) for axis, name in enumerate(("x", "y", "z"))
    )


def into_drawings(camera: Camera, space: str) -> Camera:
    """The camera in the drawings' space: its poses' world, or camera space turned upright."""
    if space == "world":
        return camera
    turn = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # upright: x right, y away, z up
    return replace(camera, R=turn, t=np.zeros(3))


@dataclass(frozen=True)
class Frustum:
    """A camera as it is drawn: its image's corners (4, 3) in space, ``depth`` metres before it.

    Lens distortion is left out: the picture is flat, and is off by what the lens bends.
    """

    camera: Camera
    depth: float

    def corners(self, depth: float | None = None) -> np.ndarray:
        """Corners (4, 3) of the image at a depth: top left, top right, bottom right, bottom left."""
        width, height = self.size
        pixels = np.array([[0, 0, 1.0], [width, 0, 1], [width, height, 1], [0, height, 1]])
        rays = pixels @ np.linalg.inv(self.camera.K).T
        local = rays * (self.depth if depth is None else depth)
        place: np.ndarray = (local - self.camera.t) @ self.camera.R
        return place

    @property
    def size(self) -> tuple[float, float]:
        """The image's (width, height) in pixels; an unknown one ends as far behind the principal point as before it."""
        if self.camera.image_size is not None:
            return self.camera.image_size
        return 2 * self.camera.K[0, 2], 2 * self.camera.K[1, 2]

    def segments(self) -> np.ndarray:
        """The eight edges (8, 2, 3), and a notch that tells the image's upper side (2, 2, 3)."""
        corners, centre = self.corners(), self.camera.centre
        around = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
        rays = np.stack([np.broadcast_to(centre, (4, 3)), corners], axis=1)
        left, right = corners[0], corners[1]
        tip = (left + right) / 2 + 0.15 * (left - corners[3])
        notch = np.array([[left + 0.3 * (right - left), tip], [tip, left + 0.7 * (right - left)]])
        return np.concatenate([around, rays, notch])


def frusta(cameras: list[Camera], middle: np.ndarray) -> list[Frustum]:
    """The cameras of the drawings' space as frusta of one depth, by their distance from the people's middle (3,)."""
    if not cameras:
        return []
    distance = float(np.median([np.linalg.norm(camera.centre - middle) for camera in cameras]))
    depth = float(np.clip(DEPTH * distance, 0.1, 2.0))
    return [Frustum(camera, depth) for camera in cameras]


def draw_frusta(items: list[Frustum]) -> tuple[Lines, tuple[Label, ...]]:
    """The frusta's edges, and the cameras' names above them."""
    segments = np.concatenate([item.segments() for item in items]).astype(np.float32)
    labels = []
    for item in items:
        corners = item.corners()
        up = corners[0] - corners[3]
        labels.append(Label(corners[:2].mean(axis=0) + 0.22 * up, item.camera.name, INK))
    return Lines(segments, np.broadcast_to(FRUSTUM, (len(segments), 3)), 1.5), tuple(labels)

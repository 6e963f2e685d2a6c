"""Frames drawn by matplotlib alone: what is left where no 3D renderer can be had.

Everything is projected and painted from back to front. Bones and joints are lines with round ends, each with a dark
edge and a light streak, so that they read as solid; there is no light and no exact overlap.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lift3d.viz.captions import draw_labels
from lift3d.viz.drawing import Drawing, Ellipsoids, Lines, Picture
from lift3d.viz.viewpoint import Viewpoint

# Nothing nearer than this is drawn, metres.
NEAR = 0.05
# A bone's layers: part of its width, pixels more, lightness (-1 black to 1 white), shift towards the light in widths.
LAYERS = ((1.0, 1.6, -0.45, 0.0), (1.0, 0.0, -0.12, 0.0), (0.72, 0.0, 0.0, 0.10), (0.26, 0.0, 0.38, 0.20))
LIGHT = np.array([-0.6, -0.8])
OUTLINE_POINTS = 40
ELLIPSOID_ALPHA = 0.30


class FlatFrames:
    """A renderer by matplotlib.

    Args:
        size: (width, height) of the frames in pixels.
        transparent: whether frames have an alpha channel and no background.
    """

    name = "matplotlib"

    def __init__(self, size: tuple[int, int], transparent: bool = False) -> None:
        from matplotlib.backends.backend_agg import RendererAgg
        from matplotlib.collections import LineCollection, PolyCollection
        from matplotlib.figure import Figure

        self.size = size
        self.transparent = transparent
        # At 72 dots an inch a point is a pixel.
        self._agg = RendererAgg(size[0], size[1], 72)
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72)
        # matplotlib's annotations know no arrays of lines.
        self._lines: Any = LineCollection([], capstyle="round", snap=False, figure=figure)
        self._areas: Any = PolyCollection([], linewidths=1.0, snap=False, figure=figure)
        self._image = np.asarray(self._agg.buffer_rgba())
        self._behind: tuple[Drawing, bytes] | None = None
        self._background = np.zeros_like(self._image)

    def draw(self, backdrop: Drawing, drawing: Drawing, viewpoint: Viewpoint) -> np.ndarray:
        """One frame, (height, width, 3) uint8, or 4 with transparency."""
        import cv2

        width, height = self.size
        key = np.concatenate([*viewpoint.extrinsics(), viewpoint.intrinsics(width, height)], axis=None).tobytes()
        if self._behind is None or self._behind[0] is not backdrop or self._behind[1] != key:
            self._image[:] = (255, 255, 255, 0 if self.transparent else 255)
            for lines in backdrop.lines:
                self._draw_lines(lines, viewpoint)
            self._background[:] = self._image
            self._behind = backdrop, key
        self._image[:] = self._background
        before = self._draw_pictures(drawing, viewpoint)
        for lines in drawing.lines:
            self._draw_lines(lines, viewpoint)
        self._draw_bodies(drawing, viewpoint)
        self._draw_ellipsoids(drawing.ellipsoids, viewpoint)
        for picture in before:
            self._draw_picture(picture, viewpoint)
        image = self._image.copy() if self.transparent else cv2.cvtColor(self._image, cv2.COLOR_RGBA2RGB)
        draw_labels(image, backdrop.labels + drawing.labels, viewpoint)
        return image

    def _draw_lines(self, lines: Lines, viewpoint: Viewpoint) -> None:
        known = np.isfinite(lines.segments).all(axis=(1, 2))
        segments, there = clipped(lines.segments[known].astype(float), viewpoint)
        pixels, _ = viewpoint.project(segments, *self.size)
        self._paint(pixels, lines.colours[known][there], np.full(len(pixels), lines.width * self.size[1] / 720))

    def _draw_bodies(self, drawing: Drawing, viewpoint: Viewpoint) -> None:
        """Bones and joints from back to front."""
        spheres, bones = drawing.spheres, drawing.cylinders
        ends = np.concatenate(
            [np.stack([spheres.centres, spheres.centres], axis=1), np.stack([bones.starts, bones.ends], axis=1)]
        )
        radii = np.concatenate([spheres.radii, bones.radii])
        colours = np.concatenate([spheres.colours, bones.colours])
        pixels, depths = viewpoint.project(ends, *self.size)
        # Joints lie a little nearer than the bones that end in them.
        depth = depths.mean(axis=1)
        depth[: len(spheres.radii)] -= spheres.radii
        shown = np.flatnonzero((np.nan_to_num(depths, nan=-1) > NEAR).all(axis=1))
        order = shown[np.argsort(-depth[shown], kind="stable")]
        pixels, colours = pixels[order], colours[order]
        focal = viewpoint.intrinsics(*self.size)[0, 0]
        widths = 2 * radii[order] * focal / depths[order].mean(axis=1)
        segments, tones, thick = [], [], []
        for part, more, lightness, shift in LAYERS:
            segments.append(pixels + (shift * widths[:, None] * LIGHT)[:, None])
            goal = 1.0 if lightness > 0 else 0.0
            tones.append(colours + (goal - colours) * abs(lightness))
            thick.append(part * widths + more * self.size[1] / 720)
        self._paint(
            np.stack(segments, axis=1).reshape(-1, 2, 2),
            np.stack(tones, axis=1).reshape(-1, 3),
            np.stack(thick, axis=1).reshape(-1),
        )

    def _paint(self, pixels: np.ndarray, colours: np.ndarray, widths: np.ndarray) -> None:
        """Lines (n, 2, 2) in pixels from the top left; a line without length becomes a dot."""
        if not len(pixels):
            return
        flat = pixels * (1, -1) + (0, self.size[1])
        flat[:, 1, 0] += 0.01
        self._lines.set_segments(flat)
        self._lines.set_color(np.clip(colours, 0, 1))
        self._lines.set_linewidth(widths)
        self._lines.draw(self._agg)

    def _draw_ellipsoids(self, ellipsoids: Ellipsoids, viewpoint: Viewpoint) -> None:
        outlines, rows = ellipsoid_outlines(ellipsoids, viewpoint, self.size)
        if not len(rows):
            return
        colours = np.clip(ellipsoids.colours[rows], 0, 1)
        self._areas.set_verts(outlines * (1, -1) + (0, self.size[1]))
        self._areas.set_facecolor(np.column_stack([colours, np.full(len(rows), ELLIPSOID_ALPHA)]))
        self._areas.set_edgecolor(np.column_stack([colours, np.full(len(rows), 0.7)]))
        self._areas.draw(self._agg)

    def _draw_pictures(self, drawing: Drawing, viewpoint: Viewpoint) -> list[Picture]:
        """Draw the pictures behind the people; those before them are handed back."""
        R, t = viewpoint.extrinsics()
        places = drawing.spheres.centres
        seen = places[np.isfinite(places[:, 0])]
        middle = float((seen @ R[2]).mean() + t[2]) if len(seen) else 0.0
        known = [picture for picture in drawing.pictures if np.isfinite(picture.corners).all()]
        depths = [float((picture.corners @ R[2]).mean() + t[2]) for picture in known]
        order = np.argsort(depths)[::-1]
        for i in order:
            if depths[i] >= middle:
                self._draw_picture(known[i], viewpoint)
        return [known[i] for i in order if depths[i] < middle]

    def _draw_picture(self, picture: Picture, viewpoint: Viewpoint) -> None:
        import cv2

        width, height = self.size
        pixels, depths = viewpoint.project(picture.corners, width, height)
        if not (depths > NEAR).all():
            return
        low = np.clip(np.floor(pixels.min(axis=0)), 0, (width, height)).astype(int)
        high = np.clip(np.ceil(pixels.max(axis=0)), 0, (width, height)).astype(int)
        if (high <= low).any():
            return
        rows, columns = picture.image.shape[:2]
        corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
        # Pixels are counted at their middle, corners at the edge of the image.
        map_ = cv2.getPerspectiveTransform(corners - 0.5, (pixels - low - 0.5).astype(np.float32))
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        image = cv2.warpPerspective(picture.image, map_, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = np.zeros((size[1], size[0]), np.uint8)
        outline = np.round((pixels - low - 0.5) * 16).astype(np.int32)
        cv2.fillConvexPoly(inside, outline, (255,), lineType=cv2.LINE_AA, shift=4)
        part = self._image[low[1] : high[1], low[0] : high[0]]
        alpha = inside[..., None].astype(np.float32) / 255
        part[..., :3] = np.round(part[..., :3] * (1 - alpha) + image * alpha)
        part[..., 3] = np.maximum(part[..., 3], inside)


def clipped(segments: np.ndarray, viewpoint: Viewpoint) -> tuple[np.ndarray, np.ndarray]:
    """The parts of segments (n, 2, 3) that lie before the viewer, and which (n,) have such a part."""
    R, t = viewpoint.extrinsics()
    depth = segments @ R[2] + t[2]
    there = depth.max(axis=1) > NEAR
    segments, depth = segments[there], depth[there]
    for end in (0, 1):
        cut = depth[:, end] < NEAR
        if cut.any():
            a, b = segments[cut, end], segments[cut, 1 - end]
            part = (NEAR - depth[cut, end]) / (depth[cut, 1 - end] - depth[cut, end])
            segments[cut, end] = a + part[:, None] * (b - a)
            depth[cut, end] = NEAR
    return segments, there


def ellipsoid_outlines(
    ellipsoids: Ellipsoids, viewpoint: Viewpoint, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Outlines (m, points, 2) in pixels of the ellipsoids that lie wholly before the viewer, and their rows (m,).

    Source:
        Hartley and Zisserman, "Multiple View Geometry", 2nd edition, 8.3: the image of a dual quadric, C* = P Q* P^T.
    """
    R, t = viewpoint.extrinsics()
    known = np.isfinite(ellipsoids.centres).all(axis=1) & np.isfinite(ellipsoids.axes).all(axis=(1, 2))
    centres = np.where(known[:, None], ellipsoids.centres, 0) @ R.T + t
    axes = R @ np.where(known[:, None, None], ellipsoids.axes, 0)
    extent = np.linalg.norm(axes[:, 2], axis=-1)
    rows = np.flatnonzero(known & (centres[:, 2] - extent > NEAR))
    centres, axes = centres[rows], axes[rows]
    K = viewpoint.intrinsics(*size)
    # With the viewer at the origin P = [K | 0], and only the quadric's upper part counts.
    dual = K @ (axes @ axes.swapaxes(1, 2) - centres[:, :, None] * centres[:, None, :]) @ K.T
    dual = dual / dual[:, 2:, 2:]
    middle = dual[:, :2, 2]
    shape = middle[:, :, None] * middle[:, None, :] - dual[:, :2, :2]
    values, vectors = np.linalg.eigh(shape)
    half = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
    angles = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    return middle[:, None] + (half @ circle).swapaxes(1, 2), rows

"""Drawings in an Open3D scene that is looked at while it changes: from one to the next only what differs is touched.

Joints, bones and error bars are copies of one shape, each moved by its own transform: 5 people of 17 joints cost half a
millisecond a frame, where one mesh of all of them, sent anew, costs ten. Light from above is in the shapes' own
colours, so that what is drawn has the palette's colours on every machine. Error bars are three rings each: Open3D's
translucent shaders hide what lies behind, or end the process ("defaultUnlitTransparency" of version 0.20).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lift3d.viz.drawing import Cylinders, Drawing, Ellipsoids, Label, Lines, Picture, Spheres
from lift3d.viz.meshes import (
    MeshArrays,
    body_mesh,
    import_open3d,
    open3d_lines,
    open3d_material,
    open3d_mesh,
    shaded,
)

RING_WIDTH, RING_SIDES = 1.5, 20
# The longer side, in pixels, of pictures in space; that of the camera one looks through comes larger than the others.
COARSE_SHEET, FINE_SHEET, COARSE_FROM = 200, 560, 600
# From where the light falls, a little from the side: it is the same from wherever one looks.
LIGHT = np.array([0.28, -0.36, 0.89])


class LiveScene:
    """What is drawn in a scene widget.

    Args:
        widget: an ``open3d.visualization.gui.SceneWidget`` that has its scene.
        scaling: the screen's pixels for a pixel of line width.
    """

    def __init__(self, widget: Any, scaling: float = 1.0) -> None:
        scene = widget.scene
        sphere, cylinder = _unit_shapes()
        rings = open3d_material("unlitLine", line_width=RING_WIDTH * scaling)
        self._joints = _Copies(scene, "joint", lambda colour: (sphere, _paint(colour)))
        self._bones = _Copies(scene, "bone", lambda colour: (cylinder, _paint(colour)))
        self._error_bars = _Copies(scene, "error bar", lambda colour: (_unit_rings(colour), rings))
        self._still, self._moving = _LineSets(scene, "still", scaling), _LineSets(scene, "moving", scaling)
        self._pictures = _Pictures(scene)
        self._still_labels, self._moving_labels = _Labels(widget), _Labels(widget)

    def draw_backdrop(self, drawing: Drawing) -> None:
        """Draw what stands still: lines and labels."""
        self._still.draw(drawing.lines)
        self._still_labels.draw(drawing.labels)

    def draw(self, drawing: Drawing) -> None:
        """Draw one moment in place of the last, but for its pictures."""
        self._joints.draw(sphere_transforms(drawing.spheres), drawing.spheres.colours)
        self._bones.draw(cylinder_transforms(drawing.cylinders), drawing.cylinders.colours)
        self._error_bars.draw(ellipsoid_transforms(drawing.ellipsoids), drawing.ellipsoids.colours)
        self._moving.draw(drawing.lines)
        self._moving_labels.draw(drawing.labels)

    def draw_pictures(self, pictures: tuple[Picture, ...]) -> None:
        """Draw the videos' frames in place of the last ones."""
        self._pictures.draw(pictures)


def sphere_transforms(spheres: Spheres) -> np.ndarray:
    """(n, 4, 4) that take the unit sphere to each sphere."""
    return _transforms(spheres.radii[:, None, None] * np.eye(3), spheres.centres)


def cylinder_transforms(cylinders: Cylinders) -> np.ndarray:
    """(n, 4, 4) that take the unit cylinder, along z from the origin and lit from x, to each cylinder."""
    along = (cylinders.ends - cylinders.starts).astype(float)
    direction = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    lit = LIGHT - (direction @ LIGHT)[:, None] * direction
    length = np.linalg.norm(lit, axis=1, keepdims=True)
    # Along the light any direction across will do.
    lit = np.where(length < 1e-3, np.cross(direction, [1.0, 0, 0]), lit / np.maximum(length, 1e-9))
    radii = cylinders.radii[:, None]
    linear = np.stack([radii * lit, radii * np.cross(direction, lit), along], axis=-1)
    return _transforms(linear, cylinders.starts)


def ellipsoid_transforms(ellipsoids: Ellipsoids) -> np.ndarray:
    """(n, 4, 4) that take the unit sphere to each ellipsoid, turned rather than mirrored."""
    axes = ellipsoids.axes.astype(float)
    mirrored = np.linalg.det(np.nan_to_num(axes)) < 0
    return _transforms(np.where(mirrored[:, None, None], -axes, axes), ellipsoids.centres)


def _transforms(linear: np.ndarray, places: np.ndarray) -> np.ndarray:
    transforms = np.zeros((len(places), 4, 4))
    transforms[:, :3, :3], transforms[:, :3, 3], transforms[:, 3, 3] = linear, places, 1
    return transforms


def _unit_shapes() -> tuple[Any, Any]:
    """A sphere of radius 1 about the origin, and a cylinder of radius 1 from there along z to 1, as Open3D meshes."""
    origin, one, white = np.zeros((1, 3), np.float32), np.ones(1, np.float32), np.ones((1, 3), np.float32)
    tip = np.array([[0, 0, 1]], np.float32)
    sphere = body_mesh(Spheres(origin, one, white), Cylinders())
    cylinder = body_mesh(Spheres(), Cylinders(origin, tip, one, white))
    return open3d_mesh(shaded(sphere, LIGHT)), open3d_mesh(shaded(cylinder, np.array([1.0, 0, 0])))


def _unit_rings(colour: np.ndarray) -> Any:
    """The three great circles of the unit sphere about the axes, as an Open3D line set of one colour."""
    angles = np.linspace(0, 2 * np.pi, RING_SIDES + 1)
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=-1)
    circles = np.stack([np.roll(circle, axis, axis=-1) for axis in range(3)])
    segments = np.stack([circles[:, :-1], circles[:, 1:]], axis=2).reshape(-1, 2, 3)
    return open3d_lines(Lines(segments, np.broadcast_to(colour, (len(segments), 3))))


def _paint(colour: np.ndarray) -> Any:
    """The material whose parts in full light have a colour (3,). Open3D takes it for sRGB and shows it as linear."""
    colour = colour.astype(float)
    encoded = np.where(colour <= 0.0031308, 12.92 * colour, 1.055 * np.maximum(colour, 1e-9) ** (1 / 2.4) - 0.055)
    return open3d_material("defaultUnlit", base_color=[*encoded, 1.0])


class _Copies:
    """Copies of one shape, a row each. Rows with NaN are hidden.

    Args:
        scene: the scene that they are in.
        name: the beginning of their names there.
        make: the shape and the material of a colour.
    """

    def __init__(self, scene: Any, name: str, make: Callable[[np.ndarray], tuple[Any, Any]]) -> None:
        self.scene, self.name, self.make = scene, name, make
        self.names: list[str] = []
        self.transforms, self.colours, self.shown = np.zeros((0, 4, 4)), np.zeros((0, 3)), np.zeros(0, bool)

    def draw(self, transforms: np.ndarray, colours: np.ndarray) -> None:
        if len(transforms) != len(self.names):
            self._begin(colours)
        known = np.isfinite(transforms).all(axis=(1, 2))
        for row in np.flatnonzero(known != self.shown):
            self.scene.show_geometry(self.names[row], bool(known[row]))
        for row in np.flatnonzero(known & (transforms != self.transforms).any(axis=(1, 2))):
            self.scene.set_geometry_transform(self.names[row], transforms[row])
        for row in np.flatnonzero((colours != self.colours).any(axis=1)):
            self.scene.modify_geometry_material(self.names[row], self.make(colours[row])[1])
        # A hidden row keeps the place where it was last put.
        self.transforms = np.where(known[:, None, None], transforms, self.transforms)
        self.colours, self.shown = np.array(colours), known

    def _begin(self, colours: np.ndarray) -> None:
        for name in self.names:
            self.scene.remove_geometry(name)
        self.names = [f"{self.name} {row}" for row in range(len(colours))]
        for name, colour in zip(self.names, colours, strict=True):
            self.scene.add_geometry(name, *self.make(colour), False)
        self.transforms, self.colours = np.tile(np.eye(4), (len(colours), 1, 1)), np.array(colours)
        self.shown = np.ones(len(colours), bool)


class _LineSets:
    """Sets of segments, each in one piece: a changed one takes the place of the old."""

    def __init__(self, scene: Any, name: str, scaling: float) -> None:
        self.scene, self.name, self.scaling = scene, name, scaling
        self.lines: tuple[Lines, ...] = ()

    def draw(self, lines: tuple[Lines, ...]) -> None:
        for place in range(max(len(lines), len(self.lines))):
            old = self.lines[place] if place < len(self.lines) else Lines()
            new = lines[place] if place < len(lines) else Lines()
            if old.width == new.width and _same(old.segments, new.segments) and _same(old.colours, new.colours):
                continue
            name = f"{self.name} lines {place}"
            if self.scene.has_geometry(name):
                self.scene.remove_geometry(name)
            if (made := open3d_lines(new)) is not None:
                material = open3d_material("unlitLine", line_width=new.width * self.scaling)
                self.scene.add_geometry(name, made, material, False)
        self.lines = lines


class _Pictures:
    """Images in space, each a sheet with a vertex for a pixel.

    The colours of vertices are changed in place. Textures cannot be: Open3D 0.20 makes a new one for each image and
    keeps the old ones for ever (its issue 7325).
    """

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        self.sheets: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # corners, vertices, pixels

    def draw(self, pictures: tuple[Picture, ...]) -> None:
        for place in range(len(pictures), len(self.sheets)):
            self._remove(f"picture {place}")
        del self.sheets[len(pictures) :]
        for place, picture in enumerate(pictures):
            name = f"picture {place}"
            pixels = _reduced(picture.image)
            old = self.sheets[place] if place < len(self.sheets) else None
            if old is None or not _same(old[0], picture.corners) or old[2].shape != pixels.shape:
                self._remove(name)
                vertices = _sheet(picture.corners, *pixels.shape[:2])
                if np.isfinite(vertices).all():
                    mesh = MeshArrays(vertices, np.ones_like(vertices), _colours(pixels), _sheet_triangles(pixels))
                    self.scene.add_geometry(name, open3d_mesh(mesh), open3d_material("defaultUnlit"), False)
            else:
                vertices = old[1]
                if not _same(old[2], pixels) and self.scene.has_geometry(name):
                    self._recolour(name, vertices, pixels)
            self.sheets[place : place + 1] = [(picture.corners, vertices, pixels)]

    def _recolour(self, name: str, vertices: np.ndarray, pixels: np.ndarray) -> None:
        o3d = import_open3d()
        points = o3d.t.geometry.PointCloud(o3d.core.Tensor(vertices))
        points.point.colors = o3d.core.Tensor(_colours(pixels))
        self.scene.scene.update_geometry(name, points, o3d.visualization.rendering.Scene.UPDATE_COLORS_FLAG)

    def _remove(self, name: str) -> None:
        if self.scene.has_geometry(name):
            self.scene.remove_geometry(name)


def _reduced(image: np.ndarray) -> np.ndarray:
    """The image as a sheet shows it: (height, width, 3) uint8, a small one small, a large one not too fine."""
    import cv2

    longest = FINE_SHEET if max(image.shape[:2]) > COARSE_FROM else COARSE_SHEET
    scale = min(1.0, longest / max(image.shape[:2]))
    size = max(2, round(image.shape[1] * scale)), max(2, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _sheet(corners: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Vertices (rows * columns, 3) between the corners (4, 3) of an image."""
    right, down = np.linspace(0, 1, columns)[None, :, None], np.linspace(0, 1, rows)[:, None, None]
    upper = (1 - right) * corners[0] + right * corners[1]
    lower = (1 - right) * corners[3] + right * corners[2]
    vertices: np.ndarray = ((1 - down) * upper + down * lower).reshape(-1, 3).astype(np.float32)
    return vertices


def _sheet_triangles(pixels: np.ndarray) -> np.ndarray:
    """Triangles (m, 3) of a sheet, for both of its sides."""
    index = np.arange(pixels.shape[0] * pixels.shape[1], dtype=np.int32).reshape(pixels.shape[:2])
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    corners = [np.stack(three, axis=-1).reshape(-1, 3) for three in ((a, b, c), (a, c, d), (c, b, a), (d, c, a))]
    return np.concatenate(corners)


def _colours(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(-1, 3).astype(np.float32) / np.float32(255)


class _Labels:
    """Texts in space."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.labels: tuple[Label, ...] = ()
        self.made: list[Any] = []

    def draw(self, labels: tuple[Label, ...]) -> None:
        if labels is self.labels or (not labels and not self.labels):
            return
        for made in self.made:
            self.widget.remove_3d_label(made)
        gui = import_open3d().visualization.gui
        self.made = []
        for label in labels:
            made = self.widget.add_3d_label(np.asarray(label.place, np.float32), label.text)
            made.color = gui.Color(*map(float, label.colour))
            self.made.append(made)
        self.labels = labels


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    return first is second or np.array_equal(first, second, equal_nan=first.dtype.kind == "f")

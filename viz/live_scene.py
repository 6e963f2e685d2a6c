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
    body_mesh,
    import_open3d,
    open3d_lines,
    open3d_material,
    open3d_mesh,
    open3d_picture,
    shaded,
)

RING_WIDTH, RING_SIDES = 1.5, 20
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
        """Draw one moment in place of the last."""
        self._joints.draw(sphere_transforms(drawing.spheres), drawing.spheres.colours)
        self._bones.draw(cylinder_transforms(drawing.cylinders), drawing.cylinders.colours)
        self._error_bars.draw(ellipsoid_transforms(drawing.ellipsoids), drawing.ellipsoids.colours)
        self._moving.draw(drawing.lines)
        self._pictures.draw(drawing.pictures)
        self._moving_labels.draw(drawing.labels)


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
    """Images in space."""

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        self.pictures: tuple[Picture, ...] = ()

    def draw(self, pictures: tuple[Picture, ...]) -> None:
        for place in range(max(len(pictures), len(self.pictures))):
            name = f"picture {place}"
            old = self.pictures[place] if place < len(self.pictures) else None
            new = pictures[place] if place < len(pictures) else None
            there = new is not None and bool(np.isfinite(new.corners).all())
            if new is None or not there:
                if self.scene.has_geometry(name):
                    self.scene.remove_geometry(name)
            elif old is None or not _same(old.corners, new.corners) or not self.scene.has_geometry(name):
                if self.scene.has_geometry(name):
                    self.scene.remove_geometry(name)
                self.scene.add_geometry(name, open3d_picture(new), _image_material(new), False)
            elif not _same(old.image, new.image):
                self.scene.modify_geometry_material(name, _image_material(new))
        self.pictures = pictures


def _image_material(picture: Picture) -> Any:
    image = import_open3d().geometry.Image(np.ascontiguousarray(picture.image))
    return open3d_material("defaultUnlit", albedo_img=image)


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

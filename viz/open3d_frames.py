"""Frames drawn by Open3D without a window: its ``OffscreenRenderer`` (Filament on Vulkan).

Light and shade are computed into the meshes' colours and the renderer's own light, shadows and tone mapping stay off:
so colours are the palette's own on every machine, and a software driver is several times faster.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from lift3d.viz.captions import draw_labels
from lift3d.viz.drawing import Drawing, Lines
from lift3d.viz.meshes import (
    body_mesh,
    ellipsoid_mesh,
    import_open3d,
    open3d_lines,
    open3d_material,
    open3d_mesh,
    open3d_picture,
    shaded,
)
from lift3d.viz.viewpoint import Viewpoint

NEAR = 0.05
ELLIPSOID_ALPHA = 0.3
# From where the light falls, in the viewer's axes: right, down, forward.
LIGHT = np.array([-0.45, -0.65, -0.61])

# A texture's values are taken for sRGB and made linear; with tone mapping off nothing makes them sRGB again.
_LEVELS = np.arange(256) / 255
_LIGHTENED = np.round(
    255 * np.where(_LEVELS <= 0.0031308, 12.92 * _LEVELS, 1.055 * _LEVELS ** (1 / 2.4) - 0.055)
).astype(np.uint8)


class _Only:
    """The one renderer of Open3D that is alive: where there are two, Filament aborts the process as one goes
    ("MaterialInstance is still in use"), and where one is still there as the process ends, too."""

    renderer: Any = None
    size: tuple[int, int] | None = None
    owner: int | None = None


class Open3DFrames:
    """A renderer by Open3D; ask ``lift3d.viz.open3d_probe`` first, for where there is no driver it ends the process.

    Args:
        size: (width, height) of the frames in pixels.
        transparent: whether frames have an alpha channel and no background; each is then drawn twice.
        quiet: whether what the driver says about its start is kept off the terminal.

    Raises:
        MissingDependencyError: Open3D is not installed.
    """

    name = "Open3D"

    def __init__(self, size: tuple[int, int], transparent: bool = False, quiet: bool = True) -> None:
        import_open3d()
        self.size = size
        self.transparent = transparent
        self._quiet = quiet
        self._backdrop: Drawing | None = None
        self._moving: list[str] = []
        self._solid = open3d_material("defaultUnlit")
        self._take_over()

    @property
    def _scene(self) -> Any:
        return _Only.renderer.scene

    def draw(self, backdrop: Drawing, drawing: Drawing, viewpoint: Viewpoint) -> np.ndarray:
        """One frame, (height, width, 3) uint8, or 4 with transparency."""
        if _Only.owner != id(self):
            self._take_over()
        if backdrop is not self._backdrop:
            for i in range(len(self._backdrop.lines) if self._backdrop else 0):
                self._remove(f"backdrop {i}")
            for i, lines in enumerate(backdrop.lines):
                self._add_lines(f"backdrop {i}", lines)
            self._backdrop = backdrop
        for name in self._moving:
            self._remove(name)
        R, t = viewpoint.extrinsics()
        self._moving = self._add_moving(drawing, R.T @ LIGHT)
        self._look_from(viewpoint, R, t)
        image = self._transparent() if self.transparent else self._render()
        draw_labels(image, backdrop.labels + drawing.labels, viewpoint)
        return image

    def _take_over(self) -> None:
        """Have the renderer in this one's size, without what another one has put into its scene."""
        if _Only.size != self.size:
            _Only.renderer = None
            with silenced() if self._quiet else nullcontext():
                _Only.renderer = import_open3d().visualization.rendering.OffscreenRenderer(*self.size)
            _Only.size = self.size
            view = self._scene.view
            view.set_post_processing(False)
            view.set_ambient_occlusion(False)
            view.set_shadowing(False)
        self._scene.clear_geometry()
        self._scene.set_background([1.0, 1.0, 1.0, 1.0])
        self._backdrop, self._moving = None, []
        _Only.owner = id(self)

    def _add_moving(self, drawing: Drawing, light: np.ndarray) -> list[str]:
        names = []
        if len(drawing.spheres.radii) or len(drawing.cylinders.radii):
            mesh = shaded(body_mesh(drawing.spheres, drawing.cylinders), light)
            self._scene.add_geometry("bodies", open3d_mesh(mesh), self._solid)
            names.append("bodies")
        if len(drawing.ellipsoids.centres):
            mesh = shaded(ellipsoid_mesh(drawing.ellipsoids), light)
            self._scene.add_geometry("ellipsoids", open3d_mesh(mesh), self._solid)
            names.append("ellipsoids")
        for i, lines in enumerate(drawing.lines):
            self._add_lines(f"lines {i}", lines)
            names.append(f"lines {i}")
        image = import_open3d().geometry.Image
        for i, picture in enumerate(drawing.pictures):
            if np.isfinite(picture.corners).all():
                texture = image(_LIGHTENED[picture.image])
                material = open3d_material("defaultUnlit", albedo_img=texture)
                self._scene.add_geometry(f"picture {i}", open3d_picture(picture), material)
                names.append(f"picture {i}")
        return names

    def _add_lines(self, name: str, lines: Lines) -> None:
        made = open3d_lines(lines)
        if made is not None:
            width = lines.width * self.size[1] / 720
            self._scene.add_geometry(name, made, open3d_material("unlitLine", line_width=width))

    def _remove(self, name: str) -> None:
        if self._scene.has_geometry(name):
            self._scene.remove_geometry(name)

    def _look_from(self, viewpoint: Viewpoint, R: np.ndarray, t: np.ndarray) -> None:
        width, height = self.size
        camera: Any = self._scene.camera
        box = self._scene.bounding_box
        corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
        depths = (box.min_bound + corners * (box.max_bound - box.min_bound)) @ R[2] + t[2]
        far = max(10.0, 1.1 * float(depths.max()))
        camera.set_projection(viewpoint.intrinsics(width, height), NEAR, far, float(width), float(height))
        eye = -R.T @ t
        camera.look_at(eye + R[2], eye, -R[1])

    def _render(self) -> np.ndarray:
        """The scene on its background; error bars lie thinly over the picture without them, joints shine through."""
        if not self._scene.has_geometry("ellipsoids"):
            return self._shot()
        layers = []
        for shown in (False, True):
            self._scene.show_geometry("ellipsoids", shown)
            layers.append(self._shot().astype(np.float32))
        image: np.ndarray = np.round(layers[0] + ELLIPSOID_ALPHA * (layers[1] - layers[0])).astype(np.uint8)
        return image

    def _shot(self) -> np.ndarray:
        image: np.ndarray = np.array(_Only.renderer.render_to_image())[..., :3]
        return image

    def _transparent(self) -> np.ndarray:
        """What lies over white and over black tells how much of the background shines through."""
        over = []
        for shade in (1.0, 0.0):
            self._scene.set_background([shade, shade, shade, 1.0])
            over.append(self._render().astype(np.float32))
        alpha = 255 - (over[0] - over[1]).mean(axis=-1, keepdims=True)
        colours = 255 * over[1] / np.maximum(alpha, 1)
        image: np.ndarray = np.round(np.clip(np.concatenate([colours, alpha], axis=-1), 0, 255)).astype(np.uint8)
        return image


@contextmanager
def silenced() -> Iterator[None]:
    """Keep what a library in C++ says about its start off the terminal, where a command's own output belongs."""
    import sys

    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        for number, original in zip((1, 2), kept, strict=True):
            os.dup2(original, number)
            os.close(original)
        os.close(nowhere)

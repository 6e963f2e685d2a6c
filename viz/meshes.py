"""Drawings as triangles: spheres, cylinders and ellipsoids of one drawing in one mesh, for renderers that want meshes.

A mesh has as many vertices in every frame: what is missing has shrunk to a point. So only places, normals and colours
change, and one mesh with colours at its vertices is drawn much faster than hundreds of small ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from lift3d.errors import MissingDependencyError
from lift3d.viz.drawing import Cylinders, Ellipsoids, Lines, Picture, Spheres

CYLINDER_SIDES = 14
# Spheres are divided twice (162 vertices) as long as there are not more of them than this, else once (42).
FINE_SPHERES = 400
# Of light and shade in vertex colours: what turns away keeps this part of its colour; what faces the light gets so much
# white.
DARKEST, GLINT = 0.45, 0.28


@dataclass(frozen=True)
class MeshArrays:
    """A mesh: vertices, normals and colours (n, 3) float32, triangles (m, 3) int32."""

    vertices: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    triangles: np.ndarray


def body_mesh(spheres: Spheres, cylinders: Cylinders) -> MeshArrays:
    """The joints and bones as one mesh; missing ones are shrunk to the middle of what is there."""
    return _joined(_sphere_mesh(spheres), _cylinder_mesh(cylinders))


def ellipsoid_mesh(ellipsoids: Ellipsoids) -> MeshArrays:
    """The error bars as one mesh; unknown ones are shrunk to a point."""
    centres, axes = ellipsoids.centres, ellipsoids.axes
    unit, triangles = icosphere(1 if len(centres) > FINE_SPHERES else 2)
    there = np.isfinite(centres).all(axis=-1) & np.isfinite(axes).all(axis=(-1, -2))
    centres, axes = _filled(centres, there), np.where(there[:, None, None], axes, 0)
    vertices = np.einsum("nij,vj->nvi", axes, unit) + centres[:, None]
    # A normal of an ellipsoid is A^-T of the sphere's; with orthogonal columns that is each column over its length^2.
    lengths = np.maximum((axes**2).sum(axis=-2, keepdims=True), 1e-12)
    normals = np.einsum("nij,vj->nvi", axes / lengths, unit)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    return _mesh(vertices, normals, ellipsoids.colours, triangles)


def shaded(mesh: MeshArrays, towards_light: np.ndarray) -> MeshArrays:
    """The mesh with light and shade in its colours, for a renderer that adds none.

    So colours stay those of the palette, which a renderer's own light and tone mapping would change.

    Args:
        mesh: the mesh.
        towards_light: (3,) from where the light falls; unit length.
    """
    facing = mesh.normals @ towards_light.astype(np.float32)
    dim = np.interp(facing, [-1, 0.0, 0.55], [DARKEST, 0.72, 1.0]).astype(np.float32)
    glint = GLINT * np.clip((facing - 0.75) / 0.25, 0, 1) ** 2
    colours = mesh.colours * dim[:, None]
    return MeshArrays(mesh.vertices, mesh.normals, colours + (1 - colours) * glint[:, None], mesh.triangles)


def known_lines(lines: Lines) -> Lines:
    """The segments that are there."""
    known = np.isfinite(lines.segments).all(axis=(1, 2))
    return lines if known.all() else Lines(lines.segments[known], lines.colours[known], lines.width)


@lru_cache(maxsize=4)
def icosphere(divisions: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) and triangles (m, 3), outwards counter-clockwise, of a unit sphere: a divided icosahedron."""
    g = (1 + 5**0.5) / 2
    vertices = np.array(
        [[-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0], [0, -1, g], [0, 1, g], [0, -1, -g], [0, 1, -g],
         [g, 0, -1], [g, 0, 1], [-g, 0, -1], [-g, 0, 1]], float)  # fmt: skip
    triangles = np.array(
        [[0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4], [11, 10, 2], [10, 7, 6],
         [7, 1, 8], [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9], [4, 9, 5], [2, 4, 11], [6, 2, 10],
         [8, 6, 7], [9, 8, 1]])  # fmt: skip
    for _ in range(divisions):
        edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        pairs, which = np.unique(edges, axis=0, return_inverse=True)
        ab, bc, ca = (which.reshape(-1, 3) + len(vertices)).T
        a, b, c = triangles.T
        vertices = np.concatenate([vertices, vertices[pairs].mean(axis=1)])
        triangles = np.concatenate([np.stack(t, axis=1) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))])
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    return vertices.astype(np.float32), triangles.astype(np.int32)


@lru_cache(maxsize=1)
def _tube() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions around (2s, 2), place along (2s,) and triangles of a tube without ends; joints cover those."""
    angles = np.linspace(0, 2 * np.pi, CYLINDER_SIDES, endpoint=False)
    around = np.tile(np.stack([np.cos(angles), np.sin(angles)], axis=1), (2, 1)).astype(np.float32)
    along = np.repeat(np.array([0, 1], np.float32), CYLINDER_SIDES)
    a = np.arange(CYLINDER_SIDES)
    b = (a + 1) % CYLINDER_SIDES
    n = CYLINDER_SIDES
    triangles = np.concatenate([np.stack([a, b, b + n], axis=1), np.stack([a, b + n, a + n], axis=1)])
    return around, along, triangles.astype(np.int32)


def _sphere_mesh(spheres: Spheres) -> MeshArrays:
    unit, triangles = icosphere(1 if len(spheres.radii) > FINE_SPHERES else 2)
    there = np.isfinite(spheres.centres).all(axis=-1)
    centres, radii = _filled(spheres.centres, there), np.where(there, spheres.radii, 0)
    vertices = centres[:, None] + radii[:, None, None] * unit
    normals = np.broadcast_to(unit, vertices.shape)
    return _mesh(vertices, normals, spheres.colours, triangles)


def _cylinder_mesh(cylinders: Cylinders) -> MeshArrays:
    around, along, triangles = _tube()
    there = np.isfinite(cylinders.starts).all(axis=-1) & np.isfinite(cylinders.ends).all(axis=-1)
    starts, ends = _filled(cylinders.starts, there), _filled(cylinders.ends, there)
    radii = np.where(there, cylinders.radii, 0)
    axis = ends - starts
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
    # Any vector that is not along the axis spans the cross-section with it.
    helper = np.where(np.abs(axis[:, 2:]) < 0.9, [[0.0, 0, 1]], [[1.0, 0, 0]])
    first = np.cross(axis, helper)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    second = np.cross(axis, first)
    normals = around[:, 0, None] * first[:, None] + around[:, 1, None] * second[:, None]
    middle = starts[:, None] + along[:, None] * (ends - starts)[:, None]
    return _mesh(middle + radii[:, None, None] * normals, normals, cylinders.colours, triangles)


def _filled(points: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The points (n, 3); those that are not there lie in the middle of the others."""
    if there.all():
        return points
    middle = points[there].mean(axis=0) if there.any() else np.zeros(3)
    return np.where(there[:, None], points, middle)


def _mesh(vertices: np.ndarray, normals: np.ndarray, colours: np.ndarray, triangles: np.ndarray) -> MeshArrays:
    """One mesh of (n, v, 3) vertices and normals of n copies of a shape with v vertices, colours (n, 3)."""
    copies, each = vertices.shape[:2]
    offsets = (each * np.arange(copies, dtype=np.int32))[:, None, None]
    return MeshArrays(
        vertices.reshape(-1, 3).astype(np.float32),
        normals.reshape(-1, 3).astype(np.float32),
        np.repeat(colours, each, axis=0).astype(np.float32),
        (triangles + offsets).reshape(-1, 3),
    )


def _joined(first: MeshArrays, second: MeshArrays) -> MeshArrays:
    return MeshArrays(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.normals, second.normals]),
        np.concatenate([first.colours, second.colours]),
        np.concatenate([first.triangles, second.triangles + len(first.vertices)]),
    )


def import_open3d() -> Any:
    """The module ``open3d``. Raises MissingDependencyError if it is not there."""
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise MissingDependencyError(f"this needs Open3D ({error}): pip install 'lift3d[viz]'") from error
    return open3d


def open3d_mesh(mesh: MeshArrays) -> Any:
    """The mesh as an ``open3d.t.geometry.TriangleMesh``."""
    o3d = import_open3d()
    core = o3d.core
    made = o3d.t.geometry.TriangleMesh(core.Tensor(mesh.vertices), core.Tensor(mesh.triangles))
    made.vertex.normals = core.Tensor(mesh.normals)
    made.vertex.colors = core.Tensor(np.ascontiguousarray(mesh.colours))
    return made


def open3d_lines(lines: Lines) -> Any:
    """The segments that are there as an ``open3d.geometry.LineSet``; None if there is none."""
    o3d = import_open3d()
    known = known_lines(lines)
    if not len(known.segments):
        return None
    made = o3d.geometry.LineSet()
    made.points = o3d.utility.Vector3dVector(known.segments.reshape(-1, 3).astype(np.float64))
    made.lines = o3d.utility.Vector2iVector(np.arange(2 * len(known.segments)).reshape(-1, 2).astype(np.int32))
    made.colors = o3d.utility.Vector3dVector(known.colours.astype(np.float64))
    return made


def open3d_picture(picture: Picture) -> Any:
    """The picture's rectangle, as an ``open3d.geometry.TriangleMesh`` that is seen from both sides."""
    o3d = import_open3d()
    made = o3d.geometry.TriangleMesh()
    made.vertices = o3d.utility.Vector3dVector(np.asarray(picture.corners, dtype=np.float64))
    triangles = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 2], [0, 2, 3]], np.int32)
    made.triangles = o3d.utility.Vector3iVector(triangles)
    corners = np.array([[0.0, 1], [1, 1], [1, 0], [0, 0]])  # v counts upwards
    # Without colours Open3D takes grey, and halves the picture's light.
    made.vertex_colors = o3d.utility.Vector3dVector(np.ones((4, 3)))
    made.triangle_uvs = o3d.utility.Vector2dVector(corners[triangles.reshape(-1)])
    return made


def open3d_material(shader: str, **values: Any) -> Any:
    """A material: "defaultLit" for bodies, "unlitLine" for lines, "defaultUnlit" for pictures, and its other values."""
    material = import_open3d().visualization.rendering.MaterialRecord()
    material.shader = shader
    for name, value in values.items():
        setattr(material, name, value)
    return material

"""3D poses as animated glTF 2.0 in one binary file (.glb), for Blender, game engines and the web; **Y up, metres**.

Each person is a skinned stick figure of their own: an armature (``lift3d.motion.armature``, whose names retargeting
knows), a mesh of rods coloured by side, and channels of one animation that turn the bones and move the root. While a
person is absent their figure has scale 0. Axes are those of ``lift3d.io.poses_bvh``.

Source: Khronos Group, "glTF 2.0 Specification".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import MissingDependencyError, ShapeError
from lift3d.io.files import atomic_path
from lift3d.io.stick_mesh import Part, stick_figure
from lift3d.palette import side_colours
from lift3d.poses import Poses3D

if TYPE_CHECKING:
    from lift3d.motion.inverse_kinematics import ArmatureMotion

UBYTE, UINT, FLOAT = 5121, 5125, 5126
VERTICES, INDICES = 34962, 34963
SHAPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
# Turns of less than this, in the components of a quaternion, are none.
STILL = 1e-7


def write_gltf(
    poses: Poses3D, path: Path, overwrite: bool = False, say: Callable[[str], None] | None = None
) -> list[Path]:
    """Write all people into one animated .glb.

    Args:
        poses: in a layout of people.
        path: the file.
        overwrite: whether an existing file may be replaced.
        say: takes a sentence for what had to be filled in, and for people who are never seen and left out. The file
            holds these sentences too (``asset.extras``).

    Returns:
        The file.

    Raises:
        ShapeError: the frame rate is unknown, or nobody is seen.
        SkeletonError: the layout has no trunk.
        OutputExistsError: the file exists and ``overwrite`` is False.
        MissingDependencyError: pygltflib is not installed.
    """
    from lift3d.motion.inverse_kinematics import solve_armature

    try:
        import pygltflib
    except ImportError as error:
        raise MissingDependencyError("glTF needs pygltflib: pip install 'lift3d[export]'") from error
    if poses.fps is None:
        raise ShapeError("a glTF animation needs the frame rate, and that of the poses is unknown; set fps")
    seen = np.isfinite(poses.xyz[..., 0]).any(axis=(0, 2))
    if not seen.any():
        raise ShapeError("no joint of any person is seen in any frame, which makes no glTF")
    with atomic_path(path, overwrite) as temporary:
        scene = _Scene(np.arange(poses.frames) / poses.fps, poses.provenance)
        for person, track in enumerate(poses.track_ids):
            notes: tuple[str, ...] = ("never seen, and left out",)
            if seen[person]:
                motion = solve_armature(poses, person)
                scene.add_person(f"person_{track}", motion, side_colours(person, poses.people))
                notes = motion.notes
            for note in (f"person {track}: {note}" for note in notes):
                scene.notes.append(note)
                if say is not None:
                    say(note)
        gltf = pygltflib.GLTF2.from_dict(scene.content())
        gltf.set_binary_blob(bytes(scene.buffer))
        gltf.save_binary(str(temporary))
    return [path]


class _Scene:
    """The glTF document as JSON values, and its buffer, while people are added."""

    def __init__(self, times: np.ndarray, provenance: dict[str, Any]) -> None:
        self.buffer = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.nodes: list[dict[str, Any]] = []
        self.meshes: list[dict[str, Any]] = []
        self.skins: list[dict[str, Any]] = []
        self.materials: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []
        self.roots: list[int] = []
        self.notes: list[str] = []
        self.frame_times = times
        self.times = self._store(times)
        self.provenance = provenance

    def content(self) -> dict[str, Any]:
        return {
            "asset": {
                "version": "2.0",
                "generator": "lift3d",
                "extras": {"provenance": self.provenance, "notes": self.notes},
            },
            "scene": 0,
            "scenes": [{"nodes": self.roots}],
            "nodes": self.nodes,
            "meshes": self.meshes,
            "skins": self.skins,
            "materials": self.materials,
            "animations": [{"name": "motion", "samplers": self.samplers, "channels": self.channels}],
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.buffer)}],
        }

    def add_person(self, name: str, motion: ArmatureMotion, colours: dict[str, str]) -> None:
        """An armature with its skinned mesh and its channels."""
        armature = motion.armature
        nodes = len(armature.nodes)
        identity = np.broadcast_to(np.eye(3), (nodes, 3, 3))
        lowest = armature.forward(identity, np.zeros(3))[0][:, 1].min()
        standing = np.array([0.0, -lowest, 0.0])
        rest = armature.forward(identity, standing)[0]

        top, first = len(self.nodes), len(self.nodes) + 1
        self.roots += [top, first + nodes]
        self.nodes.append({"name": name, "children": [first]})
        for node, title in enumerate(armature.nodes):
            offset = standing if armature.parents[node] < 0 else armature.offsets[node]
            children = [first + child for child in armature.children[node]]
            self.nodes.append(
                {"name": title, "translation": offset.tolist()} | ({"children": children} if children else {})
            )
        self.nodes.append({"name": f"{name}_figure", "mesh": len(self.meshes), "skin": len(self.skins)})
        bind = np.broadcast_to(np.eye(4), (nodes, 4, 4)).copy()
        bind[:, 3, :3] = -rest  # Column by column, as glTF stores matrices.
        self.skins.append(
            {
                "inverseBindMatrices": self._store(bind.reshape(nodes, 16)),
                "joints": list(range(first, first + nodes)),
                "skeleton": first,
            }
        )
        parts = stick_figure(armature, rest)
        self.meshes.append(
            {
                "name": f"{name}_figure",
                "primitives": [self._primitive(part, colours[side]) for side, part in parts.items()],
            }
        )
        self._animate(motion, top, first)

    def _primitive(self, part: Part, colour: str) -> dict[str, Any]:
        red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
        self.materials.append(
            {"pbrMetallicRoughness": {"baseColorFactor": [*linear, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.6}}
        )
        joints = np.zeros((len(part.joints), 4), np.uint8)
        joints[:, 0] = part.joints
        weights = np.zeros((len(part.joints), 4))
        weights[:, 0] = 1
        return {
            "attributes": {
                "POSITION": self._store(part.vertices, VERTICES),
                "NORMAL": self._store(part.normals, VERTICES),
                "JOINTS_0": self._store(joints, VERTICES),
                "WEIGHTS_0": self._store(weights, VERTICES),
            },
            "indices": self._store(part.triangles.reshape(-1), INDICES),
            "material": len(self.materials) - 1,
        }

    def _animate(self, motion: ArmatureMotion, top: int, first: int) -> None:
        self._channel(first, "translation", self.times, motion.root)
        for node, children in enumerate(motion.armature.children):
            turns = motion.rotations[:, node]
            if children and np.abs(turns - [0, 0, 0, 1]).max() > STILL:
                self._channel(first + node, "rotation", self.times, turns)
        if not motion.seen.all():
            changes = np.flatnonzero(np.diff(motion.seen, prepend=~motion.seen[:1]))
            scale = np.repeat(motion.seen[changes, None], 3, axis=1)
            self._channel(top, "scale", self._store(self.frame_times[changes]), scale, "STEP")

    def _channel(self, node: int, path: str, times: int, values: np.ndarray, interpolation: str = "LINEAR") -> None:
        self.channels.append({"sampler": len(self.samplers), "target": {"node": node, "path": path}})
        self.samplers.append({"input": times, "output": self._store(values), "interpolation": interpolation})

    def _store(self, array: np.ndarray, target: int | None = None) -> int:
        """Add an array (n,) or (n, components) to the buffer; the index of its accessor."""
        kind = {"u1": UBYTE, "u4": UINT}.get(array.dtype.str[1:], FLOAT)
        array = np.ascontiguousarray(array if kind != FLOAT else array.astype(np.float32))
        table = array.reshape(len(array), -1)
        self.views.append(
            {"buffer": 0, "byteOffset": len(self.buffer), "byteLength": array.nbytes}
            | ({} if target is None else {"target": target})
        )
        self.buffer += array.tobytes()
        self.buffer += bytes(-len(self.buffer) % 4)
        self.accessors.append(
            {
                "bufferView": len(self.views) - 1,
                "componentType": kind,
                "count": len(table),
                "type": SHAPES[table.shape[1]],
                "min": table.min(axis=0).tolist(),
                "max": table.max(axis=0).tolist(),
            }
        )
        return len(self.accessors) - 1

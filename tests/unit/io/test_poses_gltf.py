"""Animated glTF read back by pygltflib, its scene graph posed by trimesh."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from walking import walking

from lift3d.errors import OutputExistsError, ShapeError
from lift3d.io.poses_gltf import write_gltf
from lift3d.io.stick_mesh import stick_figure
from lift3d.motion.armature import Armature
from lift3d.motion.inverse_kinematics import solve_armature

TYPES = {5121: np.uint8, 5125: np.uint32, 5126: np.float32}
SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Document:
    """A .glb with its arrays."""

    def __init__(self, path: Path) -> None:
        self.gltf = pygltflib.GLTF2().load(str(path))
        self.blob = self.gltf.binary_blob()

    def array(self, index: int) -> np.ndarray:
        accessor = self.gltf.accessors[index]
        view = self.gltf.bufferViews[accessor.bufferView]
        kind, size = TYPES[accessor.componentType], SIZES[accessor.type]
        values = np.frombuffer(self.blob, kind, accessor.count * size, view.byteOffset)
        return values.reshape(accessor.count, size)

    def curves(self) -> dict[tuple[int, str], tuple[np.ndarray, np.ndarray, str]]:
        """Times, values and interpolation of each node's channels."""
        animation = self.gltf.animations[0]
        found = {}
        for channel in animation.channels:
            sampler = animation.samplers[channel.sampler]
            key = (channel.target.node, channel.target.path)
            found[key] = (self.array(sampler.input)[:, 0], self.array(sampler.output), sampler.interpolation)
        return found

    def matrices(self, frame: int) -> np.ndarray:
        """World matrices (nodes, 4, 4) at a frame of the clip, by this test's own walk through the tree."""
        curves, nodes = self.curves(), self.gltf.nodes
        world = np.zeros((len(nodes), 4, 4))

        def walk(index: int, above: np.ndarray) -> None:
            place = (
                curves[index, "translation"][1][frame] if (index, "translation") in curves else nodes[index].translation
            )
            turn = curves[index, "rotation"][1][frame] if (index, "rotation") in curves else [0, 0, 0, 1]
            own = np.eye(4)
            own[:3, :3] = Rotation.from_quat(turn).as_matrix()
            own[:3, 3] = 0 if place is None else place
            world[index] = above @ own
            for child in nodes[index].children or []:
                walk(child, world[index])

        for root in self.gltf.scenes[0].nodes:
            walk(root, np.eye(4))
        return world


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gltf") / "take.glb"
    assert write_gltf(walking(), path) == [path]
    return path


def test_trimesh_poses_the_scene_at_the_solved_joints(written: Path) -> None:
    document, motion = Document(written), solve_armature(walking())
    scene = trimesh.load(written, process=False)
    names = [node.name for node in document.gltf.nodes]
    places = motion.places()
    curves = document.curves()
    for frame in (0, 17, 49):
        for child, data in scene.graph.transforms.edge_data.items():
            if child[1] not in names:  # trimesh renames the nodes that hold the meshes' parts.
                continue
            index = names.index(child[1])
            matrix = data["matrix"].copy() if "matrix" in data else np.eye(4)
            if (index, "rotation") in curves:
                matrix[:3, :3] = Rotation.from_quat(curves[index, "rotation"][1][frame]).as_matrix()
            if (index, "translation") in curves:
                matrix[:3, 3] = curves[index, "translation"][1][frame]
            scene.graph.update(frame_to=child[1], frame_from=child[0], matrix=matrix)
        for node, name in enumerate(motion.armature.nodes):
            np.testing.assert_allclose(scene.graph.get(name)[0][:3, 3], places[frame, node], atol=1e-4)


def test_times_are_seconds_and_quaternions_do_not_jump(written: Path) -> None:
    curves = Document(written).curves()
    for (_, path), (times, values, interpolation) in curves.items():
        np.testing.assert_allclose(times, np.arange(50) / 25, atol=1e-6)
        assert interpolation == "LINEAR"
        assert path in ("rotation", "translation")
        if path == "rotation":
            np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)
            assert (values[1:] * values[:-1]).sum(axis=1).min() > 0.9


def test_accessors_are_aligned_and_state_their_range(written: Path) -> None:
    document = Document(written)
    for index, accessor in enumerate(document.gltf.accessors):
        values = document.array(index)
        assert document.gltf.bufferViews[accessor.bufferView].byteOffset % 4 == 0
        np.testing.assert_allclose(accessor.min, values.min(axis=0), rtol=1e-6)
        np.testing.assert_allclose(accessor.max, values.max(axis=0), rtol=1e-6)
    assert document.gltf.buffers[0].byteLength <= len(document.blob)


def test_the_skin_follows_the_bones(written: Path) -> None:
    document, motion = Document(written), solve_armature(walking())
    skin = document.gltf.skins[0]
    bind = document.array(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    primitives = document.gltf.meshes[0].primitives
    assert len(primitives) == 3
    places = motion.places()
    bones = [(parent, node) for node, parent in enumerate(motion.armature.parents) if parent >= 0]
    for frame in (0, 30):
        joints = document.matrices(frame)[skin.joints] @ bind
        skinned = []
        for primitive in primitives:
            vertices = document.array(primitive.attributes.POSITION)
            index, weight = (
                document.array(primitive.attributes.JOINTS_0),
                document.array(primitive.attributes.WEIGHTS_0),
            )
            np.testing.assert_allclose(weight.sum(axis=1), 1)
            blended = np.einsum("vk,vkij->vij", weight, joints[index])
            skinned.append(
                np.einsum("vij,vj->vi", blended, np.pad(vertices, ((0, 0), (0, 1)), constant_values=1))[:, :3]
            )
        body = np.concatenate(skinned)
        # Every vertex is near a bone, and every bone is covered.
        starts, ends = (places[frame][[bone[k] for bone in bones]] for k in (0, 1))
        along = ends - starts
        share = ((body[:, None] - starts) * along).sum(axis=-1) / (along**2).sum(axis=-1)
        nearest = np.linalg.norm(body[:, None] - (starts + np.clip(share, 0, 1)[..., None] * along), axis=-1)
        assert nearest.min(axis=1).max() < 0.11
        assert nearest.min(axis=0).max() < 0.11


def test_rods_are_closed_and_face_outwards() -> None:
    armature = Armature(("a", "LeftArm", "b"), (-1, 0, 1), np.array([[0.0, 0, 0], [0.3, 0, 0], [0, 0.2, 0.1]]))
    parts = stick_figure(armature, np.array([[0.0, 0, 0], [0.3, 0, 0], [0.3, 0.2, 0.1]]))
    assert set(parts) == {"left", "middle"}
    for part in parts.values():
        mesh = trimesh.Trimesh(part.vertices, part.triangles)
        assert mesh.is_watertight
        assert mesh.volume > 0
        corners = part.vertices[part.triangles].astype(float)
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert ((faces * part.normals[part.triangles].mean(axis=1)).sum(axis=-1) > 0).all()


def test_people_who_come_and_go(tmp_path: Path) -> None:
    poses = walking(people=3)
    xyz = poses.xyz.copy()
    xyz[:10, 1] = xyz[20:25, 1] = np.nan
    xyz[:, 2] = np.nan
    said: list[str] = []
    write_gltf(replace(poses, xyz=xyz, confidence=None), tmp_path / "two.glb", say=said.append)
    document = Document(tmp_path / "two.glb")
    names = [node.name for node in document.gltf.nodes]
    assert len(document.gltf.skins) == 2
    assert "person_6" not in names
    scales = {names[node]: curve for (node, path), curve in document.curves().items() if path == "scale"}
    times, values, interpolation = scales.pop("person_5")
    assert not scales
    assert interpolation == "STEP"
    np.testing.assert_allclose(times, np.array([0, 10, 20, 25]) / 25, atol=1e-6)
    np.testing.assert_array_equal(values[:, 0], [0, 1, 0, 1])
    assert all(np.isfinite(document.array(index)).all() for index in range(len(document.gltf.accessors)))
    assert document.gltf.asset.extras["notes"] == said
    assert "person 6: never seen, and left out" in said


def test_a_single_frame(tmp_path: Path) -> None:
    write_gltf(walking().select(slice(0, 1)), tmp_path / "one.glb")
    assert all(len(times) == 1 for times, _, _ in Document(tmp_path / "one.glb").curves().values())


def test_what_makes_no_gltf(tmp_path: Path) -> None:
    poses = walking()
    with pytest.raises(ShapeError, match="frame rate"):
        write_gltf(replace(poses, fps=None), tmp_path / "a.glb")
    with pytest.raises(ShapeError, match="no joint of any person"):
        write_gltf(replace(poses, xyz=np.full_like(poses.xyz, np.nan), confidence=None), tmp_path / "a.glb")
    (tmp_path / "a.glb").write_text("mine")
    with pytest.raises(OutputExistsError):
        write_gltf(poses, tmp_path / "a.glb")
    assert [path.name for path in tmp_path.iterdir()] == ["a.glb"]
    assert (tmp_path / "a.glb").read_text() == "mine"

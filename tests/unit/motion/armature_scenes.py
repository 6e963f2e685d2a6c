"""A body that moves by known rotations, as the joints of a layout."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.motion.armature import Armature, BodyPlan, body_plan
from lift3d.poses import Poses3D
from lift3d.skeletons import SKELETONS


@dataclass
class Scene:
    """Places (frames, nodes, 3) Y up, each node's turn, and the joints of the layout that they make."""

    plan: BodyPlan
    armature: Armature
    rotations: np.ndarray
    places: np.ndarray
    poses: Poses3D

    def of(self, node: str) -> int:
        return self.plan.index(node)


def waves(frames: int, speeds: list[float], degrees: list[float]) -> np.ndarray:
    """Euler angles that swing about 0 at so many turns a second, at 30 frames/s."""
    t = np.arange(frames)[:, None] / 30
    return np.array(degrees) * np.sin(2 * np.pi * np.array(speeds) * t + np.arange(len(speeds)))


def scene(turns: dict[str, np.ndarray], frames: int = 60, layout: str = "mpi_inf_3dhp28", noise: float = 0) -> Scene:
    """A body at rest but for the turns (frames, 3) about x, y and z in degrees; it walks along x."""
    skeleton = SKELETONS[layout]
    plan = body_plan(skeleton)
    nodes = len(plan.nodes)
    parents = np.array(plan.parents)
    offsets = plan.rest[:nodes] - np.where((parents >= 0)[:, None], plan.rest[parents], plan.rest[:nodes])
    armature = Armature(plan.nodes, plan.parents, offsets)
    rotations = np.broadcast_to(np.eye(3), (frames, nodes, 3, 3)).copy()
    for name, angles in turns.items():
        rotations[:, plan.index(name)] = Rotation.from_euler("YXZ", angles[:, [1, 0, 2]], degrees=True).as_matrix()
    t = np.arange(frames)[:, None] / 30
    places, turned = armature.forward(rotations, np.array([0, 0.95, 0]) + t * [1.2, 0, 0])
    carriers = plan.carriers[nodes:]
    sites = (turned[:, carriers] @ (plan.rest[nodes:] - plan.rest[carriers])[..., None])[..., 0]
    markers = np.concatenate([places, places[:, carriers] + sites], axis=1)
    xyz = np.full((frames, len(skeleton), 3), np.nan)
    for marker in np.flatnonzero(plan.strength == 1):
        xyz[:, plan.weights[marker].argmax()] = markers[:, marker]
    xyz += np.random.default_rng(0).normal(0, noise, xyz.shape)
    X, Y, Z = np.moveaxis(xyz[:, None], -1, 0)
    poses = Poses3D(xyz=np.stack([X, -Z, Y], axis=-1), skeleton=skeleton, fps=30.0)
    return Scene(plan, armature, rotations, places, poses)

"""Inverse kinematics: joints of a person over time -> an armature of constant bones and how each bone turns.

The orientations that the joints show directly (``lift3d.motion.orientations``) are refined so that the chain of bones,
whose lengths are the clip's medians, comes as near to the joints as it can: every frame minimises

    sum_m s_m |p_m(theta) - x_m|^2 + sum_b k_b^2 |rotation of b since the start|^2

by Levenberg and Marquardt's method, many frames at once. The second term keeps what joints do not tell, such as the
twist of a straight limb, as it was at the start, where it is smooth. On limbs it is so small that joints do not move by
it. Spine, chest, neck and clavicles could trade large turns for a millimetre, and are held more firmly.

Source: method of D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", 1963.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.errors import ShapeError, SkeletonError
from lift3d.geometry.rotations import continuous_quaternions, fill_rotations
from lift3d.motion.armature import Armature, BodyPlan, body_plan, y_up
from lift3d.motion.gaps import USUAL_FPS
from lift3d.motion.orientations import body_scale, is_finger, measure_body, orient, rest_templates
from lift3d.poses import Poses3D
from lift3d.skeletons import Skeleton

# The weights k_b, metres a radian.
KEEP, KEEP_TRUNK = 0.005, 0.05
HELD = ("Spine", "Spine1", "Neck", "LeftShoulder", "RightShoulder")
ITERATIONS = 12
SETTLED = 1e-4  # metres or radians
CHUNK = 256  # frames solved at once
MEASURED_FRAMES = 2000  # frames that bone lengths are read off, spread over the clip


@dataclass(frozen=True)
class ArmatureMotion:
    """One person's motion as an armature, Y up, metres.

    Attributes:
        armature: the bones.
        rotations: (frames, nodes, 4) quaternions (x, y, z, w) of each node, seen from its parent; no sign jumps.
        root: (frames, 3) the place of the root.
        seen: (frames,) whether any joint of the person was there. The motion covers all frames.
        plan: what the armature was made by.
        notes: what was filled in, one sentence each.
    """

    armature: Armature
    rotations: np.ndarray
    root: np.ndarray
    seen: np.ndarray
    plan: BodyPlan
    notes: tuple[str, ...]

    def places(self) -> np.ndarray:
        """The nodes' places (frames, nodes, 3), metres, Y up."""
        matrices = Rotation.from_quat(self.rotations.reshape(-1, 4)).as_matrix()
        return self.armature.forward(matrices.reshape(*self.rotations.shape[:2], 3, 3), self.root)[0]


def solve_armature(poses: Poses3D, person: int = 0) -> ArmatureMotion:
    """Solve one person's armature over the whole clip.

    A joint that is missing for some frames leaves its bone to turn evenly between the frames around, or to be held at
    the clip's ends; so does a whole body that is absent.

    Args:
        poses: in any layout of people; camera space is turned upright.
        person: index of the person.

    Returns:
        The motion; frames in which the person is absent are filled too, and ``seen`` says which they are.

    Raises:
        ShapeError: the person is not seen in any frame.
        SkeletonError: the layout, or what is seen of it, has no trunk.
    """
    xyz = y_up(poses.xyz[:, person].astype(np.float64), poses.space)
    there = np.isfinite(xyz).all(axis=-1)
    if not there.any():
        raise ShapeError(f"no joint of person {poses.track_ids[person]} is seen in any frame: there is no motion")
    ever = np.flatnonzero(there.any(axis=0))
    try:
        plan = body_plan(_seen_layout(poses.skeleton, ever))
    except SkeletonError as error:
        raise SkeletonError(f"person {poses.track_ids[person]}: {error}") from error
    fps = poses.fps or USUAL_FPS
    markers = _place_markers(plan, xyz[:, ever])
    places, turned = _start(plan, markers, fps)
    armature = Armature(plan.nodes, plan.parents, places[: len(plan.nodes)])
    local, root = _solve(plan, armature, markers, places, turned)
    if any(is_finger(name) for name in plan.nodes):
        _, turned = armature.forward(local, root)
        _, templates = measure_body(plan, markers, turned, body_scale(plan, markers))
        local = _local(plan, orient(plan, markers, templates, fps, fingers_of=turned))
    return ArmatureMotion(
        armature, continuous_quaternions(local), root, there.any(axis=1), plan, _notes(poses.skeleton, there)
    )


def _seen_layout(skeleton: Skeleton, joints: np.ndarray) -> Skeleton:
    """The layout without the joints that are never seen, so that their places are estimated from those that are."""
    return Skeleton(skeleton.name, tuple(skeleton.joints[j] for j in joints), (-1,) * len(joints))


def _place_markers(plan: BodyPlan, xyz: np.ndarray) -> np.ndarray:
    """Markers (frames, markers, 3) of joints (frames, joints, 3); NaN where one of a marker's joints is missing."""
    missing = ~np.isfinite(xyz[..., 0])
    markers = plan.weights @ np.where(missing[..., None], 0, xyz)
    used = plan.weights != 0
    return np.asarray(np.where((missing @ used.T | ~used.any(axis=1))[..., None], np.nan, markers))


def _start(plan: BodyPlan, markers: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """The body's measures and the orientations that the joints show, each from the other, three times."""
    scale = body_scale(plan, markers)
    few = np.unique(np.linspace(0, len(markers) - 1, min(len(markers), MEASURED_FRAMES)).astype(int))
    sample = markers[few]
    templates = rest_templates(plan, scale)
    for _ in range(3):
        turned = orient(plan, sample, templates, fps * len(few) / len(markers))
        places, templates = measure_body(plan, sample, turned, scale)
    return places, orient(plan, markers, templates, fps)


def _local(plan: BodyPlan, turned: np.ndarray) -> np.ndarray:
    """Rotations seen from the parent (frames, nodes, 3, 3); end sites do not turn."""
    parents = np.array(plan.parents)
    local = turned.copy()
    local[:, 1:] = turned[:, parents[1:]].mT @ turned[:, 1:]
    local[:, ~np.isin(np.arange(len(parents)), parents)] = np.eye(3)
    return local


def _solve(
    plan: BodyPlan, armature: Armature, markers: np.ndarray, places: np.ndarray, turned: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (frames, nodes, 3, 3) seen from the parents and the root's place (frames, 3)."""
    local, frames = _local(plan, turned), len(markers)
    chain = _Chain(plan, armature, places)
    strength = np.where(np.isfinite(markers[:, chain.markers, 0]), plan.strength[chain.markers], 0)
    goals = np.where(strength[..., None] > 0, markers[:, chain.markers], 0)
    total = strength.sum(axis=1)
    reached = chain.reach(local, np.zeros((frames, 3)))[0]
    root = (strength[..., None] * (goals - reached)).sum(axis=1) / np.maximum(total, 1e-9)[:, None]
    known = np.flatnonzero(total > 0)
    root = _fill(root, known)
    for first in range(0, frames, CHUNK):
        part = slice(first, first + CHUNK)
        local[part], root[part] = chain.fit(local[part], root[part], goals[part], strength[part])
    if len(known) < frames:
        for node in range(len(plan.nodes)):
            local[:, node] = fill_rotations(local[:, node], total > 0)
        root = _fill(root, known)
    return local, root


def _fill(places: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Places (frames, 3) on straight lines between the frames that are known, held at the ends."""
    frames = np.arange(len(places))
    return np.stack([np.interp(frames, known, places[known, axis]) for axis in range(3)], axis=-1)


class _Chain:
    """The markers that pull, and the nodes that turn to reach them. Fingers follow their hand later."""

    def __init__(self, plan: BodyPlan, armature: Armature, places: np.ndarray) -> None:
        self.armature, nodes = armature, len(plan.nodes)
        pulls = [not is_finger(name) or name.endswith("1") for name in plan.nodes]
        self.markers = np.array([
            marker for marker, carrier in enumerate(plan.carriers) if plan.strength[marker] > 0 and pulls[carrier]
        ])  # fmt: skip
        self.carriers = plan.carriers[self.markers]
        self.fixed = np.where((self.markers >= nodes)[:, None], places[self.markers], 0)
        self.free = np.array([
            node for node, steers in enumerate(plan.steers) if steers and not is_finger(plan.nodes[node])
        ])  # fmt: skip
        above = np.eye(nodes, dtype=bool)
        for node, parent in enumerate(plan.parents):
            if parent >= 0:
                above[node] |= above[parent]
        self.moves = above[self.carriers][:, self.free]
        self.parents = np.array(plan.parents)[self.free]
        self.keep = np.array([KEEP_TRUNK if plan.nodes[node] in HELD else KEEP for node in self.free])[:, None] ** 2

    def reach(self, local: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places of the markers (frames, markers, 3), of the nodes, and the nodes' orientations."""
        places, turned = self.armature.forward(local, root)
        sites = (turned[:, self.carriers] @ self.fixed[..., None])[..., 0]
        return places[:, self.carriers] + sites, places, turned

    def fit(
        self, local: np.ndarray, root: np.ndarray, goals: np.ndarray, strength: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rotations and root places of some frames, refined from those given."""
        start, local, root = local[:, self.free], local.copy(), root.copy()
        frames, turns = len(local), 3 * len(self.free)
        damping = np.full(frames, 1e-6)
        scale = np.sqrt(strength)[..., None]
        since = np.zeros((frames, len(self.free), 3))
        reached, places, turned = self.reach(local, root)
        cost = self._cost(reached, goals, strength, since)
        keep = np.concatenate([np.repeat(self.keep, 3), np.zeros(3)])
        active = np.arange(frames)
        for _ in range(ITERATIONS):
            J = self._jacobian(reached[active], places[active], scale[active])
            residuals = (scale[active] * (goals - reached)[active]).reshape(len(active), -1, 1)
            H = J.mT @ J
            H[:, range(turns + 3), range(turns + 3)] += keep + damping[active, None]
            gradient = (J.mT @ residuals)[..., 0]
            gradient[:, :turns] -= (self.keep * since[active]).reshape(len(active), -1)
            step = np.linalg.solve(H, gradient[..., None])[..., 0]
            new_local, new_root = local[active], root[active] + step[:, turns:]
            new_local[:, self.free] = self._turned(new_local, turned[active], step[:, :turns])
            new_since = _rotation_since(start[active], new_local[:, self.free], turned[active], self.parents)
            trial = self.reach(new_local, new_root)
            new_cost = self._cost(trial[0], goals[active], strength[active], new_since)
            better = new_cost < cost[active]
            damping[active] *= np.where(better, 0.1, 100)
            accepted = active[better]
            local[accepted], root[accepted], since[accepted] = new_local[better], new_root[better], new_since[better]
            for old, new in zip((reached, places, turned), trial, strict=True):
                old[accepted] = new[better]
            cost[accepted] = new_cost[better]
            active = active[np.abs(step).max(axis=1) > SETTLED]
            if not len(active):
                break
        return local, root

    def _cost(self, reached: np.ndarray, goals: np.ndarray, strength: np.ndarray, since: np.ndarray) -> np.ndarray:
        pull = (strength * ((reached - goals) ** 2).sum(axis=-1)).sum(axis=-1)
        return np.asarray(pull + (self.keep * since**2).sum(axis=(1, 2)))

    def _jacobian(self, reached: np.ndarray, places: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """(frames, 3 markers, 3 free nodes + 3): a node that turns by w moves what hangs on it by w x arm."""
        arms = (reached[:, :, None] - places[:, None, self.free]) * (self.moves[..., None] * scale[:, :, None])
        x, y, z = np.moveaxis(arms, -1, 0)
        J = np.zeros((*reached.shape, len(self.free) + 1, 3))
        J[:, :, 0, :-1, 1], J[:, :, 0, :-1, 2] = z, -y
        J[:, :, 1, :-1, 0], J[:, :, 1, :-1, 2] = -z, x
        J[:, :, 2, :-1, 0], J[:, :, 2, :-1, 1] = y, -x
        J[:, :, range(3), -1, range(3)] = scale
        return J.reshape(len(reached), 3 * len(self.markers), -1)

    def _turned(self, local: np.ndarray, turned: np.ndarray, step: np.ndarray) -> np.ndarray:
        """The free nodes' rotations after a step, which is given in the axes of the space."""
        axes = _parents_axes(turned, self.parents)
        vectors = (axes.mT @ step.reshape(len(local), -1, 3, 1))[..., 0]
        turn = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape, 3)
        return np.asarray(turn @ local[:, self.free])


def _parents_axes(turned: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Orientations of the parents; those of the root's are the space's own."""
    return np.where((parents < 0)[:, None, None], np.eye(3), turned[:, np.maximum(parents, 0)])


def _rotation_since(start: np.ndarray, local: np.ndarray, turned: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Rotation vectors (frames, free nodes, 3) from ``start`` to ``local`` in the axes of the space."""
    change = local @ start.mT
    vectors = Rotation.from_matrix(change.reshape(-1, 3, 3)).as_rotvec().reshape(*local.shape[:2], 3)
    return np.asarray((_parents_axes(turned, parents) @ vectors[..., None])[..., 0])


def _notes(skeleton: Skeleton, there: np.ndarray) -> tuple[str, ...]:
    frames, present = len(there), np.asarray(there.any(axis=1))
    notes = []
    if not present.all():
        notes.append(f"absent in {(~present).sum()} of {frames} frames, which hold or join the poses around")
    count = (~there & present[:, None]).sum(axis=0)
    never = [skeleton.joints[j] for j in np.flatnonzero(~there.any(axis=0))]
    some = [f"{skeleton.joints[j]} ({count[j]})" for j in np.flatnonzero((count > 0) & there.any(axis=0))]
    if some:
        notes.append(
            f"joints missing in some of {present.sum()} frames, where their bones turn evenly: {', '.join(some)}"
        )
    if never:
        notes.append(f"joints that are never seen: {', '.join(never)}")
    return tuple(notes)

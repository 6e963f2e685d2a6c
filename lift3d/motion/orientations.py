"""How each bone of a body is turned, read off the joints directly: the start of inverse kinematics, and bone lengths.

A bone with several children or sites is turned as the best rotation of them all (Kabsch). A bone with one child is
swung from its parent's orientation by the shortest way, which leaves it no twist; upper arms and thighs are then
twisted so that elbow and knee bend about their hinge, as far as they bend. Where a bone's joints are missing it turns
evenly between the frames around, seen from its parent.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from lift3d.geometry.rotations import fill_rotations, nearest_rotation
from lift3d.motion.armature import BodyPlan

# Nodes whose twist is not their parent's but half way between two others', and the two where the parent will not do.
PRIORS = {"Spine1": ("Hips",), "Spine": ("Hips", "Spine1"), "Head": ("Spine1",), "Neck": ("Spine1", "Head")}
FIRST = ("Hips", "Spine1", "Spine", "Head", "Neck")
BODY = ("LeftUpLeg", "RightUpLeg", "Spine1", "Neck", "LeftArm", "RightArm")
# The axis about which the child of a bone bends, seen from the bone at rest: knees to the back, elbows to the front.
HINGES = {
    "LeftUpLeg": (1.0, 0.0, 0.0), "RightUpLeg": (1.0, 0.0, 0.0),
    "LeftArm": (0.0, -1.0, 0.0), "RightArm": (0.0, 1.0, 0.0),
}  # fmt: skip
# Metres of noise that joints are taken to have where they tell a twist, against an orientation like the parent's.
NOISE = 0.02
# Seconds over which twist is carried, and the square of the sine of a bend that outweighs the pull to no twist.
TWIST_TIME = 0.15
TWIST_PULL = 0.05


def is_finger(node: str) -> bool:
    """Whether a node is part of a finger."""
    return "Hand" in node and node[-1].isdigit()


def rest_templates(plan: BodyPlan, scale: float) -> list[np.ndarray]:
    """For each node the places (markers, 3) of what turns it, from the node, in a body of ``scale`` times 1.70 m."""
    return [scale * (plan.rest[list(steers)] - plan.rest[node]) for node, steers in enumerate(plan.steers)]


def body_scale(plan: BodyPlan, markers: np.ndarray) -> float:
    """The body's size, 1 at 1.70 m: the median over its bones of the bones' median lengths."""
    ratios = [
        np.nanmedian(lengths) / np.linalg.norm(plan.rest[node] - plan.rest[parent])
        for node, parent in enumerate(plan.parents)
        if parent >= 0
        and not is_finger(plan.nodes[node])
        and np.isfinite(lengths := np.linalg.norm(markers[:, node] - markers[:, parent], axis=-1)).any()
    ]
    return float(np.median(ratios)) if ratios else 1.0


def measure_body(
    plan: BodyPlan, markers: np.ndarray, turned: np.ndarray, scale: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The body's own measures: medians over the frames of where its bones see what hangs on them.

    Args:
        plan: the armature's plan.
        markers: (frames, markers, 3) metres, NaN where missing.
        turned: (frames, nodes, 3, 3) orientations.
        scale: the body's size, for what is never seen.

    Returns:
        (markers, 3) each node from its parent and each site from its node, and the templates as ``rest_templates``.
    """
    rest = rest_templates(plan, scale)

    def seen_from(node: int, marker: int, default: np.ndarray) -> np.ndarray:
        local = np.einsum("fji,fj->fi", turned[:, node], markers[:, marker] - markers[:, node])
        local = local[np.isfinite(local).all(axis=-1)]
        return np.asarray(np.median(local, axis=0)) if len(local) else default

    places = np.zeros((len(plan.carriers), 3))
    for marker, carrier in enumerate(plan.carriers):
        base = carrier if marker >= len(plan.nodes) else plan.parents[marker]
        if base >= 0:
            places[marker] = seen_from(base, marker, scale * (plan.rest[marker] - plan.rest[base]))
    templates = [
        np.array([seen_from(node, marker, rest[node][k]) for k, marker in enumerate(steers)]).reshape(-1, 3)
        for node, steers in enumerate(plan.steers)
    ]
    return places, templates


def orient(
    plan: BodyPlan, markers: np.ndarray, templates: list[np.ndarray], fps: float, fingers_of: np.ndarray | None = None
) -> np.ndarray:
    """The orientation of every node in every frame.

    Args:
        plan: the armature's plan.
        markers: (frames, markers, 3) metres, NaN where missing.
        templates: for each node the places (its steering markers, 3) seen from the node at rest.
        fps: frames per second, for the time over which twist is carried.
        fingers_of: (frames, nodes, 3, 3) orientations of a body that only lacks its fingers', or None.

    Returns:
        (frames, nodes, 3, 3).
    """
    frames, names = len(markers), plan.nodes
    if fingers_of is None:
        turned = np.empty((frames, len(names), 3, 3))
        order = [plan.index(name) for name in FIRST] + [i for i, name in enumerate(names) if name not in FIRST]
    else:
        turned = fingers_of.copy()
        order = [i for i, name in enumerate(names) if is_finger(name)]
    for node in order:
        prior = _prior(plan, node, turned, markers)
        steers = list(plan.steers[node])
        if not steers:
            turned[:, node] = prior
            continue
        arms = markers[:, steers] - markers[:, node][:, None]
        seen = np.isfinite(arms).all(axis=-1)
        # One direction leaves the twist to the prior however small its weight; several outweigh it as far as their
        # distance from one line outweighs their noise.
        weight = NOISE**2 if len(steers) > 1 else 1e-6 * float((templates[node] ** 2).sum())
        covariance = np.where(seen[..., None], arms, 0).mT @ templates[node]
        found = prior
        for _ in range(min(len(steers), 2)):  # The second time what joints do tell is free of the prior's pull.
            found = nearest_rotation(covariance + weight * found)
        found = prior @ fill_rotations(prior.mT @ found, seen.any(axis=1))
        if names[node] in HINGES:
            found = _twisted(plan, node, markers, found, fps)
        turned[:, node] = found
    return turned


def _prior(plan: BodyPlan, node: int, turned: np.ndarray, markers: np.ndarray) -> np.ndarray:
    """What a node's orientation would be without any joint of its own: the body's, or like its neighbours'."""
    if plan.parents[node] < 0:
        return _body(plan, markers)
    names: Iterable[str] = PRIORS.get(plan.nodes[node], (plan.nodes[plan.parents[node]],))
    others = [turned[:, plan.index(name)] for name in names]
    return others[0] if len(others) == 1 else nearest_rotation(np.sum(others, axis=0))


def _body(plan: BodyPlan, markers: np.ndarray) -> np.ndarray:
    """The orientation (frames, 3, 3) of the trunk as a whole; what its joints leave open is taken as upright."""
    chosen = [plan.index(name) for name in BODY]
    points, rest = markers[:, chosen], plan.rest[chosen]
    seen = np.isfinite(points).all(axis=-1)
    count = np.maximum(seen.sum(axis=1), 1)[:, None, None]
    points = np.where(seen[..., None], points, 0)
    points = np.where(seen[..., None], points - points.sum(axis=1, keepdims=True) / count, 0)
    rest = seen[..., None] * rest
    rest = np.where(seen[..., None], rest - rest.sum(axis=1, keepdims=True) / count, 0)
    upright = np.zeros((3, 3))
    upright[1, 1] = NOISE**2
    found = nearest_rotation(points.mT @ rest + upright)
    return fill_rotations(found, seen.sum(axis=1) > 1)


def _twisted(plan: BodyPlan, node: int, markers: np.ndarray, turned: np.ndarray, fps: float) -> np.ndarray:
    """Orientations of a bone twisted about itself so that what hangs on it bends about its hinge.

    The twist minimises, as unit vectors z of the plane, ``sum_t w_t |z_t - e^(i phi_t)|^2 + pull |z_t - 1|^2 +
    stiffness |z_(t+1) - z_t|^2``, phi being the twist that the bend asks for and w the square of the sine of the bend.
    """
    child = plan.parents.index(node)
    upper = markers[:, child] - markers[:, node]
    lower = markers[:, plan.parents.index(child)] - markers[:, child]
    upper, lower = (v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9) for v in (upper, lower))
    normal = np.cross(upper, lower)
    hinge = turned @ np.array(HINGES[plan.nodes[node]])
    bend = (normal * hinge).sum(axis=-1) + 1j * (upper * np.cross(hinge, normal)).sum(axis=-1)
    bend = np.where(np.isfinite(bend), bend, 0)
    size = np.abs(bend)
    direction = bend / np.maximum(size, 1e-9)
    # A joint that bends the wrong way is nearly straight and noisy, or mistaken.
    weight = size**2 * (1 + direction.real) / 2
    stiffness = (TWIST_TIME * fps) ** 2
    band = np.zeros((2, len(turned)))
    band[0] = weight + TWIST_PULL
    if len(turned) > 1:
        band[0] += 2 * stiffness
        band[0, [0, -1]] -= stiffness
        band[1, :-1] = -stiffness
    goal = weight * direction + TWIST_PULL
    z = solveh_banded(band[: len(turned)], np.stack([goal.real, goal.imag], axis=-1), lower=True)
    twist = np.arctan2(z[:, 1], z[:, 0])
    axis = turned @ (plan.rest[child] - plan.rest[node])
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return np.asarray(Rotation.from_rotvec(twist[:, None] * axis).as_matrix() @ turned)

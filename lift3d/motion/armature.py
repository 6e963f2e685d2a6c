"""The armature that animation programs understand: a tree of bones from the pelvis outwards, for every joint layout.

Names are those of Mixamo and MotionBuilder, which the retargeting of Blender's add-ons, Unity and Unreal recognises::

    Hips ┬ Spine ─ Spine1 (the chest) ┬ Neck ─ Head ─ HeadTop_End
         │                            ├ LeftShoulder (the clavicle) ─ LeftArm ─ LeftForeArm ─ LeftHand ─ LeftHand_End
         │                            └ Right...
         ├ LeftUpLeg ─ LeftLeg ─ LeftFoot ─ LeftToeBase ─ LeftToe_End
         └ Right...

and ``LeftHandThumb1`` ... ``LeftHandPinky4`` where a layout has fingers. Every layout gets all of these: what it does
not measure is placed by its other joints (``lift3d.skeletons``) or by the proportions of a body. Coordinates are
**Y up**, in metres; at rest the body stands in a T-pose and faces +Z, its left arm along +X.

Joints of a layout that are no node (eyes, ears, nose, heels, small toes) are sites: they are fixed to a node and help
to turn it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from lift3d.errors import SkeletonError
from lift3d.skeletons import Skeleton, conversion, make_skeleton

# A body of 1.70 m in the T-pose: metres from the middle of the hips; x to its left, y up, z forward.
REST: dict[str, tuple[float, float, float]] = {
    "pelvis": (0, 0, 0), "root": (0, 0.10, 0), "spine_low": (0, 0.12, 0), "spine": (0, 0.25, 0),
    "spine_mid": (0, 0.25, 0), "spine2": (0, 0.30, 0), "spine3": (0, 0.37, 0), "spine4": (0, 0.46, 0),
    "neck_base": (0, 0.50, 0), "thorax": (0, 0.50, 0), "neck": (0, 0.50, 0), "neck_mid": (0, 0.55, 0.01),
    "upper_neck": (0, 0.59, 0.01), "skull": (0, 0.59, 0.01), "head": (0, 0.61, 0.01), "nose": (0, 0.64, 0.10),
    "head_top": (0, 0.78, 0), "head_end": (0, 0.76, 0), "left_eye": (0.032, 0.675, 0.08),
    "left_eye_inner": (0.02, 0.675, 0.085), "left_eye_outer": (0.045, 0.675, 0.075), "left_ear": (0.075, 0.655, 0),
    "left_mouth": (0.025, 0.60, 0.085), "left_clavicle": (0.035, 0.495, 0), "left_shoulder": (0.17, 0.49, 0),
    "left_elbow": (0.45, 0.49, 0), "left_wrist": (0.70, 0.49, 0), "left_hand": (0.78, 0.49, 0),
    "left_hand_root": (0.70, 0.49, 0), "left_pinky": (0.78, 0.49, -0.035), "left_index": (0.79, 0.49, 0.025),
    "left_thumb": (0.75, 0.48, 0.045), "left_hip": (0.10, 0, 0), "left_knee": (0.10, -0.42, 0),
    "left_ankle": (0.10, -0.83, 0), "left_heel": (0.10, -0.90, -0.05), "left_foot": (0.10, -0.88, 0.13),
    "left_toe_base": (0.10, -0.88, 0.13), "left_toe": (0.10, -0.90, 0.19), "left_toe_end": (0.10, -0.90, 0.19),
    "left_big_toe": (0.10, -0.90, 0.19), "left_small_toe": (0.14, -0.90, 0.15),
}  # fmt: skip
# Fingers: lift3d's name, Mixamo's, and how far the knuckle lies to the front of the hand's middle.
FINGERS = (
    ("index", "Index", 0.025),
    ("middle", "Middle", 0.005),
    ("ring", "Ring", -0.015),
    ("little", "Pinky", -0.035),
)
_KNUCKLES = (0.79, 0.83, 0.855, 0.875)
_THUMB = ((0.725, 0.485, 0.02), (0.75, 0.48, 0.045), (0.77, 0.475, 0.065), (0.785, 0.47, 0.08))
for _k in range(4):
    REST[f"left_thumb{_k + 1}"] = _THUMB[_k]
    for _finger, _, _z in FINGERS:
        REST[f"left_{_finger}{_k + 1}"] = (_KNUCKLES[_k], 0.49, _z)
REST |= {f"right_{name[5:]}": (-x, y, z) for name, (x, y, z) in REST.items() if name.startswith("left_")}


@dataclass(frozen=True)
class _Node:
    """A node: its name, its parent's, the joints that it may lie at (the best first), and what is fixed to it."""

    name: str
    parent: str
    joints: tuple[str, ...]
    sites: tuple[str, ...] = ()


def _side(side: str) -> list[_Node]:
    s, S = f"{side}_", side.capitalize()

    def of(names: str) -> tuple[str, ...]:
        return tuple(s + name for name in names.split())

    return [
        _Node(f"{S}Shoulder", "Spine1", of("clavicle")),
        _Node(f"{S}Arm", f"{S}Shoulder", of("shoulder")),
        _Node(f"{S}ForeArm", f"{S}Arm", of("elbow")),
        _Node(f"{S}Hand", f"{S}ForeArm", of("wrist hand_root"), of("pinky index thumb")),
        _Node(f"{S}Hand_End", f"{S}Hand", of("hand")),
        _Node(f"{S}UpLeg", "Hips", of("hip")),
        _Node(f"{S}Leg", f"{S}UpLeg", of("knee")),
        _Node(f"{S}Foot", f"{S}Leg", of("ankle"), of("heel small_toe")),
        _Node(f"{S}ToeBase", f"{S}Foot", of("toe_base foot")),
        _Node(f"{S}Toe_End", f"{S}ToeBase", of("toe_end big_toe toe")),
    ]


def _fingers(side: str) -> list[_Node]:
    nodes = []
    for finger, title in (("thumb", "Thumb"), *(names[:2] for names in FINGERS)):
        hand = f"{side.capitalize()}Hand"
        names = [hand, *(f"{hand}{title}{k}" for k in (1, 2, 3, 4))]
        nodes += [_Node(names[k], names[k - 1], (f"{side}_{finger}{k}",)) for k in (1, 2, 3, 4)]
    return nodes


_NODES = (
    _Node("Hips", "", ("pelvis",), ("root",)),
    _Node("Spine", "Hips", ("spine_low", "spine")),
    _Node("Spine1", "Spine", ("spine2", "spine_mid", "spine"), ("spine3", "spine4")),
    _Node("Neck", "Spine1", ("neck_base", "thorax", "neck"), ("neck_mid",)),
    _Node("Head", "Neck", ("skull", "head", "upper_neck"), (
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_eye_inner", "right_eye_inner",
        "left_eye_outer", "right_eye_outer", "left_mouth", "right_mouth",
    )),
    _Node("HeadTop_End", "Head", ("head_top", "head_end")),
    *_side("left"),
    *_side("right"),
)  # fmt: skip
# Estimated places of these nodes steer the body, if weakly: nothing else does where a layout has no spine or neck.
_TRUNK = ("Hips", "Spine", "Spine1", "Neck", "Head")
ESTIMATED_STRENGTH = 0.05


@dataclass(frozen=True)
class Armature:
    """Bones of constant length.

    Attributes:
        nodes: names, parents before children.
        parents: index of each node's parent, -1 for the root.
        offsets: (nodes, 3) metres from the parent's node to the node at rest, Y up, facing +Z; 0 for the root.
    """

    nodes: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Indices of each node's children; a node without any is an end site, which does not turn."""
        return tuple(
            tuple(child for child, parent in enumerate(self.parents) if parent == node)
            for node in range(len(self.nodes))
        )

    def forward(self, rotations: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Forward kinematics.

        Args:
            rotations: (..., nodes, 3, 3) each node's turn out of rest, seen from its parent.
            root: (..., 3) metres, the root's place.

        Returns:
            Places of the nodes (..., nodes, 3) in metres and their orientations (..., nodes, 3, 3).
        """
        places = np.empty(rotations.shape[:-1])
        turned = np.empty(rotations.shape)
        for node, parent in enumerate(self.parents):
            if parent < 0:
                places[..., node, :], turned[..., node, :, :] = root, rotations[..., node, :, :]
            else:
                places[..., node, :] = places[..., parent, :] + turned[..., parent, :, :] @ self.offsets[node]
                turned[..., node, :, :] = turned[..., parent, :, :] @ rotations[..., node, :, :]
        return places, turned


@dataclass(frozen=True)
class BodyPlan:
    """How a joint layout becomes an armature.

    A marker is a point that the layout places and the armature carries: first one a node, in the order of the nodes,
    then one a site.

    Attributes:
        nodes, parents: the tree, parents before children.
        weights: (markers, joints of the layout) each marker as a weighted sum of joints; all 0 where it cannot be had.
        carriers: (markers,) the node that each marker is fixed to.
        rest: (markers, 3) places in the T-pose of a body of 1.70 m.
        strength: (markers,) how much a marker counts: 1 measured, less or 0 estimated.
        steers: for each node the markers that turn it: its children, its sites, and those of locked children.
        locked: nodes that nothing turns against their parent, such as toes that are not measured.
    """

    nodes: tuple[str, ...]
    parents: tuple[int, ...]
    weights: np.ndarray
    carriers: np.ndarray
    rest: np.ndarray
    strength: np.ndarray
    steers: tuple[tuple[int, ...], ...]
    locked: frozenset[int]

    def index(self, node: str) -> int:
        """Index of a node by its name."""
        return self.nodes.index(node)


@lru_cache(maxsize=64)
def body_plan(skeleton: Skeleton) -> BodyPlan:
    """The armature of a joint layout.

    Raises:
        SkeletonError: the layout has neither hips nor shoulders on both sides, and so no trunk.
    """
    if not any(_row(skeleton, f"left_{p}") is not None and _row(skeleton, f"right_{p}") is not None
               for p in ("hip", "shoulder")):  # fmt: skip
        raise SkeletonError(
            f"skeleton {skeleton.name!r} has neither both hips nor both shoulders, and so no body that bones could be "
            "made for; convert it to a layout of people (lift3d info --skeletons) or name its joints as one does"
        )
    chosen = list(_NODES)
    for side in ("left", "right"):
        fingers = _fingers(side)
        if any(node.joints[0] in skeleton.joints for node in fingers):  # A hand with fingers ends with them.
            chosen = [node for node in chosen if node.name != f"{side.capitalize()}Hand_End"] + fingers
    return _assemble(skeleton, chosen)


def _assemble(skeleton: Skeleton, nodes: list[_Node]) -> BodyPlan:
    names = [node.name for node in nodes]
    measured: dict[str, str] = {}
    # The chest chooses before the lower spine: a layout with one joint of the spine has it at half height.
    for node in sorted(nodes, key=lambda node: node.name == "Spine"):
        taken = [joint for joint in node.joints if joint in skeleton.joints and joint not in measured.values()]
        if taken:
            measured[node.name] = taken[0]
    weights, rest, strength, carriers = [], [], [], list(range(len(nodes)))
    for node in nodes:
        joint = measured.get(node.name, node.joints[0])
        row = _row(skeleton, joint)
        if node.name == "Head" and joint not in skeleton.joints:
            joint, row = "upper_neck", _below_the_ears(skeleton)
        weights.append(np.zeros(len(skeleton)) if row is None else row)
        rest.append(REST[joint])
        known = 1.0 if node.name in measured else ESTIMATED_STRENGTH if node.name in _TRUNK else 0.0
        strength.append(known if row is not None else 0.0)
    for carrier, node in enumerate(nodes):
        for site in node.sites:
            if site in skeleton.joints and site not in measured.values():
                weights.append(np.eye(len(skeleton))[skeleton.index(site)])
                rest.append(REST[site])
                strength.append(1.0)
                carriers.append(carrier)
    parents = [names.index(node.parent) if node.parent else -1 for node in nodes]
    locked = frozenset(
        index
        for index, name in enumerate(names)
        if name.endswith("ToeBase") and (strength[index] == 0 or strength[names.index(name[:-4] + "_End")] == 0)
    )
    clavicles = {names.index("LeftShoulder"), names.index("RightShoulder")}
    steers: list[tuple[int, ...]] = []
    for index, name in enumerate(names):
        fixed = {index, *(child for child in locked if parents[child] == index)}
        own = [child for child, parent in enumerate(parents) if parent in fixed and child not in locked]
        own += [marker for marker in range(len(nodes), len(carriers)) if carriers[marker] in fixed]
        if name == "Spine1":  # The clavicles start close to the neck: the shoulders say where the chest faces.
            own += [names.index("LeftArm"), names.index("RightArm")]
        chosen = [marker for marker in own if strength[marker] > 0 or marker in clavicles]
        steers.append(() if index in locked else tuple(chosen))
    return BodyPlan(
        tuple(names), tuple(parents), np.stack(weights), np.array(carriers), np.array(rest, dtype=np.float64),
        np.array(strength), tuple(steers), locked,
    )  # fmt: skip


def _row(skeleton: Skeleton, joint: str) -> np.ndarray | None:
    """A joint as a weighted sum of the layout's joints, None if it cannot be had."""
    if joint in skeleton.joints:
        return np.asarray(np.eye(len(skeleton))[skeleton.index(joint)])
    try:
        return np.asarray(conversion(skeleton, make_skeleton(joint, {joint: None})).weights[0])
    except SkeletonError:
        return None


def _below_the_ears(skeleton: Skeleton) -> np.ndarray | None:
    """The joint between neck and head: two thirds of the way up to the middle of the ears."""
    neck, left, right = (_row(skeleton, joint) for joint in ("neck", "left_ear", "right_ear"))
    if neck is None or left is None or right is None:
        return _row(skeleton, "upper_neck")
    return np.asarray(0.35 * neck + 0.325 * (left + right))


def y_up(xyz: np.ndarray, space: str) -> np.ndarray:
    """Points (..., 3) of "world" space (Z up) or "camera" space (y down) as animation programs have them, Y up."""
    x, y, z = np.moveaxis(xyz, -1, 0)
    return np.stack([x, z, -y] if space == "world" else [x, -y, -z], axis=-1)

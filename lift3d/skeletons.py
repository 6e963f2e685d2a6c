"""Joint layouts, their bones and left/right pairs, and the conversion of one layout into another.

Joints that mean the same place of the body carry the same name in every layout, so that a conversion is first of all
a matching of names. Places that only look alike carry different names: ``upper_neck`` (OpenPose BODY_25B) is not
``neck`` (OpenPose BODY_25, between the shoulders), and the ``root`` of CMU's motion capture lies about 10 cm above
``pelvis``, the middle of the hips that Human3.6M calls its root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

from lift3d.errors import SkeletonError


@dataclass(frozen=True)
class Skeleton:
    """A joint layout: the joints in order, and the parent of each.

    Attributes:
        name: the layout's short name, as ``get_skeleton`` takes it.
        joints: joint names, unique, in the order of the joint axis of every array.
        parents: index of each joint's parent, -1 for a joint without one.
        title: the name that people know the layout by.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    title: str = ""

    def __post_init__(self) -> None:
        if not self.joints:
            raise SkeletonError(f"skeleton {self.name!r} has no joints")
        if len(set(self.joints)) != len(self.joints):
            twice = sorted({joint for joint in self.joints if self.joints.count(joint) > 1})
            raise SkeletonError(f"skeleton {self.name!r} names a joint twice: {', '.join(twice)}")
        if len(self.parents) != len(self.joints):
            raise SkeletonError(f"skeleton {self.name!r} has {len(self.joints)} joints but {len(self.parents)} parents")
        for joint, parent in enumerate(self.parents):
            seen = {joint}
            while parent != -1:
                if not -1 <= parent < len(self.joints) or parent in seen:
                    raise SkeletonError(f"skeleton {self.name!r}: the parents of {self.joints[joint]!r} are not a tree")
                seen.add(parent)
                parent = self.parents[parent]

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Index of a joint on the joint axis. Raises SkeletonError if the layout has no such joint."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise SkeletonError(
                f"skeleton {self.name!r} has no joint {joint!r}; it has {', '.join(self.joints)}"
            ) from None

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) index pairs, one for each joint that has a parent."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) index pairs of the joints that mirror each other."""
        return tuple(
            (left, self.joints.index(mirror))
            for left, joint in enumerate(self.joints)
            if joint.startswith("left_") and (mirror := "right_" + joint.removeprefix("left_")) in self.joints
        )

    @cached_property
    def mirror_order(self) -> tuple[int, ...]:
        """For each joint the index of its mirror image, itself for joints on the midline."""
        order = list(range(len(self.joints)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)

    def to_dict(self) -> dict[str, Any]:
        """The layout as JSON values."""
        return {"name": self.name, "title": self.title, "joints": list(self.joints), "parents": list(self.parents)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The layout of ``to_dict``. Raises SkeletonError if a field is missing or impossible."""
        try:
            return cls(
                str(values["name"]),
                tuple(str(joint) for joint in values["joints"]),
                tuple(int(parent) for parent in values["parents"]),
                str(values.get("title", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SkeletonError(f"the joint layout cannot be read ({error!r})") from error

    def side(self, joint: int) -> str:
        """``"left"``, ``"right"`` or ``"middle"``, read off the joint's name."""
        name = self.joints[joint]
        return "left" if name.startswith("left_") else "right" if name.startswith("right_") else "middle"


def make_skeleton(name: str, parents: Mapping[str, str | None], title: str = "") -> Skeleton:
    """A skeleton from an ordered mapping of joint name to parent name (None for a root).

    Raises SkeletonError if a parent is not one of the joints.
    """
    joints = tuple(parents)
    for joint, parent in parents.items():
        if parent is not None and parent not in parents:
            raise SkeletonError(f"skeleton {name!r}: {parent!r}, the parent of {joint!r}, is not one of its joints")
    return Skeleton(name, joints, tuple(-1 if p is None else joints.index(p) for p in parents.values()), title)


# The joint that each joint of the limbs and the face hangs on, in every layout.
LIMBS: dict[str, str] = {
    "left_elbow": "left_shoulder", "left_wrist": "left_elbow", "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow", "left_knee": "left_hip", "left_ankle": "left_knee", "right_knee": "right_hip",
    "right_ankle": "right_knee", "left_heel": "left_ankle", "right_heel": "right_ankle", "left_big_toe": "left_ankle",
    "right_big_toe": "right_ankle", "left_small_toe": "left_ankle", "right_small_toe": "right_ankle",
    "left_eye": "nose", "right_eye": "nose", "left_ear": "left_eye", "right_ear": "right_eye",
    "left_hand": "left_wrist", "right_hand": "right_wrist", "left_foot": "left_ankle", "right_foot": "right_ankle",
}  # fmt: skip


def _layout(name: str, title: str, joints: str, **parents: str | None) -> Skeleton:
    """Joints in order; parents from the common limbs unless given."""
    return make_skeleton(name, {joint: parents.get(joint, LIMBS.get(joint)) for joint in joints.split()}, title)


_COCO17 = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
_COCO_TRUNK: dict[str, str | None] = {
    "left_shoulder": "nose", "right_shoulder": "nose", "left_hip": "left_shoulder", "right_hip": "right_shoulder",
}  # fmt: skip
_NECK_TRUNK: dict[str, str | None] = {
    "nose": "neck", "left_shoulder": "neck", "right_shoulder": "neck", "left_hip": "pelvis", "right_hip": "pelvis",
    "neck": "pelvis",
}  # fmt: skip
_HALPE26 = _COCO17 + (
    " head_top neck pelvis left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel"
)
_FEET = "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
_FINGERS = [f"{finger}{k}" for finger in ("thumb", "index", "middle", "ring", "little") for k in (1, 2, 3, 4)]


def _hand(side: str) -> str:
    return " ".join([f"{side}_hand_root", *(f"{side}_{finger}" for finger in _FINGERS)])


def _hand_parents() -> dict[str, str | None]:
    parents: dict[str, str | None] = {}
    for side in ("left", "right"):
        parents[f"{side}_hand_root"] = f"{side}_wrist"
        for finger in _FINGERS:
            parent = "hand_root" if finger[-1] == "1" else f"{finger[:-1]}{int(finger[-1]) - 1}"
            parents[f"{side}_{finger}"] = f"{side}_{parent}"
    return parents


_FACE68 = " ".join(f"face_{k}" for k in range(68))

H36M17 = _layout(
    "h36m17",
    "Human3.6M, 17 joints",
    "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose head_top "
    "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist",
    right_hip="pelvis", left_hip="pelvis", spine="pelvis", thorax="spine", nose="thorax", head_top="nose",
    left_shoulder="thorax", right_shoulder="thorax",
)  # fmt: skip
COCO17 = _layout("coco17", "COCO, 17 keypoints", _COCO17, **_COCO_TRUNK)
COCO18 = _layout(
    "coco18",
    "OpenPose COCO, 18 keypoints",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear",
    nose="neck", right_shoulder="neck", left_shoulder="neck", right_hip="neck", left_hip="neck",
)  # fmt: skip
BODY25 = _layout(
    "body25",
    "OpenPose BODY_25",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist pelvis right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear " + _FEET,
    **_NECK_TRUNK,
)
BODY25B = _layout(
    "body25b",
    "OpenPose BODY_25B",
    _COCO17 + " upper_neck head_top " + _FEET,
    nose="upper_neck", head_top="upper_neck", left_shoulder="upper_neck", right_shoulder="upper_neck",
    left_hip="left_shoulder", right_hip="right_shoulder",
)  # fmt: skip
HALPE26 = _layout("halpe26", "Halpe, 26 keypoints", _HALPE26, **_NECK_TRUNK, head_top="neck")
HALPE136 = _layout(
    "halpe136",
    "Halpe full body, 136 keypoints",
    " ".join([_HALPE26, _FACE68, _hand("left"), _hand("right")]),
    **_NECK_TRUNK, head_top="neck", **_hand_parents(),
)  # fmt: skip
WHOLEBODY133 = _layout(
    "wholebody133",
    "COCO-WholeBody, 133 keypoints",
    " ".join([_COCO17, _FEET, _FACE68, _hand("left"), _hand("right")]),
    **_COCO_TRUNK, **_hand_parents(),
)  # fmt: skip
BLAZEPOSE33 = _layout(
    "blazepose33",
    "MediaPipe BlazePose, 33 landmarks",
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle left_heel right_heel left_big_toe right_big_toe",
    **_COCO_TRUNK,
    left_eye_inner="nose", left_eye="left_eye_inner", left_eye_outer="left_eye", left_ear="left_eye_outer",
    right_eye_inner="nose", right_eye="right_eye_inner", right_eye_outer="right_eye", right_ear="right_eye_outer",
    left_mouth="nose", right_mouth="nose", left_pinky="left_wrist", left_index="left_wrist", left_thumb="left_wrist",
    right_pinky="right_wrist", right_index="right_wrist", right_thumb="right_wrist",
)  # fmt: skip
_MPI_TRUNK: dict[str, str | None] = {"left_hip": "pelvis", "right_hip": "pelvis"}
MPI17 = _layout(
    "mpi_inf_3dhp17",
    "MPI-INF-3DHP, 17 joints (test set order)",
    "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle pelvis spine head",
    **_MPI_TRUNK, spine="pelvis", neck="spine", head="neck", head_top="head",
    left_shoulder="neck", right_shoulder="neck",
)  # fmt: skip
MPI17_PELVIS_FIRST = _layout(
    "mpi_inf_3dhp17_pelvis_first",
    "MPI-INF-3DHP, 17 joints, the pelvis first",
    "pelvis head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle spine head",
    **_MPI_TRUNK, spine="pelvis", neck="spine", head="neck", head_top="head",
    left_shoulder="neck", right_shoulder="neck",
)  # fmt: skip
MPI28 = _layout(
    "mpi_inf_3dhp28",
    "MPI-INF-3DHP, 28 joints (all)",
    "spine3 spine4 spine2 spine pelvis neck head head_top left_clavicle left_shoulder left_elbow left_wrist left_hand "
    "right_clavicle right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot left_toe "
    "right_hip right_knee right_ankle right_foot right_toe",
    **_MPI_TRUNK, spine="pelvis", spine2="spine", spine3="spine2", spine4="spine3", neck="spine4", head="neck",
    head_top="head", left_clavicle="spine4", right_clavicle="spine4", left_shoulder="left_clavicle",
    right_shoulder="right_clavicle", left_toe="left_foot", right_toe="right_foot",
)  # fmt: skip
MPII16 = _layout(
    "mpii16",
    "MPII, 16 joints",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top right_wrist "
    "right_elbow right_shoulder left_shoulder left_elbow left_wrist",
    right_hip="pelvis", left_hip="pelvis", thorax="pelvis", upper_neck="thorax", head_top="upper_neck",
    left_shoulder="thorax", right_shoulder="thorax",
)  # fmt: skip
HUMANEVA15 = _layout(
    "humaneva15",
    "HumanEva, 15 joints",
    "pelvis thorax left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist left_hip left_knee "
    "left_ankle right_hip right_knee right_ankle head_top",
    thorax="pelvis", left_shoulder="thorax", right_shoulder="thorax", left_hip="pelvis", right_hip="pelvis",
    head_top="thorax",
)  # fmt: skip
_PANOPTIC15 = (
    "neck nose pelvis left_shoulder left_elbow left_wrist left_hip left_knee left_ankle right_shoulder right_elbow "
    "right_wrist right_hip right_knee right_ankle"
)
PANOPTIC15 = _layout("panoptic15", "CMU Panoptic, 15 joints", _PANOPTIC15, **_NECK_TRUNK)
PANOPTIC19 = _layout(
    "panoptic19", "CMU Panoptic, 19 joints", _PANOPTIC15 + " left_eye left_ear right_eye right_ear", **_NECK_TRUNK
)
CMU25 = _layout(
    "cmu25",
    "CMU motion capture, 25 joints",
    "root right_hip right_knee right_ankle right_toe_base right_toe_end left_hip left_knee left_ankle left_toe_base "
    "left_toe_end spine_low spine_mid neck_base neck_mid skull head_end right_shoulder right_elbow right_wrist "
    "right_hand left_shoulder left_elbow left_wrist left_hand",
    right_hip="root", left_hip="root", spine_low="root", spine_mid="spine_low", neck_base="spine_mid",
    neck_mid="neck_base", skull="neck_mid", head_end="skull", right_shoulder="neck_base", left_shoulder="neck_base",
    right_toe_base="right_ankle", right_toe_end="right_toe_base", left_toe_base="left_ankle",
    left_toe_end="left_toe_base",
)  # fmt: skip
LIFTER23 = _layout(
    "lifter23",
    "what the default lifter reads: the joints that common detectors give",
    _COCO17 + " neck head_top left_heel right_heel left_big_toe right_big_toe",
    nose="neck", head_top="neck", left_shoulder="neck", right_shoulder="neck", left_hip="left_shoulder",
    right_hip="right_shoulder",
)  # fmt: skip

SKELETONS: dict[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        H36M17, COCO17, COCO18, BODY25, BODY25B, HALPE26, HALPE136, WHOLEBODY133, BLAZEPOSE33, MPI17,
        MPI17_PELVIS_FIRST, MPI28, MPII16, HUMANEVA15, PANOPTIC15, PANOPTIC19, CMU25, LIFTER23,
    )
}  # fmt: skip


def get_skeleton(name: str | Skeleton) -> Skeleton:
    """The layout of that name. Raises SkeletonError that lists the known names."""
    if isinstance(name, Skeleton):
        return name
    key = name.lower().replace("-", "").replace("_", "")
    for known, skeleton in SKELETONS.items():
        if known.replace("_", "") == key:
            return skeleton
    raise SkeletonError(f"unknown skeleton {name!r}; known are {', '.join(SKELETONS)}")


# How a joint that the source does not name can be estimated from others: for each joint a list of recipes in order of
# preference, each a set of weights that sum to 1. A recipe may use joints that are themselves estimated.
# Head proportions: the ears lie about 0.6 of the way from the neck's base to the top of the head.
_RECIPES: dict[str, list[dict[str, float]]] = {
    "pelvis": [{"left_hip": 0.5, "right_hip": 0.5}],
    "neck": [
        {"thorax": 1.0},
        {"neck_base": 1.0},
        {"spine4": 0.2, "neck_mid": 0.8},
        {"left_shoulder": 0.5, "right_shoulder": 0.5},
    ],
    "upper_neck": [{"neck": 0.65, "head_top": 0.35}, {"neck": 0.45, "nose": 0.55}],
    "thorax": [
        {"neck": 1.0},
        {"neck_base": 1.0},
        {"left_shoulder": 0.5, "right_shoulder": 0.5},
    ],
    "neck_base": [{"thorax": 1.0}, {"neck": 1.0}, {"left_shoulder": 0.5, "right_shoulder": 0.5}],
    "spine": [{"spine_mid": 1.0}, {"pelvis": 0.5, "thorax": 0.5}],
    "nose": [
        {"left_eye": 0.5, "right_eye": 0.5},
        {"head": 1.0},
        {"skull": 1.0},
        {"neck": 0.5, "head_top": 0.5},
    ],
    "head_top": [
        {"head_end": 1.0},
        {"left_ear": 0.85, "right_ear": 0.85, "neck": -0.7},
        {"left_eye": 0.8, "right_eye": 0.8, "neck": -0.6},
        {"nose": 2.0, "neck": -1.0},
        {"head": 2.0, "neck": -1.0},
    ],
    "head": [{"skull": 1.0}, {"left_ear": 0.5, "right_ear": 0.5}, {"neck": 0.5, "head_top": 0.5}, {"nose": 1.0}],
    "skull": [{"head": 1.0}, {"left_ear": 0.5, "right_ear": 0.5}, {"neck": 0.5, "head_top": 0.5}],
    "head_end": [{"head_top": 1.0}],
    "root": [{"pelvis": 0.8, "spine": 0.4, "thorax": -0.2}],
    "spine_mid": [{"spine": 1.0}],
    "spine_low": [{"root": 0.5, "spine": 0.5}],
    "spine2": [{"spine": 0.5, "neck": 0.5}],
    "spine3": [{"spine": 0.25, "neck": 0.75}],
    "spine4": [{"neck": 1.0}],
}
for _side in ("left", "right"):
    _RECIPES |= {
        f"{_side}_big_toe": [{f"{_side}_toe_end": 1.0}, {f"{_side}_toe": 1.0}],
        f"{_side}_toe_end": [{f"{_side}_big_toe": 1.0}, {f"{_side}_toe": 1.0}],
        f"{_side}_toe": [{f"{_side}_big_toe": 1.0}, {f"{_side}_toe_end": 1.0}],
        f"{_side}_toe_base": [{f"{_side}_big_toe": 0.7, f"{_side}_ankle": 0.3}],
        f"{_side}_foot": [{f"{_side}_toe_base": 1.0}],
        f"{_side}_hand": [{f"{_side}_wrist": 1.25, f"{_side}_elbow": -0.25}],
        f"{_side}_clavicle": [{"neck": 0.8, f"{_side}_shoulder": 0.2}],
        f"{_side}_hand_root": [{f"{_side}_wrist": 1.0}],
    }


@dataclass(frozen=True)
class Conversion:
    """How one layout becomes another: ``target = weights @ source`` on the joint axis.

    Attributes:
        source, target: the layouts.
        weights: (target joints, source joints) float64; each row sums to 1, or is all 0 for a missing joint.
        measured, estimated, missing: names of the target's joints, by where they come from.
    """

    source: Skeleton
    target: Skeleton
    weights: np.ndarray
    measured: tuple[str, ...]
    estimated: tuple[str, ...]
    missing: tuple[str, ...]

    def describe(self) -> str:
        """One line for people: how many joints are measured, which are estimated and which are missing."""
        text = f"{self.source.name} -> {self.target.name}: {len(self.measured)} joints measured"
        if self.estimated:
            text += f"; estimated: {', '.join(self.estimated)}"
        if self.missing:
            shown = ", ".join(self.missing[:12]) + (
                f" and {len(self.missing) - 12} more" if len(self.missing) > 12 else ""
            )
            text += f"; missing: {shown}"
        return text

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Points (..., source joints, d) -> (..., target joints, d); NaN where a joint needed is missing."""
        return _weigh(self.weights, points)

    def apply_confidence(self, confidence: np.ndarray) -> np.ndarray:
        """Confidence (..., source joints) -> (..., target joints): the least of those that take part, 0 if none."""
        result = np.zeros((*confidence.shape[:-1], len(self.target)), confidence.dtype)
        for joint, row in enumerate(self.weights):
            used = np.flatnonzero(row)
            if used.size:
                result[..., joint] = confidence[..., used].min(axis=-1)
        return result


def _weigh(weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    result = np.full((*points.shape[:-2], len(weights), points.shape[-1]), np.nan, points.dtype)
    for joint, row in enumerate(weights):
        used = np.flatnonzero(row)
        if used.size:
            # A copy stays exact: weight 1 of a single joint multiplies by one and adds nothing.
            result[..., joint, :] = np.einsum("j,...jd->...d", row[used].astype(points.dtype), points[..., used, :])
    return result


@lru_cache(maxsize=256)
def conversion(source: Skeleton, target: Skeleton) -> Conversion:
    """The conversion of one layout into another, by joint names first and anatomical recipes second.

    Raises SkeletonError if the two layouts have no place of the body in common.
    """
    found: dict[str, np.ndarray | None] = {
        joint: np.eye(len(source))[index] for index, joint in enumerate(source.joints)
    }

    def resolve(joint: str, asked: frozenset[str]) -> np.ndarray | None:
        if joint in found:
            return found[joint]
        for recipe in _RECIPES.get(joint, []):
            if asked & recipe.keys():
                continue
            parts = [(weight, resolve(name, asked | {joint})) for name, weight in recipe.items()]
            known = [weight * part for weight, part in parts if part is not None]
            if len(known) == len(parts):
                found[joint] = np.sum(known, axis=0)
                return found[joint]
        return None

    rows = {joint: resolve(joint, frozenset({joint})) for joint in target.joints}
    if all(row is None for row in rows.values()):
        raise SkeletonError(
            f"no joint of {target.name!r} can be had from {source.name!r} ({', '.join(source.joints[:8])}, ...): "
            "name the joints as one of the known layouts does (lift3d info --skeletons)"
        )
    weights = np.stack([np.zeros(len(source)) if row is None else row for row in rows.values()])
    return Conversion(
        source,
        target,
        weights,
        measured=tuple(joint for joint in rows if joint in source.joints),
        estimated=tuple(joint for joint, row in rows.items() if row is not None and joint not in source.joints),
        missing=tuple(joint for joint, row in rows.items() if row is None),
    )

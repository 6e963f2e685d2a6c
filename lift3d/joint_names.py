"""Layouts of which only the joint names are known: spellings of human joints, and the bones between them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lift3d.skeletons import LIMBS, Skeleton

_BODY_PARTS = {
    "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "eye", "ear", "heel", "big_toe", "small_toe", "hand",
    "nose", "neck", "head", "head_top", "pelvis", "spine", "thorax", "foot",
}  # fmt: skip
_SYNONYMS = {
    "mid_hip": "pelvis", "middle_hip": "pelvis", "bigtoe": "big_toe", "smalltoe": "small_toe", "top_head": "head_top",
    "headtop": "head_top", "top_of_head": "head_top", "midhip": "pelvis", "hips": "pelvis", "toe": "big_toe",
}  # fmt: skip

# What a joint may hang on, nearest first, in a layout of which only the names are known. The joints higher up in this
# table choose first.
_TRUNK = ("neck", "thorax", "spine", "pelvis")
_BELOW_HEAD = ("neck", "thorax", "left_shoulder", "right_shoulder", "spine", "pelvis", "left_hip", "right_hip")
_ATTACHMENTS: dict[str, tuple[str, ...]] = {
    "spine": ("pelvis",),
    "thorax": ("spine", "pelvis"),
    "neck": ("thorax", "spine", "pelvis"),
    "left_shoulder": (*_TRUNK, "head", "nose"),
    "right_shoulder": (*_TRUNK, "head", "nose", "left_shoulder"),
    "left_hip": ("pelvis", "left_shoulder", "spine", "thorax", "neck", "right_shoulder", "head", "nose"),
    "right_hip": ("pelvis", "right_shoulder", "left_hip", "spine", "thorax", "neck", "left_shoulder", "head", "nose"),
    "head": _BELOW_HEAD,
    "nose": ("head", *_BELOW_HEAD),
    "head_top": ("head", "neck", "nose", *_BELOW_HEAD),
    "left_eye": ("nose", "head", *_BELOW_HEAD, "head_top"),
    "right_eye": ("nose", "head", "left_eye", *_BELOW_HEAD, "head_top"),
    "left_ear": ("left_eye", "nose", "head", "right_eye", *_BELOW_HEAD, "head_top"),
    "right_ear": ("right_eye", "nose", "head", "left_eye", "left_ear", *_BELOW_HEAD, "head_top"),
    **{joint: (parent,) for joint, parent in LIMBS.items() if not joint.endswith(("_eye", "_ear"))},
}


def custom_skeleton(joints: Iterable[str], name: str = "custom") -> Skeleton:
    """A layout known by its joint names alone (an animal, a tool, a body with joints left out).

    Common spellings of human joints are recognised (``LShoulder``, ``leftShoulder``, ``shoulder_left``,
    ``l_shoulder``, ``Left Shoulder`` -> ``left_shoulder``), so that such a file can still be lifted. Their bones join
    trunk, limbs and head to one figure; a limb whose upper joint is left out stays apart, as does every other joint.
    """
    canonical = [canonical_joint_name(joint) for joint in joints]
    if len(set(canonical)) != len(canonical):
        canonical = list(joints)
    return Skeleton(name, tuple(canonical), _connect(canonical), "custom")


def _connect(joints: list[str]) -> tuple[int, ...]:
    """Index of each joint's parent: the first of its ``_ATTACHMENTS`` that is there and does not hang on the joint."""
    parents = dict.fromkeys(joints, "")

    def hangs_on(joint: str, other: str) -> bool:
        while joint and joint != other:
            joint = parents[joint]
        return joint == other

    for joint, choices in _ATTACHMENTS.items():
        if joint in parents:
            free = (choice for choice in choices if choice in parents and not hangs_on(choice, joint))
            parents[joint] = next(free, "")
    return tuple(joints.index(parent) if parent else -1 for parent in parents.values())


def canonical_joint_name(joint: str) -> str:
    """The lift3d spelling of a human joint's name (``RAnkle`` -> ``right_ankle``); other names come back unchanged."""
    parts = [part.lower() for part in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+", joint)]
    if parts and len(parts[0]) > 1 and parts[0][0] in "lr" and parts[0][1:] in _BODY_PARTS:
        parts = [parts[0][0], parts[0][1:], *parts[1:]]
    sides = {"l": "left", "r": "right", "left": "left", "right": "right"}
    side = next((sides[part] for part in (parts[0], parts[-1]) if part in sides), None) if parts else None
    body = "_".join(part for part in parts if part not in sides)
    body = _SYNONYMS.get(body, body)
    if body not in _BODY_PARTS:
        return joint
    return f"{side}_{body}" if side else body

"""What the joints of BVH files are called, in lift3d's names.

Programs call a joint after the bone that starts there: ``LeftArm``, ``lShldr``, ``upper_arm.L`` and ``LeftShoulder``
may all be the shoulder. ``LeftShoulder`` and ``LeftLeg`` have two meanings; which one holds is read off the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LIMBS = {
    "clavicle": "clavicle", "collar": "clavicle", "collarbone": "clavicle", "shoulder": "clavicle",
    "arm": "shoulder", "upperarm": "shoulder", "uparm": "shoulder", "shldr": "shoulder",
    "forearm": "elbow", "lowerarm": "elbow", "lowarm": "elbow", "elbow": "elbow",
    "hand": "wrist", "wrist": "wrist", "handend": "hand", "forearmend": "wrist", "wristend": "hand",
    "upleg": "hip", "upperleg": "hip", "thigh": "hip", "hip": "hip", "leg": "knee", "lowerleg": "knee",
    "lowleg": "knee", "shin": "knee", "calf": "knee", "knee": "knee", "foot": "ankle", "ankle": "ankle",
    "footend": "toe_end", "ankleend": "toe_end", "toebase": "toe_base", "toe": "toe_base", "toes": "toe_base",
    "toebaseend": "toe_end", "toeend": "toe_end", "toesend": "toe_end",
}  # fmt: skip
_MIDDLE = {
    "hips": "root", "hip": "root", "pelvis": "root", "root": "root", "spine": "spine_low", "spine1": "spine_mid",
    "chest": "spine_mid", "spine001": "spine_mid", "neck": "neck", "neck1": "neck_mid", "head": "head",
    "headend": "head_top", "headtopend": "head_top",
}  # fmt: skip


def body_names(names: Sequence[str]) -> list[str]:
    """lift3d's names of a file's joints, each once; a joint that is not recognised keeps its name.

    The root is called ``root``: whether it lies between the hips (``pelvis``) is for the reader to see.
    """
    parts = [_parts(name) for name in names]
    known = {part for _, part in parts}
    limbs = dict(_LIMBS)
    if not known & {"arm", "upperarm", "uparm", "shldr"}:
        limbs["shoulder"] = "shoulder"
    if not known & {"upleg", "upperleg", "thigh", "hip"}:
        limbs["leg"] = "hip"
    found: list[str] = []
    for name, (side, part) in zip(names, parts, strict=True):
        joint = f"{side}_{limbs[part]}" if side and part in limbs else name if side else _MIDDLE.get(part, name)
        joint, count = (joint, 1) if joint not in found else (name, 1)
        while joint in found:
            count += 1
            joint = f"{name}.{count}"
        found.append(joint)
    return found


def _parts(name: str) -> tuple[str, str]:
    """The side of the body and the part, in small letters without separators: ("left", "upleg")."""
    name = name.rsplit(":", 1)[-1]
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if match := re.match(r"(left|right)(.+)", plain):
        return match[1], match[2]
    if match := re.match(r"(.+?)[._ ]([LR])(_end)?$", name):
        return {"L": "left", "R": "right"}[match[2]], re.sub(r"[^a-z0-9]", "", (match[1] + (match[3] or "")).lower())
    if match := re.match(r"([lr])[A-Z_]", name):
        return {"l": "left", "r": "right"}[match[1]], plain[1:]
    return "", plain

"""Marker names that other programs expect in TRC and C3D files, as data."""

from __future__ import annotations

from dataclasses import replace

from lift3d.errors import Lift3DError, SkeletonError
from lift3d.poses import Poses3D
from lift3d.skeletons import Skeleton

# lift3d's names of the fingers that the hands' markers sit on, in both kinds of layouts.
_FINGERS = {
    "thumb": "Thumb",
    "index": "Index",
    "pinky": "Pinky",
    "thumb2": "Thumb",
    "index1": "Index",
    "little1": "Pinky",
}
_LIMBS = {
    "hip": "Hip", "knee": "Knee", "ankle": "Ankle", "big_toe": "BigToe", "small_toe": "SmallToe", "heel": "Heel",
    "shoulder": "Shoulder", "elbow": "Elbow", "wrist": "Wrist", "eye": "Eye", "ear": "Ear", **_FINGERS,
}  # fmt: skip

# The names in the marker sets that Pose2Sim ships for OpenSim (Markers_Halpe26.xml, Markers_Body25b.xml,
# Markers_Coco133.xml in its folder OpenSim_Setup, BSD-3-Clause). BODY_25B's upper neck is called Neck there, as is the
# neck between the shoulders of other layouts, and the top of the head is called Head.
OPENSIM: dict[str, str] = {
    "pelvis": "Hip", "neck": "Neck", "upper_neck": "Neck", "thorax": "Neck", "head_top": "Head", "nose": "Nose",
    **{f"{side}_{joint}": side[0].upper() + name for side in ("right", "left") for joint, name in _LIMBS.items()},
}  # fmt: skip

MARKER_NAMES: dict[str, dict[str, str]] = {"opensim": OPENSIM}


def rename_markers(poses: Poses3D, convention: str) -> Poses3D:
    """The same poses with the joints named as another program expects; joints that it has no name for keep theirs.

    Args:
        poses: in any layout.
        convention: a key of ``MARKER_NAMES``.

    Raises:
        Lift3DError: an unknown convention.
        SkeletonError: two joints of the layout would get the same name.
    """
    if convention not in MARKER_NAMES:
        raise Lift3DError(f"unknown marker names {convention!r}; known are {', '.join(MARKER_NAMES)}")
    table, layout = MARKER_NAMES[convention], poses.skeleton
    if "upper_neck" in layout.joints and {"neck", "thorax"} & set(layout.joints):
        # MPII has both; the neck between the shoulders is the one that the name means elsewhere.
        table = {joint: name for joint, name in table.items() if joint != "upper_neck"}
    names = tuple(table.get(joint, joint) for joint in layout.joints)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SkeletonError(
            f"two joints of {layout.name!r} would both be called {', '.join(twice)}; "
            "convert to another layout first (--to-skeleton halpe26)"
        )
    return replace(poses, skeleton=Skeleton(layout.name, names, layout.parents, layout.title))

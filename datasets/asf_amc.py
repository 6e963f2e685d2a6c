"""Motion of ASF and AMC files as places of joints: CMU's motion capture, HDM05's and others' of Acclaim's format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.datasets.acclaim_files import TURNS, AcclaimBone, AcclaimSkeleton, read_amc, read_asf
from lift3d.errors import FileFormatError

MAX_CELLS = 1 << 27  # frames x bones: 3 GiB of places
# The joints at the ends of bones, in skeletons of Vicon's BodyBuilder, which CMU and HDM05 used.
_ENDS = {
    "root": "root", "lowerback": "spine_low", "upperback": "spine_mid", "thorax": "neck_base",
    "lowerneck": "neck_mid", "upperneck": "head", "head": "head_top",
    **{
        f"{side[0]}{bone}": f"{side}_{joint}"
        for side in ("left", "right")
        for bone, joint in {
            "hipjoint": "hip", "femur": "knee", "tibia": "ankle", "foot": "toe_base", "toes": "toe_end",
            "clavicle": "shoulder", "humerus": "elbow", "radius": "wrist", "hand": "hand",
        }.items()
    },
}  # fmt: skip
# In these skeletons the bone "wrist" is half as long as the "radius" and straight on, and the wrists' markers lie 1.45
# times as far from the elbow as the end of the radius.
WRIST_SHARE, WRIST_FACTOR = 0.5, 1.45


def read_asf_amc(asf: Path, amc: Path) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
    """Read a motion.

    Args:
        asf, amc: the skeleton and the motion.

    Returns:
        The joints in lift3d's names, their places (frames, joints, 3) in metres, Z up, and what had to be done.

    Raises:
        FileFormatError: a file is malformed or cut off, or the two do not fit each other.
    """
    skeleton = read_asf(asf)
    motion = read_amc(amc, skeleton)
    frames = len(next(iter(motion.values())))
    if frames * len(skeleton.bones) > MAX_CELLS:
        raise FileFormatError(amc, f"{frames} frames of {len(skeleton.bones)} bones are too many")
    X, Y, Z = np.moveaxis(acclaim_places(skeleton, motion) * skeleton.metres, -1, 0)
    places = np.stack([X, -Z, Y], axis=-1)
    names = [_ENDS.get(bone.name.lower(), bone.name) for bone in skeleton.bones]
    notes = []
    for side in ("left", "right"):
        if _ends_early(skeleton, side[0]):
            elbow, wrist = names.index(f"{side}_elbow"), names.index(f"{side}_wrist")
            places[:, wrist] = places[:, elbow] + WRIST_FACTOR * (places[:, wrist] - places[:, elbow])
            notes = [f"wrists put {WRIST_FACTOR} times as far from the elbows as the bones called radius end"]
    return tuple(names), places, tuple(notes)


def acclaim_places(skeleton: AcclaimSkeleton, motion: dict[str, np.ndarray]) -> np.ndarray:
    """Forward kinematics: the ends of the bones (frames, bones, 3) in the file's unit and axes.

    A bone's turn M is given in its own axes C: it turns by C M C^-1 against its parent; the axes of the root are how it
    stands at first. Angles that an AMC leaves out are 0.
    """
    frames = len(next(iter(motion.values())))
    places = np.empty((frames, len(skeleton.bones), 3))
    turned: list[Rotation] = []
    for index, bone in enumerate(skeleton.bones):
        values = motion.get(bone.name, np.zeros((frames, len(bone.channels))))
        axes = Rotation.from_euler(bone.axis_order, bone.axis, degrees=skeleton.degrees)
        turn = axes * _turn(bone, values, skeleton.degrees)
        if bone.parent < 0:
            places[:, index] = skeleton.position
            for channel, column in zip(bone.channels, values.T, strict=True):
                if channel not in TURNS:
                    places[:, index, "xyz".index(channel[1])] += column
        else:
            turn = turned[bone.parent] * turn * axes.inv()
            places[:, index] = places[:, bone.parent] + turn.apply(bone.offset)
        turned.append(turn)
    return places


def _turn(bone: AcclaimBone, values: np.ndarray, degrees: bool) -> Rotation:
    """The turn (frames,) of the channels: the first is applied first, about axes that stand still."""
    columns = [column for column, channel in enumerate(bone.channels) if channel in TURNS]
    if not columns:
        return Rotation.identity(len(values))
    order = "".join(bone.channels[column][1] for column in columns)
    return Rotation.from_euler(order, values[:, columns], degrees=degrees)


def _ends_early(skeleton: AcclaimSkeleton, side: str) -> bool:
    """Whether the radius of a side ends before the wrist, as in CMU's skeletons."""
    bones = {bone.name.lower(): bone for bone in skeleton.bones}
    if not {f"{side}humerus", f"{side}radius", f"{side}wrist"} <= bones.keys():
        return False
    radius, wrist = bones[f"{side}radius"].offset, bones[f"{side}wrist"].offset
    return bool(np.linalg.norm(wrist - WRIST_SHARE * radius) < 0.05 * np.linalg.norm(radius))

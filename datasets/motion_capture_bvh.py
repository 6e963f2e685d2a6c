"""BVH files of motion capture, and CMU's as released for MotionBuilder, which lack bones that can be put back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lift3d.datasets.asf_amc import WRIST_FACTOR
from lift3d.io.bvh_file import BvhFile, read_bvh_file
from lift3d.io.poses_bvh import from_bvh
from lift3d.poses import Poses3D

# Joints of that release which lie on their parents. Above "Spine1" the bone of the thorax is missing, 11 to 12 cm.
_ABOVE_THORAX = ("Neck", "LeftShoulder", "RightShoulder")
_ON_PARENT = (*_ABOVE_THORAX, "LHipJoint", "RHipJoint", "LeftFingerBase", "RightFingerBase")
_BELOW_THORAX = "Spine1"


def read_motion_bvh(path: Path) -> tuple[Poses3D, tuple[str, ...]]:
    """Read a BVH.

    CMU's motion capture as released for MotionBuilder lacks the bone of the thorax; it is made as long as the bone
    below it, with which CMU's own skeletons agree to about a centimetre. Its wrists are moved to where the markers
    were, and its first frame, a T-pose that was never recorded, is left out.

    Returns:
        The poses, and what was put right.

    Raises:
        FileFormatError: the file is no BVH, cut off or malformed.
    """
    file = read_bvh_file(path)
    if not lacks_thorax(file):
        return from_bvh(file, path), ()
    offsets = {joint.name: joint.offset for joint in file.joints}
    joints = tuple(
        replace(joint, offset=offsets[_BELOW_THORAX]) if joint.name in _ABOVE_THORAX else joint for joint in file.joints
    )
    table = file.table[1:] if len(file.table) > 1 else file.table
    poses = from_bvh(replace(file, joints=joints, table=table), path)
    xyz = poses.xyz.copy()
    for side in ("left", "right"):
        elbow, wrist = (poses.skeleton.index(f"{side}_{joint}") for joint in ("elbow", "wrist"))
        xyz[:, :, wrist] = xyz[:, :, elbow] + WRIST_FACTOR * (xyz[:, :, wrist] - xyz[:, :, elbow])
    return replace(poses, xyz=xyz), (
        "CMU's motion capture as released for MotionBuilder lacks the bones of thorax and wrist: the thorax was made "
        f"as long as the bone below it (about 1 cm off), wrists put {WRIST_FACTOR} times as far from the elbows, and "
        "the first frame, a T-pose, left out",
    )


def lacks_thorax(file: BvhFile) -> bool:
    """Whether the file is of CMU's release for MotionBuilder, in which the bones above the spine start at its end."""
    offsets = {joint.name: joint.offset for joint in file.joints}
    return _BELOW_THORAX in offsets and all(not np.any(offsets.get(name, 1)) for name in _ON_PARENT)

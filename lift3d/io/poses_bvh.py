"""3D poses as BVH, motion for Blender, MotionBuilder and game engines: a tree of bones that turn, one person a file.

Written files are **Y up and in metres**: (X, Y, Z) = (x, z, -y) of the world, which Blender's importer turns back with
its own settings, at true size; programs that count in centimetres take a scale of 100. Camera space is written as a
level camera sees it, (x, -y, -z). The joints' names and the bones are those of ``lift3d.motion.armature``; the root has
six channels, every other joint three. The order of the rotations is chosen for each joint so that its middle angle,
which must not come to 90 degrees, belongs to the axis about which it turns least.

A file covers the whole clip, so that the files of several people stay in step: while a person is absent the file turns
evenly from the last pose to the next, or holds it at the ends.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.errors import FileFormatError, OutputExistsError, ShapeError
from lift3d.geometry.rotations import continuous_euler
from lift3d.io.bvh_file import BvhFile, BvhJoint, read_bvh_file, write_bvh_file
from lift3d.io.bvh_names import body_names
from lift3d.io.files import atomic_path
from lift3d.io.poses_record import naming
from lift3d.poses import Poses3D
from lift3d.skeletons import Skeleton

if TYPE_CHECKING:
    from lift3d.motion.inverse_kinematics import ArmatureMotion

POSITIONS = ("Xposition", "Yposition", "Zposition")
# Legs turn least about z, the way they spread; elbows and hands about their own z; upper arms about themselves, x.
ORDERS = {"Leg": "XZY", "Foot": "XZY", "ToeBase": "XZY", "ForeArm": "YZX", "Hand": "YZX"}
USUAL_ORDER = "YXZ"
# Units that BVH files come in, metres each; that of CMU's motion capture is 1/0.45 inch.
UNITS = {"metres": 1.0, "centimetres": 0.01, "millimetres": 0.001, "units of CMU's motion capture": 0.0254 / 0.45}
LEG_LENGTH = 0.85  # metres from hip to ankle, along the bones
REACH = 1.35  # metres from the root to its farthest end, where there are no legs to go by
SAME_PLACE = 1e-6  # offsets shorter than this part of the longest


def write_bvh(
    poses: Poses3D, path: Path, overwrite: bool = False, say: Callable[[str], None] | None = None
) -> list[Path]:
    """Write one BVH a person: ``path`` itself for a single one, ``take_id0.bvh``, ... for several.

    Args:
        poses: in a layout of people.
        path: the file.
        overwrite: whether an existing file may be replaced.
        say: takes a sentence for what had to be filled in, and for people who are never seen and get no file.

    Returns:
        The files that were written.

    Raises:
        ShapeError: the frame rate is unknown, or nobody is seen.
        SkeletonError: the layout has no trunk.
        OutputExistsError: a file exists and ``overwrite`` is False; nothing was written.
    """
    from lift3d.motion.inverse_kinematics import solve_armature

    if poses.fps is None:
        raise ShapeError("a BVH needs the frame rate, and that of the poses is unknown; set fps")
    seen = np.isfinite(poses.xyz[..., 0]).any(axis=(0, 2))
    if not seen.any():
        raise ShapeError("no joint of any person is seen in any frame, which makes no BVH")
    paths = {
        person: path if poses.people == 1 else path.with_name(f"{path.stem}_id{poses.track_ids[person]}{path.suffix}")
        for person in np.flatnonzero(seen).tolist()
    }
    if not overwrite and (existing := [str(file) for file in paths.values() if file.exists()]):
        raise OutputExistsError(f"{', '.join(existing)} exists already; choose another name or pass --overwrite")
    motions = {person: solve_armature(poses, person) for person in paths}
    for person, file in paths.items():
        with atomic_path(file, overwrite) as temporary:
            write_bvh_file(to_bvh(motions[person], poses.fps), temporary)
    for person, track in enumerate(poses.track_ids):
        notes = motions[person].notes if person in motions else ("never seen, and not written",)
        for note in notes if say is not None else ():
            say(f"person {track}: {note}")  # type: ignore[misc]
    return list(paths.values())


def to_bvh(motion: ArmatureMotion, fps: float) -> BvhFile:
    """A solved motion as the content of a BVH."""
    armature = motion.armature
    order: list[int] = []
    waiting = [0]
    while waiting:  # A BVH holds each joint's columns before its children's.
        order.append(waiting.pop())
        waiting += reversed(armature.children[order[-1]])
    joints, columns = [], []
    for node in order:
        name, parent = armature.nodes[node], armature.parents[node]
        axes = next((axes for end, axes in ORDERS.items() if name.endswith(end)), USUAL_ORDER)
        channels = tuple(f"{axis}rotation" for axis in axes) if armature.children[node] else ()
        if parent < 0:
            channels = (*POSITIONS, *channels)
            columns.append(motion.root)
        if channels:
            columns.append(continuous_euler(Rotation.from_quat(motion.rotations[:, node]).as_matrix(), axes))
        joints.append(BvhJoint(name, -1 if parent < 0 else order.index(parent), armature.offsets[node], channels))
    return BvhFile(tuple(joints), 1 / fps, np.concatenate(columns, axis=1))


def read_bvh(path: Path, unit: float | None = None) -> Poses3D:
    """Read the joints of a BVH as world space, Z up, in metres.

    Joints get lift3d's names (``LeftArm`` -> ``left_shoulder``) where they are recognised. One that lies on its parent
    in every frame (offset 0 0 0) is left out.

    Args:
        path: the file; Y up.
        unit: metres of the file's unit. Default: that of metres, centimetres, millimetres and CMU's own unit that gives
            the body the most ordinary size. The provenance says which.

    Raises:
        FileFormatError: the file is no BVH, cut off or malformed; the message names the place.
        ShapeError: an impossible unit.
    """
    if unit is not None and not (np.isfinite(unit) and unit > 0):
        raise ShapeError(f"the unit must be a positive number of metres, not {unit}")
    return from_bvh(read_bvh_file(path), path, unit)


def from_bvh(file: BvhFile, path: Path, unit: float | None = None) -> Poses3D:
    """The content of a BVH as ``read_bvh`` reads it; ``path`` is for provenance and messages."""
    longest = max(float(np.linalg.norm(joint.offset)) for joint in file.joints)
    if longest == 0:
        raise FileFormatError(path, "all offsets are 0: there are no bones", "OFFSET")
    places = file.places()
    kept, names, parents, dropped = _distinct(file, places, SAME_PLACE * longest)
    size, guessed = _unit(file, names, kept, parents)
    steps = [f"taken to be in {guessed}: the unit of a BVH is not written in it"] if unit is None else []
    names = _root_name(names, places[:, kept], SAME_PLACE * longest)
    steps.append("axes turned from Y up to Z up: (x, y, z) = (X, -Z, Y)")
    if dropped:
        steps.append(f"joints that lie on their parent (offset 0 0 0) left out: {', '.join(dropped)}")
    if {"LHipJoint", "LeftFingerBase", "Neck", "LeftShoulder"} <= set(dropped):
        steps.append(
            "CMU's motion capture as released for MotionBuilder lacks the bones of thorax and wrist: the trunk is 11 "
            "to 12 cm short, and wrists lie two thirds down the forearm"
        )
    X, Y, Z = np.moveaxis(places[:, None, kept] * (unit or size), -1, 0)
    with naming(path), np.errstate(over="ignore"):
        return Poses3D(
            xyz=np.stack([X, -Z, Y], axis=-1),
            skeleton=Skeleton("custom", tuple(names), tuple(parents), "custom"),
            fps=_frame_rate(file.frame_time),
            space="world",
            provenance={"source": str(path), "format": "BVH", "steps": steps},
        )


def _distinct(file: BvhFile, places: np.ndarray, nearest: float) -> tuple[list[int], list[str], list[int], list[str]]:
    """Joints that do not lie on their parent: indices, names and parents among themselves; and the others' names."""
    stands_for: list[int] = []
    kept: list[int] = []
    for index, joint in enumerate(file.joints):
        apart = joint.parent < 0 or bool((np.abs(places[:, index] - places[:, joint.parent]) > nearest).any())
        stands_for.append(index if apart else stands_for[joint.parent])
        if apart:
            kept.append(index)
    parents = [kept.index(stands_for[p]) if (p := file.joints[index].parent) >= 0 else -1 for index in kept]
    dropped = [joint.name for index, joint in enumerate(file.joints) if index not in kept]
    return kept, body_names([file.joints[index].name for index in kept]), parents, dropped


def _unit(file: BvhFile, names: list[str], kept: list[int], parents: list[int]) -> tuple[float, str]:
    """Metres of the file's unit and its name, by the length of the legs or else of the longest chain of bones."""
    lengths = [float(np.linalg.norm(file.joints[index].offset)) for index in kept]
    legs = [
        lengths[names.index(f"{side}_knee")] + lengths[names.index(f"{side}_ankle")]
        for side in ("left", "right")
        if {f"{side}_knee", f"{side}_ankle"} <= set(names)
    ]
    reach = [0.0] * len(kept)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            reach[joint] = reach[parent] + lengths[joint]
    measured, usual = (float(np.mean(legs)), LEG_LENGTH) if legs and min(legs) > 0 else (max(reach), REACH)
    name = min(UNITS, key=lambda unit: abs(np.log(max(measured, 1e-12) * UNITS[unit] / usual)))
    return UNITS[name], name


def _root_name(names: list[str], places: np.ndarray, nearest: float) -> list[str]:
    """The names with a root that lies between the hips called ``pelvis``."""
    if not {"root", "left_hip", "right_hip"} <= set(names) or "pelvis" in names:
        return names
    root, left, right = (places[:, names.index(joint)] for joint in ("root", "left_hip", "right_hip"))
    away = np.median(np.linalg.norm(root - (left + right) / 2, axis=-1))
    width = np.median(np.linalg.norm(left - right, axis=-1))
    return ["pelvis" if name == "root" and away < 0.15 * width + nearest else name for name in names]


def _frame_rate(frame_time: float) -> float:
    """Frames per second; the time of a frame is often written with few digits (.0083333 for 120 fps)."""
    fps = 1 / frame_time
    return float(round(fps)) if abs(fps - round(fps)) < 2e-4 * fps and round(fps) > 0 else fps

"""Bodies built from known joint angles, by matrices of scipy: the truth that angles are read back against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.poses import Poses3D
from lift3d.skeletons import Skeleton, get_skeleton, make_skeleton

LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
# Every place that an angle may need, in one layout.
WHOLE = make_skeleton(
    "whole",
    dict.fromkeys(
        [
            *("pelvis", "spine", "thorax", "neck", "nose", "head_top"),
            *(
                f"{side}_{part}"
                for part in (*LIMBS, "ear", "eye", "heel", "big_toe", "small_toe")
                for side in ("left", "right")
            ),
        ]
    ),
)
# Body axes x forward, y up, z right, standing in the world: forward is +x, up +z, right -y.
STANDING = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
SIDES = {"left": -1.0, "right": 1.0}


def turn(axes: str, *degrees: np.ndarray) -> np.ndarray:
    """(frames, 3, 3) of turns one after the other about the axes as they have been turned."""
    return np.asarray(Rotation.from_euler(axes.upper(), np.stack(degrees, axis=-1), degrees=True).as_matrix())


def swing(flexion: np.ndarray, abduction: np.ndarray, sign: float) -> np.ndarray:
    """(frames, 3, 3) the shortest turn of a hanging arm to where it is at these angles from the side and the front."""
    cosines = np.minimum(np.cos(np.radians(flexion)), np.cos(np.radians(abduction)))
    down = np.where(cosines >= 0, 1.0, -1.0)
    way = np.stack([down * np.tan(np.radians(flexion)), -down, sign * down * np.tan(np.radians(abduction))], axis=-1)
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    axis = np.cross([0.0, -1.0, 0.0], way)
    size = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(size, -way[:, 1:2])
    return np.asarray(Rotation.from_rotvec(axis / np.where(size > 0, size, 1) * angle).as_matrix())


def turned_body(
    angles: Mapping[str, object], skeleton: str | Skeleton = WHOLE, frames: int = 1, fps: float | None = 100.0
) -> Poses3D:
    """A person at the origin who faces +x, its joints at the given angles (degrees, numbers or (frames,)), else 0.

    The arm is at ``shoulder_flexion`` and ``shoulder_abduction`` seen from the side and the front, and turned about
    its axis by ``shoulder_rotation`` after the shortest way there.
    """

    def at(name: str) -> np.ndarray:
        return np.broadcast_to(np.asarray(angles.get(name, 0.0), float), (frames,)).copy()

    def go(start: np.ndarray, frame: np.ndarray, *way: float) -> np.ndarray:
        return start + frame @ np.array(way)

    places = {"pelvis": np.broadcast_to([0.3, -0.2, 0.95], (frames, 3))}
    pelvis = np.broadcast_to(STANDING, (frames, 3, 3))
    thorax = pelvis @ turn("zxy", -at("trunk_flexion"), at("trunk_bending"), at("trunk_rotation"))
    head = thorax @ turn("zx", -at("neck_flexion"), at("neck_bending"))
    places["spine"] = go(places["pelvis"], pelvis, 0, 0.22, 0)
    places["neck"] = places["thorax"] = go(places["spine"], thorax, 0, 0.3, 0)
    places["head_top"] = go(places["neck"], head, 0, 0.28, 0)
    places["nose"] = go(places["neck"], head, 0.1, 0.15, 0)
    for side, sign in SIDES.items():
        places[f"{side}_ear"] = go(places["neck"], head, 0, 0.16, 0.07 * sign)
        places[f"{side}_eye"] = go(places["neck"], head, 0.08, 0.18, 0.03 * sign)
        hip = go(places["pelvis"], pelvis, 0, 0, 0.13 * sign)
        thigh = pelvis @ turn(
            "zxy", at(f"{side}_hip_flexion"), -sign * at(f"{side}_hip_abduction"), sign * at(f"{side}_hip_rotation")
        )
        shank = thigh @ turn("z", -at(f"{side}_knee_flexion"))
        foot = shank @ turn("z", at(f"{side}_ankle_dorsiflexion"))
        knee = go(hip, thigh, 0, -0.42, 0)
        ankle = go(knee, shank, 0, -0.40, 0)
        heel = go(ankle, foot, -0.05, -0.07, 0)
        shoulder = go(places["neck"], thorax, 0, 0, 0.18 * sign)
        upper = (
            thorax
            @ swing(at(f"{side}_shoulder_flexion"), at(f"{side}_shoulder_abduction"), sign)
            @ turn("y", sign * at(f"{side}_shoulder_rotation"))
        )
        elbow = go(shoulder, upper, 0, -0.3, 0)
        wrist = go(elbow, upper @ turn("z", at(f"{side}_elbow_flexion")), 0, -0.26, 0)
        places |= {
            f"{side}_{name}": place
            for name, place in (
                ("hip", hip), ("knee", knee), ("ankle", ankle), ("heel", heel), ("shoulder", shoulder),
                ("elbow", elbow), ("wrist", wrist), ("big_toe", go(heel, foot, 0.22, 0, -0.03 * sign)),
                ("small_toe", go(heel, foot, 0.22, 0, 0.03 * sign)),
            )
        }  # fmt: skip
    layout = get_skeleton(skeleton)
    missing = np.full((frames, 3), np.nan)
    xyz = np.stack([places.get(joint, missing) for joint in layout.joints], axis=1)[:, None]
    return Poses3D(xyz, skeleton=layout, fps=fps)

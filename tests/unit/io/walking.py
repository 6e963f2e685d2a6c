"""People who walk on the spot, for writers of motion."""

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.poses import Poses3D
from lift3d.skeletons import COCO17


def walking(people: int = 1, frames: int = 50, space: str = "world") -> Poses3D:
    """People who walk on the spot while they turn round twice, in COCO's layout."""
    t = np.arange(frames) / 25
    swing = np.sin(2 * np.pi * t)
    zero = 0 * t
    up = {
        "nose": (0.1 + zero, zero, 1.6 + zero), "left_eye": (0.08 + zero, 0.03 + zero, 1.64 + zero),
        "right_eye": (0.08 + zero, -0.03 + zero, 1.64 + zero), "left_ear": (zero, 0.08 + zero, 1.62 + zero),
        "right_ear": (zero, -0.08 + zero, 1.62 + zero),
    }  # fmt: skip
    for side, sign in (("left", 1.0), ("right", -1.0)):
        s = sign * swing
        up[f"{side}_shoulder"] = (zero, 0.17 * sign + zero, 1.42 + zero)
        up[f"{side}_elbow"] = (-0.28 * np.sin(0.5 * s), 0.2 * sign + zero, 1.42 - 0.28 * np.cos(0.5 * s))
        elbow = up[f"{side}_elbow"]
        up[f"{side}_wrist"] = (
            elbow[0] + 0.25 * np.sin(0.4 - 0.5 * s),
            elbow[1],
            elbow[2] - 0.25 * np.cos(0.4 - 0.5 * s),
        )
        up[f"{side}_hip"] = (zero, 0.1 * sign + zero, 0.92 + zero)
        up[f"{side}_knee"] = (0.42 * np.sin(0.4 * s), 0.1 * sign + zero, 0.92 - 0.42 * np.cos(0.4 * s))
        knee = up[f"{side}_knee"]
        bend = 0.4 * s - 0.3 - 0.2 * s
        up[f"{side}_ankle"] = (knee[0] + 0.41 * np.sin(bend), knee[1], knee[2] - 0.41 * np.cos(bend))
    body = np.stack([np.stack(up[joint], axis=-1) for joint in COCO17.joints], axis=1)
    turn = Rotation.from_euler("Z", (4 * np.pi * t / t[-1])[:, None]).as_matrix()
    body = body @ turn.mT
    xyz = np.stack([body + 1.5 * person * np.eye(3)[0] for person in range(people)], axis=1)
    if space == "camera":
        xyz = np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1] + 4], axis=-1)
    return Poses3D(xyz=xyz, skeleton="coco17", fps=25.0, space=space, track_ids=tuple(range(4, 4 + people)))

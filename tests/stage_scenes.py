"""People and cameras whose places are known."""

import numpy as np

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.skeletons import get_skeleton

BODY = get_skeleton("h36m17")


def standing(frames: int = 60, people: int = 2) -> np.ndarray:
    """People who stand a metre apart and walk along y at 0.01 m a frame, facing -y; left is at +x."""
    heights = {"ankle": 0.08, "knee": 0.5, "hip": 0.95, "shoulder": 1.45, "elbow": 1.2, "wrist": 0.95}
    middle = {"pelvis": 0.95, "spine": 1.2, "thorax": 1.45, "nose": 1.6, "head_top": 1.75}
    pose = np.zeros((len(BODY), 3), np.float32)
    for j, joint in enumerate(BODY.joints):
        side = BODY.side(j)
        part = joint.split("_", 1)[1] if side != "middle" else joint
        pose[j] = {"left": 0.2, "right": -0.2, "middle": 0}[side], 0, heights.get(part, middle.get(part, 0))
    xyz = np.tile(pose, (frames, people, 1, 1))
    xyz[..., 0] += np.arange(people)[None, :, None]
    xyz[..., 1] += 0.01 * np.arange(frames)[:, None, None]
    return xyz


def ring(count: int = 3, distance: float = 4.0) -> Rig:
    """Cameras around the origin at 1.2 m that look at its axis."""
    cameras = []
    for i, angle in enumerate(np.linspace(0, 2 * np.pi, count, endpoint=False)):
        forward = -np.array([np.cos(angle), np.sin(angle), 0])
        down = np.array([0, 0, -1.0])
        R = np.stack([np.cross(down, forward), down, forward])
        centre = np.array([0, 0, 1.2]) - distance * forward
        K = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
        cameras.append(Camera(K, R=R, t=-R @ centre, image_size=(1280, 720), name=f"cam{i}"))
    return Rig(tuple(cameras))

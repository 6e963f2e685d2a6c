"""A walker whose feet slide by a known amount, and motions with a known period."""

import numpy as np

from lift3d.poses import Poses3D
from lift3d.skeletons import BODY25B, H36M17

FPS = 60.0
CYCLE, STANCE = 60, 36  # frames
THIGH, SHIN, HIP_HEIGHT, ANKLE_HEIGHT, HALF_WIDTH = 0.42, 0.40, 0.80, 0.08, 0.1


def walker(slide: float = 0.05, frames: int = 240, body: str = "h36m17") -> tuple[Poses3D, np.ndarray]:
    """A body that walks along x; each standing foot slides forward by ``slide`` metres.

    Returns the poses and (frames, 1, 2) bool, when the left and the right foot stand.
    """
    skeleton = {"h36m17": H36M17, "body25b": BODY25B}[body]
    stride = 1.1
    time = np.arange(frames)
    pelvis = np.stack(
        [stride / CYCLE * time, np.zeros(frames), HIP_HEIGHT + 0.01 * np.cos(4 * np.pi * time / CYCLE)], 1
    )
    xyz = np.broadcast_to(pelvis[:, None], (frames, len(skeleton), 3)).copy()
    heights = {"nose": 0.75, "head_top": 0.9, "neck": 0.6, "upper_neck": 0.65, "thorax": 0.6, "spine": 0.3}
    for joint, name in enumerate(skeleton.joints):
        side = 1 if name.startswith("left") else -1 if name.startswith("right") else 0
        xyz[:, joint] += [0.0, 0.2 * side, heights.get(name, 0.4 if side else 0.0)]
    standing = np.zeros((frames, 1, 2), bool)
    for foot, (side, sign) in enumerate((("left", 1), ("right", -1))):
        phase = time + foot * CYCLE / 2
        step, within = np.divmod(phase, CYCLE)
        stands = within < STANCE
        swing = np.clip((within - STANCE) / (CYCLE - STANCE), 0, 1)
        smooth = swing**2 * (3 - 2 * swing)
        x = (
            stride * (step + 0.3)
            - foot * stride / 2
            + slide * np.minimum(within / STANCE, 1)
            + (stride - slide) * smooth
        )
        z = ANKLE_HEIGHT + 0.12 * np.sin(np.pi * swing) ** 2
        ankle = np.stack([x, np.full(frames, sign * HALF_WIDTH), z], axis=1)
        hip = pelvis + np.array([0, sign * HALF_WIDTH, 0])
        set_leg(xyz, skeleton.joints, side, hip, ankle)
        standing[:, 0, foot] = stands
    return Poses3D(xyz[:, None], skeleton=skeleton, fps=FPS), standing


def set_leg(xyz: np.ndarray, joints: tuple[str, ...], side: str, hip: np.ndarray, ankle: np.ndarray) -> None:
    """Hip, knee bent to the front, ankle and a level foot that points along x."""
    way = ankle - hip
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    assert (distance < THIGH + SHIN).all()
    angle = np.arccos((THIGH**2 + distance**2 - SHIN**2) / (2 * THIGH * distance))
    along = way / distance
    front = np.cross([0.0, 1.0, 0.0], along) * -1.0
    front /= np.linalg.norm(front, axis=1, keepdims=True)
    knee = hip + THIGH * (np.cos(angle) * along + np.sin(angle) * front)
    places = {"hip": hip, "knee": knee, "ankle": ankle}
    places |= {
        "big_toe": ankle + np.array([0.15, 0, -0.06]),
        "small_toe": ankle + np.array([0.13, 0, -0.06]),
        "heel": ankle - np.array([0.05, 0, 0.06]),
    }
    for joint, place in places.items():
        if f"{side}_{joint}" in joints:
            xyz[:, joints.index(f"{side}_{joint}")] = place


def bone_lengths(poses: Poses3D) -> np.ndarray:
    """(frames, people, bones) metres."""
    parents, children = np.transpose(poses.skeleton.bones)
    return np.linalg.norm(poses.xyz[:, :, children] - poses.xyz[:, :, parents], axis=-1)


def periodic(period: int, frames: int, drift: float = 0.0, turn: float = 0.0, seed: int = 0) -> Poses3D:
    """Joints that move with a period while the body drifts along its front (m/frame) and turns (radians/frame)."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)
    still, _ = walker(frames=1)
    xyz = np.repeat(still.xyz.astype(np.float64), frames, axis=0)
    hips = [H36M17.index(joint) for joint in ("pelvis", "left_hip", "right_hip")]
    for harmonic in (1, 2):
        wave = rng.normal(size=(2, 17, 3)) * 0.05 / harmonic
        wave[:, hips] = 0
        angle = 2 * np.pi * harmonic * time / period
        xyz[:, 0] += np.cos(angle)[:, None, None] * wave[0] + np.sin(angle)[:, None, None] * wave[1]
    facing = turn * time
    way = drift * np.stack([np.cos(facing), np.sin(facing)], axis=1)
    place = np.concatenate([np.zeros((1, 2)), np.cumsum(way, axis=0)[:-1]])
    x, y, z = np.moveaxis(xyz[:, 0], -1, 0)
    cos, sin = np.cos(facing)[:, None], np.sin(facing)[:, None]
    turned = np.stack([cos * x - sin * y + place[:, :1], sin * x + cos * y + place[:, 1:], z], axis=-1)
    return Poses3D(turned[:, None], skeleton=H36M17, fps=FPS)

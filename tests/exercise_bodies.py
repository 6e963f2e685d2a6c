"""Bodies that exercise, with joints placed by closed forms: facing y, right along x, z up, metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift3d.poses import Poses3D
from lift3d.skeletons import HALPE26

THIGH = SHANK = 0.42
UPPER_ARM, FOREARM, TRUNK = 0.3, 0.26, 0.5
HIP, SHOULDER, ANKLE_HEIGHT = 0.1, 0.18, 0.08
SIGN = {"left": -1.0, "right": 1.0}


def hills(
    heights: Sequence[float], fps: float, seconds: float = 2.0, rest: float = 1.0, pause: float = 0.0, low: float = 5.0
) -> np.ndarray:
    """A signal that rises to each height and sinks again like a cosine, with rests between and pauses on top."""
    half = round(seconds / 2 * fps)
    rise = (1 - np.cos(np.pi * np.arange(half) / half)) / 2
    still = np.zeros(round(rest * fps))
    parts = [still]
    for height in heights:
        hill = np.concatenate([rise, np.ones(1 + round(pause * fps)), rise[::-1]])
        parts += [hill * (height - low), still]
    return np.concatenate(parts) + low


def points(*coordinates: np.ndarray | float) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*coordinates), axis=-1).astype(np.float64)


def bend(start: np.ndarray, end: np.ndarray, upper: float, lower: float, pole: np.ndarray) -> np.ndarray:
    """The middle joint (frames, 3) of a limb of two bones, on the side of ``pole``."""
    line = end - start
    length = np.linalg.norm(line, axis=-1, keepdims=True)
    along = (upper**2 - lower**2 + length**2) / (2 * length)
    axis = line / length
    side = pole - (pole * axis).sum(-1, keepdims=True) * axis
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    return np.asarray(start + axis * along + side * np.sqrt(np.maximum(upper**2 - along**2, 0)))


def reach(flexion: np.ndarray, upper: float, lower: float) -> np.ndarray:
    """The distance of a limb's ends at a flexion in degrees."""
    return np.asarray(np.sqrt(upper**2 + lower**2 + 2 * upper * lower * np.cos(np.radians(flexion))))


def stand(
    fps: float,
    knee: np.ndarray,
    *,
    lean: np.ndarray | float = 0.0,
    hips_back: np.ndarray | float = 0.0,
    knees_in: np.ndarray | float = 0.0,
    stance: np.ndarray | float = 0.1,
    step: float = 0.0,
    front: str = "left",
    right_ankle_lift: np.ndarray | float = 0.0,
    arm_forward: np.ndarray | float = 0.0,
    arm_sideways: np.ndarray | float = 0.0,
    elbow: dict[str, np.ndarray] | np.ndarray | float = 5.0,
    heel: np.ndarray | float = 0.0,
    at: Sequence[float] = (0.0, 0.0, 0.0),
) -> Poses3D:
    """A body that stands.

    Args:
        knee: (frames,) degrees, the flexion of both knees, hips over the ankles; with a ``step`` what the knees would
            have without it.
        lean: degrees, of the trunk, forward.
        hips_back: degrees, of the line from the ankles to the hips.
        knees_in: metres that each knee is pushed inwards.
        stance: metres from the middle to each ankle; step: metres that one foot, ``front``, is before the other.
        right_ankle_lift: metres.
        arm_forward, arm_sideways: degrees from hanging along the trunk.
        elbow: degrees.
        heel: metres that the heels rise.
        at: where the body stands.
    """
    frames = len(knee)
    zero = np.zeros(frames)
    joints: dict[str, np.ndarray] = {}
    leg = np.sqrt(np.maximum(reach(knee, THIGH, SHANK) ** 2 - (step / 2) ** 2, 0.01))
    pelvis = points(zero, -leg * np.sin(np.radians(hips_back)), leg * np.cos(np.radians(hips_back)) + ANKLE_HEIGHT)
    trunk = points(zero, np.sin(np.radians(lean)), np.cos(np.radians(lean)))
    neck = pelvis + TRUNK * trunk
    joints |= {"pelvis": pelvis, "neck": neck, "head_top": neck + 0.27 * trunk}
    ahead = points(zero, np.cos(np.radians(lean)), -np.sin(np.radians(lean)))
    for side, sign in SIGN.items():
        hip = pelvis + np.array([sign * HIP, 0, 0])
        lift = right_ankle_lift if side == "right" else 0.0
        place = (0.5 if side == front else -0.5) * step
        ankle = points(zero + sign * stance, place, ANKLE_HEIGHT + lift)
        joint = bend(hip, ankle, THIGH, SHANK, points(zero, 1.0, 0.0)) - points(sign * (zero + knees_in), 0.0, 0.0)
        joints |= {f"{side}_hip": hip, f"{side}_knee": joint, f"{side}_ankle": ankle}
        joints |= {
            f"{side}_heel": ankle + points(zero, -0.05, -0.06 + heel),
            f"{side}_big_toe": ankle + np.array([0, 0.18, -0.06]),
        }
        shoulder = neck + np.array([sign * SHOULDER, 0, 0])
        out = points(zero + sign, 0.0, 0.0)
        forward, sideways = np.radians(arm_forward), np.radians(arm_sideways)
        bent = np.radians(elbow[side] if isinstance(elbow, dict) else elbow)

        def direction(
            more: np.ndarray | float,
            forward: np.ndarray | float = forward,
            sideways: np.ndarray | float = sideways,
            out: np.ndarray = out,
        ) -> np.ndarray:
            swing = zero + forward + more
            hanging = points(np.cos(swing), np.cos(swing), np.cos(swing)) * -trunk + np.sin(swing)[:, None] * ahead
            raised = zero + sideways
            return np.asarray(np.cos(raised)[:, None] * hanging + np.sin(raised)[:, None] * out)

        joints[f"{side}_shoulder"] = shoulder
        joints[f"{side}_elbow"] = shoulder + UPPER_ARM * direction(0.0)
        joints[f"{side}_wrist"] = joints[f"{side}_elbow"] + FOREARM * direction(bent)
    return gather(joints, fps, at)


def push_up(fps: float, elbow: np.ndarray, sag: np.ndarray | float = 0.0) -> Poses3D:
    """A body on hands and toes, its head along y; ``sag`` is how far the hips hang below straight, in metres."""
    length = THIGH + SHANK + TRUNK
    zero = np.zeros(len(elbow))
    height = reach(elbow, UPPER_ARM, FOREARM) + 0.02
    ankle = points(zero, 0.0, ANKLE_HEIGHT)
    shoulders = points(zero, np.sqrt(length**2 - (height - ANKLE_HEIGHT) ** 2), height)
    line = (shoulders - ankle) / length
    pelvis = ankle + line * (THIGH + SHANK) - points(zero, 0.0, zero + sag)
    joints = {"pelvis": pelvis, "neck": shoulders, "head_top": shoulders + 0.27 * line}
    for side, sign in SIGN.items():
        shoulder = shoulders + np.array([sign * SHOULDER, 0, 0])
        wrist = shoulder * [1, 1, 0] + [0, 0, 0.02]
        hip, foot = pelvis + np.array([sign * HIP, 0, 0]), ankle + np.array([sign * HIP, 0, 0])
        joints |= {f"{side}_shoulder": shoulder, f"{side}_wrist": wrist, f"{side}_hip": hip, f"{side}_ankle": foot}
        joints[f"{side}_elbow"] = bend(shoulder, wrist, UPPER_ARM, FOREARM, points(zero + sign, -1.0, 0.0))
        joints[f"{side}_knee"] = (hip + foot) / 2
    return gather(joints, fps)


def gather(joints: dict[str, np.ndarray], fps: float, at: Sequence[float] = (0.0, 0.0, 0.0)) -> Poses3D:
    frames = len(next(iter(joints.values())))
    xyz = np.full((frames, 1, len(HALPE26), 3), np.nan, dtype=np.float32)
    for name, place in joints.items():
        xyz[:, 0, HALPE26.index(name)] = place + np.asarray(at)
    return Poses3D(xyz, skeleton=HALPE26, fps=fps)


def together(*poses: Poses3D) -> Poses3D:
    """Several people in one clip, as long as the shortest."""
    frames = min(each.frames for each in poses)
    xyz = np.concatenate([each.xyz[:frames] for each in poses], axis=1)
    return Poses3D(xyz, skeleton=HALPE26, fps=poses[0].fps)


def with_noise(poses: Poses3D, metres: float, seed: int = 0) -> Poses3D:
    noise = np.random.default_rng(seed).normal(0, metres, poses.xyz.shape).astype(np.float32)
    return Poses3D(poses.xyz + noise, skeleton=poses.skeleton, fps=poses.fps, space=poses.space)


def without(poses: Poses3D, frames: slice, joints: Sequence[str] | None = None) -> Poses3D:
    """The poses with joints (default: all) missing for some frames."""
    xyz = poses.xyz.copy()
    columns = range(len(poses.skeleton)) if joints is None else [poses.skeleton.index(joint) for joint in joints]
    xyz[frames, :, list(columns)] = np.nan
    return Poses3D(xyz, skeleton=poses.skeleton, fps=poses.fps, space=poses.space)

"""A person who walks in a circle, for the fixtures of data sets: every joint that any of their layouts names."""

import numpy as np

from lift3d.geometry.cameras import Camera

THIGH, SHANK, UPPER_ARM, FOREARM = 0.45, 0.44, 0.29, 0.25
HIPS, HIP, SHOULDER = 0.95, 0.13, 0.18


def walker(frames: int, fps: float = 50.0, size: float = 1.0, phase: float = 0.0) -> dict[str, np.ndarray]:
    """Joints (frames, 3) in metres, world Z up, upright, walking round the origin; ``size`` scales the body."""
    time = np.arange(frames) / fps
    stride = 2 * np.pi * time + phase
    zero = np.zeros(frames)

    def place(forward: np.ndarray, left: float, up: np.ndarray) -> np.ndarray:
        return np.stack([forward + zero, left + zero, up + zero], axis=1)

    body = {
        "pelvis": place(zero, 0, HIPS + 0.02 * np.cos(2 * stride)), "spine": place(zero - 0.01, 0, 1.18 + zero),
        "thorax": place(zero, 0, 1.44 + zero), "nose": place(zero + 0.08, 0, 1.56 + zero),
        "head": place(zero + 0.02, 0, 1.58 + zero), "head_top": place(zero, 0, 1.70 + zero),
    }  # fmt: skip
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hip = body["pelvis"] + place(zero, sign * HIP, zero)
        swing = 0.4 * np.sin(stride) * sign
        bend = 0.3 - 0.25 * np.cos(stride) * sign
        knee = hip + THIGH * place(np.sin(swing), 0, -np.cos(swing))
        shoulder = body["thorax"] + place(zero, sign * SHOULDER, zero - 0.03)
        elbow = shoulder + UPPER_ARM * place(-np.sin(swing), 0, -np.cos(swing))
        body |= {
            f"{side}_hip": hip, f"{side}_knee": knee,
            f"{side}_ankle": knee + SHANK * place(np.sin(swing - bend), 0, -np.cos(swing - bend)),
            f"{side}_shoulder": shoulder, f"{side}_elbow": elbow,
            f"{side}_wrist": elbow + FOREARM * place(np.sin(0.5 - swing), 0, -np.cos(0.5 - swing)),
        }  # fmt: skip
    turn = 0.8 * time + phase
    right, ahead = np.cos(turn), np.sin(turn)
    for joint, xyz in body.items():
        x, y, z = size * xyz.T
        x = x + 0.0
        y = y - 1.2
        body[joint] = np.stack([right * x - ahead * y, ahead * x + right * y, z], axis=1)
    return body


def looking_at(
    name: str, centre: tuple[float, float, float], focal: float, size: tuple[int, int], distortion: list[float]
) -> Camera:
    """A level camera at a place of the world that looks at the middle of a person at the origin."""
    place = np.array(centre)
    forward = np.array([0.0, 0.0, 1.0]) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[focal, 0, size[0] / 2 + 7], [0, 1.002 * focal, size[1] / 2 - 5], [0, 0, 1]])
    return Camera(K, np.array(distortion), R, -R @ place, image_size=size, name=name)

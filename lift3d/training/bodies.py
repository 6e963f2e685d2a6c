"""Motion of varied people from recorded motion: windows, speeds, body sizes, mixed and turned limbs.

Recorded motion gives the directions of the bones; their lengths are drawn anew for every window from the proportions
of people, so that a lifter does not learn the figures of a few actors nor the joint definitions of one capture system.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lift3d.datasets.motion_bank import BANK_FPS, BANK_JOINTS, MotionBank
from lift3d.lifting.normalization import REFERENCE_HEIGHT
from lift3d.skeletons import H36M17, LIFTER23

J = {joint: index for index, joint in enumerate(BANK_JOINTS)}

# Lengths as a share of stature, mean and standard deviation: segment lengths of Drillis and Contini (1966) with the
# joint centres of detectors and of Human3.6M, whose hips and shoulders lie closer together than the body's outline.
PROPORTIONS = {
    "half_hips": (0.061, 0.010),
    "thigh": (0.243, 0.012),
    "shin": (0.243, 0.012),
    "trunk": (0.292, 0.016),
    "half_shoulders": (0.100, 0.011),
    "shoulder_drop": (0.004, 0.012),
    "upper_arm": (0.163, 0.010),
    "forearm": (0.149, 0.010),
    "head": (0.165, 0.013),
    "foot": (0.093, 0.012),
}


@dataclass(frozen=True)
class BodyMotion:
    """Motion of one person a window, metres, Z up, for a body of REFERENCE_HEIGHT.

    Attributes:
        target: (batch, frames, 17, 3) in the Human3.6M layout.
        seen: (batch, frames, 23, 3) where a detector would see the joints of the lifter's input layout.
    """

    target: Tensor
    seen: Tensor


@dataclass(frozen=True)
class BodyVariation:
    """How strongly windows are varied; probabilities are per window.

    Attributes:
        speed: (slowest, fastest) factor of playing speed, drawn log-uniformly.
        mix_probability: the upper body comes from another window.
        limb_probability, limb_degrees: arms and legs turned about shoulder and hip by a constant angle.
        lean_probability, lean_degrees: the whole body leant about a horizontal axis.
        lying_probability: the whole body turned to any orientation.
        definition_metres: how far detectors' joints lie from the targets', one standard deviation.
    """

    speed: tuple[float, float] = (0.6, 1.6)
    mix_probability: float = 0.35
    limb_probability: float = 0.5
    limb_degrees: float = 12.0
    lean_probability: float = 0.25
    lean_degrees: float = 14.0
    lying_probability: float = 0.03
    definition_metres: float = 0.018


def rotation_about(axis: Tensor, angle: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) about unit axes (..., 3) by angles (...,) in radians (Rodrigues' formula)."""
    x, y, z = axis.unbind(-1)
    zero = torch.zeros_like(x)
    cross: Tensor = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    sin, cos = angle.sin()[..., None, None], angle.cos()[..., None, None]
    return torch.eye(3) + sin * cross + (1 - cos) * (cross @ cross)


class BodySampler:
    """Draws windows of motion and varies them; everything is batched.

    Args:
        bank: the recorded motion.
        variation: how strongly to vary.
        fps: frames per second of the windows.
    """

    def __init__(self, bank: MotionBank, variation: BodyVariation, fps: float) -> None:
        self.bank, self.variation = bank, variation
        self.step = BANK_FPS / fps

    def sample(self, batch: int, frames: int, generator: torch.Generator) -> BodyMotion:
        """``batch`` windows of ``frames`` frames."""
        variation = self.variation
        positions = self._windows(batch, frames, generator)
        mixed = torch.rand(batch, generator=generator) < variation.mix_probability
        if mixed.any():
            others = self._windows(int(mixed.sum()), frames, generator)
            positions[mixed] = _mix_upper_body(positions[mixed], others)
        body = _rebuild(positions, generator)
        self._turn_limbs(body, generator)
        lean = self._lean(batch, generator).mT
        body = {joint: points @ lean for joint, points in body.items()}
        return BodyMotion(_target_joints(body), self._seen_joints(body, generator))

    def _windows(self, batch: int, frames: int, generator: torch.Generator) -> Tensor:
        """Recorded positions (batch, frames, bank joints, 3); clips shorter than a window hold their ends."""
        bank = self.bank
        clip = torch.multinomial(bank.weights, batch, replacement=True, generator=generator)
        slow, fast = (torch.tensor(limit).log() for limit in self.variation.speed)
        speed = (slow + (fast - slow) * torch.rand(batch, generator=generator)).exp() * self.step
        slack = bank.lengths[clip] - speed * frames * 0.5
        start = torch.rand(batch, generator=generator) * slack.clamp_min(1) - speed * frames * 0.25
        time = start[:, None] + speed[:, None] * torch.arange(frames)
        last = (bank.lengths[clip] - 1)[:, None]
        time = torch.minimum(time.clamp_min(0), last.float())
        whole = time.long().minimum((last - 1).clamp_min(0))
        share = (time - whole)[..., None, None]
        first = bank.starts[clip][:, None] + whole
        second = first + (last > 0).long()
        positions = torch.lerp(bank.positions[first], bank.positions[second], share)
        mirrored = torch.rand(batch, generator=generator) < 0.5
        positions[mirrored] = positions[mirrored][:, :, _MIRROR] * torch.tensor([-1.0, 1.0, 1.0])
        return positions

    def _turn_limbs(self, body: dict[str, Tensor], generator: torch.Generator) -> None:
        batch = body["pelvis"].shape[0]
        for root, chain in (("shoulder", ("elbow", "wrist")), ("hip", ("knee", "ankle", "heel", "big_toe"))):
            for side in ("left", "right"):
                axis = torch.nn.functional.normalize(torch.randn(batch, 3, generator=generator), dim=-1)
                angle = torch.randn(batch, generator=generator) * torch.pi / 180 * self.variation.limb_degrees
                angle = angle * (torch.rand(batch, generator=generator) < self.variation.limb_probability)
                rotation = rotation_about(axis, angle)[:, None]
                origin = body[f"{side}_{root}"]
                for joint in chain:
                    name = f"{side}_{joint}"
                    body[name] = origin + ((body[name] - origin)[..., None, :] @ rotation.mT)[..., 0, :]

    def _lean(self, batch: int, generator: torch.Generator) -> Tensor:
        """Rotations (batch, 3, 3) of whole bodies."""
        heading = torch.rand(batch, generator=generator) * 2 * torch.pi
        axis = torch.stack([heading.cos(), heading.sin(), torch.zeros(batch)], dim=-1)
        angle = torch.randn(batch, generator=generator) * torch.pi / 180 * self.variation.lean_degrees
        chance = torch.rand(batch, generator=generator)
        angle = torch.where(chance < self.variation.lean_probability, angle, 0.0)
        anyhow = torch.rand(batch, generator=generator) * torch.pi
        lying = chance > 1 - self.variation.lying_probability
        return rotation_about(axis, torch.where(lying, anyhow, angle))

    def _seen_joints(self, body: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        """The joints of the lifter's input layout, each at the place that one detector's training set gave it."""
        batch = body["pelvis"].shape[0]
        spread = self.variation.definition_metres

        def draw() -> Tensor:
            return spread * torch.randn(batch, 1, 1, generator=generator)

        lateral, forward, up = _axes(body["left_hip"] - body["right_hip"], body["thorax"] - body["pelvis"])
        chest_lateral, _, chest_up = _axes(body["left_shoulder"] - body["right_shoulder"], up)
        placed = dict(body)
        # Both sides share a definition; what is left differs a little.
        hip = (draw(), draw() + 0.01, draw())
        shoulder = (draw(), draw())
        slide = {joint: draw() for joint in ("elbow", "wrist", "knee", "ankle", "big_toe")}
        for side, sign in (("left", 1.0), ("right", -1.0)):
            for root, offset in (
                ("hip", sign * hip[0] * lateral + hip[1] * up + hip[2] * forward),
                ("shoulder", sign * shoulder[0] * chest_lateral + shoulder[1] * chest_up),
            ):
                placed[f"{side}_{root}"] = body[f"{side}_{root}"] + offset + 0.3 * draw() * lateral
            for root, joint in (
                ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "big_toe"),
            ):  # fmt: skip
                bone = body[f"{side}_{joint}"] - body[f"{side}_{root}"]
                bone = torch.nn.functional.normalize(bone, dim=-1)
                placed[f"{side}_{joint}"] = body[f"{side}_{joint}"] + (slide[joint] + 0.3 * draw()) * bone
        # "Neck" is the middle of the shoulders for some detectors and the throat for others.
        between = (placed["left_shoulder"] + placed["right_shoulder"]) / 2
        share = torch.rand(batch, 1, 1, generator=generator) * 1.3 - 0.2
        placed["neck"] = between + share * (body["thorax"] + 0.2 * (body["head_top"] - body["thorax"]) - between)
        placed["head_top"] = body["head_top"] + draw() * _unit(body["head_top"] - body["thorax"])
        placed |= _face(body, chest_lateral, generator)
        return torch.stack([placed[joint] for joint in LIFTER23.joints], dim=2)


_MIRROR = [J[name.replace("left", "*").replace("right", "left").replace("*", "right")] for name in BANK_JOINTS]


def _unit(vector: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vector, dim=-1)


def _axes(lateral: Tensor, up: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Orthonormal (to the left, forward, up) of a part of the body from two directions (..., 3)."""
    lateral = _unit(lateral)
    up = _unit(up - (up * lateral).sum(-1, keepdim=True) * lateral)
    return lateral, torch.linalg.cross(lateral, up), up


def _mix_upper_body(lower: Tensor, upper: Tensor) -> Tensor:
    """The trunk, head and arms of ``upper`` on the hips and legs of ``lower``, turned with its hips."""

    def frame(positions: Tensor) -> Tensor:
        hips = positions[:, :, J["left_hip"]] - positions[:, :, J["right_hip"]]
        trunk = positions[:, :, J["spine"]] - positions[:, :, J["pelvis"]]
        return torch.stack(_axes(hips, trunk), dim=-1)

    rotation = frame(lower) @ frame(upper).mT
    mixed = lower.clone()
    first = J["spine"]
    moved = (upper[:, :, first:] - upper[:, :, J["pelvis"], None]) @ rotation.mT
    mixed[:, :, first:] = lower[:, :, J["pelvis"], None] + moved
    return mixed


def _rebuild(positions: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Bodies of REFERENCE_HEIGHT with proportions drawn at random, posed as recorded: joint -> (batch, frames, 3)."""
    batch = positions.shape[0]
    share = {}
    for name, (mean, deviation) in PROPORTIONS.items():
        draw = torch.randn(batch, 1, 1, generator=generator).clamp(-2.5, 2.5)
        share[name] = mean + deviation * draw
    # Stature is what adds up from ankle to the top of the head, and 4.5 % of it below the ankle.
    stature = share["shin"] + share["thigh"] + share["trunk"] + share["head"]
    length = {name: value * (0.955 / stature) * REFERENCE_HEIGHT for name, value in share.items()}

    def way(start: str, end: str) -> Tensor:
        return _unit(positions[:, :, J[end]] - positions[:, :, J[start]])

    body = {}
    # Paths over the ground grow with the legs.
    recorded = positions[:, :, J["left_knee"]] - positions[:, :, J["left_hip"]]
    growth = length["thigh"] / recorded.norm(dim=-1, keepdim=True).mean(1, keepdim=True)
    body["pelvis"] = positions[:, :, J["pelvis"]] * growth
    body["spine"] = body["pelvis"] + 0.48 * length["trunk"] * way("pelvis", "spine")
    body["thorax"] = body["spine"] + 0.52 * length["trunk"] * way("spine", "neck_base")
    body["head_top"] = body["thorax"] + length["head"] * way("neck_base", "head_top")
    trunk_up = _unit(body["thorax"] - body["pelvis"])
    for side in ("left", "right"):
        across = way(f"{'right' if side == 'left' else 'left'}_hip", f"{side}_hip")
        hip = body[f"{side}_hip"] = body["pelvis"] + length["half_hips"] * across
        knee = body[f"{side}_knee"] = hip + length["thigh"] * way(f"{side}_hip", f"{side}_knee")
        shin = way(f"{side}_knee", f"{side}_ankle")
        ankle = body[f"{side}_ankle"] = knee + length["shin"] * shin
        foot = way(f"{side}_ankle", f"{side}_toe")
        body[f"{side}_big_toe"] = ankle + length["foot"] * foot
        sole = _unit(foot - (foot * shin).sum(-1, keepdim=True) * shin)
        body[f"{side}_heel"] = ankle + 0.05 * shin - 0.045 * sole
        shoulder = body["thorax"] + length["half_shoulders"] * way("neck_base", f"{side}_shoulder")
        shoulder = body[f"{side}_shoulder"] = shoulder - length["shoulder_drop"] * trunk_up
        elbow = body[f"{side}_elbow"] = shoulder + length["upper_arm"] * way(f"{side}_shoulder", f"{side}_elbow")
        body[f"{side}_wrist"] = elbow + length["forearm"] * way(f"{side}_elbow", f"{side}_wrist")
    lateral = _unit(body["left_shoulder"] - body["right_shoulder"])
    _, forward, _ = _axes(lateral, body["head_top"] - body["thorax"])
    # Human3.6M's "nose" is inside the head, half way up from the thorax and a little forward.
    body["nose"] = body["thorax"] + 0.5 * (body["head_top"] - body["thorax"]) + 0.03 * forward
    return body


def _target_joints(body: dict[str, Tensor]) -> Tensor:
    return torch.stack([body[joint] for joint in H36M17.joints], dim=2)


def _face(body: dict[str, Tensor], chest_lateral: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Nose, eyes and ears on a head that looks about: the recordings do not say where it looks."""
    batch, frames = chest_lateral.shape[:2]
    lateral, forward, up = _axes(chest_lateral, body["head_top"] - body["thorax"])
    glances = 0.45 * torch.randn(batch, 1, 6, generator=generator)
    yaw = torch.nn.functional.interpolate(glances, frames, mode="linear", align_corners=True)[:, 0, :, None]
    pitch = 0.25 * torch.randn(batch, 1, 1, generator=generator)
    forward, lateral = yaw.cos() * forward + yaw.sin() * lateral, yaw.cos() * lateral - yaw.sin() * forward
    forward, up = pitch.cos() * forward + pitch.sin() * up, pitch.cos() * up - pitch.sin() * forward
    size = (body["head_top"] - body["thorax"]).norm(dim=-1, keepdim=True) / 0.28
    middle = body["thorax"] + 0.58 * (body["head_top"] - body["thorax"])
    face = {"nose": middle + size * 0.11 * forward}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        face[f"{side}_eye"] = middle + size * (0.085 * forward + 0.035 * up + sign * 0.032 * lateral)
        face[f"{side}_ear"] = middle + size * (0.015 * up + sign * 0.075 * lateral)
    return face

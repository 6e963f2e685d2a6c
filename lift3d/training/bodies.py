"""Motion of varied people from recorded motion: windows, speeds, mixed and turned limbs.

Recorded motion gives the directions of the bones; ``lift3d.training.body_rig`` gives their lengths. Vectors are kept as
(batch, vectors, 3, frames): frames last is what makes every operation a run over contiguous memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.motion_bank import BANK_FPS, BANK_JOINTS, MotionBank
from lift3d.training.body_rig import BONES, LIMBS, SIDES, VECTORS, Joints, draw_joints
from lift3d.training.draws import Draws, knot_count, place_knots

# Seconds that a window may reach beyond the ends of its clip, where the person holds still.
HOLD_SECONDS = 0.7
# Seconds between two glances.
GLANCE_SECONDS = 0.6

# Bank joints at the start and the end of each bone; the hips' bone leads from the right one to the left one.
_ENDS = {
    "spine": ("pelvis", "spine"), "neck": ("spine", "neck_base"), "head": ("neck_base", "head_top"),
    "hips": ("right_hip", "left_hip"),
    **{f"{s}_shoulder": ("neck_base", f"{s}_shoulder") for s in SIDES},
    **{f"{s}_upper_arm": (f"{s}_shoulder", f"{s}_elbow") for s in SIDES},
    **{f"{s}_forearm": (f"{s}_elbow", f"{s}_wrist") for s in SIDES},
    **{f"{s}_thigh": (f"{s}_hip", f"{s}_knee") for s in SIDES},
    **{f"{s}_shin": (f"{s}_knee", f"{s}_ankle") for s in SIDES},
    **{f"{s}_foot": (f"{s}_ankle", f"{s}_toe") for s in SIDES},
}  # fmt: skip


@dataclass(frozen=True)
class BodyVariation:
    """How strongly windows are varied; probabilities are per window.

    Attributes:
        speed: (slowest, fastest) factor of playing speed, drawn log-uniformly.
        mix_probability: the upper body is that of another window of the batch.
        limb_mix_probability: an arm or a leg is that of yet another window, of each of them.
        limb_probability, limb_degrees: arms and legs turned about shoulder and hip by a constant angle.
        lean_probability, lean_degrees: the whole body leant about a horizontal axis.
        lying_probability: the whole body turned to any orientation.
        definition_metres: how far detectors' joints lie from the targets', one standard deviation.
    """

    speed: tuple[float, float] = (0.6, 1.6)
    mix_probability: float = 0.35
    limb_mix_probability: float = 0.0
    limb_probability: float = 0.5
    limb_degrees: float = 12.0
    lean_probability: float = 0.25
    lean_degrees: float = 14.0
    lying_probability: float = 0.03
    definition_metres: float = 0.018


@dataclass(frozen=True)
class PosedBodies:
    """Motion of one person a window, for bodies of REFERENCE_HEIGHT.

    Attributes:
        vectors: (batch, vectors, 3, frames) directions of VECTORS; "pelvis" is the path over the ground, metres, from
            where it is in the middle frame.
        joints: what makes joints of them.
        clip: (batch,) int64 clip of the bank.
    """

    vectors: np.ndarray
    joints: Joints
    clip: np.ndarray


class BodySampler:
    """Draws windows of motion and varies them; everything is batched.

    Args:
        bank: the recorded motion.
        variation: how strongly to vary.
        fps: frames per second of the windows.
    """

    def __init__(self, bank: MotionBank, variation: BodyVariation, fps: float) -> None:
        self.variation, self.fps = variation, fps
        self.starts, self.lengths = bank.starts.numpy(), bank.lengths.numpy()
        self.chances = (bank.weights.cumsum(0) / bank.weights.sum()).numpy()
        self.frames, self.bones = len(bank.positions), _bones(bank.positions).numpy()

    def sample(self, frames: int, view: np.ndarray, draws: Draws) -> PosedBodies:
        """One body a window of ``frames`` frames, turned by ``view`` (batch, 3, 3) after everything else."""
        from lift3d.training.body_kernels import pose
        from lift3d.training.compiled import over_windows

        variation, batch = self.variation, draws.batch
        recorded, thigh, clip = self.record(draws.uniform(4), frames)
        mixed, phase = draws.uniform(1 + len(LIMBS)), draws.uniform(1)
        chance = [variation.mix_probability] + [variation.limb_mix_probability] * len(LIMBS)
        source = np.where(mixed < chance, draws.others(len(chance)), np.arange(batch)[:, None])
        axes, angles = self._turns(draws)
        gaze = self._gaze(frames, phase, draws)
        vectors = np.empty((batch, len(VECTORS), 3, frames), np.float32)
        over_windows(pose, batch, recorded, source, axes, angles, view, np.cos(gaze), np.sin(gaze), vectors)
        joints = draw_joints(thigh, variation.definition_metres, draws)
        return PosedBodies(vectors, joints, clip)

    def record(self, numbers: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows of recorded motion, from four uniform numbers (windows, 4) each.

        A window starts up to ``HOLD_SECONDS`` before its clip and ends as much behind it, where the ends are held;
        a clip that is too short even so is played there and back.

        Returns:
            directions of BONES and pelvis, metres (windows, 17, 3, frames); length of the thigh, metres (windows,);
            clip (windows,).
        """
        from lift3d.training.body_kernels import read_motion
        from lift3d.training.compiled import over_windows

        choice, pace, place, side = numbers.T
        clip = np.minimum(np.searchsorted(self.chances, choice, side="right"), len(self.chances) - 1)
        slow, fast = (math.log(limit) for limit in self.variation.speed)
        speed = np.exp(slow + (fast - slow) * pace) * (BANK_FPS / self.fps)
        last = (self.lengths[clip] - 1).astype(np.float32)
        hold = speed * (HOLD_SECONDS * self.fps)
        whole = last + 2 * hold
        room = whole - speed * (frames - 1)
        start = place * np.where(room > 0, room, whole)
        row = self.starts[clip] + (side < 0.5) * self.frames
        recorded, thigh = np.empty((len(clip), len(BONES) + 1, 3, frames), np.float32), np.empty(len(clip), np.float32)
        over_windows(read_motion, len(clip), self.bones, row, last, hold, start, speed, recorded, thigh)
        return recorded, thigh, clip

    def _gaze(self, frames: int, phase: np.ndarray, draws: Draws) -> np.ndarray:
        """Turn of the head (windows, frames) in radians, from glance to glance; ``phase`` (windows, 1) is in 0..1."""
        spacing = GLANCE_SECONDS * self.fps
        glances = 0.45 * draws.normal(knot_count(frames, spacing))
        knot, share = place_knots(frames, spacing, phase)
        knot += np.arange(glances.size, step=glances.shape[1], dtype=np.int32)[:, None]
        last, coming = glances.take(knot), glances.take(knot + 1)
        gaze: np.ndarray = last + share * (coming - last)
        return gaze

    def _turns(self, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """Unit axes (windows, limbs + 1, 3) and angles (windows, limbs + 1) of turns of each limb, and last of all."""
        variation, limbs = self.variation, len(LIMBS)
        axis, angle = draws.normal(limbs * 3).reshape(-1, limbs, 3), draws.normal(limbs + 1)
        turned = draws.uniform(limbs) < variation.limb_probability
        heading, anyhow, kind = draws.uniform(3).T
        # Whole bodies lean a little about a horizontal axis, or lie any way.
        heading = 2 * math.pi * heading
        level = np.stack([np.cos(heading), np.sin(heading), np.zeros_like(heading)], axis=-1)
        lean = math.radians(variation.lean_degrees) * angle[:, limbs] * (kind < variation.lean_probability)
        lean = np.where(kind > 1 - variation.lying_probability, math.pi * anyhow, lean)
        axes = np.concatenate([axis / np.sqrt((axis * axis).sum(-1, keepdims=True)), level[:, None]], axis=1)
        angles = math.radians(variation.limb_degrees) * angle[:, :limbs] * turned
        return axes, np.concatenate([angles, lean[:, None]], axis=1)


def rotation_about(axis: Tensor, angle: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) about unit axes (..., 3) by angles (...,) in radians (Rodrigues' formula)."""
    sin, cos = angle.sin(), angle.cos()
    x, y, z = (axis * sin[..., None]).unbind(-1)
    across = torch.stack([cos, -z, y, z, cos, -x, -y, x, cos], dim=-1).unflatten(-1, (3, 3))
    rotation: Tensor = across + axis[..., None] * (axis * (1 - cos)[..., None])[..., None, :]
    return rotation


def _bones(positions: Tensor) -> Tensor:
    """(2 frames + 1, 17, 3) bones and pelvis of a bank, below the same in the mirror, and the last row again."""
    joint = {name: positions[:, index] for index, name in enumerate(BANK_JOINTS)}
    bones = torch.stack([joint[end] - joint[start] for start, end in map(_ENDS.__getitem__, BONES)], dim=1)
    other = {"left": "right", "right": "left"}
    mirrored = [BONES.index("_".join([other.get(part, part) for part in bone.split("_")])) for bone in BONES]
    image = torch.cat([bones[:, mirrored], joint["pelvis"][:, None]], dim=1) * torch.tensor([-1.0, 1.0, 1.0])
    # From the right hip to the left one: their names change places in the mirror.
    image[:, BONES.index("hips")] *= -1
    return torch.cat([torch.cat([bones, joint["pelvis"][:, None]], dim=1), image, image[-1:]])

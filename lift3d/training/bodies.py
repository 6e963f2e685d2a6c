"""Motion of varied people from recorded motion: windows, speeds, mixed and turned limbs.

Recorded motion gives the directions of the bones; ``lift3d.training.body_rig`` gives their lengths. Vectors are kept as
(batch, vectors, 3, frames): frames last is what makes every operation a run over contiguous memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lift3d.datasets.motion_bank import BANK_FPS, BANK_JOINTS, MotionBank
from lift3d.training.body_rig import BONES, SIDES, UPPER_BONES, VECTORS, Joints, V, draw_joints
from lift3d.training.draws import Draws, knots

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
# What is turned as one: each arm and each leg.
_LIMBS = [slice(V[f"{s}_upper_arm"], V[f"{s}_forearm"] + 1) for s in SIDES]
_LIMBS += [slice(V[f"{s}_thigh"], V[f"{s}_foot"] + 1) for s in SIDES]
_LIMB_OF = [
    next((k for k, limb in enumerate(_LIMBS) if limb.start <= bone < limb.stop), len(_LIMBS))
    for bone in range(len(BONES) + 1)
]
_UPPER = slice(len(UPPER_BONES))


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

    vectors: Tensor
    joints: Joints
    clip: Tensor

    def seen(self) -> Tensor:
        """(batch, 23, 3, frames) where a detector would see the joints of LIFTER23, metres."""
        return _weighted(self.joints.seen, self.vectors)

    def target(self, frames: slice = slice(None)) -> Tensor:
        """(batch, 17, 3, frames) the joints of H36M17, metres."""
        return _weighted(self.joints.target, self.vectors[..., frames])

    def middle(self) -> Tensor:
        """(batch, 3) mean of the target's joints in the middle frame, metres."""
        vectors = self.vectors[..., self.vectors.shape[-1] // 2]
        return (self.joints.target.mean(1)[..., None] * vectors).sum(1)

    def pelvis(self) -> Tensor:
        """(batch, 3, frames), metres."""
        return self.joints.target[:, :1, V["pelvis"], None] * self.vectors[:, V["pelvis"]]


class BodySampler:
    """Draws windows of motion and varies them; everything is batched.

    Args:
        bank: the recorded motion.
        variation: how strongly to vary.
        fps: frames per second of the windows.
    """

    def __init__(self, bank: MotionBank, variation: BodyVariation, fps: float) -> None:
        self.variation, self.fps = variation, fps
        self.starts, self.lengths = bank.starts, bank.lengths
        self.chances = bank.weights.cumsum(0) / bank.weights.sum()
        self.frames, self.bones = len(bank.positions), _bones(bank.positions)

    def sample(self, frames: int, view: Tensor, draws: Draws) -> PosedBodies:
        """One body a window of ``frames`` frames, turned by ``view`` (batch, 3, 3) after everything else."""
        variation, batch = self.variation, draws.batch
        numbers = draws.uniform(6 + len(_LIMBS))
        recorded, clip = self._windows(numbers[:, :4], frames)
        directions = recorded[:, :-1]
        lengths = _length(directions)
        thigh = lengths[:, V["left_thigh"]].mean((1, 2))
        directions /= lengths.clamp_min_(1e-6)
        _mix(recorded, _UPPER, numbers[:, 4] < variation.mix_probability, draws.other(1))
        for limb, bones in enumerate(_LIMBS):
            _mix(recorded, bones, numbers[:, 6 + limb] < variation.limb_mix_probability, draws.other(2 + limb))
        recorded[:, -1] -= recorded[:, -1, :, frames // 2, None].clone()
        vectors = recorded.new_empty(batch, len(VECTORS), 3, frames)
        turned = vectors[:, : len(_LIMB_OF)]
        turned.copy_(self._turns(view, draws)[:, _LIMB_OF] @ recorded)
        glances = knots(frames, GLANCE_SECONDS * self.fps, numbers[:, 5])
        gaze = 0.45 * draws.normal(glances.shape[1])[:, None] @ glances
        _derive(vectors, gaze)
        return PosedBodies(vectors, draw_joints(thigh, variation.definition_metres, draws), clip)

    def _windows(self, numbers: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Recorded bones and pelvis (windows, 17, 3, frames) and their clips, from four uniform numbers a window.

        A window starts up to ``HOLD_SECONDS`` before its clip and ends as much behind it, where the ends are held;
        a clip that is too short even so is played there and back.
        """
        clip = torch.searchsorted(self.chances, numbers[:, 0].double(), right=True).clamp_max(len(self.chances) - 1)
        slow, fast = (torch.tensor(limit).log() for limit in self.variation.speed)
        speed = (slow + (fast - slow) * numbers[:, 1]).exp() * BANK_FPS / self.fps
        last = (self.lengths[clip] - 1).float()
        hold = speed * HOLD_SECONDS * self.fps
        whole = last + 2 * hold
        room = whole - speed * (frames - 1)
        start = numbers[:, 2] * torch.where(room > 0, room, whole)
        time = start[:, None] + speed[:, None] * torch.arange(frames)
        whole = whole[:, None]
        time = time - 2 * whole * (time / (2 * whole)).floor()
        time = whole - (time - whole).abs()
        last = last[:, None]
        time = torch.minimum((time - hold[:, None]).clamp_min(0), last)
        before = torch.minimum(time.floor(), (last - 1).clamp_min(0))
        mirrored = (numbers[:, 3] < 0.5) * self.frames
        row = (self.starts[clip] + mirrored)[:, None] + before.long()
        pairs = torch.as_strided(self.bones, (len(self.bones) - 1, 2 * self.bones.shape[1]), (self.bones.shape[1], 1))
        first, second = pairs.index_select(0, row.flatten()).unflatten(0, row.shape).chunk(2, dim=-1)
        # Frame by frame as it is stored, then frames last.
        between = torch.lerp(first, second, (time - before)[..., None])
        return between.transpose(1, 2).contiguous().unflatten(1, (-1, 3)), clip

    def _turns(self, view: Tensor, draws: Draws) -> Tensor:
        """Rotations (batch, limbs + 1, 3, 3) of each limb, and last of all else; ``view`` (batch, 3, 3) comes last."""
        variation, limbs = self.variation, len(_LIMBS)
        axis, angle = draws.normal(limbs * 4 + 1).split([limbs * 3, limbs + 1], dim=1)
        chance = draws.uniform(limbs + 3)
        axis = axis.unflatten(1, (limbs, 3))
        axis = axis / axis.square().sum(-1, keepdim=True).sqrt()
        turned = chance[:, :limbs] < variation.limb_probability
        turn = angle[:, :limbs] * (variation.limb_degrees * torch.pi / 180) * turned
        # Whole bodies lean a little about a horizontal axis, or lie any way.
        heading, anyhow, kind = chance[:, limbs:].unbind(1)
        heading = 2 * torch.pi * heading
        level = torch.stack([heading.cos(), heading.sin(), torch.zeros_like(heading)], dim=-1)
        lean = angle[:, limbs] * (variation.lean_degrees * torch.pi / 180) * (kind < variation.lean_probability)
        lean = torch.where(kind > 1 - variation.lying_probability, torch.pi * anyhow, lean)
        rotation = rotation_about(torch.cat([axis, level[:, None]], 1), torch.cat([turn, lean[:, None]], 1))
        rotation[:, -1] = view @ rotation[:, -1]
        rotation[:, :-1] = rotation[:, :-1] @ rotation[:, -1:]
        return rotation


def rotation_about(axis: Tensor, angle: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) about unit axes (..., 3) by angles (...,) in radians (Rodrigues' formula)."""
    x, y, z = axis.unbind(-1)
    zero = torch.zeros_like(x)
    cross: Tensor = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    sin, cos = angle.sin()[..., None, None], angle.cos()[..., None, None]
    rotation: Tensor = torch.eye(3) + sin * cross + (1 - cos) * (cross @ cross)
    return rotation


def _bones(positions: Tensor) -> Tensor:
    """(2 frames + 1, 3 bones + 3) bones and pelvis of a bank, below the same in the mirror, and the last row again."""
    joint = {name: positions[:, index] for index, name in enumerate(BANK_JOINTS)}
    bones = torch.stack([joint[end] - joint[start] for start, end in map(_ENDS.__getitem__, BONES)], dim=1)
    other = {"left": "right", "right": "left"}
    mirrored = [BONES.index("_".join([other.get(part, part) for part in bone.split("_")])) for bone in BONES]
    image = torch.cat([bones[:, mirrored], joint["pelvis"][:, None]], dim=1) * torch.tensor([-1.0, 1.0, 1.0])
    # From the right hip to the left one: their names change places in the mirror.
    image[:, BONES.index("hips")] *= -1
    return torch.cat([torch.cat([bones, joint["pelvis"][:, None]], dim=1), image, image[-1:]]).flatten(1)


def _weighted(weights: Tensor, vectors: Tensor) -> Tensor:
    """(batch, joints, vectors) and (batch, vectors, 3, frames) -> (batch, joints, 3, frames)."""
    joints: Tensor = torch.bmm(weights, vectors.flatten(2)).unflatten(2, (3, -1))
    return joints


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Products (..., 1, frames) of vectors (..., 3, frames)."""
    (ax, ay, az), (bx, by, bz) = a.unbind(-2), b.unbind(-2)
    return (ax * bx).addcmul_(ay, by).addcmul_(az, bz)[..., None, :]


def _length(a: Tensor) -> Tensor:
    return _dot(a, a).sqrt_()


def _upright(up: Tensor, lateral: Tensor, out: Tensor) -> None:
    """Unit vectors across ``lateral`` that point as nearly as can be where ``up`` does; all (..., 3, frames)."""
    torch.sub(up, _dot(up, lateral) * lateral, out=out)
    out /= _length(out).clamp_min_(1e-6)


def _cross(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Cross products of vectors (..., 3, frames)."""
    (ax, ay, az), (bx, by, bz) = a.unbind(-2), b.unbind(-2)
    for axis, (p, q, r, s) in enumerate(((ay, bz, az, by), (az, bx, ax, bz), (ax, by, ay, bx))):
        torch.mul(p, q, out=out[..., axis, :]).addcmul_(r, s, value=-1)


def _mix(recorded: Tensor, bones: slice, chosen: Tensor, other: Tensor) -> None:
    """Replace bones by those of another window, turned as the other's trunk is to be turned to stand as the own.

    Args:
        recorded: (windows, 17, 3, frames) unit vectors in the order of BONES, and the pelvis; changed in place.
        bones: which of them. Arms keep their place about the chest, anything else about the hips.
        chosen: (windows,) bool, where.
        other: (windows,) int64, of which window.
    """
    rows = chosen.nonzero()[:, 0]
    axes = _chest_axes if bones in _LIMBS[:2] else _hip_axes
    to, away, moved = axes(recorded[rows]), axes(recorded[other[rows]]), recorded[other[rows], bones]
    # Rotations as rows and columns (windows, 3, 1, 3, frames), each axis a column of both frames.
    rotation = to[0][:, :, None, None] * away[0][:, None, None]
    for axis in (1, 2):
        rotation.addcmul_(to[axis][:, :, None, None], away[axis][:, None, None])
    recorded[rows, bones] = torch.cat([_dot(rotation[:, row], moved) for row in range(3)], dim=-2)


def _hip_axes(bones: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Orthonormal axes (windows, 3, frames) to the left, up and forward of the hips of BONES."""
    return _axes(bones[:, V["hips"]], bones[:, V["spine"]])


def _chest_axes(bones: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As ``_hip_axes``, of the chest."""
    lateral = bones[:, V["left_shoulder"]] - bones[:, V["right_shoulder"]]
    return _axes(lateral / _length(lateral).clamp_min_(1e-6), bones[:, V["neck"]])


def _axes(lateral: Tensor, spine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``lateral``, and the axes upward and forward that belong to it and to ``spine``."""
    up, forward = torch.empty_like(spine), torch.empty_like(spine)
    _upright(spine, lateral, out=up)
    _cross(lateral, up, out=forward)
    return lateral, up, forward


def _derive(vectors: Tensor, gaze: Tensor) -> None:
    """Fill in the derived vectors from the bones, in place; ``gaze`` (batch, 1, frames) is the turn of the head."""
    vector = {name: vectors[:, index] for name, index in V.items()}
    torch.add(0.48 * vector["spine"], vector["neck"], alpha=0.52, out=vector["trunk"])
    vector["trunk"] /= _length(vector["trunk"]).clamp_min_(1e-6)
    legs = vectors[:, V["left_thigh"] : V["right_foot"] + 1].unflatten(1, (2, 3))
    _upright(legs[:, :, 2], legs[:, :, 1], out=vectors[:, V["left_sole"] : V["right_sole"] + 1])
    chest, hips = vector["chest_lateral"], vector["hips"]
    torch.sub(vector["left_shoulder"], vector["right_shoulder"], out=chest)
    chest /= _length(chest).clamp_min_(1e-6)
    _upright(vector["trunk"], hips, out=vector["hips_up"])
    _cross(hips, vector["hips_up"], out=vector["hips_forward"])
    _upright(vector["hips_up"], chest, out=vector["chest_up"])
    _upright(vector["head"], chest, out=vector["head_up"])
    _cross(chest, vector["head_up"], out=vector["head_forward"])
    # The recordings do not say where the head looks.
    cos, sin = gaze.cos(), gaze.sin()
    torch.add(cos * vector["head_forward"], sin * chest, out=vector["gaze_forward"])
    torch.sub(cos * chest, sin * vector["head_forward"], out=vector["gaze_lateral"])

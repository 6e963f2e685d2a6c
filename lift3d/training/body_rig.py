"""Bodies as matrices: where joints lie is linear in the directions of the bones, with lengths of people as weights.

Lengths are drawn anew for every window from the proportions of people, so that a lifter does not learn the figures of a
few actors nor the joint definitions of one capture system.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lift3d.lifting.normalization import REFERENCE_HEIGHT
from lift3d.skeletons import H36M17, LIFTER23
from lift3d.training.draws import Draws

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
_MEAN, _DEVIATION = np.array(list(PROPORTIONS.values()), np.float32).T

SIDES = ("left", "right")
# Directions of bones: those that the upper body of another window may replace, and those of hips and legs.
UPPER_BONES = ("spine", "neck", "head", *(f"{s}_{b}" for s in SIDES for b in ("shoulder", "upper_arm", "forearm")))
LOWER_BONES = ("hips", *(f"{s}_{b}" for s in SIDES for b in ("thigh", "shin", "foot")))
# What is turned as one: each arm and each leg.
LIMBS = [[f"{s}_{b}" for b in ("upper_arm", "forearm")] for s in SIDES]
LIMBS += [[f"{s}_{b}" for b in ("thigh", "shin", "foot")] for s in SIDES]
# Directions that follow from those of the bones; ``gaze`` is where the face looks.
DERIVED = (
    "trunk", "left_sole", "right_sole", "chest_lateral", "chest_up", "hips_forward", "hips_up", "head_forward",
    "head_up", "gaze_forward", "gaze_lateral",
)  # fmt: skip
BONES = UPPER_BONES + LOWER_BONES
VECTORS = (*BONES, "pelvis", *DERIVED)
V = {vector: index for index, vector in enumerate(VECTORS)}

# (joint, bone that leads to it) down each limb.
_CHAINS = {
    "shoulder": (("elbow", "upper_arm"), ("wrist", "forearm")),
    "hip": (("knee", "thigh"), ("ankle", "shin"), ("big_toe", "foot")),
}
_SLIDING = tuple(joint for chain in _CHAINS.values() for joint, _ in chain)
# How detectors' joints lie beside the targets', one number each: shared by both sides, and of each side by itself.
_SHARED = ("hip_lateral", "hip_up", "hip_forward", "shoulder_lateral", "shoulder_up", "head_top", *_SLIDING)
_OWN = tuple(f"{side}_{joint}" for side in SIDES for joint in ("hip", "shoulder", *_SLIDING))
# Everything that joints are linear in: metres, or shares of ``face_size``.
_PARAMETERS = (
    *PROPORTIONS, *(f"{name}_offset" for name in _SHARED + _OWN),
    "growth", "metre", "face_size", "face_cos", "face_sin",
)  # fmt: skip
_P = {parameter: index for index, parameter in enumerate(_PARAMETERS)}
_NECK = LIFTER23.index("neck")
_THORAX, _HEAD_TOP = H36M17.index("thorax"), H36M17.index("head_top")


@dataclass(frozen=True)
class Joints:
    """Weights that make joints out of VECTORS, metres.

    Attributes:
        seen: (batch, 23, vectors) joints of LIFTER23, where a detector sees them.
        target: (batch, 17, vectors) joints of H36M17.
    """

    seen: np.ndarray
    target: np.ndarray


def draw_joints(recorded_thigh: np.ndarray, definition_metres: float, draws: Draws) -> Joints:
    """Bodies of REFERENCE_HEIGHT with proportions drawn at random.

    Args:
        recorded_thigh: (batch,) recorded length of the thighs, metres: paths over the ground grow with the legs.
        definition_metres: how far detectors' joints lie from the targets', one standard deviation.
        draws: random numbers.
    """
    lengths = _MEAN + _DEVIATION * draws.normal(len(PROPORTIONS)).clip(-2.5, 2.5)
    # Stature is what adds up from ankle to the top of the head, and 4.5 % of it below the ankle.
    stature = lengths[:, [_P[name] for name in ("shin", "thigh", "trunk", "head")]].sum(1, keepdims=True)
    lengths *= 0.955 * REFERENCE_HEIGHT / stature
    growth = lengths[:, _P["thigh"], None] / recorded_thigh[:, None]
    face_size = lengths[:, _P["head"], None] / 0.28
    shared, own = definition_metres * draws.normal(len(_SHARED)), 0.3 * definition_metres * draws.normal(len(_OWN))
    pitch = 0.25 * draws.normal(1)
    face = face_size, face_size * np.cos(pitch), face_size * np.sin(pitch)
    numbers = np.concatenate([lengths, shared, own, growth, np.ones_like(growth), *face], axis=1)
    seen, target = (_weigh(numbers, *terms) for terms in _terms())
    # "Neck" is the middle of the shoulders for some detectors and the throat for others.
    throat = 0.8 * target[:, _THORAX] + 0.2 * target[:, _HEAD_TOP]
    seen[:, _NECK] += (draws.uniform(1) * 1.3 - 0.2) * (throat - seen[:, _NECK])
    return Joints(seen, target)


def _weigh(numbers: np.ndarray, joints: int, places: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Weights (windows, joints, vectors) of the numbers of windows (windows, parameters), and of ``_terms``."""
    from lift3d.training.joint_kernels import weigh

    weights = np.zeros((len(numbers), joints, len(VECTORS)), np.float32)
    weigh(numbers, places, factors, weights)
    return weights


@lru_cache
def _terms() -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Of the seen joints, with the neck between the shoulders, and of the target: how many joints, and their terms.

    Each term is a (parameter, joint, vector) and a factor: joints are the sums of number times direction.
    """
    body = _body()
    seen = _seen(body)
    joints = [seen[joint] for joint in LIFTER23.joints], [body[joint] for joint in H36M17.joints]
    rigs = [np.stack(each, axis=1) for each in joints]
    return [(rig.shape[1], np.argwhere(rig), rig[rig != 0].astype(np.float32)) for rig in rigs]


def _term(parameter: str, vector: str) -> np.ndarray:
    """(parameters, vectors): one number times one direction."""
    term = np.zeros((len(_PARAMETERS), len(VECTORS)))
    term[_P[parameter], V[vector]] = 1.0
    return term


def _body() -> dict[str, np.ndarray]:
    """The target's joints, the toes and the heels."""
    body = {"pelvis": _term("growth", "pelvis")}
    body["spine"] = body["pelvis"] + 0.48 * _term("trunk", "spine")
    body["thorax"] = body["spine"] + 0.52 * _term("trunk", "neck")
    body["head_top"] = body["thorax"] + _term("head", "head")
    # Human3.6M's "nose" is inside the head, half way up from the thorax and a little forward.
    body["nose"] = body["thorax"] + 0.5 * _term("head", "head") + 0.03 * _term("metre", "head_forward")
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        body[f"{side}_hip"] = body["pelvis"] + sign * _term("half_hips", "hips")
        shoulder = _term("half_shoulders", f"{side}_shoulder") - _term("shoulder_drop", "trunk")
        body[f"{side}_shoulder"] = body["thorax"] + shoulder
        for root, chain in _CHAINS.items():
            place = body[f"{side}_{root}"]
            for joint, bone in chain:
                place = body[f"{side}_{joint}"] = place + _term(bone, f"{side}_{bone}")
        heel = 0.05 * _term("metre", f"{side}_shin") - 0.045 * _term("metre", f"{side}_sole")
        body[f"{side}_heel"] = body[f"{side}_ankle"] + heel
    return body


def _seen(body: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The joints of LIFTER23, each at the place that one detector's training set gave it."""

    def offset(name: str, vector: str) -> np.ndarray:
        return _term(f"{name}_offset", vector)

    seen = dict(body)
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        # Both sides share a definition; what is left differs a little.
        seen[f"{side}_hip"] = (
            body[f"{side}_hip"]
            + sign * offset("hip_lateral", "hips")
            + offset("hip_up", "hips_up") + 0.01 * _term("metre", "hips_up")
            + offset("hip_forward", "hips_forward")
            + offset(f"{side}_hip", "hips")
        )  # fmt: skip
        seen[f"{side}_shoulder"] = (
            body[f"{side}_shoulder"]
            + sign * offset("shoulder_lateral", "chest_lateral")
            + offset("shoulder_up", "chest_up")
            + offset(f"{side}_shoulder", "hips")
        )
        for chain in _CHAINS.values():
            for joint, bone in chain:
                along = f"{side}_{bone}"
                slide = offset(joint, along) + offset(f"{side}_{joint}", along)
                seen[f"{side}_{joint}"] = body[f"{side}_{joint}"] + slide
    seen["neck"] = (seen["left_shoulder"] + seen["right_shoulder"]) / 2
    seen["head_top"] = body["head_top"] + offset("head_top", "head")
    # Nose, eyes and ears on a head that nods by an angle and looks about.
    forward = _term("face_cos", "gaze_forward") + _term("face_sin", "head_up")
    up = _term("face_cos", "head_up") - _term("face_sin", "gaze_forward")
    lateral = _term("face_size", "gaze_lateral")
    middle = body["thorax"] + 0.58 * _term("head", "head")
    seen["nose"] = middle + 0.11 * forward
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        seen[f"{side}_eye"] = middle + 0.085 * forward + 0.035 * up + sign * 0.032 * lateral
        seen[f"{side}_ear"] = middle + 0.015 * up + sign * 0.075 * lateral
    return seen

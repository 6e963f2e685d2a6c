"""The joints of recorded motion, whatever its source calls them and wherever its skeleton puts them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lift3d.errors import SkeletonError
from lift3d.skeletons import H36M17

# Where Human3.6M's spine joint lies on the way from the hips to the base of the neck.
SPINE_FRACTION = 0.48
# How far the top of the head lies from the base of the neck, beside the skull's joint: in CMU's skeletons, with both.
HEAD_FRACTION = 1.5
# Human3.6M's nose is inside the head, half way up from the thorax and a little forward.
NOSE_FRACTION, NOSE_FORWARD = 0.5, 0.03
# What sources call a joint, best first; others go by their own name.
SPELLINGS = {
    "neck_base": ("neck_base", "thorax", "neck"),
    "thorax": ("neck_base", "thorax", "neck"),
    "head_top": ("head_top", "head_end"),
    "head": ("head", "skull", "face"),
    **{
        f"{side}_toe": tuple(f"{side}_{name}" for name in ("toe_base", "toe_end", "big_toe", "toe", "foot"))
        for side in ("left", "right")
    },
}


def place_joints(names: Sequence[str], positions: np.ndarray, wanted: Sequence[str]) -> np.ndarray:
    """Joints that every recording of a body has, or that can be placed from what it has.

    The pelvis is the middle of the hips, as Human3.6M's is. The spine lies at a fixed share of the trunk, the nose
    within the head. Where the top of the head is missing it is the skull's joint, drawn out.

    Args:
        names: the source's joints, in lift3d's spelling.
        positions: (frames, joints, 3) metres; NaN where missing.
        wanted: joints of ``h36m17``, and "neck_base" (the same as "thorax"), "left_toe" and "right_toe".

    Returns:
        (frames, wanted joints, 3) float64, metres.

    Raises:
        SkeletonError: a joint is missing in all frames; names it.
    """
    body = _Body(names, np.asarray(positions, dtype=np.float64))
    return np.stack([body.place(joint) for joint in wanted], axis=1)


class _Body:
    """Joints by name, each placed when it is asked for."""

    def __init__(self, names: Sequence[str], positions: np.ndarray) -> None:
        self._column = {joint: column for column, joint in enumerate(names)}
        self._positions = positions
        self._is_human36m = set(H36M17.joints) <= set(names)

    def place(self, joint: str) -> np.ndarray:
        """(frames, 3)."""
        derived = {"pelvis": self._hips, "spine": self._spine, "nose": self._nose, "head_top": self._head_top}
        if joint in derived and not self._is_human36m:
            return derived[joint]()
        return self._named(joint)

    def _named(self, joint: str) -> np.ndarray:
        place = self._find(joint)
        if place is None:
            raise SkeletonError(f"there is no {' or '.join(SPELLINGS.get(joint, (joint,)))}")
        return place

    def _find(self, joint: str) -> np.ndarray | None:
        """The joint under the first of its names that has a place: in all frames, or else in some."""
        places = [
            self._positions[:, self._column[name]] for name in SPELLINGS.get(joint, (joint,)) if name in self._column
        ]
        for enough in (np.all, np.any):
            for place in places:
                if enough(np.isfinite(place)):
                    return place
        return None

    def _hips(self) -> np.ndarray:
        return np.asarray((self._named("left_hip") + self._named("right_hip")) / 2)

    def _spine(self) -> np.ndarray:
        between = [place for joint in ("spine_low", "spine_mid") if (place := self._find(joint)) is not None]
        return _along([self._hips(), *between, self._named("neck_base")], SPINE_FRACTION)

    def _head_top(self) -> np.ndarray:
        top = self._find("head_top")
        if top is not None:
            return top
        neck = self._named("neck_base")
        return np.asarray(neck + HEAD_FRACTION * (self._named("head") - neck))

    def _nose(self) -> np.ndarray:
        neck = self._named("neck_base")
        up = self._head_top() - neck
        forward = np.cross(self._named("left_shoulder") - self._named("right_shoulder"), up)
        forward /= np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
        return np.asarray(neck + NOSE_FRACTION * up + NOSE_FORWARD * forward)


def guess_toes(xyz: np.ndarray) -> np.ndarray:
    """Toes of poses that have none, at right angles to the shins and in the direction in which the hips face.

    Args:
        xyz: (frames, 17, 3) joints of ``h36m17``, metres.

    Returns:
        (frames, 2, 3) the left and the right toe.
    """
    joint = {name: xyz[:, index] for index, name in enumerate(H36M17.joints)}
    forward = np.cross(joint["left_hip"] - joint["right_hip"], joint["thorax"] - joint["pelvis"])
    toes = []
    for side in ("left", "right"):
        shin = joint[f"{side}_ankle"] - joint[f"{side}_knee"]
        foot = (
            forward
            - (forward * shin).sum(-1, keepdims=True) / np.maximum((shin**2).sum(-1, keepdims=True), 1e-9) * shin
        )
        foot /= np.maximum(np.linalg.norm(foot, axis=-1, keepdims=True), 1e-9)
        toes.append(joint[f"{side}_ankle"] + 0.15 * foot)
    return np.stack(toes, axis=1)


def _along(points: list[np.ndarray], fraction: float) -> np.ndarray:
    """The place (frames, 3) at a fraction of the length of a chain of points, each (frames, 3)."""
    steps = [np.linalg.norm(b - a, axis=-1, keepdims=True) for a, b in pairwise(points)]
    target = fraction * sum(steps)
    place, walked = points[0], np.zeros_like(steps[0])
    for start, end, step in zip(points, points[1:], steps, strict=False):
        share = np.clip((target - walked) / np.maximum(step, 1e-9), 0, 1)
        place = np.where(target >= walked, start + share * (end - start), place)
        walked = walked + step
    return place

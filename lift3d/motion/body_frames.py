"""Places of the body and the coordinate systems of its segments, from joint centres, in any layout.

Axes are those of the ISB: **x forward, y up, z to the right** of the person, right-handed. Joint centres lack what the
ISB takes from skin landmarks (the spines of the pelvis, the epicondyles), so that

- the pelvis has its z along the hips, and its tilt from the lower trunk: towards ``spine`` where the layout has it,
  else towards ``neck``;
- the thorax has its y from ``spine`` (else the middle of the hips) to ``neck``, and its x at right angles to the
  shoulders;
- a thigh or an upper arm turns about its own axis as the plane of the knee or elbow does, where that is bent.

Source: G. Wu et al., "ISB recommendation on definitions of joint coordinate systems of various joints", part I,
J. Biomechanics 35 (2002) and part II, J. Biomechanics 38 (2005).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from lift3d.skeletons import Skeleton

# Places that layouts name differently or lack: for each the choices in order of preference, and each choice the joints
# whose middle it is. Every other place is the joint of its name.
PLACES: dict[str, tuple[tuple[str, ...], ...]] = {
    "pelvis": (("left_hip", "right_hip"), ("pelvis",)),
    "spine": (("spine",), ("spine_mid",)),
    "neck": (("thorax",), ("neck",), ("neck_base",), ("left_shoulder", "right_shoulder")),
    "shoulders": (("left_shoulder", "right_shoulder"),),
    "ears": (("left_ear", "right_ear"),),
    "head_top": (("head_top",), ("head_end",)),
    "head": (("head_top",), ("head_end",), ("left_ear", "right_ear"), ("head",), ("skull",)),
    "left_toes": (("left_big_toe", "left_small_toe"), ("left_big_toe",)),
    "right_toes": (("right_big_toe", "right_small_toe"), ("right_big_toe",)),
}
# Joints closer than this, in metres, have no direction between them.
LEAST_LENGTH = 1e-6


class Body:
    """The places and segment frames of people over time.

    Args:
        points: (..., joints, 3) metres, NaN where missing.
        skeleton: the layout. Of a place with several choices the first is taken whose joints are seen together at all.
    """

    def __init__(self, points: np.ndarray, skeleton: Skeleton) -> None:
        self._points = np.asarray(points, dtype=np.float64)
        self._skeleton = skeleton
        self._places: dict[str, np.ndarray] = {}
        self._seen: dict[tuple[str, ...], bool] = {}

    def elsewhere(self, points: np.ndarray) -> Body:
        """The body with other points (..., joints, 3), each place being given by the same joints as here."""
        moved = Body(points, self._skeleton)
        for place in PLACES:
            self.joints_of(place)
        moved._seen = self._seen
        return moved

    def at(self, place: str) -> np.ndarray:
        """(..., 3) metres where a place of the body is; NaN where it is missing."""
        if place not in self._places:
            joints = self.joints_of(place)
            chosen = self._points[..., [self._skeleton.index(joint) for joint in joints], :]
            nowhere = np.full((*self._points.shape[:-2], 3), np.nan)
            self._places[place] = chosen.mean(axis=-2) if joints else nowhere
        return self._places[place]

    def joints_of(self, place: str) -> tuple[str, ...]:
        """The layout's joints that give a place; none if it has none."""
        choices = PLACES.get(place, ((place,),))
        known = [choice for choice in choices if all(joint in self._skeleton.joints for joint in choice)]
        seen = [choice for choice in known if self._together(choice)]
        return (seen or known or [()])[0]

    def _together(self, joints: tuple[str, ...]) -> bool:
        if joints not in self._seen:
            chosen = self._points[..., [self._skeleton.index(joint) for joint in joints], :]
            self._seen[joints] = bool(np.isfinite(chosen).all(axis=(-2, -1)).any())
        return self._seen[joints]

    def has(self, place: str) -> bool:
        """Whether the place is seen at all."""
        joints = self.joints_of(place)
        return bool(joints) and self._together(joints)

    def along(self, start: str, end: str) -> np.ndarray:
        """(..., 3) the unit vector from one place to another."""
        return unit(self.at(end) - self.at(start))

    @cached_property
    def pelvis(self) -> np.ndarray:
        """(..., 3, 3) the pelvis: rows x, y, z."""
        z = self.along("left_hip", "right_hip")
        x = unit(np.cross(self.at("spine" if self.has("spine") else "neck") - self.at("pelvis"), z))
        return np.stack([x, np.cross(z, x), z], axis=-2)

    @cached_property
    def thorax(self) -> np.ndarray:
        """(..., 3, 3) the thorax: rows x, y, z."""
        y = self.along("spine" if self.has("spine") else "pelvis", "neck")
        x = unit(np.cross(y, self.at("right_shoulder") - self.at("left_shoulder")))
        return np.stack([x, y, np.cross(x, y)], axis=-2)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) at length 1; NaN where they have none."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > LEAST_LENGTH, length, np.nan))


def dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The scalar products (...) of vectors (..., 3)."""
    return np.asarray(np.einsum("...i,...i->...", first, second))


def seen_in(frame: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors (..., 3) by their parts along the x, y and z (...) of a segment's frame (..., 3, 3)."""
    x, y, z = np.moveaxis(np.einsum("...ij,...j->...i", frame, vectors), -1, 0)
    return x, y, z

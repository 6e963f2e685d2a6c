"""Bones that keep their length: the ties between the joints of one person.

A bone between joints a and b of length L adds ``(|x_b - x_a| - L)^2 / s^2`` to the sum of squares in every frame. The
spread s is a few millimetres and not 0, because the places that detectors show are not the joints' centres of
rotation and move on the body; it is larger for pairs that are no real bone, such as nose and shoulder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lift3d.errors import ShapeError, SkeletonError
from lift3d.skeletons import Skeleton

# The least spread of a bone's length, metres.
LEAST_SPREAD = 0.003
# A bone that is off by this many times its spread counts half.
TRUSTED = 3.0
# The median of the square of a normal variable, in units of its variance.
MEDIAN_SQUARE = 0.455


@dataclass(frozen=True, eq=False)
class Bones:
    """The bones of one person.

    Attributes:
        parents, children: (bones,) joint indices.
        lengths: (bones,) metres.
        spread: (bones,) metres, one standard deviation of the length over time.
        given: (bones,) bool, whether the length was given and is kept.
    """

    parents: np.ndarray
    children: np.ndarray
    lengths: np.ndarray
    spread: np.ndarray
    given: np.ndarray

    @classmethod
    def measure(
        cls, skeleton: Skeleton, points: np.ndarray, known: np.ndarray, lengths: Mapping[str, float] | None = None
    ) -> Self:
        """The bones of a person's motion: median lengths, and how far they scatter about them.

        Args:
            skeleton: the layout.
            points: (joints, frames, 3) metres.
            known: (joints, frames) bool, where the points mean something; a bone that is never known is left out.
            lengths: metres by the name of the bone's outer joint, for bones whose length is known already.

        Raises:
            SkeletonError: a named joint is not in the layout, or has no parent.
            ShapeError: a given length is not a positive number.
        """
        fixed = given_lengths(skeleton, lengths or {})
        pairs = [bone for bone in skeleton.bones if (known[bone[0]] & known[bone[1]]).any()]
        ends = np.array(pairs, dtype=np.intp).reshape(-1, 2)
        given = np.array([child in fixed for _, child in pairs], dtype=bool)
        start = np.array([fixed.get(child, 0.0) for _, child in pairs])
        return cls(ends[:, 0], ends[:, 1], start, np.full(len(pairs), LEAST_SPREAD), given).learn(points, known)

    def __len__(self) -> int:
        return len(self.parents)

    def learn(self, points: np.ndarray, known: np.ndarray, sample: np.ndarray | None = None) -> Self:
        """The same bones with the lengths and spreads of other points (joints, frames, 3).

        ``sample`` (joints, frames, 3) is one draw of the points' error: what is not known of a length adds to what
        it is seen to scatter.
        """
        both = known[self.parents] & known[self.children]
        vectors = points[self.children] - points[self.parents]
        sizes = np.linalg.norm(vectors, axis=-1)
        lengths = [
            kept if given else np.median(size[use])
            for size, use, kept, given in zip(sizes, both, self.lengths, self.given, strict=True)
        ]
        squares = (sizes - np.array(lengths).reshape(-1, 1)) ** 2
        variance = [np.median(square[use]) / MEDIAN_SQUARE for square, use in zip(squares, both, strict=True)]
        if sample is not None:
            error = ((sample[self.children] - sample[self.parents]) * vectors).sum(-1) / np.maximum(sizes, 1e-9)
            variance = [known + np.mean(e[use] ** 2) for known, e, use in zip(variance, error, both, strict=True)]
        return replace(self, lengths=np.array(lengths), spread=np.maximum(np.sqrt(variance), LEAST_SPREAD))


def given_lengths(skeleton: Skeleton, lengths: Mapping[str, float]) -> dict[int, float]:
    """Lengths in metres by the index of the bone's outer joint. Raises as ``Bones.measure``."""
    fixed = {}
    for joint, length in lengths.items():
        if skeleton.parents[child := skeleton.index(joint)] < 0:
            raise SkeletonError(f"joint {joint!r} of skeleton {skeleton.name!r} has no parent: there is no such bone")
        if not (np.isfinite(length) and 0 < length < 3):
            raise ShapeError(f"the length of the bone to {joint!r} must be in metres (0 to 3), not {length}")
        fixed[child] = float(length)
    return fixed


class BoneTerms:
    """The bones' share of the normal equations about given points (joints, frames, 3).

    Args:
        bones: lengths and spreads.
        points: (joints, frames, 3) metres.
        known: (joints, frames) bool; a bone counts where both its ends are known.
    """

    def __init__(self, bones: Bones, points: np.ndarray, known: np.ndarray) -> None:
        self._parents, self._children = bones.parents, bones.children
        self._joints = len(points)
        vectors = points[bones.children] - points[bones.parents]
        sizes = np.sqrt(np.einsum("bfi,bfi->bf", vectors, vectors))
        both = (known[bones.parents] & known[bones.children]) & (sizes > 1e-6)
        residual = (sizes - bones.lengths[:, None]) / bones.spread[:, None]
        weight = both / (1 + (residual / TRUSTED) ** 2)
        # Rows of the Jacobian in units of the spread, weighted: each term is (row . step + residual)^2.
        root = np.sqrt(weight)
        self.rows = vectors * (root / (bones.spread[:, None] * np.where(both, sizes, 1.0)))[..., None]
        self.residual = residual * root

    def spread(self, values: np.ndarray) -> np.ndarray:
        """The Jacobian's transpose: (bones, frames) to (joints, frames, 3)."""
        forces = values[..., None] * self.rows
        return self._gather(-forces, forces)

    def gradient(self) -> np.ndarray:
        """(joints, frames, 3) the direction of descent."""
        return -self.spread(self.residual)

    def add_blocks(self, blocks: np.ndarray) -> np.ndarray:
        """Blocks (6, joints, frames) of every joint and frame on its own, with the bones' share added."""
        x, y, z = np.moveaxis(self.rows, -1, 0)
        shares = np.stack([x * x, x * y, x * z, y * y, y * z, z * z], axis=-1)
        return np.asarray(blocks + np.moveaxis(self._gather(shares, shares), -1, 0))

    def multiply_across(self, points: np.ndarray) -> np.ndarray:
        """The product of (joints, frames, 3) with what ties different joints, everything but ``add_blocks``."""
        at_parent = np.einsum("bfi,bfi->bf", self.rows, points[self._parents])
        at_child = np.einsum("bfi,bfi->bf", self.rows, points[self._children])
        return self._gather(-at_child[..., None] * self.rows, -at_parent[..., None] * self.rows)

    def _gather(self, parents: np.ndarray, children: np.ndarray) -> np.ndarray:
        """(joints, frames, ...) the sums of what each bone (bones, frames, ...) gives to its ends."""
        # A product with the incidence matrix would be done by BLAS in threads, which wait for each other.
        sums = np.zeros((self._joints, *parents.shape[1:]))
        for bone, (parent, child) in enumerate(zip(self._parents, self._children, strict=True)):
            sums[parent] += parents[bone]
            sums[child] += children[bone]
        return sums

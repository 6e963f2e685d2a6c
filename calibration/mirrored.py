"""Cameras whose images are mirrored (a webcam's self view), told by how the cameras of a rig contradict each other.

A mirrored image of a chessboard is a proper image of a chessboard, so that one camera alone cannot show it, and a rig
of which all images are mirrored is a proper rig of a mirrored world. But a mirrored camera b beside another one, a,
has the board turned by ``R_b' = M R_b N``, where ``M = diag(-1, 1, 1)`` mirrors the image and N the board, along its
rows or its columns, whichever keeps the colours. The turn from a to b, ``R_b R_a^T``, is the same at all moments, but
``R_b' R_a^T`` is not; and it is ``M R_b' N R_a^T`` that is constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from lift3d.calibration.structure import BoardPoses

# With fewer shared moments turns may agree by chance.
LEAST_MOMENTS = 4
# Degrees of disagreement that a board found alone by each camera has anyway, and how many times better the mirrored
# reading must fit.
COMMON_ERROR, TIMES_BETTER = 4.0, 3.0
IMAGE = np.diag([-1.0, 1.0, 1.0])
BOARD = np.stack([np.diag([-1.0, 1.0, 1.0]), np.diag([1.0, -1.0, 1.0])])


def mirrored_cameras(poses: Sequence[BoardPoses]) -> tuple[int, ...]:
    """The cameras whose images seem to be mirrored.

    Args:
        poses: for each camera the board in its own space, found from its own images; NaN where it could not say.

    Returns:
        Indices of the mirrored cameras. Where as many seem mirrored as not, all cameras of which one half must be.
        Empty where the cameras agree, or share too little to tell.
    """
    count = len(poses)
    mirrored = np.zeros((count, count), dtype=bool)
    linked = np.zeros((count, count), dtype=bool)
    for a, b in combinations(range(count), 2):
        shared = np.isfinite(poses[a].t).all(axis=-1) & np.isfinite(poses[b].t).all(axis=-1)
        if shared.sum() < LEAST_MOMENTS:
            continue
        first, second = poses[a].R[shared], poses[b].R[shared]
        plain = disagreement(second @ first.mT)
        turned = min(disagreement(IMAGE @ second @ board @ first.mT) for board in BOARD)
        linked[a, b] = linked[b, a] = True
        mirrored[a, b] = mirrored[b, a] = plain > COMMON_ERROR and turned * TIMES_BETTER < plain
    if not mirrored.any():
        return ()
    found: list[int] = []
    waiting = set(range(count))
    while waiting:
        group = _sides(min(waiting), linked, mirrored)
        waiting -= group.keys()
        sides = [[camera for camera, side in group.items() if side is which] for which in (False, True)]
        few, many = sorted(sides, key=len)
        found += few + many if len(few) == len(many) else few
    return tuple(sorted(found))


def disagreement(turns: np.ndarray) -> float:
    """Degrees by which half of the rotations (n, 3, 3) differ from the one in their midst."""
    cosines = (np.einsum("aij,bij->ab", turns, turns) - 1) / 2
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    return float(np.median(angles, axis=1).min())


def _sides(start: int, linked: np.ndarray, mirrored: np.ndarray) -> dict[int, bool]:
    """The cameras that links reach from one, each with whether it is mirrored if that one is not."""
    sides = {start: False}
    stack = [start]
    while stack:
        camera = stack.pop()
        for other in np.flatnonzero(linked[camera]).tolist():
            if other not in sides:
                sides[other] = sides[camera] ^ bool(mirrored[camera, other])
                stack.append(other)
    return sides

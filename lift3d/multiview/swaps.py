"""Left and right that a detector took for each other, found from the other cameras and from time.

Of every camera, frame and part of the body (legs, arms, head) it is asked whether left and right are exchanged. An
answer costs what the other cameras' points say against it (squared reprojection errors in units of the noise, cut off
where a joint is plainly wrong), what the frames beside it say (squared displacements in units of the usual one), and a
little for an exchange at all. Camera by camera the least cost over all frames is found exactly, by the Viterbi
algorithm on two states, until no camera changes its mind; the time grows linearly with frames and cameras.

Two cameras cannot tell which of them has exchanged the sides for a whole clip, nor any number of cameras that all have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift3d.geometry.cameras import Camera
from lift3d.geometry.robust_triangulation import triangulate_robustly
from lift3d.geometry.triangulation import triangulate_points
from lift3d.skeletons import Skeleton

LEGS = ("hip", "knee", "ankle", "heel", "toe", "foot")
HEAD = ("eye", "ear", "mouth")
# A joint counts as no further off than this many standard deviations, squared.
CUT = 12.0
# What an exchange costs a frame, beside what speaks for it: chance speaks for it too.
PRICE = 4.0
ROUNDS = 3
# Up to this many cameras each is judged by the others alone; of more, one camera weighs little among all.
JUDGED_APART = 6


def body_parts(skeleton: Skeleton) -> dict[str, list[tuple[int, int]]]:
    """(left, right) pairs of joints by the part of the body that a detector may exchange as a whole."""
    parts: dict[str, list[tuple[int, int]]] = {"legs": [], "arms": [], "head": []}
    for left, right in skeleton.pairs:
        words = skeleton.joints[left].split("_")[1:]
        part = (
            "legs" if any(word in LEGS for word in words) else "head" if any(word in HEAD for word in words) else "arms"
        )
        parts[part].append((left, right))
    return {name: pairs for name, pairs in parts.items() if pairs}


def find_swaps(
    cameras: Sequence[Camera],
    xy: np.ndarray,
    weights: np.ndarray,
    skeleton: Skeleton,
    noise: np.ndarray,
) -> dict[str, np.ndarray]:
    """Where a detector exchanged left and right.

    Args:
        cameras: C calibrated cameras, two or more.
        xy: (C, frames, joints, 2) pixels of one person, NaN where missing.
        weights: (C, frames, joints), as in ``triangulate_points``.
        skeleton: the joint layout.
        noise: (joints,) pixels, as ``estimate_noise`` gives it.

    Returns:
        (C, frames) bool for each part of the body.
    """
    return {
        part: _find_swaps_of_part(cameras, xy, weights, noise, np.array(pairs))
        for part, pairs in body_parts(skeleton).items()
    }


def exchange(array: np.ndarray, swaps: dict[str, np.ndarray], skeleton: Skeleton) -> np.ndarray:
    """Joints (C, frames, joints, ...) with left and right exchanged where ``swaps`` says so."""
    result = array.copy()
    for part, pairs in body_parts(skeleton).items():
        left, right = np.array(pairs).T
        camera, frame = np.nonzero(swaps[part])
        result[camera[:, None], frame[:, None], left] = array[camera[:, None], frame[:, None], right]
        result[camera[:, None], frame[:, None], right] = array[camera[:, None], frame[:, None], left]
    return result


def _find_swaps_of_part(
    cameras: Sequence[Camera], xy: np.ndarray, weights: np.ndarray, noise: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
    """(C, frames) bool; ``pairs`` (k, 2) are the joints of the part."""
    joints = pairs.T.ravel()  # all left ones, then all right ones
    mirror = np.roll(np.arange(len(joints)), len(pairs))
    noise = noise[joints].astype(xy.dtype)
    weights = weights[:, :, joints]
    both = np.isfinite(xy[:, :, joints, 0]) & (weights > 0)
    both &= both[:, :, mirror]
    # The two readings of a camera, as the detector said it and with the sides exchanged.
    readings = np.where(both[..., None], xy[:, :, joints], np.float32(np.nan))
    readings = np.stack([readings, readings[:, :, mirror]])
    weights = np.stack([weights, weights[:, :, mirror]])
    links = [_continuity(motion, mirror) for motion in readings[0]]
    # Time alone first: who jumps from one side to the other and back has exchanged them, and nobody else is blamed.
    price = np.broadcast_to([0.0, PRICE], (xy.shape[1], 2))
    swapped = np.stack([_cheapest_states(price, *link) for link in links])
    for _ in range(ROUNDS):
        before = swapped.copy()
        for index in range(len(cameras)):
            if index == 0 or len(cameras) <= JUDGED_APART:
                taken = np.where(swapped[..., None, None], readings[1], readings[0])
                trust = np.where(swapped[..., None], weights[1], weights[0])
                expected = None
            if len(cameras) == 2:
                costs = [
                    _contradiction(cameras, _replaced(taken, index, side), _replaced(trust, index, weight), noise)
                    for side, weight in zip(readings[:, index], weights[:, index], strict=True)
                ]
            else:
                if expected is None:
                    judges = [k for k in range(len(cameras)) if k != index or len(cameras) > JUDGED_APART]
                    rest = [cameras[k] for k in judges]
                    expected = triangulate_robustly(rest, taken[judges], trust[judges], noise, covariance=False).points
                place = cameras[index].project(expected)
                costs = [_distance(side, place, noise, mirror) for side in readings[:, index]]
            swapped[index] = _cheapest_states(np.stack(costs, axis=-1) + price, *links[index])
        if (swapped == before).all():
            break
    return swapped


def _replaced(array: np.ndarray, index: int, values: np.ndarray) -> np.ndarray:
    result = array.copy()
    result[index] = values
    return result


def _contradiction(cameras: Sequence[Camera], xy: np.ndarray, weights: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(frames,) how much two cameras contradict each other."""
    found = triangulate_points(cameras, xy, weights, noise, covariance=False)
    squares = found.reprojection_error**2 * weights.sum(0) / noise**2
    # Rays that meet nowhere contradict as much as can be.
    squares = np.where(np.isfinite(xy).all((0, -1)) & np.isnan(squares), CUT, squares)
    return np.asarray(np.nansum(np.minimum(squares, CUT), axis=-1))


def _distance(xy: np.ndarray, expected: np.ndarray, noise: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """(frames,) how far joints (frames, joints, 2) lie from where they are expected."""
    squares = np.minimum(((xy - expected) ** 2).sum(-1) / noise**2, CUT)
    # A pair of which one side is unknown would compare numbers of joints.
    known = np.isfinite(squares) & np.isfinite(expected[:, mirror, 0])
    return np.asarray(np.where(known, squares, 0).sum(-1))


def _continuity(xy: np.ndarray, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(frames - 1,) costs between frames: of both being read alike, and of one being exchanged."""
    before, after = xy[:-1], xy[1:]
    stay = ((after - before) ** 2).sum(-1)
    change = ((after[:, mirror] - before) ** 2).sum(-1)
    usual = np.nanmedian(np.minimum(stay, change)) if np.isfinite(stay).any() else 1.0
    known = np.isfinite(stay) & np.isfinite(stay[:, mirror])
    scale = 2 * max(float(usual), 1.0)
    stay, change = (np.where(known, np.minimum(cost / scale, CUT), 0).sum(-1) for cost in (stay, change))
    return stay, change


def _cheapest_states(unary: np.ndarray, stay: np.ndarray, change: np.ndarray) -> np.ndarray:
    """(frames,) bool, the states of least cost: ``unary`` (frames, 2) of each, and of staying and changing between.

    The Viterbi algorithm as a parallel prefix over matrices in which products are sums and sums are minima.
    """
    pairs = np.stack([np.stack([stay, change], -1), np.stack([change, stay], -1)], -2)  # (frames - 1, from, to)
    start = np.zeros((1, 2, 2))
    forward = _prefix(np.concatenate([start, pairs]) + unary[:, None])[:, 0]
    backward = _prefix(np.concatenate([start, pairs[::-1]]) + unary[::-1, None])[::-1, 0]
    total = forward + backward - unary
    return np.asarray(total[:, 1] < total[:, 0])


def _prefix(matrices: np.ndarray) -> np.ndarray:
    """(n, 2, 2) the products of the first 1, 2, ... n matrices, by doubling (Hillis and Steele 1986)."""
    products = matrices.copy()
    reach = 1
    while reach < len(products):
        left, right = products[:-reach], products[reach:]
        products[reach:] = np.minimum(left[:, :, :1] + right[:, :1], left[:, :, 1:] + right[:, 1:])
        reach *= 2
    return products

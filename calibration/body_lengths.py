"""The scale of a rig from one known length of the people it sees: their stature, or a distance between two joints."""

from __future__ import annotations

import numpy as np

from lift3d.errors import CameraError, ShapeError
from lift3d.skeletons import Skeleton

# Lengths as a share of stature, of the joints that detectors see (R. Drillis and R. Contini, "Body Segment Parameters",
# 1966, as in ``lift3d.training.bodies``): from ankle to the top of the head they add up to 0.955.
SHARES = {"shin": 0.246, "thigh": 0.246, "trunk": 0.296, "head": 0.167}
# The ends of each, as joints whose middle is meant.
_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
ENDS: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "shin": [((f"{side}_knee",), (f"{side}_ankle",)) for side in ("left", "right")],
    "thigh": [((f"{side}_hip",), (f"{side}_knee",)) for side in ("left", "right")],
    "trunk": [(_HIPS, _SHOULDERS)],
    "head": [(_SHOULDERS, ("head_top",))],
}
# A person's stature and a measured distance, metres.
STATURES, DISTANCES = (0.3, 2.8), (0.02, 20.0)


def known_scale(
    skeleton: Skeleton, points: np.ndarray, height: float | None, distance: tuple[str, str, float] | None
) -> float | None:
    """The factor that gives the people their known length, None if none is known.

    Args:
        skeleton: the layout.
        points: (frames, people, joints, 3) metres as yet; NaN where missing.
        height: the stature of the one person, metres.
        distance: (joint, joint, metres), on all people.

    Raises:
        ShapeError: a length that people cannot have.
        SkeletonError: the layout has no such joint.
        CameraError: the joints were never seen.
    """
    if height is not None:
        if not STATURES[0] <= height <= STATURES[1]:
            raise ShapeError(f"height must be a person's stature in metres (0.3 to 2.8), not {height}")
        return height / stature(skeleton, points)
    if distance is not None:
        first, second, metres = distance
        if not DISTANCES[0] <= metres <= DISTANCES[1] or first == second:
            raise ShapeError(f"distance must be between two joints, 0.02 to 20 metres, not {distance}")
        measured = _length(skeleton, points, ((first,), (second,)))
        if measured is None:
            raise CameraError(f"{first} and {second} are never seen together, so that their distance is not known")
        return metres / measured
    return None


def stature(skeleton: Skeleton, points: np.ndarray) -> float:
    """A person's height in the unit of the points: the sum of legs, trunk and head, over their share of it.

    Args:
        skeleton: the layout.
        points: (..., joints, 3) of one person; NaN where missing. Each length is the median over all frames.

    Raises:
        CameraError: neither legs nor trunk were seen.
    """
    total = share = 0.0
    for part, ends in ENDS.items():
        lengths = [
            length
            for pair in ends
            if all(joint in skeleton.joints for end in pair for joint in end)
            and (length := _length(skeleton, points, pair)) is not None
        ]
        if lengths:
            total += float(np.mean(lengths))
            share += SHARES[part]
    if share < SHARES["thigh"] + SHARES["shin"]:
        raise CameraError("neither legs nor trunk of the person are seen, so that the height gives no scale")
    return total / share


def _length(skeleton: Skeleton, points: np.ndarray, ends: tuple[tuple[str, ...], tuple[str, ...]]) -> float | None:
    first, second = (points[..., [skeleton.index(joint) for joint in end], :].mean(axis=-2) for end in ends)
    lengths = np.linalg.norm(first - second, axis=-1)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if lengths.size else None

"""Clips that can be played again and again: where a motion comes back to itself, and its ends made to meet.

A pose is compared, and blended, as it stands before its own body: without the place on the ground and the direction
that the body faces. Both are put back by the steps from frame to frame, so that a walk goes on walking.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lift3d.errors import Lift3DError, ShapeError
from lift3d.geometry.level import from_level, to_level
from lift3d.motion.gaps import USUAL_FPS
from lift3d.motion.root import heading, root_position
from lift3d.poses import Poses3D, add_step

PATHS = ("keep", "straight", "in_place")
# Seconds: the shortest loop, the time over which its end is blended, and what a difference of speeds counts for.
SHORTEST, BLEND, SPEED_WEIGHT = 1.0, 0.2, 0.1
# A shorter loop is taken if it is not worse than the best by more than this part, or than this many metres.
TOLERANCE, SAME = 1.1, 0.001
# Pairs of frames that are compared; of a long clip every so many frames are tried as a start.
COMPARED = 10_000_000


@dataclass(frozen=True)
class Loop:
    """Frames ``start`` up to but without ``stop``; frame ``stop`` is like frame ``start``.

    ``distance`` is how far joints are apart there, metres, speeds included (root mean square).
    """

    start: int
    stop: int
    distance: float


def find_loop(poses: Poses3D, shortest: float = SHORTEST, blend: float = BLEND) -> Loop:
    """The loop whose ends are most alike in pose and speed; of those about as good, the shortest.

    Args:
        poses: in any space; joints that are missing in some frame are not compared.
        shortest: seconds that the loop must last.
        blend: seconds that must be there before its start, for ``make_loop``.

    Raises:
        Lift3DError: the clip is too short, or no joint is seen throughout.

    Source: L. Kovar, M. Gleicher, F. Pighin, "Motion graphs", SIGGRAPH 2002, section 3 (point clouds aligned on the
    ground, over frames beside each other).
    """
    rate = poses.fps or USUAL_FPS
    least, lead = max(2, round(shortest * rate)), round(blend * rate)
    if poses.frames < least + lead + 1:
        raise Lift3DError(
            f"a loop of {shortest:g} s with {blend:g} s before it does not fit into {poses.frames} frames"
        )
    features = _features(poses, rate)
    step = -(-(poses.frames**2) // COMPARED)
    stops = np.arange(lead, poses.frames)
    start, stop = _best(features, stops[::step], stops, least)
    if step > 1:
        near = np.arange(-step, step + 1)
        start, stop = _best(
            features,
            np.unique(np.clip(start + near, lead, stops[-1])),
            np.unique(np.clip(stop + near, lead, stops[-1])),
            least,
        )
    count = features.shape[1] // 6
    return Loop(int(start), int(stop), float(np.sqrt(((features[start] - features[stop]) ** 2).sum() / count)))


def _features(poses: Poses3D, rate: float) -> np.ndarray:
    """Places and weighted speeds of the joints before the body, (frames, 6 x joints)."""
    local, _, _ = _body(poses)
    whole = np.isfinite(local[..., 0]).all(axis=0)
    if not whole.any():
        raise Lift3DError("no joint is seen in every frame, so no loop can be found; fill gaps or choose people first")
    places = local[:, whole].reshape(len(local), -1)
    return np.concatenate([places, SPEED_WEIGHT * rate * np.gradient(places, axis=0)], axis=1)


def _best(features: np.ndarray, starts: np.ndarray, stops: np.ndarray, least: int) -> tuple[int, int]:
    """The pair of frames at least ``least`` apart whose features differ least, or nearly, and is the shortest."""
    squares = (features**2).sum(axis=1)
    count = features.shape[1] // 6
    distance = squares[starts, None] + squares[stops] - 2 * features[starts] @ features[stops].T
    distance = np.sqrt(np.maximum(distance, 0) / count)
    length = stops - starts[:, None]
    distance[length < least] = np.inf
    good = distance <= max(TOLERANCE * distance.min(), distance.min() + SAME)
    length = np.where(good, length, np.iinfo(np.int64).max)
    shortest = length == length.min()
    start, stop = np.unravel_index(np.argmin(np.where(shortest, distance, np.inf)), distance.shape)
    return int(starts[start]), int(stops[stop])


def make_loop(poses: Poses3D, start: int, stop: int, blend: float = BLEND, path: str = "keep") -> Poses3D:
    """Cut out a loop and blend its end into its start, so that pose and speed go on when it begins again.

    Args:
        poses: in any space.
        start, stop: frames; the loop ends before ``stop``, whose pose should be like that of ``start``.
        blend: seconds at the end that pass over into the frames before ``start``, of which as many as there are are
            used.
        path: "keep" leaves turn and way of a round as they are, so that the next begins where this one ends;
            "straight" takes the turn out; "in_place" takes turn and way out, so that the first frame follows the last.

    Returns:
        ``stop - start`` frames.

    Raises:
        ShapeError: the frames are not in the clip, or an unknown path.
    """
    if not 0 <= start < stop <= poses.frames or stop - start < 2:
        raise ShapeError(f"a loop from frame {start} to {stop} does not lie within {poses.frames} frames")
    if path not in PATHS:
        raise ShapeError(f"path must be one of {', '.join(PATHS)}, not {path!r}")
    length = stop - start
    local, place, facing = _body(poses)
    lead = min(round(blend * (poses.fps or USUAL_FPS)), start, length - 1)
    weight = np.zeros(length)
    if lead:
        part = np.arange(1, lead + 1) / (lead + 1)
        weight[-lead:] = part * part * (3 - 2 * part)
    again = np.clip(np.arange(start, stop) - length, 0, None)
    again[weight == 0] = start

    def blended(values: np.ndarray) -> np.ndarray:
        w = weight.reshape(-1, *[1] * (values.ndim - 1))
        mixed = (1 - w) * values[start:stop] + w * values[again]
        return np.where(np.isfinite(mixed), mixed, values[start:stop])

    # The steps on the ground, as the body sees them, and its turns; those of the last frame lead into the first.
    turns = blended(_steps(facing))
    steps = blended(_turned(_steps(place), -facing))
    if path != "keep":
        turns = turns - turns.mean(axis=0)
    angle = facing[start] + np.concatenate([np.zeros_like(turns[:1]), np.cumsum(turns, axis=0)[:-1]])
    ground = _turned(steps, angle)
    if path == "in_place":
        ground = ground - ground.mean(axis=0)
    way = place[start] + np.concatenate([np.zeros_like(ground[:1]), np.cumsum(ground, axis=0)[:-1]])
    xyz = _turned(blended(local), angle[:, :, None]) + way[:, :, None]
    chosen = poses.select(slice(start, stop))
    changed: dict[str, Any] = {"xyz": from_level(xyz, poses.space), "reprojection_error": None, "covariance": None}
    note = f"loop of frames {start} to {stop - 1}, its last {lead} blended into its start" + (
        "" if path == "keep" else f", path {path.replace('_', ' ')}"
    )
    return replace(chosen, **changed, keypoints=None, provenance=add_step(poses.provenance, note))


def _body(poses: Poses3D) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The joints before the body (frames, people, joints, 3), its place on the ground and its heading."""
    level = to_level(poses.xyz.astype(np.float64), poses.space)
    place = np.nan_to_num(root_position(level, poses.skeleton)) * [1, 1, 0]
    facing = heading(level, poses.skeleton)
    return _turned(level - place[:, :, None], -facing[:, :, None]), place, facing


def _turned(points: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Points (..., 3) turned about the vertical by radians (...)."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([cos * x - sin * y, sin * x + cos * y, z + 0 * cos], axis=-1)


def _steps(values: np.ndarray) -> np.ndarray:
    """The way to the next frame; that of the last frame is as long as the one before."""
    steps = np.diff(values, axis=0)
    return np.concatenate([steps, steps[-1:]])

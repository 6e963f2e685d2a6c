"""When feet are on the ground, and how far they slide while they are.

A foot is on the ground while one of its points (heel, toes, ankle) is both as low as that point gets in the clip and
slow. Heights need a level floor, which only world space has: in camera space speed alone decides, and a foot at the
turning point of a kick counts as standing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.errors import Lift3DError, SkeletonError
from lift3d.motion.kinematics import derivative
from lift3d.poses import Poses3D
from lift3d.skeletons import Skeleton

FEET = ("left_foot", "right_foot")
# The joints of a foot that stand on the ground or at a constant height above it.
POINTS = ("heel", "big_toe", "small_toe", "toe_base", "toe", "ankle")
# A point's height above the floor when it stands: this percentile of its heights over the clip.
STANDING_PERCENTILE = 5.0
# Metres above standing and metres a second: a contact begins below the first and ends above the second.
HEIGHTS = (0.04, 0.07)
SPEEDS = (0.35, 0.7)
# Speed is that over this many seconds to both sides, so that a joint's jitter does not end a contact.
SPAN = 0.035
# A foot that slides faster than this, in metres a second, skates: 2.5 cm in a frame at 20 frames/s.
SKATING_SPEED = 0.5


@dataclass(frozen=True, eq=False)
class Contacts:
    """The feet's contact with the ground.

    Attributes:
        feet: their names, "left_foot" and "right_foot".
        on: (frames, people, feet) bool, whether the foot is on the ground; False where it is not seen.
        height: (frames, people, feet) float32, metres above where the foot stands, of its lowest point; NaN where it is
            not seen, and everywhere in camera space.
        speed: (frames, people, feet) float32, m/s of its slowest point; NaN where it is not seen.
    """

    feet: tuple[str, ...]
    on: np.ndarray
    height: np.ndarray
    speed: np.ndarray


@dataclass(frozen=True, eq=False)
class Footskate:
    """How much feet slide while they are on the ground.

    Attributes:
        slide: (people,) millimetres a frame, the mean horizontal way of a foot from one contact frame to the next.
        skating: (people,) part of those frames in which a foot slides faster than 0.5 m/s.
        frames: (people,) int, how many there are, of both feet together.
    """

    slide: np.ndarray
    skating: np.ndarray
    frames: np.ndarray


def ground_contacts(poses: Poses3D) -> Contacts:
    """Which feet are on the ground in which frames.

    A contact begins when a point of the foot is less than 4 cm above its standing height and slower than 0.35 m/s, and
    lasts while it is below 7 cm and 0.7 m/s. Its standing height is the 5th percentile of its heights over the clip,
    for each person; a single level floor is taken for granted.

    Args:
        poses: in any layout with ankles, heels or toes, with a frame rate.

    Raises:
        Lift3DError: the frame rate is unknown.
        SkeletonError: the layout has no joint of a foot.
    """
    if poses.fps is None:
        raise Lift3DError("ground contacts need the frame rate, which these poses do not know; set fps")
    joints = foot_joints(poses.skeleton)
    on, height, speed = [], [], []
    for chosen in joints.values():
        points = poses.xyz[:, :, chosen].astype(np.float64)
        fast = _speed(points, poses.fps)
        high = _above_standing(points[..., 2]) if poses.space == "world" else np.full(fast.shape, np.nan)
        low = np.nan_to_num(high, nan=0.0 if poses.space == "camera" else np.inf)
        on.append(
            _with_hysteresis((low < HEIGHTS[0]) & (fast < SPEEDS[0]), (low < HEIGHTS[1]) & (fast < SPEEDS[1])).any(
                axis=-1
            )
        )
        height.append(np.fmin.reduce(high, axis=-1))
        speed.append(np.fmin.reduce(fast, axis=-1))
    return Contacts(
        FEET,
        np.stack(on, axis=-1),
        np.stack(height, axis=-1).astype(np.float32),
        np.stack(speed, axis=-1).astype(np.float32),
    )


def footskate(poses: Poses3D, contacts: Contacts | None = None) -> Footskate:
    """How far feet slide over the ground while they stand on it.

    From a frame to the next a foot's slide is the horizontal way of the point of it that moves least, as a foot that
    rolls over its toes does not slide.

    Args:
        poses: in world space.
        contacts: of the same clip, by default those of the poses themselves. To compare takes of one movement, or a
            clip before and after cleaning, give the same contacts to both.

    Raises:
        Lift3DError: the poses are in camera space, or know no frame rate.
        SkeletonError: the layout has no joint of a foot.

    Source: L. Kovar, J. Schreiner and M. Gleicher, "Footskate cleanup for motion capture editing", SCA 2002; the
    share of frames that skate follows the foot skating ratio of K. Karunratanakul et al., "Guided motion diffusion for
    controllable human motion synthesis", ICCV 2023, with contacts found by height and speed in place of height alone.
    """
    if poses.space != "world":
        raise Lift3DError("footskate needs poses in world space: camera space has no level floor")
    if contacts is None:
        contacts = ground_contacts(poses)
    if poses.fps is None:
        raise Lift3DError("footskate needs the frame rate, which these poses do not know; set fps")
    if contacts.on.shape[:2] != poses.xyz.shape[:2]:
        raise Lift3DError(
            f"contacts are of {contacts.on.shape[0]} frames and {contacts.on.shape[1]} people, the poses of "
            f"{poses.frames} and {poses.people}; give the contacts of the same clip"
        )
    slides = np.stack(
        [
            np.fmin.reduce(np.linalg.norm(np.diff(poses.xyz[:, :, chosen, :2], axis=0), axis=-1), axis=-1)
            for chosen in foot_joints(poses.skeleton).values()
        ],
        axis=-1,
    )
    counted = contacts.on[1:] & contacts.on[:-1] & np.isfinite(slides)
    count = counted.sum(axis=(0, 2))
    some = np.where(count > 0, count, np.nan)
    return Footskate(
        slide=1000 * np.where(counted, slides, 0).sum(axis=(0, 2)) / some,
        skating=(counted & (slides * poses.fps > SKATING_SPEED)).sum(axis=(0, 2)) / some,
        frames=count,
    )


def foot_joints(skeleton: Skeleton) -> dict[str, list[int]]:
    """The indices of the joints that stand on the ground, for each of ``FEET``. Raises SkeletonError if it has none."""
    joints = {
        foot: [
            skeleton.index(name)
            for point in POINTS
            if (name := f"{foot.removesuffix('_foot')}_{point}") in skeleton.joints
        ]
        for foot in FEET
    }
    if not all(joints.values()):
        raise SkeletonError(
            f"skeleton {skeleton.name!r} has no ankle, heel or toe on the left and the right; contacts need them"
        )
    return joints


def _above_standing(heights: np.ndarray) -> np.ndarray:
    """Heights (frames, people, points) above the standing height of each point."""
    result = np.full(heights.shape, np.nan)
    for place in np.ndindex(*heights.shape[1:]):
        column = heights[(slice(None), *place)]
        seen = column[np.isfinite(column)]
        if seen.size:
            result[(slice(None), *place)] = column - np.percentile(seen, STANDING_PERCENTILE)
    return result


def _speed(points: np.ndarray, fps: float) -> np.ndarray:
    """Speeds (frames, ...) in m/s of points (frames, ..., 3) over ``SPAN`` to both sides; NaN where missing."""
    reach = max(1, round(SPAN * fps))
    padded = np.pad(points, [(reach, reach)] + [(0, 0)] * (points.ndim - 1), constant_values=np.nan)
    before, after = padded[: len(points)], padded[2 * reach :]
    moves = np.full(points.shape, np.nan)
    # Beside gaps over one side alone, and where that is too short over neighbouring frames.
    for way, steps in ((after - before, 2 * reach), (after - points, reach), (points - before, reach)):
        moves = np.where(np.isnan(moves), way * fps / steps, moves)
    moves = np.where(np.isnan(moves), derivative(points, fps), moves)
    return np.asarray(np.where(np.isfinite(points[..., 0]), np.linalg.norm(moves, axis=-1), np.nan))


def _with_hysteresis(begin: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(frames, ...) bool: the stretches of ``last`` in which ``begin`` is True somewhere."""
    frames = np.arange(len(last)).reshape(-1, *[1] * (last.ndim - 1))
    last = last | begin

    def begun(begin: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Whether ``begin`` was True since the stretch started."""
        start = np.maximum.accumulate(np.where(last, -1, frames), axis=0)
        latest = np.maximum.accumulate(np.where(begin, frames, -1), axis=0)
        return np.asarray(last & (latest > start))

    return np.asarray(begun(begin, last) | begun(begin[::-1], last[::-1])[::-1])

"""Where a missing joint of one person is, from lifted poses, lines of sight and bone lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lift3d.geometry.alignment import align
from lift3d.geometry.cameras import Camera
from lift3d.motion.filters import MEDIAN_DEVIATION
from lift3d.motion.gaps import nearest_seen
from lift3d.poses import Keypoints2D
from lift3d.skeletons import Skeleton

# A lifted pose is put into the world by this many triangulated joints, or not at all.
LEAST_JOINTS = 4
# Frames in which a joint is both lifted and triangulated that say how far the lifter is off.
LEAST_FRAMES = 10
# Where there are fewer: metres along an axis, and how much worse a joint is that the camera does not see.
USUAL_SPREAD = 0.06
UNSEEN_FACTOR = 4.0
# Pixels: standard deviation of a keypoint along an axis, where fewer say how large it is, and the least it can be.
USUAL_NOISE, LEAST_NOISE = 5.0, 1.0
# The median of the squared length of a 2D normal vector, in units of its variance along an axis.
MEDIAN_SQUARE = 1.386
# A keypoint further from the lifted joint than this many standard deviations of that is an error.
OUTLYING = 4.0
# Metres: the least that a bone's length scatters. Steps that find the place at which it has its length.
LEAST_SPREAD = 0.005
BONE_STEPS = 6
# Seconds: what the lifter is off by at the end of a stretch is still that after this time, but for a factor e.
MEMORY = 0.5
# How well a joint is completed is tried on this many frames in which it is known, at the most. Where it cannot be
# tried, its covariance is taken for this many times too small.
TRIALS = 300
USUAL_FACTOR = 4.0


class LiftedView:
    """One camera's lifted poses, aligned frame by frame with the points that are known.

    Args:
        camera: the camera.
        keypoints: the one person, F frames of J joints.
        lifted: (F, J, 3) in the world and the layout of the points.
        points: (F, J, 3) triangulated, NaN where missing.
    """

    def __init__(self, camera: Camera, keypoints: Keypoints2D, lifted: np.ndarray, points: np.ndarray) -> None:
        self.camera = camera
        self.confidence = keypoints.confidence[:, 0]
        both = np.isfinite(lifted).all(-1) & np.isfinite(points).all(-1)
        self.placed = align(lifted, points, both).apply(lifted)
        self.placed[both.sum(-1) < LEAST_JOINTS] = np.nan
        # Lines of sight: directions in the world.
        pixels = keypoints.xy[:, 0]
        plane = camera.unproject(pixels)
        direction = np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)
        self.sight = (direction / np.linalg.norm(direction, axis=-1, keepdims=True)) @ camera.R
        # (J,) radians that a line of sight is off.
        square = ((camera.project(points) - pixels) ** 2).sum(-1)
        enough = np.isfinite(square).sum(0) >= LEAST_FRAMES
        level = np.nanmedian(np.where(enough, square, USUAL_NOISE**2 * MEDIAN_SQUARE), axis=0) / MEDIAN_SQUARE
        self.blur = np.sqrt(np.maximum(level, LEAST_NOISE**2)) / (camera.K[0, 0] + camera.K[1, 1]) * 2

    def hang(self, joint: int, anchors: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(frames, 3) the joint, moved along with its anchor in each frame (-1: none)."""
        frames = np.arange(len(points))
        moved = points[frames, anchors] - self.placed[frames, anchors]
        return np.asarray(self.placed[:, joint] + np.where((anchors >= 0)[:, None], moved, 0.0))


class Completed(NamedTuple):
    """A joint in n frames.

    Attributes:
        frames: (n,) the frames.
        points: (n, 3) metres.
        covariance: (n, 3, 3) square metres.
        seen: (n,) how many cameras see it there.
    """

    frames: np.ndarray
    points: np.ndarray
    covariance: np.ndarray
    seen: np.ndarray


class PersonCompletion:
    """The missing joints of one person, to be asked for from the root outwards.

    Args:
        skeleton: the layout.
        points: (F, J, 3) triangulated, NaN where missing.
        fps: frames per second.
        views: V cameras that have the person.
    """

    def __init__(self, skeleton: Skeleton, points: np.ndarray, fps: float, views: Sequence[LiftedView]) -> None:
        self.skeleton, self.fps, self.views = skeleton, fps, views
        self.measured = points.copy()
        self.known = np.isfinite(points).all(-1)
        self.placed = np.any([np.isfinite(view.placed[..., 0]) for view in views], axis=0)
        # As the joints are completed, those further out can hang on them.
        self.points, self.variance = points.copy(), np.zeros(points.shape[:2])

    def complete(self, joint: int) -> Completed:
        """The joint in all frames in which it is missing and can be placed."""
        shown = np.stack([view.confidence[:, joint] > 0 for view in self.views])
        anchors = self._anchors(joint)
        average, variance = self._average(joint, anchors, self.points, shown)
        variance = variance + np.where(anchors >= 0, self.variance[np.arange(len(anchors)), anchors], 0.0)
        good = np.isfinite(average[:, 0])
        average = average + self._drawn(joint, average, good)
        frames = np.flatnonzero(~self.known[:, joint] & good)
        points, covariance, used = self._place(joint, frames, average, variance, shown, self.points)
        for pattern in np.unique(used, axis=1).T:
            same = (used == pattern[:, None]).all(0)
            covariance[same] *= self._factor(joint, pattern)
        self.points[frames, joint] = points
        self.variance[frames, joint] = np.trace(covariance, axis1=-2, axis2=-1) / 3
        return Completed(frames, points, covariance, used.sum(0))

    def _anchors(self, joint: int) -> np.ndarray:
        """(F,) the nearest ancestor that has a place, -1 if none has."""
        anchors = np.full(len(self.points), -1)
        usable = self.placed & np.isfinite(self.points[..., 0])
        parent = self.skeleton.parents[joint]
        while parent >= 0:
            anchors = np.where((anchors < 0) & usable[:, parent], parent, anchors)
            parent = self.skeleton.parents[parent]
        return anchors

    def _average(
        self, joint: int, anchors: np.ndarray, points: np.ndarray, shown: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the cameras' lifted poses say (F, 3), NaN where nothing, and the variance of an axis of that (F,).

        Args:
            joint: which.
            anchors: (F,) what it hangs on.
            points: (F, J, 3) where the anchors are.
            shown: (V, F) whether the camera sees the joint.
        """
        total, count = np.zeros(len(points)), np.zeros(len(points))
        result = np.zeros((len(points), 3))
        for view, seen in zip(self.views, shown, strict=True):
            hung = view.hang(joint, anchors, points)
            good = np.isfinite(hung[:, 0])
            weight = np.where(good, 1 / self._variance(view, joint, anchors, seen), 0.0)
            result += weight[:, None] * np.where(good[:, None], hung, 0.0)
            total += weight
            count += good
        # All cameras are read by one lifter, whose errors are alike: their average is no better than they are.
        with np.errstate(invalid="ignore"):
            return result / total[:, None], count / total

    def _variance(self, view: LiftedView, joint: int, anchors: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """(F,) of an axis of one camera's lifted joint that hangs on its anchor."""
        variance = np.empty(len(anchors))
        for anchor in np.unique(anchors):
            off = view.hang(joint, np.full(len(anchors), anchor), self.measured) - self.measured[:, joint]
            square = (off**2).mean(-1)
            measured = np.isfinite(square)
            for shown, factor in ((True, 1.0), (False, UNSEEN_FACTOR)):
                level = (factor * USUAL_SPREAD) ** 2
                if (use := measured & ((view.confidence[:, joint] > 0) == shown)).sum() >= LEAST_FRAMES:
                    level = square[use].mean()
                elif measured.sum() >= LEAST_FRAMES:
                    level = square[measured].mean() * factor**2
                variance[(anchors == anchor) & (seen == shown)] = level
        return variance

    def _drawn(self, joint: int, lifted: np.ndarray, good: np.ndarray) -> np.ndarray:
        """(F, 3) what draws the lifted joint to the known frames before and after it."""
        usable = self.known[:, joint] & good
        before, after = nearest_seen(usable)
        frames = np.arange(len(lifted))
        off = np.where(usable[:, None], self.points[:, joint] - lifted, 0.0)

        def at(distance: np.ndarray, sign: int) -> tuple[np.ndarray, np.ndarray]:
            reach = np.where(np.isfinite(distance), distance, 0).astype(int)
            closeness = np.where(np.isfinite(distance), 1 / np.maximum(distance, 1), 0.0)
            return off[frames + sign * reach], closeness[:, None]

        (first, near_first), (last, near_last) = at(before, -1), at(after, 1)
        between = (first * near_first + last * near_last) / np.maximum(near_first + near_last, 1e-9)
        return np.asarray(between * np.exp(-np.minimum(before, after) / (MEMORY * self.fps))[:, None])

    def _place(
        self,
        joint: int,
        frames: np.ndarray,
        average: np.ndarray,
        variance: np.ndarray,
        shown: np.ndarray,
        points: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The joint where lifted poses, lines of sight and the bone agree best.

        Args:
            joint, frames: which, (n,) when.
            average, variance: (F, 3) and (F,) what the lifted poses say.
            shown: (V, F) whether the camera's line of sight counts.
            points: (F, J, 3) where the parent is.

        Returns:
            points (n, 3), covariances (n, 3, 3), and the cameras whose lines of sight were used (V, n).
        """
        lifted, spread = average[frames], variance[frames]
        information = np.eye(3) / spread[:, None, None]
        right = lifted / spread[:, None]
        used = shown[:, frames].copy()
        for row, view in zip(used, self.views, strict=True):
            direction = view.sight[frames, joint]
            from_camera = lifted - view.camera.centre
            along = (from_camera * direction).sum(-1)
            across = np.eye(3) - direction[:, :, None] * direction[:, None, :]
            off = np.linalg.norm((across @ from_camera[..., None])[..., 0], axis=-1)
            row &= (off < OUTLYING * np.sqrt(spread)) & (along > 0)
            blur = (view.blur[joint] * np.where(row, along, 1.0)) ** 2
            share = np.where(row[:, None, None], across / blur[:, None, None], 0.0)
            information = information + share
            right = right + (share @ view.camera.centre[:, None])[..., 0]
        start = np.linalg.solve(information, right[..., None])[..., 0]
        placed, information = self._on_bone(joint, frames, start, information, points)
        return placed, np.linalg.inv(information), used

    def _on_bone(
        self, joint: int, frames: np.ndarray, start: np.ndarray, information: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) moved to where the bone to the parent has its length, as far as their information allows."""
        parent = self.skeleton.parents[joint]
        both = self.known[:, joint] & self.known[:, parent]
        if parent < 0 or both.sum() < LEAST_FRAMES:
            return start, information
        lengths = np.linalg.norm(self.measured[both, joint] - self.measured[both, parent], axis=-1)
        length = np.median(lengths)
        spread = max(LEAST_SPREAD, float(np.median(np.abs(lengths - length))) / MEDIAN_DEVIATION)
        held = points[frames, parent]
        weight = np.where(np.isfinite(held[:, 0]), 1 / (spread**2 + self.variance[frames, parent]), 0.0)
        moved = start
        for _ in range(BONE_STEPS):
            bone = moved - np.nan_to_num(held)
            size = np.maximum(np.linalg.norm(bone, axis=-1), 1e-6)
            axis = bone / size[:, None]
            share = weight[:, None, None] * axis[:, :, None] * axis[:, None, :]
            pull = (information @ (start - moved)[..., None])[..., 0] - (weight * (size - length))[:, None] * axis
            moved = moved + np.linalg.solve(information + share, pull[..., None])[..., 0]
        return moved, information + share

    def _factor(self, joint: int, pattern: np.ndarray) -> float:
        """How many times larger than it says the squared error is, tried on frames in which the joint is known.

        Args:
            joint: which.
            pattern: (V,) the cameras that see it.
        """
        parent = self.skeleton.parents[joint]
        seen = np.stack([view.confidence[:, joint] > 0 for view in self.views])
        fit = self.known[:, joint] & (seen | ~pattern[:, None]).all(0)
        if parent >= 0:
            fit &= self.known[:, parent] & self.placed[:, parent]
        shown = np.broadcast_to(pattern[:, None], seen.shape)
        anchors = np.full(len(self.points), parent)
        average, variance = self._average(joint, anchors, self.measured, shown)
        frames = np.flatnonzero(fit & np.isfinite(average[:, 0]))
        if len(frames) < LEAST_FRAMES:
            return USUAL_FACTOR
        frames = frames[:: max(1, len(frames) // TRIALS)]
        points, covariance, _ = self._place(joint, frames, average, variance, shown, self.measured)
        square = ((points - self.measured[frames, joint]) ** 2).sum(-1).mean()
        return max(1.0, float(square / np.trace(covariance, axis1=-2, axis2=-1).mean()))


def outwards(skeleton: Skeleton) -> list[int]:
    """The joints, each after its parent."""
    order: list[int] = []
    while len(order) < len(skeleton):
        order += [j for j, parent in enumerate(skeleton.parents) if j not in order and (parent < 0 or parent in order)]
    return order

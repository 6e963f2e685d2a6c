"""Triangulated poses made better by what holds over time: motion is smooth, and bones keep their length."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from lift3d.errors import ShapeError
from lift3d.geometry.rays import make_rays
from lift3d.geometry.rigs import Rig
from lift3d.geometry.triangulation import RigArrays
from lift3d.motion.filters import sliding_median
from lift3d.motion.gaps import INTERPOLATED, USUAL_FPS, gap_confidence, short_gaps
from lift3d.multiview.bone_lengths import Bones, given_lengths
from lift3d.multiview.motion_levels import MotionLevels
from lift3d.multiview.temporal_solver import Solution, Step, Window, solve_window
from lift3d.multiview.views import check_views, match_person
from lift3d.poses import SOURCES, Keypoints2D, Poses3D, add_step

# Frames that are solved at a time, and those on either side that are solved along with them: what lies further away
# changes nothing that can be measured, for its influence halves every few frames.
WINDOW = 2000
MARGIN = 100
# Windows are solved at the same time on this many cores.
MOST_THREADS = 8
# The levels of a clip are learned from this many frames, in stretches spread over it.
LEARNED_FRAMES = 1000
STRETCHES = 4
# Seconds over which the first guess of an acceleration looks: the noise in it falls with the square.
GLANCE = 0.1
# A triangulated point is not where to start if it is further than this from the median of its neighbours in time, in
# metres and in the median distance of all points from theirs.
SPIKE, SPIKES, SPIKE_RADIUS = 0.05, 8.0, 3
LEAST_GUESS = 1e-4
# Pixels: where the search for the detector's noise starts.
FIRST_NOISE = 3.0
LEARNING_STEPS = (Step(12.0), Step(6.0), Step(), Step(), Step(), Step())
LEARNING_BONES = (Step(bones=True), Step(bones=True), Step(bones=True))
STEPS = (Step(6.0), Step(), Step(), Step(bones=True), Step(bones=True))

Progress = Callable[[int, int], None]


def refine(
    poses: Poses3D,
    keypoints: Sequence[Keypoints2D],
    rig: Rig,
    *,
    bone_lengths: Mapping[str, float] | None = None,
    rigid: bool = True,
    smoothness: float | None = None,
    max_gap: float = 0.5,
    levels: Sequence[MotionLevels | None] | None = None,
    progress: Progress | None = None,
) -> Poses3D:
    """Solve the whole clip at once for the motion that explains what all cameras saw.

    The reprojection error of every joint in every camera, gross errors left out, is weighed against smooth motion and
    bones that keep their lengths; how much, the recording itself decides. Joints that no camera saw for a while move
    on smoothly. Time and memory: linear in frames, joints and cameras, and memory is bounded beside the result.

    Args:
        poses: triangulated, in world space.
        keypoints: one a camera, in the order of ``rig.cameras``, in the layout of the poses; people are matched by
            track id, or are one person.
        rig: the cameras.
        bone_lengths: metres, by the name of the bone's outer joint, for bones that were measured; the others are
            learned from the clip.
        rigid: whether bones keep their lengths at all.
        smoothness: metres per second squared, standard deviation of an axis of a joint's acceleration; None learns
            it for every joint and moment.
        max_gap: seconds; where a joint is triangulated nowhere for longer, it is missing.
        levels: of each person, from ``learn_levels``, for a clip that is refined in pieces, which should overlap by a
            second and 100 frames; None learns them here.
        progress: called with (frames done, frames in all).

    Returns:
        The poses with covariance, sigma, reprojection error, the number of cameras that agree, and for each joint
        whether it is measured (by two cameras or more) or interpolated. The provenance holds what was learned: the
        noise and bias of the detector in pixels and the lengths of the bones in metres.

    Raises:
        ShapeError: the keypoints do not fit the poses or the rig, or a number is out of range.
        SkeletonError: the layouts differ, or ``bone_lengths`` names a joint without a bone.
    """
    clip = _Clip(poses, keypoints, rig, max_gap)
    if levels is None:
        levels = clip.learn(bone_lengths or {}, rigid, smoothness)
    if len(levels) != poses.people:
        raise ShapeError(f"levels must be given for each of {poses.people} people, not {len(levels)}")
    result = _Result(poses)
    margin = max(MARGIN, round(clip.fps))

    def work(task: tuple[int, int]) -> int:
        """Refine the frames of one person from a given one on; returns how many frames there are."""
        person, start = task
        stop = min(start + WINDOW, poses.frames)
        frames = np.arange(max(0, start - margin), min(poses.frames, stop + margin))
        if (known_levels := levels[person]) is not None and clip.known[person][:, start:stop].any():
            window = clip.window(person, frames)
            solution = solve_window(clip.arrays, window, known_levels, STEPS)
            result.store(solution, window, slice(start - frames[0], stop - frames[0]), person, clip.centre)
        return stop - start

    tasks = [(person, start) for person in range(poses.people) for start in range(0, poses.frames, WINDOW)]
    done = 0
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        for frames in pool.map(work, tasks):
            done += frames
            if progress is not None:
                progress(done, poses.people * poses.frames)
    return result.poses(levels)


def learn_levels(
    poses: Poses3D,
    keypoints: Sequence[Keypoints2D],
    rig: Rig,
    *,
    bone_lengths: Mapping[str, float] | None = None,
    rigid: bool = True,
    smoothness: float | None = None,
    max_gap: float = 0.5,
) -> list[MotionLevels | None]:
    """What ``refine`` learns of each person before it refines: noise, acceleration, bone lengths; None if not seen.

    Arguments and errors are those of ``refine``. A clip that is refined in pieces learns them from one long piece.
    """
    return _Clip(poses, keypoints, rig, max_gap).learn(bone_lengths or {}, rigid, smoothness)


class _Clip:
    """The clip, and stretches of it as the solver wants them."""

    def __init__(self, poses: Poses3D, keypoints: Sequence[Keypoints2D], rig: Rig, max_gap: float) -> None:
        check_views(poses, keypoints, rig)
        if not (np.isfinite(max_gap) and max_gap >= 0):
            raise ShapeError(f"max_gap must be 0 seconds or more, not {max_gap}")
        self.poses, self.keypoints, self.rig = poses, keypoints, rig
        self.fps = poses.fps or USUAL_FPS
        self.arrays = RigArrays(rig.cameras, np.empty(0))
        self.centre = self.arrays.centre[:, 0]
        self.people = [match_person(poses, keypoints, person) for person in range(poses.people)]
        longest = round(max_gap * self.fps)
        seen = np.isfinite(poses.xyz[..., 0])
        self.known = [seen[:, p].T | short_gaps(seen[:, p].T, longest) for p in range(poses.people)]

    def window(self, person: int, frames: np.ndarray) -> Window:
        """The given frames, in rising order, of one person."""
        known = self.known[person][:, frames]
        joints = len(known)
        pixels = np.full((len(self.rig), joints, len(frames), 2), np.nan)
        confidence = np.zeros(pixels.shape[:-1])
        for camera, (motion, index) in enumerate(zip(self.keypoints, self.people[person], strict=True)):
            if index is not None:
                pixels[camera] = motion.xy[frames, index].transpose(1, 0, 2)
                confidence[camera] = motion.confidence[frames, index].T
        confidence *= known
        rays = make_rays(
            self.rig.cameras,
            pixels.reshape(len(pixels), -1, 2),
            confidence.reshape(len(pixels), -1),
        )
        points = self.poses.xyz[frames, person].transpose(1, 0, 2).astype(np.float64) - self.centre
        whole = known[:, :-2] & known[:, 1:-1] & known[:, 2:] & (frames[2:] - frames[:-2] == 2)
        return Window(rays, _start(points), known, whole, frames, self.fps)

    def learn(
        self, bone_lengths: Mapping[str, float], rigid: bool, smoothness: float | None
    ) -> list[MotionLevels | None]:
        given_lengths(self.poses.skeleton, bone_lengths)
        if smoothness is not None and not (np.isfinite(smoothness) and smoothness > 0):
            raise ShapeError(f"smoothness must be a positive acceleration in metres per second squared: {smoothness}")
        levels: list[MotionLevels | None] = []
        for person in range(self.poses.people):
            present = np.flatnonzero(self.known[person].any(0))
            if len(present) == 0:
                levels.append(None)
                continue
            stretches = [present]
            if len(present) > LEARNED_FRAMES:
                length = LEARNED_FRAMES // STRETCHES
                begins = np.linspace(0, len(present) - length, STRETCHES).astype(int)
                stretches = [present[begin : begin + length] for begin in begins]
            window = self.window(person, np.unique(np.concatenate(stretches)))
            levels.append(self._learn_person(window, bone_lengths, rigid, smoothness))
        return levels

    def _learn_person(
        self, window: Window, bone_lengths: Mapping[str, float], rigid: bool, smoothness: float | None
    ) -> MotionLevels:
        joints = len(window.known)
        acceleration = _guess_acceleration(window)
        if smoothness is not None:
            acceleration = np.full(joints, smoothness / self.fps**2)
        levels = MotionLevels(
            np.full(joints, FIRST_NOISE),
            np.zeros(joints),
            acceleration,
            None,
            np.ones(joints),
            steady=smoothness is not None,
        )
        solution = solve_window(self.arrays, window, levels, LEARNING_STEPS, learn=True)
        levels = replace(solution.levels, tied=np.ones(joints))
        if rigid:
            bones = Bones.measure(self.poses.skeleton, solution.points, window.known, bone_lengths)
            window = window._replace(points=solution.points)
            levels = solve_window(self.arrays, window, replace(levels, bones=bones), LEARNING_BONES, learn=True).levels
        return levels


class _Result:
    """The refined poses, written window by window."""

    def __init__(self, poses: Poses3D) -> None:
        shape = poses.xyz.shape[:3]
        self._before = poses
        self._xyz = np.full((*shape, 3), np.nan, np.float32)
        self._covariance = np.full((*shape, 3, 3), np.nan, np.float32)
        self._error = np.full(shape, np.nan, np.float32)
        self._cameras = np.zeros(shape, np.uint8)

    def store(self, solution: Solution, window: Window, inner: slice, person: int, centre: np.ndarray) -> None:
        """Keep the frames ``inner`` of a window."""
        frames = window.frames[inner]
        known = window.known[:, inner].T
        self._xyz[frames, person] = np.where(
            known[..., None], solution.points[:, inner].swapaxes(0, 1) + centre, np.nan
        )
        covariance = solution.covariance[:, inner].swapaxes(0, 1)
        self._covariance[frames, person] = np.where(known[..., None, None], covariance, np.nan)
        agree = solution.trust[:, :, inner] > 0.5
        count = agree.sum(0)
        weight = window.rays.weight.reshape(agree.shape[0], len(window.known), -1)[:, :, inner]
        squares = np.where(agree, solution.squares[:, :, inner], 0.0).sum(0)
        error = np.sqrt(squares / np.maximum((agree * weight).sum(0), 1e-9))
        self._error[frames, person] = np.where(count > 0, error, np.nan).T
        self._cameras[frames, person] = count.T

    def poses(self, levels: Sequence[MotionLevels | None]) -> Poses3D:
        """All of it, and what was learned on the way."""
        before = self._before
        rigid = any(level is not None and level.bones is not None for level in levels)
        joints = before.skeleton.joints
        learned = {
            str(track): level.describe(joints)
            for track, level in zip(before.track_ids, levels, strict=True)
            if level is not None
        }
        known = np.isfinite(self._xyz[..., 0])
        measured = known & (self._cameras >= 2)
        source = np.where(measured, SOURCES.index("measured"), np.where(known, INTERPOLATED, 0))
        return replace(
            before,
            xyz=self._xyz,
            confidence=np.where(measured, before.confidence, gap_confidence(before.confidence, measured) * known),
            sigma=np.sqrt(np.trace(self._covariance, axis1=-2, axis2=-1) / 3),
            covariance=self._covariance,
            reprojection_error=self._error,
            cameras_used=self._cameras,
            source=source,
            provenance={
                **add_step(before.provenance, "refined over time" + (" with constant bone lengths" * rigid)),
                "refinement": learned,
            },
        )


def _start(points: np.ndarray) -> np.ndarray:
    """Points (joints, frames, 3) without spikes and gaps: lines across both, the nearest point at the ends."""
    frames = np.arange(points.shape[1])

    def bridge(points: np.ndarray) -> np.ndarray:
        bridged = np.zeros_like(points)
        for joint, path in enumerate(points):
            seen = np.isfinite(path).all(-1)
            if seen.any():
                for axis in range(3):
                    bridged[joint, :, axis] = np.interp(frames, frames[seen], path[seen, axis])
        return bridged

    whole = bridge(points)
    distance = np.linalg.norm(whole - sliding_median(whole.swapaxes(0, 1), SPIKE_RADIUS).swapaxes(0, 1), axis=-1)
    limit = np.maximum(SPIKE, SPIKES * np.median(distance, axis=-1, keepdims=True))
    return bridge(np.where((distance > limit)[..., None], np.nan, points))


def _guess_acceleration(window: Window) -> np.ndarray:
    """(joints,) metres per frame squared, from second differences over a tenth of a second."""
    lag = max(1, round(GLANCE * window.fps))
    points = window.points
    if points.shape[1] <= 2 * lag:
        return np.full(len(points), LEAST_GUESS)
    differences = points[:, : -2 * lag] - 2 * points[:, lag:-lag] + points[:, 2 * lag :]
    known = window.known[:, : -2 * lag] & (window.frames[2 * lag :] - window.frames[: -2 * lag] == 2 * lag)
    guess = [np.sqrt(np.mean(d[k] ** 2)) / lag**2 if k.any() else 0.0 for d, k in zip(differences, known, strict=True)]
    return np.maximum(guess, LEAST_GUESS)

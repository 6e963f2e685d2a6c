"""Cameras that were started by hand: the offsets and drifts of their clocks, from the motion of the people they film.

How exact: of 60 clips of motion capture seen by four cameras at 60 frames/s that started up to 4 s apart, with 2 px of
noise, a tenth of the joints missing and 2 % gross outliers, 179 of 180 offsets were within a tenth of a frame with a
rig (half of them within 0.006 frames), and 168 without one. Errors were 0.9 of the standard errors. People who hardly
move are found less well, and the standard errors say so. One offset, without a rig, was wrong, and noted as doubtful.
``tests/integration/test_synchronise_recorded.py`` repeats a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from lift3d.errors import CameraError, Lift3DError
from lift3d.geometry.rigs import Rig
from lift3d.multiview.camera_graph import place_cameras
from lift3d.multiview.clocks import CameraClock, Synchronisation
from lift3d.multiview.epipolar_timing import timing_curve
from lift3d.multiview.image_motion import ImageMotion, image_motions
from lift3d.multiview.offset_refinement import Timing, refine
from lift3d.multiview.resampling import apply
from lift3d.multiview.speed_correlation import fitted_curve
from lift3d.multiview.two_views import fundamental_matrix
from lift3d.poses import Keypoints2D

__all__ = ["CameraClock", "Synchronisation", "apply", "find_offsets"]

Progress = Callable[[int, int], None]
Matrices = dict[tuple[int, int], np.ndarray]

STEP = 1 / 30  # seconds between the offsets that are tried
WINDOW = 120.0  # seconds that are searched first; a clock of 100 ppm drifts by a third of a step in them
GROWTH = 4.0  # of the window in each refinement
CURVE_SAMPLES = 12_000  # moments that all pairs together are compared at first, from 40 to 250 a pair
REFINE_SAMPLES = 24_000  # and in the refinement, from 200 to 4000
DOUBTFUL_RATIO = 1.3
DOUBTFUL_FRAMES = 0.5
SIGNIFICANT = 4.0  # standard deviations
NOTABLE_FRAMES = 0.25  # by the end of the clip, for a drift that was not asked for
FASTEST_CLOCK = 1e-3  # of a second a second; what seems to drift more is something else


def find_offsets(
    keypoints: Sequence[Keypoints2D] | Mapping[str, Keypoints2D],
    rig: Rig | None = None,
    max_offset: float = 5.0,
    drift: bool = False,
    progress: Progress | None = None,
) -> Synchronisation:
    """When each camera started, and how fast its clock runs.

    Two views agree only at the right time. With a rig, how well the joints of two cameras meet their epipolar lines is
    tried at every offset, and the best is refined over all pairs of cameras at once. Without one, the speeds of the
    joints suggest offsets, and a fundamental matrix is fitted at each. Frame rates and layouts may differ.

    Args:
        keypoints: of two cameras or more, by name, or in the order of the rig.
        rig: the calibrated cameras; of exactly these if ``keypoints`` is a sequence.
        max_offset: seconds that two cameras may have been started apart, at most.
        drift: whether the clocks may run at different rates; it takes a minute or more to tell.
        progress: called with (done, total) while pairs of cameras are compared.

    Returns:
        Offsets and drifts on the first camera's clock: ``time = frame / fps * (1 + drift) + offset``.

    Raises:
        CameraError: a camera is not in the rig, or their numbers differ.
        SkeletonError: the layouts have fewer than four joints in common.
        Lift3DError: fewer than two cameras, no frame rate, nobody seen or moving, or no motion in common.
    """
    if not (np.isfinite(max_offset) and max_offset > 0):
        raise Lift3DError(f"the largest offset must be a positive number of seconds, not {max_offset}")
    named = _named(keypoints, rig)
    motions = image_motions(named, None if rig is None else {name: rig[name] for name in named})
    pairs = list(combinations(range(len(motions)), 2))
    samples = int(np.clip(CURVE_SAMPLES / len(pairs), 40, 250))
    reach = int(np.ceil(max_offset / STEP))
    window = _liveliest_window(motions)
    curves: dict[tuple[int, int], np.ndarray] = {}
    matrices: Matrices = {}
    fitted: dict[tuple[int, int], dict[int, np.ndarray]] = {}
    for done, (a, b) in enumerate(pairs):
        one, other = motions[a], motions[b]
        if rig is None:
            within = min(window[0], one.duration), min(window[1], one.duration)
            curves[a, b], fitted[a, b] = fitted_curve(one, other, reach, STEP, within, samples)
        else:
            matrices[a, b] = fundamental_matrix(rig[one.name], rig[other.name], one.to_plane, other.to_plane)
            times = _lively_times(one, window, samples)
            curves[a, b] = timing_curve(one, other, matrices[a, b], np.arange(-reach, reach + 1), STEP, times)
        if progress is not None:
            progress(done + 1, len(pairs))
    steps, ratios = place_cameras(curves, tuple(named), STEP)
    for a, b in fitted:
        if (F := fitted[a, b].get(int(steps[b] - steps[a]))) is not None:
            matrices[a, b] = F
    size = 2 * len(motions)
    start = Timing(steps * STEP, np.zeros(len(motions)), np.zeros((size, size)))
    timing = _refine_growing(motions, matrices, start, window, drift, rig is not None)
    notes = _doubts(motions, start, timing, ratios, reach * STEP)
    if not drift:
        notes += _drift_doubts(motions, matrices, timing, rig is not None)
    method = "motion, with the rig's epipolar geometry" if rig else "motion, with fitted epipolar geometry"
    return Synchronisation(_clocks(motions, timing, ratios), method, tuple(notes))


def _named(keypoints: Sequence[Keypoints2D] | Mapping[str, Keypoints2D], rig: Rig | None) -> dict[str, Keypoints2D]:
    if isinstance(keypoints, Mapping):
        named = dict(keypoints)
    elif rig is None:
        named = {f"camera {index + 1}": points for index, points in enumerate(keypoints)}
    elif len(keypoints) != len(rig):
        raise CameraError(
            f"keypoints of {len(keypoints)} cameras for a rig of {len(rig)} ({', '.join(rig.names)}): say which camera "
            "is which by name"
        )
    else:
        named = dict(zip(rig.names, keypoints, strict=True))
    if len(named) < 2:
        raise Lift3DError(f"synchronising needs two cameras or more, not {len(named)}")
    return named


def _activity(motion: ImageMotion) -> np.ndarray:
    """(seconds,) how much people move in each second of a camera: speeds of all joints, body sizes per second."""
    seconds = np.arange(int(motion.duration) + 1) + 0.5
    pace = motion.at(np.minimum(seconds, motion.duration))[1]
    return np.asarray(np.nan_to_num(np.linalg.norm(pace, axis=-1)).sum(axis=(1, 2)))


def _liveliest_window(motions: Sequence[ImageMotion]) -> tuple[float, float]:
    """(first, last) of the ``WINDOW`` seconds in which the cameras together see most motion; all if it is less."""
    longest = max(motion.duration for motion in motions)
    if longest <= WINDOW:
        return 0.0, longest
    total = np.zeros(int(longest) + 2)
    for motion in motions:
        activity = _activity(motion)
        total[: len(activity)] += np.minimum(activity / max(float(activity.mean()), 1e-9), 3)
    sums = np.convolve(total, np.ones(int(WINDOW)), mode="valid")
    first = float(sums.argmax())
    return first, first + WINDOW


def _lively_times(motion: ImageMotion, window: tuple[float, float], samples: int) -> np.ndarray:
    """Times in steps, in a window of a camera, spread over the livelier half of those at which people are seen."""
    times = np.arange(int(window[0] / STEP), int(min(window[1], motion.duration) / STEP) + 1)
    speed = np.nan_to_num(np.linalg.norm(motion.at(times * STEP)[1], axis=-1)).sum(axis=2).max(axis=1, initial=0)
    lively = np.sort(np.argsort(-speed, kind="stable")[: max(1, np.count_nonzero(speed) // 2)])
    return np.asarray(times[lively[np.unique(np.linspace(0, len(lively) - 1, samples).astype(int))]])


def _sample_times(motions: Sequence[ImageMotion], first: float, last: float, pairs: int) -> np.ndarray:
    """Evenly spaced moments from first to last, no more of them than frames of the fastest camera."""
    frames = int((last - first) * max(motion.fps for motion in motions)) + 1
    count = max(2, min(frames, int(np.clip(REFINE_SAMPLES / max(pairs, 1), 200, 4000))))
    return np.linspace(first, last, count)


def _refine_growing(
    motions: Sequence[ImageMotion],
    matrices: Matrices,
    timing: Timing,
    window: tuple[float, float],
    drift: bool,
    calibrated: bool,
) -> Timing:
    """Refine in a window, where a drift is small, and then in ever larger ones, with what is known by then."""
    begin = float(timing.offsets.min())
    end = max(offset + motion.duration for offset, motion in zip(timing.offsets, motions, strict=True))
    middle, half = sum(window) / 2, (window[1] - window[0]) / 2 + float(np.abs(timing.offsets).max())
    halves = [half]
    while middle - halves[-1] > begin or middle + halves[-1] < end:
        halves.append(halves[-1] * GROWTH)
    for index, reach in enumerate([half, *halves] if drift else halves):
        times = _sample_times(motions, max(begin, middle - reach), min(end, middle + reach), len(matrices))
        timing = refine(motions, matrices, timing, times, drift and index > 0, calibrated)
    return timing


def _doubts(
    motions: Sequence[ImageMotion], start: Timing, timing: Timing, ratios: np.ndarray, largest: float
) -> list[str]:
    """What to be wary of, one sentence each."""
    notes = []
    sigmas = np.sqrt(np.diag(timing.covariance))
    for index, motion in enumerate(motions):
        name, offset, sigma = motion.name, timing.offsets[index], sigmas[index]
        if ratios[index] < DOUBTFUL_RATIO:
            notes.append(
                f"{name}: another offset fits nearly as well (the best only {ratios[index]:.2f} times better), as when "
                "a motion repeats itself; check the result, or film something that happens only once"
            )
        if index and sigma == 0:
            notes.append(f"{name}: too little was seen with another camera to refine its offset beyond {STEP:.3f} s")
        elif sigma * motion.fps > DOUBTFUL_FRAMES:
            notes.append(
                f"{name}: its offset is uncertain by {sigma * motion.fps:.1f} frames: people move too little, or too "
                "little of them is seen by others at that time"
            )
        if abs(offset - start.offsets[index]) > 3 * STEP:
            notes.append(f"{name}: its offset did not settle near where it was first found; do not trust it")
        if abs(offset) > largest - STEP:
            notes.append(f"{name}: its offset is the largest that was tried; try again with a larger limit")
    if not timing.converged:
        notes.append("the refinement of the offsets did not come to an end; take them as known to about a frame")
    return notes


def _drift_doubts(motions: Sequence[ImageMotion], matrices: Matrices, timing: Timing, calibrated: bool) -> list[str]:
    """A note for each camera whose clock clearly runs at a rate of its own, which was not asked for."""
    begin = float(timing.offsets.min())
    end = max(offset + motion.duration for offset, motion in zip(timing.offsets, motions, strict=True))
    free = refine(motions, matrices, timing, _sample_times(motions, begin, end, len(matrices)), True, calibrated)
    sigmas = np.sqrt(np.diag(free.covariance))[len(motions) :]
    return [
        f"{motion.name}: its clock seems to drift by {free.drifts[index] * 1e6:.0f} parts per million "
        f"({free.drifts[index] * motion.duration * motion.fps:.1f} frames by the end); have drifts found as well"
        for index, motion in enumerate(motions)
        if free.converged
        and abs(free.drifts[index]) > SIGNIFICANT * sigmas[index] > 0
        and abs(free.drifts[index]) < FASTEST_CLOCK
        and abs(free.drifts[index]) * motion.duration * motion.fps > NOTABLE_FRAMES
    ]


def _clocks(motions: Sequence[ImageMotion], timing: Timing, ratios: np.ndarray) -> tuple[CameraClock, ...]:
    sigmas = np.sqrt(np.diag(timing.covariance))
    count = len(motions)
    sigmas[1:count][sigmas[1:count] == 0] = np.nan
    return tuple(
        CameraClock(
            name=motion.name,
            fps=motion.fps,
            offset=float(timing.offsets[index]),
            offset_sigma=float(sigmas[index]),
            drift=float(timing.drifts[index] * 1e6),
            drift_sigma=float(sigmas[count + index] * 1e6),
            peak_ratio=float(ratios[index]),
        )
        for index, motion in enumerate(motions)
    )

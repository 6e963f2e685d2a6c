"""Offsets and drifts of cameras from the sound of their videos.

Sound travels 1 m in 2.9 ms. A camera that is 3 m further away from the sound than another hears it 9 ms later, half a
frame at 60 frames/s, and no correlation can tell that from a later start. A clap in the middle between the cameras
avoids it; synchronising by motion (``find_offsets``) does not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from os import PathLike

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.multiview.camera_graph import place_cameras
from lift3d.multiview.clocks import CameraClock, Synchronisation
from lift3d.multiview.sound import read_sound
from lift3d.multiview.sound_delays import (
    LEAST_SIGMA,
    STEP,
    Delays,
    fine_delays,
    liveliest,
    onset_curve,
    onsets,
    tested_curve,
)

Progress = Callable[[int, int], None]

DOUBTFUL_RATIO = 1.1  # an echo may come to 1.2
SIGNIFICANT = 4.0  # standard deviations
NOTABLE_FRAMES = 0.25  # by the end of the clip, for a drift that was not asked for
ROBUST_STEPS = 20


def find_audio_offsets(
    videos: Mapping[str, str | PathLike[str]],
    max_offset: float = 60.0,
    drift: bool = False,
    progress: Progress | None = None,
) -> Synchronisation:
    """When each camera started, and how fast its clock runs, from the sound of its video.

    Args:
        videos: of two cameras or more, by name.
        max_offset: seconds that two cameras may have been started apart, at most.
        drift: whether the clocks may run at different rates.
        progress: called with (done, total) while videos are decoded and compared.

    Returns:
        Offsets and drifts on the first camera's clock: ``time = frame / fps * (1 + drift) + offset``. The standard
        errors do not hold what the way of the sound to the cameras adds.

    Raises:
        MissingDependencyError: PyAV is not installed.
        FileFormatError: a video is missing, damaged, silent, or has no sound.
        Lift3DError: fewer than two videos, or one whose sound fits none of the others'.
    """
    if len(videos) < 2:
        raise Lift3DError(f"synchronising needs two videos or more, not {len(videos)}")
    if not (np.isfinite(max_offset) and max_offset > 0):
        raise Lift3DError(f"the largest offset must be a positive number of seconds, not {max_offset}")
    names = tuple(videos)
    pairs = list(combinations(range(len(names)), 2))
    done, total = 0, len(names) + len(pairs)
    sounds = []
    for done, (name, path) in enumerate(videos.items(), start=1):
        sounds.append(read_sound(name, path))
        if progress is not None:
            progress(done, total)
    swells = [onsets(sound) for sound in sounds]
    window = liveliest(swells)
    reach = int(np.ceil(max_offset / STEP))
    curves = {}
    for a, b in pairs:
        curve = onset_curve(swells[a], swells[b], window, reach)
        curves[a, b] = tested_curve(sounds[a], sounds[b], swells[a], window, curve)
    steps, ratios = place_cameras(curves, names, STEP)
    measured: dict[tuple[int, int], Delays] = {}
    for a, b in pairs:
        delays = fine_delays(sounds[a], sounds[b], float(steps[b] - steps[a]) * STEP, sum(window) / 2 * STEP)
        if delays is not None:
            measured[a, b] = delays
        done += 1
        if progress is not None:
            progress(done, total)
    _check_linked(measured, names)
    state, sigmas = solve_clocks(measured, len(names), drift)
    notes = [
        f"{name}: another offset fits nearly as well (the best only {ratio:.2f} times better), as when a sound repeats "
        "itself; check the result"
        for name, ratio in zip(names, ratios, strict=True)
        if ratio < DOUBTFUL_RATIO
    ]
    if not drift:
        free, free_sigmas = solve_clocks(measured, len(names), True)
        for index, (name, sound) in enumerate(zip(names, sounds, strict=True)):
            rate, sigma = free[1, index], free_sigmas[1, index]
            frames = rate * sound.duration * sound.fps
            if abs(rate) > SIGNIFICANT * sigma > 0 and abs(frames) > NOTABLE_FRAMES:
                notes.append(
                    f"{name}: its clock seems to drift by {rate * 1e6:.0f} parts per million ({frames:.1f} frames by "
                    "the end); have drifts found as well"
                )
    notes.append("sound comes 2.9 ms later for every metre that a camera is further from it than the first camera is")
    clocks = tuple(
        CameraClock(
            name,
            sound.fps,
            offset=float(state[0, index]),
            offset_sigma=float(sigmas[0, index]),
            drift=float(state[1, index] * 1e6),
            drift_sigma=float(sigmas[1, index] * 1e6),
            peak_ratio=float(ratios[index]),
        )
        for index, (name, sound) in enumerate(zip(names, sounds, strict=True))
    )
    return Synchronisation(clocks, "sound", tuple(notes))


def _check_linked(measured: Mapping[tuple[int, int], Delays], names: Sequence[str]) -> None:
    """Raises Lift3DError if the pairs do not link every camera with the first."""
    linked = {0}
    for _ in names:
        linked |= {camera for pair in measured if linked & set(pair) for camera in pair}
    if lost := [name for index, name in enumerate(names) if index not in linked]:
        raise Lift3DError(
            f"the sound of {', '.join(lost)} has nothing in common with that of {names[0]}: raise the largest offset "
            "if the cameras started further apart, synchronise by motion, or leave them out"
        )


def solve_clocks(
    measured: Mapping[tuple[int, int], Delays], cameras: int, drift: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and drifts that fit the delays of all pairs, by robust least squares.

    For a moment at ``s`` seconds of camera a and, ``delay`` earlier on its own clock, of camera b,
    ``offset_b - offset_a + drift_b (s - delay) - drift_a s = delay``.

    Args:
        measured: delays by pair of cameras, which link all of them.
        cameras: how many there are; the first one's offset and drift are 0.
        drift: whether drifts are sought; if not, they are 0.

    Returns:
        (2, cameras) offsets and drifts, and (2, cameras) their standard errors.
    """
    rows, values, sigmas = [], [], []
    for (a, b), delays in measured.items():
        row = np.zeros((len(delays.times), 2 * cameras))
        row[:, a], row[:, b] = -1, 1
        row[:, cameras + a], row[:, cameras + b] = -delays.times, delays.times - delays.values
        rows.append(row)
        values.append(delays.values)
        sigmas.append(np.full(len(delays.times), delays.sigma))
    unknown = np.r_[1:cameras, cameras + 1 : 2 * cameras] if drift else np.arange(1, cameras)
    sigma = np.concatenate(sigmas)
    A = np.concatenate(rows)[:, unknown] / sigma[:, None]
    y = np.concatenate(values) / sigma
    scale = np.maximum(np.linalg.norm(A, axis=0), 1e-12)
    A = A / scale
    weight = np.ones(len(y))
    for _ in range(ROBUST_STEPS):
        root = np.sqrt(weight)
        solution = np.linalg.lstsq(A * root[:, None], y * root, rcond=1e-9)[0]
        residual = y - A @ solution
        spread = max(1.0, 1.4826 * float(np.median(np.abs(residual))))
        weight = 1 / (1 + (residual / (3 * spread)) ** 2) ** 2
    covariance = np.linalg.pinv((A * weight[:, None]).T @ A, rcond=1e-12) * spread**2
    state, error = np.zeros(2 * cameras), np.zeros(2 * cameras)
    state[unknown] = solution / scale
    error[unknown] = np.sqrt(np.diag(covariance)) / scale
    error[1:cameras] = np.hypot(error[1:cameras], LEAST_SIGMA)
    return state.reshape(2, cameras), error.reshape(2, cameras)

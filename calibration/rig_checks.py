"""What can be wrong between the cameras of a calibrated rig."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from lift3d.calibration.camera_checks import diagonal, found
from lift3d.calibration.findings import LIMITS, Finding, Severity
from lift3d.calibration.held_out import HeldOut
from lift3d.calibration.measures import Alone, Step, image_errors, shared_moments, strongest_links, turn_between
from lift3d.calibration.mirrored import mirrored_cameras
from lift3d.calibration.solution import Solution
from lift3d.calibration.uncertainty import ExpectedError, position_covariance

# Strength of a step in how two cameras stand to each other that one in 1000 series of turns that only scatter reaches,
# and one in 30: the camera that moved shows the one against some camera, and the other against all.
CERTAIN, LIKELY = 25.0, 10.0
# The camera to blame disagrees with all; one that disagrees with its best partner by less than this part of that does
# not. Fewer moments than that tell nothing of a pair.
LEAST_BLAME, LEAST_SHARED = 0.5, 4
# Errors of single images smaller than this part of the diagonal are not worth a word.
ALONE = 2e-4


def check_rig(solution: Solution, alone: Alone, expected: ExpectedError | None) -> Iterator[Finding]:
    """All findings about the rig: links between cameras, contradictions, and the error that is to be expected.

    Args:
        solution: the calibration.
        alone: the board as each camera has it (``fit_alone``).
        expected: of the capture volume; None for cameras that make no rig.
    """
    if expected is not None:
        yield from _moved(solution, alone)
        yield from _contradictions(solution, alone)
        yield from _links(solution)
        yield from _expected(solution, expected)
    if not solution.metadata.get("converged", True):
        yield Finding(
            "not_converged",
            Severity.DOUBTFUL,
            (),
            "the adjustment did not come to rest",
            "Something contradicts itself: look at the findings and the images with the largest errors.",
        )


def check_held_out(solution: Solution, held_out: HeldOut) -> Iterator[Finding]:
    """Cameras that fit their own images better than others, and single images on which the lens model hangs."""
    for camera, ratio, out, fitted in zip(
        solution.rig, held_out.ratios(), held_out.image_rmse, held_out.image_fitted_rmse, strict=True
    ):
        one = (camera.name,)
        worse = list(
            found(
                "held_out",
                float(ratio),
                one,
                f"images that the calibration was not made from are off {ratio:.1f} times as much as the others: it "
                "follows single images",
                "Film more images, and every part of the image more than once.",
            )
        )
        yield from worse
        hanging = out > LIMITS["held_out"].redo * np.maximum(fitted, ALONE * diagonal(camera))
        if hanging.any() and not worse:
            moments = ", ".join(str(solution.observations.frames[moment]) for moment in np.flatnonzero(hanging)[:6])
            yield Finding(
                "single_images",
                Severity.NOTE,
                one,
                f"parts of the image have the board of one image only ({moments}); without it they would be off by "
                f"{np.max(out[hanging]):.0f} px",
                "Film every part of the image more than once.",
            )


def _links(solution: Solution) -> Iterator[Finding]:
    names = solution.rig.names
    for a, b, shared in strongest_links(shared_moments(solution)):
        moments = f"{shared} moment{'s' if shared != 1 else ''}"
        yield from found(
            "link",
            shared,
            (names[a], names[b]),
            f"the two are held together by only {moments} at which both saw the board",
            f"Film the board where both {names[a]} and {names[b]} see it, 10 moments or more, turned between the two.",
        )


def _contradictions(solution: Solution, alone: Alone) -> Iterator[Finding]:
    cameras = solution.rig.cameras
    together = image_errors(solution)
    shared = np.isfinite(alone.errors).sum(axis=0) >= 2
    apart = np.sqrt(np.maximum(np.square(together) - np.square(alone.errors), 0.0))
    apart[:, ~shared] = np.nan
    # Of the worst quarter: a camera that was moved fits the others for most of the time.
    size = np.array([np.nanpercentile(own, 75) if np.isfinite(own).any() else np.nan for own in apart])
    percent = 100 * size / [diagonal(camera) for camera in cameras]
    beyond = [index for index in range(len(cameras)) if LIMITS["disagreement"].severity(float(percent[index]))]
    if not beyond:
        return
    if mirrored := mirrored_cameras(alone.poses):
        yield Finding(
            "mirrored",
            Severity.REDO,
            tuple(solution.rig.names[index] for index in mirrored),
            "its images seem to be mirrored" if len(mirrored) == 1 else "images of one or more of these are mirrored",
            "Switch off mirroring (a self view) in the recording program, or flip these videos, and calibrate again.",
        )
        return
    blame = _blame(apart)
    for index in beyond:
        if blame[index] < LEAST_BLAME * blame.max():
            continue
        yield from found(
            "disagreement",
            float(percent[index]),
            (cameras[index].name,),
            f"by itself it fits, but the board is {size[index]:.1f} px from where other cameras have it: the cameras "
            "may not be synchronous, or one moved",
            "Check that images of one number show the same instant; synchronise the recordings, or hold the board "
            "still for each image. Fix the cameras firmly.",
        )


def _blame(apart: np.ndarray) -> np.ndarray:
    """How much each camera disagrees with that other one with which it agrees best.

    The adjustment spreads what one camera has wrong over all that saw the board with it. But cameras that are right
    agree at the moments at which the wrong one did not look, and the wrong one with nobody.

    Args:
        apart: (cameras, moments) by how much each camera's image does not fit the others, pixels; NaN where unknown.
    """
    least = np.full(len(apart), np.inf)
    for a, b in combinations(range(len(apart)), 2):
        both = np.maximum(apart[a], apart[b])
        both = both[np.isfinite(both)]
        if len(both) >= LEAST_SHARED:
            pair = float(np.percentile(both, 25))
            least[a], least[b] = min(least[a], pair), min(least[b], pair)
    # A camera that shares too little with any other is judged by its own images.
    own = np.array([np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else 0.0 for row in apart])
    return np.where(np.isfinite(least), least, own)


def _moved(solution: Solution, alone: Alone) -> Iterator[Finding]:
    """A camera that was turned while the board was filmed: that which turned against every other one."""
    cameras, count = solution.rig.cameras, len(solution.rig)
    steps: dict[tuple[int, int], Step] = {}
    for a, b in combinations(range(count), 2):
        step = turn_between(solution, alone, a, b)
        if step is not None:
            steps[a, b] = steps[b, a] = step
    blamed: dict[int, Step] = {}
    pairs = [[step for (a, _), step in steps.items() if a == camera] for camera in range(count)]
    for camera, own in enumerate(pairs):
        strengths = [step.strength for step in own]
        if own and max(strengths) > CERTAIN and min(strengths) > LIKELY:
            blamed[camera] = own[int(np.argmax(strengths))]
    # One that can only be compared with cameras against which more pairs speak is innocent.
    guilty = {
        camera: step
        for camera, step in blamed.items()
        if not all(b in blamed and len(pairs[b]) > len(pairs[camera]) for a, b in steps if a == camera)
    }
    # Steps everywhere are no camera's: where the intrinsics are off, turns follow the places where the board was.
    if len(guilty) > 1 and count > 2:
        return
    for camera, step in guilty.items():
        pixels = step.angle * float(cameras[camera].K[0, 0])
        before, after = (solution.observations.frames[moment] for moment in (step.before, step.after))
        who = "it" if len(guilty) == 1 else "it, or the other one,"
        yield from found(
            "moved",
            100 * pixels / diagonal(cameras[camera]),
            (cameras[camera].name,),
            f"{who} seems to have been turned between moments {before} and {after}, by {np.degrees(step.angle):.1f} "
            f"degrees ({pixels:.0f} px in the image)",
            "Fix the cameras firmly, touch none, and film the board again.",
        )


def _expected(solution: Solution, expected: ExpectedError) -> Iterator[Finding]:
    if not len(expected.points):
        yield Finding(
            "volume",
            Severity.REDO,
            (),
            "no two cameras see the same place where the board was",
            "Point the cameras at the same place and film the board there.",
        )
        return
    middle = np.median(expected.points, axis=0)
    distances = {camera.name: float(np.linalg.norm(camera.centre - middle)) for camera in solution.rig}
    for name, distance in distances.items():
        off = float(np.sqrt(np.trace(position_covariance(solution, name))))
        known = np.isfinite(off)
        yield from found(
            "position",
            100 * off / distance,
            (name,),
            f"its place is known only to {1000 * off:.0f} mm" if known else "the images do not tell where it stands",
            "Film more moments at which it and its neighbours see the board together, near and far.",
        )
    away = float(np.median(list(distances.values())))
    off = float(np.median(expected.shape_mm())) / 1000
    yield from found(
        "volume",
        100 * off / away,
        (),
        f"3D points will be off by {1000 * off:.0f} mm because of the calibration alone"
        if np.isfinite(off)
        else "how wrong 3D points will be cannot be said: some camera is not determined",
        "Film more moments that several cameras see, with the board all over the volume, near and far.",
    )

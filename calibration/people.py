"""Refinement of a rig from people's own 2D keypoints, for rigs that moved a little since they were calibrated.

The joints of people over time are points that several cameras see; they and the cameras' poses are adjusted together
(``lift3d.calibration.bundle_adjustment``). What the images cannot show is taken from elsewhere: the scale from one
known length, and the place of the world's axes from the given rig, of which as many cameras as possible stay where
they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from lift3d.calibration.body_lengths import known_scale
from lift3d.calibration.bundle_adjustment import Adjustment, Progress, adjust, information
from lift3d.calibration.gauge import alignment_to, without_gauge
from lift3d.calibration.parameters import CENTRE, FOCAL, POSE, Parameter
from lift3d.calibration.structure import FreePoints
from lift3d.calibration.world import covariance_in_world, rig_in_world
from lift3d.errors import CameraError, ShapeError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.geometry.triangulation import triangulate_points
from lift3d.poses import Keypoints2D

# Keypoints that a detector is less sure of, or half as sure as of the camera's middle one, do not count.
LEAST_CONFIDENCE = 0.3
# More points than these add time and little else; fewer than those say too little.
MOST_POINTS, FEWEST_POINTS = 8000, 100
# Edge of the cubes of space over which points are spread, metres.
CELL = 0.25
# Time is cut into this many stretches, of which every fifth is held out.
STRETCHES = 25
# Joints whose error is this many times that of the middle joint are left out: the detector sees them elsewhere in
# every view.
BAD_JOINT = 2.5
# What is known beforehand, weakly: how far cameras may have moved (radians, and share of their distance), and how far
# their intrinsics may be off (share of the focal length, and for coefficients as such).
PRIOR_TURN, PRIOR_SHIFT, PRIOR_FOCAL, PRIOR_COEFFICIENT = 0.1, 0.1, 0.05, 0.1
# The error must fall below this share of what it was.
GAIN = 0.99
# Doubts: share of the image in which people are seen, spread of their joints over the floor (metres, one standard
# deviation), standard errors of a camera (degrees, metres).
SMALL_IMAGE, SMALL_SPACE, UNSURE_TURN, UNSURE_PLACE = 0.15, 0.25, 0.2, 0.02


@dataclass(frozen=True, eq=False)
class PeopleReport:
    """What a refinement from people found.

    Attributes:
        points: joints in single frames that were adjusted.
        error_before, error_after: (cameras,) median reprojection error on frames that were held out, pixels.
        turned, shifted: (cameras,) how far each camera moved: degrees, and metres of its centre.
        scale: new length of one metre of the given rig.
        noise: standard deviation of a keypoint's coordinate, pixels.
        parameters: the camera parameters that were solved (``lift3d.calibration.parameters``).
        covariance: (n, n) of these, relative to the rig as a whole, with its place and scale as exact; as if the
            detector's errors were independent from frame to frame, which they are not quite.
        left_out: joints that the detector sees in places that do not agree.
        warnings: what is doubtful, and what to film, in words for people.
    """

    points: int
    error_before: np.ndarray
    error_after: np.ndarray
    turned: np.ndarray
    shifted: np.ndarray
    scale: float
    noise: float
    parameters: tuple[Parameter, ...]
    covariance: np.ndarray
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]


def refine_from_people(
    rig: Rig,
    keypoints: Sequence[Keypoints2D],
    *,
    height: float | None = None,
    distance: tuple[str, str, float] | None = None,
    free: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[Rig, PeopleReport]:
    """Move the cameras of a rig a little, until they agree about the people they saw.

    Args:
        rig: the cameras roughly in place (a few degrees, some tens of centimetres).
        keypoints: what each camera saw, in the rig's order, synchronous, people matched by their track ids (or one
            person in each).
        height: stature of the one person, metres, which sets the scale.
        distance: instead: (joint, joint, metres), a distance on the people that was measured.
        free: the names of intrinsics to be solved too (``lift3d.calibration.parameters``): ``("fx", "fy")``.
        progress: is told of each step, ``(done, most)``.

    Returns:
        The refined rig, and the report.

    Raises:
        ShapeError: the keypoints do not fit the rig or each other, or a length is impossible.
        CameraError: too little is seen, or the error on frames that were held out does not fall.
    """
    xy, confidence = _matched(rig, keypoints)
    skeleton = keypoints[0].skeleton
    if height is not None and (distance is not None or xy.shape[2] != 1):
        raise ShapeError("height is of one person, and instead of a distance; choose the person, or give a distance")
    xy = np.where(_sure(confidence)[..., None], xy, np.nan)
    stretch = np.arange(xy.shape[1]) * STRETCHES // max(xy.shape[1], 1)
    held_out = stretch % 5 == 2 if xy.shape[1] >= STRETCHES else np.zeros(xy.shape[1], dtype=bool)

    sample = _sample(rig, xy[:, ~held_out])
    fit = _adjust(rig, sample, free, progress)
    bad = _bad_joints(fit, sample.joints)
    if len(bad):
        sample = sample.without(bad)
        fit = _adjust(rig, sample, free, progress)
    if len(sample.joints) < FEWEST_POINTS:
        raise CameraError(
            f"only {len(sample.joints)} joints of people are seen by two cameras or more: too few to refine the rig"
        )
    moved = replace(rig, cameras=fit.cameras)
    length = known_scale(skeleton, triangulate_points(moved.cameras, xy).points, height, distance)
    change, weights = alignment_to(moved, rig, length, sample.reach)
    result = rig_in_world(moved, change)
    covariance = covariance_in_world(moved, fit.parameters, fit.covariance, change)
    covariance = without_gauge(result, fit.parameters, covariance, weights, sample.reach)

    # Without frames to hold out the same frames have to do.
    test = xy[:, held_out] if held_out.any() else xy
    before, after = (_reprojection_error(cameras, test) for cameras in (rig, result))
    if not np.nanmean(after) < GAIN * np.nanmean(before):
        raise CameraError(
            f"the people do not improve the rig: their reprojection error on frames that were held out is "
            f"{np.nanmean(before):.2f} px with the given rig and {np.nanmean(after):.2f} px after; keep the given one"
        )
    report = PeopleReport(
        points=len(sample.joints),
        error_before=before,
        error_after=after,
        turned=np.array([_degrees(old.R.T @ new.R) for old, new in zip(rig, result, strict=True)]),
        shifted=np.array([np.linalg.norm(new.centre - old.centre) for old, new in zip(rig, result, strict=True)]),
        scale=alignment_to(rig, result, None, sample.reach)[0].scale,
        noise=float(fit.noise[0]),
        parameters=fit.parameters,
        covariance=covariance,
        left_out=tuple(skeleton.joints[joint] for joint in bad),
        warnings=tuple(_doubts(result, sample, fit, covariance, length)),
    )
    return result, report


class _Sample(NamedTuple):
    """Joints in single frames: xy (C, n, 1, 2) pixels, xyz (n, 3) metres, joints (n,) indices; reach in metres."""

    xy: np.ndarray
    xyz: np.ndarray
    joints: np.ndarray
    reach: float

    def without(self, bad: np.ndarray) -> _Sample:
        keep = ~np.isin(self.joints, bad)
        return _Sample(self.xy[:, keep], self.xyz[keep], self.joints[keep], self.reach)


def _matched(rig: Rig, keypoints: Sequence[Keypoints2D]) -> tuple[np.ndarray, np.ndarray]:
    """(C, F, people, J, 2) pixels and (C, F, people, J) confidence of the people that several cameras name alike."""
    if len(keypoints) != len(rig):
        raise ShapeError(f"the rig has {len(rig)} cameras ({', '.join(rig.names)}), keypoints come of {len(keypoints)}")
    if len(rig) < 2:
        raise CameraError("one camera alone cannot be refined from people; two or more see them together")
    first = keypoints[0]
    for name, motion in zip(rig.names, keypoints, strict=True):
        if motion.skeleton != first.skeleton:
            raise ShapeError(
                f"camera {name} has the joints of {motion.skeleton.name}, camera {rig.names[0]} those of "
                f"{first.skeleton.name}; convert them to one layout"
            )
        if motion.frames != first.frames:
            raise ShapeError(
                f"camera {name} has {motion.frames} frames, camera {rig.names[0]} {first.frames}; synchronise them"
            )
    alone = all(motion.people == 1 for motion in keypoints)
    people = [{0: 0} if alone else {track: i for i, track in enumerate(motion.track_ids)} for motion in keypoints]
    tracks = sorted({track for known in people for track in known if sum(track in other for other in people) > 1})
    shape = (len(rig), first.frames, len(tracks), len(first.skeleton))
    xy, confidence = np.full((*shape, 2), np.nan), np.zeros(shape)
    for camera, (motion, known) in enumerate(zip(keypoints, people, strict=True)):
        for person, track in enumerate(tracks):
            if track in known:
                xy[camera, :, person] = motion.xy[:, known[track]]
                confidence[camera, :, person] = motion.confidence[:, known[track]]
    return xy, confidence


def _sure(confidence: np.ndarray) -> np.ndarray:
    """Which keypoints the detector is sure of, camera by camera."""
    sure = np.zeros(confidence.shape, dtype=bool)
    for of_camera, into in zip(confidence, sure, strict=True):
        seen = of_camera[of_camera > 0]
        if seen.size:
            into[...] = of_camera >= max(LEAST_CONFIDENCE, 0.5 * float(np.median(seen)))
    return sure


def _sample(rig: Rig, xy: np.ndarray) -> _Sample:
    """At most ``MOST_POINTS`` joints that two cameras or more see, spread over space."""
    joints = np.broadcast_to(np.arange(xy.shape[3]), xy.shape[1:4]).reshape(-1)
    flat = xy.reshape(len(rig), -1, 2)
    xyz = triangulate_points(rig.cameras, flat).points
    known = np.flatnonzero(np.isfinite(xyz).all(axis=1))
    if len(known) < FEWEST_POINTS:
        raise CameraError(
            f"only {len(known)} joints of people are seen by two cameras or more: too few to refine the rig; are the "
            "people matched by track id, the cameras in the rig's order, and the rig roughly right?"
        )
    if len(known) > MOST_POINTS:
        # Where people stood for long there are many points that say the same.
        _, cell, count = np.unique(np.floor(xyz[known] / CELL), axis=0, return_inverse=True, return_counts=True)
        chance = 1 / np.sqrt(count[cell.reshape(-1)])
        chosen = np.random.default_rng(0).choice(len(known), MOST_POINTS, replace=False, p=chance / chance.sum())
        known = known[np.sort(chosen)]
    middle = np.median(xyz[known], axis=0)
    reach = float(np.median([np.linalg.norm(camera.centre - middle) for camera in rig]))
    return _Sample(flat[:, known, None], xyz[known], joints[known], reach)


def _adjust(rig: Rig, sample: _Sample, free: Sequence[str], progress: Progress | None) -> Adjustment:
    names = dict.fromkeys(rig.names, (*free, *POSE))
    known = {c.name: {name: _prior(c, name, sample.reach) for name in names[c.name]} for c in rig}
    prior = information(rig.cameras, names, known)
    return adjust(rig.cameras, FreePoints(sample.xyz), sample.xy, names, prior, progress=progress)


def _prior(camera: Camera, name: str, reach: float) -> float:
    if name in POSE:
        return PRIOR_TURN if name.startswith("r") else PRIOR_SHIFT * reach
    return PRIOR_FOCAL * float(camera.K[0, 0]) if name in FOCAL + CENTRE else PRIOR_COEFFICIENT


def _bad_joints(fit: Adjustment, joints: np.ndarray) -> np.ndarray:
    """Indices of joints whose error, over all cameras, is far above that of the others."""
    squares = np.square(fit.residuals[:, :, 0]).sum(axis=-1)
    kinds = np.unique(joints)
    errors = np.array([np.sqrt(np.nanmedian(squares[:, joints == kind])) for kind in kinds])
    return np.asarray(kinds[errors > BAD_JOINT * np.median(errors)])


def _reprojection_error(rig: Rig, xy: np.ndarray) -> np.ndarray:
    """(C,) median distance of keypoints (C, ..., 2) from the points that the rig makes of them, pixels."""
    points = triangulate_points(rig.cameras, xy).points
    errors = [np.linalg.norm(camera.project(points) - pixels, axis=-1) for camera, pixels in zip(rig, xy, strict=True)]
    return np.array([np.median(error[known]) if (known := np.isfinite(error)).any() else np.nan for error in errors])


def _degrees(turn: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


def _doubts(rig: Rig, sample: _Sample, fit: Adjustment, covariance: np.ndarray, length: float | None) -> list[str]:
    doubts = []
    if len(rig) == 2:
        doubts.append("two cameras see errors only across their common lines of sight; a third would check them")
    if length is None:
        doubts.append("without a known length the scale is that of the given rig; give height or a distance")
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(fit.structure.world()[:, 0].T)))
    if spread[1] < SMALL_SPACE:
        doubts.append("people hardly moved about; let them walk through the whole volume and wave their arms")
    for index, camera in enumerate(rig):
        if camera.image_size is None:
            continue
        cells = np.floor(sample.xy[index, fit.used[index, :, 0], 0] / np.array(camera.image_size) * 8)
        share = len(np.unique(cells, axis=0)) / 64
        if share < SMALL_IMAGE:
            doubts.append(f"camera {camera.name}: people are seen in {100 * share:.0f} % of its image only")
    deviations = dict(zip(fit.parameters, np.sqrt(np.diag(covariance)), strict=True))
    for name in rig.names:
        turn, place = (
            np.linalg.norm([deviations[Parameter(name, key)] for key in part]) for part in (POSE[:3], POSE[3:])
        )
        turn = np.degrees(turn)
        if turn > UNSURE_TURN or place > UNSURE_PLACE:
            doubts.append(
                f"camera {name}: known to {turn:.2f} degrees and {1000 * place:.0f} mm only; film people in more of "
                "its image, near and far"
            )
    return doubts

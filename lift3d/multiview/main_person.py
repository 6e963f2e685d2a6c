"""Which of the people of each camera is the one that all cameras show, and whether people of one id are one person.

Two tracks of two cameras are the same person as far as their rays meet; what is left between them is measured in body
sizes, so that it means the same near and far.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift3d.geometry.cameras import Camera
from lift3d.geometry.robust_triangulation import triangulate_robustly
from lift3d.geometry.triangulation import triangulate_points
from lift3d.poses import Keypoints2D

SAMPLED_FRAMES = 60
ANCHORS = 6  # cameras whose people are each tried as the one
# The reprojection error of one person is less than this part of the body's size; detectors are right to 0.02.
SAME = 0.08
LEAST_COMMON = 20  # joints that two tracks must share, over the frames that are sampled


def choose_person(cameras: Sequence[Camera], motions: Sequence[Keypoints2D]) -> list[int | None]:
    """Index of the main person among each camera's people, None where nobody fits the others.

    Of all people the one counts whom most cameras agree on, who is large in their images, and seen for long.

    Args:
        cameras: C calibrated cameras.
        motions: their keypoints, of the same number of frames.
    """
    samples = [_sample(motion) for motion in motions]
    prominence = [_prominence(motion) for motion in motions]
    sizes = [_body_sizes(sample) for sample in samples]
    spread = range(0, len(cameras), -(-len(cameras) // ANCHORS))
    best = -1.0
    picks: list[int | None] = [None] * len(cameras)
    for anchor in spread:
        if motions[anchor].people == 0:
            continue
        support = [
            _agreement(cameras, samples, sizes, anchor, other) * prominence[other] for other in range(len(cameras))
        ]
        # The best partner of each camera, for each person of the anchor.
        score = prominence[anchor] * (
            1 + sum(part.max(1) for other, part in enumerate(support) if other != anchor and part.size)
        )
        if score.max() > best:
            best, person = float(score.max()), int(score.argmax())
            picks = [
                person
                if other == anchor
                else int(part[person].argmax())
                if part.size and part[person].max() > 0
                else None
                for other, part in enumerate(support)
            ]
    return _reconsidered(cameras, samples, sizes, picks)


def consistent_people(cameras: Sequence[Camera], matched: Sequence[Keypoints2D]) -> bool:
    """Whether the people, the same index in every camera, are each one person in space."""
    samples = [_sample(motion) for motion in matched]
    sizes = np.stack([_body_sizes(sample) for sample in samples])
    xy = np.stack(samples)
    error = triangulate_points(cameras, xy).reprojection_error
    seen = np.isfinite(error).sum((0, 2)) >= LEAST_COMMON
    relative = [np.nanmedian(error[:, person]) / np.nanmedian(sizes[:, person]) for person in np.nonzero(seen)[0]]
    return bool(relative) and max(relative) < SAME


def _sample(motion: Keypoints2D) -> np.ndarray:
    """(frames, people, joints, 2) of some frames; NaN without confidence."""
    frames = np.unique(np.linspace(0, motion.frames - 1, min(SAMPLED_FRAMES, motion.frames)).astype(int))
    return np.where(motion.confidence[frames, ..., None] > 0, motion.xy[frames], np.float32(np.nan))


def _extent(xy: np.ndarray) -> np.ndarray:
    """(frames, people) the longer side of the box around each person, NaN where they are not seen."""
    high = np.where(np.isnan(xy), -np.inf, xy).max(axis=2, initial=-np.inf)
    low = np.where(np.isnan(xy), np.inf, xy).min(axis=2, initial=np.inf)
    side = (high - low).max(-1)
    return np.where(np.isfinite(side) & (side > 0), side, np.nan)


def _body_sizes(sample: np.ndarray) -> np.ndarray:
    """(people,) pixels, NaN for who is not seen."""
    extent = _extent(sample)
    return np.array([np.median(own[np.isfinite(own)]) if np.isfinite(own).any() else np.nan for own in extent.T])


def body_sizes_in(motion: Keypoints2D) -> np.ndarray:
    """(people,) pixels, the longer side of the box around each person, the median over time; NaN where never seen."""
    return _body_sizes(_sample(motion))


def _prominence(motion: Keypoints2D) -> np.ndarray:
    """(people,) 0 to 1: how much of the time they are seen, times how large they are beside the largest."""
    if motion.people == 0:
        return np.zeros(0)
    seen = (motion.confidence > 0).any(-1).mean(0)
    sizes = np.nan_to_num(body_sizes_in(motion))
    return np.asarray(seen * sizes / max(float(sizes.max()), 1e-9))


def _agreement(
    cameras: Sequence[Camera], samples: Sequence[np.ndarray], sizes: Sequence[np.ndarray], first: int, second: int
) -> np.ndarray:
    """(people of the first, people of the second) 1 where two tracks meet in space, 0 where they cannot be one."""
    a, b = samples[first], samples[second]
    result = np.zeros((a.shape[1], b.shape[1]))
    if not result.size or first == second:
        return result
    shape = (len(a), a.shape[1], b.shape[1], *a.shape[2:])
    xy = np.stack([np.broadcast_to(a[:, :, None], shape), np.broadcast_to(b[:, None], shape)])
    error = triangulate_points([cameras[first], cameras[second]], xy).reprojection_error
    # Rays that meet behind the cameras are no agreement.
    both = np.isfinite(xy).all((0, -1))
    error = np.where(both & np.isnan(error), np.inf, error)
    for i, j in np.ndindex(result.shape):
        if (known := both[:, i, j]).sum() >= LEAST_COMMON:
            relative = np.median(error[:, i, j][known]) / min(sizes[first][i], sizes[second][j])
            result[i, j] = max(0.0, 1 - relative / SAME)
    return result


def _reconsidered(
    cameras: Sequence[Camera],
    samples: Sequence[np.ndarray],
    sizes: Sequence[np.ndarray],
    picks: Sequence[int | None],
) -> list[int | None]:
    """Each camera's choice anew, now that several others together say where the person is."""
    result = list(picks)
    for index, camera in enumerate(cameras):
        others = [k for k, pick in enumerate(result) if pick is not None and k != index]
        if len(others) < 2 or samples[index].shape[1] == 0:
            continue
        xy = np.stack([samples[k][:, result[k]] for k in others])
        place = camera.project(triangulate_robustly([cameras[k] for k in others], xy).points)
        away = np.linalg.norm(samples[index] - place[:, None], axis=-1)
        known = np.isfinite(away)
        distance = np.array(
            [
                np.median(away[:, person][known[:, person]]) / sizes[index][person]
                if known[:, person].sum() >= LEAST_COMMON
                else np.inf
                for person in range(away.shape[1])
            ]
        )
        # Rays of a few cameras are less exact than the camera itself; a whole body further off is somebody else.
        result[index] = int(distance.argmin()) if distance.min() < 5 * SAME else None
    return result

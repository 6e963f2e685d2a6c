"""One camera's people as smooth functions of time, in body sizes, ready to be compared with another camera's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lift3d.errors import Lift3DError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.poses import Keypoints2D
from lift3d.skeletons import HALPE26

# Every camera is smoothed by the same kernel in time, which moves none against another.
KERNEL_SECONDS = 0.05  # standard deviation
KERNEL_FRAMES = 1.5  # and at least that
# The pace is smoothed further: the noise of positions between two frames goes with the noise of the velocity there,
# and offsets found with that velocity are drawn towards half frames.
PACE_SECONDS = 0.15
# A joint is a detector's slip if it is further from the median of five frames than five standard deviations of the
# noise and what this acceleration explains, in body sizes per second squared.
FASTEST = 30.0
LEAST_JOINTS = 4
STILL = 0.005  # body sizes; joints that wander less than this show no motion


@dataclass(frozen=True)
class ImageMotion:
    """Smooth paths of joints in one camera.

    Attributes:
        name: the camera's name.
        fps: frames per second of its own clock.
        position: (frames, tracks, joints, 2) float64, body sizes; NaN where it is not known.
        velocity: (frames, tracks, joints, 2) body sizes per second.
        pace: (frames, tracks, joints, 2) the velocity, smoothed further.
        to_plane: (3, 3) maps homogeneous positions to the camera's plane z = 1, or to pixels where it has no camera.
    """

    name: str
    fps: float
    position: np.ndarray
    velocity: np.ndarray
    pace: np.ndarray
    to_plane: np.ndarray

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return (len(self.position) - 1) / self.fps

    def at(self, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions and paces (times, tracks, joints, 2) at times of the camera's own clock (frame / fps).

        Positions are cubic between the two frames beside, paces linear; NaN where one of the frames is missing.
        """
        place = np.asarray(seconds) * self.fps
        before = np.clip(np.floor(place), 0, max(len(self.position) - 2, 0)).astype(int)
        after = np.minimum(before + 1, len(self.position) - 1)
        u = (place - before)[:, None, None, None]
        p, q = self.position[before], self.position[after]
        v, w = self.velocity[before] / self.fps, self.velocity[after] / self.fps
        position = p + u * (v + u * (3 * (q - p) - 2 * v - w + u * (v + w - 2 * (q - p))))
        pace = (1 - u) * self.pace[before] + u * self.pace[after]
        inside = (u > -1e-6) & (u < 1 + 1e-6)
        return np.where(inside, position, np.nan), np.where(inside, pace, np.nan)


def image_motions(keypoints: Mapping[str, Keypoints2D], cameras: Mapping[str, Camera] | None) -> list[ImageMotion]:
    """The motion of every camera, on the joints that all of them name.

    Args:
        keypoints: by camera name.
        cameras: the calibrated cameras by name; None leaves positions in the image, distorted.

    Raises:
        SkeletonError: fewer than four joints are common to all.
        Lift3DError: a camera has no frame rate, no person that is seen for long enough, or none who moves.
    """
    joints = _common_joints(keypoints)
    return [
        _image_motion(name, points, joints, None if cameras is None else cameras[name])
        for name, points in keypoints.items()
    ]


def median_of_seen(values: np.ndarray) -> np.ndarray:
    """Medians (...) of the finite values along the first axis of (n, ...); NaN where there is none."""
    ordered = np.sort(values, axis=0)  # NaN comes last
    count = np.isfinite(values).sum(axis=0)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, len(values) - 1)[None], axis=0)[0]
    return np.asarray((low + high) / 2)


def _common_joints(keypoints: Mapping[str, Keypoints2D]) -> list[str]:
    """The joints that all cameras have; the body's alone where there are enough, without face and fingers."""
    layouts = [points.skeleton for points in keypoints.values()]
    common = [joint for joint in layouts[0].joints if all(joint in layout.joints for layout in layouts[1:])]
    if len(common) < LEAST_JOINTS:
        raise SkeletonError(
            f"the layouts of the cameras ({', '.join(sorted({layout.name for layout in layouts}))}) have "
            f"{len(common)} joints in common, and {LEAST_JOINTS} are needed; convert them to one layout first"
        )
    body = [joint for joint in common if joint in HALPE26.joints]
    return body if len(body) >= 2 * LEAST_JOINTS else common


def _image_motion(name: str, keypoints: Keypoints2D, joints: list[str], camera: Camera | None) -> ImageMotion:
    if keypoints.fps is None:
        raise Lift3DError(f"camera {name!r}: the frame rate is not known; say it when reading (fps=..., --fps)")
    chosen = [keypoints.skeleton.index(joint) for joint in joints]
    xy = keypoints.xy[:, :, chosen].astype(np.float64)
    weight = keypoints.confidence[:, :, chosen].astype(np.float64)
    size = _body_size(xy)
    if not np.isfinite(size):
        raise Lift3DError(f"camera {name!r}: no person is seen with {LEAST_JOINTS} joints or more")
    weight[_slips(xy, FASTEST * size / keypoints.fps**2)] = 0
    if camera is None:
        centre = median_of_seen(xy.reshape(-1, 2))
    else:
        xy, size, centre = camera.unproject(xy), size / np.sqrt(camera.K[0, 0] * camera.K[1, 1]), np.zeros(2)
    position, velocity = _smooth((xy - centre) / size, weight, keypoints.fps)
    if not np.isfinite(position).any():
        raise Lift3DError(f"camera {name!r}: no joint is seen for long enough without a gap to follow its motion")
    if _wandering(position) < STILL:
        raise Lift3DError(
            f"camera {name!r}: nobody moves, and only motion can tell the time; choose a part where people move, "
            "or use the sound (find_audio_offsets, --audio)"
        )
    pace = _smooth_further(velocity, PACE_SECONDS * keypoints.fps)
    to_plane = np.array([[size, 0, centre[0]], [0, size, centre[1]], [0, 0, 1]])
    return ImageMotion(name, keypoints.fps, position, velocity, pace, to_plane)


def _body_size(xy: np.ndarray) -> float:
    """About the height of the largest person in the units of xy: three times the spread of joints; NaN if nobody."""
    seen = np.isfinite(xy[..., 0])
    count = np.maximum(seen.sum(axis=2), 1)
    known = np.where(seen[..., None], xy, 0)
    middle = known.sum(axis=2) / count[..., None]
    spread = np.where(seen, ((known - middle[:, :, None]) ** 2).sum(axis=-1), 0).sum(axis=2) / count
    spread[seen.sum(axis=2) < LEAST_JOINTS] = np.nan
    sizes = 3 * np.sqrt(median_of_seen(spread)) if len(spread) else np.empty(0)
    return float(np.max(sizes[np.isfinite(sizes)], initial=-np.inf)) if np.isfinite(sizes).any() else float("nan")


def _slips(xy: np.ndarray, limit: float) -> np.ndarray:
    """(frames, tracks, joints) bool: joints further than ``limit`` from the median of the five frames around."""
    padded = np.pad(xy, ((2, 2), (0, 0), (0, 0), (0, 0)), constant_values=np.nan)
    away = np.abs(xy - median_of_seen(np.stack([padded[i : i + len(xy)] for i in range(5)])))
    noise = 1.4826 * np.median(away[np.isfinite(away)]) if np.isfinite(away).any() else 0.0
    return np.asarray((away > 5 * noise + limit).any(axis=-1))


def _smooth(xy: np.ndarray, weight: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions, and velocities per second, of a parabola fitted around every frame with a Gaussian kernel.

    Local polynomial regression (Fan and Gijbels 1996) of degree 2, with missing frames left out.
    """
    from scipy.ndimage import correlate1d

    deviation = max(KERNEL_SECONDS * fps, KERNEL_FRAMES)
    reach = int(np.ceil(3 * deviation))
    time = np.arange(-reach, reach + 1) / deviation
    kernel = np.exp(-(time**2) / 2)
    weight = np.where(np.isfinite(xy[..., 0]), weight, 0)
    known = np.where(weight[..., None] > 0, xy, 0)

    def moment(values: np.ndarray, power: int) -> np.ndarray:
        return np.asarray(correlate1d(values, kernel * time**power, axis=0, mode="constant"))

    seen = moment((weight > 0).astype(np.float64), 0) / kernel.sum()
    s0, s1, s2, s3, s4 = (moment(weight, power) for power in range(5))
    y0, y1, y2 = (moment(weight[..., None] * known, power) for power in range(3))
    # The inverse of the moment matrix [[s0 s1 s2], [s1 s2 s3], [s2 s3 s4]], its first two rows.
    a, b, c = s2 * s4 - s3 * s3, s2 * s3 - s1 * s4, s1 * s3 - s2 * s2
    d, e = s0 * s4 - s2 * s2, s1 * s2 - s0 * s3
    determinant = s0 * a + s1 * b + s2 * c
    with np.errstate(divide="ignore", invalid="ignore"):
        good = (seen >= 0.4) & (np.abs(s1) < 0.6 * s0) & (determinant > 1e-4 * s0**3)
        a, b, c, d, e = (np.where(good, value / determinant, np.nan)[..., None] for value in (a, b, c, d, e))
    return a * y0 + b * y1 + c * y2, (b * y0 + d * y1 + e * y2) * (fps / deviation)


def _smooth_further(values: np.ndarray, deviation: float) -> np.ndarray:
    """Values (frames, ..., 2) averaged over time by a Gaussian of that many frames; NaN stays NaN and takes no part."""
    from scipy.ndimage import gaussian_filter1d

    known = np.isfinite(values)
    total = gaussian_filter1d(np.where(known, values, 0), deviation, axis=0, mode="constant")
    weight = gaussian_filter1d(known.astype(np.float64), deviation, axis=0, mode="constant")
    return np.where(known, total / np.maximum(weight, 1e-9), np.nan)


def _wandering(position: np.ndarray) -> float:
    """How far the joint that wanders most does, body sizes: the range of the middle 90 % of its time, halved."""
    ordered = np.sort(position, axis=0)
    count = np.isfinite(position).sum(axis=0)
    ends = [
        np.take_along_axis(ordered, (share * np.maximum(count - 1, 0)).astype(int)[None], 0) for share in (0.05, 0.95)
    ]
    spread = np.linalg.norm(ends[1] - ends[0], axis=-1) / 2
    return float(np.max(spread[np.isfinite(spread)], initial=0))

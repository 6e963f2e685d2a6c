"""One camera's people as smooth functions of time, in body sizes, ready to be compared with another camera's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lift3d.errors import Lift3DError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.multiview.path_smoothing import median_of_seen, smooth_path, wandering
from lift3d.poses import Keypoints2D
from lift3d.skeletons import HALPE26

LEAST_JOINTS = 4
LEAST_SECONDS = 0.4
STILL = 0.005  # body sizes; who wanders less than this shows no motion
BYSTANDER = 0.1  # and nor does who wanders less than this share of the one who does most


@dataclass(frozen=True)
class ImageMotion:
    """Smooth paths of joints in one camera.

    Attributes:
        name: the camera's name.
        fps: frames per second of its own clock.
        position: (frames, tracks, joints, 2) float32, body sizes; NaN where it is not known. Only tracks that move.
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
        Lift3DError: a camera has no frame rate, or nobody who is seen for long enough and moves.
    """
    joints = _common_joints(keypoints)
    return [
        _image_motion(name, points, joints, None if cameras is None else cameras[name])
        for name, points in keypoints.items()
    ]


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
    pixels = _body_size(keypoints.xy[:, :, chosen])
    if not np.isfinite(pixels):
        raise Lift3DError(f"camera {name!r}: no person is seen with {LEAST_JOINTS} joints or more")
    if camera is None:
        size, centre = pixels, np.array([median_of_seen(keypoints.xy[:, :, chosen, axis].ravel()) for axis in (0, 1)])
    else:
        size, centre = pixels / np.sqrt(camera.K[0, 0] * camera.K[1, 1]), np.zeros(2)
    paths = np.empty((3, *keypoints.xy.shape[:2], len(chosen), 2), np.float32)
    for place, joint in enumerate(chosen):
        plane = keypoints.xy[:, :, joint].astype(np.float64)
        plane = ((plane if camera is None else camera.unproject(plane)) - centre) / size
        paths[:, :, :, place] = smooth_path(plane, keypoints.confidence[:, :, joint], keypoints.fps)
    followed = (np.isfinite(paths[0, ..., 0]).sum(axis=2) >= LEAST_JOINTS).any(axis=1).sum() / keypoints.fps
    if followed < LEAST_SECONDS:
        raise Lift3DError(
            f"camera {name!r}: {LEAST_JOINTS} joints of a person can be followed for {followed:.2f} s, and "
            f"{LEAST_SECONDS:g} s is the least; give a longer clip"
        )
    wide = wandering(paths[0])
    if wide.max() < STILL:
        raise Lift3DError(
            f"camera {name!r}: nobody moves, and only motion can tell the time; choose a part where people move, "
            "or use the sound (find_audio_offsets, --audio)"
        )
    to_plane = np.array([[size, 0, centre[0]], [0, size, centre[1]], [0, 0, 1]])
    position, velocity, pace = paths[:, :, wide >= max(STILL, BYSTANDER * wide.max())]
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

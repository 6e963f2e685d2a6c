"""What of a clip a camera's video shows, and where: keypoints and reprojected poses in the video's pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lift3d.errors import CameraError, Lift3DError
from lift3d.geometry.cameras import Camera
from lift3d.io.stored_poses import Clip
from lift3d.io.videos import VideoFile
from lift3d.poses import Keypoints2D
from lift3d.skeletons import Skeleton
from lift3d.viz.scene import mean_seen

# Rates that differ by less are one rate: then frame n of the clip is frame n of the video.
SAME_RATE = 0.01
# Codecs store frames in squares of so many pixels, and some programs take the whole squares for the image.
CODING_SQUARE = 16
DEFAULT_FPS = 30.0


@dataclass(frozen=True)
class Block:
    """Frames ready to draw.

    Attributes:
        detected: (frames, people, joints, 2) keypoints in pixels of the video, None if there are none.
        projected: (frames, people, joints, 2) reprojected poses in pixels of the video, None if there are none.
        errors: (frames, people of the poses, shared joints) distances between the two, NaN where one is missing.
        owners: (frames, people of the keypoints) which person of the poses they are, -1 if none; without poses they
            are themselves.
    """

    detected: np.ndarray | None
    projected: np.ndarray | None
    errors: np.ndarray
    owners: np.ndarray

    def error(self, row: int) -> float | None:
        """The median distance in one frame, None if no joint is both detected and reprojected."""
        known = self.errors[row][np.isfinite(self.errors[row])]
        return float(np.median(known)) if len(known) else None


class OverlayScene:
    """A clip before the camera that took a video.

    Args:
        poses: 3D poses, in world space or in the camera's; None if there are none.
        keypoints: the camera's keypoints; None for those that the poses carry, if they do.
        camera: the camera; None for that of poses in camera space.
        video: the video.

    Attributes:
        skeleton_2d, skeleton_3d: the layouts of keypoints and poses, None where there are none.
        people: how many people there are in the poses, or without poses in the keypoints.
        fps: the clip's frame rate, else the video's.
        notes: sentences on what does not fit quite.

    Raises:
        CameraError: there is no camera, or it is calibrated for images of another shape than the video's.
        Lift3DError: there is nothing to draw.
    """

    def __init__(
        self, poses: Clip | None, keypoints: Keypoints2D | None, camera: Camera | None, video: VideoFile
    ) -> None:
        self.notes: list[str] = []
        self._poses, self._keypoints, self._video = poses, keypoints, video
        # The clip without a frame says all but the coordinates.
        head = poses.select(slice(0, 0)) if poses is not None else None
        flat = keypoints
        if flat is None and head is not None and _carries(head.space, head.camera, camera):
            flat = head.keypoints
        clip = poses if poses is not None else keypoints
        if clip is None:
            raise Lift3DError("there is nothing to draw on the video: give poses, keypoints or both")
        self._length, self._clip_fps = clip.frames, clip.fps
        self.fps = clip.fps or video.fps or DEFAULT_FPS
        if keypoints is not None and poses is not None and keypoints.frames != poses.frames:
            self.notes.append(f"the poses have {poses.frames} frames, the keypoints {keypoints.frames}")
        self._camera = None if head is None else _viewing(head.space, head.camera, camera)
        camera = self._camera or camera
        calibrated = camera.image_size if camera is not None else None
        self._scale_3d = self._scale(calibrated, "the camera is calibrated for images of")
        own = flat.image_size if flat is not None else None
        # Keypoints that do not say it are taken to be in the pixels of the calibration, as triangulation takes them.
        self._scale_2d = self._scale_3d
        if own not in (None, calibrated):
            self._scale_2d = self._scale(own, "the keypoints are of images of")
        self.skeleton_3d: Skeleton | None = None if head is None else head.skeleton
        self.skeleton_2d: Skeleton | None = None if flat is None else flat.skeleton
        self.people = clip.people
        self._joints_2d, self._joints_3d = _shared_joints(self.skeleton_2d, self.skeleton_3d)
        self._by_number = flat is not None and head is not None and flat.track_ids == head.track_ids

    def frame_numbers(self, frames: slice, offset: int) -> tuple[range, list[int]]:
        """Numbers of the clip's frames that the video shows too, and those frames' numbers in the video.

        Raises:
            Lift3DError: there is none.
        """
        chosen = range(*frames.indices(self._length))
        if chosen.step < 1:
            raise Lift3DError("the frames of an overlay go forward; the step must be 1 or more")
        ratio = 1.0
        if self._clip_fps and self._video.fps and abs(self._video.fps / self._clip_fps - 1) > SAME_RATE:
            ratio = self._video.fps / self._clip_fps
            rates = f"the clip has {self._clip_fps:g} frames per second, the video {self._video.fps:g}"
            self.notes.append(f"{rates}: frames of the same time are drawn together")
        numbers = np.round(np.arange(chosen.start, chosen.stop, chosen.step) * ratio).astype(int) + offset
        inside = np.flatnonzero((numbers >= 0) & (numbers < self._video.frames))
        if not len(inside):
            raise Lift3DError(
                f"{self._video.path}: the video's {self._video.frames} frames show none of the "
                f"{len(chosen)} frames that were chosen of the clip; check the frames and the offset"
            )
        if len(inside) < len(chosen):
            self.notes.append(
                f"the video has {self._video.frames} frames: {len(inside)} of the clip's {len(chosen)} are drawn"
            )
        elif chosen.stop >= self._length and (more := self._video.frames - 1 - int(numbers[-1])) > max(1, ratio):
            self.notes.append(f"the video goes on for {more} frames after the clip; they are left out")
        return chosen[inside[0] : inside[-1] + 1], numbers[inside].tolist()

    def block(self, chosen: range) -> Block:
        """The frames of these numbers of the clip."""
        frames = slice(chosen.start, chosen.stop, chosen.step)
        projected = flat = None
        if self._poses is not None and self._camera is not None:
            poses = self._poses.select(frames)
            projected = _scaled(self._camera.project(poses.xyz), self._scale_3d)
            flat = poses.keypoints
        if self._keypoints is not None:
            flat = self._keypoints.select(frames)
        detected = None
        if self.skeleton_2d is not None and flat is not None:
            missing = len(chosen) - flat.frames
            xy = np.pad(flat.xy, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=np.nan) if missing else flat.xy
            detected = _scaled(xy.astype(np.float64), self._scale_2d)
        people_2d = 0 if detected is None else detected.shape[1]
        owners = np.tile(np.arange(people_2d), (len(chosen), 1))
        if detected is None or projected is None:
            return Block(detected, projected, np.empty((len(chosen), 0, 0)), owners)
        return Block(detected, projected, *self._compare(detected, projected, owners))

    def _compare(
        self, detected: np.ndarray, projected: np.ndarray, owners: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """``errors`` and ``owners`` of a block, from the owners if people go by their number."""
        detected, projected = detected[:, :, self._joints_2d], projected[:, :, self._joints_3d]
        if self._by_number:
            return np.linalg.norm(detected - projected, axis=-1), owners
        owners = np.full_like(owners, -1)
        # (frames, people in 3D, people in 2D, joints)
        between = np.linalg.norm(detected[:, None] - projected[:, :, None], axis=-1)
        if not between.size:
            return np.empty((len(between), 0, 0)), owners
        mean = mean_seen(between, axis=-1)
        nearest = np.where(np.isfinite(mean), mean, np.inf).argmin(axis=2)
        errors = np.take_along_axis(between, nearest[:, :, None, None], axis=2)[:, :, 0]
        frame, person = np.nonzero(np.isfinite(errors).any(axis=-1))
        owners[frame, nearest[frame, person]] = person
        return errors, owners

    def _scale(self, size: tuple[int, int] | None, what: str) -> float:
        """What pixels of images of a size are multiplied with for the video's."""
        shown = self._video.size
        if size is None or size == shown:
            return 1.0
        both = f"{what} {size[0]} x {size[1]} pixels, the video has {shown[0]} x {shown[1]}"
        scale = shown[0] / size[0]
        if abs(size[1] * scale - shown[1]) <= 1:
            note = f"{both}: drawn {scale:g} times as large"
        elif all(_same_but_for_coding(a, b) for a, b in zip(size, shown, strict=True)):
            note, scale = f"{both}: taken for the same pixels, one of them filled up to whole squares of its codec", 1.0
        elif size[::-1] == shown:
            raise CameraError(f"{self._video.path}: {both}; is one of them turned?")
        else:
            raise CameraError(f"{self._video.path}: {both}; was it cropped, or is it of another camera?")
        self.notes.append(note)
        return scale


def _same_but_for_coding(a: int, b: int) -> bool:
    return a == b or (abs(a - b) < CODING_SQUARE and max(a, b) % CODING_SQUARE == 0)


def _carries(space: str, own: Camera | None, camera: Camera | None) -> bool:
    """Whether the keypoints that poses carry are those of the camera: in world space there may be others."""
    return space == "camera" or camera is None or (own is not None and own.name == camera.name)


def _viewing(space: str, own: Camera | None, camera: Camera | None) -> Camera:
    """The camera that projects the poses' coordinates."""
    camera = camera or own
    if camera is None:
        raise CameraError("the poses are to be reprojected, and no camera is known: give the rig with the cameras")
    return replace(camera, R=np.eye(3), t=np.zeros(3)) if space == "camera" else camera


def _shared_joints(flat: Skeleton | None, deep: Skeleton | None) -> tuple[list[int], list[int]]:
    """Indices of the joints that both layouts have, in each."""
    if flat is None or deep is None:
        return [], []
    names = [joint for joint in flat.joints if joint in deep.joints]
    return [flat.index(joint) for joint in names], [deep.index(joint) for joint in names]


def _scaled(points: np.ndarray, scale: float) -> np.ndarray:
    """Points in pixels, whose centres are whole numbers, of an image that is made larger or smaller."""
    return points if scale == 1 else (points + 0.5) * scale - 0.5

"""The videos' frames in the cameras that took them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.viz.drawing import Picture
from lift3d.viz.surroundings import Frustum

if TYPE_CHECKING:
    from lift3d.io.videos import VideoFile

# The longer side of a picture in space, pixels; of the one that is looked through, and of the others.
LARGE, SMALL = 1280, 480
# Rates that differ by less are one rate: then frame n of the clip is frame n of the video.
SAME_RATE = 0.01


class FrustumPictures:
    """The pictures of all cameras that have a video.

    Args:
        cameras: the cameras.
        videos: videos by camera name; of one camera of poses in camera space a single video may have any name.
        fps: the clip's frame rate.
        space: the clip's space.

    Raises:
        Lift3DError: a video belongs to no camera.
    """

    def __init__(
        self, cameras: Sequence[Frustum], videos: Mapping[str, VideoFile], fps: float | None, space: str
    ) -> None:
        names = [item.camera.name for item in cameras]
        if space == "camera" and len(names) == 1 and len(videos) == 1:
            videos = {names[0]: next(iter(videos.values()))}
        if strange := sorted(set(videos) - set(names)):
            there = f"the cameras are {', '.join(names)}" if names else "give the rig with the cameras (--rig)"
            raise Lift3DError(f"there is no camera {', '.join(strange)} for the video; {there}")
        self.shown = [(item, videos[item.camera.name]) for item in cameras if item.camera.name in videos]
        self.fps = fps

    def draw(self, frame: int, through: str | None, behind: float) -> tuple[Picture, ...]:
        """The pictures at a frame; that of the camera ``through`` lies ``behind`` metres before it.

        Once a video has ended its picture's corners are NaN.
        """
        pictures = []
        for item, video in self.shown:
            own = item.camera.name == through
            number = self._number(frame, video)
            if number is None:
                pictures.append(Picture(np.full((4, 3), np.nan), np.zeros((2, 2, 3), np.uint8)))
                continue
            corners = item.corners(max(behind, item.depth) if own else None)
            pictures.append(Picture(corners, _reduced(video.frame(number), LARGE if own else SMALL)))
        return tuple(pictures)

    def _number(self, frame: int, video: VideoFile) -> int | None:
        number = frame
        if self.fps and video.fps and abs(video.fps / self.fps - 1) > SAME_RATE:
            number = round(frame / self.fps * video.fps)
        return number if number < video.frames else None


def _reduced(image: np.ndarray, longest: int) -> np.ndarray:
    """The image, made smaller if a side is longer than so many pixels."""
    import cv2

    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))

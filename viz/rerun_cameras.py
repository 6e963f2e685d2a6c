"""Cameras of a Rerun recording, with their videos in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.geometry.cameras import Camera
from lift3d.viz.video_frames import SAME_RATE

if TYPE_CHECKING:
    import rerun

    from lift3d.io.videos import VideoFile

JPEG_QUALITY = 80
PICTURE_DISTANCE = 0.4  # metres from the camera to its picture in 3D


def camera_path(camera: Camera) -> str:
    """The entity of a camera, whatever its name holds."""
    import rerun as rr

    return f"world/cameras/{rr.escape_entity_path_part(camera.name)}"


def log_camera(recording: rerun.RecordingStream, camera: Camera, placed: bool) -> None:
    """The camera's place (if it has one in the world), its intrinsics and its image.

    Rerun knows no lens distortion: what is drawn in 3D meets the image only as far as the lens is straight. The 2D
    keypoints and the video are both distorted, and so agree.
    """
    import rerun as rr

    path = camera_path(camera)
    if placed:
        recording.log(path, rr.Transform3D(translation=camera.centre, mat3x3=camera.R.T), static=True)
    width, height = camera.image_size or (round(2 * camera.K[0, 2]), round(2 * camera.K[1, 2]))
    pinhole = rr.Pinhole(
        image_from_camera=camera.K,
        width=width,
        height=height,
        camera_xyz=rr.ViewCoordinates.RDF,
        image_plane_distance=PICTURE_DISTANCE,
    )
    recording.log(path, pinhole, static=True)


def videos_of_cameras(cameras: Sequence[Camera], videos: Mapping[str, VideoFile]) -> list[tuple[Camera, VideoFile]]:
    """The cameras that have a video. A single video belongs to a single camera, whatever its name.

    Raises:
        Lift3DError: a video belongs to no camera.
    """
    if len(cameras) == 1 and len(videos) == 1:
        return [(cameras[0], next(iter(videos.values())))]
    names = [camera.name for camera in cameras]
    if strange := sorted(set(videos) - set(names)):
        there = f"the cameras are {', '.join(names)}" if names else "give the rig with the cameras (--rig)"
        raise Lift3DError(f"there is no camera {', '.join(strange)} for the video; {there}")
    return [(camera, videos[camera.name]) for camera in cameras if camera.name in videos]


def send_video(recording: rerun.RecordingStream, path: str, video: VideoFile, frames: int, fps: float | None) -> None:
    """Send a video as it is, if it is an MP4 file that Rerun understands; else its frames as JPEG.

    Args:
        recording: where to.
        path: the entity.
        video: the video.
        frames, fps: of the clip. Frames belong together by their number; where the rates differ, by their time.
    """
    import rerun as rr

    numbers = np.arange(frames)
    if fps and video.fps and abs(video.fps / fps - 1) > SAME_RATE:
        numbers = np.rint(numbers / fps * video.fps).astype(int)
    shown = numbers[numbers < video.frames]
    stamps = _frame_times(video)
    if stamps is None:
        _send_frames(recording, path, video, shown, fps)
        return
    recording.log(path, rr.AssetVideo(path=video.path), static=True)
    times = [column_of(*item) for item in times_of(len(shown), fps).items()]
    recording.send_columns(path, times, rr.VideoFrameReference.columns_nanos(stamps[shown]))


def times_of(frames: int, fps: float | None, start: int = 0) -> dict[str, np.ndarray]:
    """The moments of frames from ``start`` on: their numbers and, where the rate is known, seconds."""
    numbers = np.arange(start, start + frames)
    return {"frame": numbers} if fps is None else {"frame": numbers, "time": numbers / fps}


def column_of(kind: str, values: np.ndarray) -> Any:
    """A time column of ``times_of``."""
    import rerun as rr

    return rr.TimeColumn(kind, sequence=values) if kind == "frame" else rr.TimeColumn(kind, duration=values)


def _frame_times(video: VideoFile) -> np.ndarray | None:
    """Nanoseconds of all frames in the order in which they are shown; None of a video that Rerun would not show so."""
    import av
    import rerun as rr

    if video.path.suffix.lower() != ".mp4":
        return None
    with av.open(str(video.path)) as container:
        if next(container.decode(video=0)).rotation % 360:  # a phone held upright, which Rerun shows lying
            return None
    try:
        stamps = np.sort(rr.AssetVideo(path=video.path).read_frame_timestamps_nanos())
    except (RuntimeError, ValueError):
        return None
    return stamps if len(stamps) == video.frames else None


def _send_frames(
    recording: rerun.RecordingStream, path: str, video: VideoFile, numbers: np.ndarray, fps: float | None
) -> None:
    import cv2
    import rerun as rr

    for frame, number in enumerate(numbers.tolist()):
        image = np.ascontiguousarray(video.frame(number)[..., ::-1])
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        times = [column_of(*item) for item in times_of(1, fps, frame).items()]
        recording.send_columns(path, times, rr.EncodedImage.columns(blob=[jpeg.tobytes()], media_type=["image/jpeg"]))

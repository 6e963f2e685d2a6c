"""The cameras around a clip as the page's JSON, with a few of their videos' frames."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import ShapeError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.lenses import distort
from lift3d.geometry.rigs import Rig
from lift3d.viz.surroundings import Frustum, frusta, into_drawings
from lift3d.viz.video_frames import FrustumPictures

if TYPE_CHECKING:
    from lift3d.io.videos import VideoFile
    from lift3d.viz.clip_blocks import Clip

# Pictures of all cameras together.
MOST_PICTURES = 40
JPEG_QUALITY = 70
# The camera of camera space where none is known: a vertical field of view of 52 degrees and an image of 3 : 2.
UNKNOWN_CAMERA = Camera(np.array([[1024.0, 0, 750], [0, 1024, 500], [0, 0, 1]]), image_size=(1500, 1000))
# Image radii on the plane z = 1 are followed up to here: 76 degrees off the axis.
FARTHEST = 4.0


def page_cameras(clip: Clip, rig: Rig | None, middle: np.ndarray) -> list[Frustum]:
    """The cameras in the drawings' space: the rig's, or the one that camera space belongs to.

    Args:
        clip: the poses.
        rig: the cameras around poses in world space.
        middle: (3,) the middle of the people, in the drawings' space.

    Raises:
        ShapeError: a rig beside poses in camera space.
    """
    if rig is not None and clip.space != "world":
        raise ShapeError("a rig can be shown around poses in world space only; these are in their camera's space")
    own = [] if clip.space == "world" else [clip.camera or UNKNOWN_CAMERA]
    return frusta([into_drawings(camera, clip.space) for camera in (rig if rig is not None else own)], middle)


def pack_cameras(cameras: Sequence[Frustum], pictures: Mapping[str, list[tuple[int, str]]]) -> list[dict[str, Any]]:
    """The cameras; ``pictures`` are (frame, data URI) of those that have a video, by name."""
    return [
        {
            "name": item.camera.name,
            "K": item.camera.K.tolist(),
            "distortion": item.camera.distortion.tolist(),
            "fisheye": item.camera.fisheye,
            "reach": _reach(item.camera),
            "R": item.camera.R.tolist(),
            "t": item.camera.t.tolist(),
            "size": list(item.size),
            "depth": item.depth,
            "pictures": [{"frame": frame, "data": data} for frame, data in pictures.get(item.camera.name, [])],
        }
        for item in cameras
    ]


def camera_pictures(
    cameras: Sequence[Frustum], videos: Mapping[str, VideoFile] | None, clip: Clip
) -> dict[str, list[tuple[int, str]]]:
    """(frame, JPEG as data URI) by camera: evenly spread over the clip, at most ``MOST_PICTURES`` in all.

    Raises:
        Lift3DError: a video belongs to no camera.
    """
    import cv2

    if not videos:
        return {}
    shown = FrustumPictures(cameras, videos, clip.fps, clip.space)
    shown.shown = shown.shown[:MOST_PICTURES]
    names = [item.camera.name for item, _ in shown.shown]
    count = min(clip.frames, MOST_PICTURES // len(names))
    taken: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
    for frame in ((np.arange(count) + 0.5) * clip.frames / count).astype(int).tolist():
        for name, picture in zip(names, shown.draw(frame, None, 0.0), strict=True):
            if np.isfinite(picture.corners).all():
                jpeg = cv2.imencode(".jpg", picture.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
                taken[name].append((frame, "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()))
    return taken


def _reach(camera: Camera) -> float:
    """How far off the axis, on the plane z = 1, the lens model still goes outwards; beyond it folds back."""
    radii = np.linspace(0, FARTHEST, 401)
    shown = np.hypot(*distort(radii, np.zeros_like(radii), camera.distortion.tolist(), camera.fisheye))
    back = np.flatnonzero(np.diff(shown) <= 0)
    return float(radii[back[0]]) if len(back) else FARTHEST

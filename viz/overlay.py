"""2D keypoints and reprojected 3D poses drawn on the video of the camera that saw them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from lift3d.errors import CameraError, FileFormatError, Lift3DError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.files import check_output
from lift3d.io.movies import ENDINGS, movie
from lift3d.io.stored_poses import Clip
from lift3d.io.videos import VideoFile
from lift3d.poses import Keypoints2D
from lift3d.viz.overlay_drawing import Brush, Sides
from lift3d.viz.overlay_scene import Block, OverlayScene

BLOCK = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Overlay:
    """An overlay that was written.

    Attributes:
        path: the file.
        frames: how many frames it has.
        reprojection_error: the median over all frames and joints of the distance in pixels of the video between
            detected and reprojected joints; None where one of the two is missing.
        notes: what is worth knowing, a sentence each: that the video is shorter than the clip, say.
    """

    path: Path
    frames: int
    reprojection_error: float | None
    notes: tuple[str, ...]


def save_overlay(
    path: str | PathLike[str],
    video: str | PathLike[str],
    poses: Clip | None = None,
    keypoints: Keypoints2D | None = None,
    camera: Camera | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    frames: slice | None = None,
    offset: int = 0,
) -> Overlay:
    """Draw keypoints as rings and reprojected poses as bones on a video, frame by frame in flat memory.

    A joint that is missing, or behind the camera, is not drawn. The caption is the median distance, over the joints of
    the frame, between where a joint was detected and where its 3D is reprojected. People of poses and keypoints belong
    together by their number if both have the same track ids, else each pose is compared with the nearest person.

    Frame n of the clip is frame n + ``offset`` of the video; where the frame rates differ, the frame of the same time.
    The result has the frames that both have.

    Args:
        path: the movie to write, .mp4 or .gif.
        video: the camera's video.
        poses: 3D poses in world space, or in the space of the camera.
        keypoints: the camera's keypoints; None for those that the poses carry, if they do.
        camera: the camera; None for that of poses in camera space.
        overwrite: whether an existing file may be replaced.
        progress: called with the number of frames done and to do.
        frames: the frames of the clip to draw; None for all.
        offset: the video's frame at which the clip begins.

    Returns:
        What was written.

    Raises:
        UnknownFormatError: another ending.
        OutputExistsError: the file exists and ``overwrite`` is False.
        FileFormatError: the video cannot be read.
        CameraError: there is no camera, or it is calibrated for images of another shape than the video's.
        Lift3DError: there is nothing to draw, or clip and video have no frame in common.
    """
    _check_ending(path)
    with ExitStack() as stack:
        footage = stack.enter_context(VideoFile(video))
        scene = OverlayScene(poses, keypoints, camera, footage)
        chosen, numbers = scene.frame_numbers(frames or slice(None), offset)
        painter = _Painter(scene, footage.size)
        notes = scene.notes
        errors: list[np.ndarray] = []
        # The movie is whole before the video is closed.
        writer = stack.enter_context(movie(path, footage.size, scene.fps / chosen.step, overwrite))
        for at, number in enumerate(numbers):
            if at % BLOCK == 0:
                block = scene.block(chosen[at : at + BLOCK])
                errors.append(block.errors[np.isfinite(block.errors)].astype(np.float32))
            try:
                image = footage.frame(number).copy()
            except FileFormatError:
                if not at:
                    raise
                notes.append(f"the video can be read up to frame {number - 1} only, there the overlay ends")
                break
            painter.paint(image, block, at % BLOCK, chosen[at])
            writer.add(image)
            if progress is not None:
                progress(at + 1, len(numbers))
    known = np.concatenate(errors)
    return Overlay(Path(path), writer.frames, float(np.median(known)) if len(known) else None, tuple(notes))


def save_overlays(
    path: str | PathLike[str],
    videos: Mapping[str, str | PathLike[str]],
    poses: Clip | None = None,
    rig: Rig | None = None,
    keypoints: Mapping[str, Keypoints2D] | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    frames: slice | None = None,
    offsets: Mapping[str, int] | None = None,
) -> dict[str, Overlay]:
    """Draw an overlay for each camera, as ``save_overlay`` does.

    Args:
        path: the movie of a single video; of several, each gets its camera's name: ``out.mp4`` becomes
            ``out_cam01.mp4``, ...
        videos: the videos by camera name.
        poses: 3D poses in world space; or in camera space, with a single video.
        rig: the cameras, by whose names the videos go; not needed for keypoints, or poses in camera space.
        keypoints: keypoints by camera name, of some cameras or all.
        overwrite: whether existing files may be replaced.
        progress: called with the number of frames done and to do, of all videos.
        frames: the frames of the clip to draw; None for all.
        offsets: the frame of a camera's video at which the clip begins, by camera name; 0 where it is not said.

    Returns:
        What was written, by camera name.

    Raises:
        OutputExistsError: one of the files exists and ``overwrite`` is False.
        CameraError: the rig has no camera of a video's name.
        Lift3DError: there is no video, or as for ``save_overlay``, of any of the videos; nothing was written.
    """
    if not videos:
        raise Lift3DError("an overlay is drawn on a video, and there is none: say CAM=VIDEO")
    given, starts = keypoints or {}, offsets or {}
    if strange := sorted({*given, *starts} - set(videos)):
        raise Lift3DError(f"there is no video of {', '.join(strange)}; the videos are of {', '.join(videos)}")
    if poses is not None and poses.space == "camera" and len(videos) > 1:
        raise CameraError("poses in camera space were seen by one camera: give its video alone")
    _check_ending(path)
    targets = {name: _target(Path(path), name, len(videos)) for name in videos}
    for target in targets.values():
        if list(targets.values()).count(target) > 1:
            raise Lift3DError(f"two of the cameras would be written to {target}; give them names that differ")
        check_output(target, overwrite)
    cameras = {name: None if rig is None else rig[name] for name in videos}
    # What is wrong with the last of the videos is to be known before the first is drawn on.
    for name, video in videos.items():
        with VideoFile(video) as footage:
            scene = OverlayScene(poses, given.get(name), cameras[name], footage)
            scene.frame_numbers(frames or slice(None), starts.get(name, 0))
    written: dict[str, Overlay] = {}
    for index, (name, video) in enumerate(videos.items()):

        def part(done: int, total: int, index: int = index) -> None:
            if progress is not None:
                progress(index * total + done, len(videos) * total)

        written[name] = save_overlay(
            targets[name],
            video,
            poses,
            given.get(name),
            cameras[name],
            overwrite=overwrite,
            progress=part,
            frames=frames,
            offset=starts.get(name, 0),
        )
    return written


class _Painter:
    """Paints a clip onto the frames of a video of (width, height) pixels."""

    def __init__(self, scene: OverlayScene, size: tuple[int, int]) -> None:
        self._brush = Brush(size, scene.people)
        self._fps = scene.fps
        self._flat = None if scene.skeleton_2d is None else Sides.of(scene.skeleton_2d)
        self._deep = None if scene.skeleton_3d is None else Sides.of(scene.skeleton_3d)

    def paint(self, image: np.ndarray, block: Block, row: int, number: int) -> None:
        """Paint row ``row`` of a block, which is frame ``number`` of the clip."""
        if block.projected is not None and self._deep is not None:
            self._brush.bones(image, block.projected[row], self._deep)
        if block.detected is not None and self._flat is not None:
            if block.projected is None:
                self._brush.bones(image, block.detected[row], self._flat, thin=True)
            self._brush.rings(image, block.detected[row], self._flat, block.owners[row])
        rings = None if block.detected is None else "detected"
        self._brush.legend(image, rings, None if block.projected is None else "3D, reprojected")
        caption = f"frame {number}, {number / self._fps:.2f} s"
        if block.detected is not None and block.projected is not None:
            error = block.error(row)
            caption += "  reprojection error " + ("-" if error is None else f"{error:.1f} px")
        self._brush.caption(image, caption)


def _check_ending(path: str | PathLike[str]) -> None:
    if Path(path).suffix.lower() not in ENDINGS:
        raise UnknownFormatError(path, f"an overlay has the ending {' or '.join(ENDINGS)}")


def _target(path: Path, name: str, count: int) -> Path:
    """The file of one camera of several."""
    if count == 1:
        return path
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    return path.with_name(f"{path.stem}_{safe}{path.suffix}")

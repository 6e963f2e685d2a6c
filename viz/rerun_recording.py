"""A clip as a recording for the Rerun viewer (.rrd): 3D, cameras, 2D keypoints and videos on one timeline.

Source: Rerun's data model and "Send entire columns at once", https://rerun.io/docs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import Lift3DError, MissingDependencyError, ShapeError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.files import atomic_path
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.viz.rerun_cameras import camera_path, column_of, log_camera, send_video, times_of, videos_of_cameras
from lift3d.viz.rerun_people import Group, describe_people, log_people_once, send_error_bars, send_people
from lift3d.viz.scene import check_truth, describe

if TYPE_CHECKING:
    import rerun

    from lift3d.io.videos import VideoFile
    from lift3d.viz.clip_blocks import Clip

WHITE = [255, 255, 255]
BLOCK = 2000  # frames that are sent at once
JOINT_METRES, TRUTH_METRES, JOINT_POINTS = 0.02, 0.014, -4.0  # negative: points of the screen


def save_rerun(
    motion: Clip | Keypoints2D,
    path: str | PathLike[str],
    overwrite: bool = False,
    truth: Clip | None = None,
    rig: Rig | None = None,
    videos: Mapping[str, VideoFile] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Save a Rerun recording: joints and bones of people, error bars, truth, cameras with 2D keypoints and videos.

    The timelines are "frame" and, where the rate is known, "time" in seconds. Coordinates are those of the clip. The
    file is written in blocks of frames. Nothing is started and nothing is sent anywhere. To show videos in H.264,
    Rerun's own viewer needs the program FFmpeg; its viewer in a browser does not.

    Args:
        motion: 3D poses (with their 2D keypoints, if they carry them) or 2D keypoints alone.
        path: the file, .rrd.
        overwrite: whether an existing file may be replaced.
        truth: poses to draw beside it in grey, with as many frames and in the same space.
        rig: the cameras around poses in world space.
        videos: a video for each camera, by the camera's name; of poses in camera space a single one may have any name.
        progress: told (frames done, all frames) as it goes.

    Raises:
        UnknownFormatError: the ending is not .rrd.
        OutputExistsError: the file exists and ``overwrite`` is False.
        ShapeError: ``truth`` or ``rig`` does not fit ``motion``.
        Lift3DError: no joint is seen in the whole clip, or a video belongs to no camera.
        MissingDependencyError: rerun-sdk is not installed.
    """
    if not str(path).lower().endswith(".rrd"):
        raise UnknownFormatError(path, "a Rerun recording needs the ending .rrd")
    check_truth(motion, truth)
    try:
        import rerun as rr
    except ImportError as error:
        raise MissingDependencyError("a Rerun recording needs rerun-sdk: pip install 'lift3d[viz]'") from error
    scene = _Scene(motion, truth, rig, videos or {})
    with atomic_path(path, overwrite) as temporary:
        recording = rr.RecordingStream("lift3d")
        try:
            recording.save(temporary, default_blueprint=_layout(scene))
            recording.send_recording_name(describe(motion)[0] or Path(path).stem)
            scene.send(recording, progress)
            recording.flush()
        finally:
            recording.disconnect()


class _Scene:
    """Where everything of a clip stands in the recording."""

    def __init__(
        self, motion: Clip | Keypoints2D, truth: Clip | None, rig: Rig | None, videos: Mapping[str, VideoFile]
    ) -> None:
        self.motion, self.truth = motion, truth
        self.groups: list[Group] = []
        self.flat = isinstance(motion, Keypoints2D)
        if self.flat and (rig is not None or videos):
            raise ShapeError("cameras and videos can be shown around 3D poses only, not beside 2D keypoints; lift them")
        if rig is not None and not isinstance(motion, Keypoints2D) and motion.space != "world":
            raise ShapeError("a rig can be shown around poses in world space only; these are in their camera's space")
        own = None if isinstance(motion, Keypoints2D) or motion.space == "world" else motion.camera
        self.cameras: list[Camera] = list(rig) if rig is not None else [own] if own is not None else []
        self.placed = rig is not None
        self.videos = videos_of_cameras(self.cameras, videos)
        self.people = self.truths = self.keypoints = None
        self.error_bars = False
        if not isinstance(motion, Keypoints2D):
            self.people = self._group("world/people", motion, False, JOINT_METRES)
            self.error_bars = motion.has("sigma") or motion.has("covariance")
            if truth is not None:
                self.truths = self._group("world/truth", truth, True, TRUTH_METRES)
        head = motion.select(slice(0, 0))
        flat = head if isinstance(head, Keypoints2D) else head.keypoints
        # 2D keypoints of poses in a rig's world belong to none of its cameras that is known.
        self.image = camera_path(own) if own is not None else "image"
        if flat is not None:
            self.keypoints = self._group(f"{self.image}/people", flat, False, JOINT_POINTS)

    def _group(self, path: str, people: Clip | Keypoints2D, truth: bool, radius: float) -> Group:
        taken = sum(len(group.track_ids) for group in self.groups)
        group = Group(path, people.skeleton, people.track_ids, truth, taken, radius)
        self.groups.append(group)
        return group

    def send(self, recording: rerun.RecordingStream, progress: Callable[[int, int], None] | None) -> None:
        """Send everything. Raises Lift3DError if no joint is seen in the whole clip."""
        import rerun as rr

        motion, frames = self.motion, self.motion.frames
        recording.log("/", describe_people(self.groups), static=True)
        if not isinstance(motion, Keypoints2D):
            world = rr.ViewCoordinates.RIGHT_HAND_Z_UP if motion.space == "world" else rr.ViewCoordinates.RDF
            recording.log("world", world, static=True)
        for camera in self.cameras:
            log_camera(recording, camera, self.placed)
        for group in self.groups:
            log_people_once(recording, group, group is self.keypoints, group is self.people and self.error_bars)
        seen = False
        for start in range(0, frames, BLOCK):
            chosen = slice(start, min(start + BLOCK, frames))
            block = motion.select(chosen)
            times = [column_of(*item) for item in times_of(block.frames, motion.fps, start).items()]
            points = block.xyz if isinstance(block, Poses3D) else block.xy
            seen = seen or bool(np.isfinite(points).any())
            self._send_block(recording, block, times)
            if self.truth is not None and self.truths is not None:
                send_people(recording, self.truths, self.truth.select(chosen).xyz, times)
            if progress is not None:
                progress(chosen.stop, frames)
        if not seen:
            raise Lift3DError("there is nothing to draw: no joint of any person is seen in any frame of the clip")
        for camera, video in self.videos:
            send_video(recording, f"{camera_path(camera)}/video", video, frames, motion.fps)

    def _send_block(self, recording: rerun.RecordingStream, block: Poses3D | Keypoints2D, times: list[Any]) -> None:
        keypoints = block if isinstance(block, Keypoints2D) else block.keypoints
        if isinstance(block, Poses3D) and self.people is not None:
            send_people(recording, self.people, block.xyz, times)
            if self.error_bars:
                send_error_bars(recording, self.people, block.xyz, block.sigma, block.covariance, times)
        if keypoints is not None and self.keypoints is not None:
            send_people(recording, self.keypoints, keypoints.xy, times)


def _layout(scene: _Scene) -> Any:
    """The views that a viewer opens with: the world beside the images."""
    import rerun.blueprint as rrb

    # Through a camera of a rig the people in 3D are seen on its video.
    shown = ["$origin/**", "world/people/**"] if scene.placed else "$origin/**"
    images = [
        rrb.Spatial2DView(origin=camera_path(camera), contents=shown, name=camera.name) for camera, _ in scene.videos
    ]
    if scene.keypoints is not None and all(camera_path(camera) != scene.image for camera, _ in scene.videos):
        images.insert(0, rrb.Spatial2DView(origin=scene.image, name="2D keypoints", background=WHITE))
    views: list[Any] = [] if scene.people is None else [rrb.Spatial3DView(origin="world", name="3D", background=WHITE)]
    if images:
        views.append(rrb.Grid(*images))
    return rrb.Blueprint(rrb.Horizontal(*views, column_shares=[2, 1][: len(views)]), collapse_panels=True)

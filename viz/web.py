"""One self-contained HTML page that plays a clip, offline, in any browser."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from importlib import resources
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from lift3d.errors import Lift3DError, ShapeError, UnknownFormatError
from lift3d.geometry.rigs import Rig
from lift3d.io.files import atomic_path
from lift3d.pages.assemble import fill_page
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.viz.page_angles import angle_bytes, pack_angles
from lift3d.viz.page_cameras import camera_pictures, pack_cameras, page_cameras
from lift3d.viz.page_clip import frame_bytes, pack_clip
from lift3d.viz.scene import check_truth, describe, mean_seen, sampled, seen_frames, upright
from lift3d.viz.truth_match import match_truth

if TYPE_CHECKING:
    from lift3d.io.videos import VideoFile
    from lift3d.viz.clip_blocks import Clip

PAGE_BYTES = 50_000_000
SCRIPTS = (
    "clip.js",
    "compare.js",
    "camera.js",
    "scenery.js",
    "people.js",
    "stage.js",
    "panel.js",
    "plot.js",
    "controls.js",
    "readout.js",
    "input.js",
    "player.js",
)


def save_page(
    motion: Clip | Keypoints2D,
    path: str | PathLike[str],
    overwrite: bool = False,
    truth: Clip | None = None,
    rig: Rig | None = None,
    videos: Mapping[str, VideoFile] | None = None,
) -> None:
    """Save one HTML file that plays a clip in any browser, without a network: 3D to orbit, 2D input and joint angles
    in step with it.

    Coordinates are stored to 0.1 mm about each body's root (coarser only for bodies of more than 6.5 m), angles to 0.1
    degrees. Of a clip whose page would grow beyond 50 MB only every n-th frame is kept, and the page says so.

    Args:
        motion: 3D poses (with their 2D keypoints, if they carry them) or 2D keypoints alone.
        path: the file, .html.
        overwrite: whether an existing file may be replaced.
        truth: poses to draw beside it in grey and to measure it by, with as many frames and in the same space.
        rig: the cameras around poses in world space.
        videos: a video for each camera, by the camera's name, of which a few still frames are kept.

    Raises:
        UnknownFormatError: the ending is not .html.
        OutputExistsError: the file exists and ``overwrite`` is False.
        ShapeError: ``truth`` or ``rig`` does not fit ``motion``.
        Lift3DError: no joint is seen in the whole clip, or a video belongs to no camera.
    """
    if not str(path).lower().endswith(".html"):
        raise UnknownFormatError(path, "a page needs the ending .html")
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(make_page(motion, truth, rig, videos).encode("utf-8", "replace"))


def make_page(
    motion: Clip | Keypoints2D,
    truth: Clip | None = None,
    rig: Rig | None = None,
    videos: Mapping[str, VideoFile] | None = None,
    page_bytes: int = PAGE_BYTES,
) -> str:
    """The text of the page that ``save_page`` saves (same errors), of at most about ``page_bytes`` bytes."""
    check_truth(motion, truth)
    name, line = describe(motion)
    step = _step(motion, truth, page_bytes)
    chosen = slice(None, None, step)
    kept, kept_truth = motion.select(chosen), None if truth is None else truth.select(chosen)
    _check_seen(kept, step)
    match = None
    if isinstance(kept, Poses3D) and kept_truth is not None:
        frames = sampled(kept.frames)
        match = match_truth(kept.xyz[frames], kept.skeleton, kept_truth.xyz[frames], kept_truth.skeleton)
    clip = pack_clip(kept, kept_truth, match) | {"name": name or "lift3d", "line": line, "step": step}
    if isinstance(kept, Poses3D) and not isinstance(motion, Keypoints2D):
        clip["angles"] = pack_angles(kept, kept_truth, match)
        middle = mean_seen(upright(kept.xyz, kept.space).reshape(-1, 3), axis=0)
        cameras = page_cameras(motion, rig, middle)
        clip["cameras"] = pack_cameras(cameras, camera_pictures(cameras, videos, motion))
    elif rig is not None or videos:
        raise ShapeError("cameras and videos can be shown around 3D poses only, not beside 2D keypoints; lift them")
    if step > 1:
        clip["note"] = f"One frame in {step} is shown: with all of them the page would be too large."

    page = resources.files("lift3d.viz") / "page"
    return fill_page(
        (page / "page.html").read_text("utf-8"),
        (page / "page.css").read_text("utf-8"),
        {
            "TITLE": html.escape(f"{name} · lift3d" if name else "lift3d"),
            "CLIP": _script_safe(json.dumps(clip, allow_nan=False, separators=(",", ":"))),
        },
        "'use strict';\n" + "\n".join((page / part).read_text("utf-8") for part in SCRIPTS),
    )


def _step(motion: Clip | Keypoints2D, truth: Clip | None, page_bytes: int) -> int:
    """Every how many frames one can be kept."""
    nothing = slice(0, 0)
    head = motion.select(nothing)
    a_frame = frame_bytes(head, None if truth is None else truth.select(nothing))
    if isinstance(head, Poses3D):
        a_frame += angle_bytes(head.people, truth is not None)
    return max(1, int(np.ceil(a_frame * motion.frames / page_bytes)))


def _check_seen(motion: Poses3D | Keypoints2D, step: int) -> None:
    try:
        seen_frames(motion.xyz if isinstance(motion, Poses3D) else motion.xy)
    except Lift3DError as error:
        if step == 1:
            raise
        raise Lift3DError(
            f"there is nothing to draw: no joint is seen in the frames that fit into a page "
            f"(one in {step}); cut the clip"
        ) from error


def _script_safe(text: str) -> str:
    """JSON that cannot end the script element it stands in, whatever strings it holds."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

"""One call for the ways to save a whole clip as something to look at, chosen by the file's ending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from lift3d.errors import UnknownFormatError
from lift3d.io.stored_poses import Clip
from lift3d.poses import Keypoints2D

if TYPE_CHECKING:
    from lift3d.geometry.rigs import Rig
    from lift3d.io.videos import VideoFile

PICTURES = (".png", ".svg", ".pdf")
PAGES = (".html",)
RECORDINGS = (".rrd",)


def save_view(
    motion: Clip | Keypoints2D,
    path: str | PathLike[str],
    overwrite: bool = False,
    truth: Clip | None = None,
    rig: Rig | None = None,
    videos: Mapping[str, VideoFile] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Save a picture of a few moments (.png, .svg, .pdf), a page that plays (.html) or a Rerun recording (.rrd).

    Args:
        motion: the clip.
        path: the file; its ending names the kind.
        overwrite: whether an existing file may be replaced.
        truth: poses to draw beside it, with as many frames and in the same space.
        rig: the cameras around poses in world space; a picture does not show them.
        videos: a video for each camera, by the camera's name; a picture does not show them.
        progress: told (frames done, all frames) as a recording is written; pictures and pages are made in one go.

    Raises:
        UnknownFormatError: no view has this ending.
        OutputExistsError: the file exists and ``overwrite`` is False.
        ShapeError: ``truth`` or ``rig`` does not fit ``motion``.
        Lift3DError: no joint is seen in the whole clip.
    """
    ending = Path(path).suffix.lower()
    if ending in PICTURES:
        from lift3d.viz.picture import save_picture

        everything = slice(None)
        seen_beside = None if truth is None else truth.select(everything)
        save_picture(motion.select(everything), path, overwrite, seen_beside)
    elif ending in PAGES:
        from lift3d.viz.web import save_page

        save_page(motion, path, overwrite, truth, rig, videos)
    elif ending in RECORDINGS:
        from lift3d.viz.rerun_recording import save_rerun

        save_rerun(motion, path, overwrite, truth, rig, videos, progress)
    else:
        known = ", ".join(PICTURES + PAGES + RECORDINGS)
        raise UnknownFormatError(path, f"no view has the ending {ending!r}; use one of {known}")

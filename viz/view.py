"""One call for every way to save a view of a clip, chosen by the file's ending."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from lift3d.errors import UnknownFormatError
from lift3d.poses import Keypoints2D, Poses3D

PICTURES = (".png", ".svg", ".pdf")
PAGES = (".html",)


def save_view(
    motion: Poses3D | Keypoints2D, path: str | PathLike[str], overwrite: bool = False, truth: Poses3D | None = None
) -> None:
    """Save a picture (.png, .svg, .pdf) or a page that plays (.html) of a clip.

    Args:
        motion: the clip.
        path: the file; its ending names the kind.
        overwrite: whether an existing file may be replaced.
        truth: poses to draw beside it in grey, with as many frames and in the same space.

    Raises:
        UnknownFormatError: no view has this ending.
        OutputExistsError: the file exists and ``overwrite`` is False.
        ShapeError: ``truth`` does not fit ``motion``.
        Lift3DError: no joint is seen in the whole clip.
    """
    ending = Path(path).suffix.lower()
    if ending in PICTURES:
        from lift3d.viz.picture import save_picture

        save_picture(motion, path, overwrite, truth)
    elif ending in PAGES:
        from lift3d.viz.web import save_page

        save_page(motion, path, overwrite, truth)
    else:
        raise UnknownFormatError(path, f"no view has the ending {ending!r}; use one of {', '.join(PICTURES + PAGES)}")

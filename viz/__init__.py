"""Looking at a motion: a window, frames and films, a picture, a page that plays, a Rerun recording, overlays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lift3d.viz.look import Look as Look
    from lift3d.viz.overlay import save_overlay as save_overlay
    from lift3d.viz.overlay import save_overlays as save_overlays
    from lift3d.viz.picture import save_picture as save_picture
    from lift3d.viz.render import save_frames as save_frames
    from lift3d.viz.rerun_recording import save_rerun as save_rerun
    from lift3d.viz.stage import Stage as Stage
    from lift3d.viz.view import save_view as save_view
    from lift3d.viz.web import save_page as save_page
    from lift3d.viz.window import open_window as open_window

_HOMES = {
    "Look": "look",
    "Stage": "stage",
    "open_window": "window",
    "save_frames": "render",
    "save_overlay": "overlay",
    "save_overlays": "overlay",
    "save_page": "web",
    "save_picture": "picture",
    "save_rerun": "rerun_recording",
    "save_view": "view",
}
__all__ = [
    "Look",
    "Stage",
    "open_window",
    "save_frames",
    "save_overlay",
    "save_overlays",
    "save_page",
    "save_picture",
    "save_rerun",
    "save_view",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

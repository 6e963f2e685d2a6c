"""Looking at a result: a picture of a clip, and a page that plays it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lift3d.viz.picture import save_picture as save_picture
    from lift3d.viz.view import save_view as save_view
    from lift3d.viz.web import save_page as save_page

_HOMES = {"save_picture": "picture", "save_page": "web", "save_view": "view"}
__all__ = ["save_page", "save_picture", "save_view"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

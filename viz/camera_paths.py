"""How the viewer moves over a clip: standing still, turning slowly, following, or from viewpoint to viewpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.viz.viewpoint import Viewpoint

if TYPE_CHECKING:
    from lift3d.viz.stage import Stage

CameraPath = Callable[[int, float], Viewpoint]
# Degrees that "orbit" turns in a second; a clip without frame rate counts as one of 30 frames a second.
ORBIT = 20.0
ASSUMED_FPS = 30.0
# "follow" looks at the mean place over so many seconds, and from nearer than the whole motion needs.
CALM = 1.0
FOLLOW_DISTANCE = 4.0


def camera_path(
    stage: Stage,
    aspect: float,
    viewpoint: str | Viewpoint = "front",
    path: str | Sequence[str | Viewpoint] | None = None,
) -> CameraPath:
    """The viewpoint of (frame, part of the film from 0 to 1).

    Args:
        stage: the stage.
        aspect: the image's width divided by its height.
        viewpoint: where the viewer stands, or starts.
        path: None to stay; "orbit" to turn about the people; "follow" to go with them; or viewpoints to go through.

    Raises:
        Lift3DError: a viewpoint is unknown.
    """
    views = stage.viewpoints_for(aspect)
    start = _named(viewpoint, views)
    if path is None:
        return lambda frame, part: start
    if path == "orbit":
        fps = stage.fps or ASSUMED_FPS
        return lambda frame, part: start.orbited(ORBIT * frame / fps)
    if path == "follow":
        return _following(stage, start)
    if isinstance(path, str):
        raise Lift3DError(f"there is no camera path {path!r}; use orbit, follow, or a list of viewpoints")
    keys = [_named(key, views) for key in path]
    if not keys:
        raise Lift3DError("a camera path needs at least one viewpoint")
    return lambda frame, part: between(keys, part)


def between(keys: Sequence[Viewpoint], part: float) -> Viewpoint:
    """The viewpoint at a part from 0 to 1 of the way through free viewpoints, slower at each of them.

    A camera's own view counts as a free viewpoint at its place.
    """
    place = float(np.clip(part, 0, 1)) * (len(keys) - 1)
    first = min(int(place), len(keys) - 2)
    if first < 0 or place == first:
        return keys[max(first, 0)]
    a, b = keys[first], keys[first + 1]
    s = place - first
    s = s * s * (3 - 2 * s)
    if s == 1:
        return b
    # Distance and direction from the target are mixed apart, so that the way is an arc and not a dive through people.
    away = a.eye - a.target, b.eye - b.target
    lengths = [float(np.linalg.norm(v)) for v in away]
    target = (1 - s) * a.target + s * b.target
    eye = target + ((1 - s) * lengths[0] + s * lengths[1]) * _turned(away[0] / lengths[0], away[1] / lengths[1], s)
    up = _turned(a.up / np.linalg.norm(a.up), b.up / np.linalg.norm(b.up), s)
    return Viewpoint(eye, target, up, (1 - s) * a.field_of_view + s * b.field_of_view)


def _turned(a: np.ndarray, b: np.ndarray, part: float) -> np.ndarray:
    """The unit vector a part of the way from a to b on the great circle."""
    angle = np.arccos(np.clip(a @ b, -1, 1))
    if angle < 1e-6:
        return b
    if angle > np.pi - 1e-3:  # opposite: round by the side
        b = b + 1e-2 * np.cross(a, [0.3, 0.5, 0.8])
        b = b / np.linalg.norm(b)
        angle = np.arccos(np.clip(a @ b, -1, 1))
    mixed: np.ndarray = (np.sin((1 - part) * angle) * a + np.sin(part * angle) * b) / np.sin(angle)
    return mixed


def _following(stage: Stage, start: Viewpoint) -> CameraPath:
    away = start.eye - start.target
    away = away * min(1.0, FOLLOW_DISTANCE / float(np.linalg.norm(away)))
    reach = max(1, round(CALM * (stage.fps or ASSUMED_FPS) / 2))

    def view(frame: int, part: float) -> Viewpoint:
        around = np.unique(np.linspace(frame - reach, frame + reach, 9).round().astype(int).clip(0, stage.frames - 1))
        target = np.mean([stage.middle(int(near)) for near in around], axis=0)
        return replace(start, eye=target + away, target=target, camera=None)

    return view


def _named(viewpoint: str | Viewpoint, views: dict[str, Viewpoint]) -> Viewpoint:
    if isinstance(viewpoint, Viewpoint):
        return viewpoint
    if viewpoint not in views:
        raise Lift3DError(f"there is no viewpoint {viewpoint!r}; there are {', '.join(views)}")
    return views[viewpoint]

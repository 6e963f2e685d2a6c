"""The viewpoints that every clip has: the whole motion from the front, from the side, from above, and by camera."""

from __future__ import annotations

import numpy as np

from lift3d.viz.scene import side_view
from lift3d.viz.viewpoint import UP, Viewpoint

# Degrees that the viewer looks down from, so that the floor shows depth.
FRONT_TILT, OVERVIEW_TILT = 8.0, 28.0
# The part of the image's half width and height that the motion fills.
FILLED = 0.86
LEAST_DISTANCE = 1.0


def fitted(points: np.ndarray, into: np.ndarray, up: np.ndarray, aspect: float) -> Viewpoint:
    """The viewpoint that looks ``into`` a direction and has all points (n, 3) in an image of this width : height."""
    into = into / np.linalg.norm(into)
    right = np.cross(into, up)
    right = right / np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, into), into])
    local = points @ axes.T
    half = np.tan(np.radians(Viewpoint.field_of_view) / 2) * np.array([aspect, 1.0])
    centre = (local.min(axis=0) + local.max(axis=0)) / 2
    for _ in range(4):
        # Near things look larger: the middle of the image is not the middle in space, and is found in a few steps.
        from_centre = local - centre
        need = np.abs(from_centre[:, :2]) / (half * FILLED) - from_centre[:, 2:]
        distance = max(LEAST_DISTANCE, float(need.max()))
        seen = from_centre[:, :2] / (from_centre[:, 2:] + distance)
        centre[:2] += distance * (seen.min(axis=0) + seen.max(axis=0)) / 2
    target = centre @ axes
    return Viewpoint(target - distance * into, target, up)


def tilted(into: np.ndarray, degrees: float) -> np.ndarray:
    """The level direction ``into`` the scene, looking down by so many degrees."""
    angle = np.radians(degrees)
    down: np.ndarray = np.cos(angle) * into - np.sin(angle) * UP
    return down


def standpoints(motion: np.ndarray, around: np.ndarray, front: np.ndarray, aspect: float) -> dict[str, Viewpoint]:
    """ "front", "side", "top", and "overview" if there is something around the people.

    Args:
        motion: (n, 3) where people are over the clip, metres.
        around: (m, 3) what stands around them (cameras), or nothing.
        front: (3,) level unit vector into the scene that shows people from the front.
        aspect: the image's width divided by its height.
    """
    views = {
        "front": fitted(motion, tilted(front, FRONT_TILT), UP, aspect),
        "side": fitted(motion, tilted(side_view(front), FRONT_TILT), UP, aspect),
        "top": fitted(motion, -UP, front, aspect),
    }
    if len(around):
        # Somewhat from the side, so that cameras before the people do not stand in the way.
        turned = front + 0.45 * side_view(front)
        into = tilted(turned / np.linalg.norm(turned), OVERVIEW_TILT)
        views["overview"] = fitted(np.concatenate([motion, around]), into, UP, aspect)
    return views

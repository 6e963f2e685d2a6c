"""What of a clip is drawn, and how: people and parts to leave out, trails, error bars, error colours."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.skeletons import Skeleton

# Asked in this order: the first that a joint's name fits is its part.
PARTS: dict[str, re.Pattern[str]] = {
    "face": re.compile(r"eye|ear|nose|mouth|jaw|lip|chin|brow|^face"),
    "hands": re.compile(r"hand|thumb|index|middle\d|ring|little|pinky|finger"),
    "feet": re.compile(r"toe|heel|foot|paw|hoof"),
    "legs": re.compile(r"knee|ankle"),
    "arms": re.compile(r"elbow|wrist"),
    "head": re.compile(r"head|skull"),
    "trunk": re.compile(r""),
}
# Small errors dark, large ones bright: lightness rises evenly, so that it reads without colour vision too. The first
# four fifths of matplotlib's "plasma" (CC0), whose end is too pale on white.
ERROR_SCALE = np.array(
    [[0.050, 0.030, 0.528], [0.358, 0.002, 0.650], [0.634, 0.110, 0.620], [0.835, 0.323, 0.441], [0.972, 0.580, 0.254]],
    np.float32,
)


@dataclass(frozen=True)
class Look:
    """What is drawn.

    Attributes:
        hidden_people: indices of the people to leave out.
        hidden_parts: parts of the body to leave out, keys of ``PARTS``, and "left" and "right".
        truth: whether truth is drawn where the stage has one.
        errors: whether joints and bones have the colour of their distance from truth, and are tied to it by lines.
        error_limit: the distance in metres that has the last colour; None for what most of the clip stays below.
        trails: seconds of the past that are drawn behind people; 0 for none.
        trailing: what draws the trails: "root" and names of joints.
        ellipsoids: error bars of so many standard deviations; 0 for none.
        cameras: whether the cameras are drawn.
        pictures: whether the videos' frames are drawn in them.
        floor: whether the floor's grid is drawn.
        axes: whether the axes are drawn.

    Raises:
        Lift3DError: a part is unknown, or a number is negative.
    """

    hidden_people: frozenset[int] = frozenset()
    hidden_parts: frozenset[str] = frozenset()
    truth: bool = True
    errors: bool = False
    error_limit: float | None = None
    trails: float = 0.0
    trailing: tuple[str, ...] = ("root",)
    ellipsoids: float = 0.0
    cameras: bool = True
    pictures: bool = True
    floor: bool = True
    axes: bool = True

    def __post_init__(self) -> None:
        known = (*PARTS, "left", "right")
        if unknown := sorted(set(self.hidden_parts) - set(known)):
            raise Lift3DError(f"no part of the body is called {', '.join(unknown)}; known are {', '.join(known)}")
        for name in ("trails", "ellipsoids", "error_limit"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value >= 0):
                raise Lift3DError(f"{name} must be 0 or more, not {value}")


def body_parts(skeleton: Skeleton) -> list[str]:
    """The part of the body, a key of ``PARTS``, of each joint."""
    return [next(part for part, names in PARTS.items() if names.search(joint)) for joint in skeleton.joints]


def shown_joints(skeleton: Skeleton, hidden_parts: frozenset[str]) -> np.ndarray:
    """Which joints are drawn, (joints,) bool. Who hides the head hides the face on it, and the legs the feet."""
    hidden = set(hidden_parts)
    for whole, end in (("head", "face"), ("legs", "feet"), ("arms", "hands")):
        hidden |= {end} if whole in hidden else set()
    return np.array(
        [part not in hidden and skeleton.side(j) not in hidden for j, part in enumerate(body_parts(skeleton))]
    )


def error_colours(metres: np.ndarray, limit: float) -> np.ndarray:
    """Colours (..., 3) of distances (...,) from 0 to ``limit`` and beyond; NaN where a distance is NaN."""
    place = np.clip(metres / limit, 0, 1) * (len(ERROR_SCALE) - 1)
    known = np.isfinite(place)
    lower = np.minimum(np.where(known, place, 0).astype(int), len(ERROR_SCALE) - 2)
    part = (place - lower)[..., None].astype(np.float32)
    colours: np.ndarray = ERROR_SCALE[lower] * (1 - part) + ERROR_SCALE[lower + 1] * part
    return colours


def rgb(colours: str | list[str]) -> np.ndarray:
    """``#RRGGBB`` as float32 from 0 to 1: (3,) of one colour, (n, 3) of a list."""
    listed = [colours] if isinstance(colours, str) else colours
    array = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in listed], np.float32).reshape(-1, 3)
    return array[0] if isinstance(colours, str) else array

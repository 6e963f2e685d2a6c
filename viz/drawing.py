"""What one moment of a clip looks like, in the words of no library: every renderer draws it.

Space: metres, right-handed, Z up (``lift3d.viz.scene.upright``). Colours are (n, 3) float32, red, green and blue from 0
to 1. In the drawings of one stage the same row is always the same thing; a thing that is not there now is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


def _none(*shape: int) -> np.ndarray:
    return np.zeros((0, *shape), np.float32)


@dataclass(frozen=True)
class Spheres:
    """Joints: centres (n, 3) and radii (n,) in metres, colours (n, 3)."""

    centres: np.ndarray = field(default_factory=lambda: _none(3))
    radii: np.ndarray = field(default_factory=_none)
    colours: np.ndarray = field(default_factory=lambda: _none(3))


@dataclass(frozen=True)
class Cylinders:
    """Bones: starts and ends (n, 3) and radii (n,) in metres, colours (n, 3)."""

    starts: np.ndarray = field(default_factory=lambda: _none(3))
    ends: np.ndarray = field(default_factory=lambda: _none(3))
    radii: np.ndarray = field(default_factory=_none)
    colours: np.ndarray = field(default_factory=lambda: _none(3))


@dataclass(frozen=True)
class Ellipsoids:
    """Error bars, drawn translucent: centres (n, 3), semi-axes (n, 3, 3) as columns, in metres, colours (n, 3)."""

    centres: np.ndarray = field(default_factory=lambda: _none(3))
    axes: np.ndarray = field(default_factory=lambda: _none(3, 3))
    colours: np.ndarray = field(default_factory=lambda: _none(3))


@dataclass(frozen=True)
class Lines:
    """Segments (n, 2, 3) in metres, colours (n, 3), one width for all in pixels of a picture 720 pixels high."""

    segments: np.ndarray = field(default_factory=lambda: _none(2, 3))
    colours: np.ndarray = field(default_factory=lambda: _none(3))
    width: float = 1.5


@dataclass(frozen=True)
class Picture:
    """An image in space: corners (4, 3) in metres, top left, top right, bottom right, bottom left of the image;
    image (height, width, 3) uint8 RGB."""

    corners: np.ndarray
    image: np.ndarray


@dataclass(frozen=True)
class Label:
    """A text at a place (3,), always facing the viewer; colour (3,)."""

    place: np.ndarray
    text: str
    colour: np.ndarray


@dataclass(frozen=True)
class Drawing:
    """Everything that is drawn of one moment."""

    spheres: Spheres = field(default_factory=Spheres)
    cylinders: Cylinders = field(default_factory=Cylinders)
    ellipsoids: Ellipsoids = field(default_factory=Ellipsoids)
    lines: tuple[Lines, ...] = ()
    pictures: tuple[Picture, ...] = ()
    labels: tuple[Label, ...] = ()

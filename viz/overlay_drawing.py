"""Bones, rings and words drawn onto a frame of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.palette import MIDDLE, TRUTH, side_colours
from lift3d.skeletons import Skeleton
from lift3d.viz.bones import drawn_bones
from lift3d.viz.captions import draw_text

# Sizes as parts of the frame's longer side.
BONE, THIN_BONE, RING, RING_LINE, EDGE = 1 / 320, 1 / 800, 1 / 190, 1 / 800, 1 / 900
TEXT, MARK, MARGIN = 1 / 60, 1 / 26, 1 / 60
# A letter's width as a part of its height, at most.
LETTER = 0.66
WHITE = (255, 255, 255)
INK = np.array([0.13, 0.13, 0.13])
# OpenCV draws at sixteenths of a pixel. Nothing that is farther away than so many frames is drawn.
SUBPIXEL_BITS = 4
FAR = 8


@dataclass(frozen=True)
class Sides:
    """The lines and joints of a skeleton by colour: of each side of the body, the bones (n, 2) and the joints (m,)."""

    bones: dict[str, np.ndarray]
    joints: dict[str, np.ndarray]

    @classmethod
    def of(cls, skeleton: Skeleton) -> Sides:
        lines = drawn_bones(skeleton)
        sides = np.array([skeleton.side(joint) for joint in range(len(skeleton))])
        return cls(
            {
                side: np.array([line[:2] for line in lines if line[2] == side], np.intp).reshape(-1, 2)
                for side in ("middle", "left", "right")
            },
            {side: np.flatnonzero(sides == side) for side in ("middle", "left", "right")},
        )


class Brush:
    """Draws onto frames of one size.

    Args:
        size: (width, height) in pixels.
        people: how many people there are in all; one alone is drawn in the colours of the sides.
    """

    def __init__(self, size: tuple[int, int], people: int) -> None:
        self.people = max(1, people)
        self._longer = max(size)

    def bones(self, image: np.ndarray, points: np.ndarray, sides: Sides, thin: bool = False) -> None:
        """Draw the bones of all people between points (people, joints, 2) in pixels, where both ends are seen."""
        import cv2

        points = self._near(points)
        drawn = []
        for person, own in enumerate(points):
            for side, colour in self._colours(person).items():
                ends = own[sides.bones[side]]
                ends = ends[np.isfinite(ends).all(axis=(1, 2))]
                if len(ends):
                    drawn.append((_fixed(ends), colour))
        width, edge = self._pixels(THIN_BONE if thin else BONE), self._pixels(EDGE)
        for lines, _ in drawn:
            cv2.polylines(image, list(lines), False, WHITE, width + 2 * edge, cv2.LINE_AA, SUBPIXEL_BITS)
        for lines, colour in drawn:
            cv2.polylines(image, list(lines), False, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)

    def rings(self, image: np.ndarray, points: np.ndarray, sides: Sides, owners: np.ndarray) -> None:
        """Draw a ring about each of the points (people, joints, 2) in pixels that is seen.

        Args:
            image: the frame.
            points: the points.
            sides: their skeleton.
            owners: (people,) the person whose colours they have, -1 for grey.
        """
        for own, owner in zip(self._near(points), owners.tolist(), strict=True):
            colours = self._colours(owner) if owner >= 0 else dict.fromkeys(("left", "right", "middle"), _rgb(TRUTH))
            for side, colour in colours.items():
                seen = own[sides.joints[side]]
                for centre in _fixed(seen[np.isfinite(seen).all(axis=-1)]):
                    self._ring(image, centre, colour)

    def caption(self, image: np.ndarray, text: str) -> None:
        """Write into the lower left corner, smaller if it would not fit."""
        height, width = image.shape[:2]
        margin = MARGIN * self._longer
        size = min(TEXT * self._longer, (width - 2 * margin) / (LETTER * len(text)))
        draw_text(image, text, np.array([margin, height - margin]), size, INK, (0.0, 1.0))

    def legend(self, image: np.ndarray, rings: str | None, bones: str | None) -> None:
        """Say in the upper left corner what rings and bones are (None: there are none) and which side has which colour.

        With several people a colour is a person, and their sides are its shades.
        """
        import cv2

        mark, margin = MARK * self._longer, MARGIN * self._longer
        size = TEXT * self._longer
        y = margin + size / 2
        own, either = self._colours(0), _rgb(MIDDLE)
        rows = [(bones, either, True), (rings, either, False)]
        if self.people == 1:
            rows += [("left", own["left"], True), ("right", own["right"], True)]
        for text, colour, is_bone in rows:
            if text is None:
                continue
            if is_bone:
                line = _fixed(np.array([[(margin, y), (margin + mark, y)]]))
                width, edge = self._pixels(BONE), self._pixels(EDGE)
                cv2.polylines(image, list(line), False, WHITE, width + 2 * edge, cv2.LINE_AA, SUBPIXEL_BITS)
                cv2.polylines(image, list(line), False, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)
            else:
                self._ring(image, _fixed(np.array([margin + mark / 2, y])), colour)
            draw_text(image, text, np.array([margin + 1.3 * mark, y]), size, INK, (0.0, 0.5))
            y += 1.7 * size

    def _ring(self, image: np.ndarray, centre: np.ndarray, colour: tuple[int, int, int]) -> None:
        import cv2

        at = int(centre[0]), int(centre[1])
        radius = round(self._longer * RING * (1 << SUBPIXEL_BITS))
        width, edge = self._pixels(RING_LINE), self._pixels(EDGE)
        cv2.circle(image, at, radius, WHITE, width + 2 * edge, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.circle(image, at, radius, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)

    def _colours(self, person: int) -> dict[str, tuple[int, int, int]]:
        return {side: _rgb(colour) for side, colour in side_colours(person, self.people).items()}

    def _pixels(self, part: float) -> int:
        return max(1, round(part * self._longer))

    def _near(self, points: np.ndarray) -> np.ndarray:
        """The points, NaN where they lie so far outside that OpenCV's numbers do not reach there."""
        with np.errstate(invalid="ignore"):
            far = ~(np.abs(points) < FAR * self._longer).all(axis=-1, keepdims=True)
        return np.where(far, np.nan, points)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Pixels in OpenCV's fixed-point numbers."""
    return np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue

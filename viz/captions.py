"""Words on a picture: names of cameras and axes, the time, the scale of error colours.

They are drawn into the finished image, so that they look alike whichever renderer drew it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lift3d.viz.drawing import Label
from lift3d.viz.viewpoint import Viewpoint

if TYPE_CHECKING:
    from PIL import ImageFont

INK = np.array([0.13, 0.13, 0.13])
# Heights as parts of the picture's height: readable at the back of a room.
CAPTION, LABEL, MARGIN = 0.030, 0.026, 0.025


def draw_labels(image: np.ndarray, labels: tuple[Label, ...], viewpoint: Viewpoint) -> None:
    """Draw labels into an image (height, width, 3 or 4) uint8, where the viewpoint sees their places."""
    if not labels:
        return
    height, width = image.shape[:2]
    pixels, depths = viewpoint.project(np.array([label.place for label in labels]), width, height)
    for label, pixel, depth in zip(labels, pixels, depths, strict=True):
        if depth > 0.05 and (np.abs(pixel) < 10 * max(width, height)).all():
            draw_text(image, label.text, pixel, LABEL * height, label.colour)


def draw_caption(image: np.ndarray, text: str) -> None:
    """Draw a line of text into the lower left corner of an image."""
    height = image.shape[0]
    size = CAPTION * height
    draw_text(image, text, np.array([MARGIN * height, height - MARGIN * height]), size, INK, (0.0, 1.0))


def draw_error_legend(image: np.ndarray, legend: tuple[tuple[float, np.ndarray], ...]) -> None:
    """Draw the scale of error colours, (millimetres, colour) each, into the upper right corner of an image."""
    if not legend:
        return
    height, width = image.shape[:2]
    box = round(0.032 * height)
    top, right = round(2.2 * MARGIN * height), width - round(MARGIN * height)
    size = 0.8 * CAPTION * height
    draw_text(image, "from truth, mm", np.array([right, top - 0.3 * size]), size, INK, (1.0, 1.0))
    for row, (millimetres, colour) in enumerate(legend):
        y = top + round(0.3 * size) + row * box
        image[y : y + box, right - box : right, :3] = np.round(255 * colour)
        image[y : y + box, right - box : right, 3:] = 255
        more = "≥ " if row == len(legend) - 1 else ""
        draw_text(image, f"{more}{millimetres:g}", np.array([right - 1.3 * box, y + box / 2]), size, INK, (1.0, 0.5))


def draw_text(
    image: np.ndarray,
    text: str,
    place: np.ndarray,
    size: float,
    colour: np.ndarray,
    anchor: tuple[float, float] = (0.5, 0.5),
) -> None:
    """Draw a line of text with a white edge.

    Args:
        image: (height, width, 3 or 4) uint8, drawn into.
        text: the line.
        place: (2,) pixels, where the text's ``anchor`` comes to lie.
        size: height of the letters in pixels.
        colour: (3,) from 0 to 1.
        anchor: the part of the text's width and height that lies at ``place``: (0, 1) is its lower left corner.
    """
    ink, edge = _masks(text, max(7, round(size)))
    height, width = ink.shape
    left, top = round(place[0] - anchor[0] * width), round(place[1] - anchor[1] * height)
    rows = slice(max(0, -top), min(height, image.shape[0] - top))
    columns = slice(max(0, -left), min(width, image.shape[1] - left))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = image[top + rows.start : top + rows.stop, left + columns.start : left + columns.stop]
    for mask, tone in ((0.8 * edge, np.ones(3)), (ink, colour)):
        _paint(part, mask[rows, columns, None], tone)


def _paint(part: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> None:
    """Lay a colour over a part of an image, as thick as the mask (h, w, 1) from 0 to 1 says."""
    below = part[..., :3].astype(np.float32)
    if part.shape[2] == 3:
        part[:] = np.round(below * (1 - mask) + 255 * colour * mask)
        return
    alpha = part[..., 3:].astype(np.float32) / 255
    total = mask + alpha * (1 - mask)
    mixed = (255 * colour * mask + below * alpha * (1 - mask)) / np.maximum(total, 1e-6)
    part[..., :3] = np.round(mixed)
    part[..., 3:] = np.round(255 * total)


@lru_cache(maxsize=512)
def _masks(text: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """How thick ink and edge lie (h, w) from 0 to 1 for a text."""
    from PIL import Image, ImageDraw

    font = _font(size)
    edge = max(1, size // 10)
    left, top, right, bottom = font.getbbox(text or " ", stroke_width=edge)
    masks = []
    for stroke in (0, edge):
        canvas = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
        ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=font, stroke_width=stroke)
        masks.append(np.asarray(canvas, dtype=np.float32) / 255)
    return masks[0], masks[1]


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)

"""Videos whose pictures say their own number, in large black and white squares that survive any codec."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, BITS = 128, 96, 8


def numbered(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture with a number: its bits from left to right in the upper half, a gradient below, red on the left."""
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2 :] = np.linspace(40, 200, width).astype(np.uint8)[None, :, None]
    image[height // 2 :, : width // 2] = (220, 30, 30)
    side = width // BITS
    for bit in range(BITS):
        image[: height // 2, bit * side : (bit + 1) * side] = 255 * (number >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    """The number that a picture of ``numbered`` says."""
    height, width = image.shape[:2]
    side = width // BITS
    cells = image[height // 8 : height * 3 // 8, : BITS * side].reshape(-1, BITS, side, image.shape[2])
    return int((cells[:, :, side // 4 : -(side // 4)].mean(axis=(0, 2, 3)) > 128) @ (1 << np.arange(BITS)))


def write_numbered(
    path: Path,
    frames: int,
    codec: str = "libx264",
    times: list[int] | None = None,
    rotation: int = 0,
    pixels: str = "yuv420p",
    **options: str,
) -> Path:
    """A video of ``numbered`` at 25 frames a second, or with the given times in twenty-fifths of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.codec_context.time_base = Fraction(1, 25)
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path

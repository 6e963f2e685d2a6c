"""Many cameras as tensors, for networks and losses that project."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class CameraBatch:
    """One camera a window, for losses that project.

    Attributes:
        focal, centre: (batch, 2) pixels.
        distortion: (batch, 5) OpenCV coefficients k1 k2 p1 p2 k3.
        image_size: (batch, 2) width and height, pixels.
    """

    focal: Tensor
    centre: Tensor
    distortion: Tensor
    image_size: Tensor

"""Camera space seen by a level camera, as a world whose Z points up."""

from __future__ import annotations

import numpy as np

# World axes in camera space (x right, y down, z forward): x towards the camera, y to its right, z up.
_TOWARDS = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]])


def to_level(xyz: np.ndarray, space: str) -> np.ndarray:
    """Points (..., 3) of "camera" or "world" space with Z up; those of world space as they are."""
    return xyz if space == "world" else xyz @ _TOWARDS.T.astype(xyz.dtype)


def from_level(xyz: np.ndarray, space: str) -> np.ndarray:
    """What ``to_level`` made of points (..., 3) of ``space``, back."""
    return xyz if space == "world" else xyz @ _TOWARDS.astype(xyz.dtype)

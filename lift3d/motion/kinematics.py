"""Velocities and accelerations of joints and of angles, by differences over stretches without gaps.

Differences make noise larger, the more so the higher the frame rate: filter poses first (``lift3d.motion.filters``),
``butterworth`` at 6 Hz being usual for whole bodies.
"""

from __future__ import annotations

import numpy as np

from lift3d.errors import Lift3DError, ShapeError
from lift3d.motion.angle_table import Angles
from lift3d.poses import Poses3D

# Weights of the frames about a frame, by their distance from it, in order of preference: the first of which all frames
# are there is taken. Those of the first derivative are exact for polynomials of degree 2, then 1; those of the second
# for degree 3, then 2.
STENCILS: dict[int, tuple[dict[int, float], ...]] = {
    1: (
        {-1: -0.5, 0: 0.0, 1: 0.5},
        {0: -1.5, 1: 2.0, 2: -0.5},
        {0: 1.5, -1: -2.0, -2: 0.5},
        {0: -1.0, 1: 1.0},
        {0: 1.0, -1: -1.0},
    ),
    2: (
        {-1: 1.0, 0: -2.0, 1: 1.0},
        {0: 2.0, 1: -5.0, 2: 4.0, 3: -1.0},
        {0: 2.0, -1: -5.0, -2: 4.0, -3: -1.0},
        {0: 1.0, 1: -2.0, 2: 1.0},
        {0: 1.0, -1: -2.0, -2: 1.0},
    ),
}


def derivative(values: np.ndarray, fps: float, order: int = 1) -> np.ndarray:
    """The derivative in time, by central differences and one-sided ones beside gaps and at the ends.

    Args:
        values: (frames, ...) in any unit, NaN where missing.
        fps: frames per second.
        order: 1 or 2.

    Returns:
        (frames, ...) float64, the unit per second (or per square second); NaN where values are missing, and where
        fewer than ``order + 1`` frames in a row are there.

    Raises:
        ShapeError: the order is not 1 or 2.
    """
    if order not in STENCILS:
        raise ShapeError(f"order of a derivative must be 1 or 2, not {order}")
    values = np.asarray(values, dtype=np.float64)
    reach = max(abs(step) for stencil in STENCILS[order] for step in stencil)
    padded = np.pad(values, [(reach, reach)] + [(0, 0)] * (values.ndim - 1), constant_values=np.nan)
    result = np.full(values.shape, np.nan)
    for stencil in STENCILS[order]:
        missing = np.isnan(result)
        if not missing.any():
            break
        change = sum(weight * padded[reach + step : reach + step + len(values)] for step, weight in stencil.items())
        result = np.where(missing, change, result)
    return result * fps**order


def velocity(poses: Poses3D) -> np.ndarray:
    """(frames, people, joints, 3) m/s. Raises Lift3DError if the frame rate is unknown."""
    return derivative(poses.xyz, _rate(poses.fps))


def acceleration(poses: Poses3D) -> np.ndarray:
    """(frames, people, joints, 3) m/s2. Raises Lift3DError if the frame rate is unknown."""
    return derivative(poses.xyz, _rate(poses.fps), 2)


def speed(poses: Poses3D) -> np.ndarray:
    """(frames, people, joints) m/s, the length of the velocity; noise makes it larger, never smaller.

    Raises Lift3DError if the frame rate is unknown.
    """
    return np.asarray(np.linalg.norm(velocity(poses), axis=-1))


def angular_velocity(angles: Angles) -> np.ndarray:
    """(frames, people, angles) degrees/s. Raises Lift3DError if the frame rate is unknown."""
    return derivative(_unwrapped(angles.values), _rate(angles.fps))


def angular_acceleration(angles: Angles) -> np.ndarray:
    """(frames, people, angles) degrees/s2. Raises Lift3DError if the frame rate is unknown."""
    return derivative(_unwrapped(angles.values), _rate(angles.fps), 2)


def _unwrapped(degrees: np.ndarray) -> np.ndarray:
    """Angles (frames, ...) without jumps of 360 degrees within a stretch."""
    degrees = np.asarray(degrees, dtype=np.float64)
    turns = np.round(np.nan_to_num(np.diff(degrees, axis=0, prepend=degrees[:1])) / 360)
    return np.asarray(degrees - 360 * np.cumsum(turns, axis=0))


def _rate(fps: float | None) -> float:
    if fps is None:
        raise Lift3DError("velocities need the frame rate, which these poses do not know; set fps")
    return fps

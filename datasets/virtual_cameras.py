"""Virtual cameras: recorded motion as a camera anywhere around the person would see it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# World Z up, seen by a level camera that looks along +Y: x right, y down, z forward.
_LEVEL = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)


@dataclass(frozen=True)
class CameraVariation:
    """Where cameras stand; lengths in metres, angles in degrees.

    Attributes:
        distance: (nearest, farthest) to the person, drawn log-uniformly.
        pitch_mean, pitch_deviation, pitch_limits: how far the camera looks down.
        roll_deviation: how far it is tilted.
        off_axis: largest angle between the optical axis and the person.
        focal_deviation: standard deviation of the logarithm of assumed over true focal length, of unknown cameras.
        known_probability: how often the camera's intrinsics are known.
    """

    distance: tuple[float, float] = (1.8, 11.0)
    pitch_mean: float = 9.0
    pitch_deviation: float = 13.0
    pitch_limits: tuple[float, float] = (-30.0, 70.0)
    roll_deviation: float = 4.0
    off_axis: float = 25.0
    focal_deviation: float = 0.25
    known_probability: float = 0.5


@dataclass(frozen=True)
class Aims:
    """Cameras that look at people, one a window, before it is known how much room the people need; float32.

    Attributes:
        rotation: (windows, 3, 3) world to camera.
        ray: (windows, 3) unit direction in camera space towards the person.
        distance: (windows,) metres along it, at least.
        assumed_focal: (windows,) true over assumed focal length: 1 where the camera is known.
        known: (windows,) bool.
    """

    rotation: np.ndarray
    ray: np.ndarray
    distance: np.ndarray
    assumed_focal: np.ndarray
    known: np.ndarray


# How many normal and uniform numbers a camera takes.
AIM_NORMAL, AIM_UNIFORM = 3, 5


def aim_cameras(variation: CameraVariation, normal: np.ndarray, uniform: np.ndarray) -> Aims:
    """Cameras of normal numbers (windows, AIM_NORMAL) and uniform numbers in 0..1 (windows, AIM_UNIFORM)."""
    turn = math.pi / 180
    tilt, roll, focal = normal.T
    heading, angle, towards, distance, chance = uniform.T
    pitch = (variation.pitch_mean + variation.pitch_deviation * tilt).clip(*variation.pitch_limits) * turn
    rotation = _about(2, variation.roll_deviation * turn * roll) @ _about(0, pitch)
    rotation = rotation @ _LEVEL @ _about(2, 2 * math.pi * heading)
    # The person off the optical axis: the camera turns away about an axis in its image plane.
    about = _about(2, 2 * math.pi * towards)
    away = about @ _about(0, variation.off_axis * turn * angle) @ about.mT
    low, high = (math.log(limit) for limit in variation.distance)
    known = chance < variation.known_probability
    focal = np.where(known, np.float32(1), np.exp(variation.focal_deviation * focal))
    return Aims(away @ rotation, away[:, :, 2].copy(), np.exp(low + (high - low) * distance), focal, known)


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotation matrices (windows, 3, 3) about the x axis (0) or the z axis (2) by angles (windows,) in radians."""
    first, second = (1, 2) if axis == 0 else (0, 1)
    rotation = np.zeros((len(angle), 3, 3), np.float32)
    rotation[:, axis, axis] = 1
    rotation[:, first, first] = rotation[:, second, second] = np.cos(angle)
    rotation[:, second, first] = np.sin(angle)
    rotation[:, first, second] = -rotation[:, second, first]
    return rotation

"""Virtual cameras: recorded motion as a camera anywhere around the person would see it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# World Z up, seen by a level camera that looks along +Y: x right, y down, z forward.
_LEVEL = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


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
class Views:
    """One camera a window.

    Attributes:
        rotation: (batch, 3, 3) world to camera.
        centre: (batch, 3) the point of the world that each camera is placed around, metres.
        offset: (batch, 3) that point in camera space, metres.
        assumed_focal: (batch,) true over assumed focal length: 1 where the camera is known.
        known: (batch,) bool.
    """

    rotation: Tensor
    centre: Tensor
    offset: Tensor
    assumed_focal: Tensor
    known: Tensor

    def to_camera(self, points: Tensor) -> Tensor:
        """World points (batch, frames, joints, 3) in camera space, metres."""
        return (points - self.centre[:, None, None]) @ self.rotation.mT[:, None] + self.offset[:, None, None]

    def project(self, points: Tensor) -> Tensor:
        """Camera-space points (batch, frames, joints, 3) to the plane z = 1 of the assumed camera (..., 2)."""
        return points[..., :2] / points[..., 2:] * self.assumed_focal[:, None, None, None]


def sample_views(points: Tensor, variation: CameraVariation, generator: torch.Generator, nearest: float = 0.6) -> Views:
    """A camera for each window of world points (batch, frames, joints, 3), metres, Z up.

    No joint comes nearer to the camera than ``nearest`` metres: where the motion would, the camera stands back.
    """
    batch = points.shape[0]

    def normal(mean: float, deviation: float) -> Tensor:
        return mean + deviation * torch.randn(batch, generator=generator)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(batch, generator=generator)

    turn = torch.pi / 180
    pitch = normal(variation.pitch_mean, variation.pitch_deviation).clamp(*variation.pitch_limits) * turn
    rotation = _about(2, normal(0, variation.roll_deviation) * turn) @ _about(0, pitch)
    rotation = rotation @ _LEVEL @ _about(2, uniform(-torch.pi, torch.pi))
    # The person off the optical axis: the camera turns away about an axis in its image plane.
    angle, towards = uniform(0, variation.off_axis) * turn, uniform(-torch.pi, torch.pi)
    away = _about(2, towards) @ _about(0, angle) @ _about(2, -towards)
    low, high = (torch.tensor(limit).log() for limit in variation.distance)
    distance = (low + (high - low) * torch.rand(batch, generator=generator)).exp()
    centre = points[:, points.shape[1] // 2].mean(1)
    rotation = away @ rotation
    ray = away[:, :, 2]
    depth = ((points - centre[:, None, None]) @ rotation[:, 2, :, None][:, None])[..., 0].flatten(1).min(1).values
    distance = torch.maximum(distance, (nearest - depth) / ray[:, 2])
    known = torch.rand(batch, generator=generator) < variation.known_probability
    focal = torch.where(known, 1.0, normal(0, variation.focal_deviation).exp())
    return Views(rotation, centre, ray * distance[:, None], focal, known)


def _about(axis: int, angle: Tensor) -> Tensor:
    """Rotation matrices (batch, 3, 3) about a coordinate axis by angles (batch,) in radians."""
    first, second = [other for other in range(3) if other != axis]
    result = torch.eye(3).repeat(len(angle), 1, 1)
    result[:, first, first] = result[:, second, second] = angle.cos()
    result[:, first, second] = -angle.sin()
    result[:, second, first] = angle.sin()
    return result

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


@dataclass(frozen=True)
class Aims:
    """Cameras that look at people, before it is known how much room the people need.

    Attributes:
        rotation: (batch, 3, 3) world to camera.
        ray: (batch, 3) unit direction in camera space towards the person.
        distance: (batch,) metres along it, at least.
        assumed_focal, known: as in ``Views``.
    """

    rotation: Tensor
    ray: Tensor
    distance: Tensor
    assumed_focal: Tensor
    known: Tensor

    def offset(self, lowest: Tensor, nearest: float = 0.6) -> Tensor:
        """Where in camera space (batch, 3), metres, to put the points that the cameras are placed around.

        Args:
            lowest: (batch,) smallest depth of any joint from that point.
            nearest: least depth of a joint in camera space: where it would be less, the camera stands back.
        """
        return self.ray * torch.maximum(self.distance, (nearest - lowest) / self.ray[:, 2])[:, None]


# How many normal and uniform numbers a camera takes.
AIM_NORMAL, AIM_UNIFORM = 3, 5


def aim_cameras(variation: CameraVariation, normal: Tensor, uniform: Tensor) -> Aims:
    """Cameras of normal numbers (batch, AIM_NORMAL) and uniform numbers in 0..1 (batch, AIM_UNIFORM)."""
    turn = torch.pi / 180
    tilt, roll, focal = normal.unbind(1)
    heading, angle, towards, distance, chance = uniform.unbind(1)
    pitch = (variation.pitch_mean + variation.pitch_deviation * tilt).clamp(*variation.pitch_limits) * turn
    rotation = _about(2, variation.roll_deviation * turn * roll) @ _about(0, pitch)
    rotation = rotation @ _LEVEL @ _about(2, 2 * torch.pi * heading)
    # The person off the optical axis: the camera turns away about an axis in its image plane.
    about = _about(2, 2 * torch.pi * towards)
    away = about @ _about(0, variation.off_axis * turn * angle) @ about.mT
    low, high = (torch.tensor(limit).log() for limit in variation.distance)
    known = chance < variation.known_probability
    focal = torch.where(known, 1.0, (variation.focal_deviation * focal).exp())
    return Aims(away @ rotation, away[:, :, 2], (low + (high - low) * distance).exp(), focal, known)


def sample_views(points: Tensor, variation: CameraVariation, generator: torch.Generator, nearest: float = 0.6) -> Views:
    """A camera for each window of world points (batch, frames, joints, 3), metres, Z up.

    No joint comes nearer to the camera than ``nearest`` metres: where the motion would, the camera stands back.
    """
    batch = points.shape[0]
    normal = torch.randn(batch, AIM_NORMAL, generator=generator)
    aims = aim_cameras(variation, normal, torch.rand(batch, AIM_UNIFORM, generator=generator))
    centre = points[:, points.shape[1] // 2].mean(1)
    depth = ((points - centre[:, None, None]) @ aims.rotation[:, 2, :, None][:, None])[..., 0]
    offset = aims.offset(depth.flatten(1).amin(1), nearest)
    return Views(aims.rotation, centre, offset, aims.assumed_focal, aims.known)


def _about(axis: int, angle: Tensor) -> Tensor:
    """Rotation matrices (batch, 3, 3) about the x axis (0) or the z axis (2) by angles (batch,) in radians."""
    cos, sin = angle.cos(), angle.sin()
    one, zero = torch.ones_like(cos), torch.zeros_like(cos)
    if axis == 0:
        rows = [one, zero, zero, zero, cos, -sin, zero, sin, cos]
    else:
        rows = [cos, -sin, zero, sin, cos, zero, zero, zero, one]
    rotation: Tensor = torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
    return rotation

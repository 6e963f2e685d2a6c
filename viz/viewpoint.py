"""Where the viewer stands: a free viewpoint, or the view of a calibrated camera."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from lift3d.geometry.cameras import Camera

UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """A pinhole view of the drawings' space.

    Attributes:
        eye: (3,) the viewer's place, metres.
        target: (3,) what is in the middle of the image, metres.
        up: (3,) what points upwards in the image.
        field_of_view: the vertical angle of view in degrees, of a free viewpoint.
        camera: the camera whose view this is, in the drawings' space; None of a free viewpoint.
    """

    eye: np.ndarray
    target: np.ndarray
    up: np.ndarray = field(default_factory=UP.copy)
    field_of_view: float = 35.0
    camera: Camera | None = None

    @classmethod
    def of_camera(cls, camera: Camera, distance: float = 3.0) -> Self:
        """The view of a camera that stands in the drawings' space, ``target`` so many metres before it."""
        return cls(camera.centre, camera.centre + distance * camera.R[2], -camera.R[1], camera=camera)

    def extrinsics(self) -> tuple[np.ndarray, np.ndarray]:
        """R (3, 3) and t (3,) of ``x_cam = R x + t``, x right, y down, z forward."""
        if self.camera is not None:
            return self.camera.R, self.camera.t
        forward = self.target - self.eye
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, self.up)
        if np.linalg.norm(right) < 1e-6:  # straight up or down: y is what lies ahead
            right = np.cross(forward, [0.0, 1.0, 0.0])
        right = right / np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        return R, -R @ self.eye

    def intrinsics(self, width: int, height: int) -> np.ndarray:
        """K (3, 3) for an image of that size in pixels; a camera's own image fits in it whole."""
        if self.camera is None or self.camera.image_size is None:
            focal = height / 2 / np.tan(np.radians(self.field_of_view) / 2)
            return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        own_width, own_height = self.camera.image_size
        scale = min(width / own_width, height / own_height)
        K = self.camera.K.copy()
        K[:2] *= scale
        K[:2, 2] += (width - scale * own_width) / 2, (height - scale * own_height) / 2
        return K

    def project(self, points: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (..., 2) and depths (...,) in metres of points (..., 3), in an image of that size.

        A point that is not before the viewer has NaN pixels. Lens distortion is left out, as in all drawings.
        """
        R, t = self.extrinsics()
        K = self.intrinsics(width, height)
        local = np.asarray(points) @ R.T + t
        depth = local[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where(depth[..., None] > 0, local[..., :2] / depth[..., None], np.nan)
        pixels: np.ndarray = plane @ K[:2, :2].T + K[:2, 2]
        return pixels, depth

    def orbited(self, degrees: float) -> Self:
        """The free viewpoint turned about the vertical through its target, counter-clockwise from above."""
        angle = np.radians(degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        return replace(self, eye=self.target + turn @ (self.eye - self.target), up=turn @ self.up, camera=None)

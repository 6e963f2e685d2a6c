"""One camera: intrinsics, lens distortion, pose and the projection of points.

Conventions are OpenCV's: pixels with the origin at the top left, camera space x right, y down, z forward, and
``x_cam = R x_world + t``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lift3d.errors import CameraError
from lift3d.geometry.lenses import distort, undistort

# Of a phone's or a webcam's main camera the focal length is 0.7 to 1.3 times the longer side of the image; this is
# the middle, a horizontal view of 53 degrees.
ASSUMED_FOCAL_RATIO = 1.0


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated or assumed camera.

    Attributes:
        K: (3, 3) float64 intrinsics, pixels.
        distortion: (5,) or (8,) OpenCV coefficients (k1 k2 p1 p2 k3 [k4 k5 k6]), or (4,) of the fisheye model.
        R, t: (3, 3) rotation and (3,) translation in metres from world to camera.
        image_size: (width, height) in pixels, None if unknown.
        name: the camera's name in its rig.
        fisheye: whether ``distortion`` holds the four coefficients of OpenCV's fisheye model.

    Raises:
        CameraError: K is not finite or has no positive focal lengths, R is not a rotation, or the number of
            distortion coefficients is none of these.
    """

    K: np.ndarray
    distortion: np.ndarray = None  # type: ignore[assignment]
    R: np.ndarray = None  # type: ignore[assignment]
    t: np.ndarray = None  # type: ignore[assignment]
    image_size: tuple[int, int] | None = None
    name: str = "camera"
    fisheye: bool = False

    def __post_init__(self) -> None:
        defaults = {"distortion": np.zeros(4 if self.fisheye else 5), "R": np.eye(3), "t": np.zeros(3)}
        for key in ("K", "distortion", "R", "t"):
            value = getattr(self, key)
            value = np.asarray(defaults[key] if value is None else value, dtype=np.float64)
            object.__setattr__(self, key, value.reshape(-1) if key in ("t", "distortion") else value)
        where = f"camera {self.name!r}"
        if self.K.shape != (3, 3) or not np.isfinite(self.K).all() or np.any(np.diag(self.K) <= 0):
            raise CameraError(
                f"{where}: K must be a finite 3x3 matrix with positive focal lengths, not {self.K.tolist()}"
            )
        if self.K[2].tolist() != [0, 0, 1] or self.K[1, 0] != 0:
            raise CameraError(f"{where}: K must be [[fx, skew, cx], [0, fy, cy], [0, 0, 1]], not {self.K.tolist()}")
        if self.R.shape != (3, 3) or not np.allclose(self.R @ self.R.T, np.eye(3), atol=1e-4):
            raise CameraError(f"{where}: R is not orthonormal")
        if np.linalg.det(self.R) < 0:
            raise CameraError(f"{where}: R mirrors (its determinant is -1); is one axis turned over?")
        if self.t.shape != (3,) or not np.isfinite(self.t).all():
            raise CameraError(f"{where}: t must be three finite numbers")
        allowed = (4,) if self.fisheye else (5, 8)
        if self.distortion.size not in allowed or not np.isfinite(self.distortion).all():
            raise CameraError(
                f"{where}: distortion must be {allowed} finite coefficients, not {self.distortion.tolist()}"
            )
        if self.image_size is not None:
            width, height = (int(side) for side in self.image_size)
            if width <= 0 or height <= 0:
                raise CameraError(f"{where}: image size must be positive, not {self.image_size}")
            object.__setattr__(self, "image_size", (width, height))

    @classmethod
    def assumed(cls, image_size: tuple[int, int]) -> Self:
        """A camera of common field of view for an image of (width, height) pixels whose real camera is unknown."""
        width, height = image_size
        focal = ASSUMED_FOCAL_RATIO * max(width, height)
        K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        return cls(K, image_size=(width, height), name="assumed")

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in metres to pixels (..., 2), distortion included; NaN behind the camera."""
        points = np.asarray(points, dtype=np.float64)
        local = points @ self.R.T + self.t
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where(local[..., 2:] > 0, local[..., :2] / local[..., 2:], np.nan)
        x, y = distort(plane[..., 0], plane[..., 1], self.distortion.tolist(), self.fisheye)
        pixels: np.ndarray = np.stack([x, y], axis=-1) @ self.K[:2, :2].T + self.K[:2, 2]
        return pixels

    def unproject(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) to points (..., 2) on the plane z = 1 in camera space, distortion undone.

        NaN stays NaN; a pixel that the lens model cannot have made is NaN too (``lift3d.geometry.lenses.undistort``).
        """
        pixels = np.asarray(pixels, dtype=np.float64)
        plane: np.ndarray = (pixels - self.K[:2, 2]) @ np.linalg.inv(self.K[:2, :2]).T
        with np.errstate(all="ignore"):
            return np.stack(undistort(plane[..., 0], plane[..., 1], self.distortion.tolist(), self.fisheye), axis=-1)

    @property
    def centre(self) -> np.ndarray:
        """(3,) the camera's place in the world, metres."""
        centre: np.ndarray = -self.R.T @ self.t
        return centre

    def to_dict(self) -> dict[str, Any]:
        """The camera as JSON values."""
        return {
            "name": self.name,
            "K": self.K.tolist(),
            "distortion": self.distortion.tolist(),
            "fisheye": self.fisheye,
            "R": self.R.tolist(),
            "t": self.t.tolist(),
            "image_size": None if self.image_size is None else list(self.image_size),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The camera of ``to_dict``. Raises CameraError if a field is missing or impossible."""
        try:
            size: Sequence[int] | None = values["image_size"]
            return cls(
                K=np.array(values["K"], dtype=np.float64),
                distortion=np.array(values["distortion"], dtype=np.float64),
                R=np.array(values["R"], dtype=np.float64),
                t=np.array(values["t"], dtype=np.float64),
                image_size=None if size is None else (int(size[0]), int(size[1])),
                name=str(values["name"]),
                fisheye=bool(values["fisheye"]),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, CameraError):
                raise
            raise CameraError(f"the camera's record cannot be read ({error!r})") from error

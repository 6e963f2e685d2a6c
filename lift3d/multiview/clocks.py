"""When cameras started and how fast their clocks run, all on the first camera's clock.

``time = frame / fps * (1 + drift) + offset``. A camera with an offset of 0.5 s started half a second after the first
one: its frame 0 shows what the first camera shows 0.5 s into its clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lift3d.errors import Lift3DError


@dataclass(frozen=True)
class CameraClock:
    """One camera's clock beside the first camera's.

    Attributes:
        name: the camera's name.
        fps: its frames per second, by its own clock.
        offset: when its frame 0 was taken, seconds.
        offset_sigma: one standard deviation of the offset, seconds; 0 for the first camera, NaN if unknown.
        drift: how much longer its seconds are, in parts per million.
        drift_sigma: one standard deviation of the drift; 0 where none was sought.
        peak_ratio: how much better this offset fits than the next best one; 1 is a toss-up.
    """

    name: str
    fps: float
    offset: float = 0.0
    offset_sigma: float = 0.0
    drift: float = 0.0
    drift_sigma: float = 0.0
    peak_ratio: float = float("inf")

    def times(self, frames: np.ndarray) -> np.ndarray:
        """When frames were taken, seconds on the first camera's clock."""
        return np.asarray(np.asarray(frames) / self.fps * (1 + self.drift * 1e-6) + self.offset)

    def frames(self, times: np.ndarray) -> np.ndarray:
        """The frames, with fractions, that were taken at times of the first camera's clock."""
        return np.asarray((np.asarray(times) - self.offset) / (1 + self.drift * 1e-6) * self.fps)


@dataclass(frozen=True)
class Synchronisation:
    """The clocks of all cameras.

    Attributes:
        cameras: one a camera, in the order given.
        method: what they were found from.
        notes: what to be wary of, one sentence each.
    """

    cameras: tuple[CameraClock, ...]
    method: str
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(camera.name for camera in self.cameras)

    @property
    def offsets(self) -> np.ndarray:
        """(cameras,) seconds after the first camera."""
        return np.array([camera.offset for camera in self.cameras])

    @property
    def offset_sigmas(self) -> np.ndarray:
        """(cameras,) standard deviations of the offsets, seconds."""
        return np.array([camera.offset_sigma for camera in self.cameras])

    def __getitem__(self, name: str) -> CameraClock:
        """The clock of the camera of that name. Raises Lift3DError that lists the names."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise Lift3DError(f"camera {name!r} was not synchronised; these were: {', '.join(self.names)}")

    def to_dict(self) -> dict[str, Any]:
        """The clocks as JSON values, offsets in seconds and in frames of the first camera; None where unknown."""
        fps = self.cameras[0].fps
        cameras = {
            camera.name: {
                "fps": camera.fps,
                "offset_seconds": camera.offset,
                "offset_sigma_seconds": camera.offset_sigma,
                "offset_frames": camera.offset * fps,
                "offset_sigma_frames": camera.offset_sigma * fps,
                "drift_ppm": camera.drift,
                "drift_sigma_ppm": camera.drift_sigma,
                "peak_ratio": camera.peak_ratio,
            }
            for camera in self.cameras
        }
        return {
            "convention": "time = frame / fps * (1 + drift_ppm / 1e6) + offset_seconds, on the first camera's clock",
            "method": self.method,
            "cameras": {
                name: {key: value if np.isfinite(value) else None for key, value in values.items()}
                for name, values in cameras.items()
            },
            "notes": list(self.notes),
        }

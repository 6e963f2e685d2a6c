"""A rig: the calibrated cameras that see one scene, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Key that sorts the numbers within names by value: cam2 before cam10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part.lower()) for part in parts]


@dataclass(frozen=True, eq=False)
class Rig:
    """Calibrated cameras in one world space, in the natural order of their names.

    Attributes:
        cameras: the cameras; ``R, t`` map the same world (metres, Z up where the file says) to each.
        metadata: what a rig file says beside the cameras (JSON values): its format, error, left-out cameras.

    Raises:
        CameraError: no camera, two cameras of one name, or a principal point outside the camera's image.
    """

    cameras: tuple[Camera, ...]
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cameras = tuple(sorted(self.cameras, key=lambda camera: natural_key(camera.name)))
        object.__setattr__(self, "cameras", cameras)
        if not cameras:
            raise CameraError("a rig needs at least one camera")
        names = [camera.name for camera in cameras]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise CameraError(f"two cameras of the rig have the same name: {', '.join(twice)}")
        for camera in cameras:
            if camera.image_size is None:
                continue
            (width, height), (x, y) = camera.image_size, camera.K[:2, 2]
            if not (0 < x < width and 0 < y < height):
                raise CameraError(
                    f"camera {camera.name!r}: the principal point ({x:g}, {y:g}) lies outside its image of "
                    f"{width} x {height} pixels; are width and height swapped, or was the image scaled?"
                )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(camera.name for camera in self.cameras)

    def __len__(self) -> int:
        return len(self.cameras)

    def __iter__(self) -> Iterator[Camera]:
        return iter(self.cameras)

    def __getitem__(self, name: str) -> Camera:
        """The camera of that name. Raises CameraError that lists the rig's names."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise CameraError(f"the rig has no camera {name!r}; it has {', '.join(self.names)}")

    def save(self, path: str | PathLike[str], overwrite: bool = False, format: str | None = None) -> None:
        """Write a rig file; its name says the format where ``format`` does not, .toml keeps everything.

        Args:
            path: the file, see ``lift3d.io.rigs`` for the formats.
            overwrite: whether an existing file may be replaced.
            format: a key of ``lift3d.io.rigs.RIG_FORMATS``.

        Raises:
            UnknownFormatError: an unknown format or ending.
            CameraError: the format cannot hold a camera of the rig.
            OutputExistsError: the file exists and ``overwrite`` is False.
        """
        from lift3d.io.rigs import write_rig

        write_rig(self, path, format, overwrite)

"""lift3d: from 2D keypoints, of one camera or many, to 3D human motion.

The public names load their modules when they are first used, so that ``import lift3d`` itself is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lift3d.geometry.cameras import Camera
    from lift3d.geometry.rigs import Rig
    from lift3d.io.keypoint_writers import write_keypoints
    from lift3d.io.keypoints import read_keypoints
    from lift3d.io.poses3d import read_poses, write_poses
    from lift3d.io.rigs import read_rig
    from lift3d.lifting import lift
    from lift3d.multiview.triangulate import triangulate
    from lift3d.poses import Keypoints2D, Poses3D

    __version__: str

_MODULES = {
    "Camera": "lift3d.geometry.cameras",
    "Keypoints2D": "lift3d.poses",
    "Poses3D": "lift3d.poses",
    "Rig": "lift3d.geometry.rigs",
    "lift": "lift3d.lifting",
    "read_keypoints": "lift3d.io.keypoints",
    "read_poses": "lift3d.io.poses3d",
    "read_rig": "lift3d.io.rigs",
    "triangulate": "lift3d.multiview.triangulate",
    "write_keypoints": "lift3d.io.keypoint_writers",
    "write_poses": "lift3d.io.poses3d",
}

# Parts that are reached as ``lift3d.calibration.calibrate`` and so on, without an import of their own.
_PACKAGES = ("calibration", "datasets", "evaluation", "motion", "multiview", "viz")

__all__ = [
    "Camera",
    "Keypoints2D",
    "Poses3D",
    "Rig",
    "__version__",
    "lift",
    "read_keypoints",
    "read_poses",
    "read_rig",
    "triangulate",
    "write_keypoints",
    "write_poses",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("lift3d")
    if name in _PACKAGES:
        return import_module(f"lift3d.{name}")
    if name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lift3d' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Readers of the 2D files that people bring and writers of the 3D files that they take away, one module a format."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Resolved on first use: the command line imports this package at start-up.
_EXPORTS = {
    "read_keypoints": "lift3d.io.keypoints",
    "detect_format": "lift3d.io.keypoints",
    "Detection": "lift3d.io.recording",
    "write_keypoints": "lift3d.io.keypoint_writers",
    "summarize": "lift3d.io.summary",
    "read_poses": "lift3d.io.poses3d",
    "read_rig": "lift3d.io.rigs",
    "write_poses": "lift3d.io.poses3d",
}


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])

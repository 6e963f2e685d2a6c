"""Calibration of cameras: boards, intrinsics, extrinsics, bundle adjustment, and how far to trust the result.

The names load their modules when they are first used, so that importing one part does not load all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lift3d.calibration.board_files import read_board, write_board
    from lift3d.calibration.boards import Board, BoardError
    from lift3d.calibration.bundle_adjustment import adjust
    from lift3d.calibration.calibrating import CalibrationReport, calibrate
    from lift3d.calibration.footage import find_sources
    from lift3d.calibration.observations import Observations
    from lift3d.calibration.observing import observe
    from lift3d.calibration.people import refine_from_people
    from lift3d.calibration.printing import write_board_sheet
    from lift3d.calibration.quality import assess
    from lift3d.calibration.report import write_report
    from lift3d.calibration.scene_points import cameras_from_points, read_scene_points
    from lift3d.calibration.uncertainty import expected_error
    from lift3d.calibration.world import level_world, rig_in_world, world_from_board, world_from_points

_MODULES = {
    "Board": "boards",
    "BoardError": "boards",
    "CalibrationReport": "calibrating",
    "Observations": "observations",
    "adjust": "bundle_adjustment",
    "assess": "quality",
    "calibrate": "calibrating",
    "cameras_from_points": "scene_points",
    "expected_error": "uncertainty",
    "find_sources": "footage",
    "level_world": "world",
    "observe": "observing",
    "read_board": "board_files",
    "read_scene_points": "scene_points",
    "refine_from_people": "people",
    "rig_in_world": "world",
    "world_from_board": "world",
    "world_from_points": "world",
    "write_board": "board_files",
    "write_board_sheet": "printing",
    "write_report": "report",
}

__all__ = [
    "Board",
    "BoardError",
    "CalibrationReport",
    "Observations",
    "adjust",
    "assess",
    "calibrate",
    "cameras_from_points",
    "expected_error",
    "find_sources",
    "level_world",
    "observe",
    "read_board",
    "read_scene_points",
    "refine_from_people",
    "rig_in_world",
    "world_from_board",
    "world_from_points",
    "write_board",
    "write_board_sheet",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(import_module(f"lift3d.calibration.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lift3d.calibration' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

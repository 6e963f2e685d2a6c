"""Lifting networks, one folder each, found by name; and their checkpoints."""

from lift3d.models.checkpoint import (
    CheckpointInfo,
    checkpoint_info,
    list_checkpoints,
    load_checkpoint,
    require_layout,
    save_checkpoint,
)
from lift3d.models.videopose3d import convert_videopose3d

__all__ = [
    "CheckpointInfo",
    "checkpoint_info",
    "convert_videopose3d",
    "list_checkpoints",
    "load_checkpoint",
    "require_layout",
    "save_checkpoint",
]

"""The way that people came: lines through the last seconds that fade into the past."""

from __future__ import annotations

import numpy as np

from lift3d.skeletons import Skeleton
from lift3d.viz.clip_blocks import ClipBlocks
from lift3d.viz.drawing import Lines
from lift3d.viz.look import Look, shown_joints

SEGMENTS = 60
# Of a clip without a frame rate.
ASSUMED_FPS = 30.0
# How white the oldest piece is; it is drawn on white.
FADED = 0.85


class Trails:
    """Trails of one look.

    Args:
        skeleton: the people's joints.
        middle_colours: (people, 3) the colour of each person.
        joint_colours: (people * joints, 3) the colour of each joint.
        look: how many seconds, and of what.
        fps: the clip's frame rate.
    """

    def __init__(
        self, skeleton: Skeleton, middle_colours: np.ndarray, joint_colours: np.ndarray, look: Look, fps: float | None
    ) -> None:
        self.skeleton = skeleton
        people = len(middle_colours)
        shown = shown_joints(skeleton, look.hidden_parts)
        names = [name for name in look.trailing if name in skeleton.joints]
        self.joints = [j for j in map(skeleton.index, names) if shown[j]]
        self.with_root = "root" in look.trailing
        self.hidden = sorted(person for person in look.hidden_people if person < people)
        reach = max(1, round(look.trails * (fps or ASSUMED_FPS)))
        self.step = -(-reach // SEGMENTS)
        self.pieces = -(-reach // self.step)
        own = joint_colours.reshape(people, -1, 3)[:, self.joints]
        colours = np.concatenate([middle_colours[:, None], own], axis=1) if self.with_root else own
        age = np.arange(self.pieces, 0, -1, dtype=np.float32) / self.pieces  # of each piece, the oldest first
        white = FADED * age[:, None, None, None]
        self.colours = (colours * (1 - white) + white).reshape(-1, 3).astype(np.float32)

    def draw(self, frame: int, blocks: ClipBlocks) -> Lines:
        """The pieces, oldest first; NaN before the clip's start and where people are missing."""
        frames = frame - self.step * np.arange(self.pieces, -1, -1)
        before = frames < 0
        paths = blocks.paths(np.maximum(frames, 0), self.joints, self.with_root)
        paths[before] = np.nan
        paths[:, self.hidden] = np.nan
        segments = np.stack([paths[:-1], paths[1:]], axis=-2)
        return Lines(segments.reshape(-1, 2, 3), self.colours, 2.5)

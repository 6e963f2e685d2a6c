"""A clip read as it is looked at: blocks of frames in the drawings' space, the last few of them kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.poses import Poses3D
from lift3d.viz.scene import SAMPLED_FRAMES, root_path, upright

if TYPE_CHECKING:
    from lift3d.io.stored_poses import StoredPoses

    Clip = Poses3D | StoredPoses

BLOCK = 256
KEPT_BLOCKS = 6
# A clip of more than SAMPLED_FRAMES frames is known by so many runs of frames, evenly spread.
RUNS, RUN_LENGTH = 24, 20


@dataclass(frozen=True, eq=False)
class Block:
    """Frames of a clip: points (frames, people, joints, 3) in the drawings' space, and the poses as they are."""

    points: np.ndarray
    poses: Poses3D

    @cached_property
    def roots(self) -> np.ndarray:
        """(frames, people, 3) the middle of each body."""
        return root_path(self.points, self.poses.skeleton).astype(np.float32)


class ClipBlocks:
    """A clip's frames by number, through a small cache.

    Args:
        clip: the clip; only its ``select`` of a slice of frames is used.
    """

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self._kept: OrderedDict[int, Block] = OrderedDict()

    def block(self, number: int) -> Block:
        """Block ``number``: the frames from ``number * BLOCK``."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        block = self._read(number * BLOCK, (number + 1) * BLOCK)
        self._kept[number] = block
        if len(self._kept) > KEPT_BLOCKS:
            self._kept.popitem(last=False)
        return block

    def frame(self, frame: int) -> np.ndarray:
        """Points (people, joints, 3) of one frame."""
        points: np.ndarray = self.block(frame // BLOCK).points[frame % BLOCK]
        return points

    def paths(self, frames: np.ndarray, joints: list[int], with_root: bool) -> np.ndarray:
        """Places (n, people, 1 + joints, 3) of the root, if asked for, and of some joints, at frames (n,) in order."""
        parts = []
        for number in np.unique(frames // BLOCK):
            block = self.block(int(number))
            inside = frames[frames // BLOCK == number] % BLOCK
            part = block.points[inside[:, None], :, joints].swapaxes(1, 2)
            parts.append(np.concatenate([block.roots[inside][:, :, None], part], axis=2) if with_root else part)
        return np.concatenate(parts)

    def sample(self) -> tuple[list[slice], np.ndarray]:
        """Runs of frames that stand for the clip, and their points (n, people, joints, 3) in one row.

        Raises:
            Lift3DError: no joint is seen in the whole clip.
        """
        frames = self.clip.frames
        runs = [slice(0, frames)]
        if frames > SAMPLED_FRAMES:
            starts = np.linspace(0, frames - RUN_LENGTH, RUNS).astype(int)
            runs = [slice(int(start), int(start) + RUN_LENGTH) for start in starts]
        points = self.read(runs)
        if np.isfinite(points).any():
            return runs, points
        if frames > SAMPLED_FRAMES:
            for number in range(-(-frames // BLOCK)):
                points = self.block(number).points
                if np.isfinite(points).any():
                    return [slice(number * BLOCK, number * BLOCK + len(points))], points
        raise Lift3DError("there is nothing to draw: no joint of any person is seen in any frame of the clip")

    def read(self, runs: list[slice]) -> np.ndarray:
        """Points (n, people, joints, 3) of runs of frames, past the cache."""
        return np.concatenate([self._read(run.start, run.stop).points for run in runs])

    def _read(self, start: int, stop: int) -> Block:
        poses = self.clip.select(slice(int(start), int(min(stop, self.clip.frames))))
        return Block(np.ascontiguousarray(upright(poses.xyz, poses.space)), poses)

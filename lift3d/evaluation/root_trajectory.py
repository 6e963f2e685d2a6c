"""A root-trajectory network on the clips of a prepared set: how far the root is from its true place."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from lift3d.calibration.body_lengths import stature
from lift3d.datasets.pose_sets import Clip, PoseSet
from lift3d.errors import SkeletonError
from lift3d.evaluation.clip_lifting import ClipLifter
from lift3d.models.checkpoint import find_trajectory
from lift3d.skeletons import conversion


class RootTrajectory:
    """The network, and where the truth is.

    Args:
        path: its checkpoint.
        pose_set: the set.
        flip: average with the result of the mirrored clip, as VideoPose3D does with its trajectories too.
        scale: a key of ``lift3d.evaluation.rules.SCALES``; with "height" the place is scaled to the true stature if
            the network's is known, else it is in the network's own metres.
        found: whether it was found beside the lifter's checkpoint, for the report.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is that of a lifter of poses.
        SkeletonError: the set's 2D cannot give what the network reads, or its 3D has no such root.
    """

    def __init__(self, path: str | PathLike[str], pose_set: PoseSet, flip: bool, scale: str, found: bool) -> None:
        self.path, self.found, self.skeleton = str(path), found, pose_set.skeleton_3d
        self.lifter = ClipLifter(path, pose_set.skeleton_2d, flip, "root")
        self._height = self.lifter.info.height if scale == "height" else None
        try:
            self._to_root = conversion(self.skeleton, self.lifter.output)
        except SkeletonError as error:
            raise SkeletonError(
                f"{path} gives the {self.lifter.output.name}, which the set's 3D ({self.skeleton.name!r}) has not"
            ) from error

    def errors(self, clip: Clip) -> np.ndarray:
        """(frames,) distance of the root from its true place in camera space, metres; NaN where that is missing.

        Raises:
            SkeletonError: a joint that the network cannot do without is never seen.
            CameraError: the place is to be scaled, and the true stature is never known.
        """
        factor = 1.0 if self._height is None else stature(self.skeleton, clip.xyz) / self._height
        place = factor * self.lifter.lift(clip).joints[:, 0].astype(np.float64)
        truth = self._to_root.apply(clip.xyz.astype(np.float64))[:, 0]
        return np.asarray(np.linalg.norm(place - truth, axis=-1))

    def to_dict(self) -> dict[str, Any]:
        """What the report says of it."""
        scale = "scaled to the true stature" if self._height is not None else "in the network's own metres"
        card = self.lifter.info.card
        return {"path": self.path, "found_beside_checkpoint": self.found, "scale": scale, "card": card}


def choose_trajectory(
    given: str | PathLike[str] | None, checkpoint: str | PathLike[str], pose_set: PoseSet, flip: bool, scale: str
) -> RootTrajectory | None:
    """The root-trajectory network that is given, or the one beside the checkpoint, or None if there is neither."""
    path = find_trajectory(checkpoint) if given is None else given
    return None if path is None else RootTrajectory(path, pose_set, flip, scale, given is None)

"""Training batches of prepared data sets: windows that are read, varied and encoded, without a loop over samples."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.pose_sets import PoseSet
from lift3d.datasets.windows import POOL_BYTES, RawWindows, WindowReader
from lift3d.errors import ConfigurationError
from lift3d.geometry.camera_batch import CameraBatch
from lift3d.lifting.normalization import SIZE_WINDOW
from lift3d.training.augmentation import change_bodies, change_speed, frames_beyond, mirror
from lift3d.training.batches import Batch, BatchSource
from lift3d.training.configuration import Augmentation
from lift3d.training.hard_examples import RunningErrors, is_hard
from lift3d.training.keypoint_augmentation import damage_keypoints
from lift3d.training.set_encoding import Cut, ImageEncoding, PersonEncoding, SetEncoding
from lift3d.training.window_draws import WindowDraws, coin

# Standard deviation of the logarithm of assumed over true focal length, as of synthesised windows.
FOCAL_DEVIATION = 0.25


class SetBatches:
    """A prepared set as a source of training batches.

    With flips an epoch goes over the set twice and shows every window and its mirror image once, as VideoPose3D does.

    Args:
        pose_set: the set, or a selection of it; stays open as long as batches are made.
        batch: windows of a step, over all parts; the last step of a pass may have fewer.
        past, outputs, future: frames that the network wants before its outputs, poses a window, and frames after them.
        normalization: "image" or "person".
        augmentation: how windows are varied; None for as they are.
        keep_every: use every n-th frame of each recording.
        seed: two sources with the same seed give the same batches.
        labelled: False hides the poses: targets weigh nothing, and bodies are not changed.
        pool_bytes: memory for frames.

    Attributes:
        skeleton_in, skeleton_out: layouts of the network's input and output.
        fps: frames per second of the windows (the median of the recordings').
        running_errors: of hard example mining; None without it.

    Raises:
        SkeletonError, CameraError, FileFormatError: the set does not fit.
    """

    def __init__(
        self,
        pose_set: PoseSet,
        batch: int,
        past: int,
        outputs: int,
        future: int,
        normalization: Literal["image", "person"] = "image",
        augmentation: Augmentation | None = None,
        keep_every: int = 1,
        seed: int = 0,
        labelled: bool = True,
        pool_bytes: int = POOL_BYTES,
    ) -> None:
        self.augmentation = augmentation or Augmentation(flip=False)
        if not labelled:
            self.augmentation = replace(self.augmentation, **_BODIES_AS_THEY_ARE)
        self.size, self.seed, self.labelled = batch, seed, labelled
        self._skeletons = pose_set.skeleton_2d, pose_set.skeleton_3d
        person = normalization == "person"
        self.cut = Cut(past, outputs, future, SIZE_WINDOW if person else 0)
        self.encoding: SetEncoding = (PersonEncoding if person else ImageEncoding)(*self._skeletons, self.cut)
        self.skeleton_in, self.skeleton_out = self.encoding.skeleton_in, self.encoding.skeleton_out
        self.fps = float(np.median([entry.fps for entry in pose_set.recordings])) / keep_every
        beyond = frames_beyond(self.augmentation, self.cut.frames) + self.cut.beyond
        self.reader = WindowReader(
            pose_set, past + beyond, future + beyond, outputs, keep_every, seed=seed, pool_bytes=pool_bytes
        )
        self.running_errors = RunningErrors(self.reader.windows) if self.augmentation.hard_examples > 0 else None
        self.steps_per_epoch = self.reader.steps_per_epoch(batch) * (2 if self.augmentation.flip else 1)

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Part ``part`` of ``parts`` of the batch of a step.

        With hard examples it depends on what was observed before, too.
        """
        windows = self.reader.read(step, self.size, part, parts)
        draws = WindowDraws(self.seed, step, windows.first, len(windows.index))
        if self.running_errors is not None:
            windows = self._with_hard_examples(windows, self.running_errors, draws.uniform())
        if not self.labelled:
            windows = replace(windows, xyz=torch.full_like(windows.xyz, torch.nan))
        windows = change_speed(windows, self.cut.frames, self.augmentation, draws)
        windows = change_bodies(windows, *self._skeletons, self.augmentation, draws)
        if self.augmentation.flip:
            epoch, second = divmod(step // self.reader.steps_per_epoch(self.size), 2)
            mirrored = coin(windows.index, self.seed, epoch) ^ bool(second)
            windows = mirror(windows, mirrored, *self._skeletons)
        damaged = damage_keypoints(windows, self._skeletons[0], self.augmentation, self.fps, draws)
        focal = None
        if self.augmentation.unknown_camera > 0:
            unknown = draws.chance(self.augmentation.unknown_camera)
            focal = torch.where(unknown, (FOCAL_DEVIATION * draws.normal()).exp(), 1.0)
        return self.encoding.encode(damaged, windows, focal)

    @property
    def mines(self) -> bool:
        """Whether windows are drawn by their errors."""
        return self.running_errors is not None

    def observe(self, index: Tensor, errors: Tensor) -> None:
        """Take note of the errors (n,) of windows (n,), metres, of all parts of a step: for hard example mining."""
        if self.running_errors is not None:
            self.running_errors.observe(index, errors)

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on needs: the running errors of hard example mining."""
        return {} if self.running_errors is None else self.running_errors.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        if self.running_errors is not None:
            self.running_errors.load_state_dict(state)

    def _with_hard_examples(self, windows: RawWindows, errors: RunningErrors, chances: Tensor) -> RawWindows:
        """Windows of which some rows are replaced by hard examples."""
        rows = windows.first + torch.arange(len(windows.index))
        hard = is_hard(rows, self.augmentation.hard_examples)
        if not hard.any():
            return windows
        drawn = self.reader.read_windows(errors.draw(chances[hard]))

        def put(values: Any, others: Any) -> Any:
            if isinstance(values, CameraBatch):
                return CameraBatch(*(put(getattr(values, f.name), getattr(others, f.name)) for f in fields(values)))
            return values.clone().index_copy_(0, hard.nonzero()[:, 0], others) if isinstance(values, Tensor) else values

        return replace(
            windows, **{f.name: put(getattr(windows, f.name), getattr(drawn, f.name)) for f in fields(windows)}
        )


class MixedBatches:
    """Two sources in one: each batch is the batch of the first with that of the second behind it.

    Each source has the size of its share. An epoch is the first source's. The second's windows are numbered on behind
    the first's; what only one of the two knows (roots, keypoints, cameras) is left out.

    Args:
        first, second: sources of the same input and output.
        windows: how many windows the first numbers; those of the second count from there.
    """

    def __init__(self, first: BatchSource, second: BatchSource, windows: int) -> None:
        self.first, self.second, self.windows = first, second, windows
        self.steps_per_epoch = first.steps_per_epoch

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Part ``part`` of ``parts`` of the batch of a step: that part of both."""
        one, two = self.first.batch(step, part, parts), self.second.batch(step, part, parts)
        if one.inputs.shape[1:] != two.inputs.shape[1:] or one.target.shape[1:] != two.target.shape[1:]:
            raise ConfigurationError(
                f"data.synthetic: its windows {tuple(two.inputs.shape[1:])} do not fit those of the set, "
                f"{tuple(one.inputs.shape[1:])}; synthesised windows go with the normalization 'person'"
            )
        return Batch(
            torch.cat([one.inputs, two.inputs]),
            torch.cat([one.target, two.target]),
            torch.cat([one.weight, two.weight]),
            torch.cat([one.index, two.index + self.windows]),
        )

    @property
    def mines(self) -> bool:
        """Whether windows of the first source are drawn by their errors."""
        return isinstance(self.first, SetBatches) and self.first.mines

    def observe(self, index: Tensor, errors: Tensor) -> None:
        """Pass the errors on of the windows that are the first source's."""
        if isinstance(self.first, SetBatches):
            own = index < self.windows
            self.first.observe(index[own], errors[own])

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on needs."""
        return self.first.state_dict() if isinstance(self.first, SetBatches) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        if isinstance(self.first, SetBatches):
            self.first.load_state_dict(state)


# Ways to change bodies, which need to know where they are, turned off.
_BODIES_AS_THEY_ARE: dict[str, Any] = {
    "turn_vertical_degrees": 0.0, "turn_degrees": 0.0, "distance": (1.0, 1.0), "scale": (1.0, 1.0), "bone_lengths": 0.0,
}  # fmt: skip

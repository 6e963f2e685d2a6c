"""What a training step consumes, and who makes it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from lift3d.geometry.camera_batch import CameraBatch


@dataclass(frozen=True)
class Batch:
    """Windows of the network's input and what it should give.

    Attributes:
        inputs: (batch, outputs + past + future, joints_in, features_in) network input.
        target: (batch, outputs, joints_out, 3) root-relative joints, metres, in the axes that the network gives.
        weight: (batch, outputs, joints_out) weight of each joint in the losses; 0 where the target is missing, and the
            target is then 0, never NaN.
        index: (batch,) int64 which of the source's examples each window is.
        root: (batch, outputs, 3) the root in camera space, metres; None where the source knows no camera.
        keypoints: (batch, outputs, joints_out, 3) pixels x, y and confidence of the output's joints in the image, for
            reprojection; None where the source has none.
        camera: the cameras of ``keypoints``.
        to_camera: (batch, outputs, 3, 3) rotation from the network's axes to camera space; None for the identity.
    """

    inputs: Tensor
    target: Tensor
    weight: Tensor
    index: Tensor
    root: Tensor | None = None
    keypoints: Tensor | None = None
    camera: CameraBatch | None = None
    to_camera: Tensor | None = None

    def to(self, device: Any) -> Batch:
        """The batch on another device."""

        def moved(value: Any) -> Any:
            if isinstance(value, CameraBatch):
                return CameraBatch(*(getattr(value, f.name).to(device, non_blocking=True) for f in fields(value)))
            return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value

        return replace(self, **{f.name: moved(getattr(self, f.name)) for f in fields(self)})


class BatchSource(Protocol):
    """Where a run's batches come from.

    A batch depends on nothing but the source's seed, the step and the part: a run that is cut off goes on with the
    same batches, and the parts of all processes together are the batch that one process would get.
    """

    steps_per_epoch: int

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Part ``part`` of ``parts`` of the global batch of optimizer step ``step`` (0, 1, ... over all epochs)."""


@runtime_checkable
class ErrorListener(Protocol):
    """A source that may draw its windows by how well they are known (hard example mining)."""

    @property
    def mines(self) -> bool:
        """Whether it does: then its batches depend on the errors of earlier ones."""

    def observe(self, index: Tensor, errors: Tensor) -> None:
        """Take note of the errors (batch,) of windows (batch,), metres."""

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on needs."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""

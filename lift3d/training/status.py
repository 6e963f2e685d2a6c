"""How far a training run is, and that it was asked to stop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """How far a run is.

    Attributes:
        step, steps: optimizer steps done, and of the whole run.
        loss: of the last step.
        mpjpe: of the last step's windows, mm.
        poses_per_second: poses that were trained on.
        seconds_left: an estimate.
        validation: figures of the validation that has just been made, or None.
    """

    step: int
    steps: int
    loss: float
    mpjpe: float
    poses_per_second: float
    seconds_left: float
    validation: dict[str, float] | None = None


class Interrupted(KeyboardInterrupt):
    """Somebody asked the run to stop, and it was saved; ``step`` says where."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(f"saved at step {step}")

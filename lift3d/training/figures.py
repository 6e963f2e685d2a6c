"""The figures of training steps: collected without waiting for the device, checked, averaged."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lift3d.errors import Lift3DError


class StepFigures:
    """Sums of the figures of steps since the last row of the curves."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0
        self.latest: dict[str, float] = {}
        self._pending: list[tuple[int, dict[str, Tensor]]] = []

    def add(self, step: int, figures: dict[str, Tensor]) -> None:
        """Keep the figures of a step, on the device where they are."""
        self._pending.append((step, figures))

    def drain(self) -> None:
        """Fetch what was added.

        Raises:
            Lift3DError: a figure is not finite; it names the step.
        """
        for step, figures in self._pending:
            values = torch.stack([value.float() for value in figures.values()]).tolist()
            self.latest = dict(zip(figures, values, strict=True))
            if bad := [name for name, value in self.latest.items() if not math.isfinite(value)]:
                raise Lift3DError(
                    f"step {step}: {' and '.join(bad)} is not finite; the run stopped, and what was saved before is "
                    "kept. Lower optimizer.learning_rate, set optimizer.clip_norm, or take precision: float32"
                )
            for name, value in self.latest.items():
                self.sums[name] = self.sums.get(name, 0.0) + value
            self.count += 1
        self._pending.clear()

    def take_means(self) -> dict[str, float]:
        """The mean of each figure over the steps since the last call."""
        means = {name: value / self.count for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        return means

    def state_dict(self) -> dict[str, Any]:
        """The sums, for a run that goes on."""
        return {"sums": dict(self.sums), "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the sums of an earlier run."""
        self.sums, self.count = dict(state["sums"]), int(state["count"])

"""Hard example mining: some windows of a batch are drawn by how badly the network did on them.

With a share h of hard examples among n windows whose running errors are e, a row of a batch is window i with the
probability (1 - h) / n + h e_i / sum e. So a window twice as wrong as the mean is drawn 1 + h times as often, and none
is forgotten. The loss is not weighted back: the training set is meant to be this harder one.
"""

from __future__ import annotations

import torch
from torch import Tensor

# How much of a window's running error its latest error is.
LATEST = 0.5


class RunningErrors:
    """The running error of every window of a set, metres.

    Args:
        windows: how many there are.

    Attributes:
        errors: (windows,) float32, NaN for windows that were not trained on yet; they count as the mean of the others.
    """

    def __init__(self, windows: int) -> None:
        self.errors = torch.full((windows,), torch.nan)
        self._edges: Tensor | None = None

    def observe(self, index: Tensor, errors: Tensor) -> None:
        """Take note of the errors (n,) of windows (n,) int64; of a window that is there twice the mean."""
        windows, place = index.cpu().unique(return_inverse=True)
        latest = torch.zeros(len(windows)).index_add_(0, place, errors.detach().cpu().float())
        latest /= torch.bincount(place, minlength=len(windows))
        before = self.errors[windows]
        before = torch.where(before.isnan(), latest, before)
        self.errors[windows] = torch.lerp(before, latest, LATEST)
        self._edges = None

    def draw(self, chances: Tensor) -> Tensor:
        """Windows (n,) int64 in proportion to their running errors, by uniform numbers (n,) in [0, 1)."""
        if self._edges is None:
            mean = self.errors.nanmean()
            mean = torch.where(mean > 0, mean, 1.0)
            known = torch.where(self.errors.isnan(), mean, self.errors)
            # In double precision a million windows keep their shares.
            self._edges = known.double().cumsum(0)
        edges = self._edges
        drawn = torch.searchsorted(edges, chances.double() * edges[-1], right=True)
        return drawn.clamp_max(len(edges) - 1)

    def state_dict(self) -> dict[str, Tensor]:
        """What a run that goes on needs."""
        return {"errors": self.errors.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self.errors = state["errors"].clone()
        self._edges = None


def is_hard(row: Tensor, share: float) -> Tensor:
    """(n,) bool: which rows of a batch (n,) int64 are drawn by their error; spread evenly over it."""
    return ((row + 1) * share).floor() > (row * share).floor()

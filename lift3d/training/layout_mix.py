"""Conversions of joint layouts for batches of windows: every joint a sum of at most a few."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lift3d.skeletons import Conversion
from lift3d.training.compiled import over_windows
from lift3d.training.encoding_kernels import mix_keypoints, mix_points


class LayoutMix:
    """A conversion of layouts.

    Args:
        change: the conversion.
        guesses: whether joints guessed beyond the seen ones are wanted; ``lift3d.lifting.encoding`` leaves them out.
    """

    def __init__(self, change: Conversion, guesses: bool) -> None:
        guessed = (change.weights < 0).any(axis=1, keepdims=True)
        self._rows = sparse_rows(change.weights if guesses else np.where(guessed, 0.0, change.weights))
        self._same = change.source == change.target

    def points(self, points: Tensor) -> Tensor:
        """Points (..., joints, 3) in the other layout; NaN where a joint needed is missing, that is NaN."""
        if self._same:
            return points
        mixed = np.empty((*points.shape[:-2], len(self._rows[0]), 3), np.float32)
        flat = points.flatten(0, -3).numpy()
        over_windows(mix_points, len(flat), flat, *self._rows, mixed.reshape(len(flat), -1, 3))
        return torch.from_numpy(mixed)

    def keypoints(self, xy: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints in the other layout, 0 where a joint needed is missing.

        Args:
            xy, confidence: (batch, frames, joints, 2) and (batch, frames, joints), 0 where missing.

        Returns:
            (batch, joints out, 2, frames) and (batch, joints out, frames), the least confidence of the joints needed.
        """
        batch, frames = confidence.shape[:2]
        joints = len(self._rows[0])
        mixed = np.empty((batch, joints, 2, frames), np.float32), np.empty((batch, joints, frames), np.float32)
        over_windows(mix_keypoints, batch, xy.numpy(), confidence.numpy(), *self._rows, *mixed)
        return torch.from_numpy(mixed[0]), torch.from_numpy(mixed[1])


def sparse_rows(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns (rows, n) of a matrix's numbers that are not 0, first in each row, and these numbers (rows, n)."""
    used = weights != 0
    most = max(1, int(used.sum(axis=1).max()))
    index = np.argsort(~used, axis=1, kind="stable")[:, :most]
    return index, np.take_along_axis(weights, index, axis=1).astype(np.float32)

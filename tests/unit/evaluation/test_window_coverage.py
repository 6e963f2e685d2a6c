"""Errors in units of sigma on windows whose errors are drawn from a known distribution."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from lift3d.errors import CheckpointError, ShapeError
from lift3d.evaluation.window_coverage import count_window_errors, mirror_windows
from lift3d.models.checkpoint import CheckpointInfo
from lift3d.models.network import Lifted, Lifter
from lift3d.skeletons import H36M17
from lift3d.training.batches import Batch

SIGMA = 0.03
INFO = CheckpointInfo("temporal_convolution", {}, "h36m17", "h36m17", "person", 30.0)


class Windows:
    """Inputs hold x, y and confidence and a row of context; targets are symmetric people with normal errors."""

    steps_per_epoch = 10

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        generator = torch.Generator().manual_seed(step)
        target = torch.randn(32, 5, 17, 3, generator=generator) * SIGMA
        inputs = torch.zeros(32, 7, 18, 3)
        inputs[:, :, :-1, 2] = 0.9
        inputs[:8, :, H36M17.index("left_knee"), 2] = 0
        weight = torch.ones(32, 5, 17)
        weight[:, 0, H36M17.index("nose")] = 0
        return Batch(inputs, target * weight[..., None], weight, torch.arange(32) % 4)


class Zero(Lifter):
    """Always the middle, with the true sigma; on mirrored windows it says what it is told to."""

    def __init__(self, sigma: float = SIGMA, has_sigma: bool = True) -> None:
        super().__init__()
        self.config = SimpleNamespace(sigma=has_sigma, past=1, future=1)  # type: ignore[assignment]
        self.sigma = nn.Parameter(torch.tensor(sigma))
        self.inputs: list[Tensor] = []

    def forward(self, x: Tensor) -> Lifted:
        self.inputs.append(x)
        joints = torch.zeros(x.shape[0], x.shape[1] - 2, 17, 3)
        return Lifted(joints, self.sigma.expand_as(joints))


def test_counts_seen_joints_and_people() -> None:
    tally = count_window_errors(Zero(), INFO, Windows(), 40, people=["a", "b", "c", "a"])
    assert tally.folds == {"a": 0, "b": 1, "c": 2}
    total = tally.counts.sum(axis=-1)
    assert total[:, :, 0].sum() == 0  # the root
    assert total[:, :, H36M17.index("nose")].sum() == 40 * 32 * 4 * 3
    assert total[:, 0].sum() == total[:, 0, H36M17.index("left_knee")].sum() == 40 * 8 * 5 * 3
    assert total[0].sum() == pytest.approx(2 * total[1].sum())
    fit = tally.fit()
    assert fit.temperature == pytest.approx((1, 1, 1), rel=0.02)
    assert tally.cross_fitted_coverage().deviation < 0.5


def test_the_mirrored_windows_are_lifted_too() -> None:
    network = Zero()
    count_window_errors(network, INFO, Windows(), 1)
    straight, mirrored = network.inputs[0].chunk(2)
    left, right = H36M17.index("left_knee"), H36M17.index("right_knee")
    assert (straight[:8, :, left, 2] == 0).all()
    assert (mirrored[:8, :, right, 2] == 0).all()
    assert (mirrored[:8, :, left, 2] > 0).all()
    network = Zero()
    count_window_errors(network, INFO, Windows(), 1, flip=False)
    assert len(network.inputs[0]) == 32


def test_mirroring_twice_is_nothing_and_context_stays() -> None:
    inputs = torch.randn(2, 3, 18, 3)
    mirrored = mirror_windows(inputs, H36M17)
    torch.testing.assert_close(mirror_windows(mirrored, H36M17), inputs)
    torch.testing.assert_close(mirrored[:, :, 17], inputs[:, :, 17])
    left, right = H36M17.index("left_wrist"), H36M17.index("right_wrist")
    torch.testing.assert_close(mirrored[:, :, left], inputs[:, :, right] * torch.tensor([-1.0, 1, 1]))


def test_what_cannot_be_counted() -> None:
    with pytest.raises(CheckpointError, match="no sigma"):
        count_window_errors(Zero(has_sigma=False), INFO, Windows(), 1)
    with pytest.raises(ShapeError, match="one batch or more"):
        count_window_errors(Zero(), INFO, Windows(), 0)

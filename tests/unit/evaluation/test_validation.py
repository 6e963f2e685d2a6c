"""Validation figures of networks whose errors are known."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from lift3d.errors import ShapeError
from lift3d.evaluation.validation import make_validation
from lift3d.models.network import Lifted, Lifter
from lift3d.training.batches import Batch


@dataclass
class Windows:
    """Batches whose inputs are the truth itself; joint 3 is missing in the even windows."""

    steps_per_epoch: int = 4
    asked: int = 0

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        self.asked += 1
        target = torch.randn(6, 5, 4, 3, generator=torch.Generator().manual_seed(step)) * 0.3
        target = target - target[:, :, :1]
        weight = torch.ones(6, 5, 4)
        weight[::2, :, 3] = 0
        return Batch(inputs=target, target=target * weight[..., None], weight=weight, index=torch.arange(6))


class Known(Lifter):
    """The truth, scaled and moved at one joint, with a sigma."""

    def __init__(self, scale: float = 1.0, offset: Tensor | None = None, sigma: float | None = None) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.offset = offset if offset is not None else torch.zeros(4, 3)
        self.sigma = sigma
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Lifted:
        self.modes.append(self.training)
        joints = x * self.scale + self.offset
        return Lifted(joints, None if self.sigma is None else torch.full_like(joints, self.sigma))


def test_a_joint_that_is_off_and_one_that_does_not_count() -> None:
    offset = torch.zeros(4, 3)
    offset[1, 0] = 0.07
    offset[3] = 5.0  # metres: wherever joint 3 counted it would show
    figures = make_validation(Windows(), 3)(Known(offset=offset))
    # Odd windows have four joints that count, even ones three.
    odd, even = [0, 70, 0, 5000 * 3**0.5], [0, 70, 0]
    assert figures["mpjpe"] == pytest.approx(sum(odd + even) / 7, rel=1e-5)
    assert figures["pck_3d"] == pytest.approx(100 * 6 / 7)


def test_scale_is_seen_by_mpjpe_alone() -> None:
    figures = make_validation(Windows(), 2)(Known(scale=1.2))
    assert figures["mpjpe"] > 20
    assert figures["n_mpjpe"] == pytest.approx(0, abs=1e-3)
    assert figures["p_mpjpe"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("error", "within_one", "within_two"), [(0.05, 100, 100), (0.15, 0, 100), (0.25, 0, 0)])
def test_coverage_counts_coordinates_within_sigma(error: float, within_one: float, within_two: float) -> None:
    figures = make_validation(Windows(), 1)(Known(offset=torch.full((4, 3), error), sigma=0.1))
    assert (figures["coverage_68"], figures["coverage_95"]) == (within_one, within_two)
    assert figures["sigma"] == pytest.approx(100)


def test_without_sigma_nothing_is_said_of_it() -> None:
    assert set(make_validation(Windows(), 1)(Known())) == {"mpjpe", "p_mpjpe", "n_mpjpe", "pck_3d"}


def test_the_network_keeps_its_mode_and_the_batches_are_the_same() -> None:
    network, source = Known(scale=1.1), Windows()
    network.train()
    validate = make_validation(source, 3)
    assert validate(network) == validate(network)
    assert network.training
    assert not any(network.modes)
    assert source.asked == 6


def test_no_batches_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least one batch"):
        make_validation(Windows(), 0)

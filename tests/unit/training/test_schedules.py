"""Learning rate, momentum of batch norms and averaged weights against their formulas."""

import math

import pytest
import torch
from tiny_runs import make_training

from lift3d.training.configuration import OptimizerConfig
from lift3d.training.ema import WeightAverage
from lift3d.training.schedules import learning_rate, norm_momentum


def test_exponential_rate_falls_once_an_epoch() -> None:
    config = OptimizerConfig(learning_rate=2e-3, schedule="exponential", decay=0.95)
    rates = [learning_rate(config, step, 100, 7) for step in range(21)]
    assert rates[:7] == [2e-3] * 7
    assert rates[7:14] == [pytest.approx(2e-3 * 0.95)] * 7
    assert rates[20] == pytest.approx(2e-3 * 0.95**2)


def test_cosine_rate_goes_from_the_peak_to_a_hundredth() -> None:
    config = OptimizerConfig(learning_rate=1e-3)
    assert learning_rate(config, 0, 1000, 10) == pytest.approx(1e-3)
    assert learning_rate(config, 500, 1000, 10) == pytest.approx(1e-3 * 1.01 / 2)
    assert learning_rate(config, 999, 1000, 10) == pytest.approx(1e-5, rel=0.01)
    quarter = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi / 4))
    assert learning_rate(config, 250, 1000, 10) == pytest.approx(1e-3 * quarter)


@pytest.mark.parametrize("schedule", ["exponential", "cosine"])
def test_warm_up_is_a_ramp_on_top(schedule: str) -> None:
    plain = OptimizerConfig(schedule=schedule)  # type: ignore[arg-type]
    warm = OptimizerConfig(schedule=schedule, warmup_steps=4)  # type: ignore[arg-type]
    for step, share in ((0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0), (50, 1.0)):
        assert learning_rate(warm, step, 100, 10) == pytest.approx(share * learning_rate(plain, step, 100, 10))


def test_norm_momentum_decays_by_the_same_factor_every_step() -> None:
    config = OptimizerConfig(norm_momentum=(0.1, 0.001))
    momenta = torch.tensor([norm_momentum(config, step, 50) for step in range(51)], dtype=torch.float64)
    assert float(momenta[0]) == pytest.approx(0.1)
    assert float(momenta[50]) == pytest.approx(0.001)
    torch.testing.assert_close(momenta[1:] / momenta[:-1], torch.full((50,), 0.01 ** (1 / 50), dtype=torch.float64))


def test_averaged_weights_and_statistics_follow_the_formula() -> None:
    network = make_training().network
    average = WeightAverage(network, decay=0.5)
    expected = {name: value.clone().double() for name, value in network.state_dict().items()}
    for updates in range(12):
        with torch.no_grad():
            for value in network.state_dict().values():
                value.add_(torch.randn(value.shape) if value.is_floating_point() else 1)
        average.update(network, updates)
        d = min(0.5, (1 + updates) / (10 + updates))
        for name, value in network.state_dict().items():
            moving = value.is_floating_point()
            expected[name] = d * expected[name] + (1 - d) * value.double() if moving else value.double()
    for name, value in average.network.state_dict().items():
        torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-5, msg=name)
    assert any(name.endswith("running_mean") for name in expected)
    assert not average.network.training

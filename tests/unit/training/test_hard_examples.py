"""Hard example mining: shares, states, and what it does to the windows that are hard."""

import pytest
import torch
from torch import Tensor

from lift3d.training.hard_examples import RunningErrors, is_hard
from lift3d.training.window_draws import WindowDraws


def test_windows_are_drawn_in_proportion_to_their_errors() -> None:
    errors = RunningErrors(4)
    errors.observe(torch.tensor([0, 1, 2]), torch.tensor([0.1, 0.3, 0.0]))
    # Window 3 was never seen: it counts as the mean of the others.
    drawn = errors.draw(torch.arange(100_000) / 100_000)
    shares = torch.bincount(drawn, minlength=4) / 100_000
    mean = 0.4 / 3
    expected = torch.tensor([0.1, 0.3, 0.0, mean]) / (0.4 + mean)
    torch.testing.assert_close(shares, expected, atol=2e-5, rtol=0)


def test_nothing_seen_means_evenly() -> None:
    drawn = RunningErrors(5).draw(torch.arange(1000) / 1000)
    assert torch.bincount(drawn).tolist() == [200] * 5


def test_errors_run_and_repeats_count_with_their_mean() -> None:
    errors = RunningErrors(3)
    errors.observe(torch.tensor([1, 1]), torch.tensor([0.2, 0.4]))
    assert errors.errors[1].item() == pytest.approx(0.3)
    errors.observe(torch.tensor([1, 0]), torch.tensor([0.1, 0.5]))
    assert errors.errors[:2].tolist() == pytest.approx([0.5, 0.2])
    assert errors.errors[2].isnan()
    other = RunningErrors(3)
    other.load_state_dict(errors.state_dict())
    errors.observe(torch.tensor([2]), torch.tensor([9.0]))
    assert other.errors[2].isnan()


def test_rows_are_spread_evenly_over_the_parts() -> None:
    for share in (0.0, 0.1, 0.25, 0.5, 1.0):
        hard = is_hard(torch.arange(1000), share)
        assert int(hard.sum()) == pytest.approx(1000 * share, abs=1)
        for part in hard.split(100):
            assert int(part.sum()) == pytest.approx(100 * share, abs=1)


def regression(share: float, steps: int = 120, windows: int = 400, batch: int = 20) -> tuple[float, float]:
    """Share of rows from the hard tenth, and its mean error after training.

    Each window is a linear function of its own: the hard tenth's lies far off and along directions of its own, so
    it is learnt by seeing it.
    """
    generator = torch.Generator().manual_seed(0)
    hard = torch.arange(windows) % 10 == 0
    inputs = torch.randn(windows, 20, generator=generator)
    inputs[hard, :10], inputs[~hard, 10:] = 0, 0
    truth = (inputs @ torch.randn(20, generator=generator)) * torch.where(hard, 3.0, 0.3)
    weights = torch.zeros(20, requires_grad=True)
    optimizer = torch.optim.SGD([weights], 0.02)
    running, seen = RunningErrors(windows), 0
    for step in range(steps):
        order = torch.randperm(windows, generator=torch.Generator().manual_seed(step * batch // windows))
        first = step * batch % windows
        index: Tensor = order[first : first + batch].clone()
        chosen = is_hard(torch.arange(batch), share)
        index[chosen] = running.draw(WindowDraws(0, step, 0, batch).uniform()[chosen])
        seen += int(hard[index].sum())
        error = (inputs[index] @ weights - truth[index]).square()
        optimizer.zero_grad()
        error.mean().backward()
        optimizer.step()
        running.observe(index, error.detach().sqrt())
    left = (inputs @ weights - truth).abs()[hard].mean()
    return seen / (steps * batch), left.item()


def test_hard_windows_come_more_often_and_are_learnt_sooner() -> None:
    even, mined = regression(0.0), regression(0.5)
    assert even[0] == pytest.approx(0.1, abs=0.01)
    assert mined[0] > 2 * even[0]
    assert mined[1] < 0.6 * even[1]

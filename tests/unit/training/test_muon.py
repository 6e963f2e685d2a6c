"""Muon: what it does to singular values, whom it leaves to AdamW, and a state that goes on."""

import torch
from torch import nn

from lift3d.training.muon import MOMENTUM, Muon, hidden_matrices, orthogonalize


def test_singular_values_become_one_and_vectors_stay() -> None:
    torch.manual_seed(0)
    for shape in ((40, 24), (24, 40), (3, 16, 48)):
        matrix = torch.randn(shape)
        u, _, v = torch.linalg.svd(matrix, full_matrices=False)
        found = orthogonalize(matrix)
        values = torch.linalg.svdvals(found)
        assert values.min() > 0.5
        assert values.max() < 1.3
        # The nearest orthogonal matrix has the same singular vectors.
        nearest = u @ v
        cosine = (found * nearest).sum() / (found.norm() * nearest.norm())
        assert cosine > 0.97


def make_network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, 32), nn.Conv1d(32, 32, 3), nn.BatchNorm1d(32), nn.Linear(32, 32), nn.Linear(32, 2)
    )


def test_hidden_matrices_are_neither_first_nor_last_nor_vectors() -> None:
    network = make_network()
    assert [id(p) for p in hidden_matrices(network)] == [id(network[1].weight), id(network[3].weight)]


def test_one_step_by_hand() -> None:
    network = make_network()
    adam = make_network()
    rate, decay = 0.01, 0.1
    optimizer, other = (
        Muon([network], rate, decay, False),
        torch.optim.AdamW(adam.parameters(), rate, weight_decay=decay),
    )
    torch.manual_seed(2)
    for ours, theirs in zip(network.parameters(), adam.parameters(), strict=True):
        ours.grad = torch.randn_like(ours)
        theirs.grad = ours.grad.clone()
    gradient, before = network[1].weight.grad.clone(), network[1].weight.detach().clone()
    optimizer.step()
    other.step()
    # The first step of a momentum that starts at 0, looked ahead: only the scale differs from the gradient.
    update = orthogonalize((gradient * (1 - MOMENTUM**2)).flatten(1)).view_as(before)
    expected = before * (1 - rate * decay) - rate * 0.2 * 96**0.5 * update
    torch.testing.assert_close(network[1].weight.detach(), expected)
    for index in (0, 2, 4):
        for ours, theirs in zip(network[index].parameters(), adam[index].parameters(), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_state_goes_through_a_dictionary() -> None:
    def run(interrupted: bool) -> torch.Tensor:
        network = make_network()
        optimizer = Muon([network], 0.01, 0.0, False)
        for step in range(6):
            if interrupted and step == 3:
                state = optimizer.state_dict()
                optimizer = Muon([network], 0.01, 0.0, False)
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            torch.manual_seed(step)
            x = torch.randn(16, 32, 6)
            y = network[3](network[2](network[1](network[0](x).mT)).mT)
            (network[4](y) - x[:, 1:-1, :2]).square().mean().backward()
            optimizer.step()
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    torch.testing.assert_close(run(True), run(False), rtol=0, atol=0)

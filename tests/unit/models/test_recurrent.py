"""The recurrent lifter against the equations of its cells, and what it may look at."""

from typing import Any

import numpy as np
import pytest
import torch
from test_networks import example, make


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def cell(kind: str, weights: dict[str, np.ndarray], x: np.ndarray, h: np.ndarray, c: np.ndarray) -> Any:
    """One step of an LSTM or a GRU; PyTorch's order of gates."""
    left = weights["weight_ih"] @ x + weights["bias_ih"]
    right = weights["weight_hh"] @ h + weights["bias_hh"]
    if kind == "lstm":
        i, f, g, o = np.split(left + right, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (r, z, n), (r2, z2, n2) = np.split(left, 3), np.split(right, 3)
    z = sigmoid(z + z2)
    return (1 - z) * np.tanh(n + sigmoid(r + r2) * n2) + z * h, c


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrence_is_the_cells_equations(kind: str, both_ways: bool) -> None:
    network = make("lstm", cell=kind, both_ways=both_ways)
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
    x = example(network, outputs=5, batch=1)
    with torch.no_grad():
        joints = network(x).joints[0].numpy()

    def norm(row: np.ndarray, name: str) -> np.ndarray:
        row = (row - row.mean()) / np.sqrt(row.var() + 1e-5)
        return row * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    frames = x[0].double().numpy().reshape(5, -1)
    rows = [np.maximum(norm(weights["embed.weight"] @ f + weights["embed.bias"], "embed_norm"), 0) for f in frames]
    for layer in range(2):
        directions = []
        for suffix in ("", "_reverse")[: 1 + both_ways]:
            own = {n: weights[f"layers.{n}_l{layer}{suffix}"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
            h, c, states = np.zeros(16), np.zeros(16), []
            for row in rows[:: -1 if suffix else 1]:
                h, c = cell(kind, own, row, h, c)
                states.append(h)
            directions.append(states[:: -1 if suffix else 1])
        rows = [np.concatenate(states) for states in zip(*directions, strict=True)]
    expected = [weights["head.weight"] @ norm(row, "norm") + weights["head.bias"] for row in rows]
    np.testing.assert_allclose(joints, np.reshape(expected, (5, 17, 3)), atol=1e-6)


@pytest.mark.parametrize("family", ["lstm", "gru_both_ways"])
def test_one_way_does_not_look_ahead(family: str) -> None:
    network = make(family)
    x = example(network, outputs=12)
    changed = x.clone()
    changed[:, 8:] += 1
    with torch.no_grad():
        before, after = network(x).joints[:, :8], network(changed).joints[:, :8]
    if family == "lstm":
        torch.testing.assert_close(before, after, atol=0, rtol=0)
    else:
        assert (before - after).abs().amax(dim=(0, 2, 3)).min() > 0

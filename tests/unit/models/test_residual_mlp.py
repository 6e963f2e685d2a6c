"""The residual perceptron against the paper's formulas in plain loops."""

import numpy as np
import torch
from test_networks import example, make

from lift3d.models.factory import make_network
from lift3d.models.residual_mlp.modeling import ResidualMLP


def naive(network: ResidualMLP, x: np.ndarray) -> np.ndarray:
    """One frame's numbers (joints * features,) after section 3.2 of Martinez et al."""
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}

    def layer(row: np.ndarray, name: str) -> np.ndarray:
        row = weights[f"{name}.linear.weight"] @ row
        deviation = np.sqrt(weights[f"{name}.norm.running_var"] + 1e-5)
        row = (row - weights[f"{name}.norm.running_mean"]) / deviation
        return np.maximum(row * weights[f"{name}.norm.weight"] + weights[f"{name}.norm.bias"], 0)

    row = layer(x, "expand")
    for block in range(network.config.blocks):
        row = row + layer(layer(row, f"blocks.{block}.0"), f"blocks.{block}.1")
    return weights["shrink.weight"] @ row + weights["shrink.bias"]


def test_each_frame_is_the_papers_formula_of_that_frame() -> None:
    network = make("residual_mlp")
    assert isinstance(network, ResidualMLP)
    x = example(network, outputs=3)
    with torch.no_grad():
        joints = network(x).joints.numpy()
    for clip in range(2):
        for frame in range(3):
            expected = naive(network, x[clip, frame].double().numpy().ravel()).reshape(17, 3)
            np.testing.assert_allclose(joints[clip, frame], expected, atol=1e-6)


def test_the_published_network_has_the_published_size() -> None:
    network = make_network("residual_mlp", {})
    # 4 to 5 million, as the paper says.
    assert 4e6 < sum(parameter.numel() for parameter in network.parameters()) < 5e6

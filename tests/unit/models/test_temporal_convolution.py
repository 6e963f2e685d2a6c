"""The network against the formulas of the paper, written out naively, and its forms against each other."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import CheckpointError
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.inference import FoldedTemporalConvolution
from lift3d.models.temporal_convolution.modeling import TemporalConvolution


def make(seed: int = 0, **settings: object) -> TemporalConvolution:
    """A network whose batch norms have statistics as after training."""
    torch.manual_seed(seed)
    network = TemporalConvolution(TemporalConvolutionConfig(**settings)).eval()  # type: ignore[arg-type]
    for norm in network.norms():
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        torch.nn.init.normal_(norm.weight, 1, 0.2)
        torch.nn.init.normal_(norm.bias)
    return network


def naive(network: TemporalConvolution, x: np.ndarray) -> np.ndarray:
    """One sequence (frames, joints, features) in plain loops, after section 3 of Pavllo et al."""
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
    config = network.config

    def norm(values: np.ndarray, name: str) -> np.ndarray:
        deviation = np.sqrt(weights[f"{name}.running_var"] + 1e-5)
        return (values - weights[f"{name}.running_mean"]) / deviation * weights[f"{name}.weight"] + weights[
            f"{name}.bias"
        ]

    def convolve(rows: list[np.ndarray], name: str, dilation: int) -> list[np.ndarray]:
        kernel = weights[f"{name}.weight"]
        span = (kernel.shape[2] - 1) * dilation
        return [
            sum(kernel[:, :, tap] @ rows[frame + tap * dilation] for tap in range(kernel.shape[2]))
            for frame in range(len(rows) - span)
        ]

    rows = [frame.reshape(-1).astype(np.float64) for frame in x]
    rows = [np.maximum(norm(row, "expand_norm"), 0) for row in convolve(rows, "expand", 1)]
    dilation = config.filter_widths[0]
    for block, width in enumerate(config.filter_widths[1:]):
        inner = convolve(rows, f"blocks.{block}.temporal", dilation)
        inner = [np.maximum(norm(row, f"blocks.{block}.temporal_norm"), 0) for row in inner]
        inner = convolve(inner, f"blocks.{block}.pointwise", 1)
        inner = [np.maximum(norm(row, f"blocks.{block}.pointwise_norm"), 0) for row in inner]
        centre = (width - 1) * dilation if config.causal else (width - 1) * dilation // 2
        rows = [rows[frame + centre] + row for frame, row in enumerate(inner)]
        dilation *= width
    final = weights["shrink.weight"][:, :, 0]
    return np.stack([(final @ row + weights["shrink.bias"]).reshape(-1, 3) for row in rows])


def test_published_network_has_the_published_size() -> None:
    config = TemporalConvolutionConfig()
    network = TemporalConvolution(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == 16_952_371
    assert config.receptive_field == 243
    # 17 M multiply-adds a frame when the work of neighbouring frames is shared.
    assert round(config.multiply_adds / 1e6) == 17


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", [(3, 3, 3), (1, 5), (3,), (7, 1, 3)])
def test_network_follows_the_formulas(widths: tuple[int, ...], causal: bool) -> None:
    network = make(joints_in=5, features_in=2, joints_out=4, filter_widths=widths, channels=12, causal=causal)
    x = torch.randn(1, network.config.receptive_field + 6, 5, 2)
    with torch.no_grad():
        expected = naive(network, x[0].numpy())
        np.testing.assert_allclose(network(x)[0].numpy(), expected, atol=1e-5)
        np.testing.assert_allclose(FoldedTemporalConvolution(network)(x)[0].numpy(), expected, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=4),
    causal=st.booleans(),
    outputs=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_strided_form_equals_every_rth_dense_output(widths: list[int], causal: bool, outputs: int, seed: int) -> None:
    network = make(seed, joints_in=3, joints_out=2, filter_widths=tuple(widths), channels=8, causal=causal)
    field = network.config.receptive_field
    x = torch.randn(2, field * outputs, 3, 2)
    with torch.no_grad():
        torch.testing.assert_close(network(x, strided=True), network(x)[:, ::field], atol=1e-5, rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(frames=st.integers(0, 200), block=st.integers(1, 70), causal=st.booleans())
def test_folded_form_does_not_depend_on_its_blocks(frames: int, block: int, causal: bool) -> None:
    network = make(joints_in=4, joints_out=3, filter_widths=(3, 3), channels=16, causal=causal)
    folded = FoldedTemporalConvolution(network)
    folded.outputs_per_block = block
    x = torch.randn(2, network.config.receptive_field + frames, 4, 2)
    with torch.no_grad():
        torch.testing.assert_close(folded(x), network(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_an_output_sees_its_receptive_field_and_nothing_else(causal: bool) -> None:
    network = make(joints_in=2, joints_out=2, filter_widths=(3, 3), channels=32, causal=causal)
    config = network.config
    x = torch.randn(1, 41, 2, 2, requires_grad=True)
    frame = 10
    network(x)[0, frame - config.past].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum((1, 2)).nonzero().flatten().tolist()
    assert seen == list(range(frame - config.past, frame + config.future + 1))
    assert config.future == (0 if causal else 4)


def test_momentum_reaches_every_norm() -> None:
    network = make(filter_widths=(3, 3), channels=8)
    network.set_norm_momentum(0.02)
    assert [norm.momentum for norm in network.norms()] == [0.02] * 3


@pytest.mark.parametrize("wrong", [{"filter_widths": (2,)}, {"filter_widths": ()}, {"channels": 0}, {"dropout": 1.0}])
def test_impossible_configurations_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        TemporalConvolutionConfig(**wrong)  # type: ignore[arg-type]

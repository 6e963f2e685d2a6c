"""The network against the formulas of the paper, written out naively, and its forms against each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from lift3d.errors import CheckpointError
from lift3d.models.heads import FIRST_SIGMA
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


def counted_multiply_adds(network: TemporalConvolution, frames: int, strided: bool | None) -> int:
    """Of one window, as PyTorch counts them."""
    config = network.config
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, frames, config.joints_in, config.features_in, device="meta"), strided)
    return int(counter.get_total_flops()) // 2


def test_one_output_costs_a_fifteenth_in_its_strided_form() -> None:
    """The published network: 2,609 M multiply-adds for one output, or 176 M; None finds the cheap one by itself."""
    with torch.device("meta"):
        network = TemporalConvolution(TemporalConvolutionConfig()).eval()
    counted = {form: counted_multiply_adds(network, 243, form) for form in (False, True, None)}
    assert round(counted[False] / 1e6) == 2609
    assert round(counted[True] / 1e6) == 176
    assert counted[None] == counted[True]
    # More outputs share their work, which only the dense form can.
    assert counted_multiply_adds(network, 244, None) == counted_multiply_adds(network, 244, False)


@pytest.mark.parametrize("sigma", [False, True])
def test_configuration_counts_what_the_network_does(sigma: bool) -> None:
    with torch.device("meta"):
        network = TemporalConvolution(TemporalConvolutionConfig(filter_widths=(3, 5, 1), channels=64, sigma=sigma))
    network.eval()
    # Blocks see fewer frames from layer to layer; a frame more costs a frame of each.
    counted = counted_multiply_adds(network, 51, False) - counted_multiply_adds(network, 50, False)
    assert counted == network.config.multiply_adds


def test_one_window_takes_the_strided_form_and_gives_the_dense_numbers() -> None:
    network = make(joints_in=5, joints_out=4, filter_widths=(3, 3, 3), channels=12, sigma=True)
    x = torch.randn(6, 27, 5, 2)
    with torch.no_grad():
        chosen, dense = network(x), network(x, strided=False)
    torch.testing.assert_close(tuple(chosen), tuple(dense), atol=1e-6, rtol=1e-6)


def test_sigma_head_leaves_the_joints_as_they_are() -> None:
    """Of each joint the last layer gives x, y, z, then three raw sigmas; raw 0 is a sigma of 0.1 m."""
    network = make(joints_in=5, joints_out=4, filter_widths=(3, 3), channels=12, sigma=True)
    plain = TemporalConvolution(replace(network.config, sigma=False)).eval()
    weights = network.state_dict()
    for name in ("shrink.weight", "shrink.bias"):
        weights[name] = weights[name].unflatten(0, (4, 6))[:, :3].flatten(0, 1)
    plain.load_state_dict(weights)
    x = torch.randn(2, 20, 5, 2)
    with torch.no_grad():
        joints, sigma = network(x)
        assert plain(x).sigma is None
        torch.testing.assert_close(plain(x).joints, joints)
        assert sigma is not None
        assert sigma.shape == joints.shape == (2, 12, 4, 3)
        torch.nn.init.zeros_(network.shrink.weight)
        torch.testing.assert_close(network(x).sigma, torch.full((2, 12, 4, 3), FIRST_SIGMA))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", [(3, 3, 3), (1, 5), (3,), (7, 1, 3)])
def test_network_follows_the_formulas(widths: tuple[int, ...], causal: bool) -> None:
    network = make(joints_in=5, features_in=2, joints_out=4, filter_widths=widths, channels=12, causal=causal)
    x = torch.randn(1, network.config.receptive_field + 6, 5, 2)
    with torch.no_grad():
        expected = naive(network, x[0].numpy())
        np.testing.assert_allclose(network(x).joints[0].numpy(), expected, atol=1e-5)
        np.testing.assert_allclose(FoldedTemporalConvolution(network)(x).joints[0].numpy(), expected, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=4),
    causal=st.booleans(),
    outputs=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_strided_form_equals_every_rth_dense_output(widths: list[int], causal: bool, outputs: int, seed: int) -> None:
    network = make(seed, joints_in=3, joints_out=2, filter_widths=tuple(widths), channels=8, causal=causal, sigma=True)
    field = network.config.receptive_field
    x = torch.randn(2, field * outputs, 3, 2)
    with torch.no_grad():
        strided, dense = network(x, strided=True), network(x, strided=False)
    for some, every in zip(strided, dense, strict=True):
        torch.testing.assert_close(some, every[:, ::field], atol=1e-5, rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(frames=st.integers(0, 200), block=st.integers(1, 70), causal=st.booleans())
def test_folded_form_does_not_depend_on_its_blocks(frames: int, block: int, causal: bool) -> None:
    network = make(joints_in=4, joints_out=3, filter_widths=(3, 3), channels=16, causal=causal, sigma=True)
    folded = FoldedTemporalConvolution(network)
    folded.outputs_per_block = block
    x = torch.randn(2, network.config.receptive_field + frames, 4, 2)
    with torch.no_grad():
        torch.testing.assert_close(tuple(folded(x)), tuple(network(x)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_an_output_sees_its_receptive_field_and_nothing_else(causal: bool) -> None:
    network = make(joints_in=2, joints_out=2, filter_widths=(3, 3), channels=32, causal=causal)
    config = network.config
    x = torch.randn(1, 41, 2, 2, requires_grad=True)
    frame = 10
    network(x).joints[0, frame - config.past].sum().backward()
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

"""The mirror-equivariant lifter: its symmetry, and that it is the temporal convolution with tied weights."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from lift3d.errors import CheckpointError
from lift3d.models.inference import make_predictor
from lift3d.models.mirror_convolution.configuration import MirrorConvolutionConfig
from lift3d.models.mirror_convolution.inference import FoldedMirrorConvolution
from lift3d.models.mirror_convolution.modeling import MirrorConvolution, MirrorLinear
from lift3d.models.network import Lifted
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution
from lift3d.skeletons import COCO17, H36M17, LIFTER23, Skeleton

LAYOUTS: dict[str, tuple[Skeleton, dict[str, Any]]] = {
    "h36m17": (H36M17, {"joints_in": 17, "features_in": 2, "skeleton": "h36m17"}),
    "coco17": (COCO17, {"joints_in": 17, "features_in": 3, "skeleton": "coco17"}),
    "lifter23 with context": (LIFTER23, {"joints_in": 24, "features_in": 3, "skeleton": "lifter23"}),
}


def make(seed: int = 0, **fields: Any) -> MirrorConvolution:
    """A small network whose norms have statistics as after training."""
    torch.manual_seed(seed)
    network = MirrorConvolution(
        MirrorConvolutionConfig(**{"channels": 8, "filter_widths": (3, 3, 3), "dropout": 0.0, **fields})
    ).eval()
    for norm in network.norms():
        torch.nn.init.normal_(norm.weight, 1, 0.2)
        torch.nn.init.normal_(norm.bias, 0, 0.2)
        norm.running_mean.normal_(std=0.1)
        norm.running_var.uniform_(0.5, 2)
    torch.nn.init.normal_(network.shrink.weight, std=0.3)
    torch.nn.init.normal_(network.shrink.bias, std=0.3)
    return network


def mirrored_input(x: Tensor, skeleton: Skeleton) -> Tensor:
    """Joint by joint: the other side's, x the other way; a context row as it is."""
    result = x.clone()
    for joint, other in enumerate(skeleton.mirror_order):
        result[:, :, joint] = x[:, :, other]
        result[:, :, joint, 0] = -x[:, :, other, 0]
    return result


def mirrored_output(lifted: Lifted) -> tuple[Tensor, Tensor]:
    assert lifted.sigma is not None
    joints, sigma = torch.empty_like(lifted.joints), torch.empty_like(lifted.sigma)
    for joint, other in enumerate(H36M17.mirror_order):
        joints[:, :, joint] = lifted.joints[:, :, other] * torch.tensor([-1.0, 1.0, 1.0])
        sigma[:, :, joint] = lifted.sigma[:, :, other]
    return joints, sigma


def tied(network: MirrorConvolution) -> TemporalConvolution:
    """The temporal convolution of twice the channels whose weights are those of both sides."""
    config = network.config
    plain = TemporalConvolution(
        TemporalConvolutionConfig(
            config.joints_in, config.features_in, config.joints_out, config.filter_widths, 2 * config.channels,
            dropout=0.0, causal=config.causal, sigma=config.sigma,
        )
    )  # fmt: skip

    def both_sides(linear: MirrorLinear) -> Tensor:
        own, other = linear.even.weight + linear.odd.weight, linear.even.weight - linear.odd.weight
        return torch.cat([torch.cat([own, other], 1), torch.cat([other, own], 1)])

    weights: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        if "norm" in name:
            weights[name] = value if value.ndim == 0 else value.repeat(2)
    expand, shrink, bias = network.expand.weight, network.shrink.weight, network.shrink.bias
    assert bias is not None
    # Of the mirrored input each number is another one, or its negative: so are the weights that take it.
    into = torch.zeros(expand.shape[1], expand.shape[1])
    into[torch.arange(len(into)), network.mirror_in] = network.sign_in
    out = torch.zeros(shrink.shape[0], shrink.shape[0])
    out[torch.arange(len(out)), network.mirror_out] = network.sign_out
    weights["expand.weight"] = torch.cat([expand, torch.einsum("cit,ij->cjt", expand, into)])
    weights["shrink.weight"] = torch.cat([shrink[..., 0], out @ shrink[..., 0]], 1)[..., None] / 2
    weights["shrink.bias"] = (bias + out @ bias) / 2
    for number, block in enumerate(network.blocks):
        for layer in ("temporal", "pointwise"):
            weights[f"blocks.{number}.{layer}.weight"] = both_sides(getattr(block, layer))
    plain.load_state_dict(weights)
    return plain.eval()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("train", [False, True])
def test_the_mirrored_person_has_the_mirrored_pose(layout: str, train: bool) -> None:
    skeleton, fields = LAYOUTS[layout]
    network = make(**fields, sigma=True).train(train)
    x = torch.randn(3, 33, fields["joints_in"], fields["features_in"])
    with torch.no_grad():
        expected = mirrored_output(network(x))
        found = network(mirrored_input(x, skeleton))
    torch.testing.assert_close(tuple(found), expected, atol=1e-5, rtol=1e-5)
    # It does tell the two apart.
    assert (found.joints - network(x).joints).abs().max() > 0.1


@settings(max_examples=15, deadline=None)
@given(
    widths=st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=4),
    causal=st.booleans(),
    layout=st.sampled_from(sorted(LAYOUTS)),
    seed=st.integers(0, 1000),
)
def test_it_is_the_temporal_convolution_with_tied_weights(
    widths: list[int], causal: bool, layout: str, seed: int
) -> None:
    fields = LAYOUTS[layout][1]
    network = make(seed, **fields, filter_widths=tuple(widths), causal=causal, sigma=True)
    field = network.config.receptive_field
    x = torch.randn(2, 2 * field, fields["joints_in"], fields["features_in"])
    with torch.no_grad():
        expected = tied(network)(x, strided=False)
        for found in (network(x, strided=False), FoldedMirrorConvolution(network)(x)):
            torch.testing.assert_close(tuple(found), tuple(expected), atol=2e-5, rtol=1e-4)
        strided = network(x, strided=True)
        torch.testing.assert_close(strided.joints, expected.joints[:, ::field], atol=2e-5, rtol=1e-4)


@settings(max_examples=10, deadline=None)
@given(frames=st.integers(0, 200), block=st.integers(1, 70))
def test_folded_form_does_not_depend_on_its_blocks(frames: int, block: int) -> None:
    network = make(filter_widths=(3, 3), sigma=True)
    folded = FoldedMirrorConvolution(network)
    folded.outputs_per_block = block
    x = torch.randn(2, network.config.receptive_field + frames, 17, 2)
    with torch.no_grad():
        torch.testing.assert_close(tuple(folded(x)), tuple(network(x)), atol=1e-5, rtol=1e-4)


def test_it_costs_half_the_multiply_adds_of_the_untied_network() -> None:
    fields = {"joints_in": 17, "filter_widths": (3, 5, 1)}
    with torch.device("meta"):
        network = MirrorConvolution(MirrorConvolutionConfig(**fields, channels=64, sigma=True)).eval()

    def counted(frames: int) -> int:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.empty(1, frames, 17, 2, device="meta"), strided=False)
        return int(counter.get_total_flops()) // 2

    assert counted(51) - counted(50) == network.config.multiply_adds
    untied = TemporalConvolutionConfig(**fields, channels=128, sigma=True).multiply_adds
    ends = 128 * (17 * 2 * 3 + 17 * 6)
    assert network.config.multiply_adds - ends == (untied - ends) / 2


def test_its_predictor_says_that_one_pass_is_enough() -> None:
    assert make_predictor(make()).mirror_equivariant
    assert not make_predictor(TemporalConvolution(TemporalConvolutionConfig(channels=4)).eval()).mirror_equivariant


@pytest.mark.parametrize("wrong", [{"skeleton": "nobody"}, {"joints_in": 16}, {"joints_out": 3}, {"channels": 0}])
def test_impossible_configurations_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        MirrorConvolutionConfig(**wrong)  # type: ignore[arg-type]

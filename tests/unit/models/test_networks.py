"""What every family of lifters must keep to: shapes, sigma, context, cost, determinism, and that it learns."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lift3d.models.factory import ARCHITECTURES, make_network, settings_for
from lift3d.models.heads import FIRST_SIGMA, LARGEST_SIGMA, SMALLEST_SIGMA, split_sigma
from lift3d.models.network import Lifter

TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "temporal_convolution": ("temporal_convolution", {"channels": 16, "filter_widths": (3, 3)}),
    "mirror_convolution": ("mirror_convolution", {"channels": 12, "filter_widths": (3, 3)}),
    "mirror_convolution_causal": ("mirror_convolution", {"channels": 12, "filter_widths": (3, 3), "causal": True}),
    "graph_convolution": ("graph_convolution", {"channels": 8, "filter_widths": (3, 3)}),
    "graph_convolution_causal": ("graph_convolution", {"channels": 8, "filter_widths": (3, 5), "causal": True}),
    "graph_transformer": (
        "graph_transformer",
        {"channels": 16, "heads": 2, "layers": 2, "representation": 32, "frames": 9, "layer_scale": 0.3},
    ),
    "lstm": ("recurrent", {"channels": 16, "frames": 9}),
    "gru_both_ways": ("recurrent", {"channels": 16, "frames": 9, "cell": "gru", "both_ways": True}),
    "residual_mlp": ("residual_mlp", {"channels": 16}),
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "h36m17": {"joints_in": 17, "features_in": 2, "skeleton": "h36m17"},
    "lifter23 with context": {"joints_in": 24, "features_in": 3, "skeleton": "lifter23"},
    "coco17": {"joints_in": 17, "features_in": 3, "skeleton": "coco17"},
}


def make(family: str, layout: str = "h36m17", **settings: Any) -> Lifter:
    """A tiny network of the family, batch norms with statistics as after training."""
    torch.manual_seed(0)
    architecture, tiny = TINY[family]
    data = settings_for(architecture, tiny | settings, skeleton_out="h36m17", joints_out=17, **LAYOUTS[layout])
    network = make_network(architecture, data).eval()
    for norm in network.norms():
        norm.running_mean.normal_(std=0.1)
        norm.running_var.uniform_(0.5, 2)
    return network


def example(network: Lifter, outputs: int = 9, batch: int = 2) -> Tensor:
    config = network.config
    generator = torch.Generator().manual_seed(1)
    frames = outputs + config.past + config.future
    return torch.randn(batch, frames, config.joints_in, config.features_in, generator=generator)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are only slowed down by more, the most where other work runs beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_architecture_is_tried() -> None:
    assert {architecture for architecture, _ in TINY.values()} == set(ARCHITECTURES)


@pytest.mark.parametrize(("family", "layout"), list(itertools.product(TINY, LAYOUTS)))
def test_shapes_and_first_output(family: str, layout: str) -> None:
    for sigma in (False, True):
        network = make(family, layout, sigma=sigma)
        lifted = network(example(network))
        assert lifted.joints.shape == (2, 9, 17, 3)
        assert lifted.joints.abs().mean() < 0.1, "the first poses are near the root"
        if sigma:
            assert lifted.sigma.shape == lifted.joints.shape
            assert (lifted.sigma / FIRST_SIGMA).log().abs().mean() < 0.25
        else:
            assert lifted.sigma is None


@pytest.mark.parametrize(("family", "layout"), list(itertools.product(TINY, LAYOUTS)))
def test_root_alone(family: str, layout: str) -> None:
    network = make(family, layout, joints_out=1)
    assert network(example(network)).joints.shape == (2, 9, 1, 3)
    assert network.config.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_sigma_keeps_to_its_limits_and_rises_with_the_raw_number() -> None:
    raw = torch.zeros(1, 7, 1, 6, dtype=torch.float64)
    raw[0, :, 0, 3:] = torch.tensor([-1e9, -30.0, -1.0, 0.0, 1.0, 30.0, 1e9])[:, None]
    raw.requires_grad_()
    sigma = split_sigma(raw).sigma
    assert sigma is not None
    values = sigma[0, :, 0, 0]
    assert values.diff().ge(0).all()
    assert values[2:5].diff().gt(0).all()
    torch.testing.assert_close(values[[0, 3, 6]].detach(), torch.tensor([SMALLEST_SIGMA, 0.1, LARGEST_SIGMA]).double())
    sigma.sum().backward()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
@pytest.mark.parametrize("layout", ["h36m17", "lifter23 with context"])
@pytest.mark.parametrize("family", TINY)
def test_multiply_adds_are_those_that_torch_counts(family: str, layout: str) -> None:
    network = make(family, layout, sigma=True)
    config = network.config

    def count(outputs: int) -> int:
        # Only plain kernels are counted: fused attention and recurrent layers are not known to the counter.
        with (
            torch.no_grad(),
            torch.backends.mkldnn.flags(enabled=False),
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            network(example(network, outputs, batch=1))
        return counter.get_total_flops() // 2

    if config.window is None:
        # Over a long clip the frames before the first output cost nothing a frame.
        assert config.multiply_adds == count(21) - count(20)
    else:
        assert config.multiply_adds * config.window == count(config.window)


@pytest.mark.parametrize("family", [family for family in TINY if TINY[family][0] != "graph_transformer"])
def test_an_output_sees_its_context_and_no_more(family: str) -> None:
    network = make(family)
    config = network.config
    x = example(network, 7, batch=1).requires_grad_()
    network(x).joints[0, 3].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(dim=(1, 2)).nonzero().flatten()
    past, future = config.past, config.future
    if TINY[family][0] == "recurrent":
        past, future = 3, 3 if family == "gru_both_ways" else 0
        first = 3
    else:
        first = 3 + config.past
    assert seen.tolist() == list(range(first - past, first + future + 1))


@pytest.mark.parametrize("family", TINY)
def test_examples_do_not_touch_each_other_in_evaluation(family: str) -> None:
    network = make(family, sigma=True)
    x = example(network, batch=3)
    with torch.no_grad():
        together, again = network(x), network(x)
        alone = network(x[1:2])
    assert torch.equal(together.joints, again.joints)
    torch.testing.assert_close(together.joints[1:2], alone.joints)
    torch.testing.assert_close(together.sigma[1:2], alone.sigma)


@pytest.mark.parametrize("layout", ["h36m17", "lifter23 with context"])
@pytest.mark.parametrize("family", TINY)
def test_every_weight_takes_part(family: str, layout: str) -> None:
    network = make(family, layout, sigma=True).double().train()
    network.set_norm_momentum(0.5)
    lifted = network(example(network, batch=4).double())
    assert lifted.sigma is not None
    (lifted.joints.square().sum() + lifted.sigma.log().square().sum()).backward()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not idle
    assert {norm.momentum for norm in network.norms()} <= {0.5}


@pytest.mark.parametrize("family", TINY)
def test_a_few_windows_are_learned_by_heart(family: str) -> None:
    network = make(family, dropout=0.0).train()
    x = example(network, outputs=4, batch=4)
    generator = torch.Generator().manual_seed(2)
    # Poses that differ from window to window and stay the same within: what every family can tell.
    target = (0.3 * torch.randn(4, 1, 17, 3, generator=generator)).expand(4, 4, 17, 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    losses = []
    for _ in range(60):
        loss = (network(x).joints - target).norm(dim=-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(0.46, abs=0.05)
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize("sigma", [False, True])
@pytest.mark.parametrize(("family", "layout"), list(itertools.product(TINY, LAYOUTS)))
def test_parameters_are_counted_before_there_are_any(family: str, layout: str, sigma: bool) -> None:
    network = make(family, layout, sigma=sigma)
    assert network.config.parameters == sum(parameter.numel() for parameter in network.parameters())

"""Networks at work on stretches of a clip: where it is cut changes nothing, and overlaps are averaged rightly."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lift3d.models import inference
from lift3d.models.factory import ARCHITECTURES, make_network
from lift3d.models.inference import make_predictor
from lift3d.models.network import Lifted, Lifter

SMALL = {
    "temporal_convolution": [
        {"filter_widths": [3, 3], "channels": 12},
        {"filter_widths": [3, 3], "channels": 8, "causal": True},
    ],
    "mirror_convolution": [
        {"filter_widths": [3, 3], "channels": 6},
        {"filter_widths": [3, 3], "channels": 4, "causal": True},
    ],
    "graph_convolution": [{"filter_widths": [3, 3], "channels": 4}],
    "graph_transformer": [{"layers": 2, "channels": 8, "heads": 2, "representation": 8, "frames": 9}],
    "recurrent": [{"channels": 8, "frames": 8, "both_ways": True}, {"channels": 8, "frames": 9, "cell": "gru"}],
    "residual_mlp": [{"channels": 16, "blocks": 1}],
}  # fmt: skip
EACH = [(name, settings) for name, each in SMALL.items() for settings in each]


def make(architecture: str, sigma: bool = True, **settings: object) -> Lifter:
    """A small network whose output depends visibly on its input."""
    torch.manual_seed(0)
    network = make_network(architecture, {"features_in": 2, "sigma": sigma, **settings})
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.4)
    return network.eval()


def padded(clip: Tensor, past: int, future: int) -> Tensor:
    """The clip with its ends repeated."""
    return torch.cat([clip[:, :1].expand(-1, past, -1, -1), clip, clip[:, -1:].expand(-1, future, -1, -1)], dim=1)


def in_pieces(network: Lifter, clip: Tensor, cuts: list[int], known: bool) -> Lifted:
    """The clip lifted from cut to cut."""
    predictor = make_predictor(network)
    around = padded(clip, predictor.past, predictor.future)
    frames = clip.shape[1]
    edges = sorted({0, frames, *(cut for cut in cuts if cut < frames)})
    parts = [
        predictor(around[:, a : b + predictor.past + predictor.future], a, frames if known else None)
        for a, b in pairwise(edges)
    ]
    joints, sigma = zip(*parts, strict=True)
    return Lifted(torch.cat(joints, dim=1), torch.cat(sigma, dim=1))


def test_every_architecture_is_tested() -> None:
    assert set(SMALL) == set(ARCHITECTURES)


@pytest.mark.parametrize(("architecture", "options"), EACH)
@settings(max_examples=12, deadline=None)
@given(frames=st.integers(1, 45), cuts=st.lists(st.integers(1, 44), max_size=5), known=st.booleans())
def test_cuts_change_nothing(
    architecture: str, options: dict[str, object], frames: int, cuts: list[int], known: bool
) -> None:
    network = make(architecture, **options)
    clip = torch.randn(2, frames, 17, 2)
    whole, pieces = in_pieces(network, clip, [], known), in_pieces(network, clip, cuts, known)
    assert whole.joints.shape == (2, frames, 17, 3)
    assert float(whole.joints.std()) > 0.01
    torch.testing.assert_close(tuple(pieces), tuple(whole), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("architecture", "options"), EACH)
def test_people_of_a_batch_are_alone(architecture: str, options: dict[str, object]) -> None:
    network = make(architecture, **options)
    clips = torch.randn(3, 30, 17, 2)
    together = in_pieces(network, clips, [], True)
    alone = in_pieces(network, clips[1:2], [], True)
    torch.testing.assert_close(tuple(alone), tuple(value[1:2] for value in together if value is not None))


@pytest.mark.parametrize(("architecture", "options"), EACH)
def test_no_gradients_no_dropout_no_sigma_unless_asked(architecture: str, options: dict[str, object]) -> None:
    network = make(architecture, sigma=False, **options, dropout=0.5).train()
    predictor = make_predictor(network)
    inputs = torch.randn(1, 20 + predictor.past + predictor.future, 17, 2, requires_grad=True)
    first, second = predictor(inputs), predictor(inputs)
    assert not first.joints.requires_grad
    assert first.sigma is None
    assert torch.equal(first.joints, second.joints)


class Echo(Lifter):
    """Knows in which window it is by the window's first frame, and where in it: x says which, sigma how far in."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.config = type(
            "Config", (), {"past": 0, "future": 0, "window": window, "joints_in": 1, "features_in": 1, "joints_out": 1}
        )()
        self.calls: list[int] = []

    def forward(self, x: Tensor) -> Lifted:
        self.calls.append(len(x))
        joints = x[:, :1].expand(-1, x.shape[1], -1, 3).clone()
        sigma = torch.arange(1.0, x.shape[1] + 1)[:, None, None].expand(len(x), -1, 1, 3)
        return Lifted(joints, sigma)


def frame_numbers(frames: int, window: int) -> Tensor:
    """A clip in which each frame says its number; the ends repeated."""
    return padded(torch.arange(float(frames))[None, :, None, None], window - 1, window - 1)


def test_overlapping_windows_by_hand() -> None:
    """Windows of 4 frames from every second frame on, weights 1 2 2 1."""
    joints, sigma = make_predictor(Echo(4))(frame_numbers(8, 4), 0, 8)
    # Frames 0 and 1 are in window 0 alone, 6 and 7 in window 4 alone; others in two.
    expected = [0, 0, (2 * 0 + 1 * 2) / 3, (1 * 0 + 2 * 2) / 3, (2 * 2 + 1 * 4) / 3, (1 * 2 + 2 * 4) / 3, 4, 4]
    torch.testing.assert_close(joints[0, :, 0, 0], torch.tensor(expected, dtype=torch.float32))
    assert sigma is not None
    # At frame 2: third of window 0 with weight 2, first of window 2 with weight 1.
    assert float(sigma[0, 2, 0, 0]) == pytest.approx(((2 * 9 + 1 * 1) / 3) ** 0.5)


def test_windows_stay_within_a_clip_of_known_length() -> None:
    """The last window moves back to end with the clip; in a shorter clip there is one."""
    joints = make_predictor(Echo(4))(frame_numbers(9, 4), 0, 9).joints[0, :, 0, 0]
    # Window 4 ends at frame 7; window 5, the last possible one, holds frame 8 alone.
    assert (float(joints[0]), float(joints[8])) == (0, 5)
    assert (make_predictor(Echo(4))(frame_numbers(3, 4), 0, 3).joints == 0).all()
    unknown = make_predictor(Echo(4))(frame_numbers(9, 4), 0).joints[0, :, 0, 0]
    # Windows 6 and 8 both hold frame 8.
    assert float(unknown[8]) == pytest.approx((2 * 6 + 1 * 8) / 3)


def test_a_long_clip_is_given_to_the_network_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make_predictor(Echo(4))(frame_numbers(60, 4), 0, 60)
    monkeypatch.setattr(inference, "FRAMES_AT_ONCE", 20)
    network = Echo(4)
    grouped = make_predictor(network)(frame_numbers(60, 4), 0, 60)
    assert max(network.calls) == 5
    torch.testing.assert_close(tuple(grouped), tuple(whole))


def test_causal_recurrence_needs_no_later_frame() -> None:
    network = make("recurrent", channels=8, frames=8)
    predictor = make_predictor(network)
    assert predictor.future == 0
    clip = torch.randn(1, 30, 17, 2)
    changed = clip.clone()
    changed[:, 20:] += 1
    before, after = in_pieces(network, clip, [], True), in_pieces(network, changed, [], True)
    assert torch.equal(before.joints[:, :20], after.joints[:, :20])
    assert not torch.allclose(before.joints[:, 20], after.joints[:, 20])
    # Within the first window it is the network itself.
    torch.testing.assert_close(before.joints[:, :4], network(clip[:, :8]).joints[:, :4].detach())

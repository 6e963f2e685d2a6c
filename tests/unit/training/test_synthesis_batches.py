"""Batches of synthesised windows: the same whoever makes them, encoded as in use, alike however long they are."""

import numpy as np
import pytest
import torch
from synthesis_bank import make_bank

from lift3d.errors import ShapeError
from lift3d.lifting.normalization import encode, find_body
from lift3d.skeletons import H36M17, LIFTER23
from lift3d.training.bodies import BodySampler, BodyVariation
from lift3d.training.body_rig import VECTORS
from lift3d.training.configuration import SynthesisData
from lift3d.training.detector_noise import DetectorNoise, detect
from lift3d.training.draws import Draws, knots
from lift3d.training.synthesis import SHARDS, SynthesisBatches
from lift3d.training.window_encoding import encode_windows


def make_source(batch: int = 16, seed: int = 3) -> SynthesisBatches:
    return SynthesisBatches(make_bank(), SynthesisData(), batch, outputs=8, past=13, future=5, seed=seed)


@pytest.mark.parametrize("batch", [16, 13])
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_all_processes_are_the_batch_of_one(batch: int, parts: int) -> None:
    source = make_source(batch)
    whole = source.batch(7)
    shared = [source.batch(7, part, parts) for part in range(parts)]
    assert whole.inputs.shape == (batch, 26, 24, 3)
    assert whole.target.shape == (batch, 8, 17, 3)
    assert whole.weight.shape == (batch, 8, 17)
    for name in ("inputs", "target", "weight", "index"):
        joined = torch.cat([getattr(part, name) for part in shared])
        assert torch.equal(joined, getattr(whole, name))


def test_batch_does_not_depend_on_the_number_of_threads() -> None:
    source, threads = make_source(13), torch.get_num_threads()
    batches = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            batches.append(source.batch(2))
    finally:
        torch.set_num_threads(threads)
    for name in ("inputs", "target", "weight", "index"):
        assert torch.equal(*(getattr(batch, name) for batch in batches))


def test_batch_is_a_function_of_seed_and_step() -> None:
    first, again = make_source().batch(5), make_source().batch(5)
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.target, again.target)
    for other in (make_source().batch(6), make_source(seed=4).batch(5)):
        assert not torch.equal(first.inputs, other.inputs)


def test_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ShapeError, match=f"{SHARDS} shards.*3 processes"):
        make_source().batch(0, 0, 3)


def test_unseen_joints_weigh_less() -> None:
    batch = make_source(256).batch(0)
    wrist = batch.inputs[:, 13:21, LIFTER23.index("left_wrist"), 2]
    weight = batch.weight[:, :, H36M17.index("left_wrist")]
    assert 0.02 < float((wrist == 0).float().mean()) < 0.5
    torch.testing.assert_close(weight, torch.where(wrist > 0, 1.0, 0.3))


def test_windows_are_encoded_as_clips_are() -> None:
    """The fast path for training gives what ``find_body`` and ``encode`` give in use, missing frames too."""
    generator = torch.Generator().manual_seed(0)
    plane = 0.3 * torch.randn(12, 23, 2, 70, generator=generator) + torch.randn(12, 1, 2, 1, generator=generator)
    confidence = torch.rand(12, 23, 70, generator=generator)
    confidence = torch.where(torch.rand(12, 23, 1, generator=generator) < 0.3, 0.0, confidence)
    confidence[2, :, 20:31] = 0
    confidence[3, :, :18] = 0
    confidence[4] = 0
    known = torch.arange(12) % 2 == 0
    inside, outputs = slice(15, 55), slice(20, 40)
    inputs, rotation = encode_windows(plane, confidence, known, inside, outputs)
    clips = plane.permute(0, 3, 1, 2), confidence.transpose(1, 2)
    view = find_body(*clips)
    torch.testing.assert_close(inputs, encode(*clips, view, known)[:, inside], atol=2e-4, rtol=2e-4)
    torch.testing.assert_close(rotation, view.rotation[:, outputs], atol=1e-5, rtol=0)


def test_detections_err_alike_in_short_and_long_windows() -> None:
    """Per frame, whatever happens now and then happens as often, at the start of a window as later."""
    noise = DetectorNoise(
        jitter=0, drift=0, outliers_per_second=0.3, gaps_per_second=0.3, losses_per_second=0.3, swaps_per_second=0.3,
        silent_probability=1,
    )  # fmt: skip
    shares = []
    for frames in (40, 320):
        windows = 100_000 // frames
        plane = torch.zeros(windows, 23, 2, frames)
        plane[:, LIFTER23.index("left_knee")] = 100.0
        found, confidence = detect(plane, torch.ones(windows, frames), noise, 30.0, Draws([(1,)], [windows]))
        nose = confidence[:, LIFTER23.index("nose")]
        swapped = found[:, LIFTER23.index("right_knee"), 0] > 50
        rows = torch.stack([nose == 0, swapped, found[:, LIFTER23.index("nose"), 0] != 0]).float()
        shares.append(torch.stack([rows.mean((1, 2)), rows[..., :10].mean((1, 2))]))
    short, long = shares
    torch.testing.assert_close(short, long, atol=0.03, rtol=0)
    # Rate times the mean length of a run: of swaps 1 to 12 frames.
    assert float(long[0, 1]) == pytest.approx(0.3 * 6.5 / 30, abs=0.02)
    assert float(long[0, 2]) == pytest.approx(0.3 * 3.5 / 30, abs=0.01)


def test_clips_of_any_length_fill_a_window() -> None:
    """Short clips are played there and back, and a clip of one frame stands still."""
    for frames in (1, 2, 30):
        bank = make_bank(clips=2, frames=frames)
        for mirrored in (0.1, 0.9):
            numbers = np.array([[0.99, 0.5, k / 7, mirrored] for k in range(7)], np.float32)
            windows, _, _ = BodySampler(bank, BodyVariation(), 30.0).record(numbers, 300)
            assert np.isfinite(windows).all()
            steps = np.abs(np.diff(windows[:, -1, 0])) * 30
            # The bank's people walk along x at 1 m/s.
            assert steps.max() < 2.5
            assert (steps.max() > 0.5) == (frames > 1)


def test_knots_interpolate_between_numbers_a_fixed_time_apart() -> None:
    weights = knots(100, 8.7, torch.tensor([0.0, 0.25, 0.99]))
    torch.testing.assert_close(weights.sum(1), torch.ones(3, 100))
    place = torch.arange(100) / 8.7 + 0.25
    ramp = (torch.arange(weights.shape[1]).float() @ weights[1]).float()
    torch.testing.assert_close(ramp, place, atol=1e-4, rtol=0)


def test_mirror_images_mixed_and_turned_bodies_keep_left_and_right_apart() -> None:
    """A person's left, his front and up are a right-handed frame in every window."""
    variation = BodyVariation(mix_probability=0.7, lying_probability=0.3)
    view = np.eye(3, dtype=np.float32)[None].repeat(200, 0)
    posed = BodySampler(make_bank(), variation, 30.0).sample(30, view, Draws([(0,)], [200]))
    vector = dict(zip(VECTORS, torch.from_numpy(posed.vectors).unbind(1), strict=True))
    for lateral, up, forward in (("hips", "hips_up", "hips_forward"), ("chest_lateral", "head_up", "head_forward")):
        frame = torch.stack([vector[lateral], vector[forward], vector[up]], dim=1).permute(0, 3, 1, 2)
        torch.testing.assert_close(frame @ frame.mT, torch.eye(3).expand_as(frame), atol=1e-4, rtol=0)
    toes = vector["left_foot"] + vector["right_foot"]
    assert ((toes * vector["hips_forward"]).sum(1) > 0).float().mean() > 0.95

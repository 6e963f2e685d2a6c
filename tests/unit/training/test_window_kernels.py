"""Compiled loops over windows against plain forms of numpy and torch."""

import numpy as np
import pytest
import torch
from set_samples import lens_cameras, make_windows
from torch import Tensor

from lift3d.geometry.lenses import distort, undistort
from lift3d.skeletons import COCO17, H36M17, LIFTER23, MPI17, PANOPTIC19, Skeleton, conversion
from lift3d.training import augmentation_kernels, encoding_kernels, keypoint_kernels
from lift3d.training.augmentation import change_speed, resize_bones
from lift3d.training.configuration import Augmentation
from lift3d.training.draws import knots, normal_table
from lift3d.training.layout_mix import LayoutMix
from lift3d.training.set_encoding import fill_gaps, stature
from lift3d.training.window_draws import WindowDraws, next_share

RNG = np.random.default_rng(0)


def holes(*shape: int, share: float = 0.2) -> Tensor:
    """(*shape) bool, True here and there."""
    return torch.from_numpy(RNG.random(shape) < share)


def test_speed_is_a_straight_line_between_frames() -> None:
    windows = make_windows(5, 21, noise=5.0)
    gone = holes(5, 21, 17)
    windows.confidence[gone], windows.xy[gone] = 0, 0
    windows.xyz[holes(5, 21, 17)] = torch.nan
    played = change_speed(windows, 15, Augmentation(speed=(0.6, 1.4)), WindowDraws(0, 0, 0, 5))
    factor = (torch.tensor(0.6).log() + torch.tensor(1.4 / 0.6).log() * WindowDraws(0, 0, 0, 5).uniform()).exp()
    for window in range(5):
        for frame in range(15):
            time = 10 + factor[window].item() * (frame - 7)
            low, share = int(time), time - int(time)
            high = low + (share > 0)
            xyz = torch.lerp(windows.xyz[window, low], windows.xyz[window, high], share)
            torch.testing.assert_close(played.xyz[window, frame], xyz, atol=1e-4, rtol=1e-4, equal_nan=True)
            both = (windows.confidence[window, low] > 0) & (windows.confidence[window, high] > 0)
            xy = torch.lerp(windows.xy[window, low], windows.xy[window, high], share) * both[:, None]
            torch.testing.assert_close(played.xy[window, frame], xy, atol=5e-3, rtol=1e-4)
            assert torch.equal(played.confidence[window, frame] > 0, both)


@pytest.mark.parametrize("skeleton", [H36M17, MPI17, PANOPTIC19])
def test_bones_are_resized_along_the_tree(skeleton: Skeleton) -> None:
    """Whatever the order of the joints; what is missing takes along what hangs on it."""
    joints = len(skeleton)
    xyz = torch.from_numpy(RNG.normal(size=(4, 6, joints, 3))).float()
    xyz[holes(4, 6, joints, share=0.05)] = torch.nan
    factors = torch.from_numpy(RNG.uniform(0.5, 2, (4, joints))).float()

    def place(joint: int) -> Tensor:
        parent = skeleton.parents[joint]
        if parent < 0:
            return xyz[:, :, joint]
        return place(parent) + factors[:, joint, None, None] * (xyz[:, :, joint] - xyz[:, :, parent])

    expected = torch.stack([place(joint) for joint in range(joints)], dim=2)
    torch.testing.assert_close(resize_bones(xyz, skeleton, factors), expected, atol=1e-5, rtol=1e-5, equal_nan=True)


@pytest.mark.parametrize("far", [0.5, 3.0])
def test_keypoints_are_undistorted_as_elsewhere(far: float) -> None:
    """Also where the lens shows no point, and keypoints are then missing."""
    camera = lens_cameras(6)
    distortion = camera.distortion.clone()
    distortion[3:5] *= 0.3
    distortion[5] = 0
    plane = torch.from_numpy(RNG.uniform(-far, far, (6, 23, 2, 40))).float()
    xy = plane * camera.focal[:, None, :, None] + camera.centre[:, None, :, None]
    confidence = torch.where(holes(6, 23, 40), 0.0, 0.7)
    coefficients = list(distortion.T[..., None, None])
    expected = torch.stack(undistort(plane[:, :, 0], plane[:, :, 1], coefficients), dim=2)
    known = expected[:, :, 0].isfinite() & (confidence > 0)
    encoding_kernels.undistort_keypoints(
        0, 6, camera.focal.numpy(), camera.centre.numpy(), distortion.numpy(), xy.numpy(), confidence.numpy()
    )
    assert torch.equal(confidence > 0, known)
    assert (confidence[known] == 0.7).all()
    assert (xy.permute(0, 1, 3, 2)[~known] == 0).all()
    torch.testing.assert_close(*(x.permute(0, 1, 3, 2)[known] for x in (xy, expected)), atol=2e-5, rtol=2e-5)
    again = torch.stack(distort(xy[:, :, 0], xy[:, :, 1], coefficients), dim=2)
    torch.testing.assert_close(*(x.permute(0, 1, 3, 2)[known] for x in (again, plane)), atol=2e-5, rtol=2e-5)
    assert known.float().mean() > 0.3


@pytest.mark.parametrize(("source", "target"), [(H36M17, LIFTER23), (COCO17, LIFTER23), (COCO17, H36M17)])
def test_keypoints_are_mixed_as_the_layouts_say(source: Skeleton, target: Skeleton) -> None:
    confidence = torch.where(holes(3, 8, len(source)), 0.0, torch.rand(3, 8, len(source)))
    xy = torch.randn(3, 8, len(source), 2) * (confidence > 0)[..., None]
    change = conversion(source, target)
    weights = torch.from_numpy(np.where((change.weights < 0).any(axis=1, keepdims=True), 0, change.weights)).float()
    mixed, least = LayoutMix(change, guesses=False).keypoints(xy, confidence)
    used = weights != 0
    expected = torch.where(used, confidence[..., None, :], torch.inf).amin(-1)
    expected = torch.where(used.any(-1), expected, 0.0)
    assert torch.equal(least, expected.transpose(1, 2))
    torch.testing.assert_close(mixed, ((weights @ xy) * (expected > 0)[..., None]).permute(0, 2, 3, 1))


@pytest.mark.parametrize(("source", "target"), [(PANOPTIC19, H36M17), (MPI17, H36M17), (COCO17, H36M17)])
def test_poses_are_mixed_as_the_layouts_say(source: Skeleton, target: Skeleton) -> None:
    points = torch.randn(3, 8, len(source), 3)
    points[holes(3, 8, len(source))] = torch.nan
    change = conversion(source, target)
    weights = torch.from_numpy(change.weights).float()
    mixed = LayoutMix(change, guesses=True).points(points)
    lost = points.isnan().any(-1).float() @ (weights != 0).float().T > 0
    missing = lost | ~(weights != 0).any(-1)
    assert torch.equal(mixed.isnan().any(-1), missing)
    torch.testing.assert_close(mixed[~missing], (weights @ points.nan_to_num())[~missing])


def test_gaps_are_filled_as_numpy_interpolates() -> None:
    xy = torch.randn(4, 20, 5, 2)
    seen = (~holes(4, 20, 5, share=0.5)).float()
    seen[1, :, 3], seen[2] = 0, 0
    filled, time = fill_gaps(xy, seen), np.arange(20)
    for window in range(4):
        known = seen[window] > 0
        mean = xy[window][known].mean(0) if known.any() else torch.zeros(2)
        for joint in range(5):
            there = known[:, joint].numpy()
            for axis in range(2):
                line = xy[window, :, joint, axis].numpy()
                expected = np.interp(time, time[there], line[there]) if there.any() else np.full(20, mean[axis])
                assert np.allclose(filled[window, :, joint, axis], expected, atol=1e-5)


def test_targets_are_turned_and_statures_measured_where_joints_are_known() -> None:
    joints, rotation = torch.randn(3, 4, 17, 3), torch.linalg.qr(torch.randn(3, 4, 3, 3))[0]
    joints[holes(3, 4, 17)] = torch.nan
    joints[:, 0, 0], joints[0, 1, 0] = 0, torch.nan
    target, weight = torch.empty(3, 4, 17, 3), torch.empty(3, 4, 17)
    encoding_kernels.make_targets(joints.numpy(), rotation.numpy(), target.numpy(), weight.numpy())
    expected = (joints - joints[:, :, :1]) @ rotation.mT
    assert torch.equal(weight > 0, ~expected.isnan().any(-1))
    torch.testing.assert_close(target, expected.nan_to_num())
    starts, ends = np.array([0, 4, 11]), np.array([4, 5, 16])
    joints[1, :, 4] = torch.nan
    lengths = np.empty((3, 3), np.float32)
    encoding_kernels.segment_lengths(0, 3, joints.numpy(), starts, ends, lengths)
    means = (joints[:, :, ends] - joints[:, :, starts]).norm(dim=-1).nanmean(1)
    torch.testing.assert_close(torch.from_numpy(lengths), means, equal_nan=True)
    assert stature(joints).isfinite().all()


def test_nearest_joints_ignore_what_is_missing() -> None:
    xyz = torch.full((4, 5, 17, 3), 2.0)
    xyz[0, 2, 3, 2], xyz[1, 0, 0], xyz[2, 4, 16] = 0.4, torch.nan, torch.tensor([0.0, 0, -1])
    assert augmentation_kernels.comes_near(xyz.numpy(), 0.5).tolist() == [True, False, True, False]


def test_noise_is_jitter_and_a_line_between_knots() -> None:
    frames, joints, spacing, count = 30, 17, 7.5, 6
    windows = make_windows(4, frames)
    windows.confidence[0, 3], windows.xy[0, 3] = 0, 0
    before = windows.xy.clone()
    places, phase = np.array([0, 5, 1000, 70]), RNG.random(4).astype(np.float32)
    jitter, drift = RNG.random((2, 4, joints)).astype(np.float32)
    metre = RNG.random((4, frames)).astype(np.float32)
    keypoints = windows.xy.numpy(), windows.confidence.numpy()
    keypoint_kernels.add_noise(
        0, 4, normal_table().numpy(), places, jitter, drift, spacing, count, phase, metre, *keypoints
    )
    weights = knots(frames, spacing, torch.from_numpy(phase))
    assert weights.shape[1] == count
    numbers = torch.stack([normal_table()[place : place + 2 * joints * (count + frames)] for place in places])
    slow, white = numbers.view(4, count + frames, joints, 2).split([count, frames], dim=1)
    line = (weights.mT @ slow.flatten(2)).view(4, frames, joints, 2)
    error = torch.from_numpy(jitter)[:, None, :, None] * white + torch.from_numpy(drift)[:, None, :, None] * line
    expected = before + torch.from_numpy(metre)[:, :, None, None] * error
    expected[0, 3] = 0
    torch.testing.assert_close(windows.xy, expected, atol=1e-3, rtol=1e-5)


def test_gross_errors_are_as_large_and_as_doubted_as_they_are_said_to_be() -> None:
    windows = make_windows(200, 20)
    gross = holes(200, 20, 17, share=0.3)
    metre = np.full((200, 20), 100.0, np.float32)
    before, draws = windows.xy.clone(), WindowDraws(1, 2, 0, 200)
    keypoints = windows.xy.numpy(), windows.confidence.numpy()
    keypoint_kernels.add_gross_errors(gross.numpy(), draws.seeds(), 0.25, 0.6, metre, *keypoints)
    error = windows.xy - before
    assert (error[~gross] == 0).all()
    assert (windows.confidence[~gross] == 0.8).all()
    assert error[gross].mean().item() == pytest.approx(0, abs=0.5)
    assert error[gross].std().item() == pytest.approx(25, rel=0.02)
    assert (error[gross].square().mean(0).sqrt() / 25).tolist() == pytest.approx([1, 1], abs=0.02)
    doubted = windows.confidence[gross & (windows.confidence < 0.8)] / 0.8
    assert len(doubted) / gross.sum().item() == pytest.approx(0.6, abs=0.01)
    assert doubted.mean().item() == pytest.approx(0.2, abs=0.005)
    assert doubted.max() <= 0.4


def test_obstacles_hide_what_is_behind_them() -> None:
    windows = make_windows(4, 10)
    windows.confidence[1, 2], windows.xy[1, 2] = 0, 0
    chosen = torch.zeros(4, 10, dtype=torch.bool)
    chosen[1, 1:5] = chosen[3] = True
    place, half = torch.rand(4, 2), 0.1 + 0.3 * torch.rand(4, 2)
    xy, confidence = windows.xy.clone(), windows.confidence.clone()
    keypoint_kernels.hide_rectangle(chosen.numpy(), place.numpy(), half.numpy(), xy.numpy(), confidence.numpy())
    for window in range(4):
        seen = windows.xy[window][windows.confidence[window] > 0]
        low, size = seen.amin(0), seen.amax(0) - seen.amin(0)
        inside = ((windows.xy[window] - low - size * place[window]).abs() <= size * half[window]).all(-1)
        gone = (inside & chosen[window, :, None]) | (windows.confidence[window] == 0)
        assert torch.equal(confidence[window] == 0, gone)
        assert torch.equal(xy[window], windows.xy[window] * ~gone[..., None])
    assert (confidence == 0).sum() > 17


def test_runs_start_as_often_and_last_as_long_as_they_should() -> None:
    frames, joints, start, longest = 60, 5, 0.01, 8
    marked = WindowDraws(3, 1, 0, 4000).runs(frames, joints, start, longest)
    assert np.array_equal(marked[100:130], WindowDraws(3, 1, 100, 30).runs(frames, joints, start, longest))
    # A frame is free if none of the runs that began up to 7 frames ago lasts until it.
    lasts = 1 - np.arange(longest) / longest
    expected = 1 - np.prod(1 - start * lasts)
    by_frame, by_joint = marked.mean((0, 2)), marked.mean((0, 1))
    assert by_joint == pytest.approx(expected, rel=0.04)
    assert by_frame[:10].mean() == pytest.approx(expected, rel=0.05)
    assert by_frame[-10:].mean() == pytest.approx(expected, rel=0.05)
    # Nothing overlaps much at this rate: lengths are even.
    begun = marked[:, 1:] & ~marked[:, :-1]
    assert begun.mean() == pytest.approx(start * (1 - expected), rel=0.1)
    assert not WindowDraws(3, 1, 0, 50).runs(frames, joints, 0.0, longest).any()
    assert WindowDraws(3, 1, 0, 50).runs(frames, joints, 1.0, longest).all()
    # So rare that the trials until the next start are more than an integer holds.
    assert not WindowDraws(3, 1, 0, 50).runs(frames, joints, 1e-300, longest).any()


def test_sequences_of_a_window_are_even() -> None:
    state, shares = WindowDraws(0, 0, 4, 1).seeds()[0], []
    assert state == WindowDraws(0, 0, 0, 6).seeds()[4]
    for _ in range(20_000):
        state, share = next_share(np.uint64(state))
        shares.append(share)
    counts, _ = np.histogram(shares, 20, (0, 1))
    assert counts == pytest.approx(1000, abs=130)
    assert abs(np.corrcoef(shares[:-1], shares[1:])[0, 1]) < 0.02
    places = WindowDraws(0, 0, 0, 5000).places(1000)
    assert places.min() >= 0
    assert places.max() + 1000 <= len(normal_table())
    assert places.std() / len(normal_table()) == pytest.approx(12**-0.5, rel=0.03)


@pytest.mark.parametrize("frames", [8, 9])
def test_roots_are_those_nearest_to_the_middle(frames: int) -> None:
    xyz = torch.randn(300, frames, 3, 3)
    xyz[:, :, 0][holes(300, frames, share=0.7)] = torch.nan
    xyz[0, :, 0], xyz[1, 1:, 0], xyz[1, 0, 0] = torch.nan, torch.nan, 1
    found = augmentation_kernels.find_root(xyz.numpy())
    away = np.abs(np.arange(frames) - frames // 2)
    for window in range(300):
        there = [int(frame) for frame in np.argsort(away, kind="stable") if xyz[window, frame, 0].isfinite().all()]
        assert np.array_equal(found[window], xyz[window, there[0], 0] if there else np.zeros(3))


def test_stretches_are_between_their_ends() -> None:
    frames, joints = 30, 17
    begin, stop = WindowDraws(0, 0, 0, 100).ends(frames, joints, longest=0.6)
    stretch = WindowDraws(0, 0, 0, 100).stretch(frames, joints, longest=0.6)
    assert torch.equal(stretch.sum(1), stop - begin)
    assert torch.equal(stretch.int().argmax(1), begin)
    windows, chosen = make_windows(100, frames), holes(100, joints)
    confidence = windows.confidence.clone()
    keypoint_kernels.hide_stretches(
        chosen.numpy(), begin.numpy(), stop.numpy(), windows.xy.numpy(), windows.confidence.numpy()
    )
    gone = stretch & chosen[:, None]
    assert torch.equal(windows.confidence, confidence * ~gone)
    assert torch.equal((windows.xy == 0).all(-1), gone)

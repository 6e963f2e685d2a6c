"""Augmentation: what is changed in space is seen in the image, and the rest stays as it was."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from set_samples import make_windows

from lift3d.datasets.windows import RawWindows
from lift3d.skeletons import COCO17, H36M17
from lift3d.training.augmentation import change_bodies, change_speed, frames_beyond, mirror, move_bodies, resize_bones
from lift3d.training.configuration import Augmentation
from lift3d.training.detector_noise import DetectorNoise
from lift3d.training.keypoint_augmentation import damage_keypoints
from lift3d.training.losses import bone_lengths
from lift3d.training.reprojection import project
from lift3d.training.window_draws import WindowDraws, coin

BOTH = (H36M17, H36M17)


def draws(windows: int = 6, step: int = 3, first: int = 0) -> WindowDraws:
    return WindowDraws(7, step, first, windows)


def detected(windows: RawWindows, noise: DetectorNoise) -> RawWindows:
    """As a detector with this noise sees them, at 50 frames a second."""
    return damage_keypoints(windows, H36M17, Augmentation(detector=noise), 50.0, draws(len(windows.index)))


def test_parts_draw_what_the_whole_draws() -> None:
    whole, part = draws(12), draws(4, first=5)
    for take in (
        lambda d: d.uniform(3, 5),
        lambda d: d.normal(7),
        lambda d: d.chance(0.5, 2),
        lambda d: d.stretch(20, 3, longest=0.4),
    ):
        assert torch.equal(take(whole)[5:9], take(part))
    assert not torch.equal(draws(12, step=4).uniform(3), draws(12).uniform(3))


def test_draws_are_of_their_distributions() -> None:
    source = draws(200)
    normal, uniform = source.normal(501), source.uniform(501, low=-1, high=3)
    assert normal.mean().item() == pytest.approx(0, abs=0.01)
    assert normal.std().item() == pytest.approx(1, abs=0.01)
    assert (normal**4).mean().item() == pytest.approx(3, abs=0.1)
    # The two halves of Box and Muller's pairs do not know each other, nor do two draws.
    assert abs(np.corrcoef(normal[:, :250].flatten(), normal[:, 251:].flatten())[0, 1]) < 0.02
    assert abs(np.corrcoef(normal.flatten(), source.normal(501).flatten())[0, 1]) < 0.02
    assert bool((uniform >= -1).all() & (uniform < 3).all())
    assert uniform.mean().item() == pytest.approx(1, abs=0.02)
    assert uniform.std().item() == pytest.approx(4 / 12**0.5, abs=0.02)
    stretch = draws(2000).stretch(50, longest=0.6)
    assert bool(stretch.any(1).all())
    # One stretch without a break.
    assert bool((stretch.long().diff(dim=1).clamp_min(0).sum(1) + stretch[:, 0].long() == 1).all())
    assert stretch.float().mean().item() == pytest.approx(0.3 * 0.92, abs=0.03)


def test_coins_are_fair_and_belong_to_examples() -> None:
    index = torch.arange(20000)
    sides = coin(index, 3, 4)
    assert sides.float().mean().item() == pytest.approx(0.5, abs=0.015)
    assert torch.equal(coin(index[100:200], 3, 4), sides[100:200])
    for other in (coin(index, 3, 5), coin(index, 4, 4), coin(index + 1, 3, 4)):
        assert (sides == other).float().mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(turn_vertical_degrees=180),
        Augmentation(turn_degrees=40),
        Augmentation(distance=(0.8, 1.3)),
        Augmentation(scale=(0.7, 1.4)),
        Augmentation(bone_lengths=0.1),
        Augmentation(True, 90, 20, (0.9, 1.2), (0.9, 1.1), 0.05),
    ],
)
def test_changed_bodies_are_seen_where_they_are(augmentation: Augmentation) -> None:
    """Exact keypoints stay exact, and those with an error keep their error."""
    exact, noisy = make_windows(), make_windows(noise=4.0)
    changed = change_bodies(exact, *BOTH, augmentation, draws())
    assert (changed.xyz - exact.xyz).norm(dim=-1).max() > 0.05
    torch.testing.assert_close(changed.xy, project(changed.xyz, changed.camera), atol=2e-3, rtol=0)
    other = change_bodies(noisy, *BOTH, augmentation, draws())
    torch.testing.assert_close(other.xyz, changed.xyz)
    torch.testing.assert_close(other.xy - changed.xy, noisy.xy - exact.xy, atol=2e-3, rtol=0)


def test_turn_about_the_vertical_is_one() -> None:
    windows = make_windows()
    turned = change_bodies(windows, *BOTH, Augmentation(turn_vertical_degrees=180), draws())
    up = windows.up[:, None, None, :, None]
    torch.testing.assert_close((turned.xyz[..., None, :] @ up), (windows.xyz[..., None, :] @ up), atol=1e-5, rtol=0)
    middle = windows.xyz.shape[1] // 2
    torch.testing.assert_close(turned.xyz[:, middle, 0], windows.xyz[:, middle, 0])
    torch.testing.assert_close(bone_lengths(turned.xyz, H36M17.bones), bone_lengths(windows.xyz, H36M17.bones))
    across = turned.xyz[:, 0, 4] - turned.xyz[:, 0, 1]
    angles = torch.atan2(across[:, 2], across[:, 0])
    assert angles.std() > 0.5


def test_bones_grow_by_their_factors_and_keep_their_directions() -> None:
    windows = make_windows()
    factors = 0.8 + 0.4 * torch.rand(6, 17, generator=torch.Generator().manual_seed(0))
    grown = resize_bones(windows.xyz, H36M17, factors)
    for parent, child in H36M17.bones:
        before, after = (x[:, :, child] - x[:, :, parent] for x in (windows.xyz, grown))
        torch.testing.assert_close(after, before * factors[:, None, child, None], atol=2e-6, rtol=1e-4)
    torch.testing.assert_close(grown[:, :, 0], windows.xyz[:, :, 0])
    # Left and right of a body are alike.
    changed = change_bodies(windows, *BOTH, Augmentation(bone_lengths=0.2), draws())
    ratio = bone_lengths(changed.xyz, H36M17.bones) / bone_lengths(windows.xyz, H36M17.bones)
    child = [end for _, end in H36M17.bones]
    for left, right in H36M17.pairs:
        torch.testing.assert_close(ratio[:, :, child.index(left)], ratio[:, :, child.index(right)], rtol=1e-4, atol=0)
    assert ratio.std() > 0.1


def test_missing_joints_stay_missing_and_take_theirs_along() -> None:
    windows = make_windows()
    xyz = windows.xyz.clone()
    knee, ankle = H36M17.index("left_knee"), H36M17.index("left_ankle")
    xyz[:, 2, knee] = torch.nan
    windows = replace(windows, xyz=xyz)
    changed = change_bodies(windows, *BOTH, Augmentation(bone_lengths=0.1), draws())
    missing = changed.xyz.isnan().any(-1)
    assert missing[:, 2, [knee, ankle]].all()
    assert missing.sum() == 2 * 6
    assert (changed.confidence[:, 2, [knee, ankle]] == 0).all()
    assert (changed.confidence == 0).sum() == 2 * 6
    assert (changed.xy[:, 2, [knee, ankle]] == 0).all()
    turned = change_bodies(windows, *BOTH, Augmentation(turn_vertical_degrees=90), draws())
    assert turned.xyz.isnan().any(-1).sum() == 6


def test_nobody_is_moved_into_the_camera() -> None:
    windows = make_windows()
    nearer = windows.xyz - (windows.xyz[..., 2].amin((1, 2)) - 0.2)[:, None, None, None] * torch.tensor([0.0, 0, 1])
    kept = move_bodies(windows, torch.where(torch.arange(6)[:, None, None, None] < 2, nearer, windows.xyz + 0.1), *BOTH)
    assert torch.equal(kept.xyz[:2], windows.xyz[:2])
    assert torch.equal(kept.xy[:2], windows.xy[:2])
    torch.testing.assert_close(kept.xyz[2:], windows.xyz[2:] + 0.1)


def test_keypoints_that_the_poses_lack_move_with_their_neighbour() -> None:
    """A face moves with the head, in a layout that has eyes and ears where the poses have a head's top."""
    windows = make_windows()
    order = [H36M17.index(j) if j in H36M17.joints else H36M17.index("nose") for j in COCO17.joints]
    face = [k for k, j in enumerate(COCO17.joints) if "eye" in j or "ear" in j]
    xy = windows.xy[:, :, order].clone()
    xy[:, :, face] += 8
    seen = replace(windows, xy=xy, confidence=windows.confidence[:, :, order])
    moved = move_bodies(seen, windows.xyz + torch.tensor([0.3, 0, 0.2]), COCO17, H36M17)
    shift = moved.xy - seen.xy
    nose = shift[:, :, COCO17.index("nose")]
    assert nose.norm(dim=-1).min() > 20
    for joint in face:
        torch.testing.assert_close(shift[:, :, joint], nose)


def test_mirrored_cameras_are_exact() -> None:
    windows = make_windows()
    chosen = torch.arange(6) % 2 == 0
    flipped = mirror(windows, chosen, *BOTH)
    torch.testing.assert_close(flipped.xy, project(flipped.xyz, flipped.camera), atol=1e-3, rtol=0)
    assert torch.equal(flipped.xy[~chosen], windows.xy[~chosen])
    wrist = [H36M17.index(f"{side}_wrist") for side in ("left", "right")]
    torch.testing.assert_close(flipped.xy[chosen][:, :, wrist[0], 0], 1000 - windows.xy[chosen][:, :, wrist[1], 0])
    for field, value in (("xy", windows.xy), ("xyz", windows.xyz), ("up", windows.up)):
        torch.testing.assert_close(getattr(mirror(flipped, chosen, *BOTH), field), value, atol=1e-4, rtol=1e-5)
    # OpenCV agrees that this camera is the other one's mirror image.
    points = flipped.xyz[0, 0].double().numpy()
    K = np.diag([*flipped.camera.focal[0].tolist(), 1.0])
    K[:2, 2] = flipped.camera.centre[0].numpy()
    pixels, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, flipped.camera.distortion[0].double().numpy())
    assert np.allclose(pixels[:, 0], flipped.xy[0, 0], atol=0.01)


def test_speed_plays_straight_motion_faster_and_slower() -> None:
    frames, augmentation = 9, Augmentation(speed=(0.5, 2.0))
    beyond = frames_beyond(augmentation, frames)
    assert beyond == 4
    windows = make_windows(frames=frames + 2 * beyond)
    time = torch.arange(frames + 2 * beyond).float()
    steady = replace(
        windows,
        xyz=(time[:, None, None] * torch.tensor([0.1, 0.02, -0.05])).expand_as(windows.xyz),
        xy=(100 + time[:, None, None] * torch.tensor([3.0, -2.0])).expand_as(windows.xy),
    )
    played = change_speed(steady, frames, augmentation, draws())
    assert played.xyz.shape[1] == frames
    step = played.xyz.diff(dim=1)
    speed = step[:, :, :, :1] / 0.1
    torch.testing.assert_close(step, speed * torch.tensor([0.1, 0.02, -0.05]), atol=1e-5, rtol=0)
    torch.testing.assert_close(played.xy.diff(dim=1), speed * torch.tensor([3.0, -2.0]), atol=1e-3, rtol=0)
    assert bool((speed > 0.49).all() & (speed < 2.01).all())
    assert speed[:, 0, 0, 0].std() > 0.2
    torch.testing.assert_close(played.xyz[:, 4], steady.xyz[:, 4 + beyond], atol=1e-5, rtol=0)
    # As recorded: exactly the frames.
    same = change_speed(windows, frames, Augmentation(), draws())
    assert torch.equal(same.xyz, windows.xyz[:, beyond : beyond + frames])
    # Between a seen and a missing frame there is nothing.
    gap = replace(steady, confidence=torch.where(time[:, None] == 8, 0.0, steady.confidence))
    slowed = change_speed(gap, frames, augmentation, draws())
    lost = (slowed.confidence == 0).any(-1).sum(1)
    assert bool((lost >= 1).all())
    assert (slowed.xy[slowed.confidence == 0] == 0).all()


def test_noise_has_the_size_that_it_is_given() -> None:
    windows = make_windows(40, 30)
    noisy = damage_keypoints(windows, H36M17, Augmentation(noise_pixels=5.0), 50.0, draws(40))
    assert (noisy.xy - windows.xy).std().item() == pytest.approx(5.0 * 1.002, rel=0.03)
    assert torch.equal(noisy.xyz, windows.xyz)


def test_detectors_err_in_metres_of_the_body() -> None:
    windows = make_windows(60, 40)
    quiet = DetectorNoise(0.02, 0, 0, 0, 0, 0, 0, 0)
    found = detected(windows, quiet)
    error = found.xy - windows.xy
    metres = error * (windows.xyz[:, :, :1, 2:] / 1144)
    assert metres[:, :, H36M17.index("left_elbow")].std().item() == pytest.approx(0.02, rel=0.05)
    assert metres[:, :, H36M17.index("left_wrist")].std().item() == pytest.approx(0.028, rel=0.05)
    assert torch.equal(found.confidence, windows.confidence)
    silent = DetectorNoise(0, 0, 0, 0, 0, 0, 0, 0)
    torch.testing.assert_close(detected(windows, silent).xy, windows.xy)
    gone = detected(windows, DetectorNoise(0, 0, 0, 0, 0, 0.5, 0.5, 0))
    share = (gone.confidence == 0).float().mean().item()
    # Starts a second times their mean length: half a second of joints, a third of whole people, some of them twice.
    assert share == pytest.approx(1 - (1 - 0.5 * 0.42) * (1 - 0.5 * 0.34), abs=0.06)


def test_dropped_hidden_and_swapped_keypoints() -> None:
    windows = make_windows(300, 20)
    dropped = damage_keypoints(windows, H36M17, Augmentation(drop_joints=0.2), 50.0, draws(300))
    gone = dropped.confidence == 0
    assert gone.any(1).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert (dropped.xy[gone] == 0).all()
    assert torch.equal(dropped.xy[~gone], windows.xy[~gone])
    hidden = damage_keypoints(windows, H36M17, Augmentation(occlusion=0.5), 50.0, draws(300))
    gone = hidden.confidence == 0
    assert 0.3 < gone.any(1).any(1).float().mean().item() <= 0.55
    assert 0.02 < gone.float().mean().item() < 0.3
    swapped = damage_keypoints(windows, H36M17, Augmentation(swap_sides=0.4), 50.0, draws(300))
    other = (swapped.xy != windows.xy).any(-1)
    assert other.flatten(1).any(1).float().mean().item() == pytest.approx(0.4, abs=0.07)
    order = list(H36M17.mirror_order)
    assert torch.equal(swapped.xy[other], windows.xy[:, :, order][other])
    ankle, wrist = H36M17.index("left_ankle"), H36M17.index("left_wrist")
    legs, arms = (other[:, :, joint].any(1) for joint in (ankle, wrist))
    assert bool((legs & arms).any() and (legs & ~arms).any() and (arms & ~legs).any())
    assert not other[:, :, [0, 7, 8, 9, 10]].any()

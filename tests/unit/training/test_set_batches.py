"""Prepared sets as batch sources: parts, mirror images, targets, roots and keypoints that fit each other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from set_samples import standing
from torch import Tensor

from lift3d.datasets.pose_sets import PoseSet, open_pose_set, write_pose_set
from lift3d.datasets.recordings import DataSetInfo, Recording, View
from lift3d.errors import ConfigurationError
from lift3d.geometry.cameras import Camera
from lift3d.lifting.encoding import ImageEncoder, PersonEncoder
from lift3d.lifting.normalization import REFERENCE_HEIGHT
from lift3d.lifting.rate import RatePlan
from lift3d.poses import Keypoints2D
from lift3d.skeletons import H36M17, LIFTER23, conversion
from lift3d.training.batches import Batch
from lift3d.training.configuration import Augmentation, Losses, ModelConfig, PoseSetData, TrainingConfig
from lift3d.training.detector_noise import DetectorNoise
from lift3d.training.objective import Objective
from lift3d.training.reprojection import project
from lift3d.training.set_batches import MixedBatches, SetBatches
from lift3d.training.set_encoding import fill_gaps, stature
from lift3d.training.sources import make_sources

LENGTHS, BATCH, PAST, OUTPUTS = (30, 45), 16, 4, 5
EVERYTHING = Augmentation(
    True, 180, 15, (0.9, 1.2), (0.9, 1.1), 0.05, (0.7, 1.4), 2.0, DetectorNoise(), 0.1, 0.3, 0.2, 0.3, 0.25
)


def camera(number: int) -> Camera:
    angle = 1.3 * number
    forward = np.array([np.cos(angle), np.sin(angle), -0.1])
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[1145.0, 0, 512], [0, 1143, 495 + number], [0, 0, 1]])
    distortion = np.array([-0.2, 0.24, -0.001, 0.002, -0.05])
    return Camera(K, distortion, R, -R @ (np.array([0, 0, 1.0]) - 5 * forward), (1000, 1002), f"cam{number}")


def record(subject: str, frames: int, size: float, seed: int, cameras: int = 2) -> Recording:
    """Somebody ``size`` times as tall as the reference body, who sways."""
    rng = np.random.default_rng(seed)
    body = standing().numpy()[:, [0, 2, 1]] * [1, 1, -1] + [0, 0, 0.9]
    time = np.arange(frames)[:, None, None] / 50
    sway = 0.03 * np.sin(5 * time + rng.uniform(0, 6, (17, 3)))
    xyz = ((body + sway) * size + [0.2, 0.1, 0]).astype(np.float32)
    views = []
    for k in range(cameras):
        xy = camera(k).project(xyz).astype(np.float32)
        views.append(View(camera(k), xy, np.full(xy.shape[:2], 0.9, np.float32)))
    return Recording(f"{subject}/Sway", subject, "Sway", 50.0, xyz, tuple(views))


@pytest.fixture
def pose_set(tmp_path: Path):
    info = DataSetInfo("own", "h36m17", "h36m17", training=("S1",), test=("S2",))
    recordings = [record(f"S{k + 1}", frames, 1.0 + 0.1 * k, k) for k, frames in enumerate(LENGTHS)]
    recordings[0].xyz[4, 13] = np.nan
    recordings[0].views[0].xy[10:13, 16] = np.nan
    recordings[0].views[0].confidence[10:13, 16] = 0
    write_pose_set(tmp_path / "set.h5", info, recordings)
    with open_pose_set(tmp_path / "set.h5") as opened:
        yield opened


def make(
    pose_set: PoseSet, normalization: str = "image", augmentation: Augmentation | None = None, **more
) -> SetBatches:
    return SetBatches(pose_set, BATCH, PAST, OUTPUTS, PAST, normalization, augmentation, **more)  # type: ignore[arg-type]


def all_tensors(batch: Batch) -> dict[str, Tensor]:
    named = {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}
    return named | {f"camera.{name}": value for name, value in vars(batch.camera).items()}


@pytest.mark.parametrize("normalization", ["image", "person"])
def test_parts_are_the_batch_and_steps_are_repeatable(pose_set: PoseSet, normalization: str) -> None:
    source, again = (make(pose_set, normalization, EVERYTHING) for _ in range(2))
    whole = all_tensors(source.batch(1))
    parts = [all_tensors(again.batch(1, part, 3)) for part in range(3)]
    for name, value in whole.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), value), name
    assert not torch.equal(source.batch(0).inputs, source.batch(1).inputs)
    assert not torch.equal(make(pose_set, normalization, EVERYTHING, seed=1).batch(1).inputs, whole["inputs"])


def test_a_share_of_the_labels_is_of_the_training_people_only(pose_set: PoseSet) -> None:
    def windows(share: float) -> list[int]:
        data = PoseSetData(pose_set.path, training_share=share)
        sources = make_sources(
            TrainingConfig(ModelConfig("temporal_convolution"), data, batch=BATCH, outputs=OUTPUTS), PAST, PAST
        )
        found = []
        for source in (sources.training, sources.validation):
            assert isinstance(source, SetBatches)
            found.append(source.reader.windows)
        return found

    # Two cameras see 30 frames of S1 in windows of 5, and 45 of S2.
    assert windows(1.0) == [12, 2]
    assert windows(0.5) == [6, 2]


@pytest.mark.parametrize("normalization", ["image", "person"])
@pytest.mark.parametrize("augmentation", [None, EVERYTHING])
def test_batches_are_finite_and_targets_are_where_the_keypoints_are(
    pose_set: PoseSet, normalization: str, augmentation: Augmentation | None
) -> None:
    """Target, root, rotation, camera and keypoints agree: joints project onto their keypoints."""
    source = make(pose_set, normalization, augmentation)
    for step in range(source.steps_per_epoch):
        batch = source.batch(step)
        assert all(bool(value.isfinite().all()) for value in all_tensors(batch).values())
        assert (batch.target[batch.weight == 0] == 0).all()
        assert batch.root is not None
        assert batch.keypoints is not None
        assert batch.camera is not None
        joints = batch.target if batch.to_camera is None else batch.target @ batch.to_camera.mT
        known = (batch.root[..., 2] > 0)[..., None] & (batch.weight > 0) & (batch.keypoints[..., 2] > 0)
        assert known.float().mean() > 0.5
        off = project(joints + batch.root[:, :, None], batch.camera) - batch.keypoints[..., :2]
        # A window played at another speed is a straight line between frames in space and in the image.
        assert off[known].abs().max() < (0.05 if augmentation is None else 0.5)
    assert (0 < batch.weight.mean() <= 1).item()


def test_image_input_is_that_of_lifting(pose_set: PoseSet) -> None:
    """Frame by frame what ``lift3d lift`` shows the network of the same clip, gaps filled."""
    clip = pose_set.read(0).views[0]
    keypoints = Keypoints2D(clip.xy[:, None], clip.confidence[:, None], H36M17, fps=50.0, image_size=(1000, 1002))
    encoder = ImageEncoder(keypoints, conversion(H36M17, H36M17), RatePlan(1, 1, 50.0))
    expected = encoder.encode(0, LENGTHS[0])[0, 0]
    window = SetBatches(pose_set, 64, 0, LENGTHS[0], 0).batch(0)
    row = int((window.index == 0).nonzero())
    torch.testing.assert_close(window.inputs[row], expected, atol=1e-5, rtol=1e-5)


def test_person_input_is_that_of_lifting(pose_set: PoseSet) -> None:
    clip = pose_set.read(0).views[0]
    keypoints = Keypoints2D(clip.xy[:, None], clip.confidence[:, None], H36M17, fps=50.0, image_size=(1000, 1002))
    change = conversion(H36M17, LIFTER23)
    encoder = PersonEncoder(keypoints, change, clip.camera, True, RatePlan(1, 1, 50.0))
    expected = encoder.encode(0, LENGTHS[0])[0, 0]
    window = SetBatches(pose_set, 64, 0, LENGTHS[0], 0, "person").batch(0)
    row = int((window.index == 0).nonzero())
    torch.testing.assert_close(window.inputs[row], expected, atol=2e-4, rtol=1e-3)
    # What the network gives is turned back to the camera's axes by the same rotation.
    target = encoder.to_camera_axes(window.target[row][None, None], 0)[0, 0]
    camera = pose_set.read(0).xyz @ clip.camera.R.T
    scale = REFERENCE_HEIGHT / stature(torch.from_numpy(camera)[None].float()).item()
    relative = torch.from_numpy((camera - camera[:, :1]) * scale).float()
    known = window.weight[row] > 0
    # The window's mean stature counts the frames that repeat its ends.
    torch.testing.assert_close(target[known], relative[known], atol=2e-3, rtol=0.01)


def test_bodies_of_any_size_become_the_reference_body(pose_set: PoseSet) -> None:
    tall = torch.stack([standing() * size for size in (1.0, 1.3)])[:, None]
    heights = stature(tall)
    assert (heights[1] / heights[0]).item() == pytest.approx(1.3)
    assert heights[0].item() == pytest.approx(REFERENCE_HEIGHT, rel=0.06)
    assert stature(torch.full((1, 4, 17, 3), torch.nan)).item() == pytest.approx(REFERENCE_HEIGHT)

    def taller(normalization: str) -> float:
        """How much longer the second person's thighs are than the first's."""
        batches = [make(pose_set, normalization).batch(step) for step in range(2)]
        thighs = torch.cat([(batch.target[:, :, 5] - batch.target[:, :, 4]).norm(dim=-1).mean(1) for batch in batches])
        first = torch.cat([batch.index for batch in batches]) < 12
        return (thighs[~first].mean() / thighs[first].mean()).item()

    assert taller("person") == pytest.approx(1.0, abs=0.03)
    assert taller("image") == pytest.approx(1.1, abs=0.03)


def test_an_epoch_shows_every_window_and_its_mirror_image(pose_set: PoseSet) -> None:
    plain, flipped = make(pose_set), make(pose_set, augmentation=Augmentation())
    assert flipped.steps_per_epoch == 2 * plain.steps_per_epoch
    shown: dict[tuple[int, bool], int] = {}
    originals = {}
    for step in range(plain.steps_per_epoch):
        batch = plain.batch(step)
        originals |= dict(zip(batch.index.tolist(), batch.inputs, strict=True))
    order = list(H36M17.mirror_order)
    for step in range(flipped.steps_per_epoch):
        batch = flipped.batch(step)
        for index, inputs in zip(batch.index.tolist(), batch.inputs, strict=True):
            as_it_is = torch.allclose(inputs, originals[index], atol=1e-5)
            mirrored = torch.allclose(inputs[:, order] * torch.tensor([-1.0, 1]), originals[index], atol=1e-5)
            assert as_it_is != mirrored
            shown[index, mirrored] = shown.get((index, mirrored), 0) + 1
    assert len(shown) == 2 * len(originals)
    assert set(shown.values()) == {1}
    assert {flipped.batch(0).index.tolist() == flipped.batch(flipped.steps_per_epoch).index.tolist()} == {False}


def test_unlabelled_windows_tell_nothing_of_the_poses(pose_set: PoseSet) -> None:
    source = make(pose_set, augmentation=replace(EVERYTHING, hard_examples=0.0), labelled=False)
    batch = source.batch(0)
    assert (batch.weight == 0).all()
    assert (batch.target == 0).all()
    assert batch.root is not None
    assert (batch.root == 0).all()
    assert batch.keypoints is not None
    assert (batch.keypoints[..., 2] > 0).float().mean() > 0.5
    assert batch.inputs.isfinite().all()


def test_unknown_cameras_are_withheld_and_do_not_teach_places(pose_set: PoseSet) -> None:
    batch = make(pose_set, "person", Augmentation(flip=False, unknown_camera=0.5)).batch(0)
    known = batch.inputs[:, 0, -1, 1]
    assert set(known.tolist()) == {0.0, 1.0}
    unknown = known == 0
    assert batch.root is not None
    assert batch.keypoints is not None
    assert (batch.root[unknown] == 0).all()
    assert (batch.keypoints[unknown][..., 2] == 0).all()
    assert (batch.root[~unknown][..., 2] > 1).all()
    assert (batch.weight[unknown] > 0).any()


def test_gaps_are_filled_along_straight_lines() -> None:
    time = torch.arange(10.0)[:, None, None]
    xy = (time * torch.tensor([2.0, -1.0])).expand(3, 10, 4, 2)
    seen = torch.ones(3, 10, 4)
    seen[0, 3:6, 1] = 0
    seen[1, :4, 2] = 0
    seen[1, 8:, 2] = 0
    seen[2, :, 3] = 0
    filled = fill_gaps(torch.where(seen[..., None] > 0, xy, -999.0), seen)
    torch.testing.assert_close(filled[0], xy[0])
    torch.testing.assert_close(filled[1, :4, 2], xy[1, 4, 2].expand(4, 2))
    torch.testing.assert_close(filled[1, 8:, 2], xy[1, 7, 2].expand(2, 2))
    torch.testing.assert_close(filled[2, :, 3], xy[2, :, 0].mean(0).expand(10, 2))


def test_mixed_batches_hold_both(pose_set: PoseSet) -> None:
    one, two = make(pose_set, "person"), make(pose_set, "person", seed=5)
    mixed = MixedBatches(one, two, one.reader.windows)
    batch = mixed.batch(0)
    assert len(batch.inputs) == len(one.batch(0).inputs) + len(two.batch(0).inputs)
    assert torch.equal(batch.index[: len(one.batch(0).index)], one.batch(0).index)
    assert (batch.index[len(one.batch(0).index) :] >= one.reader.windows).all()
    loss, _ = Objective(Losses(), H36M17)(
        lambda x: type("L", (), {"joints": x[:, PAST:-PAST, :17], "sigma": None}), batch
    )
    assert loss.isfinite()
    with pytest.raises(ConfigurationError, match="synthetic"):
        MixedBatches(make(pose_set), two, 10).batch(0)


def test_hard_examples_take_their_rows(pose_set: PoseSet) -> None:
    plain, mined = make(pose_set), make(pose_set, augmentation=Augmentation(flip=False, hard_examples=0.25))
    errors = torch.zeros(mined.reader.windows)
    errors[3] = 1.0
    mined.observe(torch.arange(len(errors)), errors)
    batch, other = mined.batch(0), plain.batch(0)
    changed = torch.arange(BATCH) % 4 == 3
    assert (batch.index[changed] == 3).all()
    assert torch.equal(batch.index[~changed], other.index[~changed])
    row = int((plain.reader.read(0, 64).index == 3).nonzero())
    expected = SetBatches(pose_set, 64, PAST, OUTPUTS, PAST).batch(0).inputs[row]
    torch.testing.assert_close(batch.inputs[changed], expected.expand(int(changed.sum()), *expected.shape))
    # A source that goes on from a state draws the same.
    again = make(pose_set, augmentation=Augmentation(flip=False, hard_examples=0.25))
    again.load_state_dict(mined.state_dict())
    assert torch.equal(again.batch(1).index, mined.batch(1).index)


def test_windows_of_a_set_larger_than_the_pool(pose_set: PoseSet) -> None:
    small = make(pose_set, augmentation=Augmentation(flip=False, hard_examples=0.25), pool_bytes=6000)
    large = make(pose_set, augmentation=Augmentation(flip=False, hard_examples=0.25))
    index = torch.tensor([5, 0, 3, 5])
    for name in ("xy", "xyz", "index", "up"):
        values = [getattr(source.reader.read_windows(index), name).nan_to_num(-9) for source in (small, large)]
        assert torch.equal(*values)
    assert small.batch(0).inputs.isfinite().all()

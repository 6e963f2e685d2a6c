"""Lifting as a whole, with a small untrained network: what must hold whatever the weights are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lift3d.errors import CheckpointError, Lift3DError, ShapeError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.joint_names import custom_skeleton
from lift3d.lifting import describe, lift
from lift3d.lifting import lift as lift_function
from lift3d.models import CheckpointInfo, save_checkpoint
from lift3d.models.mirror_convolution.configuration import MirrorConvolutionConfig
from lift3d.models.mirror_convolution.modeling import MirrorConvolution
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution
from lift3d.poses import Keypoints2D
from lift3d.skeletons import COCO17, H36M17

SIZE = (1280, 720)
# Human3.6M-17, metres, x right, y down.
STANDING = [
    [0, 0, 0], [-0.1, 0, 0], [-0.1, 0.42, 0], [-0.1, 0.84, 0.05], [0.1, 0, 0], [0.1, 0.42, 0], [0.1, 0.84, 0.05],
    [0, -0.24, 0], [0, -0.5, 0], [0, -0.64, -0.03], [0, -0.79, 0], [0.17, -0.48, 0], [0.25, -0.22, 0.05],
    [0.25, 0.03, -0.1], [-0.17, -0.48, 0], [-0.25, -0.22, 0.05], [-0.25, 0.03, -0.1],
]  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("net") / "person.safetensors", "lifter23", "person")


@pytest.fixture(scope="module")
def videopose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("net") / "image.safetensors", "coco17", "image")


def make_checkpoint(path: Path, skeleton: str, normalization: str) -> Path:
    torch.manual_seed(1)
    joints, features = (24, 3) if normalization == "person" else (17, 2)
    config = {"joints_in": joints, "features_in": features, "filter_widths": [3, 3], "channels": 16}
    network = TemporalConvolution(TemporalConvolutionConfig(**config))  # type: ignore[arg-type]
    with torch.no_grad():
        # A standing body that the input bends a little: like a lifter's output, but for no reason.
        torch.nn.init.normal_(network.shrink.weight, std=0.015)
        network.shrink.bias.copy_(torch.tensor(STANDING).flatten())  # type: ignore[union-attr]
    info = CheckpointInfo(
        "temporal_convolution",
        config,
        skeleton,
        "h36m17",
        normalization,
        30.0,
        1.7 if normalization == "person" else None,
    )
    save_checkpoint(network.eval(), info, path)
    return path


def conversion_name(joint: str) -> str:
    """The joint of STANDING nearest to one of COCO-17."""
    return "nose" if joint.split("_")[-1] in ("eye", "ear") else joint


def walker(frames: int = 90, people: int = 1, fps: float | None = 30.0, seed: int = 0) -> Keypoints2D:
    """People of COCO-17 who move smoothly about an image."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None, None] / (fps or 30.0)
    base = generator.uniform([300, 100], [900, 600], (1, people, 1, 2))
    standing = np.array(STANDING)[[H36M17.index(conversion_name(joint)) for joint in COCO17.joints], :2]
    shape = 200 * standing + generator.normal(0, 10, (1, people, 17, 2))
    sway = 15 * np.sin(2 * np.pi * time * generator.uniform(0.3, 1, (1, people, 17, 2)))
    drift = 40 * time * generator.uniform(-1, 1, (1, people, 1, 2))
    return Keypoints2D(base + shape + sway + drift, skeleton="coco17", fps=fps, image_size=SIZE)


def test_result_keeps_the_contract(checkpoint: Path) -> None:
    keypoints = walker(people=2)
    poses = lift(keypoints, checkpoint)
    assert poses.xyz.shape == (90, 2, 17, 3)
    assert (poses.space, poses.skeleton, poses.fps, poses.track_ids) == ("camera", H36M17, 30.0, keypoints.track_ids)
    assert poses.keypoints is keypoints
    assert poses.camera is not None
    assert poses.camera.name == "assumed"
    assert any("focal length" in step for step in poses.provenance["steps"])
    assert any("stature unknown" in step for step in poses.provenance["steps"])
    assert describe(poses)["lifted"] == 180
    # The ears could tell where the top of the head may be, but the network is not given guesses.
    assert any("missing: head_top" in step for step in poses.provenance["steps"])


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0, 100.0])
@pytest.mark.parametrize("kind", ["checkpoint", "videopose"])
def test_chunks_change_nothing(
    kind: str, fps: float, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = request.getfixturevalue(kind)
    keypoints = walker(frames=203, people=2, fps=fps)
    keypoints.xy[50:60, 1] = np.nan
    keypoints = Keypoints2D(keypoints.xy, skeleton="coco17", fps=fps, image_size=SIZE)
    whole = lift(keypoints, path)
    module = __import__("sys").modules["lift3d.lifting.lift"]
    monkeypatch.setattr(module, "CHUNK_FRAMES", 37)
    monkeypatch.setattr("lift3d.lifting.encoding._CHUNK", 23)
    pieces = lift(keypoints, path)
    np.testing.assert_allclose(pieces.xyz, whole.xyz, atol=2e-5)
    np.testing.assert_allclose(pieces.reprojection_error, whole.reprojection_error, atol=0.05)


def test_twice_the_rate_is_two_interleaved_clips(checkpoint: Path) -> None:
    """Bones, which placing in space leaves nearly alone, do not know of the frames between."""
    fast = walker(frames=120, fps=60.0)
    half = fast.select(slice(0, None, 2))
    assert half.fps == 30.0
    both, one = lift(fast, checkpoint), lift(half, checkpoint)
    bones = list(H36M17.bones)
    fast_bones, half_bones = (np.diff(xyz[:, 0, bones], axis=2)[:, :, 0] for xyz in (both.xyz[::2], one.xyz))
    np.testing.assert_allclose(fast_bones, half_bones, atol=0.02)


@pytest.mark.parametrize("kind", ["checkpoint", "videopose"])
def test_mirrored_person_gives_the_mirrored_pose(kind: str, request: pytest.FixtureRequest) -> None:
    """The test-time flip makes the result symmetric whatever the weights."""
    path = request.getfixturevalue(kind)
    keypoints = walker()
    mirrored_xy = keypoints.xy[:, :, list(COCO17.mirror_order)].copy()
    mirrored_xy[..., 0] = SIZE[0] - mirrored_xy[..., 0]
    mirrored = Keypoints2D(mirrored_xy, skeleton="coco17", fps=30.0, image_size=SIZE)
    straight, turned = lift(keypoints, path).xyz, lift(mirrored, path).xyz
    expected = straight[:, :, list(H36M17.mirror_order)] * np.array([-1, 1, 1], np.float32)
    np.testing.assert_allclose(turned, expected, atol=2e-3)


def test_people_do_not_influence_each_other(checkpoint: Path) -> None:
    keypoints = walker(people=3)
    together = lift(keypoints, checkpoint)
    alone = lift(keypoints.select(people=[1]), checkpoint)
    np.testing.assert_allclose(together.xyz[:, 1], alone.xyz[:, 0], atol=2e-5)
    assert alone.track_ids == (1,)


def test_height_scales_pose_and_distance(checkpoint: Path) -> None:
    keypoints = walker()
    small, tall = lift(keypoints, checkpoint, height=1.0), lift(keypoints, checkpoint, height=2.0)
    np.testing.assert_allclose(tall.xyz, 2 * small.xyz, rtol=1e-5)
    np.testing.assert_allclose(tall.reprojection_error, small.reprojection_error, atol=0.01)


def test_absent_people_have_no_pose_and_short_gaps_do(checkpoint: Path) -> None:
    keypoints = walker(frames=150)
    xy = keypoints.xy.copy()
    xy[:20] = np.nan
    xy[60:66] = np.nan
    xy[100:140] = np.nan
    poses = lift(Keypoints2D(xy, skeleton="coco17", fps=30.0, image_size=SIZE), checkpoint)
    lifted = np.isfinite(poses.xyz[:, 0]).all((-1, -2))
    assert not lifted[:20].any()
    assert lifted[20:100].all()
    assert not lifted[100:140].any()
    assert lifted[140:].all()
    assert (poses.confidence[60:66] == 0).all()


def test_unseen_joints_are_lifted_with_confidence_zero(checkpoint: Path) -> None:
    keypoints = walker()
    xy = keypoints.xy.copy()
    legs = [COCO17.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle")]
    xy[:, :, legs] = np.nan
    poses = lift(Keypoints2D(xy, skeleton="coco17", fps=30.0, image_size=SIZE), checkpoint)
    knee = H36M17.index("left_knee")
    assert np.isfinite(poses.xyz[:, :, knee]).all()
    assert (poses.confidence[:, :, knee] == 0).all()
    assert poses.reprojection_error is not None
    assert np.isnan(poses.reprojection_error[:, :, knee]).all()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_clips_shorter_than_the_receptive_field(checkpoint: Path, frames: int) -> None:
    assert np.isfinite(lift(walker(frames=frames), checkpoint).xyz).all()


def test_unknown_rate_and_image_size_are_stated(checkpoint: Path) -> None:
    known = walker()
    keypoints = Keypoints2D(known.xy, skeleton="coco17")
    steps = " ".join(lift(keypoints, checkpoint).provenance["steps"])
    assert "frame rate unknown" in steps
    assert "image size unknown" in steps


def test_known_camera_is_used_with_its_distortion(checkpoint: Path) -> None:
    """Distorted keypoints with the camera's distortion, or ideal ones without, are the same thing."""
    K = np.array([[1100.0, 0, 640], [0, 1100.0, 360], [0, 0, 1]])
    ideal = Camera(K, image_size=SIZE)
    lens = Camera(K, distortion=[-0.2, 0.05, 0.001, -0.001, 0], image_size=SIZE)
    keypoints = walker()
    plane = ideal.unproject(keypoints.xy)
    bent = lens.project(np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1))
    distorted = Keypoints2D(bent, skeleton="coco17", fps=30.0, image_size=SIZE)
    expected = lift(keypoints, checkpoint, camera=ideal)
    result = lift(distorted, checkpoint, camera=lens)
    np.testing.assert_allclose(result.xyz, expected.xyz, atol=2e-3)
    assert result.reprojection_error is not None
    assert expected.reprojection_error is not None
    np.testing.assert_allclose(
        np.nanmedian(result.reprojection_error), np.nanmedian(expected.reprojection_error), rtol=0.1
    )


def test_progress_reaches_the_end(checkpoint: Path) -> None:
    calls: list[tuple[int, int]] = []
    lift(walker(), checkpoint, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (90, 90)


def test_input_that_cannot_be_lifted_says_why(checkpoint: Path, videopose: Path) -> None:
    keypoints = walker()
    with pytest.raises(ShapeError, match="nothing to lift"):
        lift(keypoints.select(slice(0, 0)), checkpoint)
    with pytest.raises(ShapeError, match="every keypoint"):
        lift(Keypoints2D(np.full((5, 1, 17, 2), np.nan), skeleton="coco17"), checkpoint)
    mouse = custom_skeleton(["snout", "tail_base", "left_paw"], "mouse")
    with pytest.raises(SkeletonError):
        lift(Keypoints2D(np.ones((5, 1, 3, 2)), skeleton=mouse), checkpoint)
    with pytest.raises(Lift3DError, match="stature"):
        lift(keypoints, checkpoint, height=170)
    with pytest.raises(Lift3DError, match="pixels"):
        lift(keypoints, checkpoint, camera=Camera.assumed((640, 480)))
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        lift(keypoints, "nowhere.safetensors")
    with pytest.raises(SkeletonError, match="size of the images"):
        lift(Keypoints2D(keypoints.xy, skeleton="coco17"), videopose)
    xy = keypoints.xy.copy()
    xy[:, :, 3] = np.nan
    with pytest.raises(SkeletonError, match="left_ear"):
        lift(Keypoints2D(xy, skeleton="coco17", image_size=SIZE), videopose)


def test_public_name_is_this_function() -> None:
    import lift3d

    assert lift3d.lift is lift_function


def test_a_network_that_treats_the_sides_alike_needs_no_mirrored_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(2)
    config: dict[str, Any] = {
        "joints_in": 24, "features_in": 3, "skeleton": "lifter23", "filter_widths": [3, 3], "channels": 8,
        "sigma": True,
    }  # fmt: skip
    network = MirrorConvolution(MirrorConvolutionConfig(**config)).eval()
    torch.nn.init.normal_(network.shrink.weight, std=0.1)
    info = CheckpointInfo("mirror_convolution", config, "lifter23", "h36m17", "person", 30.0, 1.7)
    save_checkpoint(network, info, tmp_path / "mirror.safetensors")
    keypoints = walker(people=2)
    once = lift(keypoints, tmp_path / "mirror.safetensors")
    monkeypatch.setattr(MirrorConvolution, "mirror_equivariant", False)
    twice = lift(keypoints, tmp_path / "mirror.safetensors")
    assert once.covariance is not None
    assert twice.covariance is not None
    np.testing.assert_allclose(once.xyz, twice.xyz, atol=1e-4)
    np.testing.assert_allclose(once.covariance, twice.covariance, atol=1e-4)

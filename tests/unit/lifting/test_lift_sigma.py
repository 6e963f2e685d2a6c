"""Error bars of lifted poses: covariances that are known in closed form, and every architecture through ``lift``."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lift3d.errors import CheckpointError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.lifting import describe, lift
from lift3d.lifting.refinement import ADDED_SIGMA
from lift3d.lifting.relative import mean_with_mirrored
from lift3d.models import CheckpointInfo, save_checkpoint
from lift3d.models.factory import make_network
from lift3d.models.heads import FIRST_SIGMA
from lift3d.models.network import Lifted
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import COCO17, H36M17

SIZE = (1280, 720)
K = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
CAMERA = Camera(K, image_size=SIZE, name="front")
# (to its left, down) from the middle of the hips, metres, of a person who faces the camera.
PERSON = {
    "nose": (0, -0.65), "eye": (0.03, -0.68), "ear": (0.07, -0.67), "shoulder": (0.17, -0.48), "elbow": (0.25, -0.22),
    "wrist": (0.25, 0.03), "hip": (0.1, 0), "knee": (0.1, 0.42), "ankle": (0.1, 0.84),
}  # fmt: skip
SMALL: dict[str, dict[str, Any]] = {
    "temporal_convolution": {"filter_widths": [3, 3], "channels": 12},
    "graph_convolution": {"filter_widths": [3, 3], "channels": 4},
    "graph_transformer": {"layers": 1, "channels": 8, "heads": 2, "representation": 8, "frames": 9},
    "recurrent": {"channels": 8, "frames": 9, "both_ways": True},
    "residual_mlp": {"channels": 16, "blocks": 1},
}


def person(frames: int = 40, fps: float = 30.0, sway: float = 0.05, offset: float = 0.0) -> Keypoints2D:
    """COCO-17 of a person 4 m before the camera, ``offset`` metres to its right, who sways to and fro."""
    points = np.empty((17, 2))
    for j, name in enumerate(COCO17.joints):
        left, down = PERSON[name.split("_")[-1]]
        points[j] = (-left if name.startswith("right") else left) + offset, down
    time = np.arange(frames)[:, None] / fps
    moved = points + sway * np.sin(2 * np.pi * time * np.linspace(0.3, 1.2, 17))[..., None]
    return Keypoints2D((moved * 900 / 4 + K[:2, 2])[:, None], skeleton="coco17", fps=fps, image_size=SIZE)


def make_checkpoint(
    path: Path,
    normalization: str = "image",
    architecture: str = "temporal_convolution",
    temperature: tuple[float, ...] | None = (1.0, 2.0, 3.0),
    sigma: bool = True,
    constant: bool = False,
    **changes: Any,
) -> Path:
    """A network of random weights; ``constant``: each sigma is FIRST_SIGMA, whatever the input."""
    torch.manual_seed(3)
    rows, features = (24, 3) if normalization == "person" else (17, 2)
    skeleton = "lifter23" if normalization == "person" else "coco17"
    config = {"joints_in": rows, "features_in": features, "sigma": sigma, **SMALL[architecture]}
    if architecture.startswith("graph"):
        config |= {"skeleton": skeleton}
    network = make_network(architecture, config | changes)
    with torch.no_grad():
        last = [module for module in network.modules() if isinstance(module, torch.nn.Linear | torch.nn.Conv1d)][-1]
        last.weight.normal_(std=0.05)
        if constant:
            assert architecture == "temporal_convolution"
            last.weight.unflatten(0, (17, 6))[:, 3:] = 0
    info = CheckpointInfo(
        architecture,
        asdict(network.config),  # type: ignore[call-overload]
        skeleton,
        "h36m17",
        normalization,
        30.0,
        1.7 if normalization == "person" else None,
        sigma={} if temperature is None else {"temperature": list(temperature), "interval_95": 2.5},
    )
    save_checkpoint(network, info, path)
    return path


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("image") / "image.safetensors", constant=True)


@pytest.fixture(scope="module")
def centred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("person") / "person.safetensors", "person", constant=True)


# Of the constant networks, along the network's axes, after calibration and refinement.
VARIANCE = (FIRST_SIGMA * np.array([1.0, 2.0, 3.0])) ** 2 + ADDED_SIGMA**2


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0, 100.0])
def test_constant_sigma_gives_the_known_covariance(image: Path, fps: float) -> None:
    """The axes of an image network are the camera's; averaging passes and interleaved clips changes no constant."""
    poses = lift(person(fps=fps), image, CAMERA)
    assert poses.covariance is not None
    assert poses.sigma is not None
    expected = np.broadcast_to(np.diag(VARIANCE), (40, 1, 16, 3, 3))
    np.testing.assert_allclose(poses.covariance[:, :, 1:], expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(poses.sigma[:, :, 1:], np.sqrt(VARIANCE.mean()), rtol=1e-4)
    # The root is where it is relative to itself.
    assert (poses.covariance[:, :, 0] == 0).all()
    assert (poses.sigma[:, :, 0] == 0).all()


@pytest.mark.parametrize("offset", [-1.5, 0.0, 1.2])
def test_covariance_is_turned_to_the_axes_of_the_camera(centred: Path, offset: float) -> None:
    """The network looks at the middle of the trunk: depth is along that line of sight, x level, y square to both."""
    poses = lift(person(sway=0, offset=offset), centred, CAMERA)
    assert poses.covariance is not None
    # Hips at height 0, shoulders at -0.48, so the trunk's middle is at -0.24; 4 m away.
    depth = np.array([offset, -0.24, 4.0]) / np.linalg.norm([offset, -0.24, 4.0])
    level = np.array([depth[2], 0, -depth[0]]) / np.hypot(depth[0], depth[2])
    across = np.cross(depth, level)
    expected = sum(v * np.outer(axis, axis) for v, axis in zip(VARIANCE, (level, across, depth), strict=True))
    np.testing.assert_allclose(
        poses.covariance[:, 0, 1:], np.broadcast_to(expected, (40, 16, 3, 3)), rtol=2e-3, atol=1e-4
    )
    np.testing.assert_allclose(poses.sigma[:, :, 1:], np.sqrt(VARIANCE.mean()), rtol=1e-4)  # type: ignore[index]


@pytest.mark.parametrize("kind", ["image", "centred"])
def test_a_person_of_twice_the_height_has_twice_the_sigma(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    small, tall = (lift(person(), path, CAMERA, height) for height in (1.0, 2.0))
    np.testing.assert_allclose(tall.sigma, 2 * small.sigma, rtol=1e-5)  # type: ignore[operator]
    np.testing.assert_allclose(tall.covariance, 4 * small.covariance, rtol=1e-5)  # type: ignore[operator]


def test_mean_with_the_mirrored_pass_by_hand() -> None:
    """Left and right change places, x its sign; variances are averaged."""
    left, right = H36M17.index("left_wrist"), H36M17.index("right_wrist")
    joints = torch.zeros(2, 1, 17, 3)
    joints[0, 0, left] = torch.tensor([0.3, 0.1, 0.5])
    joints[1, 0, right] = torch.tensor([-0.5, 0.3, 0.1])
    sigma = torch.ones(2, 1, 17, 3)
    sigma[0, 0, left], sigma[1, 0, right] = 0.1, 0.7
    mean = mean_with_mirrored(Lifted(joints, sigma), H36M17)
    torch.testing.assert_close(mean.joints[0, 0, left], torch.tensor([0.4, 0.2, 0.3]))
    assert mean.sigma is not None
    torch.testing.assert_close(mean.sigma[0, 0, left], torch.full((3,), 0.5))
    assert mean.sigma.shape == (1, 1, 17, 3)
    assert mean_with_mirrored(Lifted(joints), H36M17).sigma is None


def test_sigma_is_missing_where_the_pose_is(image: Path, centred: Path) -> None:
    xy = person(frames=120).xy.copy()
    xy[:30] = np.nan
    clip = Keypoints2D(xy, skeleton="coco17", fps=30.0, image_size=SIZE)
    for path in (image, centred):
        poses = lift(clip, path, CAMERA)
        absent = np.isnan(poses.xyz[..., 0])
        assert absent[:15].all()
        assert not absent[30:].any()
        assert np.array_equal(np.isnan(poses.sigma), absent)
        assert np.array_equal(np.isnan(poses.covariance).any((-1, -2)), absent)


@pytest.mark.parametrize("normalization", ["image", "person"])
@pytest.mark.parametrize("architecture", SMALL)
def test_every_architecture_lifts_whatever_the_chunks(
    architecture: str, normalization: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_checkpoint(tmp_path / "net.safetensors", normalization, architecture)
    clip = person(frames=90, fps=60.0)
    whole = lift(clip, path, CAMERA)
    assert np.isfinite(whole.xyz).all()
    assert whole.sigma is not None
    # It does look at its input.
    assert float(whole.sigma[:, :, 1:].std()) > 1e-4
    monkeypatch.setattr(__import__("sys").modules["lift3d.lifting.lift"], "CHUNK_FRAMES", 37)
    pieces = lift(clip, path, CAMERA)
    np.testing.assert_allclose(pieces.covariance, whole.covariance, rtol=1e-3, atol=1e-6)
    # Bones and places in space, which random weights leave badly determined, follow small differences.
    np.testing.assert_allclose(pieces.xyz, whole.xyz, atol=1e-3)


def test_covariance_may_be_drawn_and_saved(centred: Path, tmp_path: Path) -> None:
    """Symmetric, no negative variance, and the same after a file."""
    poses = lift(person(), centred, CAMERA)
    assert poses.covariance is not None
    np.testing.assert_allclose(poses.covariance, poses.covariance.swapaxes(-1, -2), atol=1e-7)
    assert np.linalg.eigvalsh(poses.covariance.astype(np.float64)).min() > -1e-8
    poses.save(tmp_path / "poses.h5")
    loaded = Poses3D.load(tmp_path / "poses.h5")
    np.testing.assert_array_equal(loaded.covariance, poses.covariance)
    np.testing.assert_array_equal(loaded.sigma, poses.sigma)


def test_what_the_summary_says(image: Path, tmp_path: Path) -> None:
    summary = describe(lift(person(), image, CAMERA))
    assert summary["median_sigma_metres"] == pytest.approx(np.sqrt(VARIANCE.mean()), abs=1e-4)
    assert any("relative to the pelvis" in note and "2.5 sigma hold 95 %" in note for note in summary["notes"])
    raw = describe(lift(person(), make_checkpoint(tmp_path / "raw.safetensors", temperature=None), CAMERA))
    assert any("not calibrated" in note for note in raw["notes"])
    plain = lift(person(), make_checkpoint(tmp_path / "plain.safetensors", sigma=False, temperature=None), CAMERA)
    assert plain.sigma is None
    assert plain.covariance is None
    assert describe(plain)["median_sigma_metres"] is None
    assert not any("error bars" in note for note in describe(plain)["notes"])


def test_networks_that_do_not_fit_their_normalization(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "three.safetensors", features_in=3)
    with pytest.raises(CheckpointError, match=r"three.safetensors.*2 numbers a joint.*reads 3"):
        lift(person(), path, CAMERA)
    network = make_network("residual_mlp", {"joints_in": 18, "features_in": 3, **SMALL["residual_mlp"]})
    info = CheckpointInfo("residual_mlp", asdict(network.config), "coco17", "h36m17", "person", 30.0)  # type: ignore[call-overload]
    save_checkpoint(network, info, tmp_path / "odd.safetensors")
    with pytest.raises(SkeletonError, match="lifter23"):
        lift(person(), tmp_path / "odd.safetensors", CAMERA)

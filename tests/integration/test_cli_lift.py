"""``lift3d lift``, ``demo`` and the checkpoint commands, with a small network of random weights."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import lift3d

from lift3d.demo import CLIP
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.models import CheckpointInfo, list_checkpoints, save_checkpoint
from lift3d.models.factory import make_network
from lift3d.poses import Keypoints2D, Poses3D


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of 9 frames in the form of the default one."""
    import torch

    torch.manual_seed(0)
    config = {"joints_in": 24, "features_in": 3, "filter_widths": [3, 3], "channels": 16}
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    info = CheckpointInfo("temporal_convolution", config, "lifter23", "h36m17", "person", fps=60, card={"data": "none"})
    save_checkpoint(make_network("temporal_convolution", config), info, path)
    return path


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rig") / "rig.toml"
    K = np.array([[1680.0, 0, 544], [0, 1680, 960], [0, 0, 1]])
    Rig(tuple(Camera(K, image_size=(1088, 1920), name=name) for name in ("cam01", "cam02"))).save(path)
    return path


def test_lift_writes_poses_and_a_picture(weights: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "out.h5", tmp_path / "out.png"
    result = lift3d("lift", CLIP, "-o", out, "--checkpoint", weights, "--height", 1.8, "--picture", picture)
    assert result.exit_code == 0, result.output
    assert f"{out}: written" in result.stdout
    poses = Poses3D.load(out)
    assert poses.xyz.shape == (100, 1, 17, 3)
    assert (poses.fps, poses.space, poses.skeleton.name) == (60, "camera", "h36m17")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_summary_for_machines(weights: Path, tmp_path: Path) -> None:
    result = lift3d("lift", CLIP, "-o", tmp_path / "out.npz", "--checkpoint", weights, "--json")
    summary = json.loads(result.stdout)
    assert summary["frames"] == 100
    assert summary["output"] == [str(tmp_path / "out.npz")]
    assert summary["reprojection_error_pixels"] > 0


@pytest.fixture(scope="module")
def weights_with_sigma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with error bars of 0.1 m across and 0.3 m in depth."""
    import torch

    torch.manual_seed(0)
    config = {"joints_in": 24, "features_in": 3, "filter_widths": [3, 3], "channels": 16, "sigma": True}
    path = tmp_path_factory.mktemp("weights") / "sigma.safetensors"
    calibration = {"temperature": [1.0, 1.0, 3.0], "interval_68": 1.0, "interval_95": 2.2}
    info = CheckpointInfo("temporal_convolution", config, "lifter23", "h36m17", "person", fps=60, sigma=calibration)
    save_checkpoint(make_network("temporal_convolution", config), info, path)
    return path


def test_error_bars_go_all_the_way(weights_with_sigma: Path, tmp_path: Path) -> None:
    """In the summary, the file, the picture and the angles."""
    out = tmp_path / "out.h5"
    result = lift3d("lift", CLIP, "-o", out, "--checkpoint", weights_with_sigma)
    assert result.exit_code == 0, result.output
    assert "median standard deviation 19" in result.stdout
    assert "2.2 sigma hold 95 %" in result.stdout
    again = ("lift", CLIP, "-o", out, "--checkpoint", weights_with_sigma, "--overwrite", "--json")
    assert json.loads(lift3d(*again).stdout)["median_sigma_metres"] == pytest.approx(0.19, abs=0.01)
    poses = Poses3D.load(out)
    assert poses.covariance is not None
    assert poses.sigma is not None
    np.testing.assert_allclose(poses.sigma**2 * 3, np.trace(poses.covariance, axis1=-2, axis2=-1), rtol=1e-4)
    plain, barred = tmp_path / "plain.png", tmp_path / "barred.png"
    for picture, sigma in ((plain, 0), (barred, 1)):
        result = lift3d("view", out, "-o", picture, "--renderer", "matplotlib", "--sigma", sigma, "--size", "320x240")
        assert result.exit_code == 0, result.output
    assert plain.read_bytes() != barred.read_bytes()
    assert lift3d("analyze", out, "--table", tmp_path / "angles.csv", "--filter", "kalman").exit_code == 0
    assert lift3d("analyze", out, "--table", tmp_path / "angles.csv", "--overwrite").exit_code == 0
    assert "left_knee_flexion_sigma_deg" in (tmp_path / "angles.csv").read_text().partition("\n")[0]


def test_a_calibrated_camera(weights: Path, rig: Path, tmp_path: Path) -> None:
    result = lift3d("lift", CLIP, "-o", tmp_path / "out.h5", "--checkpoint", weights, "--camera", f"{rig}:cam02")
    assert result.exit_code == 0, result.output
    camera = Poses3D.load(tmp_path / "out.h5").camera
    assert camera is not None
    assert (camera.name, camera.K[0, 0]) == ("cam02", 1680)


def test_a_focal_length(weights: Path, tmp_path: Path) -> None:
    assert lift3d("lift", CLIP, "-o", tmp_path / "out.h5", "--checkpoint", weights, "--focal", 1700).exit_code == 0
    camera = Poses3D.load(tmp_path / "out.h5").camera
    assert camera is not None
    np.testing.assert_allclose(camera.K, [[1700, 0, 544], [0, 1700, 960], [0, 0, 1]])


def test_cameras_that_cannot_be(weights: Path, rig: Path, tmp_path: Path) -> None:
    lift = ("lift", CLIP, "-o", tmp_path / "out.h5", "--checkpoint", weights)
    for options, said in [
        (("--camera", rig), "cam01, cam02"),
        (("--camera", f"{rig}:cam07"), "cam07"),
        (("--camera", tmp_path / "nothing.toml"), "nothing.toml"),
        (("--camera", rig, "--focal", 1000), "--focal"),
        (("--focal", 0), "--focal"),
        (("--image-size", "wide"), "1920x1080"),
        (("--height", 40), "height"),
        (("--fps", -1), "fps"),
    ]:
        result = lift3d(*lift, *options)
        assert result.exit_code == 2, (options, result.output)
        assert said in result.stderr
        assert not (tmp_path / "out.h5").exists()


def test_a_focal_length_needs_the_image_size(weights: Path, tmp_path: Path) -> None:
    clip = Keypoints2D.load(CLIP)
    bare = tmp_path / "bare.h5"
    Keypoints2D(clip.xy, clip.confidence, clip.skeleton, clip.fps).save(bare)
    result = lift3d("lift", bare, "-o", tmp_path / "out.h5", "--checkpoint", weights, "--focal", 1700)
    assert result.exit_code == 2
    assert "--image-size" in result.stderr


def test_outputs_are_looked_at_before_the_work(weights: Path, tmp_path: Path) -> None:
    picture = tmp_path / "out.png"
    picture.write_text("mine")
    result = lift3d("lift", CLIP, "-o", tmp_path / "out.h5", "--checkpoint", weights, "--picture", picture)
    assert result.exit_code == 2
    assert not (tmp_path / "out.h5").exists()
    for name in ("out.xyz", "out", "no_folder/out.h5"):
        result = lift3d("lift", CLIP, "-o", tmp_path / name, "--checkpoint", weights)
        assert result.exit_code == 2
        assert name in result.stderr


def test_an_unknown_checkpoint(tmp_path: Path) -> None:
    result = lift3d("lift", CLIP, "-o", tmp_path / "out.h5", "--checkpoint", "nothing")
    assert result.exit_code == 2
    assert "nothing" in result.stderr


def test_the_command_is_interrupted(tmp_path: Path) -> None:
    """A real Ctrl-C while the command reads its input."""
    fifo = tmp_path / "input.json"
    os.mkfifo(fifo)
    arguments = ["convert", str(fifo), str(tmp_path / "out.h5"), "--format", "coco"]
    command = [sys.executable, "-m", "lift3d.cli.main", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts) as process:
        writer = open_when_read(fifo)
        time.sleep(0.5)  # until it waits for content: a signal just before that is seen only after it
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
            os.close(writer)
    assert process.returncode == 130
    assert "interrupted" in said
    assert list(tmp_path.iterdir()) == [fifo]


def heed_interrupts() -> None:
    """What a shell puts into the background, these tests perhaps, ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def open_when_read(fifo: Path) -> int:
    """A descriptor to write to the pipe, as soon as another process reads from it."""
    for _ in range(600):
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            time.sleep(0.05)
    raise TimeoutError("the command does not read its input")


def test_information_about_a_checkpoint(weights: Path) -> None:
    summary = json.loads(lift3d("info", weights, "--json").stdout)
    assert summary["kind"] == "checkpoint"
    assert (summary["input_skeleton"], summary["fps"], summary["card"]) == ("lifter23", 60, {"data": "none"})


def test_models_lists_what_ships() -> None:
    listed = json.loads(lift3d("models", "--json").stdout)["checkpoints"]
    assert [card["name"] for card in listed] == [card["name"] for card in list_checkpoints()]


def test_convert_checkpoint(tmp_path: Path) -> None:
    import torch

    torch.save({"model_pos": {}}, tmp_path / "empty.bin")
    (tmp_path / "noise.bin").write_bytes(b"\x80\x04noise")
    for name in ("empty.bin", "noise.bin", "nothing.bin"):
        result = lift3d("convert-checkpoint", tmp_path / name, tmp_path / "out.safetensors")
        assert result.exit_code == 2, result.output
        assert name in result.stderr
    shapes = {"expand_conv.weight": (8, 34, 3), "layers_conv.0.weight": (8, 8, 3), "layers_conv.1.weight": (8, 8, 1)}
    shapes |= {"shrink.weight": (51, 8, 1), "shrink.bias": (51,)}
    for norm in ("expand_bn", "layers_bn.0", "layers_bn.1"):
        shapes |= {f"{norm}.{name}": (8,) for name in ("weight", "bias", "running_mean", "running_var")}
    state = {name: torch.rand(shape) for name, shape in shapes.items()}
    state |= {name.replace("running_var", "num_batches_tracked"): torch.tensor(1) for name in shapes if "var" in name}
    torch.save({"epoch": 3, "model_pos": state}, tmp_path / "good.bin")
    arguments = ("convert-checkpoint", tmp_path / "good.bin", tmp_path / "out.safetensors", "--skeleton", "h36m17")
    result = lift3d(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["receptive_field"] == 9
    summary = json.loads(lift3d("info", tmp_path / "out.safetensors", "--json").stdout)
    assert summary["input_skeleton"] == "h36m17"
    assert lift3d(*arguments).exit_code == 2


@pytest.mark.skipif(not list_checkpoints(), reason="no default weights are installed")
def test_the_demo(tmp_path: Path) -> None:
    result = lift3d("demo", "-o", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {"balancing.h5", "balancing.png", "balancing.html"}
    poses = Poses3D.load(tmp_path / "demo" / "balancing.h5")
    assert np.isfinite(poses.xyz).all()
    assert (poses.xyz[..., 2] > 0).all()
    assert lift3d("demo", "-o", tmp_path / "demo").exit_code == 2

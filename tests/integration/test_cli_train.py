"""``lift3d train``: the smoke training, its check, its errors, Ctrl-C and going on."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from command_line import lift3d

from lift3d.models import load_checkpoint
from lift3d.training.curves import read_curves

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SMOKE = EXPERIMENTS / "smoke" / "smoke.yaml"
JOINTS = (
    "pelvis", "l_hip", "l_knee", "l_ankle", "l_toe_base", "r_hip", "r_knee", "r_ankle", "r_toe_base",
    "spine_low", "spine_mid", "neck_base", "head", "head_top", "l_shoulder", "l_elbow", "l_wrist", "r_shoulder",
    "r_elbow", "r_wrist",
)  # fmt: skip


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a motion file of two people who swing their limbs."""
    standing = {
        "pelvis": (0, 0, 0.95), "hip": (0.1, 0, 0.93), "knee": (0.1, 0.02, 0.5), "ankle": (0.1, 0, 0.08),
        "toe_base": (0.1, 0.15, 0.02), "spine_low": (0, 0, 1.05), "spine_mid": (0, 0, 1.2), "neck_base": (0, 0, 1.45),
        "head": (0, 0.03, 1.55), "head_top": (0, 0.03, 1.72), "shoulder": (0.18, 0, 1.42), "elbow": (0.2, 0, 1.14),
        "wrist": (0.2, 0.02, 0.9),
    }  # fmt: skip
    path = tmp_path_factory.mktemp("motion") / "people.h5"
    time = np.arange(600) / 60
    with h5py.File(path, "w") as file:
        file.attrs["terms"] = "free"
        for number, subject in enumerate(("a", "b")):
            positions = np.zeros((len(time), len(JOINTS), 3), np.float32)
            for index, joint in enumerate(JOINTS):
                side = {"l_": -1.0, "r_": 1.0}.get(joint[:2], 0.0)
                place = np.array(standing[joint[2:] if side else joint]) * (side or 1.0, 1, 1)
                low = max(0.0, 1.4 - place[2]) if side else 0.0
                swing = 0.3 * low * np.sin(2 * np.pi * (1 + 0.2 * number) * time + (0 if side > 0 else np.pi))
                positions[:, index] = place + swing[:, None] * (0, 1, 0)
            group = file.create_group(f"clip_{subject}")
            group["positions"] = positions
            group.attrs.update({"joints": [name.encode() for name in JOINTS], "fps": 60.0, "subject": subject})
    return path.parent


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests may run side by side; the threads of several processes would wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def small(motion: Path, *more: str) -> list[str]:
    """Arguments of the smallest of trainings."""
    settings = [f"data.folder={motion}", "data.motion={people.h5: 1.0}", "model.settings.channels=16", "batch=8"]
    return [str(SMOKE), *(text for setting in [*settings, *more] for text in ("--set", setting))]


def test_the_smoke_training_learns(motion: Path, tmp_path: Path) -> None:
    changes = [] if (SMOKE.parent / "sample.h5").exists() else small(motion, "batch=64")[1:]
    result = lift3d("train", SMOKE, "-o", tmp_path / "run", *changes, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    rows = read_curves(tmp_path / "run" / "metrics.csv")
    assert float(rows[-1]["training/loss"]) < 0.7 * float(rows[0]["training/loss"])
    assert float(rows[-1]["validation/mpjpe"]) < float(rows[0]["validation/mpjpe"])
    assert summary["validation"]["mpjpe"] == pytest.approx(float(rows[-1]["validation/mpjpe"]), rel=1e-6)
    network, info = load_checkpoint(tmp_path / "run" / "best.safetensors")
    assert network.config.joints_in == 24
    assert (info.input_skeleton, info.output_skeleton, info.normalization) == ("lifter23", "h36m17", "person")
    assert info.card["configuration"]["steps"] == 200
    # What is published says nothing of the machine that trained.
    assert str(motion) not in json.dumps(info.card)


def test_check_prints_sizes_and_writes_nothing(motion: Path, tmp_path: Path) -> None:
    result = lift3d("train", *small(motion), "--check")
    assert result.exit_code == 0, result.output
    assert re.search(r"temporal_convolution: \d\.\d+ M parameters, \d\.\d+ M multiply-adds a frame", result.stdout)
    result = lift3d("train", *small(motion), "--check", "--json", "-o", tmp_path / "run")
    sizes = json.loads(result.stdout)
    assert (sizes["steps"], sizes["batch"], sizes["outputs"], sizes["input_frames"]) == (200, 8, 8, 16)
    assert sizes["poses"] == 200 * 8 * 8
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["optimizer.learning=1"], "field optimizer.learning: there is no such field; did you mean learning_rate?"),
        (["batch=7.5"], "field batch: "),
        (["losses.laplace=1"], "field losses.laplace: the network gives no standard deviations"),
        (["data.motion={none.h5: 1.0}"], "none.h5: there is no such motion file"),
        (["data.held_out=[c]"], "nobody called c; they have a, b"),
        (["data.held_out=[a, b]"], "no clip was kept"),
        (["model.settings.joints_in=17"], "leave joints_in, features_in and joints_out out"),
        (["precision=float16"], "float16"),
        (["model.start=none.safetensors"], "model.start: "),
        (["model.start=default"], "model.start: default is another network (mirror_convolution"),
    ],
)
def test_errors_come_before_training(motion: Path, tmp_path: Path, changes: list[str], message: str) -> None:
    result = lift3d("train", *small(motion, *changes), "-o", tmp_path / "run")
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_run_is_kept_resumed_and_begun_anew(motion: Path, tmp_path: Path) -> None:
    run = [*small(motion, "steps=20", "validate_every=10"), "-o", tmp_path / "run"]
    assert lift3d("train", *run).exit_code == 0
    weights = (tmp_path / "run" / "last.safetensors").read_bytes()
    result = lift3d("train", *run)
    assert result.exit_code == 2
    assert "--resume" in result.stderr
    result = lift3d("train", *run, "--set", "batch=16", "--resume")
    assert result.exit_code == 2
    assert "batch: 8, 16" in result.stderr
    # Its own configuration goes on with it, and there is nothing left to do.
    result = lift3d("train", tmp_path / "run" / "config.yaml", "-o", tmp_path / "run", "--resume")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == weights
    assert lift3d("train", *run, "--set", "seed=5", "--overwrite").exit_code == 0
    assert (tmp_path / "run" / "last.safetensors").read_bytes() != weights
    assert len(read_curves(tmp_path / "run" / "metrics.csv")) == 2
    assert lift3d("train", *run[:-2]).exit_code == 2


def test_training_begins_with_the_weights_of_a_checkpoint(motion: Path, tmp_path: Path) -> None:
    first = [*small(motion, "steps=20", "optimizer.ema=null"), "-o", tmp_path / "first"]
    assert lift3d("train", *first).exit_code == 0
    start = tmp_path / "first" / "last.safetensors"
    changes = ["steps=1", "optimizer.ema=null", "optimizer.learning_rate=1e-9", "optimizer.warmup_steps=0"]
    result = lift3d("train", *small(motion, *changes, f"model.start={start}"), "-o", tmp_path / "second")
    assert result.exit_code == 0, result.output
    weights, info = load_checkpoint(tmp_path / "second" / "last.safetensors")
    for name, value in load_checkpoint(start)[0].named_parameters():
        np.testing.assert_allclose(value.detach(), weights.state_dict()[name], atol=1e-6)
    assert info.card["configuration"]["model"]["start"] == "last.safetensors"


def test_ctrl_c_saves_and_says_how_to_go_on(motion: Path, tmp_path: Path) -> None:
    command: list[Any] = [sys.executable, "-m", "lift3d.cli.main", "train"]
    arguments = [*small(motion, "steps=100000", "validate_every=5"), "-o", str(tmp_path / "run")]
    child = subprocess.Popen(
        command + arguments, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert child.stderr is not None
    first = child.stderr.readline()
    assert re.match(r"step 5/100000: validation mpjpe [\d.]+, p_mpjpe [\d.]+ mm; loss", first)
    child.send_signal(signal.SIGINT)
    rest = child.stderr.read()
    assert child.wait(timeout=120) == 130, rest
    found = re.search(r"saved at step (\d+); .*--resume", rest)
    assert found is not None, rest
    assert "Traceback" not in rest
    import torch

    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert state["step"] == int(found[1])


def test_experiments_have_configurations_that_hold_together() -> None:
    from lift3d.training.config_files import read_config

    files = sorted(EXPERIMENTS.glob("*/*.yaml"))
    configurations = [path for path in files if "model:" in path.read_text()]
    assert SMOKE in configurations
    for path in configurations:
        read_config(path)

"""``lift3d evaluate CHECKPOINT --dataset SET``: a small network with sigma on a small set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import lift3d
from flat_people import recording, write_set

from lift3d.models.checkpoint import CheckpointInfo, checkpoint_info, load_checkpoint, save_checkpoint
from lift3d.models.factory import make_network


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [
        recording(f"{subject}/{take}", 60, k) for k, subject in enumerate(("S9", "S11")) for take in ("Walk", "Sit 1")
    ]
    return write_set(tmp_path_factory.mktemp("set") / "people.h5", clips, exclusions=("S11 'Jump' is left out",))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights with sigma: wrong, but always in the same way."""
    torch.manual_seed(0)
    config = {"filter_widths": [3, 3], "channels": 16, "sigma": True}
    network = make_network("temporal_convolution", config)
    path = tmp_path_factory.mktemp("checkpoint") / "small.safetensors"
    info = CheckpointInfo("temporal_convolution", config, "h36m17", "h36m17", "image", 50.0, card={"title": "small"})
    save_checkpoint(network.eval(), info, path)
    return path


def test_a_folder_with_numbers_words_and_pictures(checkpoint: Path, data_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    result = lift3d("evaluate", checkpoint, "--dataset", data_set, "-o", folder, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary == json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert set(summary["actions"]) == {"Walk", "Sit"}
    assert summary["frames"] == 240
    assert summary["coverage"]["fitted_on"] == "none: sigma as the network gives it"
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert pictures == ["actions.png", "coverage.png", "joints.png", *(f"worst_{k}.png" for k in (1, 2, 3, 4))]
    assert all((folder / name).read_bytes()[:4] == b"\x89PNG" for name in pictures)
    text = (folder / "report.md").read_text(encoding="utf-8")
    for words in ("mean of actions", "S11 'Jump'", "flip augmentation on", "small", "ground truth", "95 %"):
        assert words in text
    kept = (folder / "report.md").stat().st_mtime_ns
    again = lift3d("evaluate", checkpoint, "--dataset", data_set, "-o", folder)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    assert (folder / "report.md").stat().st_mtime_ns == kept
    assert (
        lift3d("evaluate", checkpoint, "--dataset", data_set, "-o", folder / "report.md", "--overwrite").exit_code == 0
    )
    assert (folder / "report.md").stat().st_mtime_ns > kept


def test_one_file_and_a_selection(checkpoint: Path, data_set: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    options = ("--subjects", "S9", "--actions", "Walk", "--no-flip", "--scale", "best", "--rules", "videopose3d")
    result = lift3d("evaluate", checkpoint, "--dataset", data_set, *options, "-o", output)
    assert result.exit_code == 0, result.output
    values = json.loads(output.read_text(encoding="utf-8"))
    assert (values["frames"], values["subjects"], values["flip"]) == (60, ["S9"], False)
    assert (values["scale"]["name"], values["rules"]["name"]) == ("best", "videopose3d")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_calibration_of_sigma(checkpoint: Path, data_set: Path, tmp_path: Path) -> None:
    calibrated = tmp_path / "calibrated.safetensors"
    result = lift3d("evaluate", checkpoint, "--dataset", data_set, "--calibrate-sigma", calibrated, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["calibrated_coverage"]["fitted_on"].startswith("each person by the fit on the others (2 people")
    info = checkpoint_info(calibrated)
    assert info.card["sigma calibrated on"] == ["S9", "S11"]
    assert info.sigma["interval_68"] == 1.0
    assert info.sigma["temperature"] == summary["calibrated_coverage"]["calibration"]["temperature"]
    old, new = (load_checkpoint(path)[0].state_dict() for path in (checkpoint, calibrated))
    assert all(torch.equal(old[name], new[name]) for name in old)
    # On the people that it was fitted on, the new error bars hold what they say.
    again = json.loads(lift3d("evaluate", calibrated, "--dataset", data_set, "--json").stdout)["coverage"]
    assert again["fitted_on"] == "that of the checkpoint"
    assert list(again["pooled"].values()) == pytest.approx(list(again["nominal"].values()), abs=0.5)
    before = json.loads(lift3d("evaluate", checkpoint, "--dataset", data_set, "--json").stdout)["coverage"]
    assert before["expected_calibration_error_points"] > 5
    assert lift3d("evaluate", checkpoint, "--dataset", data_set, "--calibrate-sigma", calibrated).exit_code == 2
    one = lift3d(
        "evaluate",
        checkpoint,
        "--dataset",
        data_set,
        "--subjects",
        "S9",
        "--calibrate-sigma",
        tmp_path / "one.safetensors",
    )
    assert "nothing is held out" in one.stdout


def test_error_bars_of_placed_poses(checkpoint: Path, data_set: Path) -> None:
    arguments = ("evaluate", checkpoint, "--dataset", data_set, "--json")
    own, placed = (json.loads(lift3d(*arguments, *more).stdout) for more in ((), ("--placed",)))
    # lift3d.lift refines the poses and says that it did with somewhat other error bars, of the same size.
    for axis, sigma in placed["coverage"]["mean_sigma_mm"].items():
        assert 0.5 < sigma / own["coverage"]["mean_sigma_mm"][axis] < 2
    assert placed["coverage"]["coordinates"] == own["coverage"]["coordinates"]


def test_the_weights_that_ship_placed_in_space(data_set: Path) -> None:
    arguments = ("evaluate", "default", "--dataset", data_set, "--subjects", "S9", "--actions", "Walk", "--json")
    placed = lift3d(*arguments, "--placed")
    assert placed.exit_code == 0, placed.output
    values, own = json.loads(placed.stdout), json.loads(lift3d(*arguments).stdout)
    # Figures without depth are 4 m away: the root is found to within a few decimetres, whatever the pose.
    assert 0 < values["mean_of_frames"]["root"] < 800
    assert own["mean_of_frames"]["root"] is None
    assert values["placed"]
    assert 0 < own["mean_of_frames"]["p_mpjpe"] < 250
    # The true stature scales the poses, and with them their distance.
    tall = json.loads(lift3d(*arguments, "--placed", "--scale", "height").stdout)["mean_of_frames"]
    ratio = tall["p_mpjpe"] / values["mean_of_frames"]["p_mpjpe"]
    assert ratio == pytest.approx(1, abs=1e-3)  # alignment removes scale
    assert not np.isclose(tall["mpjpe"], values["mean_of_frames"]["mpjpe"], rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dataset", "SET", "TRUTH"), "give two files"),
        ((), "give two files"),
        (("TRUTH", "--rules", "plain"), "go with --dataset"),
        (("--dataset", "SET", "--camera", "rig.toml:a"), "brings its cameras"),
        (("--dataset", "SET", "--placed", "--calibrate-sigma", "x.safetensors"), "leave out --placed"),
        (("--dataset", "SET", "--subjects", "S1"), "no subject S1"),
        (("--dataset", "SET", "--rules", "motionbert"), "human36m"),
        (("--dataset", "SET", "--scale", "height"), "known stature"),
        (("--dataset", "SET", "-o", "report.docx"), "a folder"),
        (("--dataset", "SET", "--calibrate-sigma", "out.bin"), ".safetensors"),
        (("--dataset", "missing.h5"), "missing.h5"),
    ],
)
def test_usage(
    checkpoint: Path,
    data_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"SET": str(data_set), "TRUTH": "truth.h5"}
    result = lift3d("evaluate", checkpoint, *(names.get(option, option) for option in options))
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_is_none(data_set: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.safetensors").write_bytes(b"noise")
    for name in (tmp_path / "noise.safetensors", tmp_path / "absent.safetensors"):
        result = lift3d("evaluate", name, "--dataset", data_set)
        assert result.exit_code == 2
        assert name.name in result.stderr


def trajectory_beside(checkpoint: Path) -> Path:
    """A root-trajectory network of random weights where that of a checkpoint would be."""
    torch.manual_seed(1)
    config = {"filter_widths": [3, 3], "channels": 16, "joints_out": 1}
    path = checkpoint.with_name(f"{checkpoint.stem}_trajectory.safetensors")
    info = CheckpointInfo("temporal_convolution", config, "h36m17", "h36m17", "image", 50.0, output="root")
    save_checkpoint(make_network("temporal_convolution", config).eval(), info, path)
    return path


def test_the_root_of_a_trajectory_network(checkpoint: Path, data_set: Path, tmp_path: Path) -> None:
    def evaluate(*more: object) -> dict[str, Any]:
        result = lift3d("evaluate", *more, "--dataset", data_set, "--json")
        assert result.exit_code == 0, result.output
        values: dict[str, Any] = json.loads(result.stdout)
        return values

    lifter = tmp_path / "small.safetensors"
    lifter.write_bytes(checkpoint.read_bytes())
    without = evaluate(lifter)
    assert (without["trajectory"], without["mean_of_frames"]["root"]) == (None, None)
    path = trajectory_beside(lifter)
    found, given = evaluate(lifter), evaluate(checkpoint, "--trajectory", path)
    # Random weights know nothing of the 4 m to the people.
    assert 3000 < found["mean_of_frames"]["root"] < 6000
    for name in ("mean_of_frames", "mean_of_actions", "actions"):
        assert found[name] == given[name]
    assert [values["trajectory"]["found_beside_checkpoint"] for values in (found, given)] == [True, False]
    assert {values["trajectory"]["path"] for values in (found, given)} == {str(path)}
    assert found["mean_of_frames"] == without["mean_of_frames"] | {"root": found["mean_of_frames"]["root"]}
    text = lift3d("evaluate", lifter, "--dataset", data_set).stdout
    assert "small_trajectory.safetensors, found beside the checkpoint; in camera space" in " ".join(text.split())
    # lift3d.lift has a place of its own.
    assert evaluate(lifter, "--placed")["trajectory"] is None


def test_networks_that_are_taken_for_each_other(checkpoint: Path, data_set: Path, tmp_path: Path) -> None:
    lifter = tmp_path / "small.safetensors"
    lifter.write_bytes(checkpoint.read_bytes())
    trajectory = trajectory_beside(lifter)
    for arguments, message in (
        ((trajectory, "--dataset", data_set), "small_trajectory.safetensors: a root-trajectory network"),
        ((lifter, "--dataset", data_set, "--trajectory", lifter), "small.safetensors: a lifter of poses"),
        ((lifter, "--dataset", data_set, "--trajectory", tmp_path / "none.safetensors"), "no such checkpoint"),
        ((lifter, "--dataset", data_set, "--placed", "--trajectory", trajectory), "--placed or --trajectory"),
    ):
        result = lift3d("evaluate", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1

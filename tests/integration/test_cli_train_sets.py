"""``lift3d train`` on prepared sets: supervised, semi-supervised, with hard examples."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import lift3d
from flat_people import recording, write_set

from lift3d.models import checkpoint_info
from lift3d.training.config_files import read_config
from lift3d.training.curves import read_curves
from lift3d.training.run import make_training

CONFIG: dict[str, Any] = {
    "model": {"architecture": "temporal_convolution", "settings": {"filter_widths": [3, 3], "channels": 16}},
    "data": {"source": "pose_set", "set": "set.h5", "training": ["A", "B"], "validation": ["C"]},
    "batch": 32,
    "outputs": 1,
    "epochs": 3,
    "optimizer": {"name": "adam", "amsgrad": True, "learning_rate": 5e-3, "schedule": "exponential"},
    "precision": "float32",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a prepared set of three people and a configuration."""
    folder = tmp_path_factory.mktemp("sets")
    people = [recording(f"{who}/{take}", 80 + 7 * k, seed=k) for k, who in enumerate("ABC") for take in ("Walk", "Sit")]
    write_set(folder / "set.h5", people, training=("A", "B"), test=("C",))
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


@pytest.mark.parametrize(
    ("name", "changes", "figures"),
    [
        ("supervised", [], {"mpjpe"}),
        ("customary", ["data.training=[]", "data.validation=[]", "data.actions=[Walk]"], {"mpjpe"}),
        ("hard", ["augmentation.hard_examples=0.5", "augmentation.noise_pixels=2"], {"mpjpe"}),
        ("image", ["losses.reprojection=0.001", "outputs=4", "losses.velocity=1"], {"reprojection", "velocity"}),
        ("trajectory", ["trajectory=true"], {"trajectory"}),
        (
            "semi",
            ["trajectory=true", "data.unlabelled=set.h5", "data.unlabelled_subjects=[C]", "semi_supervision={}"],
            {"trajectory", "unlabelled_reprojection", "unlabelled_bone_length"},
        ),
    ],
)
def test_what_the_configuration_asks_for_is_trained(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, changes: list[str], figures: set[str]
) -> None:
    monkeypatch.chdir(folder)
    options = [text for change in changes for text in ("--set", change)]
    result = lift3d("train", "config.yaml", "-o", tmp_path / name, *options, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    rows = read_curves(tmp_path / name / "metrics.csv")
    assert len(rows) == 3
    assert {f"training/{figure}" for figure in figures} <= rows[-1].keys()
    assert float(rows[-1]["validation/mpjpe"]) < float(rows[0]["validation/mpjpe"])
    assert summary["steps"] == 3 * summary["steps_per_epoch"]
    info = checkpoint_info(tmp_path / name / "best.safetensors")
    assert (info.input_skeleton, info.output_skeleton, info.normalization, info.fps) == (
        "h36m17",
        "h36m17",
        "image",
        50,
    )
    assert info.card["held_out"] == ["C"]
    assert str(folder) not in json.dumps(info.card)
    again = lift3d("train", "config.yaml", "-o", tmp_path / name, *options, "--resume")
    assert again.exit_code == 0, again.output
    trajectory = tmp_path / name / "last_trajectory.safetensors"
    assert trajectory.exists() == ("trajectory" in figures) == ("trajectory" in summary)
    if "trajectory" in figures:
        evaluated = lift3d("evaluate", tmp_path / name / "last.safetensors", "--dataset", "set.h5", "--json")
        assert evaluated.exit_code == 0, evaluated.output
        values = json.loads(evaluated.stdout)
        assert values["trajectory"]["path"] == str(trajectory)
        # Nobody knows anything of the 4 m to the people at first.
        assert 0 < values["mean_of_actions"]["root"] < 3000
        described = checkpoint_info(trajectory)
        assert (described.output, described.card["held_out"]) == ("root", ["C"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.training=[A, Z]", "no subject Z; there are A, B, C"),
        ("data.actions=[Run]", "the action Run"),
        ("data.set=none.h5", "none.h5"),
        ("losses.oks=1", None),
        ("data.normalization=person", None),
    ],
)
def test_what_the_data_do_not_have_is_said_before_training(folder: Path, change: str, message: str | None) -> None:
    result = lift3d("train", folder / "config.yaml", "--check", "--set", change)
    assert result.exit_code == (0 if message is None else 2), result.output
    if message is not None:
        assert message in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_a_set_without_a_split_needs_names(tmp_path: Path) -> None:
    write_set(tmp_path / "set.h5", [recording("A/Walk", 40), recording("B/Walk", 40)], test=())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"data": {"source": "pose_set", "set": "set.h5"}}))
    result = lift3d("train", tmp_path / "config.yaml", "--check")
    assert result.exit_code == 2
    assert "data.training: " in result.stderr
    assert "name subjects of A, B" in result.stderr


def test_validation_of_one_pose_windows_shares_its_context(folder: Path) -> None:
    training = make_training(read_config(folder / "config.yaml"))
    assert training.source.batch(0).target.shape[1] == 1
    figures = training.validate(training.network)
    assert figures["mpjpe"] > 0
    assert figures == training.validate(training.network)

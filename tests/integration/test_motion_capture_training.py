"""Motion capture to a trained and evaluated lifter: lift3d prepare, train and evaluate, one after the other."""

import json
from pathlib import Path
from typing import Any

import h5py
from command_line import lift3d

from lift3d.training.curves import read_curves

SAMPLE = Path(__file__).parents[2] / "experiments" / "smoke" / "sample.h5"
CONFIGURATION = """
model:
  architecture: temporal_convolution
  settings: {filter_widths: [3, 3], channels: 16, dropout: 0.0}
data: {source: pose_set, set: people.h5, normalization: person}
batch: 32
outputs: 8
steps: 30
losses: {mpjpe: 1.0}
optimizer: {learning_rate: 3.0e-3, warmup_steps: 5}
validate_every: 15
"""


def summary_of(*arguments: object) -> dict[str, Any]:
    result = lift3d(*arguments, "--json")
    assert result.exit_code == 0, result.output
    summary: dict[str, Any] = json.loads(result.stdout)
    return summary


def test_motion_without_cameras_trains_a_lifter(tmp_path: Path) -> None:
    (tmp_path / "motion").mkdir()
    with h5py.File(SAMPLE) as sample, h5py.File(tmp_path / "motion" / "clips.h5", "w") as few:
        for clip in ("cmu_16_05", "cmu_16_57", "cmu_49_08"):
            sample.copy(clip, few)
    prepared = summary_of(
        "prepare", "motion_capture", tmp_path / "motion", tmp_path / "people.h5",
        "--cameras", "2", "--set", "fps=25", "--set", "held_out=49",
    )  # fmt: skip
    assert prepared["views"] == 2 * prepared["recordings"]
    assert prepared["test"] == ["49"]
    assert all(camera["pixels"] < 0.01 for camera in prepared["cameras"].values())
    (tmp_path / "training.yaml").write_text(CONFIGURATION)
    summary_of("train", tmp_path / "training.yaml", "-o", tmp_path / "run")
    rows = read_curves(tmp_path / "run" / "metrics.csv")
    assert float(rows[-1]["training/loss"]) < float(rows[0]["training/loss"])
    report = summary_of("evaluate", tmp_path / "run" / "best.safetensors", "--dataset", tmp_path / "people.h5")
    assert report["subjects"] == ["49"]

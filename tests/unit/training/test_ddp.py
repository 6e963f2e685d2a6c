"""Two processes (gloo) with the batch of one: the same gradients, and the same error after a short training."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_runs
import torch
from tiny_runs import CONFIG, make_training, run_tiny, without_dropout

from lift3d.errors import ConfigurationError
from lift3d.training.curves import read_curves
from lift3d.training.devices import make_fabric
from lift3d.training.processes import mean_over_processes


def run_two(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, tiny_runs.__file__, str(folder), "--devices", "2", *arguments],
        check=True,
        timeout=240,
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_first_gradients_are_those_of_one_process(tmp_path: Path) -> None:
    run_two(tmp_path / "two", "--frozen", "--no-dropout", "--steps", "1")
    config = replace(CONFIG, steps=1, optimizer=replace(CONFIG.optimizer, clip_norm=None))
    training = make_training(without_dropout(config), frozen=True)
    run_tiny(tmp_path / "one", training)
    found = torch.load(tmp_path / "two" / "gradients.pt", weights_only=True)
    for name, parameter in training.network.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-7, msg=name)


def test_a_short_training_ends_within_two_per_cent(tmp_path: Path) -> None:
    # Batch norms see half a batch each: the batch has to be large enough for its statistics.
    run_two(tmp_path / "two", "--steps", "120", "--batch", "256", "--no-dropout")
    one = run_tiny(tmp_path / "one", make_training(without_dropout(replace(CONFIG, steps=120, batch=256))))
    rows = [read_curves(tmp_path / name / "metrics.csv") for name in ("one", "two")]
    assert len(rows[0]) == len(rows[1]) == 12
    assert float(rows[0][-1]["validation/mpjpe"]) < 0.7 * float(rows[0][0]["validation/mpjpe"])
    assert float(rows[1][-1]["validation/mpjpe"]) == pytest.approx(one["validation"]["mpjpe"], rel=0.02)


def test_one_process_shares_with_nobody() -> None:
    assert float(mean_over_processes(torch.tensor(3.0))) == 3


def test_too_many_processes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="cores of this machine"):
        make_fabric("float32", 10_000)

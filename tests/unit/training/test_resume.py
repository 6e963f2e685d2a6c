"""A run that was killed, or interrupted, ends with exactly the weights of one that was not."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_runs
import torch
from tiny_runs import CONFIG, TinyBatches, make_training, run_tiny, weights_of
from torch import Tensor

from lift3d.training import trainer
from lift3d.training.batches import Batch
from lift3d.training.curves import read_curves
from lift3d.training.status import Interrupted, Status
from lift3d.training.trainer import Training


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def assert_same_run(first: Path, second: Path) -> None:
    expected, found = weights_of(first), weights_of(second)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
    states = [torch.load(folder / "state.pt", weights_only=True) for folder in (first, second)]
    assert states[0]["best"] == states[1]["best"]
    for one, other in zip(*(state["optimizer"]["state"].values() for state in states), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    # The curves are the same too, but for the clock.
    clock = {"seconds", "poses_per_second"}
    rows = [
        [
            {name: value for name, value in row.items() if name not in clock}
            for row in read_curves(folder / "metrics.csv")
        ]
        for folder in (first, second)
    ]
    assert rows[0] == rows[1]
    for name in ("last", "best"):
        assert (first / f"{name}.safetensors").read_bytes() == (second / f"{name}.safetensors").read_bytes()


def test_a_killed_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    run_tiny(tmp_path / "whole", make_training())
    child = subprocess.Popen(
        [sys.executable, tiny_runs.__file__, str(tmp_path / "cut"), "--delay", "0.05"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) >= 24:
            child.send_signal(signal.SIGKILL)
            break
    child.wait()
    child.stdout.close()
    assert child.returncode == -signal.SIGKILL
    # The child saved at its validations only, and was further than that.
    assert torch.load(tmp_path / "cut" / "state.pt", weights_only=True)["step"] == 20
    assert run_tiny(tmp_path / "cut", make_training(), resume=True)["steps"] == 40
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_an_interrupted_run_goes_on_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    def stop(status: Status) -> None:
        if status.step == 17:
            os.kill(os.getpid(), signal.SIGINT)

    run_tiny(tmp_path / "whole", make_training())
    with pytest.raises(Interrupted):
        run_tiny(tmp_path / "cut", make_training(), report=stop)
    run_tiny(tmp_path / "cut", make_training(), resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    # A run that is finished has nothing left to do.
    assert run_tiny(tmp_path / "cut", make_training(), resume=True)["steps"] == 40
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_batches_made_ahead_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_tiny(tmp_path / "whole", make_training())
    monkeypatch.setattr(trainer, "makes_batches_ahead", lambda device: True)
    threads: set[int] = set()

    class Watched(TinyBatches):
        def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
            threads.add(threading.get_ident())
            return super().batch(step, part, parts)

    def stop(status: Status) -> None:
        if status.step == 17:
            os.kill(os.getpid(), signal.SIGINT)

    def training() -> Training:
        return replace(make_training(), source=Watched(CONFIG.batch, CONFIG.outputs, 2, seed=1))

    with pytest.raises(Interrupted):
        run_tiny(tmp_path / "ahead", training(), report=stop)
    run_tiny(tmp_path / "ahead", training(), resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "ahead")
    assert threading.get_ident() not in threads


class Learning(TinyBatches):
    """Batches that depend on the errors that were observed before."""

    mines = True

    def __init__(self) -> None:
        super().__init__(16, 4, 2, seed=1)
        self.errors = torch.zeros(16)

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Any:
        batch = super().batch(step, part, parts)
        return replace(batch, weight=batch.weight * (1 + self.errors)[batch.index][:, None, None])

    def observe(self, index: Tensor, errors: Tensor) -> None:
        self.errors[index] += errors

    def state_dict(self) -> dict[str, Any]:
        return {"errors": self.errors.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.errors = state["errors"].clone()


def test_what_a_source_learned_is_part_of_the_state(tmp_path: Path) -> None:
    def stop(status: Status) -> None:
        if status.step == 17:
            os.kill(os.getpid(), signal.SIGINT)

    config = replace(CONFIG, optimizer=replace(CONFIG.optimizer, name="adam", amsgrad=True, ema=None))
    run_tiny(tmp_path / "whole", replace(make_training(config), source=Learning()))
    with pytest.raises(Interrupted):
        run_tiny(tmp_path / "cut", replace(make_training(config), source=Learning()), report=stop)
    learned = Learning()
    run_tiny(tmp_path / "cut", replace(make_training(config), source=learned), resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    assert (learned.errors > 0).all()

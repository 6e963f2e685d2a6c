"""The training loop: it learns, writes what it says, and stops where it must."""

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import CONFIG, TinyBatches, make_training, run_tiny, weights_of

from lift3d.errors import ConfigurationError, FileFormatError, Lift3DError, OutputExistsError
from lift3d.models import load_checkpoint
from lift3d.training.batches import Batch
from lift3d.training.config_files import find_differences, read_config
from lift3d.training.curves import Curves, read_curves
from lift3d.training.devices import choose_precision
from lift3d.training.interruption import catch_interruption
from lift3d.training.optimizers import make_optimizer
from lift3d.training.run_folder import RunFolder
from lift3d.training.status import Interrupted, Status
from lift3d.training.trainer import dropout_seed


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[Status]]:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    statuses: list[Status] = []
    summary = run_tiny(folder, make_training(), report=statuses.append)
    return folder, summary, statuses


def test_a_run_learns_and_leaves_its_files(finished: tuple[Path, dict[str, Any], list[Status]]) -> None:
    folder, summary, statuses = finished
    rows = read_curves(folder / "metrics.csv")
    assert [int(row["step"]) for row in rows] == [10, 20, 30, 40]
    assert float(rows[-1]["validation/mpjpe"]) < 0.8 * float(rows[0]["validation/mpjpe"])
    assert float(rows[-1]["training/loss"]) < 0.8 * float(rows[0]["training/loss"])
    assert float(rows[1]["epoch"]) == 1
    assert list(folder.glob("events.out.tfevents.*"))
    assert find_differences(read_config(folder / "config.yaml"), CONFIG) == [f"data.folder: {str(folder)!r}, '.'"]
    assert summary["steps"] == 40
    assert summary["best_mpjpe"] == min(
        float(f"{row}") for row in [s.validation["mpjpe"] for s in statuses if s.validation]
    )
    assert [status.step for status in statuses] == list(range(1, 41))
    assert statuses[-1].seconds_left == 0


def test_tensorboard_has_the_same_curve(finished: tuple[Path, dict[str, Any], list[Status]]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(finished[0]))
    board.Reload()
    rows = read_curves(finished[0] / "metrics.csv")
    for name in ("training/loss", "validation/mpjpe", "learning_rate"):
        events = board.Scalars(name)
        assert [event.step for event in events] == [10, 20, 30, 40]
        assert [event.value for event in events] == pytest.approx([float(row[name]) for row in rows], rel=1e-6)


def test_checkpoints_are_the_averaged_weights_and_usable(finished: tuple[Path, dict[str, Any], list[Status]]) -> None:
    folder, summary, _ = finished
    network, info = load_checkpoint(folder / "last.safetensors")
    saved = weights_of(folder)
    for name, value in network.state_dict().items():
        assert torch.equal(value, saved[f"average.{name}"])
    assert not torch.equal(saved["expand.weight"], saved["average.expand.weight"])
    assert make_training().validate(network)["mpjpe"] == pytest.approx(info.card["validation"]["mpjpe"])
    best, card = load_checkpoint(folder / "best.safetensors")
    assert make_training().validate(best)["mpjpe"] == pytest.approx(summary["best_mpjpe"])
    assert card.card["step"] in (10, 20, 30, 40)


class Poisoned(TinyBatches):
    """Batches that turn to NaN at a step."""

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        batch = super().batch(step, part, parts)
        return replace(batch, inputs=batch.inputs * torch.nan) if step == 25 else batch


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    training = make_training()
    poisoned = replace(training, source=Poisoned(16, 4, 2, seed=1))
    with pytest.raises(Lift3DError, match=r"step 25: loss and .*not finite.*learning_rate"):
        run_tiny(tmp_path / "run", poisoned)
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert state["step"] == 20
    assert all(value.isfinite().all() for value in state["network"].values())
    assert len(read_curves(tmp_path / "run" / "metrics.csv")) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_first(tmp_path: Path, number: signal.Signals) -> None:
    def stop(status: Status) -> None:
        if status.step == 13:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=r"step 1[34]") as caught:
        run_tiny(tmp_path / "run", make_training(), report=stop)
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == caught.value.step
    assert (tmp_path / "run" / "last.safetensors").exists()
    assert signal.getsignal(number) is before


def test_the_second_signal_does_not_wait_and_threads_are_left_alone() -> None:
    with catch_interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    asked = []

    def elsewhere() -> None:
        with catch_interruption() as interruption:
            asked.append(interruption.asked)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert asked == [False]


def test_a_folder_with_a_run_is_kept(finished: tuple[Path, dict[str, Any], list[Status]], tmp_path: Path) -> None:
    run, files = RunFolder(finished[0]), sorted(finished[0].iterdir())
    config = read_config(run.config)
    with pytest.raises(OutputExistsError, match=r"--resume.*--overwrite"):
        run.prepare(config)
    other = replace(config, batch=8, optimizer=replace(config.optimizer, learning_rate=1e-4))
    with pytest.raises(ConfigurationError, match=r"batch: 16, 8; optimizer.learning_rate: 0.02, 0.0001"):
        run.prepare(other, resume=True)
    with pytest.raises(ConfigurationError, match="give one of them"):
        run.prepare(config, resume=True, overwrite=True)
    assert sorted(finished[0].iterdir()) == files
    # Data that lie elsewhere now are the same data.
    run.prepare(replace(config, data=replace(config.data, folder="/elsewhere")), resume=True)  # type: ignore[call-arg]
    (tmp_path / "file").write_text("")
    with pytest.raises(Lift3DError, match="not a folder"):
        RunFolder(tmp_path / "file").check(config)


def test_overwrite_removes_the_run_and_nothing_else(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for path in (run.state, run.curves, run.best, run.last, tmp_path / "notes.txt", tmp_path / "events.out.tfevents.1"):
        path.write_text("")
    run.config.write_text("")
    run.prepare(CONFIG, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "notes.txt"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no", b"\x80\x04."])
def test_a_damaged_state_is_one_named_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(FileFormatError, match="state of a"):
        RunFolder(tmp_path).load_state()
    torch.save({"model_pos": 1}, tmp_path / "state.pt")
    with pytest.raises(FileFormatError, match="not the state of a training run"):
        RunFolder(tmp_path).load_state()


def test_curves_drop_what_comes_after_the_state_and_grow_columns(tmp_path: Path) -> None:
    curves = Curves(tmp_path / "metrics.csv")
    curves.write(5, {"loss": 2.0})
    curves.write(10, {"loss": 1.0, "mpjpe": 50.0})
    curves.write(15, {"loss": 0.5})
    curves.close()
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("20,0.")
    again = Curves(tmp_path / "metrics.csv", step=10)
    again.write(15, {"loss": 0.25, "mpjpe": 40.0})
    again.close()
    rows = read_curves(tmp_path / "metrics.csv")
    assert [(row["step"], row["loss"], row["mpjpe"]) for row in rows] == [
        ("5", "2", ""), ("10", "1", "50"), ("15", "0.25", "40"),
    ]  # fmt: skip


def test_optimizers_and_precisions_are_what_they_say() -> None:
    networks = [torch.nn.Linear(2, 1)]
    adam = make_optimizer(replace(CONFIG.optimizer, name="adam", amsgrad=True, weight_decay=0.1), networks, True)
    assert type(adam) is torch.optim.Adam
    assert adam.defaults["amsgrad"]
    assert adam.defaults["weight_decay"] == 0.1
    assert type(make_optimizer(CONFIG.optimizer, networks, False)) is torch.optim.AdamW
    assert choose_precision("float32", "cuda") == "float32"
    assert choose_precision("auto", "mps") == "float32"
    assert choose_precision("float16", "cuda") == "float16"
    with pytest.raises(ConfigurationError, match="float16"):
        choose_precision("float16", "cpu")


def test_dropout_differs_between_steps_and_processes_and_is_the_same_again() -> None:
    seeds = {dropout_seed(seed, step, rank) for seed in range(3) for step in range(20) for rank in range(3)}
    assert len(seeds) == 180
    assert dropout_seed(1, 2, 3) == dropout_seed(1, 2, 3)
    torch.manual_seed(max(seeds))


def test_bfloat16_trains_as_far_as_float32(tmp_path: Path) -> None:
    errors = {}
    for precision in ("float32", "bfloat16"):
        training = make_training(replace(CONFIG, precision=precision))  # type: ignore[arg-type]
        errors[precision] = run_tiny(tmp_path / precision, training)["best_mpjpe"]
        assert all(value.dtype != torch.bfloat16 for value in weights_of(tmp_path / precision).values())
    assert errors["bfloat16"] == pytest.approx(errors["float32"], rel=0.1)
    assert errors["bfloat16"] != errors["float32"]

"""The root-trajectory network of a run: its checkpoints, and a run that goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_runs import CONFIG, TinyBatches, make_training, run_tiny

from lift3d.errors import CheckpointError
from lift3d.lifting.lift import lift
from lift3d.models.checkpoint import CheckpointInfo, checkpoint_info, find_trajectory, load_checkpoint, save_checkpoint
from lift3d.models.factory import make_network
from lift3d.poses import Keypoints2D
from lift3d.skeletons import H36M17
from lift3d.training.batches import Batch
from lift3d.training.configuration import TrainingConfig
from lift3d.training.run_folder import RunFolder
from lift3d.training.status import Interrupted, Status
from lift3d.training.trainer import Training


class Placed(TinyBatches):
    """People whose root stands where their pelvis is seen, 4 m away."""

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        batch = super().batch(step, part, parts)
        seen = batch.inputs[:, self.context // 2 : self.context // 2 + self.outputs, 0]
        return replace(batch, root=torch.cat([4 * seen, torch.full_like(seen[..., :1], 4.0)], dim=-1))


def training(config: TrainingConfig = CONFIG) -> Training:
    """The tiny task with a root. (Its configuration names synthesised windows, which would not allow one.)"""
    poses = make_training(config)
    settings = {**config.model.settings, "joints_out": 1, "sigma": False}
    context = poses.network.config.past + poses.network.config.future
    return replace(
        poses,
        source=Placed(config.batch, config.outputs, context, seed=1),
        trajectory=make_network(config.model.architecture, settings),
        trajectory_info=replace(poses.info, config=settings, output="root", card={"title": "tiny root"}),
    )


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("ema", [0.9, None])
def test_each_checkpoint_has_its_trajectory_and_a_cut_run_ends_with_the_same(tmp_path: Path, ema: float | None) -> None:
    config = replace(CONFIG, optimizer=replace(CONFIG.optimizer, ema=ema))

    def stop(status: Status) -> None:
        if status.step == 17:
            os.kill(os.getpid(), signal.SIGINT)

    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    run_tiny(whole.path, training(config))
    with pytest.raises(Interrupted):
        run_tiny(cut.path, training(config), report=stop)
    run_tiny(cut.path, training(config), resume=True)
    for name in ("last", "best", "last_trajectory", "best_trajectory"):
        assert getattr(whole, name).read_bytes() == getattr(cut, name).read_bytes(), name
    # Averaged if the lifter is, and of the same step.
    state = torch.load(whole.state, weights_only=True)
    network, info = load_checkpoint(whole.last_trajectory, "root")
    expected = state["trajectory" if ema is None else "trajectory_average"]
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())
    assert not torch.equal(network.state_dict()["expand.weight"], load_checkpoint(whole.last)[0].expand.weight)
    assert (info.output, info.card["title"], network.config.joints_out) == ("root", "tiny root", 1)
    for lifter in (whole.last, whole.best):
        beside = find_trajectory(lifter)
        assert beside is not None
        assert checkpoint_info(beside).card["step"] == checkpoint_info(lifter).card["step"]
    # It learned where people are.
    batch = Placed(64, 4, network.config.past + network.config.future, seed=2).batch(0)
    assert batch.root is not None
    with torch.no_grad():
        error = (network(batch.inputs).joints[:, :, 0] - batch.root).norm(dim=-1).mean()
        first = training(config).trajectory
        assert first is not None
        before = (first.eval()(batch.inputs).joints[:, :, 0] - batch.root).norm(dim=-1).mean()
    assert error < 0.8 * before


def test_a_run_without_a_root_has_none_and_a_new_run_removes_it(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=2, validate_every=1)
    run = RunFolder(tmp_path / "run")
    run_tiny(run.path, training(config))
    assert run.last_trajectory.exists()
    run.prepare(config, overwrite=True)
    assert not run.last_trajectory.exists()
    assert not run.best_trajectory.exists()
    run_tiny(run.path, make_training(config), resume=True)
    assert run.last.exists()
    assert find_trajectory(run.last) is None
    assert find_trajectory("default") is None


def test_a_root_is_not_taken_for_a_pose_nor_a_pose_for_a_root(tmp_path: Path) -> None:
    run_tiny(tmp_path / "run", training(replace(CONFIG, steps=1, validate_every=1)))
    run = RunFolder(tmp_path / "run")
    keypoints = Keypoints2D(
        torch.rand(5, 1, 17, 2).numpy(), torch.ones(5, 1, 17).numpy(), skeleton=H36M17, fps=50.0, image_size=(100, 100)
    )
    with pytest.raises(CheckpointError, match=r"last_trajectory.safetensors: a root-trajectory network, .* no pose"):
        lift(keypoints, run.last_trajectory)
    with pytest.raises(CheckpointError, match=r"last.safetensors: a lifter of poses, not a root-trajectory network"):
        load_checkpoint(run.last, "root")


@pytest.mark.parametrize(
    ("joints", "output", "message"),
    [
        (17, "root", "gives 17 joints, but output 'root' is 1"),
        (1, "pose", "gives 1 joints"),
        (1, "place", "must be one"),
    ],
)
def test_descriptions_of_another_output(joints: int, output: str, message: str, tmp_path: Path) -> None:
    settings = {"joints_in": 17, "features_in": 2, "joints_out": joints, "filter_widths": (3,), "channels": 4}
    network = make_network("temporal_convolution", settings)

    def write() -> None:
        info = CheckpointInfo("temporal_convolution", settings, "h36m17", "h36m17", "image", 50.0, output=output)
        save_checkpoint(network, info, tmp_path / "net.safetensors")

    with pytest.raises(CheckpointError, match=message):
        write()

"""Training runs of a few steps of a tiny network on a made-up task; as a script, a run in a process of its own."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lift3d.evaluation.validation import make_validation
from lift3d.models import CheckpointInfo
from lift3d.models.factory import make_network
from lift3d.models.network import Lifter
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution
from lift3d.skeletons import H36M17
from lift3d.training.batches import Batch
from lift3d.training.configuration import Losses, ModelConfig, OptimizerConfig, SynthesisData, TrainingConfig
from lift3d.training.devices import make_fabric
from lift3d.training.objective import Objective
from lift3d.training.run_folder import RunFolder
from lift3d.training.status import Status
from lift3d.training.trainer import Trainer, Training

SETTINGS: dict[str, Any] = {
    "joints_in": 17, "features_in": 2, "joints_out": 17, "filter_widths": (3, 1), "channels": 16, "dropout": 0.1,
}  # fmt: skip
CONFIG = TrainingConfig(
    ModelConfig("temporal_convolution", SETTINGS),
    SynthesisData(motion={"none.h5": 1.0}),
    batch=16,
    outputs=4,
    steps=40,
    losses=Losses(mpjpe=1.0, velocity=0.5),
    optimizer=OptimizerConfig(learning_rate=2e-2, warmup_steps=5, norm_momentum=(0.2, 0.1), ema=0.9),
    precision="float32",
    validate_every=10,
)
# How the joints move with each degree of freedom, metres.
SHAPES = 0.2 * torch.randn(3, 51, generator=torch.Generator().manual_seed(0))


class TinyBatches:
    """Poses of three degrees of freedom, seen from the front; joints weigh differently, and some of it nobody can see.

    A batch depends on seed and step alone.
    """

    steps_per_epoch = 20

    def __init__(self, batch: int, outputs: int, context: int, seed: int, delay: float = 0.0) -> None:
        self.size, self.outputs, self.context, self.seed, self.delay = batch, outputs, context, seed, delay

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """A part of the batch of a step."""
        time.sleep(self.delay)
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence((self.seed, step)).generate_state(1)[0]))
        frames = self.outputs + self.context
        target = (torch.randn(self.size, frames, 3, generator=generator) @ SHAPES).unflatten(-1, (17, 3))
        seen = target[..., :2].clone()
        target += 0.05 * torch.randn(target.shape, generator=generator)
        weight = torch.rand(self.size, self.outputs, 17, generator=generator)
        middle = slice(self.context // 2, self.context // 2 + self.outputs)
        own = slice(self.size * part // parts, self.size * (part + 1) // parts)
        return Batch(seen[own], target[own, middle], weight[own], torch.arange(self.size)[own])


class FrozenNorms(TemporalConvolution):
    """Batch norms keep their running statistics."""

    def train(self, mode: bool = True) -> FrozenNorms:
        super().train(mode)
        for norm in self.norms():
            norm.eval()
        return self


def make_training(config: TrainingConfig = CONFIG, frozen: bool = False, delay: float = 0.0) -> Training:
    """A run of the tiny task; ``frozen``: its batch norms keep their statistics."""
    torch.manual_seed(config.seed)
    settings = dict(config.model.settings)
    network: Lifter
    if frozen:
        network = FrozenNorms(TemporalConvolutionConfig(**settings))
    else:
        network = make_network(config.model.architecture, settings)
    context = network.config.past + network.config.future
    return Training(
        config,
        network,
        TinyBatches(config.batch, config.outputs, context, seed=1, delay=delay),
        Objective(config.losses, H36M17),
        make_validation(TinyBatches(64, config.outputs, context, seed=2), 2),
        CheckpointInfo(config.model.architecture, settings, "h36m17", "h36m17", "image", 50.0, card={"title": "tiny"}),
    )


def without_dropout(config: TrainingConfig) -> TrainingConfig:
    """A configuration in which the processes' random numbers make no difference."""
    return replace(config, model=ModelConfig(config.model.architecture, {**config.model.settings, "dropout": 0.0}))


def run_tiny(
    folder: Path,
    training: Training,
    resume: bool = False,
    devices: int = 1,
    report: Any = lambda status: None,
) -> dict[str, Any]:
    """Train in a folder; the summary."""
    fabric = make_fabric(training.config.precision, devices)
    fabric.launch()
    run = RunFolder(folder)
    if fabric.is_global_zero:
        run.prepare(training.config, resume=resume)
    fabric.barrier()
    return Trainer(fabric, training, run, report).run()


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """The weights in a run's state, the averaged ones among them."""
    state = torch.load(folder / "state.pt", weights_only=True)
    averaged = {f"average.{name}": value for name, value in (state["average"] or {}).items()}
    return {**state["network"], **averaged}


def main() -> None:
    """Train in this process, and in others if asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=CONFIG.steps)
    parser.add_argument("--batch", type=int, default=CONFIG.batch)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--no-dropout", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optimizer = replace(CONFIG.optimizer, clip_norm=None) if arguments.frozen else CONFIG.optimizer
    config = replace(CONFIG, steps=arguments.steps, batch=arguments.batch, optimizer=optimizer)
    if arguments.no_dropout:
        config = without_dropout(config)
    training = make_training(config, arguments.frozen, arguments.delay)

    def say(status: Status) -> None:
        print(status.step, flush=True)

    run_tiny(arguments.folder, training, devices=arguments.devices, report=say)
    gradients = {name: parameter.grad for name, parameter in training.network.named_parameters()}
    if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
        torch.save(gradients, arguments.folder / "gradients.pt")


if __name__ == "__main__":
    main()

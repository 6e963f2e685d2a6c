"""The training loop: schedule, checkpoints that resume, a log that can be plotted."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from lift3d.io.files import atomic_path
from lift3d.models.temporal_convolution.modeling import TemporalConvolution
from lift3d.skeletons import LIFTER23
from lift3d.training.losses import joint_error, velocity_error
from lift3d.training.synthesis import WindowSynthesizer


@dataclass(frozen=True)
class TrainingConfig:
    """How a lifter is trained on synthesized windows.

    Attributes:
        steps: optimizer steps.
        batch: windows a step; many short windows train far better than few long ones, whose frames are alike.
        outputs: output frames a window (its input is longer by the receptive field).
        learning_rate: peak of a cosine schedule that ends at a hundredth of it.
        warmup: steps over which the learning rate rises.
        weight_decay: of AdamW.
        velocity_weight: weight of the velocity error beside the joint error.
        unseen_weight: weight of joints that the detector lost, beside 1 for the others.
        norm_momentum: (first, last) momentum of batch norms, decaying exponentially.
        seed: of weights, windows and dropout.
    """

    steps: int
    batch: int = 96
    outputs: int = 32
    learning_rate: float = 1.5e-3
    warmup: int = 300
    weight_decay: float = 1e-4
    velocity_weight: float = 1.0
    unseen_weight: float = 0.3
    norm_momentum: tuple[float, float] = (0.1, 0.005)
    seed: int = 0


# For each joint of the output, the joint of the input that shows whether a detector saw it.
_SHOWN_BY = {
    "pelvis": "left_hip", "spine": "left_hip", "thorax": "left_shoulder", "head_top": "nose",
}  # fmt: skip


def _target_weights(inputs: Tensor, joints: tuple[str, ...], unseen_weight: float) -> Tensor:
    """(batch, frames, target joints): 1 where the joint was seen in that frame, ``unseen_weight`` elsewhere."""
    shown = [LIFTER23.index(_SHOWN_BY.get(joint, joint)) for joint in joints]
    return torch.where(inputs[:, :, shown, 2] > 0, 1.0, unseen_weight)


def train(
    network: TemporalConvolution,
    windows: WindowSynthesizer,
    joints: tuple[str, ...],
    config: TrainingConfig,
    folder: Path,
    validate: Callable[[TemporalConvolution], dict[str, float]],
    report: Callable[[str], None],
    validate_every: int = 500,
) -> None:
    """Train ``network`` in place; goes on from ``folder/last.pt`` where that exists.

    Writes ``last.pt`` (weights, optimizer, random states) and appends to ``log.jsonl`` every ``validate_every`` steps.

    Args:
        network: freshly made; its weights are replaced when resuming.
        windows: where batches come from.
        joints: names of the target's joints.
        config: how to train.
        folder: for checkpoints and log; made if missing.
        validate: called with the network in evaluation mode; its figures are logged.
        report: called with one line of progress.
        validate_every: steps between two validations and checkpoints.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "last.pt"
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        windows.generator.set_state(state["windows"])
        torch.set_rng_state(state["dropout"])
        first = state["step"]
    context = slice(network.config.past, network.config.past + config.outputs)
    frames = config.outputs + network.config.receptive_field - 1
    started, seen = time.monotonic(), 0
    losses: list[Tensor] = []
    for step in range(first, config.steps):
        progress = step / config.steps
        rate = config.learning_rate * min(1, (step + 1) / config.warmup)
        rate *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = rate
        early, late = config.norm_momentum
        network.set_norm_momentum(early * (late / early) ** progress)
        network.train()
        inputs, target = windows.sample(config.batch, frames)
        weight = _target_weights(inputs, joints, config.unseen_weight)[:, context]
        prediction, target = network(inputs), target[:, context]
        loss = joint_error(prediction, target, weight)
        objective = loss + config.velocity_weight * velocity_error(prediction, target, weight)
        optimizer.zero_grad(set_to_none=True)
        objective.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())
        seen += config.batch * config.outputs
        done = step + 1
        if done % validate_every == 0 or done == config.steps:
            network.eval()
            figures = {
                "step": done,
                "seconds": round(time.monotonic() - started, 1),
                "frames_per_second": round(seen / (time.monotonic() - started)),
                "learning_rate": rate,
                "training_mpjpe": float(torch.stack(losses).mean()) * 1000,
                **validate(network),
            }
            losses.clear()
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(figures) + "\n")
            report(", ".join(f"{name} {value:.5g}" for name, value in figures.items()))
            state = {
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "windows": windows.generator.get_state(),
                "dropout": torch.get_rng_state(),
                "step": done,
                "config": asdict(config),
                "network_config": asdict(network.config),
            }
            with atomic_path(checkpoint, overwrite=True) as temporary:
                torch.save(state, temporary)

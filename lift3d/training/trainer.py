"""The training loop, on Lightning Fabric: it knows batches and networks, and nothing of where batches come from.

Batches are made between the steps and not in a thread. On a CPU the step's own threads have every core, and a batch
takes a small part of a step; on a GPU the loop does not wait for the device, so that the next batch is made while the
device works on the last.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from lift3d.models.checkpoint import CheckpointInfo, save_checkpoint
from lift3d.models.network import Lifter
from lift3d.training.batches import Batch, BatchSource, ErrorListener
from lift3d.training.configuration import TrainingConfig
from lift3d.training.curves import Curves
from lift3d.training.devices import makes_batches_ahead
from lift3d.training.ema import WeightAverage
from lift3d.training.figures import StepFigures
from lift3d.training.interruption import catch_interruption
from lift3d.training.objective import Objective
from lift3d.training.optimizers import make_optimizer
from lift3d.training.prefetch import Prefetcher
from lift3d.training.run_folder import RunFolder
from lift3d.training.schedules import learning_rate, norm_momentum
from lift3d.training.status import Interrupted, Status

if TYPE_CHECKING:
    from lightning.fabric import Fabric

# Steps between two rows of the curves, where no validation comes before.
CURVE_EVERY = 100
# Steps between two looks at the figures where looking makes the processor wait for a GPU, or for other processes.
LOOK_EVERY = 10
Validation = Callable[[Lifter], dict[str, float]]


@dataclass(frozen=True)
class Training:
    """Everything that a run trains with.

    Attributes:
        config: how to train.
        network: with its first weights.
        source: where batches come from.
        objective: what they are judged by.
        validate: figures of a network that is in evaluation mode; "mpjpe" decides which weights are the best.
        info: what the checkpoints say of themselves; figures are added to the card.
        unlabelled: windows without targets, for semi-supervised training.
        trajectory: a second network, which gives the root in camera space. Semi-supervised training projects poses by
            it; its checkpoints are for evaluation. ``lift3d.lift`` does not use them: the geometry of the camera places
            people where a network could only guess distances as they were in training.
        trajectory_info: what its checkpoints say of themselves; None where there is none.
    """

    config: TrainingConfig
    network: Lifter
    source: BatchSource
    objective: Objective
    validate: Validation
    info: CheckpointInfo
    unlabelled: BatchSource | None = None
    trajectory: Lifter | None = None
    trajectory_info: CheckpointInfo | None = None

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.config.steps or self.config.epochs * self.source.steps_per_epoch

    @property
    def validate_every(self) -> int:
        """Steps between two validations."""
        return self.config.validate_every or self.source.steps_per_epoch


def dropout_seed(seed: int, step: int, rank: int) -> int:
    """The seed of a step's dropout on one process: of nothing else, so that a run that goes on drops the same."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Trainer:
    """One run: from its first step, or from its state, to its last.

    Batch norms are not synchronised between processes: each takes the statistics of its own windows. The running
    statistics are averaged before they are used; as they are linear in those of the batches, that is what one process
    would have, but for the variance between the processes' means.

    Args:
        fabric: launched.
        training: the same on every process.
        folder: prepared by the first process.
        report: called on the first process with the run's status; after a validation with its figures.
    """

    def __init__(self, fabric: Fabric, training: Training, folder: RunFolder, report: Callable[[Status], None]) -> None:
        self.fabric, self.training, self.folder, self.report = fabric, training, folder, report
        self.config, self.steps = training.config, training.steps
        self.network, self.trajectory = training.network, training.trajectory
        self.step, self.best, self.seconds = 0, math.inf, 0.0
        self.validation: dict[str, float] = {}
        self.figures = StepFigures()
        ema = self.config.optimizer.ema
        self.average = WeightAverage(self.network, ema) if ema else None
        self.trajectory_average = WeightAverage(self.trajectory, ema) if ema and self.trajectory is not None else None
        state = folder.load_state()
        networks: list[nn.Module] = [self.network, *([self.trajectory] if self.trajectory is not None else [])]
        scaled = fabric._precision.precision == "16-mixed"
        fused = fabric.device.type in ("cpu", "cuda") and not scaled
        self._optimizer = make_optimizer(self.config.optimizer, networks, fused)
        self._run_network: Any = fabric.setup_module(self.network)
        self._run_trajectory: Any = None if self.trajectory is None else fabric.setup_module(self.trajectory)
        self._run_optimizer: Any = fabric.setup_optimizers(self._optimizer)
        for average in (self.average, self.trajectory_average):
            if average is not None:
                average.network.to(fabric.device)
        if state is not None:
            self._load(state)
        self._listens = isinstance(training.source, ErrorListener) and training.source.mines
        sources = [training.unlabelled, None if self._listens else training.source]
        self._ahead = {
            source: Prefetcher(source, fabric.global_rank, fabric.world_size, self.steps)
            for source in sources
            if source is not None and makes_batches_ahead(fabric.device)
        }
        self._norms = [
            module
            for network in networks
            for module in network.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
        ]
        # A scaler of float16 finds steps whose gradient is not finite, leaves them out and goes on.
        self._judge_gradient = not scaled
        waits = fabric.device.type != "cpu" or fabric.world_size > 1
        self._look_every = LOOK_EVERY if waits else 1

    def run(self) -> dict[str, Any]:
        """Train to the end.

        Returns:
            summary: steps, seconds, the figures of the last validation and the best MPJPE in mm.

        Raises:
            Interrupted: by SIGINT or SIGTERM; the state and the last checkpoint were written first.
            Lift3DError: the loss is not finite.
        """
        first, started, before = self.step, time.monotonic(), self.seconds
        curves = Curves(self.folder.curves, self.step) if self.fabric.is_global_zero else None
        trained = 0.0
        try:
            with catch_interruption() as interruption:
                while self.step < self.steps:
                    step_started = time.monotonic()
                    self._train_step()
                    self.step += 1
                    look = self.step % self._look_every == 0
                    validate = self.step % self.training.validate_every == 0 or self.step == self.steps
                    if look or validate:
                        self.figures.drain()
                    trained += time.monotonic() - step_started
                    done = self.step - first
                    rate = done * self.config.batch * self.config.outputs / trained
                    self.seconds = before + time.monotonic() - started
                    if validate:
                        self._validate()
                    if validate or self.step % CURVE_EVERY == 0:
                        self._write_row(curves, rate, validate)
                    if validate:
                        self._save()
                    if look or validate:
                        left = (time.monotonic() - started) / done * (self.steps - self.step)
                        self._report(rate, left, validate)
                        if self._anyone_asked(interruption.asked):
                            if not validate:
                                self._average_statistics()
                                self._save()
                            raise Interrupted(self.step)
        finally:
            for ahead in self._ahead.values():
                ahead.close()
            if curves is not None:
                curves.close()
        return {
            "steps": self.step,
            "seconds": round(self.seconds, 1),
            "best_mpjpe": self.best,
            "validation": self.validation,
        }

    def _train_step(self) -> None:
        config, step, rank = self.config, self.step, self.fabric.global_rank
        rate = learning_rate(config.optimizer, step, self.steps, self.training.source.steps_per_epoch)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        momentum = norm_momentum(config.optimizer, step, self.steps)
        for norm in self._norms:
            norm.momentum = momentum
        batch = self._batch(self.training.source, step)
        torch.manual_seed(dropout_seed(config.seed, step, rank))
        self._run_network.train()
        if self._run_trajectory is not None:
            self._run_trajectory.train()
        if len(batch.inputs) == 1:
            # The last window of an epoch by itself may have no variance to divide by.
            for norm in self._norms:
                norm.eval()
        loss, figures = self.training.objective(
            self._run_network, batch, self._unlabelled_batch(step), self._run_trajectory
        )
        self._run_optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        gradient_norm = self.fabric.clip_gradients(
            self._run_network,
            self._run_optimizer,
            max_norm=config.optimizer.clip_norm or math.inf,
            error_if_nonfinite=False,
        )
        self._run_optimizer.step()
        if self.average is not None:
            self.average.update(self.network, step)
        if self.trajectory is not None and self.trajectory_average is not None:
            self.trajectory_average.update(self.trajectory, step)
        if self._listens and isinstance(self.training.source, ErrorListener):
            self._tell_errors(self.training.source, batch.index)
        figures = {"loss": loss.detach(), **figures}
        if self._judge_gradient and gradient_norm is not None:
            figures["gradient_norm"] = gradient_norm
        self.figures.add(step, figures)

    def _batch(self, source: BatchSource, step: int) -> Batch:
        """A source's windows of a step, made ahead of time unless they depend on the errors of the step before."""
        if source in self._ahead:
            batch = self._ahead[source].take(step)
        else:
            batch = source.batch(step, self.fabric.global_rank, self.fabric.world_size)
        return batch.to(self.fabric.device)

    def _unlabelled_batch(self, step: int) -> Batch | None:
        """The step's unlabelled windows; None before the warm-up is over."""
        semi, source = self.config.semi_supervision, self.training.unlabelled
        if semi is None or source is None or step < semi.warmup_epochs * self.training.source.steps_per_epoch:
            return None
        return self._batch(source, step)

    def _tell_errors(self, source: ErrorListener, index: Tensor) -> None:
        """Tell the source of every process the errors of the windows of all."""
        errors = self.training.objective.window_errors
        if self.fabric.world_size > 1:
            # The parts of an epoch's last batch may differ in size.
            missing = -(-self.config.batch // self.fabric.world_size) - len(index)
            index, errors = nn.functional.pad(index, (0, missing), value=-1), nn.functional.pad(errors, (0, missing))
            index, errors = (self.fabric.all_gather(values).flatten() for values in (index, errors))  # type: ignore[union-attr]
            index, errors = index[index >= 0], errors[index >= 0]
        source.observe(index.cpu(), errors.cpu())

    @property
    def _judged(self) -> Lifter:
        """The network that is validated and saved."""
        return self.network if self.average is None else self.average.network

    def _average_statistics(self) -> None:
        """Give every process the mean of all processes' running statistics."""
        if self.fabric.world_size == 1:
            return
        averaged = [None if it is None else it.network for it in (self.average, self.trajectory_average)]
        for network in (self.network, self.trajectory, *averaged):
            for buffer in () if network is None else network.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.fabric.all_reduce(buffer))  # type: ignore[arg-type]

    def _validate(self) -> None:
        self._average_statistics()
        if self.fabric.is_global_zero:
            self.validation = self.training.validate(self._judged)
        self.fabric.barrier()

    def _write_row(self, curves: Curves | None, rate: float, validated: bool) -> None:
        self.figures.drain()
        means = self.figures.take_means()
        if self.fabric.world_size > 1:
            reduced: Any = self.fabric.all_reduce({name: torch.tensor(value) for name, value in means.items()})
            means = {name: float(value) for name, value in reduced.items()}
        if curves is None:
            return
        row = {
            "epoch": self.step / self.training.source.steps_per_epoch,
            "seconds": self.seconds,
            "learning_rate": float(self._optimizer.param_groups[0]["lr"]),
            "poses_per_second": rate,
            **{f"training/{name}": value for name, value in means.items()},
        }
        if validated:
            row |= {f"validation/{name}": value for name, value in self.validation.items()}
        curves.write(self.step, row)

    def _save(self) -> None:
        """Write the checkpoints and, last, the state; an older state makes the same checkpoints again."""
        if self.fabric.is_global_zero:
            self._save_checkpoints(self.folder.last, self.folder.last_trajectory)
            mpjpe = self.validation.get("mpjpe", math.inf)
            if mpjpe < self.best:
                self.best = mpjpe
                self._save_checkpoints(self.folder.best, self.folder.best_trajectory)
            self.folder.save_state(self._state())
        self.fabric.barrier()

    def _save_checkpoints(self, path: Path, trajectory_path: Path) -> None:
        card = {**self.training.info.card, "step": self.step, "validation": self.validation}
        save_checkpoint(self._judged, replace(self.training.info, card=card), path, overwrite=True)
        if self.trajectory is not None and (info := self.training.trajectory_info) is not None:
            average = self.trajectory_average
            network = self.trajectory if average is None else average.network
            info = replace(info, card={**info.card, "step": self.step})
            save_checkpoint(network, info, trajectory_path, overwrite=True)

    def _state(self) -> dict[str, Any]:
        source = self.training.source
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.network.state_dict(),
            "trajectory": None if self.trajectory is None else self.trajectory.state_dict(),
            "trajectory_average": (
                None if self.trajectory_average is None else self.trajectory_average.network.state_dict()
            ),
            "optimizer": self._optimizer.state_dict(),
            "precision": self.fabric._precision.state_dict(),
            "source": source.state_dict() if isinstance(source, ErrorListener) else None,
            "figures": self.figures.state_dict(),
            "validation": self.validation,
            "best": self.best,
            "seconds": self.seconds,
        }

    def _load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.network.load_state_dict(state["average"])
        if self.trajectory is not None:
            self.trajectory.load_state_dict(state["trajectory"])
        if self.trajectory_average is not None:
            self.trajectory_average.network.load_state_dict(state["trajectory_average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.fabric._precision.load_state_dict(state["precision"])
        if isinstance(self.training.source, ErrorListener):
            self.training.source.load_state_dict(state["source"])
        self.figures.load_state_dict(state["figures"])
        self.step, self.best, self.seconds = state["step"], state["best"], state["seconds"]
        self.validation = state["validation"]

    def _report(self, rate: float, left: float, validated: bool) -> None:
        if self.fabric.is_global_zero:
            latest = self.figures.latest
            self.report(
                Status(
                    self.step,
                    self.steps,
                    latest.get("loss", math.nan),
                    1000 * latest.get("mpjpe", math.nan),
                    rate,
                    left,
                    self.validation if validated else None,
                )
            )

    def _anyone_asked(self, asked: bool) -> bool:
        if self.fabric.world_size == 1:
            return asked
        return bool(self.fabric.all_reduce(torch.tensor(float(asked)), reduce_op="sum") > 0)  # type: ignore[operator]

"""A training run from its configuration to its checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from lift3d.errors import CheckpointError, ConfigurationError, ShapeError
from lift3d.evaluation.validation import make_validation
from lift3d.models.checkpoint import CheckpointInfo, load_checkpoint, require_layout
from lift3d.models.factory import make_config, make_network, settings_for
from lift3d.models.network import Lifter
from lift3d.skeletons import get_skeleton
from lift3d.training.config_files import to_dict
from lift3d.training.configuration import TrainingConfig
from lift3d.training.devices import make_fabric
from lift3d.training.objective import Objective
from lift3d.training.run_folder import RunFolder
from lift3d.training.sources import make_sources
from lift3d.training.status import Status
from lift3d.training.trainer import Trainer, Training


def make_training(config: TrainingConfig) -> Training:
    """Data, network and objective of a configuration; the first batch is made, and judged once, to see that they fit.

    Raises:
        ConfigurationError: the fields do not fit each other or the data.
        FileFormatError: a data file is missing or cannot be read.
    """
    shape = make_config(config.model.architecture, config.model.settings)
    sources = make_sources(config, shape.past, shape.future, shape.window)
    batch = sources.training.batch(0)
    settings = settings_for(
        config.model.architecture,
        config.model.settings,
        joints_in=batch.inputs.shape[2],
        features_in=batch.inputs.shape[3],
        skeleton=sources.input_skeleton,
        skeleton_out=sources.output_skeleton,
        joints_out=batch.target.shape[2],
    )
    torch.manual_seed(config.seed)
    network = _make_network(config, settings)
    trajectory, root_settings = None, {**settings, "joints_out": 1, "sigma": False}
    if config.trajectory:
        trajectory = _make_network(config, root_settings)
    given = (batch.inputs.shape[2:], batch.target.shape[2])
    if given != ((network.config.joints_in, network.config.features_in), network.config.joints_out):
        raise ConfigurationError(
            f"model.settings: the data have {given[0][0]} rows of {given[0][1]} numbers and {given[1]} joints; leave "
            "joints_in, features_in and joints_out out"
        )
    objective = Objective(config.losses, get_skeleton(sources.output_skeleton), config.semi_supervision)
    unlabelled = None if sources.unlabelled is None else sources.unlabelled.batch(0)
    networks = [network, *([trajectory] if trajectory is not None else [])]
    with torch.no_grad():
        for module in networks:
            module.eval()
        loss, _ = objective(network, batch, unlabelled, trajectory)
    if not torch.isfinite(loss):
        raise ConfigurationError("data: the loss of the first batch is not finite; are there NaN in the data?")
    info = CheckpointInfo(
        architecture=config.model.architecture,
        config=settings,
        input_skeleton=sources.input_skeleton,
        output_skeleton=sources.output_skeleton,
        normalization=sources.normalization,
        fps=sources.fps,
        height=sources.height,
        card={"title": _title(config, network), **sources.card, "configuration": _public_config(config)},
    )
    if config.model.start is not None:
        _start_from(config.model.start, network, info)
    validate = make_validation(sources.validation, sources.validation_batches)
    trajectory_info = None
    if trajectory is not None:
        title = f"root trajectory, {_title(config, trajectory)}"
        trajectory_info = replace(info, config=root_settings, output="root", card={**info.card, "title": title})
    return Training(
        config, network, sources.training, objective, validate, info, sources.unlabelled, trajectory, trajectory_info
    )


def describe_training(training: Training) -> dict[str, Any]:
    """Sizes of a run, for people who want to know before it starts."""
    config, network = training.config, training.network
    parameters = sum(parameter.numel() for parameter in network.parameters())
    frames = training.source.batch(0).inputs.shape[1]
    return {
        "architecture": config.model.architecture,
        "parameters": parameters,
        "multiply_adds_per_frame": network.config.multiply_adds,
        "input_frames": frames,
        "outputs": config.outputs,
        "batch": config.batch,
        "steps": training.steps,
        "steps_per_epoch": training.source.steps_per_epoch,
        "windows": training.steps * config.batch,
        "poses": training.steps * config.batch * config.outputs,
        "validate_every": training.validate_every,
    }


def run_training(
    config: TrainingConfig,
    folder: str | PathLike[str],
    resume: bool = False,
    overwrite: bool = False,
    devices: int | None = None,
    report: Callable[[Status], None] = lambda status: None,
) -> dict[str, Any]:
    """Train as the configuration says, on every process that there is.

    With ``devices`` above 1, and without torchrun, the command of this process is started again for each further one.

    Args:
        config: how to train.
        folder: where checkpoints, state and curves go; made if missing.
        resume: go on with the run that the folder holds, or begin it where it holds none.
        overwrite: begin anew where the folder holds a run.
        devices: how many GPUs, or processes on a CPU; None for all GPUs, or one process.
        report: called on the first process after steps and validations.

    Returns:
        summary: the run's steps, seconds, last validation and best MPJPE in mm, and its files.

    Raises:
        ConfigurationError: the configuration does not fit its data, the devices, or the run that is to go on.
        OutputExistsError: the folder holds a run, and neither ``resume`` nor ``overwrite`` is set.
        Interrupted: by SIGINT or SIGTERM; the run was saved first.
        Lift3DError: the loss is not finite.
    """
    run = RunFolder(Path(folder))
    fabric = make_fabric(config.precision, devices)
    if config.batch % fabric.world_size:
        raise ConfigurationError(
            f"batch: {config.batch} windows cannot be shared by {fabric.world_size} processes evenly"
        )
    if fabric.is_global_zero:
        run.check(config, resume, overwrite)
    training = make_training(config)
    try:
        training.source.batch(0, fabric.global_rank, fabric.world_size)
    except ShapeError as error:
        raise ConfigurationError(f"batch: {error}") from error
    fabric.launch()
    if fabric.is_global_zero:
        run.prepare(config, resume, overwrite)
    fabric.barrier()
    summary = Trainer(fabric, training, run, report).run()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return {
        "run": run.path,
        **describe_training(training),
        **summary,
        "best": run.best,
        "last": run.last,
        **({"trajectory": run.last_trajectory} if config.trajectory else {}),
        "first_process": fabric.is_global_zero,
    }


def _make_network(config: TrainingConfig, settings: dict[str, Any]) -> Lifter:
    try:
        return make_network(config.model.architecture, settings)
    except CheckpointError as error:
        raise ConfigurationError(f"model.settings: {error}") from error


def _start_from(checkpoint: str, network: Lifter, info: CheckpointInfo) -> None:
    """Give a network the weights of a checkpoint.

    Raises:
        ConfigurationError: it is missing, or of another network or other layouts.
    """
    try:
        start, given = load_checkpoint(checkpoint)
        require_layout(given, info.input_skeleton, info.output_skeleton, info.normalization, checkpoint)
    except CheckpointError as error:
        raise ConfigurationError(f"model.start: {error}") from error
    if start.config != network.config:
        raise ConfigurationError(
            f"model.start: {checkpoint} is another network ({given.architecture}, {start.config}) than this "
            f"configuration's ({info.architecture}, {network.config}); give model.settings those values"
        )
    network.load_state_dict(start.state_dict())


def _title(config: TrainingConfig, network: Lifter) -> str:
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return f"{config.model.architecture.replace('_', ' ')}, {parameters / 1e6:.2f} M parameters"


def _public_config(config: TrainingConfig) -> dict[str, Any]:
    """The configuration without the folders of the machine that trained."""
    values = to_dict(config)
    if values["model"].get("start"):
        values["model"]["start"] = Path(values["model"]["start"]).name
    data = values["data"]
    data.pop("folder", None)
    for name in ("set", "unlabelled"):
        if data.get(name):
            data[name] = Path(data[name]).name
    return values

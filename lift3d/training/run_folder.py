"""The folder of a training run: its configuration, checkpoints, and the state from which it can go on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from lift3d.errors import ConfigurationError, FileFormatError, Lift3DError, OutputExistsError
from lift3d.io.files import atomic_path
from lift3d.training.config_files import find_differences, read_config, write_config
from lift3d.training.configuration import TrainingConfig

CONFIG, STATE, CURVES = "config.yaml", "state.pt", "metrics.csv"
BEST, LAST = "best.safetensors", "last.safetensors"
# As ``lift3d.models.checkpoint.find_trajectory`` looks for them.
BEST_TRAJECTORY, LAST_TRAJECTORY = "best_trajectory.safetensors", "last_trajectory.safetensors"
# TensorBoard names its files so.
EVENTS = "events.out.tfevents.*"
# Where the data lie may change between the parts of a run.
MAY_DIFFER = "data.folder"


@dataclass(frozen=True)
class RunFolder:
    """The files of one run: ``config.yaml``, ``state.pt``, ``best.safetensors``, ``last.safetensors``, ``metrics.csv``
    and TensorBoard's; with a root-trajectory network also ``best_trajectory.safetensors`` and
    ``last_trajectory.safetensors``."""

    path: Path

    @property
    def config(self) -> Path:
        """The configuration as it was used."""
        return self.path / CONFIG

    @property
    def state(self) -> Path:
        """What a run needs to go on."""
        return self.path / STATE

    @property
    def curves(self) -> Path:
        """The curves as CSV."""
        return self.path / CURVES

    @property
    def best(self) -> Path:
        """The checkpoint of the lowest validation MPJPE."""
        return self.path / BEST

    @property
    def last(self) -> Path:
        """The checkpoint of the last validation."""
        return self.path / LAST

    @property
    def best_trajectory(self) -> Path:
        """The root-trajectory network of the step of ``best``."""
        return self.path / BEST_TRAJECTORY

    @property
    def last_trajectory(self) -> Path:
        """The root-trajectory network of the step of ``last``."""
        return self.path / LAST_TRAJECTORY

    def check(self, config: TrainingConfig, resume: bool = False, overwrite: bool = False) -> None:
        """Raise what ``prepare`` would raise; nothing is changed.

        Raises:
            OutputExistsError: there is a run already, and neither ``resume`` nor ``overwrite`` is set.
            ConfigurationError: the run that is to go on has another configuration; the fields are named.
            Lift3DError: the folder cannot be made.
        """
        if resume and overwrite:
            raise ConfigurationError("--resume goes on with a run, --overwrite begins it anew; give one of them")
        if self.path.exists() and not self.path.is_dir():
            raise Lift3DError(f"{self.path}: a file, not a folder; choose another name for the run")
        if not self.config.exists():
            if self.state.exists():
                raise FileFormatError(self.config, "missing beside state.pt; put it back or choose another folder")
            return
        if not (resume or overwrite):
            raise OutputExistsError(
                f"{self.path} holds a run already; go on with it by --resume, or begin it anew by --overwrite"
            )
        if resume:
            differences = find_differences(read_config(self.config), config)
            if differences := [line for line in differences if not line.startswith(f"{MAY_DIFFER}:")]:
                raise ConfigurationError(
                    f"{self.config}: this run has another configuration; (its value, yours) differ in "
                    f"{'; '.join(differences)}; choose another folder, or begin anew by --overwrite"
                )

    def prepare(self, config: TrainingConfig, resume: bool = False, overwrite: bool = False) -> None:
        """Make the folder ready; with ``overwrite`` the files of an earlier run are removed, others are kept."""
        self.check(config, resume, overwrite)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Lift3DError(f"{self.path}: the folder cannot be made ({error.strerror})") from error
        if overwrite:
            # The state first: if this is cut off, what is left cannot go on as the run that it was.
            checkpoints = (self.best, self.last, self.best_trajectory, self.last_trajectory)
            for path in (self.state, self.config, self.curves, *checkpoints, *self.path.glob(EVENTS)):
                path.unlink(missing_ok=True)
        if not self.config.exists():
            write_config(config, self.config)

    def save_state(self, state: dict[str, Any]) -> None:
        """Write the state, all of it or nothing."""
        with atomic_path(self.state, overwrite=True) as temporary:
            torch.save(state, temporary)

    def load_state(self) -> dict[str, Any] | None:
        """The state, on the CPU; None where the run has not saved any.

        Raises:
            FileFormatError: the file is damaged or no state of a run.
        """
        return load_state(self.state) if self.state.exists() else None


def load_state(path: str | PathLike[str]) -> dict[str, Any]:
    """A ``state.pt``. Raises FileFormatError if the file is damaged or no state of a run."""
    try:
        with warnings.catch_warnings():
            # Of a file of another kind torch also warns what pickle protocol it seems to have.
            warnings.simplefilter("ignore", UserWarning)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # The unpickler meets arbitrary bytes; whatever it raises means one thing.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise FileFormatError(path, f"cannot be read as the state of a run ({reason})") from error
    if not isinstance(state, dict) or not {"step", "network", "optimizer"} <= state.keys():
        raise FileFormatError(path, "not the state of a training run; begin the run anew by --overwrite")
    return state

"""The batches that a configuration asks for, and what is known of the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lift3d.errors import ConfigurationError
from lift3d.training.batches import BatchSource
from lift3d.training.configuration import SynthesisData, TrainingConfig

# Windows of a batch of validation, and the seed of its windows, whatever the run's.
VALIDATION_BATCH = 128
VALIDATION_SEED = 12345


@dataclass(frozen=True)
class Sources:
    """Where a run's batches come from.

    Attributes:
        training, validation: the batches; of validation the first ``validation_batches``.
        input_skeleton, output_skeleton: joint layouts.
        normalization, fps, height: as in ``CheckpointInfo``.
        card: what the checkpoint's card says of the data.
        unlabelled: batches without targets; None for none.
    """

    training: BatchSource
    validation: BatchSource
    validation_batches: int
    input_skeleton: str
    output_skeleton: str
    normalization: str
    fps: float
    height: float | None = None
    card: dict[str, Any] = field(default_factory=dict)
    unlabelled: BatchSource | None = None


def make_sources(config: TrainingConfig, past: int, future: int) -> Sources:
    """The sources of a configuration, for a network that wants ``past`` and ``future`` frames around each output.

    Raises:
        ConfigurationError: a subject or a file that is named is not there.
        FileFormatError: a file is missing or cannot be read.
    """
    if isinstance(config.data, SynthesisData):
        return _synthesis_sources(config, config.data, past, future)
    raise ConfigurationError("data.source: pose_set is not available")


def _synthesis_sources(config: TrainingConfig, data: SynthesisData, past: int, future: int) -> Sources:
    from lift3d.datasets.motion_bank import load_motion_bank
    from lift3d.lifting.normalization import REFERENCE_HEIGHT
    from lift3d.skeletons import H36M17, LIFTER23
    from lift3d.training.synthesis import SynthesisBatches

    files = [(Path(data.folder) / name, weight) for name, weight in data.motion.items()]
    held_out, seen = set(data.held_out), set[str]()

    def is_trained_on(_: str, subject: str) -> bool:
        seen.add(subject)
        return subject not in held_out

    bank = load_motion_bank(files, is_trained_on)
    if missing := sorted(held_out - seen):
        raise ConfigurationError(
            f"data.held_out: the motion files have nobody called {', '.join(missing)}; they have "
            f"{', '.join(sorted(seen - {''})) or 'no names'}"
        )
    others = load_motion_bank(files, lambda _, subject: subject in held_out) if held_out else bank
    return Sources(
        SynthesisBatches(bank, data, config.batch, config.outputs, past, future, config.seed + 1),
        SynthesisBatches(others, data, VALIDATION_BATCH, config.outputs, past, future, VALIDATION_SEED),
        data.validation_batches,
        LIFTER23.name,
        H36M17.name,
        "person",
        data.fps,
        REFERENCE_HEIGHT,
        {
            "data": "motion capture seen through virtual cameras and a virtual detector: " + ", ".join(data.motion),
            "terms": "; ".join(_terms(path for path, _ in files)) or "of the motion files",
            "held_out": list(data.held_out) or "nobody: validation is on fresh windows of the people trained on",
        },
    )


def _terms(paths: Iterable[Path]) -> list[str]:
    """``file: terms`` of the motion files that say under which terms they may be used."""
    import h5py

    terms = []
    for path in paths:
        with h5py.File(path, "r") as file:
            if "terms" in file.attrs:
                terms.append(f"{path.name}: {file.attrs['terms']}")
    return terms

"""The batches that a configuration asks for, and what is known of the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lift3d.errors import ConfigurationError
from lift3d.training.batches import BatchSource
from lift3d.training.configuration import PoseSetData, SynthesisData, TrainingConfig

if TYPE_CHECKING:
    from lift3d.datasets.pose_sets import PoseSet
    from lift3d.training.set_batches import SetBatches
    from lift3d.training.synthesis import SynthesisBatches

# Windows of a batch of validation, and the seed of its windows, whatever the run's.
VALIDATION_BATCH = 128
VALIDATION_SEED = 12345
# Of a prepared set at most so many poses are looked at between steps: `lift3d evaluate` looks at all of them. They come
# in windows of VALIDATION_OUTPUTS poses, whose context is computed once for all, where the network admits it.
VALIDATION_POSES = 1 << 16
VALIDATION_OUTPUTS = 64


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


def make_sources(config: TrainingConfig, past: int, future: int, window: int | None = None) -> Sources:
    """The sources of a configuration, for a network of ``past`` and ``future`` frames around each output.

    Args:
        config: names the data.
        past, future, window: of the network's configuration.

    Raises:
        ConfigurationError: a subject or a file that is named is not there.
        FileFormatError: a file is missing or cannot be read.
    """
    if isinstance(config.data, SynthesisData):
        return _synthesis_sources(config, config.data, past, future)
    return _pose_set_sources(config, config.data, past, future, window)


def _pose_set_sources(config: TrainingConfig, data: PoseSetData, past: int, future: int, window: int | None) -> Sources:
    from lift3d.datasets.pose_sets import open_pose_set
    from lift3d.lifting.normalization import REFERENCE_HEIGHT
    from lift3d.training.set_batches import MixedBatches, SetBatches

    whole = open_pose_set(data.set)
    subjects = {
        "training": data.training or whole.info.training,
        "validation": data.validation or whole.info.test,
    }
    for name, people in subjects.items():
        if not people:
            raise ConfigurationError(
                f"data.{name}: {whole.path} has no customary split; name subjects of {', '.join(whole.subjects)}"
            )

    def batches(pose_set: PoseSet, size: int, outputs: int, seed: int, **settings: Any) -> SetBatches:
        return SetBatches(
            pose_set, size, past, outputs, future, data.normalization, keep_every=data.keep_every, seed=seed, **settings
        )

    synthetic = round(config.batch * data.synthetic_share) if data.synthetic is not None else 0
    if synthetic >= config.batch:
        raise ConfigurationError("data.synthetic_share: nothing of the batch is left for the set; lower it")
    chosen = whole.select(subjects["training"], data.actions).shortened(data.training_share)
    own = batches(chosen, config.batch - synthetic, config.outputs, config.seed + 1, augmentation=config.augmentation)
    training: BatchSource = own
    if data.synthetic is not None and synthetic:
        if abs(data.synthetic.fps - own.fps) > 0.01 * own.fps:
            raise ConfigurationError(f"data.synthetic.fps: the set's windows have {own.fps:g} frames/s; say that")
        motion, _ = _synthesis_batches(data.synthetic, synthetic, config.outputs, past, future, config.seed + 2)
        training = MixedBatches(own, motion, own.reader.windows)
    outputs = window or max(VALIDATION_OUTPUTS, config.outputs)
    size = max(1, VALIDATION_BATCH * config.outputs // outputs)
    validation = batches(whole.select(subjects["validation"], data.actions), size, outputs, VALIDATION_SEED)
    unlabelled = None
    if data.unlabelled is not None:
        others = open_pose_set(data.unlabelled).select(data.unlabelled_subjects)
        unlabelled = batches(
            others, config.batch, config.outputs, config.seed + 3, augmentation=config.augmentation, labelled=False
        )
    return Sources(
        training,
        validation,
        min(validation.steps_per_epoch, -(-VALIDATION_POSES // (size * outputs))),
        own.skeleton_in.name,
        own.skeleton_out.name,
        data.normalization,
        own.fps,
        REFERENCE_HEIGHT if data.normalization == "person" else None,
        {
            "data": f"{whole.info.name}, keypoints: {whole.info.keypoints or 'unknown'}",
            "terms": f"those of {whole.info.name} and of its keypoints",
            "rules": whole.info.rules,
            "trained_on": list(subjects["training"]),
            "held_out": list(subjects["validation"]),
            "exclusions": list(whole.info.exclusions),
        },
        unlabelled,
    )


def _synthesis_sources(config: TrainingConfig, data: SynthesisData, past: int, future: int) -> Sources:
    from lift3d.lifting.normalization import REFERENCE_HEIGHT
    from lift3d.skeletons import H36M17, LIFTER23

    training, validation = _synthesis_batches(data, config.batch, config.outputs, past, future, config.seed + 1)
    return Sources(
        training,
        validation,
        data.validation_batches,
        LIFTER23.name,
        H36M17.name,
        "person",
        data.fps,
        REFERENCE_HEIGHT,
        {
            "data": "motion capture seen through virtual cameras and a virtual detector: " + ", ".join(data.motion),
            "terms": "; ".join(_terms(Path(data.folder) / name for name in data.motion)) or "of the motion files",
            "held_out": list(data.held_out) or "nobody: validation is on fresh windows of the people trained on",
        },
    )


def _synthesis_batches(
    data: SynthesisData, batch: int, outputs: int, past: int, future: int, seed: int
) -> tuple[SynthesisBatches, SynthesisBatches]:
    """Windows of the people trained on, and of those held out (of the same people where nobody is)."""
    from lift3d.datasets.motion_bank import load_motion_bank
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
    return (
        SynthesisBatches(bank, data, batch, outputs, past, future, seed),
        SynthesisBatches(others, data, VALIDATION_BATCH, outputs, past, future, VALIDATION_SEED),
    )


def _terms(paths: Iterable[Path]) -> list[str]:
    """``file: terms`` of the motion files that say under which terms they may be used."""
    import h5py

    terms = []
    for path in paths:
        if not h5py.is_hdf5(path):
            continue  # A folder of recordings, or text.
        with h5py.File(path, "r") as file:
            if "terms" in file.attrs:
                terms.append(f"{path.name}: {file.attrs['terms']}")
    return terms

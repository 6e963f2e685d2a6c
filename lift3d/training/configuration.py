"""The configuration of a training run: one YAML file, one dataclass.

Read with ``read_config``; saved beside the checkpoints as it was used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from lift3d.datasets.virtual_cameras import CameraVariation
from lift3d.training.bodies import BodyVariation
from lift3d.training.detector_noise import DetectorNoise


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
        architecture: its name in ``lift3d.models.factory``.
        settings: fields of its configuration; joints and features follow from the data unless given.
    """

    architecture: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SynthesisData:
    """Motion capture seen through virtual cameras and a virtual detector.

    Attributes:
        motion: HDF5 files of motion and how often their clips are drawn for their duration.
        held_out: people (subjects) who are kept for validation.
        fps: frame rate of the windows.
        bodies, cameras, noise: how windows are varied.
        unseen_weight: weight of joints that the detector lost, beside 1 for the others.
        validation_batches: batches of 128 windows of the held-out people.
    """

    source: Literal["synthesis"] = "synthesis"
    motion: dict[str, float] = field(default_factory=dict)
    held_out: tuple[str, ...] = ()
    fps: float = 30.0
    bodies: BodyVariation = field(default_factory=BodyVariation)
    cameras: CameraVariation = field(default_factory=CameraVariation)
    noise: DetectorNoise = field(default_factory=DetectorNoise)
    unseen_weight: float = 0.3
    validation_batches: int = 4


@dataclass(frozen=True)
class PoseSetData:
    """A data set that ``lift3d prepare`` made.

    Attributes:
        set: the HDF5 file.
        training, validation: subjects; empty for the set's customary split.
        actions: names to keep; empty for all.
        normalization: "image" (VideoPose3D: pixels over half the width) or "person" (lift3d.lifting.normalization).
        keep_every: use every n-th frame of each recording.
        unlabelled: a second prepared set, or the same, for semi-supervised training; None for none.
        unlabelled_subjects: whose recordings there are taken as if they had no 3D.
    """

    set: str
    source: Literal["pose_set"] = "pose_set"
    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    normalization: Literal["image", "person"] = "image"
    keep_every: int = 1
    unlabelled: str | None = None
    unlabelled_subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Augmentation:
    """How windows of a prepared set are varied; probabilities are per window.

    Attributes:
        flip: mirror with probability 1/2 (VideoPose3D doubles the set instead; the expectation is the same).
        turn_degrees: turn of camera and person about the optical axis, largest angle.
        scale: (least, largest) factor of the body's size.
        noise_pixels: standard deviation of 2D noise, pixels of a 1000-pixel image.
        drop_joints: probability that a joint's 2D is missing for a stretch of the window.
        swap_sides: probability that left and right change places for a stretch of the window.
        hard_examples: share of windows drawn by their running loss instead of evenly (hard example mining).
    """

    flip: bool = True
    turn_degrees: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    noise_pixels: float = 0.0
    drop_joints: float = 0.0
    swap_sides: float = 0.0
    hard_examples: float = 0.0


@dataclass(frozen=True)
class Losses:
    """Weight of each term of the objective; metres unless said otherwise. Functions: lift3d.training.losses."""

    mpjpe: float = 1.0
    mse: float = 0.0
    velocity: float = 0.0
    bone_length: float = 0.0
    symmetry: float = 0.0
    reprojection: float = 0.0
    oks: float = 0.0
    laplace: float = 0.0


@dataclass(frozen=True)
class SemiSupervision:
    """Training on unlabelled 2D (Pavllo et al., CVPR 2019, section 4).

    Attributes:
        warmup_epochs: epochs with labels only, before the unlabelled part joins.
        reprojection, bone_length: weights of its two terms.
    """

    warmup_epochs: float = 1.0
    reprojection: float = 1.0
    bone_length: float = 1.0


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and its schedules.

    Attributes:
        name: "adam" (with ``amsgrad``) or "adamw".
        learning_rate: at the start, after the warm-up.
        schedule: "exponential" multiplies by ``decay`` every epoch, "cosine" falls to a hundredth at the end.
        warmup_steps: steps over which the rate rises.
        clip_norm: largest norm of the gradient; None does not clip.
        norm_momentum: (first, last) momentum of batch norms, decaying exponentially over the run.
        ema: decay of the exponential moving average of weights that is validated and saved; None for none.
    """

    name: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 1e-3
    amsgrad: bool = False
    weight_decay: float = 0.0
    schedule: Literal["exponential", "cosine"] = "cosine"
    decay: float = 0.95
    warmup_steps: int = 0
    clip_norm: float | None = 1.0
    norm_momentum: tuple[float, float] = (0.1, 0.001)
    ema: float | None = None


@dataclass(frozen=True)
class TrainingConfig:
    """How a lifter is trained.

    Attributes:
        model: the network.
        data: what it is trained on.
        batch: windows a step, over all processes.
        outputs: poses a window that the losses see; the input is longer by the network's context.
        steps: optimizer steps; None counts epochs instead.
        epochs: passes over the data, where ``steps`` is None.
        losses: the objective.
        trajectory: also train a second network of the same shape that gives the root in camera space.
        semi_supervision: the unlabelled part; None for none.
        optimizer: the optimizer and its schedules.
        augmentation: how windows of a prepared set are varied.
        precision: "auto" takes bfloat16 where the device multiplies it faster, else float32.
        seed: of weights, windows and dropout.
        validate_every: steps between two validations and checkpoints; None for once an epoch.
    """

    model: ModelConfig
    data: SynthesisData | PoseSetData
    batch: int = 96
    outputs: int = 32
    steps: int | None = None
    epochs: int = 80
    losses: Losses = field(default_factory=Losses)
    trajectory: bool = False
    semi_supervision: SemiSupervision | None = None
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    seed: int = 0
    validate_every: int | None = None

"""The configuration of a training run: one YAML file, one dataclass.

Read with ``lift3d.training.config_files.read_config``, which holds every field to its type here; saved beside the
checkpoints as it was used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from lift3d.datasets.virtual_cameras import CameraVariation
from lift3d.training.bodies import BodyVariation
from lift3d.training.detector_noise import DetectorNoise

Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Momentum = Annotated[float, Field(gt=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
        architecture: its name in ``lift3d.models.factory``.
        settings: fields of its configuration; joints and features follow from the data unless given.
        start: checkpoint of the same network whose weights training begins with: a file, or a name that ships
            ("default"); None for fresh ones. A trajectory network starts fresh in any case.
    """

    architecture: str
    settings: dict[str, Any] = field(default_factory=dict)
    start: str | None = None


@dataclass(frozen=True)
class SynthesisData:
    """Motion capture seen through virtual cameras and a virtual detector.

    Attributes:
        folder: where the motion files are; relative to the configuration file (``--set``: to the working directory).
        motion: files or folders of motion, or prepared sets, and how often their clips are drawn for their duration.
        held_out: people (subjects) who are kept for validation; where nobody is, it takes fresh windows of those who
            are trained on.
        fps: frame rate of the windows.
        bodies, cameras, noise: how windows are varied.
        unseen_weight: weight of joints that the detector lost, beside 1 for the others.
        validation_batches: batches of 128 windows of the held-out people.
    """

    source: Literal["synthesis"] = "synthesis"
    folder: str = "."
    motion: dict[str, PositiveFloat] = field(default_factory=dict)
    held_out: tuple[str, ...] = ()
    fps: PositiveFloat = 30.0
    bodies: BodyVariation = field(default_factory=BodyVariation)
    cameras: CameraVariation = field(default_factory=CameraVariation)
    noise: DetectorNoise = field(default_factory=DetectorNoise)
    unseen_weight: Share = 0.3
    validation_batches: PositiveInt = 4


@dataclass(frozen=True)
class PoseSetData:
    """A data set that ``lift3d prepare`` made.

    Attributes:
        set: the HDF5 file; relative to the configuration file (``--set``: to the working directory).
        training, validation: subjects; empty for the set's customary split.
        actions: names to keep; empty for all.
        normalization: "image" (VideoPose3D: pixels over half the width) or "person" (lift3d.lifting.normalization).
        keep_every: use every n-th frame of each recording.
        training_share: of each training recording the share that is used, one stretch: for training on few labels.
        unlabelled: a second prepared set, or the same, for semi-supervised training; None for none.
        unlabelled_subjects: whose recordings there are taken as if they had no 3D.
        synthetic: synthesised windows that are mixed into every batch ("person" normalization); None for none.
        synthetic_share: the share of a batch that they make up.
    """

    set: str
    source: Literal["pose_set"] = "pose_set"
    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    normalization: Literal["image", "person"] = "image"
    keep_every: PositiveInt = 1
    training_share: PositiveShare = 1.0
    unlabelled: str | None = None
    unlabelled_subjects: tuple[str, ...] = ()
    synthetic: SynthesisData | None = None
    synthetic_share: Share = 0.5


@dataclass(frozen=True)
class Augmentation:
    """How windows of a prepared set are varied; probabilities are per window unless said otherwise.

    Where the body is changed in space, each keypoint moves as the joint's projection does, so that it keeps the error
    that the detector made. Functions: lift3d.training.augmentation.

    Attributes:
        flip: an epoch shows every window and its mirror image (as VideoPose3D's does: it is twice as long).
        turn_vertical_degrees: turn of the person about the vertical, largest angle; 180 for any.
        turn_degrees: turn of person and scene about the optical axis, largest angle.
        distance: (least, largest) factor of the distance from the camera.
        scale: (least, largest) factor of the body's size.
        bone_lengths: standard deviation of the logarithm of the length of each bone, the same on both sides.
        speed: (slowest, fastest) factor of playing speed.
        noise_pixels: standard deviation of 2D noise, pixels of a 1000-pixel image.
        detector: errors of a detector (lift3d.training.noise_fitting measures one); None for none.
        drop_joints: probability, per joint, that its 2D is missing for a stretch of the window.
        occlusion: probability that something hides a part of the image for a stretch of the window.
        swap_sides: probability that left and right of arms, legs or both change places for a stretch of the window.
        unknown_camera: probability that the focal length is withheld and a wrong one assumed ("person" normalization).
        hard_examples: share of windows drawn by their running loss instead of evenly (hard example mining).
    """

    flip: bool = True
    turn_vertical_degrees: Degrees = 0.0
    turn_degrees: Degrees = 0.0
    distance: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.0)
    scale: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.0)
    bone_lengths: NonNegativeFloat = 0.0
    speed: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.0)
    noise_pixels: NonNegativeFloat = 0.0
    detector: DetectorNoise | None = None
    drop_joints: Share = 0.0
    occlusion: Share = 0.0
    swap_sides: Share = 0.0
    unknown_camera: Share = 0.0
    hard_examples: Share = 0.0


@dataclass(frozen=True)
class Losses:
    """Weight of each term of the objective; metres unless said otherwise.

    Functions: lift3d.training.losses and lift3d.training.reprojection. ``n_mpjpe`` is the error after each pose is
    scaled to fit best.
    """

    mpjpe: NonNegativeFloat = 1.0
    n_mpjpe: NonNegativeFloat = 0.0
    mse: NonNegativeFloat = 0.0
    velocity: NonNegativeFloat = 0.0
    bone_length: NonNegativeFloat = 0.0
    symmetry: NonNegativeFloat = 0.0
    reprojection: NonNegativeFloat = 0.0
    oks: NonNegativeFloat = 0.0
    laplace: NonNegativeFloat = 0.0


@dataclass(frozen=True)
class SemiSupervision:
    """Training on unlabelled 2D (Pavllo et al., CVPR 2019, section 4).

    Attributes:
        warmup_epochs: epochs with labels only, before the unlabelled part joins.
        reprojection, bone_length: weights of its two terms.
    """

    warmup_epochs: NonNegativeFloat = 1.0
    reprojection: NonNegativeFloat = 1.0
    bone_length: NonNegativeFloat = 1.0


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and its schedules.

    Attributes:
        name: "adam" (with ``amsgrad``), "adamw", or "muon" (lift3d.training.muon: fewer steps for the same error).
        learning_rate: at the start, after the warm-up.
        schedule: "exponential" multiplies by ``decay`` every epoch, "cosine" falls to a hundredth at the end.
        warmup_steps: steps over which the rate rises.
        clip_norm: largest norm of the gradient; None does not clip.
        norm_momentum: (first, last) momentum of batch norms, decaying exponentially over the run.
        ema: decay of the exponential moving average of weights that is validated and saved; None for none.
    """

    name: Literal["adam", "adamw", "muon"] = "adamw"
    learning_rate: PositiveFloat = 1e-3
    amsgrad: bool = False
    weight_decay: NonNegativeFloat = 0.0
    schedule: Literal["exponential", "cosine"] = "cosine"
    decay: Annotated[float, Field(gt=0, le=1)] = 0.95
    warmup_steps: NonNegativeInt = 0
    clip_norm: PositiveFloat | None = 1.0
    norm_momentum: tuple[Momentum, Momentum] = (0.1, 0.001)
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None


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
        trajectory: also train a second network of the same shape that gives the root in camera space, saved as
            ``best_trajectory.safetensors`` and ``last_trajectory.safetensors``. It is what projects the poses of
            unlabelled windows (semi_supervision needs it), and ``lift3d evaluate`` measures it. It knows distances of
            the cameras and people that it was trained on; ``lift3d.lift`` places people by the geometry of the camera
            instead, which holds for any camera.
        semi_supervision: the unlabelled part; None for none.
        optimizer: the optimizer and its schedules.
        augmentation: how windows of a prepared set are varied.
        precision: "auto" takes bfloat16 where the device multiplies it faster, else float32.
        seed: of weights, windows and dropout.
        validate_every: steps between two validations and checkpoints; None for once an epoch.
    """

    model: ModelConfig
    data: Annotated[SynthesisData | PoseSetData, Field(discriminator="source")]
    batch: PositiveInt = 96
    outputs: PositiveInt = 32
    steps: PositiveInt | None = None
    epochs: PositiveInt = 80
    losses: Losses = field(default_factory=Losses)
    trajectory: bool = False
    semi_supervision: SemiSupervision | None = None
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    seed: NonNegativeInt = 0
    validate_every: PositiveInt | None = None

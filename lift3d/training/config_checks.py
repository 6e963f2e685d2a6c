"""What the fields of a configuration ask of each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple

from lift3d.errors import CheckpointError
from lift3d.models.factory import make_config
from lift3d.training.configuration import Augmentation, PoseSetData, SynthesisData, TrainingConfig

# Terms that compare with keypoints in an image.
IMAGE_LOSSES = ("reprojection", "oks")


def find_conflicts(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    """(field, problem) of everything that can be told without reading the data."""
    yield from _network_conflicts(config)
    yield from _loss_conflicts(config)
    if isinstance(config.data, SynthesisData):
        yield from _synthesis_conflicts(config, config.data)
    else:
        yield from _pose_set_conflicts(config.data)
    semi, unlabelled = config.semi_supervision, getattr(config.data, "unlabelled", None)
    if semi is not None and unlabelled is None:
        yield "semi_supervision", "it needs unlabelled 2D: name a prepared set in data.unlabelled"
    if unlabelled is not None and semi is None:
        yield "data.unlabelled", "it is used by semi-supervised training only: add semi_supervision: {}"
    if semi is not None and not config.trajectory:
        yield "trajectory", "semi_supervision needs the root to project poses: set it to true"
    for name in ("distance", "scale", "speed"):
        least, largest = getattr(config.augmentation, name)
        if least > largest:
            yield f"augmentation.{name}", f"the least factor, {least}, is larger than the largest, {largest}"


def _network_conflicts(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    try:
        network = make_config(config.model.architecture, config.model.settings)
    except CheckpointError as error:
        yield "model", str(error)
        return
    if network.window is not None and config.outputs != network.window:
        yield "outputs", f"this network gives a pose for each of its {network.window} frames: say {network.window}"
    if network.sigma and not config.losses.laplace:
        yield "model.settings.sigma", "nothing teaches the standard deviations: give losses.laplace a weight"
    if config.losses.laplace and not network.sigma:
        yield "losses.laplace", "the network gives no standard deviations: set model.settings.sigma to true"


def _loss_conflicts(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    if not any(astuple(config.losses)):
        yield "losses", "every weight is 0: there is nothing to train for"
    if config.losses.velocity and config.outputs < 2:
        yield "losses.velocity", "velocities need two poses a window or more: raise outputs"


def _synthesis_conflicts(config: TrainingConfig, data: SynthesisData) -> Iterator[tuple[str, str]]:
    if not data.motion:
        yield "data.motion", "name the motion files and how often they are drawn, such as {cmu.h5: 1.0}"
    for name in IMAGE_LOSSES:
        if getattr(config.losses, name):
            yield f"losses.{name}", "synthesised windows have no keypoints to project onto: set it to 0"
    if config.trajectory:
        yield "trajectory", "synthesised windows do not say where in the camera's space people are: set it to false"
    if config.augmentation != Augmentation():
        yield "augmentation", "it varies prepared sets; synthesised windows vary by data.bodies, .cameras and .noise"


def _pose_set_conflicts(data: PoseSetData) -> Iterator[tuple[str, str]]:
    if both := sorted(set(data.training) & set(data.validation)):
        yield "data.validation", f"{', '.join(both)} would be trained on as well"
    if data.unlabelled_subjects and data.unlabelled is None:
        yield "data.unlabelled_subjects", "name the prepared set that they are in, in data.unlabelled"
    if data.synthetic is not None and data.normalization != "person":
        yield "data.synthetic", "synthesised windows go with data.normalization: person"
    if data.synthetic is not None and not data.synthetic.motion:
        yield "data.synthetic.motion", "name the motion files and how often they are drawn, such as {cmu.h5: 1.0}"

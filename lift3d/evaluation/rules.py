"""Families of rules under which errors on a data set are published, and where the scale of the poses comes from.

Numbers of different families cannot be compared. VideoPose3D (Pavllo et al., CVPR 2019) compares the network's output,
relative to the root that it predicts for itself, with the truth relative to the true root, in the network's own
metres. MotionBERT (Zhu et al., ICCV 2023) and those who follow it leave out three clips of S9 whose 3D is damaged,
subtract the predicted root, and multiply each frame by a factor that is read off the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.calibration.body_lengths import stature
from lift3d.errors import Lift3DError
from lift3d.skeletons import Skeleton

SCALES = {
    "none": "the network's own metres",
    "height": "each person's true stature, measured on the true bones of each clip",
    "best": "one factor a clip that fits the truth best (least squares)",
    "truth": "one factor a frame: the true total length of the bones over the predicted one",
}


@dataclass(frozen=True)
class Rules:
    """A family of rules.

    Attributes:
        name: how the command line calls it.
        title: how a report calls it.
        keep_predicted_root: whether the prediction stays relative to whatever root it has.
        scale: the scale source that the rules ask for; None leaves the choice.
        data_set: the set that they were made for; "" for any.
        excluded: recordings of it that are left out.
        notes: what else to know.
    """

    name: str
    title: str
    keep_predicted_root: bool = False
    scale: str | None = None
    data_set: str = ""
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


RULES = {
    rules.name: rules
    for rules in (
        Rules("plain", "none: the root subtracted from both, nothing left out"),
        Rules(
            "videopose3d",
            "VideoPose3D",
            keep_predicted_root=True,
            notes=("the predicted root is not subtracted: poses pay for its distance from 0, as VideoPose3D counts",),
        ),
        Rules(
            "motionbert",
            "MotionBERT",
            scale="truth",
            data_set="human36m",
            # Their s_09_act_05_subact_02, s_09_act_10_subact_02 and s_09_act_13_subact_01.
            excluded=("S9/Greeting", "S9/SittingDown", "S9/Waiting 1"),
            notes=(
                "their factor is millimetres a pixel at the root, for networks that answer in pixels; of networks "
                "that answer in metres the truth gives each frame the true total length of its bones instead",
            ),
        ),
    )
}


def choose_rules(name: str | None, data_set: str, own: str) -> Rules:
    """The rules of that name; for None those that the set names as its own, or else plain ones.

    Args:
        name: as the user asks, or None.
        data_set: ``DataSetInfo.name``.
        own: ``DataSetInfo.rules``.

    Raises:
        Lift3DError: unknown rules, or rules that were made for another set.
    """
    key = name.lower() if name is not None else own.lower() if own.lower() in RULES else "plain"
    if key not in RULES:
        raise Lift3DError(f"unknown rules {name!r}; known are {', '.join(RULES)}")
    rules = RULES[key]
    if rules.data_set and rules.data_set != data_set:
        raise Lift3DError(f"the rules of {rules.title} are for {rules.data_set}, and this set is {data_set}")
    return rules


def choose_scale(scale: str | None, rules: Rules, trained_height: float | None) -> str:
    """The scale source: what the rules ask for, what the user asks for, or the network's own metres.

    Raises:
        Lift3DError: unknown, or it contradicts the rules, or the network's own stature is not known.
    """
    if scale is not None and scale not in SCALES:
        raise Lift3DError(f"unknown scale {scale!r}; known are {', '.join(SCALES)}")
    if rules.scale is not None and scale not in (None, rules.scale):
        raise Lift3DError(f"the rules of {rules.title} ask for the scale {rules.scale!r}, not {scale!r}")
    chosen = rules.scale or scale or "none"
    if chosen == "height" and trained_height is None:
        raise Lift3DError(
            "the scale 'height' needs a checkpoint whose poses have a known stature; this one gives the metres of the "
            "people that it was trained on: use 'none' or 'best'"
        )
    return chosen


def scale_factor(
    how: str, prediction: np.ndarray, truth: np.ndarray, skeleton: Skeleton, trained_height: float | None
) -> np.ndarray:
    """What the root-relative poses of a clip are multiplied with.

    Args:
        how: one of SCALES.
        prediction, truth: (frames, joints, 3) metres relative to their roots, NaN where missing.
        skeleton: the joints' layout.
        trained_height: stature of the bodies that the network gives, metres.

    Returns:
        A factor that broadcasts to (frames, 1, 1); NaN for a frame whose bones are not known.

    Raises:
        CameraError: the scale is "height" and the legs and trunk of the true person are never known.
    """
    if how == "none":
        return np.ones((1, 1, 1))
    if how == "height":
        assert trained_height is not None
        return np.full((1, 1, 1), stature(skeleton, truth) / trained_height)
    if how == "best":
        known = np.isfinite(prediction) & np.isfinite(truth)
        p, g = np.where(known, prediction, 0), np.where(known, truth, 0)
        square = (p * p).sum()
        return np.full((1, 1, 1), (p * g).sum() / square if square else np.nan)
    ours, theirs = (_bone_lengths(points, skeleton) for points in (prediction, truth))
    known = np.isfinite(ours) & np.isfinite(theirs)
    total = np.where(known, ours, 0).sum(axis=-1)
    factor = np.where(known, theirs, 0).sum(axis=-1) / np.where(total > 0, total, np.nan)
    return np.asarray(factor[:, None, None])


def _bone_lengths(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(frames, bones) metres."""
    parents, children = (list(ends) for ends in zip(*skeleton.bones, strict=True))
    return np.asarray(np.linalg.norm(points[:, children] - points[:, parents], axis=-1))

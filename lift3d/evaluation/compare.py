"""Predicted poses against the truth: what is compared with what, and the errors that papers report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lift3d.errors import ShapeError, SkeletonError
from lift3d.evaluation import metrics
from lift3d.evaluation.report import Report
from lift3d.geometry.alignment import align
from lift3d.geometry.cameras import Camera
from lift3d.poses import Poses3D
from lift3d.skeletons import Skeleton

HIPS = ("left_hip", "right_hip")


@dataclass(frozen=True)
class Root:
    """The root on each side: joint indices whose middle it is; None if the layouts have none."""

    prediction: list[int] | None
    truth: list[int] | None
    name: str


def evaluate(
    prediction: Poses3D,
    truth: Poses3D,
    camera: Camera | None = None,
    match_people: str = "best",
    joints: Sequence[str] | None = None,
) -> Report:
    """Compare predicted poses with the truth.

    Joints are matched by name; people by their errors or their track ids; frames by time if both frame rates are
    known, else by number. Errors are relative to the root: the pelvis if both layouts have it, else the middle of the
    hips. Poses in camera space are compared with world space through ``camera``; without it, all poses are turned by
    the one rotation (the same for all frames, one a person) that fits best, and the report says so.

    Args:
        prediction: the predicted poses.
        truth: the true poses.
        camera: the camera that saw the prediction, ``R`` and ``t`` from world, if one side is in world space.
        match_people: "best" pairs people so that the sum of their errors is least, "id" pairs equal track ids.
        joints: the names to compare; None for all that both have.

    Returns:
        The report: errors in mm, per joint too, and what was compared, cut, resampled and left out.

    Raises:
        SkeletonError: the layouts have no joint name in common, or not those asked for.
        ShapeError: there are no frames or people to compare, or ``match_people`` is unknown.
    """
    if match_people not in ("best", "id"):
        raise ShapeError(f"match_people must be 'best' or 'id', not {match_people!r}")
    notes: list[str] = []
    common = [joint for joint in prediction.skeleton.joints if joint in truth.skeleton.joints]
    if not common:
        raise SkeletonError(
            f"prediction ({', '.join(prediction.skeleton.joints[:6])}, ...) and truth "
            f"({', '.join(truth.skeleton.joints[:6])}, ...) have no joint name in common; convert one of them"
        )
    if absent := [joint for joint in joints or () if joint not in common]:
        raise SkeletonError(f"not a joint of both: {', '.join(absent)}; both have {', '.join(common)}")
    compared = list(joints) if joints else common
    prediction, truth = _one_space(prediction, truth, camera, notes)
    root = find_root(prediction.skeleton, truth.skeleton)
    if root.prediction is None:
        notes.append("the layouts have no root in common: positions are compared as they are")
    prediction, fps = _match_frames(prediction, truth, notes)
    frames = min(prediction.frames, truth.frames)
    if frames == 0 or prediction.people == 0 or truth.people == 0:
        raise ShapeError(
            f"nothing to compare: {prediction.frames} frames of {prediction.people} people predicted, "
            f"{truth.frames} frames of {truth.people} people true"
        )
    if prediction.frames != truth.frames:
        notes.append(f"{prediction.frames} frames predicted, {truth.frames} true: the first {frames} are compared")

    p = _relative(prediction, root.prediction, compared)[:frames]
    g = _relative(truth, root.truth, compared)[:frames]
    rotated = prediction.space != truth.space
    pairs = _match_people(p, g, prediction, truth, compared, rotated, match_people)
    left_out = {
        "predicted people without a match": prediction.people - len(pairs),
        "true people without a match": truth.people - len(pairs),
    }
    p, g = p[:, [i for i, _ in pairs]], g[:, [j for _, j in pairs]]
    if rotated:
        notes.append(
            f"the prediction is in {prediction.space} space and the truth in {truth.space} space, and no camera was "
            "given: each person's poses were turned by the one rotation that fits best over all frames, so that the "
            "errors are lower bounds (P-MPJPE is not affected)"
        )
        p = _turned(p, g, about_root=root.prediction is not None)

    missing_p, missing_g = np.isnan(p).any(axis=-1), np.isnan(g).any(axis=-1)
    left_out["joints missing in the prediction only"] = int((missing_p & ~missing_g).sum())
    left_out["joints missing in the truth"] = int(missing_g.sum())
    errors = metrics.joint_errors(p, g, root=None)
    aligned = metrics.aligned_joint_errors(p, g)
    return Report(
        mpjpe=float(metrics.nan_mean(errors)),
        p_mpjpe=float(metrics.nan_mean(aligned)),
        n_mpjpe=float(metrics.n_mpjpe(p, g, root=None)),
        mpjve=float(metrics.mpjve(p, g, root=None)),
        pck_3d=float(metrics.pck_3d(p, g, root=None)),
        auc_3d=float(metrics.auc_3d(p, g, root=None)),
        per_joint={
            joint: (float(metrics.nan_mean(errors[..., k])), float(metrics.nan_mean(aligned[..., k])))
            for k, joint in enumerate(compared)
        },
        joints=tuple(compared),
        root=root.name,
        people=tuple((prediction.track_ids[i], truth.track_ids[j]) for i, j in pairs),
        people_matched_by="track id" if match_people == "id" else "least error",
        frames=frames,
        poses=int((~missing_p & ~missing_g).any(axis=-1).sum()),
        compared=int((~missing_p & ~missing_g).sum()),
        fps=fps,
        rotated=rotated,
        left_out=left_out,
        joints_left_out=(
            tuple(joint for joint in prediction.skeleton.joints if joint not in compared),
            tuple(joint for joint in truth.skeleton.joints if joint not in compared),
        ),
        notes=tuple(notes),
    )


def _one_space(prediction: Poses3D, truth: Poses3D, camera: Camera | None, notes: list[str]) -> tuple[Poses3D, Poses3D]:
    """Both in camera space, if a camera is given and needed."""
    if camera is None:
        return prediction, truth
    if prediction.space == truth.space:
        notes.append(f"both are in {truth.space} space: the camera was not needed")
        return prediction, truth

    def seen(poses: Poses3D) -> Poses3D:
        if poses.space == "camera":
            return poses
        return replace(poses, xyz=poses.xyz.astype(np.float64) @ camera.R.T + camera.t, space="camera")

    notes.append(f"the poses in world space were taken into the space of camera {camera.name!r}")
    return seen(prediction), seen(truth)


def find_root(prediction: Skeleton, truth: Skeleton) -> Root:
    """What both layouts have as their root: the pelvis, or else the middle of the hips."""
    if "pelvis" in prediction.joints and "pelvis" in truth.joints:
        return Root([prediction.index("pelvis")], [truth.index("pelvis")], "pelvis")
    ours, theirs = _hips(prediction), _hips(truth)
    if ours and theirs:
        return Root(ours, theirs, "middle of the hips")
    ours = [prediction.index("pelvis")] if "pelvis" in prediction.joints else ours
    theirs = [truth.index("pelvis")] if "pelvis" in truth.joints else theirs
    if ours and theirs:
        return Root(ours, theirs, "pelvis of one, middle of the hips of the other")
    return Root(None, None, "none")


def _hips(skeleton: Skeleton) -> list[int] | None:
    return [skeleton.index(hip) for hip in HIPS] if all(hip in skeleton.joints for hip in HIPS) else None


def _match_frames(prediction: Poses3D, truth: Poses3D, notes: list[str]) -> tuple[Poses3D, float | None]:
    """The prediction at the truth's frame rate, and that rate."""
    ours, theirs = prediction.fps, truth.fps
    if ours is None or theirs is None:
        if ours != theirs:
            notes.append("one of the frame rates is unknown: frames are compared by their number")
        return prediction, ours or theirs
    if abs(ours - theirs) <= 1e-3 * theirs or prediction.frames == 0:
        return prediction, theirs
    notes.append(f"the prediction was resampled from {ours:g} to {theirs:g} frames per second, linearly")
    count = int(np.floor((prediction.frames - 1) / ours * theirs + 1e-6)) + 1
    place = np.minimum(np.arange(count) * ours / theirs, prediction.frames - 1)
    low = np.floor(place + 1e-9).astype(int)
    part = np.clip(place - low, 0, 1)[:, None, None, None]
    high = np.where(part[:, 0, 0, 0] > 1e-9, low + 1, low)
    xyz = prediction.xyz[low] * (1 - part) + prediction.xyz[np.minimum(high, prediction.frames - 1)] * part
    return (
        Poses3D(xyz, skeleton=prediction.skeleton, fps=theirs, track_ids=prediction.track_ids, space=prediction.space),
        theirs,
    )


def _relative(poses: Poses3D, root: list[int] | None, joints: list[str]) -> np.ndarray:
    """(frames, people, common joints, 3) float64, relative to the root."""
    xyz = poses.xyz.astype(np.float64)
    if root is not None:
        xyz = xyz - xyz[..., root, :].mean(axis=-2, keepdims=True)
    return xyz[..., [poses.skeleton.index(joint) for joint in joints], :]


def _match_people(
    p: np.ndarray, g: np.ndarray, prediction: Poses3D, truth: Poses3D, joints: list[str], rotated: bool, how: str
) -> list[tuple[int, int]]:
    """(predicted, true) indices of people. Raises ShapeError if there is no pair."""
    if how == "id":
        pairs = [(prediction.track_ids.index(i), j) for j, i in enumerate(truth.track_ids) if i in prediction.track_ids]
        if not pairs:
            raise ShapeError(f"no track id in common: predicted {prediction.track_ids}, true {truth.track_ids}")
        return pairs
    if p.shape[1] == 1 and g.shape[1] == 1:
        return [(0, 0)]
    from scipy.optimize import linear_sum_assignment

    if not rotated:  # places tell people apart better than poses do
        p = _relative(prediction, None, joints)[: len(p)]
        g = _relative(truth, None, joints)[: len(g)]
    cost = np.full((p.shape[1], g.shape[1]), np.inf)
    for i in range(p.shape[1]):
        for j in range(g.shape[1]):
            error = metrics.p_mpjpe(p[:, i], g[:, j]) if rotated else metrics.mpjpe(p[:, i], g[:, j], root=None)
            cost[i, j] = error if np.isfinite(error) else np.inf
    finite = np.isfinite(cost)
    if not finite.any():
        raise ShapeError("no predicted person shares a joint with a true one in any frame")
    rows, columns = linear_sum_assignment(np.where(finite, cost, cost[finite].max() * 1e3 + 1e6))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if finite[i, j]]


def _turned(p: np.ndarray, g: np.ndarray, about_root: bool) -> np.ndarray:
    """Each person's poses turned by the one rotation that brings them closest to the truth, all frames together."""
    turned = np.empty_like(p)
    for person in range(p.shape[1]):
        ours, theirs = p[:, person].reshape(-1, 3), g[:, person].reshape(-1, 3)
        if about_root:  # the mirrored points hold both means at the root
            ours, theirs = np.concatenate([ours, -ours]), np.concatenate([theirs, -theirs])
        turned[:, person] = (
            align(ours, theirs, scale=False).apply(p[:, person].reshape(-1, 3)).reshape(p[:, person].shape)
        )
    return turned

"""A checkpoint on a prepared data set, clip after clip, by the rules of a family of published numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np

from lift3d.calibration.body_lengths import stature
from lift3d.datasets.pose_sets import Clip, PoseSet, open_pose_set
from lift3d.errors import Lift3DError, SkeletonError
from lift3d.evaluation.actions import Tally, mean_of_actions
from lift3d.evaluation.clip_lifting import ClipLifter, LiftedClip, clip_camera, clip_keypoints
from lift3d.evaluation.compare import Root, find_root
from lift3d.evaluation.coverage import Coverage, SigmaTally
from lift3d.evaluation.data_set_report import ActionResult, DataSetReport
from lift3d.evaluation.root_trajectory import RootTrajectory, choose_trajectory
from lift3d.evaluation.rules import Rules, choose_rules, choose_scale, scale_factor
from lift3d.evaluation.sigma_calibration import SigmaCalibration
from lift3d.evaluation.worst_clips import WorstClips
from lift3d.lifting.lift import lift
from lift3d.skeletons import Skeleton, make_skeleton

WORST_CLIPS = 4
UNNAMED = "(unnamed)"


@dataclass(frozen=True)
class Evaluation:
    """A report, and the errors in units of sigma that a calibration can be fitted on (None without sigma)."""

    report: DataSetReport
    sigma: SigmaTally | None


def evaluate_checkpoint(
    checkpoint: str | PathLike[str],
    data_set: str | PathLike[str],
    subjects: Sequence[str] = (),
    actions: Sequence[str] = (),
    *,
    flip: bool = True,
    scale: str | None = None,
    rules: str | None = None,
    placed: bool = False,
    trajectory: str | PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Lift every clip of a prepared set with a checkpoint and compare the poses with the truth.

    One clip is in memory at a time. Cameras are known to checkpoints that ask for them ("person" normalization).

    Args:
        checkpoint: "default" or a .safetensors file.
        data_set: the HDF5 file that ``lift3d prepare`` made.
        subjects: whose recordings; empty for the set's customary test subjects, or all if it has none.
        actions: which; empty for all.
        flip: average each pose with that of the mirrored clip.
        scale: a key of ``lift3d.evaluation.rules.SCALES``; None for the network's own metres, or what the rules ask.
        rules: a key of ``lift3d.evaluation.rules.RULES``; None for the set's own.
        placed: evaluate what ``lift3d.lift`` gives, with its place in space, instead of the network's own poses.
        trajectory: the checkpoint of a root-trajectory network, whose error is then that of the root; None for the one
            beside the checkpoint (``last_trajectory.safetensors`` of ``last.safetensors``), if it is there.
        progress: called with (frames done, frames in all).

    Returns:
        The report, and the errors in units of sigma.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        FileFormatError: the set cannot be read, or has no such subject or action.
        SkeletonError: the set's 2D cannot give what a network reads, or no joint can be compared.
        Lift3DError: rules or scale are unknown or do not fit, or nothing is left to compare.
    """
    with open_pose_set(data_set) as whole:
        family = choose_rules(rules, whole.info.name, whole.info.rules)
        if placed and not flip:
            raise Lift3DError("lift3d.lift always averages with the mirrored clip: leave out --placed or --no-flip")
        if placed and trajectory is not None:
            raise Lift3DError(
                "lift3d.lift places people by the camera's geometry, not a network: leave out --placed or --trajectory"
            )
        lifter = ClipLifter(checkpoint, whole.skeleton_2d, flip)
        how = choose_scale(scale, family, lifter.info.height)
        chosen = whole.select(tuple(subjects) or whole.info.test, tuple(actions))
        root = None if placed else choose_trajectory(trajectory, checkpoint, whole, flip, how)
        return _Run(str(checkpoint), lifter, chosen, family, how, placed, root).evaluate(progress)


class _Run:
    """One evaluation while it goes on."""

    def __init__(
        self,
        checkpoint: str,
        lifter: ClipLifter,
        pose_set: PoseSet,
        rules: Rules,
        scale: str,
        placed: bool,
        trajectory: RootTrajectory | None,
    ) -> None:
        self.checkpoint, self.lifter, self.set, self.rules = checkpoint, lifter, pose_set, rules
        self.scale, self.placed, self.trajectory = scale, placed, trajectory
        ours, theirs = lifter.output, pose_set.skeleton_3d
        self.joints = tuple(joint for joint in theirs.joints if joint in ours.joints)
        if not self.joints:
            raise SkeletonError(
                f"{checkpoint} gives {ours.name!r} and the set's 3D is {theirs.name!r}: they have no joint in common"
            )
        self.root: Root = find_root(ours, theirs)
        if self.root.prediction is None or self.root.truth is None:
            raise SkeletonError(
                f"{checkpoint} gives {ours.name!r} and the set's 3D is {theirs.name!r}: they have no root in common, "
                "the pelvis or both hips, and poses cannot be compared without one"
            )
        self.places = [ours.index(joint) for joint in self.joints], [theirs.index(joint) for joint in self.joints]
        self.compared = _part(theirs, self.joints)
        self.tallies: dict[str, Tally] = {}
        self.missing = np.zeros(2, np.int64)
        self.excluded: dict[str, int] = {}
        self.left_out: dict[str, str] = {}
        self.worst = WorstClips(WORST_CLIPS, self.joints, (self.compared, self.compared))
        root_joint = self.joints.index("pelvis") if self.root.name == "pelvis" else None
        self.sigma = SigmaTally(self.joints, root_joint) if lifter.network.config.sigma else None

    def evaluate(self, progress: Callable[[int, int], None] | None) -> Evaluation:
        """All clips, one after the other."""
        total = sum(self.set.recordings[view.recording].frames for view in self.set.views if view.seen)
        done = 0
        for clip in self.set.clips():
            frames = len(clip.xyz)
            if clip.recording.name in self.rules.excluded:
                self.excluded[clip.recording.name] = self.excluded.get(clip.recording.name, 0) + frames
            else:
                self._clip(clip)
            done += frames
            if progress is not None:
                progress(done, total)
        return Evaluation(self._report(), self.sigma)

    def _clip(self, clip: Clip) -> None:
        name = f"{clip.recording.name}, camera {clip.camera.name}"
        try:
            lifted, root_error = self._lift(clip)
        except SkeletonError as error:
            self.left_out[name] = str(error)
            return
        truth = clip.xyz.astype(np.float64)
        true_root = _middle(truth, self.root.truth)
        g = truth[:, self.places[1]] - true_root[:, None]
        prediction = lifted.joints.astype(np.float64)
        relative = prediction[:, self.places[0]]
        centred = relative - _middle(prediction, self.root.prediction)[:, None]
        factor = scale_factor(self.scale, centred, g, self.compared, self.lifter.info.height)
        p = factor * (relative if self.rules.keep_predicted_root else centred)
        tally = self.tallies.setdefault(clip.recording.action or UNNAMED, Tally(len(self.joints)))
        errors = tally.add(p, g, root_error)
        unknown = np.isnan(g).any(axis=-1)
        self.missing += [unknown.sum(), (np.isnan(p).any(axis=-1) & ~unknown).sum()]
        place = true_root[:, None]
        self.worst.offer(clip.recording.name, clip.camera.name, clip.recording.fps, errors, p + place, g + place)
        if self.sigma is not None and lifted.sigma is not None:
            # In the network's own metres: the scale is no error that it could know of.
            self.sigma.add(
                np.einsum("fij,fkj->fki", lifted.axes, centred - g / factor),
                lifted.sigma[:, self.places[0]],
                self.lifter.seen(clip)[:, self.places[0]],
                clip.recording.subject,
            )

    def _lift(self, clip: Clip) -> tuple[LiftedClip, np.ndarray | None]:
        """The poses of a clip; if they or the root are placed in space, the error of the root in metres, too."""
        if not self.placed:
            root_error = None if self.trajectory is None else self.trajectory.errors(clip)
            return self.lifter.lift(clip), root_error
        height = stature(self.set.skeleton_3d, clip.xyz) if self.scale == "height" else None
        poses = lift(clip_keypoints(clip, self.set.skeleton_2d), self.checkpoint, clip_camera(clip), height)
        xyz = poses.xyz[:, 0].astype(np.float64)
        ours, theirs = _middle(xyz, self.root.prediction), _middle(clip.xyz.astype(np.float64), self.root.truth)
        # The comparison scales the poses itself.
        factor = 1.0 if height is None else height / (self.lifter.info.height or height)
        sigma = None
        if poses.covariance is not None:
            sigma = np.sqrt(np.diagonal(poses.covariance[:, 0], axis1=-2, axis2=-1)) / factor
        lifted = LiftedClip((xyz - ours[:, None]) / factor, sigma, np.broadcast_to(np.eye(3), (len(xyz), 3, 3)))
        return lifted, np.linalg.norm(ours - theirs, axis=-1)

    def _report(self) -> DataSetReport:
        names = [action or UNNAMED for action in self.set.actions]
        results = {
            name: ActionResult(self.tallies[name].figures(), self.tallies[name].frames, self.tallies[name].clips)
            for name in names
            if name in self.tallies and self.tallies[name].compared
        }
        if not results:
            why = "; ".join([*self.left_out.values()][:1])
            raise Lift3DError(
                f"{self.set.path}: nothing is left to compare"
                + (f" ({why})" if why else ": no clip of the selection has both 2D and 3D")
            )
        overall = Tally.total(self.tallies.values(), len(self.joints))
        kept = [entry for entry in self.set.recordings if entry.name not in self.excluded]
        return DataSetReport(
            checkpoint=self._checkpoint(),
            path=self.set.path,
            data_set=self.set.info,
            subjects=self.set.subjects,
            actions=results,
            mean_of_actions=mean_of_actions([result.figures for result in results.values()]),
            mean_of_frames=overall.figures(),
            per_joint=overall.per_joint(self.joints),
            root=self.root.name if not self.rules.keep_predicted_root else f"{self.root.name}, of the truth only",
            frames=overall.frames,
            poses=overall.poses,
            compared=overall.compared,
            clips=overall.clips,
            fps=tuple(sorted({entry.fps for entry in kept})),
            rules=self.rules,
            scale=self.scale,
            flip=self.lifter.flip,
            placed=self.placed,
            trajectory=None if self.trajectory is None else self.trajectory.to_dict(),
            excluded=self.excluded,
            left_out=self.left_out,
            missing=(int(self.missing[0]), int(self.missing[1])),
            coverage=self._coverage(),
            worst=tuple(self.worst.clips),
        )

    def _coverage(self) -> Coverage | None:
        if self.sigma is None:
            return None
        calibration = SigmaCalibration.from_dict(self.lifter.info.sigma)
        if self.placed:  # lift3d.lift has applied the temperature
            calibration = replace(calibration, temperature=(1.0, 1.0, 1.0))
        how = "that of the checkpoint" if self.lifter.info.sigma else "none: sigma as the network gives it"
        return self.sigma.coverage(calibration, how)

    def _checkpoint(self) -> dict[str, Any]:
        info, network = self.lifter.info, self.lifter.network
        weights = sum(parameter.numel() for parameter in network.parameters())
        cost = network.config.multiply_adds
        return {
            "path": self.checkpoint,
            "summary": f"{info.architecture}, {weights / 1e6:.2f} M weights, {cost / 1e6:.2f} M multiply-adds a frame",
            "architecture": info.architecture,
            "config": info.config,
            "weights": weights,
            "multiply_adds_per_frame": cost,
            "input_skeleton": info.input_skeleton,
            "output_skeleton": info.output_skeleton,
            "normalization": info.normalization,
            "fps": info.fps,
            "height": info.height,
            "card": info.card,
        }


def _middle(points: np.ndarray, joints: list[int] | None) -> np.ndarray:
    """(frames, 3) the middle of some joints of points (frames, joints, 3)."""
    assert joints is not None
    return np.asarray(points[:, joints].mean(axis=1))


def _part(skeleton: Skeleton, joints: tuple[str, ...]) -> Skeleton:
    """The layout with some of its joints only, each hanging on its nearest ancestor among them."""
    parents: dict[str, str | None] = {}
    for joint in joints:
        parent = skeleton.parents[skeleton.index(joint)]
        while parent >= 0 and skeleton.joints[parent] not in joints:
            parent = skeleton.parents[parent]
        parents[joint] = skeleton.joints[parent] if parent >= 0 else None
    return make_skeleton(skeleton.name, parents, skeleton.title)

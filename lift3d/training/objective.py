"""What a training step minimises: the weighted losses of a batch, with unlabelled 2D and the root if asked."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lift3d.errors import ConfigurationError
from lift3d.geometry.camera_batch import CameraBatch
from lift3d.models.network import Lifted
from lift3d.skeletons import Skeleton
from lift3d.training.batches import Batch
from lift3d.training.configuration import Losses, SemiSupervision
from lift3d.training.losses import (
    bone_length_error,
    joint_error,
    laplace_error,
    mean_bone_length_error,
    scaled_joint_error,
    squared_error,
    symmetry_error,
    trajectory_error,
    velocity_error,
    window_errors,
)
from lift3d.training.reprojection import oks_error, reprojection_error

Network = Callable[[Tensor], Lifted]


class Objective:
    """The sum of a batch's losses, each times its weight.

    Args:
        losses: weight of each term.
        skeleton: layout of the network's output.
        semi_supervision: weights of the terms of unlabelled 2D.

    Attributes:
        window_errors: (labelled windows,) MPJPE of each window of the last batch, metres, for hard example mining.
    """

    def __init__(self, losses: Losses, skeleton: Skeleton, semi_supervision: SemiSupervision | None = None) -> None:
        self.losses, self.skeleton = losses, skeleton
        self.semi_supervision = semi_supervision or SemiSupervision()
        self.window_errors: Tensor = torch.zeros(0)
        left = [bone for bone in skeleton.bones if skeleton.side(bone[1]) == "left"]
        mirror = skeleton.mirror_order
        self._left = [(a, b) for a, b in left if (mirror[a], mirror[b]) in skeleton.bones]
        self._right = [(mirror[a], mirror[b]) for a, b in self._left]

    def __call__(
        self, network: Network, batch: Batch, unlabelled: Batch | None = None, trajectory: Network | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch.

        Both networks are called once, on the labelled and the unlabelled windows together, so that batch norms see
        both (Pavllo et al., CVPR 2019, sec. 4).

        Args:
            network: gives the pose.
            batch: labelled windows.
            unlabelled: windows with keypoints and cameras, whose targets are not looked at.
            trajectory: gives the root, as a pose of one joint, in the axes of the network.

        Returns:
            the loss, and the figures of a log without their gradients: MPJPE ("mpjpe", metres) and every term that
            takes part, unweighted and in its own unit.

        Raises:
            ConfigurationError: a term needs what the network or the batch does not have.
        """
        joined = batch.inputs if unlabelled is None else torch.cat([batch.inputs, unlabelled.inputs])
        labelled = len(batch.inputs)
        lifted = network(joined)
        joints = lifted.joints[:labelled]
        sigma = None if lifted.sigma is None else lifted.sigma[:labelled]
        terms = self._supervised(joints, sigma, batch)
        roots = None if trajectory is None else trajectory(joined).joints[:, :, 0]
        if roots is not None:
            if batch.root is None:
                raise ConfigurationError("trajectory: these data know no camera, so they cannot teach where people are")
            terms["trajectory"] = 1.0, trajectory_error(to_camera(roots[:labelled], batch), batch.root)
        if unlabelled is not None:
            if roots is None:
                raise ConfigurationError("semi_supervision needs the root to project poses: set trajectory to true")
            terms |= self._unlabelled(lifted.joints[labelled:], roots[labelled:], joints, unlabelled)
        loss = torch.stack([weight * value for weight, value in terms.values()]).sum()
        self.window_errors = window_errors(joints.detach(), batch.target, batch.weight)
        mpjpe = joint_error(joints.detach(), batch.target, batch.weight)
        return loss, {"mpjpe": mpjpe, **{name: value.detach() for name, (_, value) in terms.items()}}

    def _supervised(self, joints: Tensor, sigma: Tensor | None, batch: Batch) -> dict[str, tuple[float, Tensor]]:
        """Weight and value of every term that has a weight."""
        losses, bones, pose = self.losses, self.skeleton.bones, (joints, batch.target, batch.weight)
        terms: dict[str, Callable[[], Tensor]] = {
            "mpjpe": lambda: joint_error(*pose),
            "n_mpjpe": lambda: scaled_joint_error(*pose),
            "mse": lambda: squared_error(*pose),
            "velocity": lambda: velocity_error(*pose),
            "bone_length": lambda: bone_length_error(*pose, bones),
            "symmetry": lambda: symmetry_error(joints, self._left, self._right),
            "reprojection": lambda: reprojection_error(*self._in_image(joints, batch, "reprojection")),
            "oks": lambda: oks_error(*self._in_image(joints, batch, "oks"), self.skeleton),
            "laplace": lambda: self._laplace(joints, sigma, batch),
        }
        return {name: (weight, term()) for name, term in terms.items() if (weight := getattr(losses, name))}

    @staticmethod
    def _laplace(joints: Tensor, sigma: Tensor | None, batch: Batch) -> Tensor:
        if sigma is None:
            raise ConfigurationError("losses.laplace: the network gives no sigma; set model.settings.sigma to true")
        return laplace_error(joints, sigma, batch.target, batch.weight)

    @staticmethod
    def _in_image(joints: Tensor, batch: Batch, term: str) -> tuple[Tensor, Tensor, CameraBatch]:
        """Predicted joints at the true root in camera space, their keypoints (0 where the root is missing), cameras."""
        if batch.root is None or batch.keypoints is None or batch.camera is None:
            raise ConfigurationError(f"losses.{term}: these data have no cameras with keypoints to project onto")
        known = (batch.root[..., 2] > 0)[..., None, None]
        keypoints = torch.where(known, batch.keypoints, 0.0)
        return to_camera(joints, batch) + batch.root[:, :, None], keypoints, batch.camera

    def _unlabelled(
        self, joints: Tensor, roots: Tensor, labelled: Tensor, batch: Batch
    ) -> dict[str, tuple[float, Tensor]]:
        if batch.keypoints is None or batch.camera is None:
            raise ConfigurationError("semi_supervision: the unlabelled data have no cameras with keypoints")
        points = to_camera(joints + roots[:, :, None], batch)
        return {
            "unlabelled_reprojection": (
                self.semi_supervision.reprojection,
                reprojection_error(points, batch.keypoints, batch.camera),
            ),
            "unlabelled_bone_length": (
                self.semi_supervision.bone_length,
                mean_bone_length_error(joints, labelled, self.skeleton.bones),
            ),
        }


def to_camera(points: Tensor, batch: Batch) -> Tensor:
    """Points (batch, outputs, 3) or (batch, outputs, joints, 3) in the network's axes, turned to camera space."""
    if batch.to_camera is None:
        return points
    if points.ndim == 3:
        return (points[:, :, None] @ batch.to_camera.mT)[:, :, 0]
    return points @ batch.to_camera.mT

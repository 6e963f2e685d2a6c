"""Losses of lifters in the image: joints in camera space, projected through the lens onto their keypoints."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from lift3d.geometry.camera_batch import CameraBatch
from lift3d.geometry.lenses import distort
from lift3d.skeletons import Skeleton
from lift3d.training.losses import weighted_mean

# Points nearer to the camera than this, or behind it, are projected as if they were so far away, metres.
NEAREST = 0.1
# COCO's standard deviations of annotators, as a share of the person's size: the root of its area (cocodataset.org,
# "Keypoint Evaluation"). Joints that COCO does not have take those of the nearest that it has.
COCO_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
    "knee": 0.087, "ankle": 0.089, "head": 0.035, "head_top": 0.035, "neck": 0.079, "thorax": 0.079, "heel": 0.089,
    "big_toe": 0.089, "small_toe": 0.089, "foot": 0.089, "toe": 0.089, "hand": 0.062,
}  # fmt: skip
_TRUNK_SIGMA = 0.107
# A person covers about this share of the box around the keypoints.
_AREA_OF_BOX = 0.53


def project(points: Tensor, camera: CameraBatch) -> Tensor:
    """Camera-space points to pixels, OpenCV's model with five coefficients; differentiable.

    Points far outside the image are held at twice its larger half, where a lens's polynomial still makes sense.

    Args:
        points: (batch, frames, joints, 3) metres.
        camera: of each window.

    Returns:
        (batch, frames, joints, 2) pixels.
    """
    plane = points[..., :2] / points[..., 2:].clamp_min(NEAREST)
    reach = (camera.image_size.amax(-1) / camera.focal.amin(-1))[:, None, None, None]
    plane = torch.minimum(torch.maximum(plane, -reach), reach)
    x, y = distort(plane[..., 0], plane[..., 1], list(camera.distortion.T[..., None, None]))
    return torch.stack([x, y], dim=-1) * camera.focal[:, None, None] + camera.centre[:, None, None]


def reprojection_error(points: Tensor, keypoints: Tensor, camera: CameraBatch) -> Tensor:
    """Mean distance of projected joints from their keypoints (Pavllo et al., CVPR 2019, sec. 4).

    Args:
        points: (batch, frames, joints, 3) camera space, metres.
        keypoints: (batch, frames, joints, 3) pixels x and y, and the confidence, which is the weight.
        camera: of each window.

    Returns:
        halves of the image's width, the unit of VideoPose3D's keypoints.
    """
    error = (project(points, camera) - keypoints[..., :2]).norm(dim=-1)
    return weighted_mean(error * (2 / camera.image_size[:, :1, None]), keypoints[..., 2])


def oks_error(points: Tensor, keypoints: Tensor, camera: CameraBatch, skeleton: Skeleton) -> Tensor:
    """1 - object keypoint similarity of the projected joints: 0 where all are in place, 1 where none is near.

    OKS = sum_j w_j exp(-d_j^2 / (2 area (2 sigma_j)^2)) / sum_j w_j (COCO; as a loss Maji et al., CVPRW 2022), the area
    that of the body in its keypoints' box.

    Args:
        points, keypoints, camera: as for ``reprojection_error``.
        skeleton: the layout of the joints, for their sigmas.
    """
    xy, confidence = keypoints[..., :2], keypoints[..., 2]
    seen = (confidence > 0)[..., None]
    low = torch.where(seen, xy, torch.inf).amin(-2)
    high = torch.where(seen, xy, -torch.inf).amax(-2)
    area = _AREA_OF_BOX * (high - low).clamp_min(1.0).prod(-1)
    area = torch.where(seen.any((-2, -1)), area, 1.0)[..., None]
    square = (project(points, camera) - xy).square().sum(-1)
    spread = 2 * oks_sigmas(skeleton).to(square)
    return weighted_mean(1 - torch.exp(-square / (2 * area * spread.square())), confidence)


@lru_cache
def oks_sigmas(skeleton: Skeleton) -> Tensor:
    """(joints,) COCO's sigmas for the joints of any layout; the widest, the hip's, for joints of the trunk."""
    names = [joint.removeprefix("left_").removeprefix("right_") for joint in skeleton.joints]
    return torch.tensor([COCO_SIGMAS.get(name, _TRUNK_SIGMA) for name in names])

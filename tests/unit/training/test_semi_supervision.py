"""Unlabelled 2D of people nobody measured lower the error on them (Pavllo et al., CVPR 2019, section 4)."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from lift3d.geometry.camera_batch import CameraBatch
from lift3d.models.network import Lifted
from lift3d.skeletons import H36M17
from lift3d.training.batches import Batch
from lift3d.training.configuration import Losses, SemiSupervision
from lift3d.training.losses import mean_bone_length_error
from lift3d.training.objective import Objective
from lift3d.training.reprojection import project

REST = {
    "pelvis": (0, 0), "hip": (0.13, 0.02), "knee": (0.14, 0.46), "ankle": (0.14, 0.9), "spine": (0, -0.24),
    "thorax": (0, -0.49), "nose": (0, -0.6), "head_top": (0, -0.7), "shoulder": (0.15, -0.45), "elbow": (0.2, -0.17),
    "wrist": (0.2, 0.08),
}  # fmt: skip


class Errors(NamedTuple):
    """Of poses, roots and mean bone lengths, metres."""

    pose: float
    root: float
    bones: float


class Frames(nn.Module):
    """Two layers on every frame."""

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(34, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, joints * 3)
        )
        self.joints = joints

    def forward(self, x: Tensor) -> Lifted:
        return Lifted(self.layers(x.flatten(2)).unflatten(-1, (self.joints, 3)))


def people(count: int, turn: float, depth: tuple[float, float], generator: torch.Generator) -> Batch:
    """Upright people whose limbs swing forwards, so that one image tells their pose, seen by a camera with a lens.

    They are turned to the left by up to ``turn`` radians.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, *shape, generator=generator)

    rest = []
    for joint in H36M17.joints:
        x, y = REST[joint.removeprefix("left_").removeprefix("right_")]
        rest.append((-x if joint.startswith("right") else x, y, 0.0))
    body = torch.tensor(rest).expand(count, 1, 17, 3).clone()
    for side in ("left", "right"):
        for start, chain in (("hip", ("knee", "ankle")), ("shoulder", ("elbow", "wrist"))):
            angle = uniform(0.0, 1.2)
            for joint in chain:
                j, s = H36M17.index(f"{side}_{joint}"), H36M17.index(f"{side}_{start}")
                length = body[:, :, j, 1] - body[:, :, s, 1]
                body[:, :, j, 1] = body[:, :, s, 1] + length * angle.cos()
                body[:, :, j, 2] = length * angle.sin()
    angle = uniform(0.0, turn)
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rotation = torch.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], -1).unflatten(-1, (3, 3))
    body = body @ rotation.mT
    z = uniform(*depth)
    root = torch.stack([z * uniform(-0.2, 0.2), z * uniform(-0.1, 0.1), z], -1)
    camera = CameraBatch(
        torch.full((count, 2), 1100.0),
        torch.full((count, 2), 500.0),
        torch.tensor([-0.2, 0.2, 0.001, -0.001, 0.0]).expand(count, 5),
        torch.full((count, 2), 1000.0),
    )
    xy = project(body + root[:, :, None], camera)
    keypoints = torch.cat([xy, torch.ones(count, 1, 17, 1)], -1)
    return Batch(xy / 500 - 1, body, torch.ones(count, 1, 17), torch.arange(count), root, keypoints, camera)


def train(semi: SemiSupervision | None, steps: int = 400, warmup: int = 40) -> Errors:
    """Errors on people of the unlabelled kind whom nobody trained on."""
    generator = torch.Generator().manual_seed(0)
    labelled = people(25, 0.6, (4.0, 5.0), generator)
    unlabelled = people(400, 0.6, (4.2, 5.5), generator)
    unlabelled = Batch(
        unlabelled.inputs,
        torch.zeros_like(unlabelled.target),
        torch.zeros_like(unlabelled.weight),
        unlabelled.index,
        None,
        unlabelled.keypoints,
        unlabelled.camera,
    )
    test = people(400, 0.6, (4.2, 5.5), generator)
    torch.manual_seed(1)
    network, trajectory = Frames(17), Frames(1)
    optimizer = torch.optim.Adam([*network.parameters(), *trajectory.parameters()], 5e-3)
    objective = Objective(Losses(), H36M17, semi)
    for step in range(steps):
        joined = unlabelled if semi is not None and step >= warmup else None
        loss, _ = objective(network, labelled, joined, trajectory)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert test.root is not None
    with torch.no_grad():
        joints = network(test.inputs).joints
        pose = (joints - test.target).norm(dim=-1).mean()
        bones = mean_bone_length_error(joints, test.target, H36M17.bones)
        root = (trajectory(test.inputs).joints[:, :, 0] - test.root).norm(dim=-1).mean()
    return Errors(pose.item(), root.item(), bones.item())


@pytest.fixture(scope="module")
def errors() -> dict[str, Errors]:
    return {
        "labels": train(None),
        "both": train(SemiSupervision()),
        "no bones": train(SemiSupervision(bone_length=0.0)),
    }


def test_unlabelled_keypoints_lower_the_errors_on_new_people(errors: dict[str, Errors]) -> None:
    assert errors["both"].pose < errors["labels"].pose
    assert errors["both"].root < 0.95 * errors["labels"].root


def test_bones_keep_the_size_that_the_image_does_not_tell(errors: dict[str, Errors]) -> None:
    """With the reprojection alone a body may be small and near, or large and far."""
    assert errors["both"].bones < 0.8 * errors["no bones"].bones
    assert errors["both"].root < errors["no bones"].root

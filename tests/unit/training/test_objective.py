"""The objective: its sum, its figures, where gradients go, and what unlabelled 2D teach."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from lift3d.errors import ConfigurationError
from lift3d.geometry.camera_batch import CameraBatch
from lift3d.lifting.normalization import look_at
from lift3d.models.network import Lifted
from lift3d.skeletons import H36M17
from lift3d.training.batches import Batch
from lift3d.training.configuration import Losses, SemiSupervision
from lift3d.training.objective import Objective
from lift3d.training.reprojection import project

FRAMES = 3


class Linear(nn.Module):
    """Every frame by itself: the smallest network there is."""

    def __init__(self, joints: int = 17, sigma: bool = False) -> None:
        super().__init__()
        torch.manual_seed(joints)
        self.layer = nn.Linear(34, joints * 3)
        self.joints, self.sigma, self.calls = joints, sigma, 0

    def forward(self, x: Tensor) -> Lifted:
        self.calls += 1
        joints = self.layer(x.flatten(2)).unflatten(-1, (self.joints, 3))
        return Lifted(joints, joints.exp() if self.sigma else None)


def make_batch(windows: int = 5, seed: int = 0, turned: bool = False) -> Batch:
    """Windows of random bodies around (0, 0, 5) and their exact keypoints."""
    generator = torch.Generator().manual_seed(seed)
    target = 0.4 * torch.randn(windows, FRAMES, 17, 3, generator=generator)
    target[:, :, 0] = 0
    root = torch.tensor([0.2, -0.3, 5.0]) + 0.2 * torch.randn(windows, FRAMES, 3, generator=generator)
    camera = CameraBatch(
        torch.full((windows, 2), 1100.0),
        torch.full((windows, 2), 500.0),
        torch.tensor([-0.2, 0.2, 0.001, -0.002, 0.01]).expand(windows, 5),
        torch.full((windows, 2), 1000.0),
    )
    to_camera = look_at(root).mT if turned else None
    joints = target if to_camera is None else target @ to_camera.mT
    xy = project(joints + root[:, :, None], camera)
    keypoints = torch.cat([xy, torch.ones(windows, FRAMES, 17, 1)], -1)
    weight = torch.ones(windows, FRAMES, 17)
    return Batch(xy / 500 - 1, target, weight, torch.arange(windows), root, keypoints, camera, to_camera)


class Answer(nn.Module):
    """Gives what it was made with."""

    def __init__(self, joints: Tensor, sigma: Tensor | None = None) -> None:
        super().__init__()
        self.joints, self.sigma = nn.Parameter(joints), sigma

    def forward(self, x: Tensor) -> Lifted:
        return Lifted(self.joints, self.sigma)


def has_gradient(network: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


@pytest.mark.parametrize("turned", [False, True])
def test_right_answer_costs_nothing(turned: bool) -> None:
    batch = make_batch(turned=turned)
    assert batch.root is not None
    root = batch.root if batch.to_camera is None else (batch.root[:, :, None] @ batch.to_camera)[:, :, 0]
    both = Losses(1, 1, 1, 1, 1, 0, 1, 1, 0)
    everything = Objective(both, H36M17)
    joints = torch.cat([batch.target, batch.target])
    roots = torch.cat([root, root])[:, :, None]
    loss, figures = everything(Answer(joints), batch, batch, Answer(roots))
    assert loss.item() == pytest.approx(0, abs=2e-5)
    assert set(figures) == {
        "mpjpe", "n_mpjpe", "mse", "velocity", "bone_length", "reprojection", "oks", "trajectory",
        "unlabelled_reprojection", "unlabelled_bone_length",
    }  # fmt: skip
    # A root 10 cm too far to the right is seen in the image by those who project it.
    moved = roots + torch.tensor([0.1, 0, 0])
    _, figures = everything(Answer(joints), batch, batch, Answer(moved))
    assert float(figures["unlabelled_reprojection"]) == pytest.approx(0.1 * 1100 / 5 / 500, rel=0.15)
    assert float(figures["trajectory"]) == pytest.approx(0.1 / 5, rel=0.1)
    assert float(figures["reprojection"]) < 1e-5


def test_loss_is_the_weighted_sum_of_the_figures() -> None:
    batch = make_batch()
    weights = Losses(2.0, 0.3, 0.7, 3.0, 0.2, 0.4, 1.5, 0.6, 0.1)
    loss, figures = Objective(weights, H36M17)(Linear(sigma=True), batch)
    expected = sum(getattr(weights, name) * float(value) for name, value in figures.items())
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert not any(value.requires_grad for value in figures.values())
    # Only what takes part is reported, and MPJPE always.
    loss, figures = Objective(Losses(mpjpe=0, mse=1.0), H36M17)(Linear(), batch)
    assert set(figures) == {"mpjpe", "mse"}
    assert loss.item() == figures["mse"].item()


def test_windows_are_judged_one_by_one() -> None:
    batch = make_batch()
    objective, network = Objective(Losses(), H36M17), Linear()
    _, figures = objective(network, batch)
    expected = (network(batch.inputs).joints - batch.target).norm(dim=-1).mean((1, 2))
    torch.testing.assert_close(objective.window_errors, expected.detach())
    assert float(figures["mpjpe"]) == pytest.approx(float(expected.mean()), rel=1e-5)


def test_every_term_teaches_whom_it_should() -> None:
    labelled, unlabelled = make_batch(4, 0), make_batch(6, 1)
    nan = torch.full_like(unlabelled.target, torch.nan)
    # What nobody knows of the unlabelled windows cannot matter.
    unlabelled = replace(unlabelled, target=nan, root=None, weight=torch.full_like(unlabelled.weight, torch.nan))
    silent = Losses(mpjpe=0.0)

    def taught(semi: SemiSupervision, losses: Losses, with_unlabelled: bool) -> tuple[bool, bool]:
        network, trajectory = Linear(), Linear(1)
        objective = Objective(losses, H36M17, semi)
        loss, _ = objective(network, labelled, unlabelled if with_unlabelled else None, trajectory)
        # The root's own error would teach the trajectory in all of these: it is taken away.
        _, figures = Objective(losses, H36M17, semi)(network, labelled, None, trajectory)
        assert torch.isfinite(loss)
        assert "trajectory" in figures
        root = trajectory(labelled.inputs).joints[:, :, 0]
        assert labelled.root is not None
        own = ((root - labelled.root).norm(dim=-1) / labelled.root[..., 2]).mean()
        (loss - own).backward()
        small = [p.grad is None or bool(p.grad.abs().max() < 1e-5) for p in trajectory.parameters()]
        return has_gradient(network), not all(small)

    assert taught(SemiSupervision(1, 0, 0), silent, True) == (False, False)
    assert taught(SemiSupervision(1, 1, 0), silent, True) == (True, True)
    assert taught(SemiSupervision(1, 0, 1), silent, True) == (True, False)
    assert taught(SemiSupervision(1, 1, 1), silent, False) == (False, False)
    assert taught(SemiSupervision(1, 1, 1), Losses(), False) == (True, False)
    # The labelled windows' reprojection is at the true root, and teaches the pose alone.
    assert taught(SemiSupervision(1, 0, 0), Losses(mpjpe=0, reprojection=1.0, oks=1.0), False) == (True, False)


def test_networks_see_all_windows_in_one_call() -> None:
    network, trajectory = Linear(), Linear(1)
    Objective(Losses(), H36M17)(network, make_batch(4), make_batch(6), trajectory)
    assert (network.calls, trajectory.calls) == (1, 1)


def test_missing_targets_and_roots_count_for_nothing() -> None:
    batch = make_batch()
    assert batch.root is not None
    weight, root = batch.weight.clone(), batch.root.clone()
    weight[:, 1] = 0
    target = torch.where(weight[..., None] > 0, batch.target, 0.0)
    root[:, 1] = 0
    objective, network = Objective(Losses(1, 1, 1, 1, 1, 0, 1, 1), H36M17), Linear()
    holed = replace(batch, target=target, weight=weight, root=root)
    loss, _ = objective(network, holed, None, Linear(1))
    other = replace(holed, target=torch.where(weight[..., None] > 0, batch.target, 7.0))
    assert float(objective(network, other, None, Linear(1))[0]) == pytest.approx(float(loss), rel=1e-6)
    kept = [0, 2]
    parts = (batch.inputs, batch.target, batch.weight, batch.root)
    inputs, target, weight, root = (part[:, kept] for part in parts)  # type: ignore[index]
    assert batch.keypoints is not None
    whole = replace(batch, inputs=inputs, target=target, weight=weight, root=root, keypoints=batch.keypoints[:, kept])
    steady = Objective(Losses(1, 1, 1, 0, 1, 0, 1, 1), H36M17)
    expected, _ = steady(network, whole, None, Linear(1))
    assert float(steady(network, holed, None, Linear(1))[0]) == pytest.approx(float(expected), rel=1e-5)


def test_refusals_name_the_field() -> None:
    batch = make_batch()
    bare = replace(batch, root=None, keypoints=None, camera=None)
    with pytest.raises(ConfigurationError, match="sigma"):
        Objective(Losses(laplace=1.0), H36M17)(Linear(), batch)
    with pytest.raises(ConfigurationError, match=r"losses\.oks"):
        Objective(Losses(oks=1.0), H36M17)(Linear(), bare)
    with pytest.raises(ConfigurationError, match="trajectory"):
        Objective(Losses(), H36M17)(Linear(), batch, batch)
    with pytest.raises(ConfigurationError, match="trajectory"):
        Objective(Losses(), H36M17)(Linear(), bare, None, Linear(1))
    with pytest.raises(ConfigurationError, match="unlabelled"):
        Objective(Losses(), H36M17)(Linear(), batch, bare, Linear(1))

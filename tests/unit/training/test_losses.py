"""Losses against loops over their formulas, OpenCV's projection and SciPy's Laplace distribution."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from scipy.stats import laplace
from torch import Tensor

from lift3d.geometry.camera_batch import CameraBatch
from lift3d.skeletons import COCO17, H36M17, SKELETONS, Skeleton
from lift3d.training import losses
from lift3d.training.reprojection import oks_error, oks_sigmas, project, reprojection_error

BATCH, FRAMES, JOINTS = 3, 4, 17


def poses(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Prediction, truth and weights, some of them 0."""
    generator = torch.Generator().manual_seed(seed)
    prediction, truth = torch.randn(2, BATCH, FRAMES, JOINTS, 3, generator=generator)
    weight = torch.rand(BATCH, FRAMES, JOINTS, generator=generator)
    return prediction, truth, torch.where(weight < 0.3, 0.0, weight)


def cameras(batch: int = BATCH) -> CameraBatch:
    k = torch.arange(batch).float()[:, None]
    return CameraBatch(
        focal=torch.tensor([1145.0, 1143.0]) + k,
        centre=torch.tensor([512.0, 515.0]) - k,
        distortion=torch.tensor([-0.2, 0.24, -0.001, 0.002, -0.05]) * (1 + 0.1 * k),
        image_size=torch.tensor([1000.0, 1002.0]).expand(batch, 2),
    )


def scene(seed: int = 1) -> Tensor:
    """Points in front of the cameras, inside their images."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(BATCH, FRAMES, JOINTS, 3, generator=generator).clamp(-2, 2) * 0.4
    return points + torch.tensor([0.1, -0.2, 5.0])


def each(weight: Tensor) -> Iterator[tuple[int, int, int]]:
    return ((b, t, j) for b in range(BATCH) for t in range(FRAMES) for j in range(JOINTS) if weight[b, t, j] > 0)


def test_errors_are_the_weighted_means_of_their_formulas() -> None:
    p, g, w = poses()
    total = float(w.sum())
    distances = sum(float(w[i]) * math.dist(p[i].tolist(), g[i].tolist()) for i in each(w))
    assert float(losses.joint_error(p, g, w)) == pytest.approx(distances / total, rel=1e-5)
    squares = sum(float(w[i]) * float(((p[i] - g[i]) ** 2).sum()) / 3 for i in each(w))
    assert float(losses.squared_error(p, g, w)) == pytest.approx(squares / total, rel=1e-5)
    windows = losses.window_errors(p, g, w)
    assert float(losses.joint_error(p[1:2], g[1:2], w[1:2])) == pytest.approx(float(windows[1]), rel=1e-5)

    above, below = 0.0, 0.0
    for b in range(BATCH):
        for t in range(1, FRAMES):
            for j in range(JOINTS):
                lesser = min(float(w[b, t, j]), float(w[b, t - 1, j]))
                difference = (p[b, t, j] - p[b, t - 1, j]) - (g[b, t, j] - g[b, t - 1, j])
                above += lesser * float(difference.norm())
                below += lesser
    assert float(losses.velocity_error(p, g, w)) == pytest.approx(above / below, rel=1e-5)
    assert float(losses.velocity_error(p[:, :1], g[:, :1], w[:, :1])) == 0

    above, below = 0.0, 0.0
    for b in range(BATCH):
        for t in range(FRAMES):
            for parent, child in H36M17.bones:
                lesser = min(float(w[b, t, parent]), float(w[b, t, child]))
                lengths = [math.dist(x[b, t, parent].tolist(), x[b, t, child].tolist()) for x in (p, g)]
                above += lesser * abs(lengths[0] - lengths[1])
                below += lesser
    assert float(losses.bone_length_error(p, g, w, H36M17.bones)) == pytest.approx(above / below, rel=1e-5)


def test_scaled_error_sees_no_scale_and_is_the_least_that_a_scale_can_reach() -> None:
    _, g, w = poses()
    assert float(losses.scaled_joint_error(3 * g, g, w)) == pytest.approx(0, abs=1e-5)
    p = g + 0.3 * torch.randn(g.shape, generator=torch.Generator().manual_seed(5))
    shown = (w > 0)[..., None]
    best = float((shown * (p * g)).sum((-2, -1))[0, 0] / (shown * p * p).sum((-2, -1))[0, 0])
    one = (slice(0, 1), slice(0, 1))
    expected = float(losses.joint_error(best * p[one], g[one], w[one]))
    assert float(losses.scaled_joint_error(p[one], g[one], w[one])) == pytest.approx(expected, rel=1e-5)


def test_bone_terms_by_hand() -> None:
    bones = [(0, 1), (0, 2)]
    joints = torch.zeros(2, 1, 3, 3)
    joints[0, 0, 1, 0], joints[0, 0, 2, 1] = 2.0, 5.0
    joints[1, 0, 1, 0], joints[1, 0, 2, 1] = 4.0, 5.0
    other = torch.zeros(1, 1, 3, 3)
    other[0, 0, 1, 2], other[0, 0, 2, 0] = 2.5, 7.0
    # Means 3 and 5 against 2.5 and 7.
    assert float(losses.mean_bone_length_error(joints, other, bones)) == pytest.approx((0.5 + 2) / 2)
    # |2 - 5| and |4 - 5|.
    assert float(losses.symmetry_error(joints, bones[:1], bones[1:])) == pytest.approx(2)


def test_laplace_is_the_distribution_of_that_standard_deviation() -> None:
    p, g, w = poses()
    sigma = 0.01 + torch.rand(p.shape, generator=torch.Generator().manual_seed(3))
    density = laplace(loc=p.numpy(), scale=sigma.numpy() / math.sqrt(2))
    assert np.allclose(density.std(), sigma.numpy())
    expected = -(w.numpy() * density.logpdf(g.numpy()).mean(-1)).sum() / float(w.sum())
    assert float(losses.laplace_error(p, sigma, g, w)) == pytest.approx(expected, rel=1e-5)


def test_laplace_is_least_at_the_error_that_is_made() -> None:
    error = torch.from_numpy(laplace(scale=0.03).rvs((4000, 1, 1, 3), random_state=0)).float()
    scale = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.Adam([scale], 0.1)
    weight = torch.ones(4000, 1, 1)
    for _ in range(150):
        optimizer.zero_grad()
        losses.laplace_error(error, scale.exp().expand_as(error), torch.zeros_like(error), weight).backward()
        optimizer.step()
    assert float(scale.detach().exp()) == pytest.approx(0.03 * math.sqrt(2), rel=0.03)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_laplace_is_finite_for_impossible_sigmas(dtype: torch.dtype) -> None:
    sigma = torch.tensor([0.0, 1e-30, 1e30], dtype=dtype).expand(BATCH, FRAMES, JOINTS, 3).clone().requires_grad_()
    p, g, w = poses()
    value = losses.laplace_error(p.to(dtype), sigma, g, w)
    assert value.dtype == torch.float32
    value.backward()
    assert torch.isfinite(value)
    assert sigma.grad is not None
    assert torch.isfinite(sigma.grad).all()


def test_trajectory_weighs_by_depth() -> None:
    truth = torch.tensor([[[0.0, 0, 2], [0, 0, 8], [0, 0, 0]]])
    root = truth + torch.tensor([0.4, 0, 0])
    # The last frame has no root.
    assert float(losses.trajectory_error(root, truth)) == pytest.approx((0.4 / 2 + 0.4 / 8) / 2)


def test_gradients_are_finite_where_the_error_is_zero() -> None:
    _, g, w = poses()
    w[0] = 0
    p = g.clone().requires_grad_()
    sigma = torch.full_like(g, 0.1)
    points = (scene() * 1).requires_grad_()
    keypoints = torch.cat([project(points, cameras()), torch.ones(BATCH, FRAMES, JOINTS, 1)], -1).detach()
    flat = torch.zeros_like(g).requires_grad_()
    bones, mirrored = [(0, 4)], [(0, 1)]
    values = [
        losses.joint_error(p, g, w),
        losses.scaled_joint_error(p, g, w),
        losses.velocity_error(p, g, w),
        losses.bone_length_error(p, g, w, H36M17.bones),
        losses.laplace_error(p, sigma, g, w),
        losses.mean_bone_length_error(flat, flat, H36M17.bones),
        losses.symmetry_error(flat, bones, mirrored),
        reprojection_error(points, keypoints, cameras()),
        oks_error(points, keypoints, cameras(), H36M17),
    ]
    torch.stack(values).sum().backward()
    for tensor in (p, points, flat):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()
    assert float(losses.joint_error(p, g, torch.zeros_like(w))) == 0


def test_projection_is_opencvs() -> None:
    points, camera = scene(), cameras()
    pixels = project(points, camera)
    for b in range(BATCH):
        K = np.diag([*camera.focal[b].tolist(), 1.0])
        K[:2, 2] = camera.centre[b].numpy()
        expected, _ = cv2.projectPoints(
            points[b].reshape(-1, 1, 3).double().numpy(),
            np.zeros(3),
            np.zeros(3),
            K,
            camera.distortion[b].double().numpy(),
        )
        assert np.allclose(pixels[b].reshape(-1, 2).numpy(), expected[:, 0], atol=2e-3)


def test_projection_has_the_derivatives_of_its_differences() -> None:
    points = scene()[:, :1, :3].double().requires_grad_()
    camera = CameraBatch(*(getattr(cameras(), name).double() for name in CameraBatch.__dataclass_fields__))
    assert torch.autograd.gradcheck(lambda x: project(x, camera), points)


def test_projection_stays_finite_behind_the_camera() -> None:
    points = torch.tensor([[0.5, 0.2, -1.0], [3.0, 0, 0], [0, 0, 1e-9]]).expand(BATCH, 1, 3, 3).clone().requires_grad_()
    pixels = project(points, cameras())
    assert torch.isfinite(pixels).all()
    pixels.sum().backward()
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


def test_reprojection_is_in_halves_of_the_width_and_weighs_by_confidence() -> None:
    points, camera = scene(), cameras()
    keypoints = torch.cat([project(points, camera), torch.zeros(BATCH, FRAMES, JOINTS, 1)], -1)
    keypoints[:, :, 2, 0] += 30
    keypoints[:, :, 2, 2] = 0.5
    keypoints[:, :, 3, 1] -= 10
    keypoints[:, :, 3, 2] = 1.0
    assert float(reprojection_error(points, keypoints, camera)) == pytest.approx((0.5 * 30 + 10) / 1.5 / 500, rel=1e-3)


def test_oks_is_cocos() -> None:
    """Against the formula of the COCO evaluation, object by object."""
    points, camera = scene(), cameras()
    generator = torch.Generator().manual_seed(2)
    xy = project(points, camera) + 20 * torch.randn(BATCH, FRAMES, JOINTS, 2, generator=generator)
    seen = (torch.rand(BATCH, FRAMES, JOINTS, 1, generator=generator) > 0.3).float()
    value = float(oks_error(points, torch.cat([xy, seen], -1), camera, COCO17))
    # COCO's own numbers (pycocotools, kpt_oks_sigmas).
    sigmas = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
    assert np.allclose(oks_sigmas(COCO17).numpy(), sigmas)
    projected = project(points, camera)
    above, below = 0.0, 0.0
    for b in range(BATCH):
        for t in range(FRAMES):
            there = seen[b, t, :, 0].numpy() > 0
            found = xy[b, t].numpy()
            area = 0.53 * np.prod(found[there].max(0) - found[there].min(0))
            square = ((projected[b, t].numpy() - found) ** 2).sum(-1)
            similarity = np.exp(-square / (2 * area * (2 * sigmas) ** 2))
            above += similarity[there].sum()
            below += there.sum()
    assert value == pytest.approx(1 - above / below, rel=1e-4)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_every_layout_has_sigmas(skeleton: Skeleton) -> None:
    sigmas = oks_sigmas(skeleton)
    assert sigmas.shape == (len(skeleton),)
    assert bool((sigmas > 0.02).all() & (sigmas < 0.11).all())

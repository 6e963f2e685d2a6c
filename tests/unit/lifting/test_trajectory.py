"""The root's path and the corrections across the line of sight, against scenes with known truth."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.lifting.refinement import PRIOR, sight_corrections, spread_to_followers
from lift3d.lifting.trajectory import fit_translation, smooth_depth
from lift3d.skeletons import H36M17


def scene(seed: int, frames: int = 20, joints: int = 12) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    relative = 0.4 * torch.randn(frames, joints, 3, generator=generator, dtype=torch.float64)
    spread = torch.tensor([1.0, 0.5, 1.0], dtype=torch.float64)
    translation = torch.randn(frames, 3, generator=generator, dtype=torch.float64) * spread
    translation[:, 2] = translation[:, 2].abs() + 3
    points = relative + translation[:, None]
    return relative, translation, points[..., :2] / points[..., 2:]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_exact_projections_give_the_exact_translation(seed: int) -> None:
    relative, translation, plane = scene(seed)
    fitted = fit_translation(relative, plane, torch.ones(relative.shape[:-1], dtype=torch.float64))
    torch.testing.assert_close(fitted, translation, atol=1e-6, rtol=1e-6)


def test_fit_minimises_the_reprojection_error() -> None:
    """No small step away from the solution projects better (without outliers, so the robust weights are nearly 1)."""
    relative, _, plane = scene(1)
    noisy = plane + 0.004 * torch.randn(plane.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    fitted = fit_translation(relative, noisy, torch.ones(relative.shape[:-1], dtype=torch.float64))

    def cost(translation: torch.Tensor) -> torch.Tensor:
        points = relative + translation[:, None]
        return (points[..., :2] / points[..., 2:] - noisy).norm(dim=-1).square().sum(-1)

    for axis in range(3):
        for step in (-0.05, 0.05):
            assert (cost(fitted + step * torch.eye(3, dtype=torch.float64)[axis]) > cost(fitted)).double().mean() > 0.9


def test_gross_errors_move_the_translation_little() -> None:
    relative, translation, plane = scene(3)
    plane[:, :2] += 1.0
    fitted = fit_translation(relative, plane, torch.ones(relative.shape[:-1], dtype=torch.float64))
    assert (fitted - translation).norm(dim=-1).max() < 1e-3


def test_missing_joints_and_frames() -> None:
    relative, translation, plane = scene(4)
    weight = torch.ones(relative.shape[:-1], dtype=torch.float64)
    weight[:, 6:] = 0
    plane[:, 6:] = torch.nan
    weight[5, 1:] = 0
    fitted = fit_translation(relative, plane, weight)
    known = torch.arange(20) != 5
    torch.testing.assert_close(fitted[known], translation[known], atol=1e-6, rtol=1e-6)
    assert torch.isnan(fitted[5]).all()


def test_smoothing_keeps_the_line_of_sight_and_a_steady_approach() -> None:
    frames = torch.arange(200)
    depth = 5 * torch.exp(-frames / 400)
    path = torch.stack([0.2 * depth, -0.1 * depth, depth], dim=-1)
    noise = 1 + 0.05 * torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    smooth = smooth_depth(path * noise, fps=50.0)
    torch.testing.assert_close(smooth[:, :2] / smooth[:, 2:], path[:, :2] / path[:, 2:], atol=1e-5, rtol=1e-5)
    inner = slice(30, -30)
    assert (smooth - path)[inner, 2].abs().max() < 0.35 * (path * noise - path)[inner, 2].abs().max()
    torch.testing.assert_close(smooth_depth(path, 50.0)[inner], path[inner], atol=1e-3, rtol=1e-3)


def test_smoothing_leaves_gaps_alone() -> None:
    path = torch.tensor([0.0, 0.0, 4.0]).repeat(50, 1)
    path[20:25] = torch.nan
    smooth = smooth_depth(path, 30.0)
    assert torch.isnan(smooth[20:25]).all()
    torch.testing.assert_close(smooth[:20], path[:20])


def test_correction_of_a_constant_offset_is_the_weighted_share() -> None:
    points = torch.tensor([0.1, 0.2, 4.0]).repeat(60, 1, 1)
    plane = points[..., :2] / 4 + torch.tensor([0.001, 0.0])
    for confidence in (1.0, 0.3):
        corrections = sight_corrections(points, plane, torch.full((60, 1), confidence), fps=30.0)
        weight = confidence / (1 + (0.004 / 0.12) ** 2)
        expected = 0.004 * weight / (weight + PRIOR)
        torch.testing.assert_close(corrections[10:-10, 0, 0], torch.full((40,), expected), atol=1e-6, rtol=1e-4)
        assert corrections[..., 1].abs().max() < 1e-7


def test_gross_errors_and_missing_keypoints_do_not_pull() -> None:
    points = torch.tensor([0.0, 0.0, 4.0]).repeat(60, 2, 1)
    plane = torch.zeros(60, 2, 2)
    plane[30, 0] = torch.tensor([0.5, 0.0])
    plane[:, 1] = torch.nan
    corrections = sight_corrections(points, plane, torch.ones(60, 2), fps=30.0)
    assert corrections[:, 0].abs().max() < 0.01
    assert (corrections[:, 1] == 0).all()


def test_followers_move_with_their_leaders() -> None:
    joints = ["left_hip", "right_hip", "left_wrist"]
    corrections = torch.tensor([[[0.02, 0.0], [0.04, 0.02], [0.5, 0.5]]])
    spread = spread_to_followers(corrections, joints, H36M17)
    np.testing.assert_allclose(spread[0, H36M17.index("pelvis")], [0.03, 0.01], atol=1e-7)
    np.testing.assert_allclose(spread[0, H36M17.index("spine")], [0.03, 0.01], atol=1e-7)
    np.testing.assert_allclose(spread[0, H36M17.index("left_wrist")], [0.5, 0.5])
    assert (spread[0, H36M17.index("thorax")] == 0).all()


@pytest.mark.parametrize("fps", [24.0, 120.0])
def test_smoothing_is_in_seconds(fps: float) -> None:
    """The same half second of offset leaves the same trace at any frame rate."""
    frames = int(2 * fps)
    points = torch.tensor([0.0, 0.0, 4.0]).repeat(frames, 1, 1)
    plane = torch.zeros(frames, 1, 2)
    plane[int(0.75 * fps) : int(1.25 * fps)] = 0.005
    corrections = sight_corrections(points, plane, torch.ones(frames, 1), fps)
    assert float(corrections.sum() / fps) == pytest.approx(0.02 * 0.5 * 2 / (1 + PRIOR), rel=0.08)

"""The root's path and the corrections across the line of sight, against scenes with known truth."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.lifting.refinement import (
    PRIOR,
    _solve_tree,
    bone_lengths,
    keep_bone_lengths,
    sight_corrections,
    spread_to_followers,
)
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


def body(frames: int, seed: int) -> torch.Tensor:
    """Bones of constant length in random directions that change smoothly: (frames, 17, 3) in camera space."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.zeros(frames, 17, 3, dtype=torch.float64)
    points[:, 0] = torch.tensor([0.2, 0.1, 4.0])
    time = torch.arange(frames, dtype=torch.float64)[:, None] / 20
    for parent, child in H36M17.bones:
        way = torch.randn(3, generator=generator, dtype=torch.float64)
        turn = torch.randn(3, generator=generator, dtype=torch.float64)
        direction = torch.nn.functional.normalize(way + torch.sin(time + turn), dim=-1)
        points[:, child] = points[:, parent] + 0.25 * direction
    return points


def sizes(points: torch.Tensor) -> torch.Tensor:
    parents, children = (list(ends) for ends in zip(*H36M17.bones, strict=True))
    return (points[:, children] - points[:, parents]).norm(dim=-1)


def test_bone_lengths_are_medians_of_both_sides() -> None:
    points = body(50, 0)
    points[:3] = torch.nan
    left, right = H36M17.index("left_wrist"), H36M17.index("right_wrist")
    stretched = points.clone()
    for wrist, elbow, factor in ((left, left - 1, 1.2), (right, right - 1, 1.0)):
        stretched[:, wrist] = points[:, elbow] + factor * (points[:, wrist] - points[:, elbow])
    lengths = bone_lengths(stretched, H36M17)
    children = [child for _, child in H36M17.bones]
    true = sizes(points)[10]
    for child in (left, right):
        torch.testing.assert_close(lengths[children.index(child)], 1.1 * true[children.index(child)])
    torch.testing.assert_close(lengths[children.index(3)], true[children.index(3)])


@pytest.mark.parametrize("seed", range(4))
def test_bones_get_their_length_and_depths_come_nearer_the_truth(seed: int) -> None:
    truth = body(60, seed)
    lengths = sizes(truth)[0]
    noise = 0.06 * torch.randn(60, 17, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    wrong = truth * (1 + noise / truth[..., 2:])
    result = keep_bone_lengths(wrong, lengths, H36M17)
    torch.testing.assert_close(result[..., :2] / result[..., 2:], wrong[..., :2] / wrong[..., 2:])
    # Bones across the line of sight cannot be told from their length alone: on average the error falls.
    assert (result - truth).norm(dim=-1).mean() < 0.85 * (wrong - truth).norm(dim=-1).mean()
    assert (sizes(result) - lengths).abs().mean() < 0.4 * (sizes(wrong) - lengths).abs().mean()
    torch.testing.assert_close(keep_bone_lengths(truth, lengths, H36M17), truth)


def test_frames_without_a_pose_stay_without() -> None:
    points = body(5, 0)
    points[2] = torch.nan
    result = keep_bone_lengths(points, sizes(points)[0], H36M17)
    assert torch.isnan(result[2]).all()
    assert torch.isfinite(result[[0, 1, 3, 4]]).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_tree_elimination_solves_the_dense_system(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    parents = H36M17.parents
    dense = torch.zeros(3, 17, 17, dtype=torch.float64)
    for child, parent in enumerate(parents):
        if parent >= 0:
            value = torch.randn(3, generator=generator, dtype=torch.float64)
            dense[:, child, parent] = dense[:, parent, child] = value
    diagonal = dense.abs().sum(-1) + 0.1 + torch.rand(3, 17, generator=generator, dtype=torch.float64)
    right = torch.randn(3, 17, generator=generator, dtype=torch.float64)
    expected = torch.linalg.solve(dense + torch.diag_embed(diagonal), right)
    off = {child: dense[:, child, parent] for child, parent in enumerate(parents) if parent >= 0}
    torch.testing.assert_close(_solve_tree(diagonal.clone(), off, right.clone(), parents), expected)

"""The bones' share of the normal equations against dense linear algebra."""

import numpy as np
import pytest

import lift3d.multiview.temporal_solver as temporal_solver
from lift3d.multiview.block_banded import COLUMNS, ROWS, BandedChains
from lift3d.multiview.bone_lengths import Bones, BoneTerms
from lift3d.skeletons import make_skeleton

TREE = make_skeleton("tree", {"a": None, "b": "a", "c": "b", "d": "a"})


def scene(frames: int = 6) -> tuple[Bones, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4, frames, 3))
    known = np.ones((4, frames), dtype=bool)
    known[2, 1] = False
    bones = Bones.measure(TREE, points, known, {"c": 1.3})
    return bones, points, known


def test_the_gradient_is_that_of_the_sum_of_squares() -> None:
    bones, points, known = scene()
    terms = BoneTerms(bones, points, known)
    # The weights are held while a step is taken.
    vectors = points[bones.children] - points[bones.parents]
    residual = (np.linalg.norm(vectors, axis=-1) - bones.lengths[:, None]) / bones.spread[:, None]
    weight = 1 / (1 + (residual / 3) ** 2)
    weight[1, 1] = 0

    def cost(points: np.ndarray) -> float:
        sizes = np.linalg.norm(points[bones.children] - points[bones.parents], axis=-1)
        return float((weight * ((sizes - bones.lengths[:, None]) / bones.spread[:, None]) ** 2).sum() / 2)

    numeric = np.zeros_like(points)
    for index in np.ndindex(points.shape):
        step = np.zeros_like(points)
        step[index] = 1e-6
        numeric[index] = (cost(points + step) - cost(points - step)) / 2e-6
    np.testing.assert_allclose(terms.gradient(), -numeric, rtol=1e-5, atol=1e-3)


def test_chains_and_bones_are_solved_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bones, points, known = scene()
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(4, 6, 3, 3)) * 30
    blocks = roots @ roots.mT + np.eye(3)
    entries = np.stack([blocks[..., row, column] for row, column in zip(ROWS, COLUMNS, strict=True)])
    stiffness = rng.uniform(1, 1000, (4, 4))
    terms = BoneTerms(bones, points, known)
    rows = []
    for bone in range(len(bones)):
        for frame in range(6):
            row = np.zeros((4, 6, 3))
            row[bones.children[bone], frame] = terms.rows[bone, frame]
            row[bones.parents[bone], frame] = -terms.rows[bone, frame]
            rows.append(row.ravel())
    alone = BandedChains(entries, stiffness)
    size = 4 * 6 * 3
    dense = np.stack([alone.multiply(unit.reshape(4, 6, 3)).ravel() for unit in np.eye(size)], axis=1)
    dense += np.stack(rows).T @ np.stack(rows)
    chains = BandedChains(terms.add_blocks(entries), stiffness)
    vector = rng.normal(size=(4, 6, 3))
    product = chains.multiply(vector) + terms.multiply_across(vector)
    np.testing.assert_allclose(product.ravel(), dense @ vector.ravel(), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(
        terms.spread(np.ones((3, 6))).ravel(), np.stack(rows).T @ np.ones(18), rtol=1e-9, atol=1e-9
    )
    monkeypatch.setattr(temporal_solver, "CONJUGATE_STEPS", 150)
    solution = temporal_solver._conjugate_gradients(chains, terms, vector, np.zeros_like(vector))
    np.testing.assert_allclose(solution.ravel(), np.linalg.solve(dense, vector.ravel()), rtol=1e-5, atol=1e-9)


def test_lengths_are_medians_unless_given_and_the_spread_counts_what_is_unknown() -> None:
    rng = np.random.default_rng(2)
    directions = rng.normal(size=(3, 4000, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    lengths = np.array([0.4, 0.3, 0.2])[:, None] + rng.normal(0, 0.01, (3, 4000))
    points = np.zeros((4, 4000, 3))
    points[1] = directions[0] * lengths[0, :, None]
    points[2] = points[1] + directions[1] * lengths[1, :, None]
    points[3] = directions[2] * lengths[2, :, None]
    known = np.ones((4, 4000), dtype=bool)
    bones = Bones.measure(TREE, points, known, {"c": 0.32})
    np.testing.assert_allclose(bones.lengths, [0.4, 0.32, 0.2], atol=0.001)
    np.testing.assert_allclose(bones.spread[[0, 2]], 0.01, rtol=0.05)
    unsure = bones.learn(points, known, rng.normal(0, 0.01, points.shape))
    np.testing.assert_allclose(unsure.spread[[0, 2]], 0.01 * np.sqrt(3), rtol=0.05)
    known[3] = False
    assert len(Bones.measure(TREE, points, known)) == 2

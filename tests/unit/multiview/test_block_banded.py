"""The banded solver against dense linear algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.multiview.block_banded import (
    BANDWIDTH,
    COLUMNS,
    ROWS,
    BandedChains,
    second_differences,
    spread_differences,
)


def random_system(
    chains: int, frames: int, seed: int, unseen: float = 0.3
) -> tuple[BandedChains, np.ndarray, np.ndarray, np.ndarray]:
    """Chains with frames that nothing was seen in, and the same matrix dense."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(chains, frames, 3, 3))
    roots[rng.random((chains, frames)) < unseen] = 0
    blocks = roots @ roots.mT + 1e-3 * np.eye(3)
    stiffness = rng.uniform(0.5, 20, (chains, max(frames - 2, 0)))
    dense = np.zeros((chains * frames * 3,) * 2)
    for chain in range(chains):
        difference = np.kron(np.diff(np.eye(frames), 2, axis=0), np.eye(3))
        part = slice(3 * frames * chain, 3 * frames * (chain + 1))
        dense[part, part] = difference.T @ np.diag(np.repeat(stiffness[chain], 3)) @ difference
        for frame in range(frames):
            place = slice(part.start + 3 * frame, part.start + 3 * frame + 3)
            dense[place, place] += blocks[chain, frame]
    entries = np.stack([blocks[..., row, column] for row, column in zip(ROWS, COLUMNS, strict=True)])
    return BandedChains(entries, stiffness), dense, entries, stiffness


@settings(max_examples=40, deadline=None)
@given(chains=st.integers(1, 4), frames=st.integers(1, 14), seed=st.integers(0, 2**32 - 1))
def test_solution_product_and_covariances_are_those_of_the_dense_matrix(chains: int, frames: int, seed: int) -> None:
    banded, dense, _, _ = random_system(chains, frames, seed)
    right = np.random.default_rng(seed).normal(size=(2, chains, frames, 3))
    expected = np.linalg.solve(dense, right.reshape(2, -1).T).T.reshape(right.shape)
    np.testing.assert_allclose(banded.solve(right), expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())
    np.testing.assert_allclose(banded.solve(right[0]), expected[0], rtol=1e-7, atol=1e-7 * np.abs(expected).max())
    np.testing.assert_allclose(banded.multiply(right[0]).ravel(), dense @ right[0].ravel(), atol=1e-9)
    inverse = np.linalg.inv(dense).reshape(chains * frames, 3, chains * frames, 3)
    blocks = inverse[np.arange(chains * frames), :, np.arange(chains * frames)].reshape(chains, frames, 3, 3)
    np.testing.assert_allclose(banded.covariances(), blocks, rtol=1e-7, atol=1e-7 * np.abs(blocks).max())


def test_spreading_is_the_transpose_of_differencing() -> None:
    rng = np.random.default_rng(0)
    points, forces = rng.normal(size=(2, 9, 3)), rng.normal(size=(2, 7, 3))
    assert np.isclose((second_differences(points) * forces).sum(), (points * spread_differences(forces, 9)).sum())


def test_memory_grows_linearly_with_the_frames() -> None:
    sizes = [BandedChains(np.ones((6, 2, n)), np.ones((2, n - 2)))._band.size for n in (100, 200, 400)]
    assert sizes == [2 * 3 * n * (BANDWIDTH + 1) for n in (100, 200, 400)]


def test_far_frames_do_not_matter() -> None:
    """A window with a margin of 100 frames gives what the whole clip gives."""
    _, _, entries, stiffness = random_system(2, 600, seed=3)
    right = np.random.default_rng(4).normal(size=(2, 600, 3))
    whole = BandedChains(entries, stiffness)
    window = BandedChains(entries[:, :, 200:500], stiffness[:, 200:498])
    difference = window.solve(right[:, 200:500])[:, 100:200] - whole.solve(right)[:, 300:400]
    assert np.abs(difference).max() < 1e-6
    assert np.abs(window.covariances()[:, 100:200] - whole.covariances()[:, 300:400]).max() < 1e-6


def test_a_matrix_that_is_not_positive_definite_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="row 3 of 6"):
        BandedChains(np.array([1, 0, 0, 1, 0, 1.0])[:, None, None] * [[1.0, 0.0]], np.empty((1, 0))).covariances()

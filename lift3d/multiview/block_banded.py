"""Normal equations of points over time: linear in the number of frames to build, solve and invert where it matters.

Each joint is a chain of 3-vectors, one a frame. Frame t has its own information, a 3 x 3 block, and neighbouring frames
are tied by their second differences,

    x^T A x = sum_t x_t^T B_t x_t + sum_t w_t |x_t - 2 x_(t+1) + x_(t+2)|^2,

so A has 6 diagonals below the main one however many frames there are. All chains lie one after the other in a single
banded matrix, which LAPACK factors with 49 multiply-adds a row.

The covariance of every frame comes without the inverse: with all earlier frames eliminated, a pair of neighbouring
frames is left with the information S, which the factor of A holds; with all later frames eliminated, with S', which
the factor of A in reversed order holds. Together they know ``S + S' - A_pair``, whose inverse is the pair's covariance
(the twisted factorisation, G. Meurant, "A review on the inverse of symmetric tridiagonal and block tridiagonal
matrices", SIAM J. Matrix Anal. Appl. 13(3), 1992).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas, lapack

# Diagonals below the main one: two frames of three coordinates.
BANDWIDTH = 6
# Rows and columns of the six entries of a symmetric 3 x 3 block, in the order in which blocks are given.
ROWS, COLUMNS = (0, 1, 2, 1, 2, 2), (0, 0, 0, 1, 1, 2)


class BandedChains:
    """The matrix A of several chains.

    Args:
        blocks: (6, chains, frames) the entries xx, yx, zx, yy, zy, zz of the blocks B.
        stiffness: (chains, frames - 2) the weights w, 0 or more; 0 cuts the chain there. Empty for fewer than 3 frames.

    Raises:
        numpy.linalg.LinAlgError: by ``solve`` and ``covariances``, if A is not positive definite.
    """

    def __init__(self, blocks: np.ndarray, stiffness: np.ndarray) -> None:
        _, self.chains, self.frames = blocks.shape
        band = np.zeros((self.chains, self.frames, 3, BANDWIDTH + 1))
        for entry, (row, column) in enumerate(zip(ROWS, COLUMNS, strict=True)):
            band[:, :, column, row - column] = blocks[entry]
        if self.frames > 2:
            w = stiffness[..., None]
            band[:, :-2, :, 0] += w
            band[:, 1:-1, :, 0] += 4 * w
            band[:, 2:, :, 0] += w
            band[:, :-2, :, 3] -= 2 * w
            band[:, 1:-1, :, 3] -= 2 * w
            band[:, :-2, :, 6] = w
        # Row i holds A[i, i], A[i + 1, i], ...: LAPACK's lower band, as it lies in memory.
        self._band = band.reshape(-1, BANDWIDTH + 1)
        self._factor: np.ndarray | None = None

    def multiply(self, points: np.ndarray) -> np.ndarray:
        """A x of points (chains, frames, 3)."""
        return np.asarray(blas.dsbmv(BANDWIDTH, 1.0, self._band.T, points.reshape(-1), lower=1)).reshape(points.shape)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """x of A x = right, for one or several right sides (..., chains, frames, 3)."""
        if self._factor is None:
            self._factor = _cholesky(self._band)
        columns = np.ascontiguousarray(right).reshape(-1, len(self._band)).T
        solution, _ = lapack.dpbtrs(self._factor.T, columns, lower=1)
        return np.ascontiguousarray(np.asarray(solution).T).reshape(right.shape)

    def covariances(self) -> np.ndarray:
        """(chains, frames, 3, 3) the blocks on the diagonal of the inverse of A."""
        if self._factor is None:
            self._factor = _cholesky(self._band)
        rows = len(self._band)
        # In reversed order row i of the lower band is row rows - 1 - i - k of diagonal k.
        reversed_band = np.zeros_like(self._band)
        for k in range(BANDWIDTH + 1):
            reversed_band[: rows - k, k] = self._band[: rows - k, k][::-1]
        width = min(2, self.frames)
        size = 3 * width
        # An odd chain ends with a pair that overlaps the one before it.
        starts = np.minimum(np.arange(0, self.frames, width), self.frames - width)
        first = (3 * (np.arange(self.chains)[:, None] * self.frames + starts)).ravel()
        before = _diagonal_blocks(self._factor, first, size)
        after = _diagonal_blocks(_cholesky(reversed_band), rows - size - first, size)
        own = _diagonal_blocks(self._band, first, size)
        own = own + np.tril(own, -1).mT
        information = before @ before.mT + (after @ after.mT)[:, ::-1, ::-1] - own
        inverse = np.linalg.inv(information).reshape(self.chains, len(starts), size, size)
        result = np.empty((self.chains, self.frames, 3, 3))
        for k in range(width):
            result[:, starts + k] = inverse[:, :, 3 * k : 3 * k + 3, 3 * k : 3 * k + 3]
        return result


def second_differences(points: np.ndarray) -> np.ndarray:
    """``x_t - 2 x_(t+1) + x_(t+2)`` along the second axis: (chains, frames, ...) -> (chains, frames - 2, ...)."""
    differences: np.ndarray = points[:, :-2] - 2 * points[:, 1:-1] + points[:, 2:]
    return differences


def spread_differences(differences: np.ndarray, frames: int) -> np.ndarray:
    """The transpose of ``second_differences``: (chains, frames - 2, ...) -> (chains, frames, ...)."""
    chains, _, *rest = differences.shape
    result = np.zeros((chains, frames, *rest))
    result[:, :-2] += differences
    result[:, 1:-1] -= 2 * differences
    result[:, 2:] += differences
    return result


def _cholesky(band: np.ndarray) -> np.ndarray:
    factor, failed = lapack.dpbtrf(band.T, lower=1)
    if failed:
        raise np.linalg.LinAlgError(f"the banded matrix is not positive definite at row {failed - 1} of {len(band)}")
    return np.ascontiguousarray(np.asarray(factor).T)


def _diagonal_blocks(band: np.ndarray, first: np.ndarray, size: int) -> np.ndarray:
    """(len(first), size, size) lower triangles of the diagonal blocks that start at the rows ``first``."""
    blocks = np.zeros((len(first), size, size))
    for column in range(size):
        for row in range(column, size):
            blocks[:, row, column] = band[first + column, row - column]
    return blocks

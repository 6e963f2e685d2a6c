"""Dynamic time warping: which frame of one series goes with which of another, in a band about the diagonal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.errors import ShapeError

# Memory for the steps of the path, one byte a pair of frames in the band.
MAX_CELLS = 1 << 31
_DIAGONAL, _UP, _LEFT = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Warp:
    """The path of least cost through two series.

    Attributes:
        path: (steps, 2) int64, frames of the first and of the second series; starts at (0, 0), ends at both ends, and
            each step moves one frame on in one series or in both.
        costs: (steps,) the squared distance of the frames on the path.
    """

    path: np.ndarray
    costs: np.ndarray

    @property
    def cost(self) -> float:
        """The sum of the costs along the path."""
        return float(self.costs.sum())

    def times(self) -> np.ndarray:
        """(frames of the first,) the mean frame of the second series that goes with each frame of the first."""
        first, second = self.path.T
        return np.asarray(np.bincount(first, second) / np.bincount(first))


def warp(a: np.ndarray, b: np.ndarray, band: float = 0.2) -> Warp:
    """Align two series of features by dynamic time warping.

    Every row of the cumulative cost ``D[i, j] = c[i, j] + min(D[i-1, j-1], D[i-1, j], D[i, j-1])`` is computed at
    once: with ``S`` the running sum of a row's costs and ``m`` the least of the two ways from the row above,
    ``D[j] = S[j] + min over k <= j of (m[k] - S[k-1])``.

    Args:
        a, b: (frames, features), or (frames, joints, features) where a NaN marks a joint that is missing; the cost of
            two frames is the mean squared distance of the joints that both have, and the mean cost of all where they
            have none in common.
        band: how far the path may leave the straight line between the ends, as a part of the longer series (Sakoe-
            Chiba band); 1 for everywhere.

    Raises:
        ShapeError: a series is empty, the features differ, nothing can be compared, or the band is out of range or
            needs over 2 GiB.

    Source: H. Sakoe and S. Chiba, "Dynamic programming algorithm optimization for spoken word recognition", IEEE Trans.
    Acoustics, Speech, and Signal Processing 26(1), 1978.
    """
    a, b = (np.asarray(series, dtype=np.float64) for series in (a, b))
    if a.ndim not in (2, 3) or a.shape[1:] != b.shape[1:] or 0 in (len(a), len(b)):
        raise ShapeError(f"series to warp must have frames, and the same features, not {a.shape} and {b.shape}")
    if not 0 < band <= 1:
        raise ShapeError(f"band must be above 0 and at most 1, not {band}")
    rows, columns = len(a), len(b)
    # Wide enough that the windows of neighbouring rows touch.
    half = int(np.ceil(max(band * max(rows, columns), columns / rows + 1)))
    width = min(2 * half + 1, columns)
    if rows * width > MAX_CELLS:
        raise ShapeError(f"a band of {width} frames over {rows} frames needs over 2 GiB; take a smaller one")
    centre = np.arange(rows) * ((columns - 1) / max(rows - 1, 1))
    starts = np.clip(np.round(centre).astype(int) - half, 0, columns - width)
    costs = _Costs(a, b)
    steps = np.empty((rows, width), dtype=np.uint8)
    above = np.full(width, np.inf)
    for row in range(rows):
        start = starts[row]
        cost = costs.row(row, start, start + width)
        shift = start - starts[row - 1] if row else 0
        padded = np.concatenate([[np.inf], above, np.full(shift, np.inf)])
        from_above, from_diagonal = padded[shift + 1 :], padded[shift : shift + width]
        if row == 0:
            from_diagonal = np.full(width, np.inf)
            from_diagonal[0] = 0.0
        total = np.cumsum(cost)
        entry = np.minimum(from_above, from_diagonal)
        best = np.minimum.accumulate(entry - (total - cost))
        came_left = np.concatenate([[False], best[1:] == best[:-1]]) & (entry - (total - cost) > best)
        steps[row] = np.where(came_left, _LEFT, np.where(from_diagonal <= from_above, _DIAGONAL, _UP))
        above = total + best
    path = _trace(steps, starts, columns)
    return Warp(path, costs.along(path))


def _trace(steps: np.ndarray, starts: np.ndarray, columns: int) -> np.ndarray:
    row, column = len(steps) - 1, columns - 1
    path = [(row, column)]
    while row or column:
        step = steps[row, column - starts[row]]
        row, column = row - (step != _LEFT), column - (step != _UP)
        path.append((row, column))
    return np.array(path[::-1], dtype=np.int64)


class _Costs:
    """Squared distances of frames as products of matrices, with missing joints left out."""

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        a, b = (series[:, None] if series.ndim == 2 else series for series in (a, b))
        # A common origin, so that squares of far-away points do not swallow their differences.
        both = np.concatenate([a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])])
        known = both[np.isfinite(both).all(axis=1)]
        if not len(known):
            raise ShapeError("series to warp hold nothing but missing values")
        origin = known.mean(axis=0)
        self._a, self._a_seen, a_square = self._split(a - origin)
        self._b, self._b_seen, b_square = self._split(b - origin)
        self._left = np.concatenate([a_square, self._a_seen, -2 * self._a], axis=1)
        self._right = np.concatenate([self._b_seen, b_square, self._b], axis=1)
        pairs = self._a_seen.sum(axis=0) @ self._b_seen.sum(axis=0)
        if pairs == 0:
            raise ShapeError("series to warp have no joint in common that both see")
        self._mean = float(self._left.sum(axis=0) @ self._right.sum(axis=0)) / float(pairs)

    @staticmethod
    def _split(series: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values with 0 where missing (frames, joints x features), what is seen and its squares (frames, joints)."""
        seen = np.isfinite(series).all(axis=-1)
        values = np.where(seen[..., None], series, 0.0)
        return values.reshape(len(series), -1), seen.astype(np.float64), np.einsum("fjd,fjd->fj", values, values)

    def row(self, frame: int, start: int, stop: int) -> np.ndarray:
        """The costs of one frame of the first series and frames of the second."""
        return self._mean_of(
            self._right[start:stop] @ self._left[frame], self._b_seen[start:stop] @ self._a_seen[frame]
        )

    def along(self, path: np.ndarray) -> np.ndarray:
        """The costs of pairs of frames (steps, 2)."""
        first, second = path.T
        together = np.einsum("sj,sj->s", self._a_seen[first], self._b_seen[second])
        return self._mean_of(np.einsum("sj,sj->s", self._left[first], self._right[second]), together)

    def _mean_of(self, total: np.ndarray, joints: np.ndarray) -> np.ndarray:
        return np.where(joints > 0, np.maximum(total, 0.0) / np.maximum(joints, 1), self._mean)

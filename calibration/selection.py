"""Which moments to keep of a long recording: few that say much about every camera and about every pair of them."""

from __future__ import annotations

import itertools

import numpy as np

CELLS = (8, 6)  # of the image, for where corners were seen
PLACES = (3, 3)  # of the image, for where a board stood that a pair saw
SIZES = np.array([0.05, 0.1, 0.2, 0.4])  # the board's extent as a share of the image's diagonal
TILTS = np.array([15.0, 35.0])  # degrees between board and image
DIRECTIONS = 4  # of the axis about which it is tilted
# How much a seen cell, a pose of the board and a pair count. A board covers many cells but has one pose.
CELL_WEIGHT, POSE_WEIGHT, PAIR_WEIGHT = 1.0, 8.0, 8.0
LEAST_CORNERS = 4


def select_moments(
    xy: np.ndarray, points: np.ndarray, image_sizes: tuple[tuple[int, int], ...], max_moments: int
) -> np.ndarray:
    """The moments that together cover images, poses of the board and pairs of cameras best.

    Each moment has features: the cells of each image in which corners lie, the board's size and tilt there, and, for
    each pair of cameras that both see it, where it stands in the first one's image. One moment after the other is taken
    that adds most to the sum over the features of weight * sqrt(how often), so that what is rare counts more.

    Args:
        xy: (cameras, moments, corners, 2) pixels, NaN where not seen.
        points: (corners, 3) metres on the board.
        image_sizes: (width, height) of each camera.
        max_moments: how many to keep.

    Returns:
        Their indices, ascending; all if there are no more than ``max_moments``.

    Source: greedy maximisation of a submodular function: G. Nemhauser, L. Wolsey and M. Fisher, "An analysis of
    approximations for maximizing submodular set functions", Mathematical Programming 14, 1978.
    """
    if xy.shape[1] <= max_moments:
        return np.arange(xy.shape[1])
    features, weights = _features(xy, points, image_sizes)
    counts = np.zeros(len(weights))
    left = np.ones(xy.shape[1], dtype=bool)
    for _ in range(max_moments):
        gains = features @ (weights * (np.sqrt(counts + 1) - np.sqrt(counts)))
        best = int(np.argmax(np.where(left, gains, -1.0)))
        counts += features[best]
        left[best] = False
    return np.flatnonzero(~left)


def _features(
    xy: np.ndarray, points: np.ndarray, image_sizes: tuple[tuple[int, int], ...]
) -> tuple[np.ndarray, np.ndarray]:
    """(moments, features) 0 or 1 in float32, and the features' weights."""
    cameras, moments = xy.shape[:2]
    seen = np.isfinite(xy[..., 0]).sum(axis=-1) >= LEAST_CORNERS
    tables: list[np.ndarray] = []
    weights: list[float] = []

    def add(rows: np.ndarray, columns: np.ndarray, width: int, weight: float) -> None:
        table = np.zeros((moments, width), dtype=np.float32)
        table[rows, columns] = 1
        used = table.any(axis=0)
        tables.append(table[:, used])
        weights.extend([weight] * int(used.sum()))

    places = np.zeros((cameras, moments), dtype=int)
    for camera, size in enumerate(image_sizes):
        rows, corners = np.nonzero(np.isfinite(xy[camera, ..., 0]) & seen[camera, :, None])
        add(rows, _cell(xy[camera, rows, corners], size, CELLS), CELLS[0] * CELLS[1], CELL_WEIGHT)
        rows = np.flatnonzero(seen[camera])
        if len(rows):
            poses = np.array([_pose(xy[camera, row], points, size) for row in rows])
            add(rows, poses, (len(SIZES) + 1) * (len(TILTS) + 1) * DIRECTIONS, POSE_WEIGHT)
            places[camera, rows] = _cell(np.nanmean(xy[camera, rows], axis=1), size, PLACES)
    for first, second in itertools.combinations(range(cameras), 2):
        rows = np.flatnonzero(seen[first] & seen[second])
        if len(rows):
            add(rows, places[first, rows], PLACES[0] * PLACES[1], PAIR_WEIGHT)
    if not tables:
        return np.zeros((moments, 0), dtype=np.float32), np.zeros(0)
    return np.concatenate(tables, axis=1), np.array(weights)


def _cell(pixels: np.ndarray, size: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """The cell of the image, numbered row by row, in which each of (n, 2) pixels lies."""
    column, row = np.clip(pixels / np.array(size) * cells, 0, np.array(cells) - 1).astype(int).T
    return np.asarray(row * cells[0] + column)


def _pose(xy: np.ndarray, points: np.ndarray, size: tuple[int, int]) -> int:
    """A number for how large a board looks and how it is tilted.

    The affine map of the board's plane to the image stretches by the same both ways if the board is parallel to the
    image, and by the cosine of the tilt less across its axis.
    """
    seen = np.isfinite(xy[:, 0])
    plane = points[seen, :2] - points[seen, :2].mean(axis=0)
    image = xy[seen] - xy[seen].mean(axis=0)
    affine = np.linalg.lstsq(plane, image, rcond=None)[0].T
    directions, stretch, _ = np.linalg.svd(affine)
    tilt = np.degrees(np.arccos(np.clip(stretch[1] / max(stretch[0], 1e-12), 0, 1)))
    axis = np.arctan2(directions[1, 0], directions[0, 0]) % np.pi
    share = stretch[0] * np.linalg.norm(np.ptp(points, axis=0)) / np.hypot(*size)
    tilted = int(np.searchsorted(TILTS, tilt))
    # A board that is hardly tilted has no direction.
    direction = int(axis / np.pi * DIRECTIONS) % DIRECTIONS if tilted else 0
    return (int(np.searchsorted(SIZES, share)) * (len(TILTS) + 1) + tilted) * DIRECTIONS + direction

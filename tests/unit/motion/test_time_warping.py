"""Time warping against the textbook's recursion and against warps that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import ShapeError
from lift3d.motion.time_warping import warp


def naive_cost(a: np.ndarray, b: np.ndarray, allowed: np.ndarray | None = None) -> float:
    """The least cost of a path by the recursion, cell by cell."""
    costs = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
    table = np.full((len(a) + 1, len(b) + 1), np.inf)
    table[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            if allowed is None or allowed[i, j]:
                table[i + 1, j + 1] = costs[i, j] + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return float(table[-1, -1])


def is_path(path: np.ndarray, rows: int, columns: int) -> bool:
    steps = np.diff(path, axis=0)
    return bool(
        (path[0] == 0).all()
        and tuple(path[-1]) == (rows - 1, columns - 1)
        and ((steps == 0) | (steps == 1)).all()
        and (steps.sum(axis=1) > 0).all()
    )


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 25), st.integers(1, 25), st.integers(1, 3), st.integers(0, 10_000))
def test_the_path_costs_what_the_naive_recursion_says(rows: int, columns: int, features: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(rows, features)), rng.normal(size=(columns, features))
    found = warp(a, b, band=1)
    assert is_path(found.path, rows, columns)
    assert found.cost == pytest.approx(naive_cost(a, b), abs=1e-9)
    first, second = found.path.T
    assert found.costs == pytest.approx(((a[first] - b[second]) ** 2).sum(-1), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.floats(0.05, 0.6), st.integers(0, 10_000))
def test_a_band_keeps_the_path_near_the_straight_line(rows: int, columns: int, band: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(rows, 2)), rng.normal(size=(columns, 2))
    found = warp(a, b, band)
    assert is_path(found.path, rows, columns)
    half = np.ceil(max(band * max(rows, columns), columns / rows + 1))
    width = min(2 * half + 1, columns)
    line = np.arange(rows) * (columns - 1) / (rows - 1)
    start = np.clip(np.round(line) - half, 0, columns - width)[:, None]
    allowed = (np.arange(columns) >= start) & (np.arange(columns) < start + width)
    assert allowed[tuple(found.path.T)].all()
    assert found.cost == pytest.approx(naive_cost(a, b, allowed), abs=1e-9)


def test_a_known_warp_is_recovered() -> None:
    """b(t) = a(g(t)) with g(t) = t + 0.08 sin(2 pi t): the path is g."""
    t = np.linspace(0, 1, 400)
    g = t + 0.08 * np.sin(2 * np.pi * t)

    def motion(time: np.ndarray) -> np.ndarray:
        return np.stack([np.sin(3 * np.pi * time), np.cos(4 * np.pi * time), time], axis=1)

    found = warp(motion(g), motion(t), band=0.2)
    assert found.times() == pytest.approx(g * 399, abs=1.5)


def test_missing_joints_are_left_out_of_the_cost() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=(30, 4, 3))
    b = a.copy()
    a[5:15, 1], b[10:20, 2] = np.nan, np.nan
    found = warp(a, b, band=0.5)
    assert (found.path[:, 0] == found.path[:, 1]).all()
    assert found.cost == pytest.approx(0, abs=1e-9)
    # One joint of four is off by 1 in each coordinate: the mean squared distance is 3 / 4, or 1 with three joints seen.
    b[:, 3] += 1
    costs = warp(a, b, band=0.01).costs
    assert costs[0] == pytest.approx(3 / 4)
    assert costs[6] == pytest.approx(1)


def test_frames_in_which_nothing_is_seen_do_not_pull_the_path() -> None:
    t = np.linspace(0, 4, 80)
    a = np.stack([np.sin(t), np.cos(t)], axis=1)[:, None]
    b = a.copy()
    b[30:40] = np.nan
    found = warp(a, b, band=0.3)
    seen = ~((found.path[:, 1] >= 29) & (found.path[:, 1] <= 40))
    assert np.abs(found.path[seen, 0] - found.path[seen, 1]).max() <= 1


def test_long_series_in_a_band() -> None:
    t = np.linspace(0, 60, 10_000)
    motion = np.stack([np.sin(t), np.cos(1.7 * t)], axis=1)
    found = warp(motion, motion[::2], band=0.02)
    assert is_path(found.path, 10_000, 5_000)
    assert np.abs(found.times() - np.arange(10_000) / 2).max() <= 1


@pytest.mark.parametrize(
    ("a", "b", "band"),
    [
        (np.zeros((0, 2)), np.zeros((3, 2)), 0.5),
        (np.zeros((3, 2)), np.zeros((3, 1)), 0.5),
        (np.zeros((3, 2)), np.zeros((3, 2)), 0.0),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), 0.5),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), 0.5),
        (np.zeros((200_000, 1)), np.zeros((200_000, 1)), 1.0),
    ],
)
def test_what_cannot_be_warped(a: np.ndarray, b: np.ndarray, band: float) -> None:
    with pytest.raises(ShapeError):
        warp(a, b, band)

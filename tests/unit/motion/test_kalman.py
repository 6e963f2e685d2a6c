"""The Kalman smoother against motions of its own model and against least squares."""

import numpy as np
import pytest

from lift3d.errors import ShapeError
from lift3d.motion.kalman import FIRST_SPREAD, kalman

FPS = 50.0


def drawn_motion(model: str, change: float, frames: int, columns: int, seed: int) -> np.ndarray:
    """Positions (frames, columns, 1) drawn from the model itself."""
    rng = np.random.default_rng(seed)
    dt = 1 / FPS
    state = np.zeros((3, columns))
    path = np.empty((frames, columns))
    for frame in range(frames):
        path[frame] = state[0]
        x, v, a = state
        if model == "velocity":
            a = rng.normal(0, change, columns)
            state = np.stack([x + v * dt + a * dt**2 / 2, v + a * dt, a])
        else:
            j = rng.normal(0, change, columns)
            state = np.stack([x + v * dt + a * dt**2 / 2 + j * dt**3 / 6, v + a * dt + j * dt**2 / 2, a + j * dt])
    return path[..., None]


@pytest.mark.parametrize(("model", "change"), [("velocity", 8.0), ("acceleration", 150.0)])
def test_the_errors_are_as_large_as_it_says(model: str, change: float) -> None:
    rng = np.random.default_rng(1)
    truth = drawn_motion(model, change, 200, 60, 0)
    noise = rng.uniform(0.002, 0.03, truth.shape[:-1])
    measured = truth + rng.normal(size=truth.shape) * noise[..., None]
    measured[rng.random(noise.shape) < 0.2] = np.nan
    smoothed, sigma = kalman(measured, FPS, noise, model, change)
    seen = np.isfinite(measured[..., 0])
    np.testing.assert_array_equal(np.isfinite(smoothed[..., 0]), seen)
    np.testing.assert_array_equal(np.isfinite(sigma), seen)
    whitened = ((smoothed - truth)[..., 0] / sigma)[seen]
    assert np.mean(whitened**2) == pytest.approx(1, abs=0.06)
    assert (sigma[seen] <= noise[seen]).all()


def test_it_is_the_least_squares_solution() -> None:
    """Smoothing is least squares over all positions, velocities and accelerations at once."""
    frames, dt, change, noise = 12, 1 / FPS, 5.0, 0.01
    measured = np.random.default_rng(2).normal(0, 0.05, (frames, 1))
    measured[[4, 5]] = np.nan
    smoothed, sigma = kalman(measured[:, None], FPS, noise, "velocity", change)
    # Unknown: first position and velocity, and the acceleration of each step.
    positions = np.zeros((frames, 2 + frames - 1))
    row, velocity = np.eye(2 + frames - 1)[0], np.eye(2 + frames - 1)[1]
    for frame in range(frames):
        positions[frame] = row
        if frame < frames - 1:
            push = np.eye(2 + frames - 1)[2 + frame]
            row, velocity = row + velocity * dt + push * dt**2 / 2, velocity + push * dt
    seen = np.isfinite(measured[:, 0])
    prior = np.diag([0.0, 1 / FIRST_SPREAD**2, *[1 / change**2] * (frames - 1)])
    normal = positions[seen].T @ positions[seen] / noise**2 + prior
    solution = np.linalg.solve(normal, positions[seen].T @ measured[seen, 0] / noise**2)
    covariance = positions @ np.linalg.inv(normal) @ positions.T
    np.testing.assert_allclose(smoothed[seen, 0, 0], (positions @ solution)[seen], atol=1e-7)
    np.testing.assert_allclose(sigma[seen, 0], np.sqrt(np.diag(covariance))[seen], rtol=1e-5)


def test_gaps_at_the_start_and_joints_that_are_never_seen() -> None:
    values = np.ones((30, 2, 3))
    values[:7, 0] = np.nan
    values[:, 1] = np.nan
    smoothed, sigma = kalman(values, FPS, 0.01)
    np.testing.assert_allclose(smoothed[7:, 0], 1, atol=1e-6)
    assert np.isnan(smoothed[:, 1]).all()
    assert np.isnan(sigma[:7, 0]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "jerk"}, "velocity, acceleration"),
        ({"noise": 0.0}, "positive wherever"),
        ({"noise": np.ones(3)}, "noise must be one number"),
        ({"process_noise": -1.0}, "positive numbers"),
    ],
)
def test_impossible_numbers_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        kalman(np.zeros((10, 2, 3)), **{"fps": FPS, "noise": 0.01, **changes})  # type: ignore[arg-type]

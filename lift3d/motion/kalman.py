"""Kalman filter and smoother for points that keep their velocity or their acceleration, more or less."""

from __future__ import annotations

import numpy as np

from lift3d.errors import ShapeError

# Standard deviation of what changes, where nothing else is said: metres per second squared of a point that keeps its
# velocity, metres per second cubed of one that keeps its acceleration.
USUAL_CHANGE = {"velocity": 5.0, "acceleration": 100.0}
# What is known of velocity and acceleration before anything is seen, standard deviations in SI units.
FIRST_SPREAD = 100.0


def kalman(
    values: np.ndarray,
    fps: float,
    noise: np.ndarray | float,
    model: str = "velocity",
    process_noise: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The most likely positions given all frames, and how sure they are (Rauch-Tung-Striebel smoother).

    Between two frames the point keeps its velocity (or acceleration) but for a random acceleration (or jerk) that is
    constant until the next frame. Missing frames are passed over: the motion before and after a gap supports each
    other, and the missing frames themselves stay missing.

    Args:
        values: (frames, ..., d) metres, NaN where missing.
        fps: frames per second.
        noise: metres, standard deviation of each axis of a measurement; one number, or (frames, ...).
        model: "velocity" or "acceleration", what the point keeps.
        process_noise: standard deviation of the random acceleration in m/s^2, or of the jerk in m/s^3.

    Returns:
        The positions (frames, ..., d) and their standard deviations (frames, ...), metres.

    Raises:
        ShapeError: an unknown model, or a number or shape that is impossible.

    Source: H. Rauch, F. Tung and C. Striebel, "Maximum likelihood estimates of linear dynamic systems", AIAA Journal
    3(8), 1965; models: Y. Bar-Shalom et al., "Estimation with Applications to Tracking and Navigation", 2001, 6.3.
    """
    if model not in USUAL_CHANGE:
        raise ShapeError(f"model must be one of {', '.join(USUAL_CHANGE)}, not {model!r}")
    change = USUAL_CHANGE[model] if process_noise is None else process_noise
    values = np.asarray(values)
    shape = values.shape
    points = values.reshape(len(values), -1, shape[-1]).astype(np.float64)
    if not (np.isfinite(change) and change > 0 and np.isfinite(fps) and fps > 0):
        raise ShapeError(f"fps and process_noise must be positive numbers, not {fps} and {change}")
    try:
        spread = np.broadcast_to(np.asarray(noise, dtype=np.float64), shape[:-1]).reshape(points.shape[:2])
    except ValueError as error:
        raise ShapeError(f"noise must be one number or (frames, ...) = {shape[:-1]}, not {np.shape(noise)}") from error
    seen: np.ndarray = np.asarray(np.isfinite(points).all(-1))
    if not (spread[seen] > 0).all():
        raise ShapeError("noise must be positive wherever a point is known")

    transition, driven = _model(model, 1 / fps)
    size = len(driven)
    added = change**2 * np.outer(driven, driven)
    columns = points.shape[1]
    # The first position is known as well as it is measured; before it, nothing is.
    first = np.argmax(seen, axis=0)
    state = np.zeros((columns, size, shape[-1]))
    state[:, 0] = np.nan_to_num(points[first, np.arange(columns)])
    covariance = np.zeros((columns, size, size))
    covariance[:, range(size), range(size)] = FIRST_SPREAD**2

    states, covariances = np.empty((len(points), *state.shape)), np.empty((len(points), *covariance.shape))
    for frame in range(len(points)):
        if frame:
            state = transition @ state
            covariance = transition @ covariance @ transition.T + added
        here = seen[frame]
        variance = np.where(here, spread[frame], 1.0) ** 2
        gain = covariance[:, :, 0] / (covariance[:, 0, 0] + variance)[:, None] * here[:, None]
        difference = np.where(here[:, None], points[frame], state[:, 0]) - state[:, 0]
        state = state + gain[:, :, None] * difference[:, None, :]
        # Joseph's form, which stays symmetric and positive.
        keep = np.eye(size) - gain[:, :, None] * np.eye(size)[0]
        covariance = keep @ covariance @ keep.mT + (gain[:, :, None] * gain[:, None, :]) * variance[:, None, None]
        states[frame], covariances[frame] = state, covariance
    for frame in range(len(points) - 2, -1, -1):
        ahead = transition @ covariances[frame] @ transition.T + added
        back = np.linalg.solve(ahead, transition @ covariances[frame]).mT
        states[frame] += back @ (states[frame + 1] - transition @ states[frame])
        covariances[frame] += back @ (covariances[frame + 1] - ahead) @ back.mT

    smoothed = np.where(seen[..., None], states[:, :, 0], np.nan)
    sigma = np.where(seen, np.sqrt(np.maximum(covariances[:, :, 0, 0], 0)), np.nan)
    dtype = np.result_type(values.dtype, np.float32)
    return smoothed.reshape(shape).astype(dtype), sigma.reshape(shape[:-1]).astype(dtype)


def _model(model: str, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """How a state (position, velocity, ...) goes on for ``dt`` seconds, and what a unit of change adds to it."""
    if model == "velocity":
        return np.array([[1, dt], [0, 1]]), np.array([dt**2 / 2, dt])
    return np.array([[1, dt, dt**2 / 2], [0, 1, dt], [0, 0, 1]]), np.array([dt**3 / 6, dt**2 / 2, dt])

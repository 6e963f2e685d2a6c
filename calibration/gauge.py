"""The gauge of a rig: its place, turn and scale as a whole, which what the cameras see does not determine.

Each camera stands for four points, its centre and the ends of its axes, ``reach`` metres long: how far these move says
how far the camera moved, turns and shifts in one measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from lift3d.calibration.parameters import POSE, Parameter
from lift3d.calibration.world import WorldChange
from lift3d.geometry.alignment import align
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig

# A camera that stays within this share of the reach, about 0.06 degrees, has not moved.
STILL = 0.001
# By how much more a camera may seem to have moved while the alignment settles.
FUNNEL = 2.0 ** np.array([4, 3, 2, 1, 0, 0, 0, 0])


def alignment_to(moved: Rig, reference: Rig, scale: float | None, reach: float) -> tuple[WorldChange, np.ndarray]:
    """The change that brings a rig back to a reference, led by the cameras that have not moved against each other.

    Args:
        moved: the rig in a world of its own.
        reference: the same cameras, by name.
        scale: new length of one metre of the moved rig; None takes the one that fits the reference.
        reach: metres, about the distance of the cameras from what they look at.

    Returns:
        The change, and (cameras,) weights that say which cameras led; where no two have kept their places against
        each other, all lead alike.
    """
    centres = np.stack([camera.centre for camera in moved])
    axes = reach * np.stack([np.vstack([np.zeros(3), camera.R]) for camera in moved])
    target_centres = np.stack([reference[camera.name].centre for camera in moved])
    target = np.stack([_points(reference[camera.name], reach) for camera in moved]).reshape(-1, 3)

    def led_by(weights: np.ndarray) -> tuple[WorldChange, np.ndarray]:
        """The alignment, and how far (cameras,) each camera is from its place, root mean square, metres."""
        factor = _spread(target_centres, weights) / max(_spread(centres, weights), 1e-9) if scale is None else scale
        source = (factor * centres[:, None] + axes).reshape(-1, 3)
        fit = align(source, target, np.repeat(weights, axes.shape[1]), scale=False)
        apart = np.linalg.norm(fit.apply(source) - target, axis=-1).reshape(len(moved), -1)
        return WorldChange(fit.R, fit.t, factor), np.sqrt(np.square(apart).mean(axis=1))

    # Each camera leads once (each two, where the scale is free), and those that come to rest near their places join.
    still = STILL * reach
    weights, least = np.ones(len(moved)), np.inf
    for leaders in combinations(range(len(moved)), 1 if scale is not None else 2):
        candidate = np.isin(np.arange(len(moved)), leaders).astype(np.float64)
        for width in still * FUNNEL:
            _, apart = led_by(candidate)
            candidate = 1 / (1 + np.square(apart / width))
        cost = float(np.log1p(np.square(apart / still)).sum())
        if cost < least and (apart < 3 * still).sum() > 1:
            weights, least = candidate, cost
    return led_by(weights)[0], weights


def _spread(centres: np.ndarray, weights: np.ndarray) -> float:
    """How far the cameras are from their middle, root mean square, metres."""
    off = centres - weights @ centres / weights.sum()
    return float(np.sqrt(weights @ np.square(off).sum(axis=1) / weights.sum()))


def without_gauge(
    rig: Rig, parameters: Sequence[Parameter], covariance: np.ndarray, weights: np.ndarray, reach: float
) -> np.ndarray:
    """The covariance of a rig whose place, turn and scale count as exact.

    Args:
        rig: the cameras.
        parameters: n parameters, among them the six of every camera's pose.
        covariance: (n, n) of these, with place, turn and scale of the rig only weakly known.
        weights: (cameras,) of the alignment that fixes them (``alignment_to``).
        reach: as in ``alignment_to``.

    Returns:
        (n, n) covariance of what is left: an S-transformation (W. Baarda, "S-transformations and criterion
        matrices", 1973).
    """
    place = {parameter: index for index, parameter in enumerate(parameters)}
    gauge = np.zeros((len(parameters), 7))
    pull = np.zeros((len(parameters), 7))
    for camera, weight in zip(rig, weights, strict=True):
        rows = [place[Parameter(camera.name, name)] for name in POSE]
        # The world turned by w, shifted by s and scaled by 1 + l: r = -R w and t = -R s + l t.
        own = np.zeros((6, 7))
        own[:3, :3] = own[3:, 3:6] = -camera.R
        own[3:, 6] = camera.t
        moves = _derivatives(camera, reach)
        gauge[rows] = own
        pull[rows] = weight * moves.T @ (moves @ own)
    keep = np.eye(len(parameters)) - gauge @ np.linalg.solve(pull.T @ gauge, pull.T)
    without: np.ndarray = keep @ covariance @ keep.T
    return without


def _points(camera: Camera, reach: float) -> np.ndarray:
    """(4, 3) the centre and the ends of the axes."""
    return camera.centre + np.vstack([np.zeros(3), reach * camera.R])


def _derivatives(camera: Camera, reach: float) -> np.ndarray:
    """(12, 6) derivatives of ``_points`` by the pose."""

    def cross(v: np.ndarray) -> np.ndarray:
        x, y, z = v
        return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])

    # centre = -R^T t, so that it moves by -R^T (dt + [t]x r); an axis R^T e by R^T [e]x r.
    centre = -camera.R.T @ np.hstack([cross(camera.t), np.eye(3)])
    axes = [np.hstack([reach * camera.R.T @ cross(axis), np.zeros((3, 3))]) for axis in np.eye(3)]
    return np.vstack([centre, *(centre + axis for axis in axes)])

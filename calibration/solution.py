"""What a calibration found: the rig, where the board was, what fits and what does not, and how sure it all is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from lift3d.calibration.observations import Observations
from lift3d.calibration.parameters import Parameter
from lift3d.calibration.structure import BoardPoses
from lift3d.calibration.world import WorldChange, covariance_in_world, rig_in_world
from lift3d.geometry.rigs import Rig


@dataclass(frozen=True, eq=False)
class Solution:
    """A rig that was calibrated with a board.

    Attributes:
        rig: the cameras.
        observations: what they saw of the board.
        board_poses: the board at each moment of the observations, in the rig's world; NaN where it was not used.
        residuals: (cameras, moments, corners, 2) observed minus projected, pixels; NaN where nothing was seen.
        used: (cameras, moments, corners) whether the observation counted; False for outliers and what was not seen.
        noise: (cameras,) standard deviation of one coordinate of a corner, pixels.
        parameters: the camera parameters that were solved (``lift3d.calibration.parameters``).
        covariance: (n, n) covariance of ``parameters``; infinite on the diagonal where the images say nothing.
            The pose of the reference camera is what all others are measured from, and has none.
        metadata: what was decided on the way (JSON values): the reference camera, coefficients held at zero.
    """

    rig: Rig
    observations: Observations
    board_poses: BoardPoses
    residuals: np.ndarray
    used: np.ndarray
    noise: np.ndarray
    parameters: tuple[Parameter, ...]
    covariance: np.ndarray
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def rmse(self) -> float:
        """Root mean square reprojection error of the observations that were used, pixels (of the 2D distance)."""
        return float(np.sqrt(np.square(self.residuals[self.used]).sum(axis=-1).mean()))

    def camera_rmse(self) -> np.ndarray:
        """(cameras,) the reprojection error as in ``rmse``, camera by camera; NaN for a camera without any."""
        squares = np.where(self.used, np.square(self.residuals).sum(axis=-1), 0.0).sum(axis=(1, 2))
        counts = self.used.sum(axis=(1, 2))
        return np.asarray(np.sqrt(np.where(counts > 0, squares, np.nan) / np.maximum(counts, 1)))

    def standard_errors(self, camera: str) -> dict[str, float]:
        """The standard error of each parameter of a camera that was solved: pixels, radians, metres."""
        return {
            name: float(np.sqrt(self.covariance[index, index]))
            for index, (owner, name) in enumerate(self.parameters)
            if owner == camera
        }

    def covariance_of(self, parameters: Sequence[Parameter]) -> np.ndarray:
        """(m, m) covariance of any parameters; of those that were given or held, 0."""
        place = {parameter: index for index, parameter in enumerate(self.parameters)}
        known = [index for index, parameter in enumerate(parameters) if parameter in place]
        chosen = [place[parameters[index]] for index in known]
        covariance = np.zeros((len(parameters), len(parameters)))
        covariance[np.ix_(known, known)] = self.covariance[np.ix_(chosen, chosen)]
        return covariance

    def in_world(self, change: WorldChange) -> Self:
        """The same in a world of other axes (``lift3d.calibration.world``), which count as exact."""
        poses = self.board_poses
        return replace(
            self,
            rig=rig_in_world(self.rig, change),
            board_poses=BoardPoses(poses.points, change.Q @ poses.R, change.apply(poses.t)),
            covariance=covariance_in_world(self.rig, self.parameters, self.covariance, change),
        )

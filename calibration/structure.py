"""What the cameras saw, as a bundle adjustment moves it: a board that is carried about, or free points.

Both are (groups, points a group, 3) points in the world with a few degrees of freedom a group. Groups are independent
of each other, which is what lets the adjustment eliminate them (the Schur complement).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from lift3d.calibration.parameters import rotations


class Structure(Protocol):
    """Groups of points in the world, each with ``freedom`` parameters that are 0 where the group is."""

    @property
    def freedom(self) -> int:
        """Degrees of freedom of a group."""

    def world(self) -> np.ndarray:
        """(groups, points, 3) the points in the world, metres."""

    def derivatives(self, groups: np.ndarray, by_point: np.ndarray) -> np.ndarray:
        """Derivatives by the parameters of some groups, from those by the points.

        Args:
            groups: (g,) indices.
            by_point: (g, points, 2, 3) derivatives of pixels by the world points.

        Returns:
            (g, points, 2, freedom).
        """

    def moved(self, step: np.ndarray) -> Self:
        """The structure after a step (groups, freedom)."""


@dataclass(frozen=True, eq=False)
class BoardPoses:
    """A rigid board at several moments: ``x_world = exp([v]x) R x_board + t + s`` with the parameters (v, s).

    Attributes:
        points: (points, 3) the corners on the board, metres.
        R, t: (moments, 3, 3) and (moments, 3) from the board to the world.
    """

    points: np.ndarray
    R: np.ndarray
    t: np.ndarray

    freedom = 6

    def world(self) -> np.ndarray:
        """(moments, points, 3) the corners in the world."""
        return np.asarray(self.points @ self.R.mT + self.t[:, None])

    def derivatives(self, groups: np.ndarray, by_point: np.ndarray) -> np.ndarray:
        """As in ``Structure``."""
        x, y, z = np.moveaxis((self.points @ self.R[groups].mT)[..., None, :], -1, 0)
        d1, d2, d3 = np.moveaxis(by_point, -1, 0)
        return np.stack([d3 * y - d2 * z, d1 * z - d3 * x, d2 * x - d1 * y, d1, d2, d3], axis=-1)

    def moved(self, step: np.ndarray) -> Self:
        """As in ``Structure``."""
        return type(self)(self.points, rotations(step[:, :3]) @ self.R, self.t + step[:, 3:])


@dataclass(frozen=True, eq=False)
class FreePoints:
    """Points of which each may go anywhere.

    Attributes:
        xyz: (groups, 3) points in the world, metres.
    """

    xyz: np.ndarray

    freedom = 3

    def world(self) -> np.ndarray:
        """(groups, 1, 3) the points."""
        return self.xyz[:, None]

    def derivatives(self, groups: np.ndarray, by_point: np.ndarray) -> np.ndarray:
        """As in ``Structure``."""
        return by_point

    def moved(self, step: np.ndarray) -> Self:
        """As in ``Structure``."""
        return type(self)(self.xyz + step)


@dataclass(frozen=True, eq=False)
class KnownPoints:
    """Points whose place is known: ``points`` (groups, 3) in the world, metres; nothing of them moves."""

    points: np.ndarray

    freedom = 0

    def world(self) -> np.ndarray:
        """(groups, 1, 3) the points."""
        return self.points[:, None]

    def derivatives(self, groups: np.ndarray, by_point: np.ndarray) -> np.ndarray:
        """As in ``Structure``."""
        return by_point[..., :0]

    def moved(self, step: np.ndarray) -> Self:
        """As in ``Structure``."""
        return self

"""The error of 3D points that a calibration leads to.

A point is triangulated by least squares: ``X = argmin sum_c |x_c - project(theta_c, X)|^2 / s_c^2`` over the cameras c
that see it, with the pixel noise s. With the derivatives of the projections by the point, ``J``, and by the cameras'
parameters, ``C``, stacked over the cameras, and ``W = diag(1 / s^2)``, noise and errors of the parameters move it by

    dX = (J^T W J)^-1 J^T W (dx - C dtheta),

the implicit function theorem at the minimum. So the noise of the pixels gives it the covariance ``(J^T W J)^-1``, and
the cameras ``A S A^T`` with ``A = (J^T W J)^-1 J^T W C`` and the covariance S of all their parameters, which holds the
correlations between cameras.

All cameras are measured from the reference camera, so ``A S A^T`` grows with the distance from it, by a turn and a
shift of the whole scene that no measured length or angle shows. What does show is the error of shape: that which the
best rigid motion over all points leaves. To first order a motion moves the points by ``G m`` (six columns: shifts, and
turns about the points' middle), and ``(I - G (G^T G)^-1 G^T) A`` takes the place of ``A``.

Sources: R. Hartley and A. Zisserman, "Multiple View Geometry in Computer Vision", 2nd edition 2004, section 5.2
(propagation of covariance, implicit functions) and chapter 12 (triangulation); W. Baarda, "S-transformations and
criterion matrices", 1973 (the change of datum that takes the rigid motion out).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.calibration.parameters import POSE, Parameter, project_with_derivatives
from lift3d.calibration.solution import Solution
from lift3d.calibration.volume import sees
from lift3d.errors import ShapeError


@dataclass(frozen=True, eq=False)
class ExpectedError:
    """Covariances of triangulated points, square metres. NaN where fewer than two cameras see the point.

    Infinite where a camera that sees it has a parameter that the calibration does not determine.

    Attributes:
        points: (N, 3) the points, metres.
        seen_by: (N,) how many cameras see each.
        noise: (N, 3, 3) from the noise of the pixels.
        calibration: (N, 3, 3) from the errors of the cameras, as measured from the reference camera.
        shape: (N, 3, 3) the same without the rigid motion of all points together, which no length or angle shows.
        pixel_noise: standard deviation of a coordinate that ``noise`` stands for, pixels.
    """

    points: np.ndarray
    seen_by: np.ndarray
    noise: np.ndarray
    calibration: np.ndarray
    shape: np.ndarray
    pixel_noise: float

    def noise_mm(self) -> np.ndarray:
        """(N,) root mean square 3D distance by the noise of the pixels, millimetres."""
        return _millimetres(self.noise)

    def calibration_mm(self) -> np.ndarray:
        """(N,) root mean square 3D distance by the calibration, from the reference camera, millimetres."""
        return _millimetres(self.calibration)

    def shape_mm(self) -> np.ndarray:
        """(N,) root mean square 3D distance by the calibration, without rigid motion, millimetres."""
        return _millimetres(self.shape)


def expected_error(solution: Solution, points: np.ndarray, pixel_noise: float = 1.0) -> ExpectedError:
    """How wrong triangulated points are to be expected, by the noise of pixels and by the calibration.

    Args:
        solution: the calibration, with the covariance of its parameters.
        points: (N, 3) places in its world, metres; the shape is that of all of them together.
        pixel_noise: standard deviation of one coordinate of the keypoints that will be triangulated, pixels; the
            ``noise`` part is proportional to it.

    Returns:
        The covariances. The length of the board's squares counts as exact: an error of 1 % in it is 1 % in everything.

    Raises:
        ShapeError: the points are not (N, 3).
    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise ShapeError(f"points must be (N, 3), not {points.shape}")
    information = np.zeros((len(points), 3, 3))
    pulls = np.zeros((len(points), 3, len(solution.parameters)))
    seen_by = np.zeros(len(points), dtype=int)
    loose = np.zeros(len(points), dtype=bool)
    undetermined = np.isinf(np.diag(solution.covariance))
    for camera in solution.rig:
        mine = np.array([index for index, (owner, _) in enumerate(solution.parameters) if owner == camera.name], int)
        seen = sees(camera, points)
        names = [solution.parameters[index].name for index in mine]
        projection = project_with_derivatives(camera, points[seen], names)
        information[seen] += projection.by_point.mT @ projection.by_point
        pulls[np.ix_(np.flatnonzero(seen), np.arange(3), mine)] += projection.by_point.mT @ projection.by_camera
        seen_by += seen
        loose |= seen & undetermined[mine].any()

    triangulated = seen_by >= 2
    known = triangulated & ~loose
    inverse = np.full_like(information, np.nan)
    inverse[triangulated] = np.linalg.pinv(information[triangulated], hermitian=True)
    A = inverse[known] @ pulls[known]
    covariance = np.where(undetermined | undetermined[:, None], 0.0, solution.covariance)

    def spread(moves: np.ndarray) -> np.ndarray:
        whole = np.full_like(information, np.nan)
        whole[triangulated & loose] = np.inf
        whole[known] = moves @ covariance @ moves.mT
        return whole

    return ExpectedError(
        points=points,
        seen_by=seen_by,
        noise=inverse * pixel_noise**2,
        calibration=spread(A),
        shape=spread(without_rigid_motion(points[known], A)),
        pixel_noise=pixel_noise,
    )


def without_rigid_motion(points: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Take the best rigid motion of all points together out of their displacements.

    Args:
        points: (N, 3).
        moves: (N, 3, n) displacements of the points, n of them at once.

    Returns:
        (N, 3, n) what is left.
    """
    if not len(points):
        return moves
    x, y, z = (points - points.mean(axis=0)).T
    zero = np.zeros_like(x)
    # Columns: the shifts, and what turns about the x, y and z axis do.
    turns = np.array([[zero, z, -y], [-z, zero, x], [y, -x, zero]]).transpose(2, 1, 0)
    G = np.concatenate([np.broadcast_to(np.eye(3), turns.shape), turns], axis=-1).reshape(-1, 6)
    flat = moves.reshape(len(G), -1)
    left = flat - G @ np.linalg.lstsq(G, flat, rcond=None)[0]
    return np.asarray(left.reshape(moves.shape))


def position_covariance(solution: Solution, camera: str) -> np.ndarray:
    """(3, 3) covariance of a camera's place in the world, square metres; 0 for the reference, infinite if unknown."""
    own = solution.rig[camera]
    covariance = solution.covariance_of([Parameter(camera, name) for name in POSE])
    if np.isinf(covariance).any():
        return np.full((3, 3), np.inf)
    x, y, z = own.t
    # With C = -R^T exp(-[r]x) (t + dt): dC = -R^T ([t]x r + dt).
    D = -own.R.T @ np.hstack([[[0, -z, y], [z, 0, -x], [-y, x, 0]], np.eye(3)])
    return np.asarray(D @ covariance @ D.T)


def _millimetres(covariances: np.ndarray) -> np.ndarray:
    return np.asarray(1000 * np.sqrt(np.einsum("nii->n", covariances)))

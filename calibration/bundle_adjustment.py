"""Bundle adjustment: cameras and what they saw, moved together until the reprojection error is least.

Minimises ``sum w |x - project(camera, point)|^2 / sigma^2`` over the free parameters of the cameras and the structure
by Levenberg-Marquardt with analytic derivatives. The structure is eliminated group by group (the Schur complement:
B. Triggs et al., "Bundle Adjustment - A Modern Synthesis", 2000, section 6), so that what is solved, and what the
covariance comes from, is as small as the cameras' parameters are few.

Outliers: first with the weights of a Cauchy loss, whose scale is the noise by the median of the errors; then
observations that Gaussian noise would show once in 10,000 are dropped and the rest solved by least squares, which is
what makes the covariance that of a maximum likelihood estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from lift3d.calibration.parameters import Parameter, moved, project_with_derivatives
from lift3d.calibration.structure import Structure
from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera

# The length of a 2D error of unit variance that is exceeded once in 10,000: sqrt(-2 ln 1e-4).
OUTLIER = 4.29
# The median length of a 2D error of unit variance.
MEDIAN_LENGTH = 1.1774
# The scale of the Cauchy loss in standard deviations: 95 % as efficient as least squares on Gaussian noise.
CAUCHY = 2.385
# No detector of corners is better than this, pixels.
LEAST_NOISE = 0.01
# Information on a group's parameters below this part of all that there is on it counts as none.
SLIGHT = 1e-12
# What a point behind its camera costs, in standard deviations.
BEHIND = 1e3
ROBUST_STEPS, FINAL_STEPS, DROPS = 40, 20, 4
# A step that lowers the objective by less than this part is the last one; the first pass only has to tell outliers.
ROBUST_GAIN, FINAL_GAIN = 1e-4, 1e-9

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Adjustment:
    """The end of a bundle adjustment.

    Attributes:
        cameras: the moved cameras, in the order in which they came.
        structure: the moved structure.
        residuals: (cameras, groups, points, 2) observed minus projected, pixels; NaN where nothing was seen.
        used: (cameras, groups, points) whether the observation counted; False for outliers and what was not seen.
        noise: (cameras,) standard deviation of one coordinate of an observation, pixels.
        parameters: the free parameters of the cameras.
        covariance: (n, n) covariance of ``parameters`` (``lift3d.calibration.parameters`` says their units), the
            structure marginalised out.
        converged: whether the last step was too small to matter.
    """

    cameras: tuple[Camera, ...]
    structure: Structure
    residuals: np.ndarray
    used: np.ndarray
    noise: np.ndarray
    parameters: tuple[Parameter, ...]
    covariance: np.ndarray
    converged: bool


def adjust(
    cameras: Sequence[Camera],
    structure: Structure,
    xy: np.ndarray,
    free: Mapping[str, Sequence[str]],
    prior: np.ndarray | None = None,
    relative_noise: np.ndarray | None = None,
    dependent: bool = False,
    progress: Progress | None = None,
) -> Adjustment:
    """Move the free parameters of the cameras and the structure until the reprojection error is least.

    Args:
        cameras: C cameras near their true places.
        structure: G groups of P points near their true places.
        xy: (C, G, P, 2) where the cameras saw them, pixels, distorted as filmed; NaN where they did not.
        free: the names of the free parameters (``lift3d.calibration.parameters``) by camera name; others stay.
        prior: (n, n) information, the inverse of a covariance, that there is of the given cameras' n free parameters
            beforehand, camera by camera in the order of ``free`` (``information``).
        relative_noise: (C,) how much noise the cameras' observations have beside each other; None: all the same. Only
            their common factor is estimated: with a noise of its own for each, groups that few cameras see go where
            the camera of the least noise wants them, which then seems to have less still.
        dependent: whether the errors within a group depend on each other, as those of a board do that moves between
            the moments at which two cameras look; the covariance then comes from how the groups differ.
        progress: is told of each step, ``(done, most)``.

    Returns:
        The adjustment, with the covariance of the free parameters.

    Raises:
        CameraError: nothing is seen, or less than the free parameters need.
    """
    problem = _Problem(cameras, xy, free, prior)
    relative = np.ones(len(cameras)) if relative_noise is None else np.asarray(relative_noise, dtype=np.float64)
    state = _State(tuple(cameras), structure, np.zeros(len(problem.parameters)))
    errors = problem.errors(state)
    noise = relative * _noise_by_median(errors, relative)
    state, _ = problem.minimise(state, noise, None, ROBUST_STEPS, progress)

    # Noise and outliers depend on each other; a few rounds settle both.
    used = problem.seen
    converged = False
    for _ in range(DROPS):
        errors = problem.errors(state)
        if used is problem.seen:
            noise = relative * _noise_by_median(errors, relative)
        keep = problem.seen & (np.linalg.norm(np.nan_to_num(errors, nan=np.inf), axis=-1) < OUTLIER * _wide(noise))
        # As many coordinates as a group has degrees of freedom always fit.
        keep &= (2 * keep.sum(axis=(0, 2)) > structure.freedom)[:, None]
        if problem.excess(keep, structure) <= 0:
            raise CameraError(
                f"only {int(keep.sum())} observations agree with each other: too few for the "
                f"{len(problem.parameters)} camera parameters that are free; film more, or hold parameters fixed"
            )
        same = used is not problem.seen and np.array_equal(keep, used)
        used = keep
        state, converged = problem.minimise(state, noise, used, FINAL_STEPS, progress)
        noise = relative * _noise_by_squares(problem.errors(state), relative, used, problem.excess(used, structure))
        if same and converged:
            break
    return Adjustment(
        cameras=state.cameras,
        structure=state.structure,
        residuals=problem.errors(state),
        used=used,
        noise=noise,
        parameters=problem.parameters,
        covariance=problem.covariance(state, noise, used, dependent),
        converged=converged,
    )


def information(
    cameras: Sequence[Camera], free: Mapping[str, Sequence[str]], known: Mapping[str, Mapping[str, float]]
) -> np.ndarray:
    """The prior of ``adjust`` from standard deviations, by camera and parameter name, that do not depend on each other.

    Args:
        cameras, free: as in ``adjust``.
        known: standard deviations in the parameter's unit; what is not in it is not known.
    """
    names = [(camera.name, name) for camera in cameras for name in free.get(camera.name, ())]
    widths = np.array([known.get(camera, {}).get(name, np.inf) for camera, name in names], dtype=np.float64)
    return np.diag(1.0 / np.square(widths))


class _State(NamedTuple):
    cameras: tuple[Camera, ...]
    structure: Structure
    moved: np.ndarray  # the camera parameters' way from where they started


class _Normal(NamedTuple):
    """Blocks of the normal equations: ``[[U, W], [W^T, V]] [dc, ds] = [gradient, pull]``."""

    U: np.ndarray
    gradient: np.ndarray
    V: np.ndarray
    pull: np.ndarray
    W: list[np.ndarray]
    pulls: list[np.ndarray]  # of the gradient, what each group adds to it, by camera


class _Problem:
    """What stays the same through all steps: the observations and who sees what."""

    def __init__(
        self,
        cameras: Sequence[Camera],
        xy: np.ndarray,
        free: Mapping[str, Sequence[str]],
        prior: np.ndarray | None,
    ) -> None:
        self.xy = xy
        self.seen = np.isfinite(xy).all(axis=-1)
        if not self.seen.any():
            raise CameraError("no camera saw anything; there is nothing to adjust")
        self.names = [tuple(free.get(camera.name, ())) for camera in cameras]
        self.parameters = tuple(
            Parameter(camera.name, name) for camera, names in zip(cameras, self.names, strict=True) for name in names
        )
        ends = np.cumsum([0, *map(len, self.names)])
        self.columns = [slice(start, end) for start, end in pairwise(ends)]
        self.groups = [np.flatnonzero(seen.any(axis=-1)) for seen in self.seen]
        n = len(self.parameters)
        self.prior = np.zeros((n, n)) if prior is None else prior

    def excess(self, used: np.ndarray, structure: Structure) -> int:
        """How many observed coordinates there are beyond the parameters that they determine."""
        groups = int(used.any(axis=(0, 2)).sum())
        return 2 * int(used.sum()) - len(self.parameters) - structure.freedom * groups

    def errors(self, state: _State) -> np.ndarray:
        """(C, G, P, 2) observed minus projected, NaN where unseen or behind the camera."""
        world = state.structure.world()
        return np.stack([xy - camera.project(world) for camera, xy in zip(state.cameras, self.xy, strict=True)])

    def cost(self, state: _State, noise: np.ndarray, used: np.ndarray | None) -> float:
        """The objective: Cauchy's over all that is seen, or squares over what is used."""
        squares = np.square(self.errors(state)).sum(axis=-1) / np.square(_wide(noise))
        squares = np.where(np.isfinite(squares), squares, BEHIND**2)
        prior = float(state.moved @ self.prior @ state.moved)
        if used is None:
            return float(CAUCHY**2 * np.log1p(squares[self.seen] / CAUCHY**2).sum()) + prior
        return float(squares[used].sum()) + prior

    def normal_equations(self, state: _State, noise: np.ndarray, used: np.ndarray | None) -> _Normal:
        world = state.structure.world()
        freedom = state.structure.freedom
        U, gradient = self.prior.copy(), -self.prior @ state.moved
        V, pull = np.zeros((len(world), freedom, freedom)), np.zeros((len(world), freedom))
        W, pulls = [], []
        for index, camera in enumerate(state.cameras):
            groups, names, columns = self.groups[index], self.names[index], self.columns[index]
            projection = project_with_derivatives(camera, world[groups], names)
            residual = self.xy[index, groups] - projection.pixels
            squares = np.square(residual).sum(axis=-1) / noise[index] ** 2
            weight = 1.0 / (1.0 + squares / CAUCHY**2) if used is None else used[index, groups].astype(np.float64)
            weight = np.where(np.isfinite(squares), weight, 0.0) / noise[index] ** 2
            root = np.sqrt(weight)[..., None, None]
            by_structure = state.structure.derivatives(groups, projection.by_point)
            J = np.concatenate([projection.by_camera, by_structure, residual[..., None]], axis=-1)
            J = np.where(root > 0, root * np.nan_to_num(J), 0.0)
            J = J.reshape(len(groups), 2 * residual.shape[1], J.shape[-1])
            blocks = J.mT @ J
            k = len(names)
            U[columns, columns] += blocks[:, :k, :k].sum(axis=0)
            gradient[columns] += blocks[:, :k, -1].sum(axis=0)
            V[groups] += blocks[:, k:-1, k:-1]
            pull[groups] += blocks[:, k:-1, -1]
            W.append(blocks[:, :k, k:-1])
            pulls.append(blocks[:, :k, -1])
        return _Normal(U, gradient, V, pull, W, pulls)

    def reduced(self, normal: _Normal, damping: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
        """The Schur complement: its matrix, its right side, the inverses of V, and W V^-1 by camera."""
        V = normal.V.copy()
        diagonal = np.einsum("gii->gi", V)
        # Along what its observations do not determine a group stays where it is; one that nobody sees, altogether.
        diagonal += damping * diagonal + SLIGHT * diagonal.sum(axis=1, keepdims=True)
        diagonal[~diagonal.any(axis=1)] = 1.0
        inverse = np.linalg.inv(V) if V.size else V
        S = normal.U + damping * np.diag(np.diag(normal.U))
        right = normal.gradient.copy()
        Y = [W @ inverse[groups] for W, groups in zip(normal.W, self.groups, strict=True)]
        for first, columns in enumerate(self.columns):
            right[columns] -= np.einsum("gid,gd->i", Y[first], normal.pull[self.groups[first]])
            for second in range(first, len(self.columns)):
                _, a, b = np.intersect1d(
                    self.groups[first], self.groups[second], assume_unique=True, return_indices=True
                )
                block = np.einsum("gid,gjd->ij", Y[first][a], normal.W[second][b], optimize=True)
                S[columns, self.columns[second]] -= block
                if second > first:
                    S[self.columns[second], columns] -= block.T
        return S, right, inverse, Y

    def minimise(
        self, state: _State, noise: np.ndarray, used: np.ndarray | None, most: int, progress: Progress | None
    ) -> tuple[_State, bool]:
        """Levenberg-Marquardt: the state at the minimum, and whether it was reached within ``most`` steps."""
        damping, cost = 1e-4, self.cost(state, noise, used)
        least_gain = ROBUST_GAIN if used is None else FINAL_GAIN
        for done in range(most):
            if progress is not None:
                progress(done, most)
            normal = self.normal_equations(state, noise, used)
            while True:
                trial = self._step(state, normal, damping)
                trial_cost = np.inf if trial is None else self.cost(trial, noise, used)
                if trial_cost <= cost:
                    break
                damping *= 10
                if damping > 1e8:
                    return state, True
            assert trial is not None
            gain = cost - trial_cost
            state, cost, damping = trial, trial_cost, max(damping / 10, 1e-12)
            if gain <= least_gain * cost:
                return state, True
        return state, False

    def _step(self, state: _State, normal: _Normal, damping: float) -> _State | None:
        S, right, inverse, _ = self.reduced(normal, damping)
        try:
            step = np.linalg.solve(S, right) if len(right) else right
            pull = normal.pull.copy()
            for W, groups, columns in zip(normal.W, self.groups, self.columns, strict=True):
                pull[groups] -= np.einsum("gid,i->gd", W, step[columns])
            cameras = tuple(
                moved(camera, names, step[columns])
                for camera, names, columns in zip(state.cameras, self.names, self.columns, strict=True)
            )
        except (np.linalg.LinAlgError, CameraError):  # a singular system, or a step that makes an impossible camera
            return None
        structure = state.structure.moved(np.einsum("gij,gj->gi", inverse, pull))
        return _State(cameras, structure, state.moved + step)

    def covariance(self, state: _State, noise: np.ndarray, used: np.ndarray, dependent: bool) -> np.ndarray:
        """(n, n) covariance of the cameras' parameters; infinite along what the observations do not determine.

        If the errors of a group are ``dependent``, from how much the groups contradict each other (K.-Y. Liang and
        S. Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73, 1986, equation 6).
        """
        normal = self.normal_equations(state, noise, used)
        S, _, _, Y = self.reduced(normal, 0.0)
        if not len(S):
            return S
        # Where rounding errors are as large as the information, there is none.
        information = np.diag(S)
        blind = information <= 1e-12 * np.diag(normal.U)
        scale = np.where(blind, 0.0, 1.0 / np.sqrt(np.where(blind, 1.0, information)))
        values, vectors = np.linalg.eigh(scale[:, None] * S * scale)
        known = values > 1e-12 * values.max()
        vectors = scale[:, None] * vectors
        covariance: np.ndarray = (vectors[:, known] / values[known]) @ vectors[:, known].T
        loose = blind | (np.abs(vectors[:, ~known]).max(axis=1, initial=0.0) > 1e-3 * scale)
        if dependent:
            scores = np.zeros((len(normal.V), len(S)))
            for pulls, groups, columns, eliminated in zip(normal.pulls, self.groups, self.columns, Y, strict=True):
                scores[groups, columns] = pulls - np.einsum("gid,gd->gi", eliminated, normal.pull[groups])
            many = int(used.any(axis=(0, 2)).sum())
            covariance = covariance @ (scores.T @ scores) @ covariance * many / max(many - 1, 1)
        covariance[loose, :] = covariance[:, loose] = 0.0
        covariance[loose, loose] = np.inf
        return covariance


def _wide(noise: np.ndarray) -> np.ndarray:
    return np.asarray(noise[:, None, None])


def _noise_by_median(errors: np.ndarray, relative: np.ndarray) -> float:
    """The factor on the relative noise that the median length of an error shows."""
    lengths = np.linalg.norm(errors, axis=-1) / _wide(relative)
    return max(float(np.median(lengths[np.isfinite(lengths)])) / MEDIAN_LENGTH, LEAST_NOISE)


def _noise_by_squares(errors: np.ndarray, relative: np.ndarray, used: np.ndarray, excess: int) -> float:
    """The factor on the relative noise, with what the fitted parameters took away."""
    squares = np.square(errors).sum(axis=-1) / np.square(_wide(relative))
    return max(float(np.sqrt(squares[used].sum() / excess)), LEAST_NOISE)

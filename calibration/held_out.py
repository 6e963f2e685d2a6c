"""Does the calibration hold for images that it was not made from? Cross-validation over moments.

The moments fall into folds. For each fold the cameras are calibrated anew without it, from the full solution on; then
its moments are fitted with these cameras held, only the board moving. The board moves as freely as in the full
solution, so errors that are larger than there come from the cameras: they followed the noise of too few images, or the
lens model does not hold where the board was.

Source: R. Hartley and A. Zisserman, "Multiple View Geometry in Computer Vision", 2nd edition 2004, section 5.1
(residual error and estimation error).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.calibration.bundle_adjustment import adjust
from lift3d.calibration.solution import Solution
from lift3d.calibration.structure import BoardPoses
from lift3d.errors import CameraError

# A camera with fewer moments left than this has no calibration to test.
LEAST_MOMENTS = 3


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Reprojection errors of the same corners, when they made the calibration and when they did not.

    Attributes:
        rmse: of the moments held out, pixels (of the 2D distance); NaN if no fold could be calibrated.
        fitted_rmse: of the same corners in the full solution.
        image_rmse, image_fitted_rmse: (cameras, moments) the same, image by image.
        folds: how many folds there were.
        folds_skipped: how many of them left too little to calibrate from.
        moments: how many moments were held out in turn.
    """

    rmse: float
    fitted_rmse: float
    image_rmse: np.ndarray
    image_fitted_rmse: np.ndarray
    folds: int
    folds_skipped: int
    moments: int

    def ratios(self) -> np.ndarray:
        """(cameras,) how many times larger the errors are of what was held out; 1 for a camera that fits everywhere.

        Of nine images in ten, so that a single place in the image to which no other image reaches does not count.
        """
        return np.array(
            [
                np.percentile(out[known], 90) / np.percentile(fitted[known], 90)
                if (known := np.isfinite(out) & (fitted > 0)).any()
                else np.nan
                for out, fitted in zip(self.image_rmse, self.image_fitted_rmse, strict=True)
            ]
        )


def held_out_rmse(solution: Solution, folds: int = 5) -> HeldOut:
    """Cross-validate a calibration over its moments.

    Args:
        solution: the calibration. What it took for outliers is left out here too.
        folds: into how many parts the moments are split; the n-th moment goes to part n modulo ``folds``.

    Returns:
        The errors of what was held out, beside those of the fit.
    """
    moments = np.flatnonzero(solution.used.any(axis=(0, 2)))
    xy = np.where(solution.used[..., None], solution.observations.xy, np.nan)
    residuals = np.full_like(xy, np.nan)
    free: dict[str, list[str]] = {camera.name: [] for camera in solution.rig}
    for camera, name in solution.parameters:
        free[camera].append(name)
    folds = max(min(folds, len(moments)), 1)
    skipped = 0
    for fold in range(folds):
        out = moments[fold::folds]
        rest = np.setdiff1d(moments, out)
        if not _determined(solution, rest):
            skipped += 1
            continue
        try:
            fitted = adjust(
                solution.rig.cameras, _poses(solution, rest), xy[:, rest], free, relative_noise=solution.noise
            )
            residuals[:, out] = adjust(
                fitted.cameras, _poses(solution, out), xy[:, out], {}, relative_noise=solution.noise
            ).residuals
        except CameraError:
            skipped += 1
    tested = np.asarray(np.isfinite(residuals).all(axis=-1))
    return HeldOut(
        rmse=_rmse(residuals, tested),
        fitted_rmse=_rmse(solution.residuals, tested),
        image_rmse=_image_rmse(residuals, tested),
        image_fitted_rmse=_image_rmse(solution.residuals, tested),
        folds=folds,
        folds_skipped=skipped,
        moments=int(tested.any(axis=(0, 2)).sum()),
    )


def _determined(solution: Solution, moments: np.ndarray) -> bool:
    """Whether the moments still have every camera often enough, and link all those that the full solution links."""
    from scipy.sparse.csgraph import connected_components

    images = solution.used[:, moments].any(axis=-1).astype(int)
    everything = solution.used.any(axis=-1).astype(int)
    groups = [connected_components(seen @ seen.T > 0, directed=False)[0] for seen in (images, everything)]
    return bool((images.sum(axis=1) >= LEAST_MOMENTS).all()) and groups[0] == groups[1]


def _poses(solution: Solution, moments: np.ndarray) -> BoardPoses:
    poses = solution.board_poses
    return BoardPoses(poses.points, poses.R[moments], poses.t[moments])


def _rmse(residuals: np.ndarray, which: np.ndarray) -> float:
    return float(np.sqrt(np.square(residuals[which]).sum(axis=-1).mean())) if which.any() else float("nan")


def _image_rmse(residuals: np.ndarray, which: np.ndarray) -> np.ndarray:
    counts = which.sum(axis=-1)
    squares = np.where(which, np.square(residuals).sum(axis=-1), 0.0).sum(axis=-1)
    return np.asarray(np.sqrt(np.where(counts > 0, squares, np.nan) / np.maximum(counts, 1)))

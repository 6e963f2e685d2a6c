"""Rotations over time: nearest rotation, filling, and curves of quaternions and Euler angles without jumps.

Conversions are ``scipy.spatial.transform.Rotation``'s; here is what it lacks. Rotations are matrices (..., 3, 3) that
act on columns, quaternions are (x, y, z, w).
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotations R that maximise ``trace(R^T M)``: the nearest to M, reflections excluded.

    Args:
        matrix: (..., 3, 3).

    Returns:
        Rotations (..., 3, 3), determinant +1.

    Source: W. Kabsch, "A discussion of the solution for the best rotation to relate two sets of vectors", Acta
    Crystallographica A34, 1978.
    """
    U, _, Vt = np.linalg.svd(matrix)
    U[..., 2] *= np.sign(np.linalg.det(U) * np.linalg.det(Vt))[..., None]
    return np.asarray(U @ Vt)


def fill_rotations(rotations: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Rotations of the frames that are not known, turned evenly from the last known to the next; held at the ends.

    Args:
        rotations: (frames, 3, 3); what frames that are not known hold is not read.
        known: (frames,) bool.

    Returns:
        (frames, 3, 3); the identity everywhere if no frame is known.
    """
    frames = np.flatnonzero(known)
    if len(frames) == len(known):
        return rotations
    if len(frames) == 0:
        return np.broadcast_to(np.eye(3), rotations.shape).copy()
    if len(frames) == 1:
        return np.broadcast_to(rotations[frames[0]], rotations.shape).copy()
    filled = rotations.copy()
    gaps = np.flatnonzero(~known)
    between = Slerp(frames, Rotation.from_matrix(rotations[frames]))
    filled[gaps] = between(np.clip(gaps, frames[0], frames[-1])).as_matrix()
    return filled


def continuous_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Quaternions whose signs do not jump: of q and -q the one nearer to the frame before.

    Args:
        rotations: (frames, ..., 3, 3).

    Returns:
        (frames, ..., 4) unit quaternions, the first of each curve with w of 0 or more.
    """
    batch = rotations.shape[:-2]
    quaternions = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat(canonical=True).reshape(*batch, 4)
    turned = (quaternions[1:] * quaternions[:-1]).sum(axis=-1) < 0
    signs = np.cumprod(np.where(turned, -1.0, 1.0), axis=0)
    quaternions[1:] *= signs[..., None]
    return np.asarray(quaternions)


def continuous_euler(rotations: np.ndarray, order: str) -> np.ndarray:
    """Euler angles whose curves do not jump by a whole turn, nor between the two triples of angles of a rotation.

    With the middle angle b, ``(a, b, c)`` and ``(a + 180, 180 - b, c + 180)`` are the same rotation. The one nearer to
    the frame before is taken; its distance does not depend on which of the two that frame took, so that the choices
    of all frames follow from a running sum.

    Args:
        rotations: (frames, 3, 3).
        order: intrinsic axes in the order of scipy, "ZXY": ``R = R_z(a) R_x(b) R_y(c)``.

    Returns:
        (frames, 3) degrees.
    """
    angles = Rotation.from_matrix(rotations).as_euler(order, degrees=True, suppress_warnings=True)
    other = np.stack([angles[:, 0] + 180, 180 - angles[:, 1], angles[:, 2] + 180], axis=-1)
    step, change = (np.abs(_wrapped(new[1:] - angles[:-1])).sum(axis=-1) for new in (angles, other))
    changed = np.cumsum(change < step) % 2 == 1
    angles[1:] = np.where(changed[:, None], other[1:], angles[1:])
    return np.asarray(np.unwrap(angles, period=360, axis=0))


def _wrapped(degrees: np.ndarray) -> np.ndarray:
    """Angles in -180..180."""
    return np.asarray((degrees + 180) % 360 - 180)

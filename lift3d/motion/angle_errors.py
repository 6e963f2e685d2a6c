"""How sure joint angles are, from how sure their joints are."""

from __future__ import annotations

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.motion.angle_table import ANGLES
from lift3d.motion.angles import measure
from lift3d.motion.body_frames import Body
from lift3d.poses import Poses3D

# Joints are moved by this part of their standard deviation to see what becomes of the angles: little, so that an angle
# that stands at the edge of where it can be told is still told.
STEP = 0.02
# Frames at once, so that memory does not grow with the clip.
CHUNK = 4096


def angle_sigma(poses: Poses3D) -> np.ndarray:
    """One standard deviation of every angle of ``joint_angles``, to first order in the errors of the joints.

    Errors of different joints count as independent. Where a joint's covariance is unknown its sigma stands for it,
    alike in all directions.

    Args:
        poses: with sigma or covariance.

    Returns:
        (frames, people, angles) float32, degrees, in the order of ``ANGLES``; NaN where the angle is missing or a joint
        that it needs has no sigma.

    Raises:
        Lift3DError: the poses have neither sigma nor covariance.
    """
    if poses.sigma is None and poses.covariance is None:
        raise Lift3DError("errors of angles need sigma or covariance in the poses, which these do not have")
    result = np.empty((poses.frames, poses.people, len(ANGLES)), dtype=np.float32)
    places = {place for definition in ANGLES.values() for place in definition.joints}
    whole = Body(poses.xyz, poses.skeleton)
    joints = sorted({poses.skeleton.index(joint) for place in places for joint in whole.joints_of(place)})
    for start in range(0, poses.frames, CHUNK):
        frames = slice(start, start + CHUNK)
        result[frames] = _sigma(poses.select(frames), whole, joints)
    return result


def _sigma(poses: Poses3D, whole: Body, joints: list[int]) -> np.ndarray:
    points, factors = poses.xyz.astype(np.float64), _factors(poses)
    variance = np.zeros((poses.frames, poses.people, len(ANGLES)))
    for joint in joints:
        for axis in range(3):
            step = STEP * factors[:, :, joint, :, axis]
            ends = []
            for sign in (1, -1):
                moved = points.copy()
                moved[:, :, joint] += sign * step
                ends.append(measure(whole.elsewhere(moved), poses.space))
            change = (ends[0] - ends[1] + 180) % 360 - 180
            variance += (change / (2 * STEP)) ** 2
    return np.sqrt(variance)


def _factors(poses: Poses3D) -> np.ndarray:
    """(frames, people, joints, 3, 3) the square roots of the joints' covariances: factor @ factor.T; NaN if unknown."""
    unknown = np.full(poses.xyz.shape[:3], np.nan)
    sigma = unknown if poses.sigma is None else poses.sigma.astype(np.float64)
    factors = sigma[..., None, None] * np.eye(3)
    if poses.covariance is not None:
        covariance = poses.covariance.astype(np.float64)
        known = np.asarray(np.isfinite(covariance).all(axis=(-2, -1)))
        squares, directions = np.linalg.eigh(np.where(known[..., None, None], covariance, np.eye(3)))
        roots = directions * np.sqrt(np.maximum(squares, 0))[..., None, :]
        factors = np.where(known[..., None, None], roots, factors)
    return factors

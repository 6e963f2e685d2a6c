"""Joint angles in degrees, from joint centres, by definitions of the ISB as far as joint centres allow.

``ANGLES`` says of every angle what it is, what is positive, what is zero, which places of the body it needs and where
the definition is from. Left and right are mirrored: the same sign means the same movement.

- Hip and trunk follow the joint coordinate system of Grood and Suntay: flexion about the z of the upper or inner
  segment, rotation about the y of the outer one, abduction or bending about the axis between them.
- The shoulder's flexion and abduction are what is seen from the side and from the front of the thorax (an arm
  overhead is at 180 degrees of both), and its elevation is the angle away from hanging, the second angle of the ISB.
  Its rotation is that about the arm's own axis beyond the shortest way from hanging to where the arm points: the
  first and third angle of the ISB cannot be told apart where an arm hangs.
- An angle seen in a plane is NaN where the limb points within 30 degrees of the plane's normal; a rotation is NaN
  where the knee or elbow that shows it is bent by less than 30 degrees (or more than 150).
- Angles that can pass 180 degrees run from -120 to 240, so that no movement of a body jumps by 360.
"""

from __future__ import annotations

import numpy as np

from lift3d.motion.angle_table import ANGLES, SIDED, AngleDefinition, Angles
from lift3d.motion.body_frames import Body, dot, seen_in, unit
from lift3d.poses import Poses3D
from lift3d.skeletons import Skeleton

__all__ = ["ANGLES", "AngleDefinition", "Angles", "joint_angles"]

# The sine of the least bend that shows a rotation, and of the least angle between a limb and the normal of the plane
# that its angle is seen in: there the noise of a joint counts twice.
LEAST_SINE = 0.5
# Degrees. Where an angle that can pass 180 starts.
LOWEST = -120.0
UP = {"world": np.array([0.0, 0.0, 1.0]), "camera": np.array([0.0, -1.0, 0.0])}


def joint_angles(poses: Poses3D) -> Angles:
    """The angles of all joints that the layout shows, in every frame and of every person.

    Args:
        poses: in any layout and space. Only ``trunk_lean`` depends on the space: in camera space it takes the camera
            to be level.

    Returns:
        The angles of ``ANGLES``, NaN where they cannot be had, and why those that never can be are missing.

    Source: G. Wu et al., J. Biomechanics 35 (2002) and 38 (2005); E. Grood and W. Suntay, "A joint coordinate system
    for the clinical description of three-dimensional motions", J. Biomech. Eng. 105, 1983; rotation of the shoulder:
    S. Miyazaki and A. Ishida, "New mathematical definition and calculation of axial rotation of anatomical joints",
    J. Biomech. Eng. 113, 1991.
    """
    body = Body(poses.xyz, poses.skeleton)
    table = measure(body, poses.space).astype(np.float32)
    missing = {
        name: _reason(name, body, poses.skeleton)
        for index, name in enumerate(ANGLES)
        if not np.isfinite(table[..., index]).any()
    }
    return Angles(tuple(ANGLES), table, missing, poses.fps, poses.track_ids)


def measure(body: Body, space: str) -> np.ndarray:
    """(..., angles) degrees, float64, of the angles of ``ANGLES``."""
    values = _trunk(body, UP[space])
    for side, sign in (("left", -1.0), ("right", 1.0)):
        for angles in (_leg(body, side, sign), _arm(body, side, sign)):
            values |= {f"{side}_{name}": angle for name, angle in angles.items()}
    return np.stack([values[name] for name in ANGLES], axis=-1)


def _trunk(body: Body, up: np.ndarray) -> dict[str, np.ndarray]:
    trunk = body.along("pelvis", "neck")
    x, y, z = seen_in(body.pelvis, body.thorax[..., 1, :])
    right = seen_in(body.thorax, body.pelvis[..., 2, :])
    ahead, above, aside = seen_in(body.thorax, body.along("neck", "head"))
    flexion = _in_plane(x, y)
    return {
        # Without a joint between pelvis and neck both frames have the same tilt.
        "trunk_flexion": flexion if body.has("spine") else np.full_like(flexion, np.nan),
        "trunk_bending": _arcsine(z),
        "trunk_rotation": _in_plane(-right[0], right[2]),
        "trunk_lean": np.degrees(np.arctan2(np.linalg.norm(np.cross(trunk, up), axis=-1), trunk @ up)),
        "neck_flexion": _in_plane(ahead, above),
        "neck_bending": _arcsine(aside),
    }


def _leg(body: Body, side: str, sign: float) -> dict[str, np.ndarray]:
    thigh = body.along(f"{side}_hip", f"{side}_knee")
    shank = body.along(f"{side}_knee", f"{side}_ankle")
    foot = body.along(f"{side}_heel", f"{side}_toes")
    bend = np.cross(shank, thigh)
    x, y, z = seen_in(body.pelvis, thigh)
    hinge = _shown(bend)
    across = body.pelvis[..., 2, :]
    rotation = _in_plane(-dot(np.cross(-thigh, hinge), across), dot(hinge, across))
    return {
        "hip_flexion": _from_lowest(_in_plane(x, -y)),
        "hip_abduction": _arcsine(sign * z),
        "hip_rotation": sign * rotation,
        "knee_flexion": _hinge_angle(bend, dot(thigh, shank), unit(across - dot(across, thigh)[..., None] * thigh)),
        "ankle_dorsiflexion": _arcsine(-dot(foot, shank)),
    }


def _arm(body: Body, side: str, sign: float) -> dict[str, np.ndarray]:
    upper = body.along(f"{side}_shoulder", f"{side}_elbow")
    fore = body.along(f"{side}_elbow", f"{side}_wrist")
    bend = np.cross(upper, fore)
    x, y, z = seen_in(body.thorax, upper)
    hanging = -body.thorax[..., 1, :]
    hinge = _shown(bend)
    forward, right = (_swung(body.thorax[..., axis, :], hanging, upper) for axis in (0, 2))
    rotation = np.degrees(np.arctan2(dot(hinge, forward), dot(hinge, right)))
    # Overhead, every way there is equally short.
    overhead = y > np.sqrt(1 - LEAST_SINE**2)
    return {
        "shoulder_flexion": _from_lowest(_in_plane(x, -y)),
        "shoulder_abduction": _from_lowest(_in_plane(sign * z, -y)),
        "shoulder_elevation": np.degrees(np.arctan2(np.hypot(x, z), -y)),
        "shoulder_rotation": np.where(overhead, np.nan, sign * rotation),
        "elbow_flexion": _hinge_angle(bend, dot(upper, fore)),
    }


def _in_plane(sine: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Degrees of what is seen in a plane; NaN where too little of it is."""
    angle = np.degrees(np.arctan2(sine, cosine))
    return np.asarray(np.where(np.hypot(sine, cosine) >= LEAST_SINE, angle, np.nan))


def _arcsine(sine: np.ndarray) -> np.ndarray:
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1, 1))))


def _from_lowest(angle: np.ndarray) -> np.ndarray:
    return np.asarray((angle - LOWEST) % 360 + LOWEST)


def _shown(bend: np.ndarray) -> np.ndarray:
    """(..., 3) the hinge's axis where its bend shows it; NaN elsewhere."""
    return np.asarray(np.where(np.linalg.norm(bend, axis=-1, keepdims=True) >= LEAST_SINE, unit(bend), np.nan))


def _hinge_angle(bend: np.ndarray, cosine: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Degrees of a hinge.

    Args:
        bend: (..., 3) the vector product of the two segments.
        cosine: (...) their scalar product.
        reference: (..., 3) where the axis points in a straight limb. The axis leans on it the more, the less the limb
            is bent, so that noise does not turn into flexion and extension beyond straight is negative. Where it is
            missing, the angle is never negative.
    """
    size = np.linalg.norm(bend, axis=-1)
    total = np.degrees(np.arctan2(size, cosine))
    if reference is None:
        return np.asarray(total)
    axis = unit(bend + np.where(cosine > 0, np.maximum(LEAST_SINE - size, 0), 0)[..., None] * reference)
    angle = np.degrees(np.arctan2(dot(bend, axis), cosine))
    return np.asarray(np.where(np.isfinite(angle), angle, total))


def _swung(vectors: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned by the shortest rotation that takes one unit vector to another."""
    axis = np.cross(start, end)
    once = np.cross(axis, vectors)
    opposite = 1 + dot(start, end)[..., None]
    return np.asarray(vectors + once + np.cross(axis, once) / np.where(opposite > 1e-9, opposite, np.nan))


def _reason(name: str, body: Body, skeleton: Skeleton) -> str:
    """Why an angle is missing in every frame of everyone."""
    places = ANGLES[name].joints
    if absent := [place for place in places if not body.joints_of(place)]:
        return f"layout {skeleton.name} has no {' and no '.join(absent)}"
    if unseen := [place for place in places if not body.has(place)]:
        return f"{' and '.join(unseen)} never seen"
    if name.removeprefix("left_").removeprefix("right_") in SIDED and name.endswith("rotation"):
        return f"the {'knee' if 'hip' in name else 'elbow'} is never bent enough to show it"
    return f"{', '.join(places)} never seen together, or only where the angle cannot be told"

"""The world's axes: from a board on the floor, from points whose places are known, or Z up from cameras and people.

Each way gives a ``WorldChange`` from the present world of the cameras, whatever it is, to the wanted one: right-handed,
Z up, metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lift3d.calibration.parameters import Parameter
from lift3d.errors import CameraError
from lift3d.geometry.alignment import align
from lift3d.geometry.rigs import Rig
from lift3d.poses import Poses3D

# Measured points that fit worse than this, metres, are worth a warning.
GOOD_FIT = 0.03
# So is a scale that differs from 1 by more than this where the scale is not free.
GOOD_SCALE = 0.03
# Spread of the level axes of cameras (of 0 to 0.5) below which they all look in one direction: within some 16 degrees.
SAME_DIRECTION = 0.02
# Degrees by which cameras that count as level may be tilted sideways.
MOST_TILT = 8.0
# Cosine of the angle up to which two guesses of the upright agree, 25 degrees.
COMPATIBLE = 0.906
# A body's centre of mass lies between hips (this share) and shoulders; a foot that is this much higher than the other,
# metres, bears nothing of it.
SIDES, BODY_MIDDLE, LIFTED = ("left", "right"), 0.75, 0.3
# How high above the floor the joints of a standing foot are, metres.
ABOVE_FLOOR = {"ankle": 0.08, "heel": 0.02, "big_toe": 0.01, "small_toe": 0.01}
# People who walked this far in either direction, metres (one standard deviation), show the plane of the floor.
WALKED = 0.3
# How far from the floor a standing foot is seen, metres.
FOOT_NOISE = 0.03


@dataclass(frozen=True, eq=False)
class WorldChange:
    """The way from one world to another: ``x_new = scale * Q x + q``.

    Attributes:
        Q: (3, 3) rotation.
        q: (3,) metres.
        scale: the new length of one metre of the old world; 1 unless lengths were wrong.
        residuals: metres by name of what the change was made from, where there is more than it needs.
        warnings: what makes the change doubtful, in words for people.
    """

    Q: np.ndarray
    q: np.ndarray
    scale: float = 1.0
    residuals: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the old world in the new one, metres."""
        moved: np.ndarray = self.scale * points @ self.Q.T + self.q
        return moved


def rig_in_world(rig: Rig, change: WorldChange) -> Rig:
    """The rig in a world of other axes; what it projects stays the same.

    Args:
        rig: the cameras in the old world.
        change: from the old world to the new one.
    """
    cameras = []
    for camera in rig:
        R = camera.R @ change.Q.T
        cameras.append(replace(camera, R=R, t=change.scale * camera.t - R @ change.q))
    return replace(rig, cameras=tuple(cameras))


def covariance_in_world(
    rig: Rig, parameters: Sequence[Parameter], covariance: np.ndarray, change: WorldChange
) -> np.ndarray:
    """The covariance of camera parameters in a world of other axes, which count as exact.

    Args:
        rig: the cameras in the old world.
        parameters: n of their parameters (``lift3d.calibration.parameters``).
        covariance: (n, n) of these in the old world; infinite on the diagonal where nothing is known.
        change: from the old world to the new one.

    Returns:
        (n, n) covariance in the new world. A camera turns in its own axes, so that only translations change.
    """
    place = {parameter: index for index, parameter in enumerate(parameters)}
    moves = np.eye(len(parameters))
    for camera in rig:
        # t_new = s t - R q: a turn w of the camera moves it by -[w]x R q = [R q]x w.
        x, y, z = camera.R @ change.Q.T @ change.q
        for row, values in enumerate([[0, -z, y], [z, 0, -x], [-y, x, 0]]):
            to = place.get(Parameter(camera.name, "t" + "xyz"[row]))
            if to is None:
                continue
            moves[to, to] = change.scale
            for column, value in enumerate(values):
                of = place.get(Parameter(camera.name, "r" + "xyz"[column]))
                if of is not None:
                    moves[to, of] = value
    # Where nothing is known before, nothing is known after.
    loose = np.isinf(np.diag(covariance))
    moved: np.ndarray = moves @ np.where(np.isinf(covariance), 0.0, covariance) @ moves.T
    moved[loose, loose] = np.inf
    return moved


def world_from_board(R: np.ndarray, t: np.ndarray, rig: Rig) -> WorldChange:
    """The world of a board that lies on the floor.

    The origin is the board's own origin (its first corner), x runs along its rows, z points away from the floor and y
    completes a right-handed frame: along the columns, in the board's direction if its z axis points to the cameras and
    against it if, as on OpenCV's boards, it points into the board.

    Args:
        R: (3, 3) rotation from the board to the present world at the moment at which it lies there.
        t: (3,) the board's origin in the present world, metres.
        rig: the cameras, which are above the floor.

    Raises:
        CameraError: the board's pose is not known at that moment (NaN).
    """
    R, t = np.asarray(R, dtype=np.float64), np.asarray(t, dtype=np.float64)
    if not (np.isfinite(R).all() and np.isfinite(t).all()):
        raise CameraError("the board was not found at the moment that is to define the floor; name another moment")
    heights = np.array([(camera.centre - t) @ R[:, 2] for camera in rig])
    up = 1.0 if heights.sum() > 0 else -1.0
    Q = np.diag([1.0, up, up]) @ R.T
    warnings: tuple[str, ...] = ()
    if below := [camera.name for camera, height in zip(rig, up * heights, strict=True) if height < 0]:
        warnings = (
            f"with the board as the floor, cameras {', '.join(below)} are below it: did the board lie on the floor?",
        )
    return WorldChange(Q, -Q @ t, warnings=warnings)


def world_from_points(
    measured: Mapping[str, Sequence[float]], present: Mapping[str, Sequence[float]], *, scale: bool = False
) -> WorldChange:
    """The world in which named points are where somebody measured them.

    Args:
        measured: (x, y, z) of each point in the wanted world, metres.
        present: the same points' coordinates in the present world, as triangulated; points that are only in one of
            the two do not count.
        scale: whether lengths are taken from the measured points too; otherwise the present ones stay.

    Returns:
        The change, with the distance of each point from its measured place as residuals.

    Raises:
        CameraError: fewer than three points are known in both, or they lie on one line.
    """
    names = [name for name in measured if name in present]
    wanted = np.array([measured[name] for name in names], dtype=np.float64).reshape(-1, 3)
    points = np.array([present[name] for name in names], dtype=np.float64).reshape(-1, 3)
    known = np.atleast_1d(np.isfinite(np.hstack([wanted, points])).all(axis=-1))
    names = [name for name, good in zip(names, known.tolist(), strict=True) if good]
    wanted, points = wanted[known], points[known]
    if len(names) < 3:
        raise CameraError(
            f"the world's axes need three points that are measured and seen by two cameras; here are {len(names)} "
            f"({', '.join(names) or 'none'}) of the measured {', '.join(measured)}"
        )
    for what, places in (("measured", wanted), ("triangulated", points)):
        spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
        if spread[1] < 0.02 * spread[0] or spread[0] == 0:
            raise CameraError(
                f"the {what} points {', '.join(names)} lie on one line, about which the world could turn; "
                "measure one that lies beside it"
            )
    similar = align(points, wanted)
    fit = similar if scale else align(points, wanted, scale=False)
    residuals = np.linalg.norm(fit.apply(points) - wanted, axis=1)
    warnings = []
    mirrored = align(points * [1, 1, -1], wanted, scale=scale)
    if len(names) > 3 and np.linalg.norm(mirrored.apply(points * [1, 1, -1]) - wanted) < 0.3 * np.linalg.norm(
        residuals
    ):
        warnings.append("the measured points fit far better in a mirror: is one axis turned over, or are two swapped?")
    elif residuals.max() > GOOD_FIT:
        worst = names[int(residuals.argmax())]
        warnings.append(f"the point {worst} is {1000 * residuals.max():.0f} mm from where it was measured")
    if not scale and abs(float(similar.scale) - 1) > GOOD_SCALE:
        warnings.append(
            f"the measured distances are {float(similar.scale):.4g} times those of the cameras: is the unit the metre, "
            "and the square length of the board right?"
        )
    distances = {name: float(distance) for name, distance in zip(names, residuals, strict=True)}
    return WorldChange(fit.R, fit.t, float(fit.scale), distances, tuple(warnings))


def level_world(rig: Rig, poses: Poses3D | None = None) -> WorldChange:
    """A world with Z up, guessed from how cameras are held and, better, from people who stand and walk in it.

    Cameras are mostly held level: their x axes span the horizontal plane (cameras that all lie on their side are
    noticed: then their y axes do). Where people walk about, the floor is the plane under their feet. The y axis points
    away from the first camera and x to its right. The origin lies on the floor in the middle of where the people are;
    without people, whose feet show the floor, it is the point that the cameras look at.

    Args:
        rig: the cameras in the present world.
        poses: people triangulated with this rig, in its world.

    Raises:
        CameraError: the poses are not in world space, or nobody is seen in them from the feet to the shoulders.
    """
    up, warnings = _up_of_cameras(rig)
    if poses is None:
        warnings.append("without people the floor is not known: z = 0 is the height of the point the cameras look at")
        return _levelled(rig, up, _looked_at(rig), warnings)
    if poses.space != "world":
        raise CameraError("levelling needs people in the world of the cameras, not in the space of one camera")
    upright = _up_of_people(poses)
    if warnings:
        up, warnings = upright, []
    elif up @ upright < COMPATIBLE:
        up, warnings = upright, ["people do not stand as the cameras are held; the upright is that of the people"]
    feet = _standing_feet(poses, up)
    up = _floor_normal(feet, up)
    # The lower foot of a person is on the floor most of the time.
    feet = _standing_feet(poses, up)
    origin = np.median(feet, axis=0)
    return _levelled(rig, up, origin + (np.median(feet @ up) - origin @ up) * up, warnings)


def _up_of_cameras(rig: Rig) -> tuple[np.ndarray, list[str]]:
    """The unit vector upwards, and what makes it doubtful."""
    x, y, z = (np.array([camera.R[row] for camera in rig]) for row in range(3))
    fits = [np.linalg.eigh((axes.T @ axes + 1e-3 * z.T @ z) / len(rig)) for axes in (x, y)]
    # How much better the axes fit a plane than a line. Of cameras held level x does so better by 1 / sin(pitch)^2,
    # of cameras on their side y.
    flat, flat_on_side = (values[1] - values[0] for values, _ in fits)
    if flat_on_side > max(1.2 * flat, SAME_DIRECTION) and _tilt(y, fits[1][1][:, 0]) < MOST_TILT:
        up = fits[1][1][:, 0]
        up = up if (z @ up).sum() <= 0 else -up
        return up, [
            "the cameras all seem to lie on their side; that they look down rather than up was taken as the upright. "
            "Give people, a board on the floor or measured points"
        ]
    _, vectors = fits[0]
    up = vectors[:, 0] if (y @ vectors[:, 0]).sum() <= 0 else -vectors[:, 0]
    warnings = []
    if (tilt := _tilt(x, up)) > MOST_TILT:
        warnings.append(f"the cameras are not held level (by {tilt:.0f} degrees), so that the upright is only a guess")
    elif flat < SAME_DIRECTION:
        warnings.append(
            "the cameras all look in much the same direction, so that their tilt up or down is only a guess; give "
            "people, a board on the floor or measured points"
        )
    return up, warnings


def _tilt(axes: np.ndarray, up: np.ndarray) -> float:
    """Degrees by which axes (n, 3) leave the plane that ``up`` is normal to, root mean square."""
    return float(np.degrees(np.arcsin(np.sqrt(np.square(axes @ up).mean()))))


def _up_of_people(poses: Poses3D) -> np.ndarray:
    """The unit vector from the foot that bears the body to the body's middle, in the median over frames and people."""
    sides = [
        [poses.xyz[:, :, poses.skeleton.index(f"{side}_{part}")].astype(np.float64).reshape(-1, 3) for side in SIDES]
        for part in ("hip", "shoulder", "ankle")
    ]
    hips, shoulders = ((left + right) / 2 for left, right in sides[:2])
    middle, (left, right) = BODY_MIDDLE * hips + (1 - BODY_MIDDLE) * shoulders, sides[2]
    known = np.isfinite(middle + left + right).all(axis=-1)
    if not known.any():
        raise CameraError("nobody is seen from the ankles to the shoulders, so that people do not show what is up")
    middle, left, right = middle[known], left[known], right[known]
    up = _geometric_median(shoulders[known] - (left + right) / 2)
    for _ in range(5):
        # The lower foot bears the body: all of it, if the other one is lifted well above.
        share = np.clip(0.5 + (right - left) @ up / (2 * LIFTED), 0, 1)[:, None]
        up = _geometric_median(middle - share * left - (1 - share) * right)
    return up


def _geometric_median(vectors: np.ndarray) -> np.ndarray:
    """The unit vector of least summed distance to the directions of vectors (n, 3)."""
    directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    middle = np.median(directions, axis=0)
    for _ in range(20):  # Weiszfeld's steps
        weights = 1 / np.maximum(np.linalg.norm(directions - middle, axis=1), 1e-6)
        middle = weights @ directions / weights.sum()
    unit: np.ndarray = middle / np.linalg.norm(middle)
    return unit


def _standing_feet(poses: Poses3D, up: np.ndarray) -> np.ndarray:
    """(n, 3) where the lowest joint of the feet of each person in each frame says that the floor is."""
    soles = [
        poses.xyz[:, :, poses.skeleton.index(joint)].astype(np.float64) - height * up
        for part, height in ABOVE_FLOOR.items()
        for joint in (f"left_{part}", f"right_{part}")
        if joint in poses.skeleton.joints
    ]
    points = np.stack(soles, axis=2).reshape(-1, len(soles), 3)
    points = points[np.isfinite(points @ up).any(axis=-1)]
    lowest = np.nanargmin(points @ up, axis=1)
    feet: np.ndarray = points[np.arange(len(points)), lowest]
    return feet


def _floor_normal(feet: np.ndarray, up: np.ndarray) -> np.ndarray:
    """The normal of the plane through the feet, or ``up`` where these stand too close together to show a plane."""
    centred = feet - np.median(feet, axis=0)
    weights = np.ones(len(feet))
    normal = up
    for _ in range(20):
        middle = weights @ centred / weights.sum()
        values, vectors = np.linalg.eigh((centred - middle).T @ ((centred - middle) * weights[:, None]) / weights.sum())
        if np.sqrt(values[1]) < WALKED or np.abs(vectors[:, 0] @ up) < COMPATIBLE:
            return up
        normal = vectors[:, 0] * np.sign(vectors[:, 0] @ up)
        heights = (centred - middle) @ normal
        weights = 1 / (1 + np.square(heights / FOOT_NOISE))
    return normal


def _looked_at(rig: Rig) -> np.ndarray:
    """The point nearest to all optical axes; of one camera, or parallel ones, about 3 m ahead."""
    matrix, vector = np.zeros((3, 3)), np.zeros(3)
    for camera in rig:
        across = np.eye(3) - np.outer(camera.R[2], camera.R[2])
        matrix += across + 1e-3 * np.eye(3)
        vector += across @ camera.centre + 1e-3 * (camera.centre + 3.0 * camera.R[2])
    return np.linalg.solve(matrix, vector)


def _levelled(rig: Rig, up: np.ndarray, origin: np.ndarray, warnings: list[str]) -> WorldChange:
    first = rig.cameras[0].R
    ahead = first[2] if abs(first[2] @ up) < 0.9 else -first[1]
    right = np.cross(ahead, up)
    right /= np.linalg.norm(right)
    Q = np.stack([right, np.cross(up, right), up])
    return WorldChange(Q, -Q @ origin, warnings=tuple(warnings))

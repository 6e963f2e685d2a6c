"""The camera that projected known 3D points to known pixels.

The ground-truth 2D of some data sets are exact projections of their 3D, while the cameras are not in the files: the two
together give them back. A linear start (direct linear transform, or for a camera at the origin the two lines
``x = fx X / Z + cx``), then least squares of the reprojection error with radial and tangential distortion.

Source: Hartley and Zisserman, "Multiple View Geometry in Computer Vision", 2nd ed., 7.1 and 7.2.
"""

from __future__ import annotations

import numpy as np

from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera

FEWEST_POINTS = 12
# So many points spread over the recording determine a camera; more only take time.
_POINTS = 600


def find_camera(
    points: np.ndarray, pixels: np.ndarray, image_size: tuple[int, int], name: str, own_space: bool
) -> tuple[Camera, float]:
    """The camera that projects the points onto the pixels.

    Args:
        points: (n, 3) metres.
        pixels: (n, 2), of the same points; rows that are not finite are passed over.
        image_size: (width, height) in pixels.
        name: the camera's name.
        own_space: whether the points are in the camera's own space, so that R is the identity and t is 0.

    Returns:
        the camera and the median distance in pixels that is left.

    Raises:
        CameraError: too few points, all in one plane, or no camera fits them.
    """
    finite = np.isfinite(points).all(axis=1) & np.isfinite(pixels).all(axis=1)
    chosen = np.flatnonzero(finite)
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, min(len(chosen), _POINTS)).astype(int))]
    points, pixels = points[chosen].astype(np.float64), pixels[chosen].astype(np.float64)
    if len(points) < FEWEST_POINTS:
        raise CameraError(f"camera {name!r}: {len(points)} points do not determine it")
    try:
        start = _start_in_own_space(points, pixels) if own_space else _linear(points, pixels)
        camera = _refine(start, points, pixels, image_size, name, own_space)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise CameraError(f"camera {name!r} cannot be found from its 3D and 2D: {error}") from error
    left = np.linalg.norm(camera.project(points) - pixels, axis=1)
    return camera, float(np.median(np.nan_to_num(left, nan=np.inf)))


def _start_in_own_space(points: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(4,) fx, fy, cx, cy from points in camera space."""
    if (points[:, 2] <= 0).any():
        raise ValueError("points lie behind it")
    plane = points[:, :2] / points[:, 2:]
    (fx, cx), (fy, cy) = (np.polyfit(plane[:, axis], pixels[:, axis], 1) for axis in (0, 1))
    return np.array([fx, fy, cx, cy])


def _linear(points: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(10,) fx, fy, cx, cy, rotation vector and translation by the direct linear transform."""
    from scipy.linalg import rq
    from scipy.spatial.transform import Rotation

    # Centred and of unit size, so that the equations are well conditioned.
    mean, scale = points.mean(0), points.std()
    middle, spread = pixels.mean(0), pixels.std()
    x = np.column_stack([(points - mean) / scale, np.ones(len(points))])
    u, v = ((pixels - middle) / spread).T[:, :, None]
    zero = np.zeros_like(x)
    rows = np.concatenate([np.concatenate([x, zero, -u * x], 1), np.concatenate([zero, x, -v * x], 1)])
    _, sizes, right = np.linalg.svd(rows.T @ rows)
    if not sizes[-2] > 1e-9 * sizes[0]:
        raise ValueError("the points lie in one plane or on one line")
    to_unit = np.eye(4)
    to_unit[:3] = np.column_stack([np.eye(3) / scale, -mean / scale])
    to_pixels = np.array([[spread, 0, middle[0]], [0, spread, middle[1]], [0, 0, 1]])
    P = to_pixels @ right[-1].reshape(3, 4) @ to_unit
    K, R = rq(P[:, :3])
    signs = np.diag(np.sign(np.diag(K)))
    K, R = K @ signs, signs @ R
    # P is known up to its sign: the one that makes R a rotation.
    sign = np.sign(np.linalg.det(R))
    R = sign * R
    t = sign * np.linalg.solve(K, P[:, 3])
    K = K / K[2, 2]
    return np.concatenate([K[(0, 1), (0, 1)], K[:2, 2], Rotation.from_matrix(R).as_rotvec(), t])


def _refine(
    start: np.ndarray, points: np.ndarray, pixels: np.ndarray, image_size: tuple[int, int], name: str, own_space: bool
) -> Camera:
    from scipy.optimize import least_squares
    from scipy.spatial.transform import Rotation

    def camera(values: np.ndarray) -> Camera:
        fx, fy, cx, cy, k1, k2, p1, p2 = values[:8]
        R, t = (None, None) if own_space else (Rotation.from_rotvec(values[8:11]).as_matrix(), values[11:14])
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        return Camera(K, np.array([k1, k2, p1, p2, 0]), R, t, image_size=image_size, name=name)  # type: ignore[arg-type]

    def residuals(values: np.ndarray) -> np.ndarray:
        error: np.ndarray = (camera(values).project(points) - pixels).ravel()
        return error

    found = least_squares(residuals, np.concatenate([start[:4], np.zeros(4), start[4:]]), method="lm", x_scale="jac")
    return camera(found.x)

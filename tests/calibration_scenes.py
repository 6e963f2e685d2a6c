"""Synthetic calibrations with known truth: cameras around a volume, and a chessboard that is carried about in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lift3d.calibration.boards import Board
from lift3d.calibration.observations import Observations
from lift3d.calibration.parameters import rotations
from lift3d.calibration.structure import BoardPoses
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig

# Where the cameras look, metres; the floor is at Z = 0.
MIDDLE = np.array([0.0, 0.0, 1.1])
# A board seen at a flatter angle than this has no corners that a detector finds.
FLATTEST = np.radians(70)


@dataclass(frozen=True, eq=False)
class Scene:
    """What is true, and what the cameras saw of it.

    Attributes:
        rig: the true cameras, ``cam1 cam2 ...``, Z up.
        board_poses: the true board at each moment.
        corners: (columns, rows) corners of the board.
        square: side of a square, metres.
        xy: (C, F, P, 2) seen corners, pixels; NaN where the camera does not see them.
        outliers: (C, F, P) which of the seen corners were put in a wrong place.
    """

    rig: Rig
    board_poses: BoardPoses
    corners: tuple[int, int]
    square: float
    xy: np.ndarray
    outliers: np.ndarray


def synthetic_scene(
    seed: int,
    cameras: int = 4,
    moments: int = 30,
    noise: float = 0.3,
    outliers: float = 0.02,
    *,
    spread: float = 50.0,
    tilt: float = 45.0,
    radius: float = 3.0,
    nearest: float = 1.0,
    corners: tuple[int, int] = (9, 6),
    square: float = 0.08,
    image_size: tuple[int, int] = (1920, 1080),
    reach: float = 1.0,
    lags: Sequence[float] = (),
) -> Scene:
    """A rig of cameras on an arc around a volume, each with lens distortion and a principal point of its own.

    At every other moment the board faces one camera somewhere in its image, near or far; at the others it is in the
    middle of the volume and faces between two neighbours.

    Args:
        seed: of everything random.
        cameras, moments: how many.
        noise: standard deviation of a coordinate, pixels.
        outliers: share of the corners that are off by tens of pixels.
        spread: degrees between neighbouring cameras, made smaller where the circle would be exceeded.
        tilt: most that the board is turned away from what it faces, degrees.
        radius: distance of the cameras from the middle, metres.
        nearest: shortest distance of the board from the camera that it faces, metres.
        corners, square: the chessboard, by its corners.
        image_size: (width, height) of every camera.
        reach: share of the image, from its middle, that the board visits; 1 is all of it.
        lags: for each camera, by how many seconds it filmed too late, of a board that moves 0.5 m/s and 0.5 rad/s.
    """
    random = np.random.default_rng(seed)
    rig = Rig(tuple(_camera(random, index, cameras, spread, radius, image_size) for index in range(cameras)))
    grid = np.stack(np.meshgrid(np.arange(corners[0]), np.arange(corners[1])), axis=-1).reshape(-1, 2) * square
    points = np.column_stack([grid, np.zeros(len(grid))])
    middle = grid.mean(axis=0)
    places = [_board(random, rig, moment, tilt, nearest, radius, reach, middle) for moment in range(moments)]
    R, t = zip(*places, strict=True)
    board_poses = BoardPoses(points, np.stack(R), np.stack(t))

    velocity = random.normal(size=(moments, 6)) * 0.5 / np.sqrt(3)
    seen = []
    for camera, lag in zip(rig, [*lags, *[0.0] * (cameras - len(lags))], strict=True):
        then = board_poses.moved(velocity * lag)
        seen.append(np.where(_visible(camera, then)[..., None], camera.project(then.world()), np.nan))
    xy = np.stack(seen)
    wrong = (random.random(xy.shape[:3]) < outliers) & np.isfinite(xy).all(axis=-1)
    xy = xy + random.normal(size=xy.shape) * noise
    xy[wrong] += random.normal(size=(int(wrong.sum()), 2)) * 30
    return Scene(rig, board_poses, corners, square, xy, wrong)


def _camera(
    random: np.random.Generator, index: int, cameras: int, spread: float, radius: float, image_size: tuple[int, int]
) -> Camera:
    width, height = image_size
    angle = np.radians(min(spread, 360 / cameras) * (index + random.uniform(-0.1, 0.1)))
    away = radius * random.uniform(0.9, 1.1)
    centre = MIDDLE + np.array([away * np.cos(angle), away * np.sin(angle), random.uniform(-0.2, 1.0)])
    forward = MIDDLE + random.normal(size=3) * 0.1 - centre
    R = rotations(np.array([0, 0, random.uniform(-0.1, 0.1)])) @ _looking(forward)
    focal = random.uniform(0.55, 0.8) * width
    K = np.array(
        [
            [focal, 0, width / 2 + random.uniform(-0.03, 0.03) * width],
            [0, focal * random.uniform(0.995, 1.005), height / 2 + random.uniform(-0.03, 0.03) * width],
            [0, 0, 1],
        ]
    )
    # 9 k1^2 < 20 k2: the image grows outwards everywhere.
    distortion = [random.uniform(-0.15, 0.05), random.uniform(0.02, 0.06), *random.uniform(-1e-3, 1e-3, 2), 0.0]
    return Camera(K, distortion, R, -R @ centre, image_size, f"cam{index + 1}")


def _board(
    random: np.random.Generator,
    rig: Rig,
    moment: int,
    tilt: float,
    nearest: float,
    radius: float,
    reach: float,
    middle: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The board's R and t: faces one camera of the rig, or stands in the volume between two neighbours."""
    cameras = rig.cameras
    first = cameras[moment // 2 % len(cameras)]
    if moment % 2 == 0:
        pixel = (0.5 + reach * random.uniform(-0.5, 0.5, 2)) * first.image_size
        ray = np.array([*(pixel - first.K[:2, 2]) / np.diag(first.K)[:2], 1.0])
        place = (ray * random.uniform(nearest, max(radius, nearest)) - first.t) @ first.R
        forward = first.R[2]
    else:
        place = MIDDLE + random.uniform(-0.5, 0.5, 3)
        second = cameras[(moment // 2 + 1) % len(cameras)]
        towards = [place - camera.centre for camera in (first, second)]
        forward = sum(way / np.linalg.norm(way) for way in towards)
    axis = random.normal(size=2)
    turn = np.array([*axis / np.linalg.norm(axis), 0.0]) * np.radians(random.uniform(0, tilt))
    roll = np.array([0, 0, random.uniform(-np.pi, np.pi)])
    R = _looking(forward).T @ rotations(turn) @ rotations(roll)
    return R, place - R @ [*middle, 0.0]


def _looking(forward: np.ndarray) -> np.ndarray:
    """The rotation to a camera that looks along ``forward`` with the world's Z up."""
    z = forward / np.linalg.norm(forward)
    x = np.cross(z, [0, 0, 1])
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def _visible(camera: Camera, board_poses: BoardPoses) -> np.ndarray:
    """(F, P) corners within the image, of boards that turn their printed side (towards -z) to the camera."""
    pixels = camera.project(board_poses.world())
    assert camera.image_size is not None
    with np.errstate(invalid="ignore"):
        inside = ((pixels > 0) & (pixels < np.array(camera.image_size) - 1)).all(axis=-1)
    way = board_poses.world().mean(axis=1) - camera.centre
    cosine = np.einsum("fi,fi->f", board_poses.R[:, :, 2], way) / np.linalg.norm(way, axis=-1)
    # Far outside the image a distorted projection can fold back into it.
    ahead = way @ camera.R[2] > 0.5 * np.linalg.norm(way, axis=-1)
    return inside & ((cosine > np.cos(FLATTEST)) & ahead)[:, None]


def observations(scene: Scene) -> Observations:
    """What the scene's cameras saw, as a reader of images gives it."""
    moments = scene.xy.shape[1]
    columns, rows = scene.corners
    return Observations(
        board=Board("chessboard", (columns + 1, rows + 1), scene.square),
        cameras=scene.rig.names,
        image_sizes=tuple(camera.image_size or (0, 0) for camera in scene.rig),
        xy=scene.xy,
        frames=tuple(range(moments)),
        images=(moments,) * len(scene.rig),
    )

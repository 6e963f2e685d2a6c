"""Boards as a known camera sees them: the printed sheet, looked up point by point."""

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from lift3d.calibration.boards import Board
from lift3d.calibration.printing import write_board_sheet
from lift3d.geometry.cameras import Camera

CAMERA = Camera(np.array([[900.0, 0, 322], [0, 905, 238], [0, 0, 1]]), image_size=(640, 480))
DPI = 200
GROUND = 120
FINE = 3  # each pixel is the mean of FINE x FINE points
BLUR = 0.6  # of the lens, pixels


@dataclass
class View:
    """An image of a board, (corners, 2) true pixels, and which corners lie well inside."""

    image: np.ndarray
    xy: np.ndarray
    inside: np.ndarray


@cache
def sheet(board: Board) -> tuple[np.ndarray, np.ndarray]:
    """The printed board as a grey image, and where the origin of its points lies in it, in pixels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "board.png"
        origin = write_board_sheet(board, path, paper="A3", dpi=DPI)
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    # Paper is not quite white and ink not quite black. Steep edges would alias where they are looked up.
    paper = cv2.GaussianBlur((10 + image * (235 / 255)).astype(np.float32), (0, 0), 1.5)
    return paper, np.array(origin) * DPI / 25.4 - 0.5


def pose(board: Board, distance: float, turn: tuple[float, float, float] = (0, 0, 0), shift=(0.0, 0.0)):
    """R, t that put the board's middle before the camera, turned by a rotation vector in degrees."""
    R = cv2.Rodrigues(np.radians(np.array(turn, dtype=np.float64)))[0]
    return R, np.array([*shift, distance]) - R @ (np.ptp(board.points, axis=0) / 2 + board.points.min(axis=0))


@cache
def rays(camera: Camera) -> np.ndarray:
    """(height * FINE, width * FINE, 3) float32: where the points of each pixel look, at depth 1."""
    width, height = camera.image_size
    steps = (np.arange(width * FINE) + 0.5) / FINE - 0.5, (np.arange(height * FINE) + 0.5) / FINE - 0.5
    plane = camera.unproject(np.stack(np.meshgrid(*steps), axis=-1))
    return np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1).astype(np.float32)


def view(board: Board, R: np.ndarray, t: np.ndarray, camera: Camera = CAMERA) -> View:
    """The image of a board at R, t, on a grey ground, and the truth."""
    width, height = camera.image_size
    # The ray from the camera's centre meets the board's plane z = 0: a homography of the plane at depth 1.
    paper, origin = sheet(board)
    to_paper = np.array([[1000 * DPI / 25.4, 0, origin[0]], [0, 1000 * DPI / 25.4, origin[1]], [0, 0, 1]])
    H = (to_paper @ np.linalg.inv(np.column_stack([R[:, :2], t]))).astype(np.float32)
    at = cv2.transform(rays(camera), H)
    at = at[..., :2] / at[..., 2:]
    fine = cv2.remap(paper, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=GROUND)
    image = cv2.GaussianBlur(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), (0, 0), BLUR)
    image = np.rint(image).astype(np.uint8)
    xy = Camera(camera.K, camera.distortion, R, t, camera.image_size).project(board.points)
    inside = ((xy > 12) & (xy < np.array([width, height]) - 13)).all(axis=1)
    return View(image, xy, inside)

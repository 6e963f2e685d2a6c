"""aniposelib as the independent witness: its cameras project, its boards number and its files hold the same."""

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from calibration_scenes import synthetic_scene

from lift3d.calibration.aniposelib_bridge import (
    board_from_aniposelib,
    board_to_aniposelib,
    from_aniposelib,
    observations_from_rows,
    rows_from_observations,
    to_aniposelib,
)
from lift3d.calibration.boards import Board, BoardError
from lift3d.calibration.observations import Observations
from lift3d.errors import CameraError, MissingDependencyError, ShapeError
from lift3d.geometry.rigs import Rig
from lift3d.io.rigs import read_rig

numba = pytest.importorskip("numba")
# aniposelib compiles its functions when they are first called, which takes longer than all that is tested here.
with pytest.MonkeyPatch.context() as patched:
    patched.setattr(numba.config, "DISABLE_JIT", True)
    cameras = pytest.importorskip("aniposelib.cameras")

CHESSBOARD = Board("chessboard", (10, 7), 0.08)
CHARUCO = Board("charuco", (7, 5), 0.04, 0.03, "DICT_5X5_100")


@pytest.fixture(scope="module")
def rig() -> Rig:
    """Pinhole cameras with 5 and 8 coefficients, and a fisheye."""
    first, second, third = synthetic_scene(2, cameras=3, moments=1).rig
    eight = replace(second, distortion=[-0.1, 0.05, 1e-3, -1e-3, 0.01, 0.02, -0.01, 0.003])
    return Rig((first, eight, replace(third, distortion=[0.02, -0.01, 0.003, 0.0], fisheye=True)), {"note": "studio"})


def observed(board: Board, seed: int, moments: int, square: float) -> tuple[Rig, Observations]:
    """Three true cameras, and what they saw of a board of that pattern."""
    made = synthetic_scene(
        seed, cameras=3, moments=moments, noise=0.2, outliers=0.0, corners=board.corners, square=square, spread=30
    )
    board = replace(board, square_length=square, marker_length=None if board.marker_length is None else 0.7 * square)
    sizes = tuple(camera.image_size or (0, 0) for camera in made.rig)
    labels = tuple(f"moment {index}" for index in range(moments))
    return made.rig, Observations(board, made.rig.names, sizes, made.xy, labels, (moments,) * 3)


POINTS = np.random.default_rng(0).uniform([-0.5, -0.5, 0.5], [0.5, 0.5, 1.5], (30, 3))


def projected(rig: Rig) -> np.ndarray:
    return np.stack([camera.project(POINTS) for camera in rig])


def test_camera_groups_project_the_same(rig: Rig) -> None:
    group = to_aniposelib(rig)
    np.testing.assert_allclose(group.project(POINTS), projected(rig), atol=1e-7)
    assert group.get_names() == list(rig.names)
    back = from_aniposelib(group)
    for before, after in zip(rig, back, strict=True):
        for name in ("K", "distortion", "R", "t"):
            np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=1e-12)
        assert (after.name, after.image_size, after.fisheye) == (before.name, before.image_size, before.fisheye)
    assert back.metadata == rig.metadata


def test_files_of_aniposelib_are_read_and_written(rig: Rig, tmp_path: Path) -> None:
    to_aniposelib(rig).dump(tmp_path / "theirs.toml")
    np.testing.assert_allclose(projected(read_rig(tmp_path / "theirs.toml")), projected(rig), atol=1e-7)
    rig.save(tmp_path / "ours.toml")
    group = cameras.CameraGroup.load(tmp_path / "ours.toml")
    np.testing.assert_allclose(group.project(POINTS), projected(rig), atol=1e-7)
    assert group.metadata["note"] == "studio"


def test_groups_with_less_or_more_than_lift3d_has() -> None:
    K = [[900, 0, 640], [0, 900, 360], [0, 0, 1]]
    group = cameras.CameraGroup([cameras.Camera(K, [-0.1, 0.02]), cameras.Camera(K, name="b", size=(1280, 720))])
    rig = from_aniposelib(group)
    assert rig.names == ("b", "cam_0")
    np.testing.assert_array_equal(rig["cam_0"].distortion, [-0.1, 0.02, 0, 0, 0])
    assert rig["cam_0"].image_size is None
    assert rig["b"].image_size == (1280, 720)
    with pytest.raises(CameraError, match="distortion must be"):
        from_aniposelib(cameras.CameraGroup([cameras.Camera(K, np.zeros(14))]))


@pytest.mark.parametrize("board", [CHESSBOARD, CHARUCO, replace(CHARUCO, dictionary="DICT_4X4_1000")])
def test_boards_number_their_corners_alike(board: Board) -> None:
    theirs = board_to_aniposelib(board)
    shift = board.points[0] - theirs.get_object_points()[0]
    np.testing.assert_allclose(theirs.get_object_points() + shift, board.points, atol=1e-12)
    assert board_from_aniposelib(theirs) == board


def test_boards_that_aniposelib_does_not_have() -> None:
    with pytest.raises(BoardError, match="no boards of type 'aprilgrid'"):
        board_to_aniposelib(Board("aprilgrid", (6, 6), 0.1, 0.08))
    with pytest.raises(BoardError, match="no dictionary DICT_APRILTAG_36h11"):
        board_to_aniposelib(replace(CHARUCO, dictionary="DICT_APRILTAG_36h11"))


@pytest.mark.parametrize("board", [CHESSBOARD, CHARUCO])
def test_rows_there_and_back(board: Board) -> None:
    _, observations = observed(board, 0, 16, 0.08)
    board = observations.board
    rows = rows_from_observations(observations)
    sizes = dict(zip(observations.cameras, observations.image_sizes, strict=True))
    back = observations_from_rows(rows, board, sizes)
    # Moments that nobody saw are not in rows.
    seen = observations.select(observations.seen.any(axis=(0, 2)))
    np.testing.assert_array_equal(back.xy, seen.xy)
    assert back.cameras == observations.cameras
    for camera, xy in zip(rows, observations.xy, strict=True):
        for row in board_to_aniposelib(board).fill_points_rows([dict(row) for row in camera]):
            np.testing.assert_array_equal(row["filled"][:, 0], xy[row["framenum"]])


def test_rows_that_aniposelib_detects() -> None:
    # An image that its ChArUco detector reads, with the frame numbers of its videos.
    theirs = board_to_aniposelib(CHARUCO)
    image = cv2.copyMakeBorder(theirs.draw((700, 500)), 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255)
    corners, ids = theirs.detect_image(image)
    rows = [
        [
            {"framenum": (1, 40), "corners": corners, "ids": ids},
            {"framenum": (0, 7), "corners": corners[:4], "ids": ids[:4]},
        ],
        [],
    ]
    found = observations_from_rows(rows, CHARUCO, {"left": (780, 580), "right": (780, 580)})
    assert found.frames == ("0:7", "1:40")
    assert found.seen.sum(axis=2).tolist() == [[4, 24], [0, 0]]
    # The board is drawn 100 pixels a square.
    np.testing.assert_allclose(found.xy[0, 1], CHARUCO.points[:, :2] / 0.04 * 100 + 40 - 0.5, atol=0.6)


def test_rows_that_do_not_fit() -> None:
    row = {"framenum": 3, "corners": np.zeros((2, 1, 2)), "ids": np.array([[0], [54]])}
    sizes = {"a": (640, 480)}
    with pytest.raises(ShapeError, match="rows are of 2 cameras, names of 1"):
        observations_from_rows([[], []], CHESSBOARD, sizes)
    with pytest.raises(ShapeError, match="row 0 of camera 'a' has corner 54; the board has 54"):
        observations_from_rows([[row]], CHESSBOARD, sizes)
    with pytest.raises(ShapeError, match="2 corners and 54 numbers"):
        observations_from_rows([[row | {"ids": None}]], CHESSBOARD, sizes)
    with pytest.raises(ShapeError, match="no framenum"):
        observations_from_rows([[{"corners": row["corners"]}]], CHESSBOARD, sizes)


def test_without_aniposelib(monkeypatch: pytest.MonkeyPatch, rig: Rig) -> None:
    monkeypatch.setitem(sys.modules, "aniposelib.cameras", None)
    with pytest.raises(MissingDependencyError, match=r"lift3d\[calibration\]"):
        to_aniposelib(rig)


def test_aniposelib_calibrates_on_our_corners() -> None:
    truth, observations = observed(replace(CHARUCO, squares=(5, 4)), 1, 20, 0.2)
    group = cameras.CameraGroup(
        [
            cameras.Camera(name=name, size=size)
            for name, size in zip(observations.cameras, observations.image_sizes, strict=True)
        ]
    )
    few = {"n_iters": 2, "n_samp_iter": 60, "n_samp_full": 120}
    rows, board = rows_from_observations(observations), board_to_aniposelib(observations.board)
    np.random.seed(0)  # noqa: NPY002  (aniposelib draws from the global generator)
    group.calibrate_rows(rows, board, verbose=False, **few)
    found = from_aniposelib(group)
    for camera in range(1, 3):
        turns = [rig.cameras[camera].R @ rig.cameras[0].R.T for rig in (found, truth)]
        # aniposelib holds the principal point in the middle of the image, from which these are up to 2.6 degrees away.
        assert np.degrees(np.arccos(np.clip((np.trace(turns[0] @ turns[1].T) - 1) / 2, -1, 1))) < 4
        lengths = [np.linalg.norm(rig.cameras[camera].centre - rig.cameras[0].centre) for rig in (found, truth)]
        assert lengths[0] == pytest.approx(lengths[1], rel=0.1)

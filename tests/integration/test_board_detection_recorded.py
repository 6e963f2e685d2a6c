"""Boards that people filmed: how many are found, and how well cameras fit the corners."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from lift3d.calibration.board_files import read_board
from lift3d.calibration.boards import Board
from lift3d.calibration.calibrating import calibrate
from lift3d.calibration.footage import find_sources
from lift3d.calibration.observations import Observations
from lift3d.calibration.observing import observe
from lift3d.io.rigs import read_rig


def fit(observations: Observations, camera: int) -> tuple[float, np.ndarray]:
    """OpenCV's reprojection error and K of one camera from its corners."""
    seen = observations.seen[camera]
    moments = np.flatnonzero(seen.sum(axis=1) >= 6)
    points = [observations.board.points[seen[moment]].astype(np.float32) for moment in moments]
    pixels = [observations.xy[camera, moment][seen[moment]].astype(np.float32) for moment in moments]
    error, K, *_ = cv2.calibrateCamera(points, pixels, observations.image_sizes[camera], None, None)
    return error, K


def counts(observations: Observations) -> list[int]:
    """In how many moments each camera saw the board."""
    return [int(count) for count in observations.seen.any(axis=2).sum(axis=1)]


def test_opencvs_stereo_pairs(shared_data: Path) -> None:
    """All 13 pairs are found, and closer than by those who published a reprojection error of 0.3926 pixels."""
    folder = shared_data / "calibration" / "opencv_stereo"
    sources = {side: f"{folder}/{side}[0-9]*.jpg" for side in ("left", "right")}
    found = observe(sources, Board("chessboard", (10, 7), 0.025))
    assert counts(found) == [13, 13]
    assert found.frames == tuple(str(n) for n in range(1, 15) if n != 10)
    for camera in (0, 1):
        error, K = fit(found, camera)
        assert error < 0.2
        assert K[0, 0] == pytest.approx(535.9, rel=0.01)
    # Both cameras see the same corner at the same place of the board, or no plane would fit both.
    for left, right in found.xy.transpose(1, 0, 2, 3):
        _, inside = cv2.findHomography(left, right, cv2.RANSAC, 8)
        assert inside.mean() > 0.95


def test_pose2sims_intrinsics(shared_data: Path) -> None:
    """In 26 of the 28 images the board is seen whole: in one it leaves the picture, in one it is not there."""
    sources = find_sources(shared_data / "multiview" / "pose2sim_demo" / "calibration" / "intrinsics")
    assert list(sources) == ["cam01", "cam02", "cam03", "cam04"]
    found = observe(sources, Board("chessboard", (8, 5), 0.06), simultaneous=False)
    assert counts(found) == [7, 6, 7, 6]
    assert found.images == (7, 7, 7, 7)
    for camera in range(4):
        error, K = fit(found, camera)
        assert error < 0.25
        assert K[0, 0] == pytest.approx(1674, rel=0.005)


def test_a_chessboard_in_seven_of_eight_images(shared_data: Path) -> None:
    folder = shared_data / "calibration" / "chessboard_intrinsic"
    found = observe({"cam": folder}, Board("chessboard", (10, 7), 0.025), simultaneous=False)
    assert counts(found) == [7]
    assert "cam/cam_0_frame_000.jpg" not in found.frames


@pytest.fixture(scope="module")
def webcams(shared_data: Path) -> Observations:
    folder = shared_data / "calibration" / "charuco_4cam"
    board = read_board(folder / "charuco.toml")
    return observe(find_sources(folder / "calibration" / "extrinsic"), board, max_moments=40)


def test_four_webcams(webcams: Observations) -> None:
    assert webcams.cameras == ("cam_0", "cam_1", "cam_2", "cam_3")
    assert webcams.images == (111, 111, 111, 111)
    assert len(webcams.frames) == 40
    assert min(counts(webcams)) >= 25
    assert {int(frame) for frame in webcams.frames} <= set(range(26, 137))
    errors = [fit(webcams, camera)[0] for camera in range(4)]
    assert max(errors) < 0.4


def test_the_webcams_saw_the_same_moments(shared_data: Path, webcams: Observations) -> None:
    """Two cameras that are synchronised see the board move together: the second's pose follows from the first's."""
    poses = [board_poses(webcams, camera) for camera in (0, 2)]
    relative = [
        (R2 @ R1.T, t2 - R2 @ R1.T @ t1)
        for first, second in zip(*poses, strict=True)
        if first is not None and second is not None
        for (R1, t1), (R2, t2) in [(first, second)]
    ]
    assert len(relative) > 15
    shifts = np.array([t for _, t in relative])
    assert np.median(np.linalg.norm(shifts - np.median(shifts, axis=0), axis=1)) < 0.03


def board_poses(observations: Observations, camera: int) -> Sequence[tuple[np.ndarray, np.ndarray] | None]:
    """R, t of the board in the camera at each moment at which it saw all corners."""
    _, K = fit(observations, camera)
    poses: list[tuple[np.ndarray, np.ndarray] | None] = []
    for xy, seen in zip(observations.xy[camera], observations.seen[camera], strict=True):
        if seen.all():
            _, turn, t = cv2.solvePnP(observations.board.points, xy, K, None)
            poses.append((cv2.Rodrigues(turn)[0], t[:, 0]))
        else:
            poses.append(None)
    return poses


def test_the_webcams_are_calibrated(shared_data: Path, webcams: Observations, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own solution, with intrinsics from other recordings, has the same focal lengths and no smaller error."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "experiments" / "calibration")
    error_of = __import__("recorded").error_of
    board = webcams.board
    rig, report = calibrate(webcams, board)
    published = read_rig(shared_data / "calibration" / "charuco_4cam" / "camera_array.toml")
    solution = report.solution
    assert rig.names == published.names
    assert not solution.metadata["cameras_agree"]  # webcams that are not triggered
    for camera in rig:
        errors = solution.standard_errors(camera.name)
        assert abs(camera.K[0, 0] - published[camera.name].K[0, 0]) < 3 * errors["fx"]

    # Their intrinsics come from recordings of which these know less; with the same intrinsics, ours fit better.
    assert error_of(rig, report) < 1.05 * error_of(published, report)
    held, held_report = calibrate(solution.observations, board, intrinsics=published, hold_intrinsics=True)
    assert error_of(held, held_report) < error_of(published, held_report)

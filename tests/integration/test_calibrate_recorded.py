"""``lift3d calibrate`` on recorded boards, beside what others published of the same recordings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import lift3d

from lift3d.calibration.board_files import write_board
from lift3d.calibration.boards import Board
from lift3d.io.rigs import read_rig


@pytest.fixture
def stereo_board(tmp_path: Path) -> Path:
    write_board(Board("chessboard", (10, 7), 0.025), tmp_path / "board.toml")
    return tmp_path / "board.toml"


def test_the_stereo_pairs_of_opencv(shared_data: Path, stereo_board: Path, tmp_path: Path) -> None:
    """Published: f 535.92 at 0.3926 px for the left camera, baseline 3.343 squares."""
    folder = shared_data / "calibration" / "opencv_stereo"
    sources = [f"{side}={folder}/{side}[0-9]*.jpg" for side in ("left", "right")]
    corners = tmp_path / "corners.h5"
    command = ("calibrate", *sources, "--board", stereo_board, "-o", tmp_path / "rig.toml", "--corners", corners)
    result = lift3d(*command, "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["verdict"] == "good"
    assert summary["rmse_pixels"] < 0.3926
    assert summary["images_used"] == {"left": 13, "right": 13}
    assert summary["images_dropped"] == {"left": 0, "right": 0}
    left, right = rig = read_rig(tmp_path / "rig.toml")
    assert left.K[0, 0] == pytest.approx(535.92, rel=0.01)
    assert np.linalg.norm(left.centre - right.centre) / 0.025 == pytest.approx(3.343, rel=0.01)
    assert rig.metadata["verdict"] == "good"
    page = (tmp_path / "rig.html").read_text()
    assert "Good: this calibration can be trusted." in page

    # The corners are kept: the images are not needed again.
    again = lift3d(
        "calibrate", "left=gone", "right=gone", *command[3:], "--overwrite", "--report", tmp_path / "page.png"
    )
    assert again.exit_code == 0, again.stderr
    assert cv2.imread(str(tmp_path / "page.png")).shape[0] > 500
    np.testing.assert_allclose(read_rig(tmp_path / "rig.toml")["left"].K, left.K, atol=1e-6)
    refused = lift3d(*command)
    assert refused.exit_code == 2
    assert "exists already" in refused.stderr


def test_intrinsics_filmed_one_by_one_and_scene_points(shared_data: Path, tmp_path: Path) -> None:
    """The focal lengths are those of the Qualisys calibration of the same cameras."""
    folder = shared_data / "multiview" / "pose2sim_demo" / "calibration"
    write_board(Board("chessboard", (5, 8), 0.06), tmp_path / "board.toml")
    points = Path(__file__).parents[2] / "experiments" / "calibration" / "pose2sim_scene_points.csv"
    result = lift3d(
        "calibrate", "--intrinsics", folder / "intrinsics", "--points", points, "--board", tmp_path / "board.toml",
        "-o", tmp_path / "rig.toml", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert sum(json.loads(result.stdout)["images_used"].values()) >= 26
    rig, qualisys = read_rig(tmp_path / "rig.toml"), read_rig(folder / "Calib.qca.txt")
    for found, true in zip(rig, qualisys, strict=True):
        assert found.K[0, 0] == pytest.approx(true.K[0, 0], rel=0.01)
        assert np.linalg.norm(found.centre - true.centre) < 0.15
        assert np.degrees(np.arccos((np.trace(found.R @ true.R.T) - 1) / 2)) < 3


def test_a_rig_is_refined_from_people(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "multiview" / "pose2sim_demo"
    poses = sorted((folder / "single_balancing" / "pose").iterdir())
    result = lift3d(
        "calibrate", *poses, "--rig", folder / "calibration" / "Calib.qca.txt", "--fps", 60, "--height", 1.72,
        "-o", tmp_path / "rig.toml", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    for camera in json.loads(result.stdout)["cameras"]:
        assert camera["error_after_pixels"] < camera["error_before_pixels"]
    assert len(read_rig(tmp_path / "rig.toml")) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--board": "10x7"}, "show a chessboard of 9x6 inner corners"),
        ({"sources": ["left0[1-3].jpg", "right0[5-7].jpg"]}, "same numbers in their names"),
        ({"sources": ["left01.jpg", "right01.jpg"]}, "1 of its 1 images .* at least 2 are needed"),
        ({"sources": ["left01.jpg", "left01.jpg"]}, "left01.jpg"),
        ({"--board": None}, "--board"),
        ({"--report": "report.pdf"}, "the ending must be one of .html, .png"),
        ({"--lens": "wide"}, "the lens must be one of"),
    ],
)
def test_bad_input_is_said(shared_data: Path, tmp_path: Path, change: dict, message: str) -> None:
    folder = shared_data / "calibration" / "opencv_stereo"
    images = change.pop("sources", ["left0[1-3].jpg", "right0[1-3].jpg"])
    counts = change.pop("--board", "9x6")
    arguments = ["-o", tmp_path / "rig.toml"]
    if counts is not None:
        columns, rows = map(int, counts.split("x"))
        write_board(Board("chessboard", (columns + 1, rows + 1), 0.025), tmp_path / "board.toml")
        arguments += ["--board", tmp_path / "board.toml"]
    for option, value in change.items():
        arguments += [option, tmp_path / value if option == "--report" else value]
    result = lift3d(
        "calibrate", *(f"{name}={folder / image}" for name, image in zip("ab", images, strict=True)), *arguments
    )
    assert result.exit_code == 2
    assert re.search(message, " ".join(result.stderr.replace("│", " ").split()))
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "rig.toml").exists()

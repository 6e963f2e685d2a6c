"""Recordings that several tests look at, worked on once."""

from pathlib import Path

import pytest

from lift3d.calibration.board_files import read_board
from lift3d.calibration.footage import find_sources
from lift3d.calibration.observations import Observations
from lift3d.calibration.observing import observe


@pytest.fixture(scope="session")
def webcams(shared_data: Path) -> Observations:
    """Four webcams that filmed a ChArUco board; tests with it are in one ``xdist_group``, so that one process looks."""
    folder = shared_data / "calibration" / "charuco_4cam"
    board = read_board(folder / "charuco.toml")
    return observe(find_sources(folder / "calibration" / "extrinsic"), board, max_moments=40)

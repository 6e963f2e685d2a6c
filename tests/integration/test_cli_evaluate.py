"""``lift3d evaluate`` on poses of which the answer is known."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import lift3d

from lift3d.poses import Poses3D

pytest.importorskip("lift3d.evaluation.compare")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A prediction that stands 1 m beside the truth, the same otherwise."""
    truth = np.random.default_rng(0).normal(size=(30, 1, 17, 3))
    for name, xyz in (("truth", truth), ("prediction", truth + np.array([1, 0, 0]))):
        Poses3D(xyz, skeleton="h36m17", fps=50, space="camera").save(tmp_path / f"{name}.h5")
    return tmp_path / "prediction.h5", tmp_path / "truth.h5"


def test_the_report_on_stdout_and_in_files(files: tuple[Path, Path], tmp_path: Path) -> None:
    result = lift3d("evaluate", *files, "--json", "-o", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary == json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    text = lift3d("evaluate", *files, "-o", tmp_path / "report.md").stdout
    assert "MPJPE" in text
    assert (tmp_path / "report.md").read_text(encoding="utf-8").strip() == text.strip()


def test_outputs_that_cannot_be(files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text("mine")
    assert lift3d("evaluate", *files, "-o", tmp_path / "report.docx").exit_code == 2
    assert lift3d("evaluate", *files, "-o", tmp_path / "kept.json").exit_code == 2
    assert (tmp_path / "kept.json").read_text() == "mine"


def test_a_prediction_that_is_no_poses(files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "noise.h5").write_bytes(b"noise")
    result = lift3d("evaluate", tmp_path / "noise.h5", files[1])
    assert result.exit_code == 2
    assert "noise.h5" in result.stderr

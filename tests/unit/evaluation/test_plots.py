"""The pictures of a report show its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flat_people import FlatLifter, recording, write_set

from lift3d.evaluation.coverage import NOMINAL
from lift3d.evaluation.data_set_report import DataSetReport
from lift3d.evaluation.plots import draw_actions, draw_coverage, draw_joints, report_pictures
from lift3d.evaluation.protocol import evaluate_checkpoint


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSetReport:
    path = write_set(tmp_path / "set.h5", [recording("S1/Walk", 30, 1), recording("S1/$it$", 30, 2, size=0.5)])
    monkeypatch.setattr("lift3d.evaluation.clip_lifting.load_checkpoint", FlatLifter(scale=1.1, sigma=0.02))
    return evaluate_checkpoint("flat", path).report


def test_bars_are_the_errors_the_largest_first(report: DataSetReport) -> None:
    for figure, values in (
        (draw_actions(report), {name: result.figures.mpjpe for name, result in report.actions.items()}),
        (draw_joints(report), {name: errors[0] for name, errors in report.per_joint.items()}),
    ):
        (axes,) = figure.axes
        shown = {
            label.get_text(): bar.get_width() for label, bar in zip(axes.get_yticklabels(), axes.patches, strict=False)
        }
        assert shown == pytest.approx(values)
        assert list(shown.values()) == sorted(values.values())
        assert axes.get_xlim()[1] > max(values.values())
    assert f"{report.mean_of_actions.mpjpe:.1f} mm" in draw_actions(report).texts[1].get_text()


def test_coverage_curves_and_joints(report: DataSetReport) -> None:
    assert report.coverage is not None
    curves, joints = draw_coverage(report.coverage).axes
    lines = {line.get_label(): line for line in curves.get_lines()}
    np.testing.assert_allclose(lines["all"].get_xdata(), NOMINAL)
    np.testing.assert_allclose(lines["all"].get_ydata(), report.coverage.pooled)
    np.testing.assert_allclose(lines["axis y"].get_ydata(), report.coverage.axes["y"])
    assert "joints unseen" not in lines
    (dots,) = joints.collections
    names = [label.get_text() for label in joints.get_yticklabels()]
    assert dict(zip(names, np.asarray(dots.get_offsets())[:, 0], strict=True)) == pytest.approx(
        {name: values[1] for name, values in report.coverage.joints.items()}
    )


def test_names_of_the_pictures(report: DataSetReport, tmp_path: Path) -> None:
    names = []
    for name, figure in report_pictures(report):
        names.append(name)
        figure.savefig(tmp_path / name, dpi=30)  # a dollar sign in a name starts no formula
    assert names == ["actions.png", "joints.png", "coverage.png", "worst_1.png", "worst_2.png"]

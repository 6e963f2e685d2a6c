"""The root's error: a network that knows the root's place, and errors that are put into it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from flat_people import DISTANCE, FlatLifter, cameras, figure, recording, write_set
from torch import Tensor

from lift3d.calibration.body_lengths import stature
from lift3d.datasets.pose_sets import open_pose_set
from lift3d.errors import Lift3DError, SkeletonError
from lift3d.evaluation.data_set_report import DataSetReport
from lift3d.evaluation.protocol import evaluate_checkpoint
from lift3d.evaluation.root_trajectory import RootTrajectory
from lift3d.models.checkpoint import CheckpointInfo
from lift3d.models.network import Lifted, Lifter
from lift3d.skeletons import H36M17, PANOPTIC15, make_skeleton


def run(monkeypatch: pytest.MonkeyPatch, path: Path, lifter: FlatLifter, **options: Any) -> DataSetReport:
    monkeypatch.setattr("lift3d.evaluation.clip_lifting.load_checkpoint", lifter)
    return evaluate_checkpoint("flat", path, trajectory="root", **options).report


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write_set(tmp_path / "people.h5", [recording("S9/Walk", 60, 1), recording("S9/Sit", 20, 2, size=0.5)])


@pytest.mark.parametrize(
    ("offset", "flip", "expected"),
    [
        ((0, 0, 0), True, 0),
        ((0, 0, 0.1), True, 100),
        ((0, 0.06, 0.08), True, 100),
        # To one side, and in the mirrored clip to the other.
        ((0.1, 0, 0), True, 0),
        ((0.1, 0, 0), False, 100),
    ],
)
def test_the_error_is_the_distance_from_the_truth(
    monkeypatch: pytest.MonkeyPatch, people: Path, offset: tuple[float, float, float], flip: bool, expected: float
) -> None:
    report = run(monkeypatch, people, FlatLifter(root_offset=offset), flip=flip)
    for figures in (report.mean_of_frames, report.mean_of_actions, report.actions["Sit"].figures):
        assert figures.root == pytest.approx(expected, abs=0.02)
        assert figures.mpjpe == pytest.approx(0, abs=0.02)


def test_frames_and_actions_are_averaged_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    walk, sit = recording("S9/Walk", 60, 1), recording("S9/Sit", 20, 2)
    (camera,) = cameras(1)
    # Further away than the 2D says: 200 mm more in camera space.
    sit.xyz[:] += (np.array([0, 0, 0.2]) @ camera.R).astype(np.float32)
    walk.xyz[:10, 0] = np.nan
    report = run(monkeypatch, write_set(tmp_path / "set.h5", [walk, sit]), FlatLifter(root_offset=(0, 0, -0.1)))
    roots = {name: result.figures.root for name, result in report.actions.items()}
    assert roots == pytest.approx({"Walk": 100, "Sit": 300}, abs=0.02)
    assert report.mean_of_actions.root == pytest.approx(200, abs=0.02)
    assert report.mean_of_frames.root == pytest.approx((50 * 100 + 20 * 300) / 70, abs=0.02)


def test_a_known_stature_scales_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write_set(tmp_path / "set.h5", [recording("S9/Walk", 60, 1)])
    points = figure(60, 1)
    height = stature(H36M17, points)
    expected = 100 * np.linalg.norm(points[:, 0], axis=-1).mean()
    lifter = FlatLifter(height=height, root_height=height / 1.1)
    assert run(monkeypatch, path, lifter, scale="height").mean_of_frames.root == pytest.approx(expected, rel=1e-3)
    assert run(monkeypatch, path, lifter).mean_of_frames.root == pytest.approx(0, abs=0.02)


def test_other_rates_and_chunks(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    whole = run(monkeypatch, people, FlatLifter(root_offset=(0, 0, 0.1))).to_dict()
    # A slower network sees interleaved clips, which are blended over a frame of its time.
    slow = run(monkeypatch, people, FlatLifter(fps=25.0, root_offset=(0, 0, 0.1)))
    assert slow.mean_of_frames.root == pytest.approx(100, abs=0.5)
    monkeypatch.setattr("lift3d.evaluation.clip_lifting.CHUNK_FRAMES", 7)
    assert run(monkeypatch, people, FlatLifter(root_offset=(0, 0, 0.1))).to_dict() == whole


def test_the_report_says_whose_root_it_is(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    report = run(monkeypatch, people, FlatLifter(root_offset=(0, 0, 0.1)))
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["trajectory"] == {
        "path": "root",
        "found_beside_checkpoint": False,
        "scale": "in the network's own metres",
        "card": {"title": "tells the truth"},
    }
    assert values["mean_of_actions"]["root"] == pytest.approx(100, abs=0.02)
    text = report.describe()
    assert "root: by the network root; in camera space, in the network's own metres" in text
    header, _, *rows = text.splitlines()[2:7]
    assert "root mm" in header
    assert all("100.0" in row for row in rows)


def test_what_does_not_go_together(monkeypatch: pytest.MonkeyPatch, people: Path, tmp_path: Path) -> None:
    with pytest.raises(Lift3DError, match="--placed or --trajectory"):
        run(monkeypatch, people, FlatLifter(), placed=True)
    # The lifter reads what the set has, and the other network does not.
    poses, roots = FlatLifter(), FlatLifter(reads="lifter23")

    def load(name: object, output: str = "pose") -> Any:
        return (roots if output == "root" else poses)(name, output)

    monkeypatch.setattr("lift3d.evaluation.clip_lifting.load_checkpoint", load)
    with pytest.raises(SkeletonError, match="root reads all joints of 'lifter23'"):
        evaluate_checkpoint("flat", people, trajectory="root")


def test_a_set_without_such_a_root(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    monkeypatch.setattr("lift3d.evaluation.clip_lifting.load_checkpoint", FlatLifter())
    with open_pose_set(people) as pose_set:
        # The middle of both hips is the pelvis; one hip is not.
        for layout in (PANOPTIC15, make_skeleton("hips", {"left_hip": None, "right_hip": "left_hip"})):
            monkeypatch.setattr(pose_set, "skeleton_3d", layout)
            RootTrajectory("root", pose_set, True, "none", False)
        monkeypatch.setattr(pose_set, "skeleton_3d", make_skeleton("leg", {"left_hip": None}))
        with pytest.raises(SkeletonError, match=r"root gives the pelvis, which the set's 3D \('leg'\) has not"):
            RootTrajectory("root", pose_set, True, "none", False)


class LooksAtTheBody(Lifter):
    """Person-centred: the root lies in the middle of the view, as far away as it is."""

    config = SimpleNamespace(  # type: ignore[assignment]
        joints_in=24, features_in=3, joints_out=1, sigma=False, past=0, future=0, window=None, multiply_adds=1
    )

    def forward(self, x: Tensor) -> Lifted:
        place = torch.tensor([0.0, 0.0, DISTANCE]).expand(*x.shape[:2], 1, 3)
        return Lifted(place)


def test_a_person_centred_network_gives_its_root_in_the_axes_of_the_view(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write_set(tmp_path / "set.h5", [recording("S9/Walk", 200, 1)])
    info = CheckpointInfo("temporal_convolution", {}, "lifter23", "h36m17", "person", 50.0, 1.7, output="root")
    monkeypatch.setattr("lift3d.evaluation.clip_lifting.load_checkpoint", lambda *_: (LooksAtTheBody(), info))
    with open_pose_set(path) as pose_set:
        (clip,) = pose_set.clips()
        trajectory = RootTrajectory("root", pose_set, True, "none", False)
        place = trajectory.lifter.lift(clip).joints[:, 0]
        errors = trajectory.errors(clip)
    np.testing.assert_allclose(np.linalg.norm(place, axis=-1), DISTANCE, rtol=1e-5)
    # They walk 300 mm to either side of the camera's axis; their middle lies above the pelvis.
    root = clip.xyz[:, 0]
    assert np.abs(root[:, 0]).max() > 0.3
    assert np.abs(place - root)[:, 0].max() < 0.08
    assert (place - root)[:, 1].max() < -0.1
    np.testing.assert_allclose(errors, np.linalg.norm(place - root, axis=-1), rtol=1e-5)

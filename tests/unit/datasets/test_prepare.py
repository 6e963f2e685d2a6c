"""Preparing any data set: what is counted and said, and what is refused before a file is left behind."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import human36m_samples
import numpy as np
import pytest
from command_line import lift3d
from pose_set_samples import INFO, camera, recording, recordings, view
from typer.testing import Result

from lift3d.datasets import prepare as preparing
from lift3d.datasets.pose_sets import open_pose_set
from lift3d.datasets.prepare import DATA_SETS, DataSet, get_options, prepare
from lift3d.datasets.projection_check import DETECTION_LIMIT, TRUTH_LIMIT
from lift3d.datasets.recordings import DataSetInfo, Recording
from lift3d.errors import FileFormatError, Lift3DError, OutputExistsError, ShapeError
from lift3d.skeletons import COCO17, H36M17, conversion


class Set:
    """A data set of recordings in memory, put in the place of ``own``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.info, self.recordings, self.asked = INFO, list(recordings()), {}
        module = SimpleNamespace(read=self.read)
        monkeypatch.setattr(preparing, "import_module", lambda name: module)
        monkeypatch.setitem(DATA_SETS, "own", DataSet("own", "own", "nothing", scaled_by="scaled"))

    def read(
        self, source: Path, keypoints: str = "gt", cameras: Path | None = None, subjects: Sequence[str] = (),
        scaled: bool = False,
    ) -> tuple[DataSetInfo, Iterator[Recording]]:  # fmt: skip
        self.asked = {"source": source, "keypoints": keypoints, "cameras": cameras, "subjects": subjects}
        return self.info, iter(self.recordings)


@pytest.fixture
def data_set(monkeypatch: pytest.MonkeyPatch) -> Set:
    return Set(monkeypatch)


def moved(one: Recording, pixels: float) -> Recording:
    """All keypoints of its second camera elsewhere."""
    views = (one.views[0], replace(one.views[1], xy=one.views[1].xy + np.float32(pixels)))
    return replace(one, views=views)


def body_size(one: Recording) -> float:
    """Median diagonal of the body in the second camera's image."""
    xy = one.views[1].xy
    return float(np.median(np.linalg.norm(xy.max(1) - xy.min(1), axis=-1)))


def test_what_is_counted(data_set: Set, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = prepare("own", "anywhere", tmp_path / "set.h5", progress=lambda *at: seen.append(at))
    assert (found.recordings, found.frames, found.views) == (3, 108, 6)
    assert found.missing == pytest.approx(2 / (108 * 17))
    assert (found.subjects, found.actions) == (("S1", "S9"), ("Walking", "Eating"))
    assert {name: known.views for name, known in found.cameras.items()} == {"cam0": 3, "cam1": 3}
    assert all(known.pixels is not None and known.pixels < 1e-3 for known in found.cameras.values())
    assert [at[0] for at in seen] == [1, 2, 3]
    assert data_set.asked["source"] == Path("anywhere")
    with open_pose_set(tmp_path / "set.h5") as pose_set:
        np.testing.assert_array_equal(pose_set.read(2).views[1].xy, data_set.recordings[2].views[1].xy)


@pytest.mark.parametrize(("keypoints", "limit"), [("ground truth", TRUTH_LIMIT), ("cpn", DETECTION_LIMIT)])
def test_cameras_that_do_not_project_onto_the_2d(data_set: Set, tmp_path: Path, keypoints: str, limit: float) -> None:
    data_set.info = replace(INFO, keypoints=keypoints)
    whole = data_set.recordings[2]
    size = body_size(whole)
    data_set.recordings[2] = moved(whole, 0.9 * limit * size / np.sqrt(2))
    found = prepare("own", ".", tmp_path / "set.h5").cameras["cam1"]
    assert found.pixels is not None
    assert found.pixels < 0.01  # the median over three recordings, of which one is off
    data_set.recordings = [moved(whole, 0.9 * limit * size / np.sqrt(2))]
    data_set.info = replace(data_set.info, training=(), test=())
    found = prepare("own", ".", tmp_path / "one.h5").cameras["cam1"]
    assert found.pixels == pytest.approx(0.9 * limit * size, rel=0.01)
    assert found.of_body == pytest.approx(0.9 * limit, rel=0.05)
    data_set.recordings[0] = moved(whole, 1.1 * limit * size / np.sqrt(2))
    with pytest.raises(FileFormatError, match=r"S1/Eating 2, camera cam1: cameras do not project onto the 2D"):
        prepare("own", ".", tmp_path / "bad.h5")
    assert not (tmp_path / "bad.h5").exists()


@pytest.mark.parametrize("keypoints", ["ground truth", "cpn"])
def test_wrong_cameras_of_every_kind_are_refused(data_set: Set, tmp_path: Path, keypoints: str) -> None:
    data_set.info = replace(INFO, keypoints=keypoints, training=(), test=())
    one = recording("S1/Walking 1", 30)
    right = camera(1)
    wrong = {
        "of another side": replace(camera(0), name="cam1"),
        "in millimetres": replace(right, t=right.t * 1000),
        "turned the other way": replace(right, R=right.R.T),
        "behind": replace(right, t=-right.t),
        "of an image of half the size": replace(right, K=right.K * [[0.5, 1, 0.5], [1, 0.5, 0.5], [1, 1, 1]]),
    }
    for kind, other in wrong.items():
        data_set.recordings = [replace(one, views=(one.views[0], replace(one.views[1], camera=other)))]
        with pytest.raises(FileFormatError, match="cameras do not project onto the 2D"):
            pytest.fail(f"a camera {kind} was taken: {prepare('own', '.', tmp_path / 'set.h5', overwrite=True)}")
    detected = one.views[1].xy + np.random.default_rng(0).normal(0, 8, one.views[1].xy.shape)
    data_set.recordings = [replace(one, views=(one.views[0], replace(one.views[1], xy=detected.astype(np.float32))))]
    if keypoints == "cpn":
        assert prepare("own", ".", tmp_path / "set.h5").cameras["cam1"].pixels == pytest.approx(9.4, abs=1)


def test_layouts_are_compared_by_the_joints_they_share(data_set: Set, tmp_path: Path) -> None:
    change = conversion(H36M17, COCO17)
    one = recording("S1/Walking 1", 30)
    # In COCO's layout the eyes and ears, which the 3D lack, are far off: nobody compares them.
    xy = [change.apply(seen.xy).astype(np.float32) for seen in one.views]
    for values in xy:
        values[:, 1:5] = 9999
    views = tuple(
        replace(seen, xy=values, confidence=seen.confidence) for seen, values in zip(one.views, xy, strict=True)
    )
    data_set.info = replace(INFO, skeleton_2d="coco17", training=(), test=())
    data_set.recordings = [replace(one, views=views)]
    found = prepare("own", ".", tmp_path / "set.h5")
    assert found.cameras["cam0"].pixels == pytest.approx(0, abs=1e-3)
    for values in xy:
        values[:, 5:] = np.nan  # the nose alone is left
    found = prepare("own", ".", tmp_path / "less.h5")
    assert found.cameras["cam0"].pixels is None


def test_bodies_that_were_scaled_are_not_compared(data_set: Set, tmp_path: Path) -> None:
    data_set.recordings = [replace(one, xyz=one.xyz * np.float32(1.2)) for one in data_set.recordings]
    with pytest.raises(FileFormatError, match="do not project"):
        prepare("own", ".", tmp_path / "set.h5")
    assert prepare("own", ".", tmp_path / "set.h5", options={"scaled": True}).cameras["cam0"].pixels is None


def test_poses_that_are_no_targets(data_set: Set, tmp_path: Path) -> None:
    good = recording("S1/Walking 1", 10, cameras=0)
    data_set.info = replace(INFO, training=(), test=())

    def refused(one: Recording, error: type[Lift3DError], message: str) -> None:
        data_set.recordings = [one]
        with pytest.raises(error, match=message) as raised:
            prepare("own", "place", tmp_path / "set.h5")
        assert "S1/Walking 1" in str(raised.value)
        assert list(tmp_path.iterdir()) == []

    refused(replace(good, xyz=good.xyz * np.nan), FileFormatError, "no joint has a 3D position")
    refused(replace(good, xyz=good.xyz * 1000), FileFormatError, "another unit than metres")
    refused(replace(good, xyz=good.xyz / 100), FileFormatError, "another unit than metres")
    refused(replace(good, xyz=good.xyz[:0]), ShapeError, "no frames")
    refused(replace(good, xyz=good.xyz[:, :5]), ShapeError, "xyz must be")


def test_subjects_of_the_split_that_are_not_there(data_set: Set, tmp_path: Path) -> None:
    data_set.info = replace(INFO, test=("S9", "S11"))
    with pytest.raises(FileFormatError, match="no recording of S11"):
        prepare("own", "place", tmp_path / "set.h5")
    assert list(tmp_path.iterdir()) == []


def test_names_options_and_outputs_are_checked_first(data_set: Set, tmp_path: Path) -> None:
    with pytest.raises(Lift3DError, match="unknown data set 'coco'; known are human36m"):
        prepare("coco", ".", tmp_path / "set.h5")
    with pytest.raises(Lift3DError, match="own has no option 'colour'; it has keypoints, cameras, subjects, scaled"):
        prepare("own", ".", tmp_path / "set.h5", options={"colour": 1})
    (tmp_path / "set.h5").touch()
    with pytest.raises(OutputExistsError):
        prepare("own", ".", tmp_path / "set.h5")
    assert data_set.asked == {}


def run(*arguments: object) -> Result:
    return lift3d("prepare", *arguments)


def test_the_command(data_set: Set, tmp_path: Path) -> None:
    options = ["--keypoints", "cpn", "--cameras", "c.h5", "--set", "subjects=S1, S9"]
    done = run("own", "here", tmp_path / "set.h5", *options)
    assert done.exit_code == 0, done.output
    assert data_set.asked == {
        "source": Path("here"), "keypoints": "cpn", "cameras": Path("c.h5"), "subjects": ["S1", "S9"],
    }  # fmt: skip
    for line in ("own: 3 recordings, 108 frames, 6 views", "subjects: S1, S9", "cam1: 3 views, 0.00 pixels", "nothing"):
        assert line in done.stdout
    again = run("own", "here", tmp_path / "set.h5")
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    done = run("own", "here", tmp_path / "set.h5", "--overwrite", "--json")
    summary = json.loads(done.stdout)
    assert summary["frames"] == 108
    assert summary["cameras"]["cam0"]["views"] == 3
    assert summary["exclusions"] == ["nothing"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["own", "here"], "NAME SOURCE OUT"),
        (["own", "here", "set.txt"], "ending"),
        (["own", "here", "set.h5", "--set", "scaled"], "OPTION=VALUE"),
        (["own", "here", "set.h5", "--set", "colour=red"], "no option"),
        (["own", "here", "set.h5", "--set", "scaled=red"], "scaled=red"),
        (["coco", "here", "set.h5"], "unknown data set"),
    ],
)
def test_the_command_refuses(
    data_set: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_no_half_file(data_set: Set, tmp_path: Path) -> None:
    def interrupted() -> Iterator[Recording]:
        yield from recordings()
        raise KeyboardInterrupt

    data_set.recordings = interrupted()  # type: ignore[assignment]
    done = run("own", "here", tmp_path / "set.h5")
    assert done.exit_code == 130
    assert list(tmp_path.iterdir()) == []


def test_human36m_from_its_files(tmp_path: Path) -> None:
    positions = human36m_samples.write_videopose3d(tmp_path)
    done = run("human36m", tmp_path, tmp_path / "set.h5", "--keypoints", "gt", "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["recordings"] == sum(map(len, positions.values()))
    assert summary["views"] == 4 * summary["recordings"]
    assert len(summary["cameras"]) == 4
    assert all(known["pixels"] < 0.01 for known in summary["cameras"].values())
    with open_pose_set(tmp_path / "set.h5") as pose_set:
        assert pose_set.select(pose_set.info.test).subjects == ("S9", "S11")
        assert len(pose_set.actions) == 15


def test_every_data_set_is_there_with_its_options() -> None:
    done = run("--list", "--json")
    assert done.exit_code == 0, done.output
    listed = json.loads(done.stdout)["data_sets"]
    assert list(listed) == list(DATA_SETS)
    assert listed["human36m"]["options"]["cameras"] is None
    for name in DATA_SETS:
        assert "source" not in get_options(name)
    text = run("--list").stdout
    assert "--set subjects=S1,S5,S6,S7,S8,S9,S11" in text


def test_the_views_of_a_sample_are_what_its_cameras_see() -> None:
    """The samples of these tests are right by another projection, OpenCV's."""
    import cv2

    one = recording("S1/Walking 1", 3)
    for seen in one.views:
        of = seen.camera
        expected, _ = cv2.projectPoints(
            one.xyz[1].astype(np.float64), cv2.Rodrigues(of.R)[0], of.t, of.K, of.distortion
        )
        np.testing.assert_allclose(view(one.xyz, of).xy[1], expected.reshape(-1, 2), atol=1e-3)

"""What write_keypoints writes, read back by lift3d and by libraries that know the formats."""

from __future__ import annotations

import json
from pathlib import Path

import keypoint_samples as samples
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lift3d.errors import Lift3DError, OutputExistsError, SkeletonError, UnknownFormatError
from lift3d.io import read_keypoints, write_keypoints
from lift3d.poses import Keypoints2D
from lift3d.skeletons import BODY25, COCO17

OUTPUTS = ("a.h5", "a.npz", "a.json", "a.csv", "a_json")


def clip(skeleton: str = "body25", people: int = 2) -> Keypoints2D:
    xy, confidence = samples.motion(skeleton, people)
    xy[1, 0, 3] = xy[2, -1] = np.nan
    return Keypoints2D(
        xy, confidence, skeleton, fps=29.97, track_ids=tuple(range(4, 4 + people)), image_size=(640, 480)
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("people", [1, 2])
@pytest.mark.parametrize("name", OUTPUTS)
def test_round_trip(name: str, people: int, tmp_path: Path) -> None:
    keypoints = clip(people=people)
    write_keypoints(keypoints, tmp_path / name)
    back = read_keypoints(tmp_path / name)
    np.testing.assert_allclose(back.xy, keypoints.xy, atol=2e-3)
    np.testing.assert_allclose(back.confidence, keypoints.confidence, atol=1e-5)
    assert back.skeleton.joints == keypoints.skeleton.joints
    if name != "a.csv":
        assert back.track_ids == keypoints.track_ids
    if name in ("a.h5", "a.npz", "a.json"):
        assert (back.fps, back.image_size) == (keypoints.fps, keypoints.image_size)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    xy=arrays.arrays(np.float32, (3, 2, 25, 2), elements=st.one_of(st.just(np.nan), st.floats(-2000, 8000, width=32))),
    confidence=arrays.arrays(np.float32, (3, 2, 25), elements=st.floats(0, 1, width=32)),
    name=st.sampled_from(OUTPUTS),
)
def test_round_trip_of_anything(xy: np.ndarray, confidence: np.ndarray, name: str, tmp_path: Path) -> None:
    """What is missing stays missing and what is seen stays seen, also at 0, 0 and with confidence 0."""
    xy[0, :, 0] = xy[2, :, 0] = (0, 0)
    keypoints = Keypoints2D(xy, confidence, BODY25)
    write_keypoints(keypoints, tmp_path / name, overwrite=True)
    back = read_keypoints(tmp_path / name, skeleton="body25")
    np.testing.assert_allclose(back.xy, keypoints.xy, atol=1e-2)
    np.testing.assert_allclose(back.confidence, keypoints.confidence, atol=1.1e-3)


def test_csv_is_read_by_pandas(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    keypoints = clip()
    write_keypoints(keypoints, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv", header=[0, 1, 2, 3], index_col=0)
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    for person, track in enumerate(keypoints.track_ids):
        for joint, name in enumerate(keypoints.skeleton.joints):
            got = table["lift3d"][f"track_{track}"][name][["x", "y"]].to_numpy()
            np.testing.assert_allclose(got, keypoints.xy[:, person, joint], atol=1e-2)


def test_coco_json_keeps_its_own_rules(tmp_path: Path) -> None:
    keypoints = clip("coco17")
    write_keypoints(keypoints, tmp_path / "a.json")
    tree = json.loads((tmp_path / "a.json").read_text())
    assert tree["categories"][0]["keypoints"] == list(COCO17.joints)
    ids = {image["id"] for image in tree["images"]}
    assert len(ids) == keypoints.frames
    for row in tree["annotations"]:
        values = np.array(row["keypoints"]).reshape(17, 3)
        assert row["image_id"] in ids
        assert set(values[:, 2]) <= {0, 2}
        assert (values[values[:, 2] == 0] == 0).all()
        assert row["num_keypoints"] == (values[:, 2] > 0).sum()
        x, y, width, height = row["bbox"]
        inside = values[values[:, 2] > 0, :2]
        np.testing.assert_allclose([x, y, x + width, y + height], [*inside.min(axis=0), *inside.max(axis=0)], atol=2e-3)


def test_npz_needs_no_pickle(tmp_path: Path) -> None:
    write_keypoints(clip(), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["xy"], clip().xy)
        assert file["joints"].tolist() == list(BODY25.joints)


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_existing_output_is_kept(name: str, tmp_path: Path) -> None:
    write_keypoints(clip(), tmp_path / name)
    with pytest.raises(OutputExistsError):
        write_keypoints(clip(people=1), tmp_path / name)
    assert read_keypoints(tmp_path / name).people == 2
    write_keypoints(clip(people=1), tmp_path / name, overwrite=True)
    assert read_keypoints(tmp_path / name).people == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_folder_of_other_things_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a_json").mkdir()
    (tmp_path / "a_json" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match="not replaced"):
        write_keypoints(clip(), tmp_path / "a_json", overwrite=True)
    assert (tmp_path / "a_json" / "thesis.txt").read_text() == "years of work"


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormatError, match=r"\.xyz"):
        write_keypoints(clip(), tmp_path / "a.xyz")
    with pytest.raises(SkeletonError, match="body25"):
        write_keypoints(clip("coco17"), tmp_path / "a_json")
    with pytest.raises(Lift3DError, match="does not exist"):
        write_keypoints(clip(), tmp_path / "no" / "a_json")

"""The 2D readers on recordings of the programs themselves."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from lift3d.errors import FileFormatError
from lift3d.io import read_keypoints
from lift3d.poses import Keypoints2D

CAMERAS = ("cam01", "cam02", "cam03", "cam04")

# path under keypoints/: format, frames, people, skeleton
FILES = {
    "alphapose_halpe26/alphapose-results.json": ("alphapose", 809, 1, "halpe26"),
    "coco/test_coco.json": ("coco", 4, 5, "coco17"),
    "coco/test_coco_wholebody.json": ("coco", 4, 5, "wholebody133"),
    "coco/test_halpe.json": ("coco", 4, 5, "halpe136"),
    "coco/test_keypoint_partition_metric.json": ("coco", 4, 5, "wholebody133"),
    "deeplabcut/CollectedData_LM.csv": ("deeplabcut", 4, 3, "custom"),
    "deeplabcut/CollectedData_Mackenzie.csv": ("deeplabcut", 55, 1, "custom"),
    "deeplabcut/CollectedData_Mackenzie.h5": ("deeplabcut", 55, 1, "custom"),
    "deeplabcut/dlc_testdata.csv": ("deeplabcut", 4, 1, "custom"),
    "deeplabcut/dlc_testdata_v2.csv": ("deeplabcut", 4, 1, "custom"),
    "deeplabcut/madlc_testdata.csv": ("deeplabcut", 4, 2, "custom"),
    "deeplabcut/madlc_testdata_v2.csv": ("deeplabcut", 4, 2, "custom"),
    "deeplabcut/maudlc_testdata.csv": ("deeplabcut", 4, 3, "custom"),
    "deeplabcut/maudlc_testdata_v2.csv": ("deeplabcut", 4, 3, "custom"),
    "openpose_body25/1": ("openpose", 81, 1, "body25"),
    "openpose_body25/2": ("openpose", 411, 1, "body25"),
    "sleap/predictions.analysis.h5": ("sleap", 3000, 2, "custom"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_recording_reads(name: str, shared_data: Path) -> None:
    keypoints = read_keypoints(shared_data / "keypoints" / name)
    found = (keypoints.provenance["format"], keypoints.frames, keypoints.people, keypoints.skeleton.name)
    assert found == FILES[name]


def test_every_recording_is_listed(shared_data: Path) -> None:
    folder = shared_data / "keypoints"
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.name != "LICENSE"}
    found = {path.parent if path.parts[0] == "openpose_body25" else path for path in found}
    assert {str(path) for path in found} == {*FILES, "coco/test_coco_det_AP_H_56.json"}


def test_boxes_alone_are_an_error(shared_data: Path) -> None:
    with pytest.raises(FileFormatError, match=r"test_coco_det_AP_H_56.json, field .*: holds boxes and no keypoints"):
        read_keypoints(shared_data / "keypoints" / "coco" / "test_coco_det_AP_H_56.json")


def test_openpose_values(shared_data: Path) -> None:
    folder = shared_data / "keypoints" / "openpose_body25" / "1"
    keypoints = read_keypoints(folder)
    for number in (0, 40, 80):
        tree = json.loads((folder / f"20_{number:012d}_keypoints.json").read_text())
        values = np.array(tree["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
        values[values[:, 2] == 0, :2] = np.nan
        np.testing.assert_allclose(keypoints.xy[number, 0], values[:, :2], rtol=1e-6)


def test_alphapose_values(shared_data: Path) -> None:
    path = shared_data / "keypoints" / "alphapose_halpe26" / "alphapose-results.json"
    keypoints = read_keypoints(path)
    rows = {row["image_id"]: row for row in json.loads(path.read_text())}
    for number in (0, 9, 10, 100, 808):
        values = np.array(rows[f"{number}.jpg"]["keypoints"]).reshape(26, 3)
        np.testing.assert_allclose(keypoints.xy[number, 0], values[:, :2], rtol=1e-6)
    assert "repaired: 1 people with an identity that another person of the frame has" in str(keypoints.provenance)


def test_deeplabcut_csv_and_hdf5_agree(shared_data: Path) -> None:
    folder = shared_data / "keypoints" / "deeplabcut"
    first, second = (read_keypoints(folder / f"CollectedData_Mackenzie.{ending}") for ending in ("csv", "h5"))
    np.testing.assert_allclose(first.xy, second.xy, rtol=1e-6)
    # lift3d's spelling for a part that people have, the file's own for the others
    assert first.skeleton.joints == second.skeleton.joints == ("hand", "Finger1", "Tongue", "Joystick1", "Joystick2")


def test_sleap_values(shared_data: Path) -> None:
    path = shared_data / "keypoints" / "sleap" / "predictions.analysis.h5"
    keypoints = read_keypoints(path)
    with h5py.File(path) as file:
        tracks = file["tracks"][()]
    np.testing.assert_allclose(keypoints.xy[1234, 1, 5], tracks[1, :, 5, 1234], rtol=1e-6)
    assert keypoints.skeleton.joints[:2] == ("head", "thorax")


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("clip", ["single_balancing", "two_people"])
def test_body25b_is_recognised(clip: str, camera: str, shared_data: Path) -> None:
    keypoints = read_keypoints(shared_data / "multiview" / "pose2sim_demo" / clip / "pose" / f"{camera}_json")
    assert keypoints.skeleton.name == "body25b"
    assert keypoints.frames == 100


def people_by_origin(keypoints: Keypoints2D, folder: Path) -> tuple[set[int], set[int], int, int]:
    """Tracks that hold the two people, and the frames of each, from what tells them apart in the files.

    One of the two people was simulated: every confidence is exactly 1. The other is the largest of the rest, a real
    detection; a small figure in the background is there too.
    """
    simulated: set[int] = set()
    real: set[int] = set()
    frames = [0, 0]
    for frame, file in enumerate(sorted(folder.glob("*.json"))):
        people = [np.reshape(p["pose_keypoints_2d"], (-1, 3)) for p in json.loads(file.read_text())["people"]]
        people = [person for person in people if person.size]
        certain = [person for person in people if (person[person[:, 2] > 0, 2] == 1).all()]
        others = [person for person in people if not any(person is one for one in certain)]
        heights = [np.ptp(person[person[:, 2] > 0, 1]) for person in others]
        chosen = [(simulated, 0, person) for person in certain]
        if heights and max(heights) > 500:
            chosen.append((real, 1, others[int(np.argmax(heights))]))
        for tracks, index, person in chosen:
            expected = np.where(person[:, 2:] > 0, person[:, :2], np.nan)
            same = [
                np.allclose(keypoints.xy[frame, k], expected, atol=1e-2, equal_nan=True)
                for k in range(keypoints.people)
            ]
            assert sum(same) == 1
            tracks.add(same.index(True))
            frames[index] += 1
    return simulated, real, frames[0], frames[1]


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize("camera", CAMERAS)
def test_two_people_keep_their_identities(camera: str, seed: int | None, shared_data: Path, tmp_path: Path) -> None:
    """In the order of the files and in random order within each frame."""
    source = shared_data / "multiview" / "pose2sim_demo" / "two_people" / "pose" / f"{camera}_json"
    folder = tmp_path / "shuffled"
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for file in source.glob("*.json"):
        tree = json.loads(file.read_text())
        if seed is not None:
            rng.shuffle(tree["people"])
        (folder / file.name).write_text(json.dumps(tree))
    keypoints = read_keypoints(folder)
    simulated, real, frames_simulated, frames_real = people_by_origin(keypoints, folder)
    assert len(simulated) == len(real) == 1
    assert simulated != real
    assert frames_simulated == 100
    assert frames_real >= 90
    assert keypoints.people <= 3

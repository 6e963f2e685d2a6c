"""HumanEva-I from VideoPose3D's files: numbers, the cameras that are found, and one clear error for each fault."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import humaneva_samples as samples
import numpy as np
import pytest

from lift3d.datasets import humaneva
from lift3d.datasets.recordings import Recording
from lift3d.errors import FileFormatError
from lift3d.skeletons import COCO17, HUMANEVA15


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("humaneva")
    samples.write_set(path)
    return path


@pytest.fixture(scope="module")
def recordings(folder: Path) -> dict[str, Recording]:
    return {recording.name: recording for recording in humaneva.read(folder)[1]}


def test_the_set_is_described(folder: Path) -> None:
    info, _ = humaneva.read(folder / "data_3d_humaneva15.npz")
    assert (info.name, info.skeleton_3d, info.skeleton_2d, info.space) == (
        "humaneva", "humaneva15", "humaneva15", "world",
    )  # fmt: skip
    assert (info.keypoints, info.rules) == ("ground truth", "VideoPose3D")
    assert info.training == ("Train/S1", "Train/S2", "Train/S3")
    assert info.test == ("Validate/S1", "Validate/S2", "Validate/S3")
    assert info.actions == ("Walking", "Jog", "ThrowCatch", "Gestures", "Box")


def test_numbers_by_name(recordings: dict[str, Recording]) -> None:
    assert set(recordings) == {f"{subject}/{chunk}" for subject in samples.SUBJECTS for chunk in samples.CHUNKS}
    for subject, chunk in (("Train/S1", "Walking 1 chunk2"), ("Validate/S3", "Box 1 chunk1")):
        recording = recordings[f"{subject}/{chunk}"]
        assert (recording.subject, recording.action, recording.fps) == (subject, chunk.split()[0], 60.0)
        source = samples.positions_15(subject, chunk, 8)
        for joint in samples.JOINTS:
            np.testing.assert_array_equal(
                recording.xyz[:, HUMANEVA15.index(joint)], source[:, samples.JOINTS.index(joint)]
            )


@pytest.mark.parametrize("person", ["S1", "S2", "S3"])
def test_the_cameras_are_found_again(recordings: dict[str, Recording], person: str) -> None:
    """From exact projections the cameras come back, and OpenCV projects with them onto the file's 2D."""
    recording = recordings[f"Validate/{person}/Jog 1 chunk0"]
    assert [view.camera.name for view in recording.views] == ["C1", "C2", "C3"]
    for view, true in zip(recording.views, samples.cameras_of(person), strict=True):
        camera = view.camera
        assert camera.image_size == (640, 480)
        np.testing.assert_allclose(camera.K, true.K, atol=1e-2)
        np.testing.assert_allclose(camera.distortion, true.distortion, atol=1e-4)
        np.testing.assert_allclose(camera.R, true.R, atol=1e-5)
        np.testing.assert_allclose(camera.centre, true.centre, atol=1e-4)
        pixels, _ = cv2.projectPoints(
            recording.xyz.reshape(-1, 3).astype(np.float64),
            cv2.Rodrigues(camera.R)[0],
            camera.t,
            camera.K,
            camera.distortion,
        )
        np.testing.assert_allclose(view.xy.reshape(-1, 2), pixels[:, 0], atol=1e-2)


def test_detections(tmp_path: Path) -> None:
    positions = samples.write_set(tmp_path)
    random = np.random.default_rng(1)
    found: dict[str, dict[str, list[np.ndarray]]] = {"Unlabeled/S4": {"Combo 3": [np.zeros((3, 17, 2))] * 3}}
    for subject, chunks in samples.ground_truth(positions).items():
        found[subject] = {}
        for chunk, views in chunks.items():
            bodies = [{joint: xy[:, index] for index, joint in enumerate(samples.JOINTS)} for xy in views]
            found[subject][chunk] = [
                np.stack([body.get(joint, body["head_top"]) for joint in COCO17.joints], axis=1)
                + random.normal(scale=4, size=(len(body["pelvis"]), 17, 2))
                for body in bodies
            ]
    samples.write_keypoints(tmp_path, "detectron_pt_coco", found, samples.COCO_METADATA)
    info, iterator = humaneva.read(tmp_path, "detectron_pt_coco")
    assert (info.skeleton_2d, info.keypoints) == ("coco17", "detectron_pt_coco")
    assert info.exclusions == ("Recordings without 3D ('Unlabeled/...') are left out",)
    names = []
    for recording in iterator:
        names.append(recording.name)
        chunk = recording.name.removeprefix(f"{recording.subject}/")
        for view, source in zip(recording.views, found[recording.subject][chunk], strict=True):
            np.testing.assert_allclose(view.xy, source, atol=1e-3)
    assert len(names) == 36
    # Another person's keypoints are refused.
    found["Train/S1"]["Jog 1 chunk0"] = [views[::-1] + 300 for views in found["Train/S1"]["Jog 1 chunk0"]]
    samples.write_keypoints(tmp_path, "detectron_pt_coco", found, samples.COCO_METADATA)
    with pytest.raises(FileFormatError, match="Train/S1/Jog 1 chunk0, camera C1: cameras do not project"):
        list(humaneva.read(tmp_path, "detectron_pt_coco")[1])


def spoil(
    change_3d: Callable[[dict[str, Any]], None] | None = None, change_2d: Callable[[dict[str, Any]], None] | None = None
) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        positions = samples.write_set(folder)
        keypoints = samples.ground_truth(positions)
        if change_3d:
            change_3d(positions)
            np.savez_compressed(folder / "data_3d_humaneva15.npz", positions_3d=positions)  # type: ignore[arg-type]
        if change_2d:
            change_2d(keypoints)
            samples.write_keypoints(folder, "gt", keypoints, samples.METADATA)

    return write


def with_nan(positions: dict[str, Any]) -> None:
    positions["Train/S2"]["Jog 1 chunk0"][3, 0, 0] = np.inf


def no_frames(positions: dict[str, Any]) -> None:
    positions["Train/S2"]["Jog 1 chunk0"] = np.zeros((0, 15, 3), np.float32)


def no_subject(positions: dict[str, Any]) -> None:
    del positions["Validate/S3"]


def combo(positions: dict[str, Any]) -> None:
    positions["Train/S1"]["Combo 1 chunk0"] = positions["Train/S1"]["Jog 1 chunk0"]


def no_chunk(keypoints: dict[str, Any]) -> None:
    del keypoints["Train/S1"]["Box 1 chunk1"]


def two_cameras(keypoints: dict[str, Any]) -> None:
    del keypoints["Train/S1"]["Box 1 chunk1"][2]


def short(keypoints: dict[str, Any]) -> None:
    keypoints["Train/S1"]["Box 1 chunk1"][2] = keypoints["Train/S1"]["Box 1 chunk1"][2][1:]


def other_people(keypoints: dict[str, Any]) -> None:
    """The keypoints of S1's cameras in another order in half of the recordings: no camera makes both."""
    for views in keypoints["Train/S1"].values():
        views.reverse()


def scrambled(keypoints: dict[str, Any]) -> None:
    """Rubbish that no camera can have made."""
    random = np.random.default_rng(0)
    for views in [*keypoints["Train/S3"].values(), *keypoints["Validate/S3"].values()]:
        views[1][:] = random.uniform(0, 480, views[1].shape)


def no_truth(folder: Path) -> None:
    samples.write_set(folder)
    (folder / "data_2d_humaneva15_gt.npz").unlink()


def coco_truth(folder: Path) -> None:
    samples.write_set(folder)
    pixels = {"Train/S1": {"Walking 1 chunk0": [np.zeros((3, 17, 2))] * 3}}
    samples.write_keypoints(folder, "gt", pixels, samples.COCO_METADATA)


@pytest.mark.parametrize(
    ("write", "file", "words"),
    [
        (spoil(no_subject), "3d_humaneva15", r"positions_3d\[Validate/S3\]: the subject is missing"),
        (spoil(combo), "3d_humaneva15", r"\[Combo 1 chunk0\]: is not one of the actions"),
        (spoil(no_frames), "3d_humaneva15", r"\[Train/S2\]\[Jog 1 chunk0\]: the action has no frames"),
        (spoil(with_nan), "3d_humaneva15", r"\[Train/S2\]\[Jog 1 chunk0\]: 1 of \d+ frames .* frame 3"),
        (spoil(None, no_chunk), "2d_humaneva15_gt", r"\[Train/S1\]\[Box 1 chunk1\]: the action is missing"),
        (spoil(None, two_cameras), "2d_humaneva15_gt", r"\[Box 1 chunk1\]: 2 cameras where there are 3"),
        (spoil(None, short), "2d_humaneva15_gt", r"\[Box 1 chunk1\]\[2\]: \d+ frames of 2D keypoints for \d+ frames"),
        (spoil(None, other_people), "2d_humaneva15_gt", "/S1.*camera.*C1"),
        (spoil(None, scrambled), "2d_humaneva15_gt", "/S3.*camera.*C2"),
        (no_truth, "2d_humaneva15_gt", "not a readable NPZ file|no such file"),
        (coco_truth, "2d_humaneva15_gt", "metadata: expected 15 joints, found the layout coco17"),
    ],
)
def test_what_can_be_wrong(tmp_path: Path, write: Callable[[Path], None], file: str, words: str) -> None:
    write(tmp_path)
    with pytest.raises(FileFormatError, match=words) as caught:
        list(humaneva.read(tmp_path)[1])
    assert caught.value.path == str(tmp_path / f"data_{file}.npz")

"""Human3.6M from VideoPose3D's files: numbers, names, rules, and one clear error for each thing that can be wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import human36m_samples as samples
import numpy as np
import pytest

from lift3d.datasets import human36m
from lift3d.datasets.human36m_cameras import read_cameras
from lift3d.datasets.human36m_layout import take_name
from lift3d.datasets.projection_check import TRUTH_LIMIT
from lift3d.datasets.recordings import Recording
from lift3d.errors import FileFormatError
from lift3d.skeletons import COCO17, H36M17

FEW = ("S1", "S11")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videopose3d")
    samples.write_videopose3d(path)
    return path


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Recording]:
    _, recordings = human36m.read(folder, "gt")
    return {recording.name: recording for recording in recordings}


def write_few(folder: Path, frames: int = 4) -> dict[str, dict[str, np.ndarray]]:
    """Two subjects, their cameras, and positions that a test can spoil before it writes them."""
    samples.write_cameras(folder, FEW)
    return samples.all_positions(frames, FEW)


def test_the_set_is_described(folder: Path) -> None:
    info, _ = human36m.read(folder, "gt")
    assert (info.name, info.skeleton_3d, info.skeleton_2d, info.space) == ("human36m", "h36m17", "h36m17", "world")
    assert info.training == ("S1", "S5", "S6", "S7", "S8")
    assert info.test == ("S9", "S11")
    assert info.actions == samples.ACTIONS
    assert (info.keypoints, info.rules) == ("ground truth", "VideoPose3D")
    assert any("S11 'Directions'" in sentence for sentence in info.exclusions)
    assert info.provenance["keypoints"] == "data_2d_h36m_gt.npz"


def test_every_take_but_the_damaged_one(truth: dict[str, Recording]) -> None:
    expected = {f"{subject}/{take}" for subject in samples.SUBJECTS for take in samples.TAKES} - {"S11/Directions"}
    assert set(truth) == expected
    assert truth["S5/WalkDog 1"].action == "WalkDog"
    assert {recording.fps for recording in truth.values()} == {50.0}
    assert {recording.action for recording in truth.values()} == set(samples.ACTIONS)


@pytest.mark.parametrize("name", ["S1/Directions", "S8/SittingDown 1", "S11/WalkTogether"])
def test_joints_are_taken_by_name(truth: dict[str, Recording], name: str) -> None:
    subject, take = name.split("/")
    source = samples.positions_32(subject, take, 6)
    xyz = truth[name].xyz
    assert xyz.dtype == np.float32
    assert len(xyz) == samples.frames_of(subject, take, 6)
    for joint in H36M17.joints:
        np.testing.assert_allclose(xyz[:, H36M17.index(joint)], source[:, samples.NAMES_32.index(joint)], atol=1e-6)
    assert H36M17.joints[0] == "pelvis"
    # Upright in the world's z, the feet on the floor.
    assert (xyz[:, H36M17.index("head_top"), 2] > 1.4).all()
    assert np.abs(xyz[:, H36M17.index("left_ankle"), 2]).max() < 0.35


def test_views_are_the_files_and_what_the_cameras_see(truth: dict[str, Recording]) -> None:
    recording = truth["S9/Walking 1"]
    assert [view.camera.name for view in recording.views] == ["54138969", "55011271", "58860488", "60457274"]
    for view, camera in zip(recording.views, samples.cameras_of("S9"), strict=True):
        assert view.camera.image_size == ((1000, 1002) if camera.name in ("54138969", "60457274") else (1000, 1000))
        local = recording.xyz.astype(np.float64) @ camera.R.T + camera.t
        by_hand = np.array(
            [[camera.R @ joint + camera.t for joint in frame] for frame in recording.xyz.astype(np.float64)]
        )
        np.testing.assert_allclose(local, by_hand, atol=1e-12)
        np.testing.assert_allclose(recording.xyz @ view.camera.R.T + view.camera.t, by_hand, atol=1e-4)
        assert (by_hand[..., 2] > 2).all()
        pixels, _ = cv2.projectPoints(
            recording.xyz.reshape(-1, 3).astype(np.float64),
            cv2.Rodrigues(camera.R)[0],
            camera.t,
            camera.K,
            camera.distortion,
        )
        np.testing.assert_allclose(view.xy.reshape(-1, 2), pixels[:, 0], atol=2e-3)
        assert (view.confidence == 1).all()


def test_without_2d_files_the_3d_are_projected(folder: Path, truth: dict[str, Recording]) -> None:
    info, recordings = human36m.read(folder / "data_3d_h36m.npz", subjects=("S9",))
    assert info.keypoints == "ground truth"
    assert "projected" in info.provenance["keypoints"]
    assert info.training == ()
    for recording in recordings:
        for view, expected in zip(recording.views, truth[recording.name].views, strict=True):
            np.testing.assert_allclose(view.xy, expected.xy, atol=2e-3)


def detections(positions: dict[str, dict[str, np.ndarray]], columns: int = 2) -> dict[str, dict[str, list[np.ndarray]]]:
    """COCO keypoints with 6 pixels of noise, five frames longer than the motion capture, as some videos are."""
    random = np.random.default_rng(3)
    result: dict[str, dict[str, list[np.ndarray]]] = {}
    for subject, takes in samples.ground_truth(positions).items():
        result[subject] = {}
        for take, views in takes.items():
            result[subject][take] = []
            for xy in views:
                body = {joint: xy[:, H36M17.index(joint)] for joint in H36M17.joints}
                coco = np.stack([body.get(joint, body["nose"]) for joint in COCO17.joints], axis=1)
                coco = np.concatenate([coco, coco[-1:].repeat(5, axis=0)])
                coco += random.normal(scale=6, size=coco.shape).astype(np.float32)
                score = random.uniform(0.2, 1, size=(*coco.shape[:2], columns - 2)).astype(np.float32)
                result[subject][take].append(np.concatenate([coco, score], axis=2))
    result["S2"] = {"Photo": [np.zeros((9, 17, 2), np.float32)] * 4}  # unlabelled, as in the real files
    return result


@pytest.mark.parametrize("columns", [2, 3])
def test_detections_keep_their_layout_and_are_cut_to_the_motion_capture(tmp_path: Path, columns: int) -> None:
    positions = write_few(tmp_path)
    samples.write_positions(tmp_path, positions)
    found = detections(positions, columns)
    found["S1"]["Eating"][2][1, 5, 0] = np.nan
    file = samples.write_keypoints(tmp_path, "detectron_pt_coco", found, samples.COCO_METADATA)
    info, iterator = human36m.read(tmp_path, "detectron_pt_coco", subjects=FEW)
    assert (info.skeleton_2d, info.keypoints) == ("coco17", "detectron_pt_coco")
    recordings = {recording.name: recording for recording in iterator}
    recording = recordings["S1/Eating"]
    for index, view in enumerate(recording.views):
        source = found["S1"]["Eating"][index][: len(recording.xyz)]
        missing = ~np.isfinite(source[..., :2]).all(-1)
        np.testing.assert_array_equal(view.xy[~missing], source[~missing][:, :2])
        np.testing.assert_allclose(view.confidence[~missing], source[~missing][:, 2] if columns == 3 else 1)
        assert np.isnan(view.xy[missing]).all()
        assert (view.confidence[missing] == 0).all()
    assert np.isnan(recording.views[2].xy).sum() == 2
    named_by_path, _ = human36m.read(tmp_path, str(file), subjects=FEW)
    assert named_by_path == info


def test_metadata_xml_gives_the_same_cameras(tmp_path: Path) -> None:
    from_h5 = read_cameras(samples.write_cameras(tmp_path), samples.SUBJECTS)
    from_xml = read_cameras(samples.write_metadata(tmp_path), samples.SUBJECTS)
    for subject in samples.SUBJECTS:
        for a, b, true in zip(from_h5[subject], from_xml[subject], samples.cameras_of(subject), strict=True):
            assert a.name == b.name == true.name
            assert a.image_size == b.image_size == true.image_size
            for name in ("K", "distortion", "R", "t"):
                np.testing.assert_allclose(getattr(a, name), getattr(true, name), atol=1e-9)
                np.testing.assert_allclose(getattr(b, name), getattr(true, name), atol=1e-9)


def test_cameras_are_known_by_name_not_by_their_place_in_the_file(tmp_path: Path) -> None:
    path = samples.write_cameras(tmp_path, ("S1",))
    with h5py.File(path, "r+") as file:
        for old, new in (("camera1", "spare"), ("camera2", "camera1"), ("spare", "camera2")):
            file["subject1"].move(old, new)
    for camera, true in zip(read_cameras(path, ["S1"])["S1"], samples.cameras_of("S1"), strict=True):
        assert camera.name == true.name
        np.testing.assert_allclose(camera.centre, true.centre, atol=1e-9)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Directions", ("Directions", "Directions")),
        ("Directions 1", ("Directions 1", "Directions")),
        ("Directions_1", ("Directions 1", "Directions")),
        ("TakingPhoto 1", ("Photo 1", "Photo")),
        ("WalkingDog", ("WalkDog", "WalkDog")),
        ("SittingDown 2", ("SittingDown 2", "SittingDown")),
        ("WalkTogether", ("WalkTogether", "WalkTogether")),
        ("Swimming", None),
        ("Walking 1.54138969", None),
    ],
)
def test_names_of_takes(written: str, expected: tuple[str, str] | None) -> None:
    assert take_name(written) == expected


def spoil_3d(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        positions: dict[str, Any] = write_few(folder)
        changed = change(positions)
        samples.write_positions(folder, positions if changed is None else changed)

    return write


def spoil_2d(change: Callable[[dict[str, Any]], Any], metadata: Any = samples.H36M_METADATA) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        positions = write_few(folder)
        samples.write_positions(folder, positions)
        keypoints: dict[str, Any] = samples.ground_truth(positions)
        changed = change(keypoints)
        samples.write_keypoints(folder, "gt", keypoints if changed is None else changed, metadata)

    return write


def without(*keys: Any) -> Callable[[Any], None]:
    """Takes away what the keys lead to."""

    def change(values: Any) -> None:
        for key in keys[:-1]:
            values = values[key]
        del values[keys[-1]]

    return change


def other_cameras(keypoints: dict[str, Any]) -> None:
    keypoints["S11"] = samples.ground_truth({"S1": samples.all_positions(4, FEW)["S11"]})["S1"]


def with_nan(positions: dict[str, Any]) -> None:
    positions["S11"]["Photo 1"][2, 14, 1] = np.nan


def cut(keypoints: dict[str, Any]) -> None:
    keypoints["S1"]["Smoking"][3] = keypoints["S1"]["Smoking"][3][:-1]


def wrong_key(folder: Path) -> None:
    np.savez_compressed(folder / "data_3d_h36m.npz", poses=write_few(folder))  # type: ignore[arg-type]


def no_metadata(folder: Path) -> None:
    positions = write_few(folder)
    samples.write_positions(folder, positions)
    np.savez_compressed(folder / "data_2d_h36m_gt.npz", positions_2d=samples.ground_truth(positions))  # type: ignore[arg-type]


def no_cameras(folder: Path) -> None:
    positions = write_few(folder)
    samples.write_positions(folder, positions)
    samples.write_keypoints(folder, "gt", samples.ground_truth(positions), samples.H36M_METADATA)
    (folder / "cameras.h5").unlink()


def cameras_without_subject(folder: Path) -> None:
    no_cameras(folder)
    samples.write_cameras(folder, ("S1",))


def another_camera(folder: Path) -> None:
    no_cameras(folder)
    with h5py.File(samples.write_cameras(folder, FEW), "r+") as file:
        file["subject1/camera4/Name"][:, 0] = [ord(digit) for digit in "12345678"]


@pytest.mark.parametrize(
    ("write", "file", "words"),
    [
        pytest.param(wrong_key, "3d", "positions_3d: is missing; the file holds poses", id="key of 3D"),
        pytest.param(
            spoil_3d(lambda p: {"S1": p["S1"]}), "3d", r"positions_3d\[S11\]: the subject is missing", id="subject"
        ),
        pytest.param(spoil_3d(without("S1", "Eating 1")), "3d", "S1: 1 takes of 'Eating'", id="take"),
        pytest.param(
            spoil_3d(lambda p: p["S1"].update({"Swimming": p["S1"]["Eating"]})),
            "3d", r"\[S1\]\[Swimming\]: is not one of", id="action",
        ),
        pytest.param(
            spoil_3d(lambda p: p["S1"].update({"Eating": p["S1"]["Eating"][:0]})),
            "3d", r"positions_3d\[S1\]\[Eating\]: the action has no frames", id="no frames",
        ),
        pytest.param(
            spoil_3d(lambda p: p["S1"].update({"Eating": p["S1"]["Eating"][:, :17]})),
            "3d", r"positions_3d\[S1\]\[Eating\]: expected \(frames, 32, 3\)", id="joints",
        ),
        pytest.param(spoil_3d(lambda p: p["S1"].update({"Eating": "lunch"})), "3d", "found str", id="type"),
        pytest.param(spoil_3d(lambda p: [1, 2]), "3d", "expected a dictionary", id="no dictionary"),
        pytest.param(
            spoil_3d(with_nan), "3d", r"\[S11\]\[Photo 1\]: 1 of \d frames have 3D targets.*frame 2", id="NaN"
        ),
        pytest.param(
            spoil_2d(without("S11")), "2d", r"positions_2d\[S11\]: the subject is missing", id="subject of 2D"
        ),
        pytest.param(
            spoil_2d(without("S1", "Posing")), "2d", r"\[S1\]\[Posing\]: the action is missing", id="action of 2D"
        ),
        pytest.param(
            spoil_2d(without("S1", "Posing", 3)), "2d", r"\[Posing\]: 3 cameras where there are 4", id="views"
        ),
        pytest.param(spoil_2d(cut), "2d", r"\[Smoking\]\[3\]: \d frames of 2D keypoints for", id="frames"),
        pytest.param(
            spoil_2d(other_cameras), "2d",
            r"S11/Directions 1, camera \d+: cameras do not project onto the 2D",
            id="another subject's cameras",
        ),
        pytest.param(
            spoil_2d(lambda k: k["S1"]["Waiting"].reverse()), "2d",
            r"S1/Waiting, camera 54138969: cameras do not project onto the 2D", id="views in another order",
        ),
        pytest.param(
            spoil_2d(lambda k: None, {"layout_name": "lego", "num_joints": 17}), "2d",
            "metadata: the layout 'lego' of 17 joints is unknown", id="layout",
        ),
        pytest.param(
            spoil_2d(lambda k: None, {"num_joints": 17, "keypoints_symmetry": [[1, 2, 3], [4, 5, 6]]}), "2d",
            r"keypoints_symmetry\]: the left and right joints", id="symmetry",
        ),
        pytest.param(no_metadata, "2d", "metadata: is missing", id="metadata"),
        pytest.param(no_cameras, "", "no file of the cameras", id="cameras"),
        pytest.param(cameras_without_subject, "cameras.h5", "no subject 'S11'", id="subject's cameras"),
        pytest.param(another_camera, "cameras.h5", "S1: expected the cameras 54138969", id="another camera"),
    ],
)  # fmt: skip
def test_what_can_be_wrong(tmp_path: Path, write: Callable[[Path], None], file: str, words: str) -> None:
    write(tmp_path)
    keypoints = "gt" if (tmp_path / "data_2d_h36m_gt.npz").exists() else None
    with pytest.raises(FileFormatError, match=words) as caught:
        list(human36m.read(tmp_path, keypoints, subjects=FEW)[1])
    name = {"3d": "data_3d_h36m.npz", "2d": "data_2d_h36m_gt.npz"}.get(file, file)
    assert caught.value.path == str(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no such file or folder"):
        human36m.read(tmp_path / "nothing")
    samples.write_positions(tmp_path, write_few(tmp_path))
    with pytest.raises(FileFormatError, match=r"data_2d_h36m_cpn.npz: there is no such file of 2D keypoints"):
        human36m.read(tmp_path, "cpn", subjects=FEW)


def test_the_real_cameras(shared_data: Path) -> None:
    """The file of 3d-pose-baseline: level cameras at a person's shoulders, Z up; VideoPose3D's lens is within reach."""
    path = shared_data / "cameras" / "h36m_cameras.h5"
    rigs = read_cameras(path, samples.SUBJECTS)
    person = samples.positions_32("S1", "Walking", 60)[:, samples.PLACES_17].astype(np.float64)
    for cameras in rigs.values():
        for camera in cameras:
            x, y, z = camera.centre
            assert 1.3 < z < 1.75
            assert 3.5 < np.hypot(x, y) < 5.7
            assert camera.R[1] @ [0, 0, -1] > 0.95  # the image's down is the world's down
            assert camera.R[2] @ (np.array([0, 0, 1]) - camera.centre) > 3  # the stage lies before it
            pixels = camera.project(person)
            assert ((pixels > 100) & (pixels < 900)).all()
            assert (pixels[:, H36M17.index("head_top"), 1] < pixels[:, H36M17.index("pelvis"), 1]).all()
            # VideoPose3D's lens: x (1 + k r + p.x) + p r^2, with both tangential terms in the order of the file.
            local = person @ camera.R.T + camera.t
            plane = local[..., :2] / local[..., 2:]
            r2 = (plane**2).sum(-1, keepdims=True)
            k1, k2, p1, p2, k3 = camera.distortion
            p = np.array([p1, p2])
            lens = plane * (1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + (plane @ p)[..., None]) + p * r2
            theirs = lens * camera.K[(0, 1), (0, 1)] + camera.K[:2, 2]
            apart = np.linalg.norm(theirs - pixels, axis=-1)
            body = np.linalg.norm(np.ptp(pixels, axis=1), axis=-1)[:, None]
            assert 1e-6 < np.median(apart / body) < TRUTH_LIMIT / 5
    # One subject's cameras are not another's.
    pixels = rigs["S1"][0].project(person)
    moved = np.linalg.norm(pixels - rigs["S5"][0].project(person), axis=-1)
    assert np.median(moved / np.linalg.norm(np.ptp(pixels, axis=1), axis=-1)[:, None]) > TRUTH_LIMIT

"""MPI-INF-3DHP in MATLAB's old and new files: numbers, cameras, valid frames, and one clear error for each fault."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import three_dhp_samples as samples
from damage import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lift3d.datasets import mpi_inf_3dhp
from lift3d.datasets.mpi_inf_3dhp_files import read_cameras, read_test, read_training, read_valid
from lift3d.datasets.recordings import Recording
from lift3d.errors import FileFormatError
from lift3d.skeletons import MPI17, MPI17_PELVIS_FIRST, MPI28

LAYOUT = MPI17_PELVIS_FIRST


def joints(xyz: np.ndarray, names: list[str]) -> np.ndarray:
    """The layout's joints by name."""
    return np.stack([xyz[:, names.index(joint)] for joint in LAYOUT.joints], axis=1)


@pytest.fixture(scope="module", params=["classic", "v73"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole set: old files with their cameras, and new ones without."""
    path = tmp_path_factory.mktemp(request.param)
    new = request.param == "v73"
    samples.write_training(path, v73=new, calibration=not new)
    samples.write_test(path / "mpi_inf_3dhp_test_set")
    return path


@pytest.fixture(scope="module")
def recordings(folder: Path) -> dict[str, Recording]:
    return {recording.name: recording for recording in mpi_inf_3dhp.read(folder)[1]}


def test_layouts_are_those_of_the_set() -> None:
    assert list(MPI28.joints) == samples.NAMES_28
    assert list(MPI17.joints) == samples.NAMES_17
    # The indices that papers on the set take the 17 of the 28 joints by.
    customary = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
    assert [MPI28.joints[index] for index in customary] == list(MPI17.joints)
    assert sorted(LAYOUT.joints) == sorted(MPI17.joints)
    assert LAYOUT.joints[0] == "pelvis"


def test_the_set_is_described(folder: Path) -> None:
    info, _ = mpi_inf_3dhp.read(folder)
    assert (info.name, info.space, info.skeleton_3d, info.skeleton_2d) == ("mpi_inf_3dhp", "camera", *2 * [LAYOUT.name])
    assert info.training == tuple(f"S{number}" for number in range(1, 9))
    assert info.test == tuple(f"TS{number}" for number in range(1, 7))
    assert info.exclusions[0].startswith("Cameras 3, 9, 10, 11, 12, 13 ")
    assert "TS4: 3 of 12 frames are not valid and count as missing" in info.exclusions


def test_training_recordings(recordings: dict[str, Recording]) -> None:
    expected = {f"S{s}/Seq{q}/camera{c}" for s in range(1, 9) for q in (1, 2) for c in (0, 1, 2, 4, 5, 6, 7, 8)}
    assert {name for name in recordings if name.startswith("S")} == expected
    fast = {name.rpartition("/")[0] for name, recording in recordings.items() if recording.fps == 50}
    assert fast == {"S1/Seq2", "S3/Seq1", "S3/Seq2", "S5/Seq1", "S5/Seq2"}


@pytest.mark.parametrize("name", ["S1/Seq1/camera0", "S8/Seq2/camera7"])
def test_training_numbers(recordings: dict[str, Recording], name: str) -> None:
    recording = recordings[name]
    subject, sequence, camera_name = name.split("/")
    true = samples.training_camera(int(camera_name[6:]))
    world = joints(samples.training_joints(subject, sequence, 6), samples.NAMES_28)
    by_hand = np.array([[true.R @ joint + true.t for joint in frame] for frame in world])
    np.testing.assert_allclose(recording.xyz, by_hand, atol=1e-4)
    (view,) = recording.views
    assert (np.eye(3) == view.camera.R).all()
    assert (view.camera.t == 0).all()
    assert view.camera.name == camera_name
    assert view.camera.image_size == (2048, 2048)
    np.testing.assert_allclose(view.camera.K, true.K, atol=1e-2)
    pixels, _ = cv2.projectPoints(by_hand.reshape(-1, 3), np.zeros(3), np.zeros(3), true.K, np.zeros(5))
    np.testing.assert_allclose(view.xy.reshape(-1, 2), pixels[:, 0], atol=1e-3)
    assert recording.xyz[..., 2].min() > 1  # in front of the camera
    # Upright in the image, whose y points down.
    assert (recording.xyz[:, LAYOUT.index("head_top"), 1] < recording.xyz[:, LAYOUT.index("pelvis"), 1] - 0.4).all()


@pytest.mark.parametrize("subject", ["TS1", "TS4", "TS5", "TS6"])
def test_test_numbers_and_valid_frames(recordings: dict[str, Recording], subject: str) -> None:
    recording = recordings[subject]
    true = samples.test_camera(subject)
    valid = samples.valid_frames(12)
    by_hand = samples.in_camera(true, joints(samples.test_joints(subject, 12), samples.NAMES_17))
    np.testing.assert_allclose(recording.xyz[valid], by_hand[valid], atol=1e-4)
    assert np.isnan(recording.xyz[~valid]).all()
    (view,) = recording.views
    assert np.isnan(view.xy[~valid]).all()
    np.testing.assert_array_equal(view.confidence, np.broadcast_to(valid[:, None], (12, 17)))
    assert view.camera.image_size == ((1920, 1080) if subject in ("TS5", "TS6") else (2048, 2048))
    np.testing.assert_allclose(view.camera.K, true.K, atol=0.05)
    np.testing.assert_allclose(view.camera.distortion, true.distortion, atol=1e-3)
    pixels, _ = cv2.projectPoints(by_hand[valid].reshape(-1, 3), np.zeros(3), np.zeros(3), true.K, true.distortion)
    np.testing.assert_allclose(view.xy[valid].reshape(-1, 2), pixels[:, 0], atol=1e-3)
    assert recording.fps == 25


def test_universal_targets(folder: Path, recordings: dict[str, Recording]) -> None:
    info, iterator = mpi_inf_3dhp.read(folder, universal=True)
    assert info.provenance["targets"] == "univ_annot3"
    assert "universal" in info.rules
    for recording in iterator:
        own = recordings[recording.name]
        np.testing.assert_allclose(recording.xyz, samples.UNIVERSAL * own.xyz, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(recording.views[0].xy, own.views[0].xy)
        np.testing.assert_allclose(recording.views[0].camera.K, own.views[0].camera.K)


def test_one_part_alone(tmp_path: Path) -> None:
    samples.write_test(tmp_path)
    info, iterator = mpi_inf_3dhp.read(tmp_path)
    assert (info.training, len(info.test), info.actions) == ((), 6, ())
    assert [recording.name for recording in iterator] == list(info.test)


def test_calibration_file(tmp_path: Path) -> None:
    path = tmp_path / "camera.calibration"
    assert read_cameras(path, 14) is None
    samples.write_calibration(path)
    cameras = read_cameras(path, 14)
    assert cameras is not None
    for index, camera in enumerate(cameras):
        np.testing.assert_allclose(camera.K, samples.training_camera(index).K, atol=1e-6)
    text = path.read_text()
    for broken, words in (
        (text.replace("name          13", "name          12"), "expected 14 cameras from 0 on"),
        (text.replace("intrinsic   1497 0", "intrinsic   1497"), "camera0: expected 'size' and 16 numbers"),
        (text.replace("intrinsic   1497 0", "intrinsic   -1497 0"), "camera0: .*positive focal lengths"),
        ("", "expected 14 cameras from 0 on, found none"),
    ):
        path.write_text(broken)
        with pytest.raises(FileFormatError, match=words):
            read_cameras(path, 14)


def spoil_training(change: Callable[[dict[str, Any]], None], calibration: bool = False) -> Callable[[Path], Path]:
    """S2/Seq1 is spoiled."""

    def write(folder: Path) -> Path:
        samples.write_training(folder, frames=4, calibration=calibration)
        variables = samples.training_variables(samples.training_joints("S2", "Seq1", 4))
        change(variables)
        path = folder / "S2" / "Seq1" / "annot.mat"
        samples.write_classic(path, variables)
        return path

    return write


def spoil_test(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], Path]:
    """TS3 is spoiled."""

    def write(folder: Path) -> Path:
        samples.write_test(folder)
        variables = samples.test_variables("TS3", samples.test_joints("TS3", 8), samples.valid_frames(8))
        change(variables)
        path = folder / "TS3" / "annot_data.mat"
        samples.write_v73(path, variables)
        return path

    return write


def cell(name: str, camera: int, change: Callable[[np.ndarray], Any]) -> Callable[[dict[str, Any]], None]:
    def spoil(variables: dict[str, Any]) -> None:
        variables[name][camera, 0] = change(variables[name][camera, 0])

    return spoil


def nan_at(array: np.ndarray) -> np.ndarray:
    array[2, 12] = np.nan  # of the pelvis, the fifth of the 28 joints
    return array


def set_to(name: str, change: Callable[[np.ndarray], Any]) -> Callable[[dict[str, Any]], None]:
    return lambda variables: variables.update({name: change(variables[name])})


def all_empty(variables: dict[str, Any]) -> None:
    for name in ("annot2", "annot3"):
        for camera in range(14):
            variables[name][camera, 0] = variables[name][camera, 0][:0]


def another_camera(variables: dict[str, Any]) -> None:
    variables["annot2"][0, 0] = variables["annot2"][5, 0]


def missing(file: str, write: Callable[[Path], None]) -> Callable[[Path], Path]:
    def remove(folder: Path) -> Path:
        write(folder)
        (folder / file).unlink()
        return folder / file

    return remove


@pytest.mark.parametrize(
    ("write", "words"),
    [
        pytest.param(lambda folder: folder, "holds neither S1/Seq1/annot.mat nor TS1", id="nothing"),
        pytest.param(missing("S7/Seq2/annot.mat", samples.write_training), "S7 Seq2 is missing", id="sequence"),
        pytest.param(missing("TS2/annot_data.mat", samples.write_test), "TS2 is missing", id="test sequence"),
        pytest.param(
            spoil_training(set_to("annot3", lambda a: a[:5])), "annot3: expected a cell array of 14", id="cameras"
        ),
        pytest.param(spoil_training(set_to("annot3", lambda a: np.ones((4, 84)))), "found an array", id="no cells"),
        pytest.param(
            spoil_training(cell("annot3", 4, lambda a: a[:, :51])), r"annot3\{5\}: expected \(frames, 84\)", id="joints"
        ),
        pytest.param(
            spoil_training(cell("annot2", 4, lambda a: a[1:])), r"annot2\{5\}: 3 frames, but annot3 has 4", id="frames"
        ),
        pytest.param(spoil_training(all_empty), r"annot3\{1\}: the action has no frames", id="no frames"),
        pytest.param(
            spoil_training(all_empty, True), r"annot3\{1\}: the action has no frames", id="no frames, cameras"
        ),
        pytest.param(
            spoil_training(cell("annot3", 1, nan_at)), r"annot3\{2\}: 1 of 4 frames .* the first is frame 2", id="NaN"
        ),
        pytest.param(
            spoil_training(another_camera, True),
            "camera camera0: cameras do not project",
            id="projection",
        ),
        pytest.param(spoil_training(another_camera), "camera0.*(do not project|cannot)", id="no camera"),
        pytest.param(
            spoil_test(lambda v: v.update(valid_frame=np.ones((9, 1)))), "valid_frame: 9 frames, but", id="valid"
        ),
        pytest.param(
            spoil_test(lambda v: v.update(valid_frame=np.ones((9, 2)))), "one number a frame", id="valid shape"
        ),
        pytest.param(
            spoil_test(lambda v: v.update(valid_frame=np.zeros((8, 1)))),
            "annot3: the action has no frames",
            id="none valid",
        ),
        pytest.param(
            spoil_test(set_to("annot3", lambda a: a[:, :16])),
            r"annot3: expected \(3, 17, 1, frames\)",
            id="test joints",
        ),
        pytest.param(spoil_test(set_to("annot3", lambda a: a * np.nan)), "annot3: 5 of 5 frames", id="test NaN"),
        pytest.param(spoil_test(set_to("annot3", lambda a: -a)), "annot3: camera 'camera' .* behind", id="behind"),
    ],
)
def test_what_can_be_wrong(tmp_path: Path, write: Callable[[Path], Path], words: str) -> None:
    path = write(tmp_path)
    with pytest.raises(FileFormatError, match=words) as caught:
        list(mpi_inf_3dhp.read(tmp_path)[1])
    assert caught.value.path == str(path)


@pytest.mark.parametrize("writer", [samples.write_classic, samples.write_v73])
def test_a_variable_is_missing(tmp_path: Path, writer: Callable[[Path, Any], None]) -> None:
    variables = samples.training_variables(samples.training_joints("S1", "Seq1", 2))
    del variables["annot3"]
    writer(tmp_path / "annot.mat", variables)
    with pytest.raises(FileFormatError, match="annot3: the variable is missing"):
        read_training(tmp_path / "annot.mat", [0], universal=False)


def test_a_cell_of_text(tmp_path: Path) -> None:
    path = tmp_path / "annot.mat"
    variables = samples.training_variables(samples.training_joints("S1", "Seq1", 2))
    variables["annot2"][3, 0] = "text"
    samples.write_classic(path, variables)
    with pytest.raises(FileFormatError, match=r"annot2\{4\}: expected numbers"):
        read_training(path, [0], universal=False)


def test_a_sequence_of_one_frame(tmp_path: Path) -> None:
    """MATLAB drops a last axis of length 1."""
    path = tmp_path / "annot_data.mat"
    joints_17 = samples.test_joints("TS1", 1)
    variables = samples.test_variables("TS1", joints_17, np.ones(1, dtype=bool))
    samples.write_v73(path, {name: array[..., 0] if array.ndim == 4 else array for name, array in variables.items()})
    found = read_test(path, universal=False)
    expected = samples.in_camera(samples.test_camera("TS1"), joints(joints_17, samples.NAMES_17))
    np.testing.assert_allclose(found.xyz, expected)
    assert read_valid(path).tolist() == [True]


@pytest.mark.parametrize("writer", [samples.write_classic, samples.write_v73])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_named_errors(
    tmp_path: Path, writer: Callable[[Path, Any], None], data: st.DataObject
) -> None:
    whole = tmp_path / "whole.mat"
    if not whole.exists():
        writer(whole, samples.training_variables(samples.training_joints("S1", "Seq1", 1)))
    path = tmp_path / "annot.mat"
    path.write_bytes(data.draw(damaged(whole.read_bytes())))
    with suppress(FileFormatError):
        read_training(path, [0, 8], universal=False)

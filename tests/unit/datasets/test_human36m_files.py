"""Human3.6M from one file a take: original CDF, MATLAB's conversion, 3d-pose-baseline's archive; and damaged files."""

import builtins
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import human36m_samples as samples
import numpy as np
import pytest
from damage import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from lift3d.datasets import human36m
from lift3d.datasets.human36m_files import find_takes, read_take
from lift3d.datasets.videopose3d_files import read_positions_2d, read_positions_3d
from lift3d.errors import FileFormatError, MissingDependencyError
from lift3d.skeletons import H36M17

WRITERS = {"cdf": samples.write_cdf_set, "mat": samples.write_mat_set, "h5": samples.write_h5_set}
FEW = ("S1", "S11")


@pytest.fixture(scope="module", params=WRITERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param)
    WRITERS[request.param](path, subjects=FEW)
    samples.write_cameras(path, FEW)
    return path


def test_numbers_and_names(folder: Path) -> None:
    info, iterator = human36m.read(folder, subjects=FEW)
    recordings = {recording.name: recording for recording in iterator}
    assert set(recordings) == {f"{subject}/{take}" for subject in FEW for take in samples.TAKES} - {"S11/Directions"}
    assert info.exclusions
    for name, recording in recordings.items():
        source = samples.positions_32(*name.split("/"), 3)  # type: ignore[call-arg, arg-type]
        for joint in H36M17.joints:
            np.testing.assert_allclose(
                recording.xyz[:, H36M17.index(joint)], source[:, samples.NAMES_32.index(joint)], atol=1e-4
            )
        assert len(recording.views) == 4


def test_2d_files_go_with_every_kind_of_3d(folder: Path) -> None:
    keypoints = samples.ground_truth(samples.all_positions(3, FEW))
    samples.write_keypoints(folder, "gt", keypoints, samples.H36M_METADATA)
    _, recordings = human36m.read(folder, "gt", subjects=FEW)
    recording = next(recordings)
    np.testing.assert_array_equal(recording.views[1].xy, keypoints["S1"][recording.name.removeprefix("S1/")][1])


def test_one_take_is_in_memory_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(human36m, "read_take", lambda path: opened.append(path) or read_take(path))
    _, recordings = human36m.read(folder, subjects=FEW)
    assert not opened
    next(recordings)
    assert len(opened) == 1


def test_other_places_of_the_takes(tmp_path: Path) -> None:
    samples.write_h5_set(tmp_path / "a", subjects=("S1",))
    place = tmp_path / "S1" / "Poses_D3_Positions"
    place.parent.mkdir()
    (tmp_path / "a" / "h36m" / "S1" / "MyPoses" / "3D_positions").rename(place)
    (place / "_ALL 1.h5").write_bytes(b"")
    assert [take.name for take in find_takes(tmp_path, ["S1"])["S1"]] == sorted(samples.TAKES)


def test_the_originals_come_before_their_conversions(tmp_path: Path) -> None:
    samples.write_cdf_set(tmp_path / "cdf", subjects=("S1",))
    samples.write_mat_set(tmp_path, subjects=("S1",))
    place = tmp_path / "S1" / "MyPoseFeatures" / "D3_Positions"
    for file in (tmp_path / "cdf" / "S1" / "MyPoseFeatures" / "D3_Positions").iterdir():
        file.rename(place / file.name)
    assert {take.path.suffix for take in find_takes(tmp_path, ["S1"])["S1"]} == {".cdf"}


def test_what_can_be_wrong_with_the_folder(tmp_path: Path) -> None:
    samples.write_cameras(tmp_path, FEW)
    with pytest.raises(FileFormatError, match="S1: the subject is missing"):
        human36m.read(tmp_path, subjects=FEW)
    samples.write_h5_set(tmp_path, subjects=FEW)
    place = tmp_path / "h36m" / "S1" / "MyPoses" / "3D_positions"
    (place / "Eating.h5").rename(place / "Lunch.h5")
    with pytest.raises(FileFormatError, match="not the name of one of"):
        human36m.read(tmp_path, subjects=FEW)
    (place / "Lunch.h5").rename(place / "Photo 1.h5")
    with pytest.raises(FileFormatError, match=r"is the take 'Photo 1', which Photo 1.h5 is too"):
        human36m.read(tmp_path, subjects=FEW)
    (place / "Photo 1.h5").unlink()
    with pytest.raises(FileFormatError, match="3D_positions, field S1: 1 takes of 'Eating' where"):
        human36m.read(tmp_path, subjects=FEW)


def write_h5(name: str, shape: tuple[int, ...], dtype: str = "f8") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with h5py.File(folder / "Eating.h5", "w") as file:
            file[name] = np.zeros(shape, dtype)
        return folder / "Eating.h5"

    return write


def write_cdf(shape: tuple[int, ...]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        samples.write_cdf(folder / "Eating.cdf", np.zeros(shape))
        return folder / "Eating.cdf"

    return write


def write_mat(**variables: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        savemat(folder / "Eating.cdf.mat", variables)
        return folder / "Eating.cdf.mat"

    return write


def write_text(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text("404 not found")
        return folder / name

    return write


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_h5("positions", (96, 4)), "3D_positions: the data set is missing"),
        (write_h5("3D_positions", (64, 4)), r"3D_positions: expected \(frames, 96\)"),
        (write_mat(other=np.zeros((4, 96))), "data: the variable is missing"),
        (write_mat(data="text"), "data: expected numbers"),
        (write_mat(data=np.zeros((4, 51))), r"data: expected \(frames, 96\)"),
        (write_text("Eating.h5"), "not a readable HDF5"),
        (write_text("Eating.cdf"), "Pose: not a readable CDF"),
        (write_text("Eating.cdf.mat"), "not a readable MATLAB file"),
    ],
)
def test_what_can_be_wrong_with_a_file(tmp_path: Path, write: Callable[[Path], Path], words: str) -> None:
    path = write(tmp_path)
    with pytest.raises(FileFormatError, match=words) as caught:
        read_take(path)
    assert caught.value.path == str(path)


def test_an_action_with_no_frames(tmp_path: Path) -> None:
    samples.write_h5_set(tmp_path, subjects=("S1",))
    samples.write_cameras(tmp_path, ("S1",))
    path = tmp_path / "h36m" / "S1" / "MyPoses" / "3D_positions" / "Eating.h5"
    with h5py.File(path, "w") as file:
        file["3D_positions"] = np.zeros((96, 0))
    with pytest.raises(FileFormatError, match="the action has no frames") as caught:
        list(human36m.read(tmp_path, subjects=("S1",))[1])
    assert caught.value.path == str(path)


def test_cdflib_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_cdf((2, 32, 3))(tmp_path)
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cdflib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"lift3d\[train\]"):
        read_take(path)


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[Path, bytes, Callable[[Path], object]]]:
    """One good file of every kind, its bytes, and its reader."""
    folder = tmp_path_factory.mktemp("damage")
    xyz = samples.positions_32("S1", "Eating", 2)
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = xyz.reshape(-1, 96)
    samples.write_cdf(folder / "Eating.cdf", xyz)
    savemat(folder / "Eating.cdf.mat", {"data": cell}, do_compression=True)
    with h5py.File(folder / "Eating.h5", "w") as file:
        file["3D_positions"] = xyz.reshape(-1, 96).T
    positions = {"S1": {"Eating": xyz}}
    samples.write_positions(folder, positions)
    samples.write_keypoints(folder, "gt", samples.ground_truth(positions), samples.H36M_METADATA)
    readers: dict[str, Callable[[Path], object]] = {
        "Eating.cdf": read_take,
        "Eating.cdf.mat": read_take,
        "Eating.h5": read_take,
        "data_3d_h36m.npz": lambda path: read_positions_3d(path, 32),
        "data_2d_h36m_gt.npz": read_positions_2d,
    }
    return {name: (folder / name, (folder / name).read_bytes(), reader) for name, reader in readers.items()}


@pytest.mark.parametrize(
    "name", ["Eating.cdf", "Eating.cdf.mat", "Eating.h5", "data_3d_h36m.npz", "data_2d_h36m_gt.npz"]
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_named_errors(
    whole: dict[str, tuple[Path, bytes, Callable[[Path], object]]], name: str, data: st.DataObject
) -> None:
    path, content, reader = whole[name]
    broken = path.with_name(f"broken-{name}")
    broken.write_bytes(data.draw(damaged(content)))
    with suppress(FileFormatError):
        reader(broken)

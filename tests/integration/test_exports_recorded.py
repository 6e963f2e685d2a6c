"""Real clips through every export and back: lifted, triangulated, two people who come and go."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import c3d
import ezc3d
import netCDF4
import numpy as np
import pandas as pd
import pytest

import lift3d
from lift3d.demo import CLIP
from lift3d.geometry.level import to_level
from lift3d.io.marker_names import rename_markers
from lift3d.io.poses3d import read_poses, write_poses
from lift3d.poses import Keypoints2D, Poses3D

CAMERAS = ("cam01", "cam02", "cam03", "cam04")
# Of the people in the four cameras' files of two_people those who are the same, by the distance of their rays.
TWO = ((0, 0, 1, 1), (2, 1, 0, 0))
CLIPS = ("lifted", "single", "two")


def views(folder: Path) -> list[Keypoints2D]:
    return [lift3d.read_keypoints(folder / "pose" / f"{name}_json", fps=60) for name in CAMERAS]


@pytest.fixture(scope="module")
def clips(shared_data: Path) -> dict[str, Poses3D]:
    demo = shared_data / "multiview" / "pose2sim_demo"
    rig = lift3d.read_rig(demo / "calibration" / "Calib.qca.txt")
    motions = views(demo / "two_people")
    chosen = [
        replace(motion.select(people=[person[camera] for person in TWO]), track_ids=(4, 9))
        for camera, motion in enumerate(motions)
    ]
    two = lift3d.triangulate(chosen, rig, one_person=False)
    xyz = two.xyz.copy()
    xyz[:20, 0] = np.nan
    xyz[60:75, 0] = np.nan
    xyz[80:, 1] = np.nan
    return {
        "lifted": lift3d.lift(lift3d.read_keypoints(CLIP)),
        "single": lift3d.triangulate(views(demo / "single_balancing"), rig),
        "two": replace(two, xyz=xyz, confidence=None),
    }


def differences(found: np.ndarray, poses: Poses3D, person: int) -> float:
    """The largest distance (metres) of (frames, joints, 3), Z up; what is missing must be missing in both."""
    expected = to_level(poses.xyz[:, person], poses.space)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    return float(np.nanmax(np.linalg.norm(found - expected, axis=-1)))


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("ending", [".h5", ".npz", ".json", ".csv", ".nc", ".trc", ".c3d"])
def test_read_back_by_lift3d(clips: dict[str, Poses3D], tmp_path: Path, clip: str, ending: str) -> None:
    poses = clips[clip]
    written = write_poses(poses, tmp_path / f"a{ending}")
    assert len(written) == (poses.people if ending in (".trc", ".c3d") else 1)
    again = [read_poses(file) for file in written]
    for person in range(poses.people):
        file, place = (person, 0) if len(written) > 1 else (0, person)
        found = to_level(again[file].xyz[:, place], again[file].space)
        assert differences(found, poses, person) < 1e-5
        assert again[file].fps == poses.fps
        assert again[file].skeleton.joints == poses.skeleton.joints


def by_ezc3d(file: Path) -> np.ndarray:
    content = ezc3d.c3d(str(file))
    return np.asarray(content["data"]["points"][:3].transpose(2, 1, 0) / 1000)


def by_c3d(file: Path) -> np.ndarray:
    with warnings.catch_warnings(), file.open("rb") as handle:
        warnings.simplefilter("ignore")
        frames = np.array([points for _, points, _ in c3d.Reader(handle).read_frames()])
    return np.where(frames[..., 3:4] < 0, np.nan, frames[..., :3] / 1000)


def by_pandas(file: Path) -> np.ndarray:
    """The columns of a TRC, Y up, as a table; (x, y, z) = (Z, X, Y)."""
    table = pd.read_csv(file, sep="\t", skiprows=5, header=None)
    ground = table.iloc[:, 2:].to_numpy(dtype=float).reshape(len(table), -1, 3)
    return np.asarray(ground[..., [2, 0, 1]])


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(("ending", "read"), [(".c3d", by_ezc3d), (".c3d", by_c3d), (".trc", by_pandas)])
def test_markers_read_by_others(
    clips: dict[str, Poses3D], tmp_path: Path, clip: str, ending: str, read: Callable[[Path], np.ndarray]
) -> None:
    poses = rename_markers(clips[clip], "opensim")
    for person, file in enumerate(write_poses(poses, tmp_path / f"a{ending}")):
        assert differences(read(file), poses, person) < 1e-5


@pytest.mark.parametrize("clip", CLIPS)
def test_netcdf_read_by_netcdf4(clips: dict[str, Poses3D], tmp_path: Path, clip: str) -> None:
    poses = clips[clip]
    write_poses(poses, tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        positions = np.ma.filled(file["position"][:], np.nan).transpose(0, 3, 2, 1)
        for person, name in enumerate(file["individuals"][:]):
            assert name == f"id_{poses.track_ids[person]}"
            assert differences(to_level(positions[:, person], poses.space), poses, person) == 0

"""NetCDF: round trips, what netCDF4 and xarray find, and data sets of movement."""

import json
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray

from lift3d.errors import FileFormatError, ShapeError
from lift3d.geometry.cameras import Camera
from lift3d.io.poses3d import read_poses, write_poses
from lift3d.poses import PER_JOINT, Poses3D
from lift3d.skeletons import H36M17


def make_poses(fps: float | None = 29.97) -> Poses3D:
    rng = np.random.default_rng(5)
    xyz = rng.normal(size=(4, 2, 17, 3))
    xyz[1, 0, 3] = np.nan
    shape = xyz.shape[:3]
    return Poses3D(
        xyz,
        confidence=rng.random(shape),
        skeleton=H36M17,
        fps=fps,
        track_ids=(3, 8),
        space="camera",
        sigma=rng.random(shape),
        covariance=rng.random((*shape, 3, 3)),
        reprojection_error=rng.random(shape),
        cameras_used=rng.integers(0, 33, shape),
        source=rng.integers(0, 5, shape),
        camera=Camera.assumed((1920, 1080)),
        provenance={"source": "a.json", "steps": ["ä"]},
    )


@pytest.mark.parametrize("fps", [None, 59.94])
def test_round_trip_keeps_everything_but_keypoints(tmp_path: Path, fps: float | None) -> None:
    poses = make_poses(fps)
    write_poses(poses, tmp_path / "a.nc")
    again = read_poses(tmp_path / "a.nc")
    for name in ("xyz", "confidence", *PER_JOINT):
        np.testing.assert_array_equal(getattr(again, name), getattr(poses, name))
    for name in ("skeleton", "fps", "track_ids", "space", "provenance"):
        assert getattr(again, name) == getattr(poses, name)
    assert again.camera is not None
    assert again.camera.to_dict() == poses.camera.to_dict()


def test_what_netcdf4_alone_finds(tmp_path: Path) -> None:
    poses = make_poses()
    write_poses(poses, tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert {name: len(axis) for name, axis in file.dimensions.items()} == {
            "time": 4, "space": 3, "space_2": 3, "keypoints": 17, "individuals": 2,
        }  # fmt: skip
        assert list(file["keypoints"][:]) == list(H36M17.joints)
        assert list(file["individuals"][:]) == ["id_3", "id_8"]
        positions = np.ma.filled(file["position"][:], np.nan)
        np.testing.assert_array_equal(positions.transpose(0, 3, 2, 1), poses.xyz)
        assert (file.ds_type, file.units, file.time_unit) == ("poses", "metre", "seconds")
        assert json.loads(file.skeleton)["name"] == "h36m17"


def test_what_xarray_finds(tmp_path: Path) -> None:
    poses = make_poses()
    write_poses(poses, tmp_path / "a.nc")
    with xarray.open_dataset(tmp_path / "a.nc") as data:
        knee = data.position.sel(keypoints="left_knee", individuals="id_8", space="y")
        np.testing.assert_array_equal(knee, poses.xyz[:, 1, H36M17.index("left_knee"), 1])
        cross = data.covariance.sel(keypoints="left_knee", individuals="id_8", space="y", space_2="z")
        np.testing.assert_array_equal(cross, poses.covariance[:, 1, H36M17.index("left_knee"), 1, 2])
        np.testing.assert_allclose(data.time, np.arange(4) / 29.97)


def movement_like(**attributes: object) -> xarray.Dataset:
    """A data set as movement itself makes it."""
    return xarray.Dataset(
        {
            "position": (("time", "space", "keypoints", "individuals"), np.ones((3, 3, 2, 2)) * [1, 2]),
            "confidence": (("time", "keypoints", "individuals"), np.full((3, 2, 2), np.nan)),
        },
        coords={
            "time": np.arange(3) / 25,
            "space": ["x", "y", "z"],
            "keypoints": ["snout", "tail"],
            "individuals": ["mouse", "rat"],
        },
        attrs={"ds_type": "poses", "source_software": "SLEAP", "time_unit": "seconds", **attributes},
    )


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_a_data_set_of_movement(tmp_path: Path, engine: str) -> None:
    movement_like(units="mm").to_netcdf(tmp_path / "a.nc", engine=engine)
    poses = read_poses(tmp_path / "a.nc")
    np.testing.assert_allclose(poses.xyz[:, 1], 0.002)
    assert (poses.confidence == 1).all()
    assert (poses.skeleton.joints, poses.fps, poses.track_ids) == (("snout", "tail"), 25, (0, 1))
    assert poses.provenance["track_names"] == ["mouse", "rat"]
    assert poses.provenance["steps"] == []


def test_a_unit_that_is_not_named_is_said(tmp_path: Path) -> None:
    movement_like().to_netcdf(tmp_path / "a.nc")
    assert "taken as metres" in str(read_poses(tmp_path / "a.nc").provenance["steps"])


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (movement_like().drop_vars("position"), "position: the variable is missing"),
        (movement_like().isel(space=[0, 1]), "2D points"),
        (movement_like().isel(individuals=0), "expected numbers over time"),
        (movement_like(fps=-1.0), "fps"),
        (movement_like(skeleton="{"), "Expecting"),
        (xarray.Dataset({"a": ("b", [1])}), "position"),
    ],
)
def test_what_is_no_data_set_of_poses(tmp_path: Path, dataset: xarray.Dataset, message: str) -> None:
    dataset.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(FileFormatError, match=message):
        read_poses(tmp_path / "a.nc")


def test_no_frames_make_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="0 frames"):
        write_poses(make_poses().select(slice(0, 0)), tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_movement_takes_the_file(tmp_path: Path) -> None:
    """movement brings an OpenCV of its own and is no dependency; where it is installed, it validates and computes."""
    validators = pytest.importorskip("movement.validators.datasets")
    kinematics = pytest.importorskip("movement.kinematics")
    poses = replace(make_poses(), xyz=np.arange(4.0)[:, None, None, None] * np.ones((4, 2, 17, 3)))
    write_poses(poses, tmp_path / "a.nc")
    with xarray.open_dataset(tmp_path / "a.nc") as data:
        validators.ValidPosesInputs.validate(data)
        np.testing.assert_allclose(kinematics.compute_velocity(data.position), 29.97, rtol=1e-5)

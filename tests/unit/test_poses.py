"""The two containers: what they refuse, how they slice and convert, and their HDF5 file, whole and damaged."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray
from damage import damaged
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import FileFormatError, OutputExistsError, ShapeError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.io.motion_file import stored_kind
from lift3d.joint_names import custom_skeleton
from lift3d.poses import PER_JOINT, SOURCES, Keypoints2D, Poses3D, add_step
from lift3d.skeletons import COCO17, H36M17


def make_keypoints(frames: int = 6, people: int = 2) -> Keypoints2D:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 1000, size=(frames, people, 17, 2))
    xy[1, 0, 4] = np.nan
    return Keypoints2D(
        xy,
        rng.random(xy.shape[:3]),
        COCO17,
        fps=30,
        track_ids=tuple(range(5, 5 + people)),
        image_size=(1920, 1080),
        provenance={"source": "a.json", "steps": ["read"]},
    )


def make_poses(frames: int = 6, people: int = 2) -> Poses3D:
    rng = np.random.default_rng(1)
    shape = (frames, people, 17)
    xyz = rng.normal(size=(*shape, 3))
    xyz[2, 0, 3] = np.nan
    return Poses3D(
        xyz,
        rng.random(shape),
        custom_skeleton([f"joint {k}" for k in range(16)] + ["RHip"], name="mine"),
        fps=29.97,
        track_ids=tuple(range(5, 5 + people)),
        space="camera",
        sigma=rng.random(shape),
        reprojection_error=rng.random(shape),
        covariance=rng.random((*shape, 3, 3)),
        cameras_used=rng.integers(0, 33, shape),
        source=rng.integers(0, len(SOURCES), shape),
        camera=Camera(np.diag([1000, 1000, 1.0]), [0.1, 0, 0, 0, 0], image_size=(1920, 1080), name="cam ä"),
        keypoints=make_keypoints(frames, people),
        provenance={"steps": ["lifted"], "height": 1.7, "long": "x" * 100_000},
    )


def assert_same(a: Any, b: Any) -> None:
    arrays = ("xy", "xyz", "confidence", *PER_JOINT)
    for name in arrays:
        if hasattr(a, name):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    for name in ("skeleton", "fps", "track_ids", "image_size", "space", "provenance"):
        assert getattr(a, name, None) == getattr(b, name, None)
    if getattr(a, "camera", None) is not None:
        assert a.camera.to_dict() == b.camera.to_dict()
    if getattr(a, "keypoints", None) is not None:
        assert_same(a.keypoints, b.keypoints)


def test_missing_means_one_thing() -> None:
    """One NaN coordinate makes the joint missing: all coordinates NaN, confidence 0."""
    xy = np.ones((1, 1, 17, 2))
    xy[0, 0, 2, 0] = np.nan
    confidence = np.ones((1, 1, 17))
    confidence[0, 0, 3] = np.nan
    keypoints = Keypoints2D(xy, confidence, "coco17")
    assert np.isnan(keypoints.xy[0, 0, 2]).all()
    assert keypoints.confidence[0, 0, 2] == 0
    assert keypoints.confidence[0, 0, 3] == 0
    assert keypoints.xy.dtype == keypoints.confidence.dtype == np.float32
    np.testing.assert_array_equal(Keypoints2D(xy, skeleton="coco17").confidence[0, 0, :4], [1, 1, 0, 1])
    poses = Poses3D(np.where(np.arange(3) == 1, np.nan, np.ones((1, 1, 17, 3))), skeleton="coco17")
    assert np.isnan(poses.xyz).all()
    assert not poses.confidence.any()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"xy": np.ones((2, 17, 2))}, "must be"),
        ({"xy": np.ones((2, 1, 17, 3))}, "must be"),
        ({"xy": np.ones((2, 1, 16, 2))}, "16 joints"),
        ({"xy": np.full((2, 1, 17, 2), np.inf)}, "infinite"),
        ({"confidence": np.ones((2, 17))}, "confidence must be"),
        ({"confidence": np.full((2, 1, 17), 1.5)}, "between 0 and 1"),
        ({"confidence": np.full((2, 1, 17), -0.1)}, "between 0 and 1"),
        ({"skeleton": None}, "skeleton must be given"),
        ({"fps": 0}, "fps"),
        ({"fps": np.nan}, "fps"),
        ({"track_ids": (1, 2)}, "track_ids"),
        ({"image_size": (0, 100)}, "image_size"),
    ],
)
def test_keypoints_refuse(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Keypoints2D(**{"xy": np.ones((2, 1, 17, 2)), "skeleton": "coco17", **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"xyz": np.ones((2, 1, 17, 2))}, "must be"),
        ({"space": "image"}, "space"),
        ({"sigma": np.full((2, 1, 17), -1)}, "sigma must be 0 or more"),
        ({"sigma": np.ones((2, 17))}, "sigma"),
        ({"reprojection_error": np.full((2, 1, 17), np.inf)}, "reprojection_error"),
        ({"covariance": np.ones((2, 1, 17))}, "covariance must be"),
        ({"cameras_used": np.full((2, 1, 17), -1)}, "cameras_used must be between 0 and 255"),
        ({"source": np.full((2, 1, 17), len(SOURCES))}, "source must be between"),
        ({"keypoints": make_keypoints(3, 1)}, "keypoints hold"),
        ({"track_ids": (1,) * 2, "xyz": np.ones((2, 2, 17, 3))}, "different numbers"),
    ],
)
def test_poses_refuse(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Poses3D(**{"xyz": np.ones((2, 1, 17, 3)), "skeleton": "coco17", **fields})


def test_unknown_layout() -> None:
    with pytest.raises(SkeletonError, match="known are"):
        Keypoints2D(np.ones((2, 1, 17, 2)), skeleton="smpl")


def test_select_takes_everything_along() -> None:
    poses = make_poses()
    part = poses.select(slice(1, 5, 2), people=[1])
    np.testing.assert_array_equal(part.xyz, poses.xyz[1:5:2, 1:])
    np.testing.assert_array_equal(part.sigma, poses.sigma[1:5:2, 1:])
    np.testing.assert_array_equal(part.keypoints.xy, poses.keypoints.xy[1:5:2, 1:])
    assert part.track_ids == part.keypoints.track_ids == (6,)
    assert part.fps == pytest.approx(29.97 / 2)
    assert (part.frames, part.people) == (2, 1)
    assert_same(poses.select(), poses)
    assert poses.select(people=[]).people == 0


def test_convert_keeps_what_is_known_of_measured_joints_only() -> None:
    rng = np.random.default_rng(2)
    poses = Poses3D(
        rng.normal(size=(3, 1, 17, 3)),
        skeleton=COCO17,
        sigma=rng.random((3, 1, 17)),
        covariance=rng.random((3, 1, 17, 3, 3)),
        cameras_used=np.full((3, 1, 17), 4),
        source=np.full((3, 1, 17), SOURCES.index("measured")),
    )
    changed, change = poses.convert("h36m17")
    knee, pelvis = H36M17.index("left_knee"), H36M17.index("pelvis")
    np.testing.assert_array_equal(changed.covariance[..., knee, :, :], poses.covariance[..., 13, :, :])
    assert COCO17.joints[13] == "left_knee"
    assert np.isnan(changed.covariance[..., pelvis, :, :]).all()
    assert (changed.cameras_used[..., knee] == 4).all()
    assert (changed.cameras_used[..., pelvis] == 0).all()
    assert (changed.source[..., pelvis] == SOURCES.index("derived")).all()
    np.testing.assert_array_equal(
        changed.sigma[..., H36M17.index("left_knee")], poses.sigma[..., COCO17.index("left_knee")]
    )
    assert np.isnan(changed.sigma[..., H36M17.index("pelvis")]).all()
    assert changed.provenance["steps"] == [change.describe()]
    keypoints, _ = make_keypoints().convert("h36m17")
    assert keypoints.skeleton is H36M17
    assert keypoints.provenance["steps"][0] == "read"


def test_add_step_leaves_the_old_record_alone() -> None:
    old = {"source": "a", "steps": ["one"]}
    assert add_step(old, "two") == {"source": "a", "steps": ["one", "two"]}
    assert old["steps"] == ["one"]


# --- HDF5 -------------------------------------------------------------------------------------------------------------


def test_hdf5_round_trip(tmp_path: Path) -> None:
    for motion in (make_keypoints(), make_poses()):
        file = tmp_path / f"{type(motion).__name__}.h5"
        motion.save(file)
        assert_same(type(motion).load(file), motion)
        with pytest.raises(OutputExistsError):
            motion.save(file)
        motion.save(file, overwrite=True)
        assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []


def test_hdf5_of_the_least(tmp_path: Path) -> None:
    for name, poses in {
        "plain": Poses3D(np.ones((1, 1, 17, 3)), skeleton="h36m17"),
        "no people": Poses3D(np.ones((3, 0, 17, 3)), skeleton="h36m17"),
        "no frames": Poses3D(np.ones((0, 2, 17, 3)), skeleton="h36m17"),
    }.items():
        poses.save(tmp_path / name)
        assert_same(Poses3D.load(tmp_path / name), poses)


def test_hdf5_is_readable_without_lift3d(tmp_path: Path) -> None:
    make_poses().save(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["xyz"].shape == (6, 2, 17, 3)
        assert file["xyz"].attrs["units"].decode() == "metre"
        assert json.loads(file.attrs["skeleton"])["joints"][-1] == "right_hip"
        assert file["keypoints/xy"].shape == (6, 2, 17, 2)


def test_hdf5_with_texts_of_variable_length(tmp_path: Path) -> None:
    """h5py's own way to write texts, as earlier files hold them."""
    make_keypoints().save(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        for name in ("format", "kind", "skeleton", "provenance"):
            file.attrs[name] = file.attrs[name].decode()
    assert_same(Keypoints2D.load(tmp_path / "a.h5"), make_keypoints())


def test_the_kind_of_a_file(tmp_path: Path) -> None:
    make_keypoints().save(tmp_path / "2d.h5")
    make_poses().save(tmp_path / "3d.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["tracks"] = np.zeros(3)
    (tmp_path / "text.h5").write_text("hello")
    assert stored_kind(tmp_path / "2d.h5") == "keypoints_2d"
    assert stored_kind(tmp_path / "3d.h5") == "poses_3d"
    assert stored_kind(tmp_path / "other.h5") is None
    assert stored_kind(tmp_path / "text.h5") is None
    assert stored_kind(tmp_path / "none.h5") is None
    with pytest.raises(FileFormatError, match="expected lift3d poses_3d, found lift3d keypoints_2d"):
        Poses3D.load(tmp_path / "2d.h5")
    with pytest.raises(FileFormatError, match="another program"):
        Poses3D.load(tmp_path / "other.h5")
    with pytest.raises(FileFormatError, match="not a readable HDF5"):
        Keypoints2D.load(tmp_path / "text.h5")
    with pytest.raises(FileFormatError, match="no such file"):
        Keypoints2D.load(tmp_path / "none.h5")


def _set_array(name: str, array: np.ndarray) -> Any:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = array

    return change


def _huge(file: h5py.File) -> None:
    del file["xyz"]
    file.create_dataset("xyz", shape=(10**9, 1000, 17, 3), dtype="f4", chunks=(1, 1, 17, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.attrs.__setitem__("skeleton", "{"), "field skeleton: not valid JSON"),
        (lambda file: file.attrs.__setitem__("skeleton", "[]"), "field skeleton"),
        (lambda file: file.attrs.__setitem__("skeleton", '{"name": "a", "joints": ["b"], "parents": [5]}'), "tree"),
        (lambda file: file.attrs.__setitem__("camera", "{}"), "camera"),
        (lambda file: file.attrs.__setitem__("provenance", "3"), "not"),
        (lambda file: file.attrs.__setitem__("fps", -3.0), "fps"),
        (lambda file: file.attrs.__setitem__("fps", "fast"), "fast"),
        (lambda file: file.attrs.__setitem__("track_ids", [1, 1]), "track_ids"),
        (lambda file: file.attrs.__setitem__("track_ids", [np.inf, 1]), "infinity"),
        (lambda file: file.attrs.__setitem__("space", "moon"), "space"),
        (lambda file: file.__delitem__("xyz"), "field xyz: the data set is missing"),
        (lambda file: file.__delitem__("keypoints/xy"), "field xy"),
        (_set_array("xyz", np.zeros((6, 2, 17, 3), dtype=int)), "expected numbers"),
        (_set_array("xyz", np.zeros((6, 2, 17))), "xyz must be"),
        (_set_array("sigma", np.zeros((6, 2, 16))), "sigma"),
        (_set_array("xyz", np.full((6, 2, 17, 3), np.inf)), "infinite"),
        (_huge, "over the limit"),
    ],
)
def test_hdf5_with_a_wrong_field(tmp_path: Path, change: Any, message: str) -> None:
    make_poses().save(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        change(file)
    with pytest.raises(FileFormatError, match=message) as raised:
        Poses3D.load(tmp_path / "a.h5")
    assert "a.h5" in str(raised.value)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from([Keypoints2D, Poses3D]))
def test_damaged_hdf5_is_an_error_or_the_same_data(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: type[Keypoints2D] | type[Poses3D]
) -> None:
    """Bytes may change and the file may end early: the checksums leave no wrong number behind."""
    motion = make_keypoints(3, 1) if kind is Keypoints2D else replace(make_poses(3, 1), provenance={})
    file = tmp_path_factory.mktemp("damaged") / "a.h5"
    motion.save(file)
    file.write_bytes(data.draw(damaged(file.read_bytes())))
    with suppress(FileFormatError):
        assert_same(kind.load(file), motion)


def test_no_single_wrong_bit_goes_unnoticed(tmp_path: Path) -> None:
    """From one end of the file to the other; in the index of chunks one could let an array read as zeros."""
    keypoints = make_keypoints(3, 1)
    file = tmp_path / "a.h5"
    keypoints.save(file)
    content = file.read_bytes()
    for position in range(0, len(content), 4):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position // 4 % 8
        file.write_bytes(damaged)
        with suppress(FileFormatError):
            assert_same(Keypoints2D.load(file), keypoints)


# --- xarray -----------------------------------------------------------------------------------------------------------


def test_xarray_has_the_dimensions_of_movement(tmp_path: Path) -> None:
    poses = make_poses()
    data = poses.to_xarray()
    assert data.position.dims == ("time", "space", "keypoints", "individuals")
    assert data.confidence.dims == ("time", "keypoints", "individuals")
    assert list(data.space.values) == ["x", "y", "z"]
    assert list(data.individuals.values) == ["id_5", "id_6"]
    np.testing.assert_allclose(data.time, np.arange(6) / 29.97)
    assert data.attrs["time_unit"] == "seconds"
    assert data.attrs["ds_type"] == "poses"
    chosen = data.position.sel(individuals="id_6", keypoints="right_hip", space="y")
    np.testing.assert_array_equal(chosen, poses.xyz[:, 1, 16, 1])
    np.testing.assert_array_equal(data.sigma.sel(individuals="id_5"), poses.sigma[:, 0])


def test_xarray_without_a_frame_rate() -> None:
    data = replace(make_keypoints(), fps=None).to_xarray()
    assert isinstance(data, xarray.Dataset)
    assert data.attrs["time_unit"] == "frames"
    assert "fps" not in data.attrs
    np.testing.assert_array_equal(data.time, np.arange(6))
    assert None not in data.attrs.values()

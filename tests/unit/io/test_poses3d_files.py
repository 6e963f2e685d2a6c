"""3D pose files: round trips, files read back by other libraries, damaged files."""

import csv
import json
import struct
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from damage import damaged
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import FileFormatError, OutputExistsError, ShapeError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.io.poses3d import READ_ENDINGS, WRITE_ENDINGS, read_poses, write_poses
from lift3d.joint_names import custom_skeleton
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17, SKELETONS, Skeleton


def make_poses(people: int = 2, frames: int = 5, fps: float | None = 29.97, space: str = "world") -> Poses3D:
    rng = np.random.default_rng(1)
    xyz = rng.normal(size=(frames, people, 17, 3)).astype(np.float32)
    xyz[1, 0, 3] = np.nan
    xyz[2, -1] = np.nan
    shape = xyz.shape[:3]
    return Poses3D(
        xyz,
        confidence=rng.random(shape),
        skeleton=H36M17,
        fps=fps,
        track_ids=tuple(range(3, 3 + people)),
        space=space,
        sigma=rng.random(shape),
        reprojection_error=np.where(rng.random(shape) < 0.1, np.nan, rng.random(shape)),
        cameras_used=rng.integers(0, 33, shape),
        source=rng.integers(0, 5, shape),
        camera=Camera.assumed((1920, 1080)),
        provenance={"source": "a.json", "steps": ["ä"]},
    )


@pytest.mark.parametrize("ending", [".h5", ".npz", ".json"])
@pytest.mark.parametrize("space", ["world", "camera"])
@pytest.mark.parametrize("fps", [None, 59.94])
def test_round_trip_keeps_everything(tmp_path: Path, ending: str, space: str, fps: float | None) -> None:
    poses = make_poses(fps=fps, space=space)
    file = tmp_path / f"take{ending}"
    assert write_poses(poses, file) == [file]
    again = read_poses(file)
    for name in ("xyz", "confidence", "sigma", "reprojection_error", "cameras_used", "source"):
        np.testing.assert_array_equal(getattr(again, name), getattr(poses, name))
    assert again.camera is not None
    assert again.camera.to_dict() == poses.camera.to_dict()
    for name in ("skeleton", "fps", "track_ids", "space", "provenance"):
        assert getattr(again, name) == getattr(poses, name)
    with pytest.raises(OutputExistsError):
        write_poses(poses, file)


# A BVH holds rotations between joints of a body: it has tests of its own.
POINT_ENDINGS = tuple(ending for ending in READ_ENDINGS if ending != ".bvh")


@pytest.mark.parametrize("ending", POINT_ENDINGS)
def test_a_custom_layout_comes_back(tmp_path: Path, ending: str) -> None:
    skeleton = custom_skeleton(["nose", "tail, base", 'paw "left"'])
    poses = Poses3D(np.ones((2, 1, 3, 3)), skeleton=skeleton, fps=30)
    write_poses(poses, tmp_path / f"animal{ending}")
    again = read_poses(tmp_path / f"animal{ending}")
    assert again.skeleton.joints == skeleton.joints
    np.testing.assert_allclose(again.xyz, poses.xyz, rtol=1e-6)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
def test_every_known_layout_is_known_again(tmp_path: Path, skeleton: Skeleton) -> None:
    poses = Poses3D(np.ones((2, 1, len(skeleton), 3)), skeleton=skeleton, fps=30)
    for ending in POINT_ENDINGS:
        write_poses(poses, tmp_path / f"take{ending}")
        assert read_poses(tmp_path / f"take{ending}").skeleton == skeleton


@pytest.mark.parametrize("ending", [".h5", ".npz", ".json"])
def test_no_frames_and_no_people(tmp_path: Path, ending: str) -> None:
    for frames, people in ((0, 2), (3, 0)):
        poses = Poses3D(np.empty((frames, people, 17, 3)), skeleton=H36M17)
        write_poses(poses, tmp_path / f"empty{ending}", overwrite=True)
        assert read_poses(tmp_path / f"empty{ending}").xyz.shape == poses.xyz.shape


def test_csv_round_trip(tmp_path: Path) -> None:
    poses = make_poses()
    write_poses(poses, tmp_path / "take.csv")
    again = read_poses(tmp_path / "take.csv")
    assert again.provenance["source"] == str(tmp_path / "take.csv")
    for name in ("xyz", "confidence", "reprojection_error"):
        np.testing.assert_array_equal(getattr(again, name), getattr(poses, name))
    assert again.skeleton is H36M17
    assert (again.fps, again.track_ids, again.space) == (29.97, (3, 4), "world")


def test_csv_in_pandas(tmp_path: Path) -> None:
    poses = make_poses(people=1, fps=50)
    write_poses(poses, tmp_path / "take.csv")
    table = pd.read_csv(tmp_path / "take.csv")
    assert len(table) == 5 * 17
    wide = table.pivot(index="frame", columns="joint", values=["x", "y", "z"])
    np.testing.assert_allclose(wide["y"]["nose"], poses.xyz[:, 0, H36M17.index("nose"), 1], rtol=1e-6)
    np.testing.assert_allclose(table["time"], np.repeat(np.arange(5) / 50, 17))
    assert table[["x", "y", "z"]].isna().all(axis=1).sum() == np.isnan(poses.xyz).all(axis=-1).sum()


def test_csv_of_another_hand(tmp_path: Path) -> None:
    """Rows in any order, a joint left out, a gap in the frames, other columns beside."""
    (tmp_path / "a.csv").write_text(
        "joint,x,y,z,frame,note\nRHip,1,2,3,12,b\nLHip,4,5,6,10,a\nRHip,7,8,9,10,a\n", encoding="utf-8-sig"
    )
    poses = read_poses(tmp_path / "a.csv")
    assert poses.xyz.shape == (3, 1, 2, 3)
    assert poses.skeleton.joints == ("right_hip", "left_hip")
    np.testing.assert_array_equal(poses.xyz[0, 0], [[7, 8, 9], [4, 5, 6]])
    assert np.isnan(poses.xyz[1]).all()
    assert np.isnan(poses.xyz[2, 0, 1]).all()
    assert poses.fps is None


def test_json_holds_short_numbers_and_null(tmp_path: Path) -> None:
    xyz = np.full((1, 1, 17, 3), 0.1)
    xyz[0, 0, 2] = np.nan
    write_poses(Poses3D(xyz, skeleton="h36m17"), tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["xyz"][0][0][1] == [0.1, 0.1, 0.1]
    assert content["xyz"][0][0][2] == [None, None, None]
    assert content["skeleton"]["joints"][0] == "pelvis"


def test_npz_of_another_hand_needs_positions_and_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", xyz=np.ones((4, 1, 2, 3)), joints=["LShoulder", "RShoulder"])
    assert read_poses(tmp_path / "a.npz").skeleton.joints == ("left_shoulder", "right_shoulder")
    np.savez(tmp_path / "b.npz", xyz=np.ones((4, 1, 2, 3)))
    with pytest.raises(FileFormatError, match="joints"):
        read_poses(tmp_path / "b.npz")


def test_npz_unpickles_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", xyz=np.array([print], dtype=object), joints=["a"])
    with pytest.raises(FileFormatError, match="objects"):
        read_poses(tmp_path / "a.npz")


# --- TRC --------------------------------------------------------------------------------------------------------------


def test_trc_round_trip(tmp_path: Path) -> None:
    poses = make_poses(people=1)
    write_poses(poses, tmp_path / "take.trc")
    again = read_poses(tmp_path / "take.trc")
    assert again.provenance["source"] == str(tmp_path / "take.trc")
    np.testing.assert_array_equal(again.xyz, poses.xyz)
    assert again.skeleton is H36M17
    assert again.fps == poses.fps


def test_trc_is_y_up_and_right_handed(tmp_path: Path) -> None:
    """One marker on each axis of the world: up becomes Y, and the axes stay right-handed."""
    xyz = np.eye(3)[None, None]
    write_poses(Poses3D(xyz, skeleton=custom_skeleton(["a", "b", "c"]), fps=10), tmp_path / "axes.trc")
    with (tmp_path / "axes.trc").open(newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    assert rows[0][3] == "axes.trc"
    assert rows[2][:5] == ["10", "10", "1", "3", "m"]
    x_axis, y_axis, z_axis = np.array(rows[5][2:], dtype=float).reshape(3, 3)
    np.testing.assert_array_equal(z_axis, [0, 1, 0])
    np.testing.assert_array_equal(np.cross(x_axis, y_axis), z_axis)


def test_trc_of_camera_space_stands_upright(tmp_path: Path) -> None:
    """What is above in the image (smaller y) is above in the file."""
    xyz = np.array([[[[0.0, -1.0, 4.0], [0.0, 1.0, 4.0]]]])
    poses = Poses3D(xyz, skeleton=custom_skeleton(["head", "foot"]), fps=10, space="camera")
    write_poses(poses, tmp_path / "a.trc")
    again = read_poses(tmp_path / "a.trc")
    assert again.space == "world"
    assert again.xyz[0, 0, 0, 2] == 1
    assert again.xyz[0, 0, 1, 2] == -1


def test_trc_one_file_a_person(tmp_path: Path) -> None:
    poses = make_poses(people=2)
    written = write_poses(poses, tmp_path / "take.trc")
    assert [file.name for file in written] == ["take_id3.trc", "take_id4.trc"]
    for person, file in enumerate(written):
        np.testing.assert_array_equal(read_poses(file).xyz, poses.xyz[:, person : person + 1])
    written[0].unlink()
    with pytest.raises(OutputExistsError, match="take_id4"):
        write_poses(poses, tmp_path / "take.trc")
    assert not written[0].exists()


def test_trc_needs_a_frame_rate(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="frame rate"):
        write_poses(replace(make_poses(1), fps=None), tmp_path / "a.trc")


def trc(rows: str, unit: str = "mm", frames: int = 2) -> str:
    return (
        "PathFileType\t4\t(X/Y/Z)\ta.trc\n"
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
        f"100\t100\t{frames}\t2\t{unit}\t100\t1\t{frames}\n"
        "Frame#\tTime\tNeck\t\t\tHead\t\t\n\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n" + rows
    )


def test_trc_units_gaps_and_trimmed_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.trc"
    file.write_text(trc("\n1\t0.0\t1000\t2000\t3000\t\t\t\n2\t0.01\t1\t2\t3\n"))
    poses = read_poses(file)
    assert poses.skeleton.joints == ("neck", "head")
    assert poses.fps == 100
    np.testing.assert_allclose(poses.xyz[0, 0, 0], [3, 1, 2])
    assert np.isnan(poses.xyz[:, 0, 1]).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no end"),
        ("hello\n", "PathFileType"),
        (trc("1\t0\t1\t2\t3\t4\t5\t6\n2\t0\t1\t2\t3\t4\t5\t6"), "cut off"),
        (trc("1\t0\t1\t2\n"), "line 6"),
        (trc("1\t0\t1\t2\t3\t4\t5\tx\n"), "line 6"),
        (trc("1\t0\t1\t2\t3\t4\t5\tinf\n"), "infinite"),
        (trc("1\t0\t1\t2\t3\t4\t5\t6\t7\n"), "line 6"),
        (trc("1\t0\t1\t2\t3\t4\t5\t6\n" * 3), "NumFrames"),
        (trc("", frames=1), "NumFrames"),
        (trc("1\t0\t1\t2\t3\t4\t5\t6\n", unit="inch"), "Units"),
        (trc("1\t0\t1\t2\t3\t4\t5\t6\n").replace("100\t100", "nan\t100"), "DataRate"),
        (trc("1\t0\t1\t2\t3\t4\t5\t6\n").replace("Head", "Neck"), "same name"),
        (trc("1\t0\t1\t2\t3\t4\t5\t6\n").replace("Head", ""), "NumMarkers"),
    ],
)
def test_trc_malformed(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.trc").write_text(content)
    with pytest.raises(FileFormatError, match=message):
        read_poses(tmp_path / "a.trc")


def test_trc_of_pose2sim(shared_data: Path) -> None:
    """Two published references: a person stands on the floor, 1.6 to 1.9 m tall, Z up."""
    folder = shared_data / "multiview" / "pose2sim_demo" / "single_balancing" / "reference"
    for name, frames in (("Balancing_for_IK.trc", 100), ("Standing_for_Scaling.trc", 25)):
        poses = read_poses(folder / name)
        assert poses.xyz.shape == (frames, 1, 21, 3)
        assert poses.fps == 60
        index = poses.skeleton.index
        heights = np.median(poses.xyz[..., 2], axis=(0, 1))
        assert 1.5 < heights[index("head")] < 1.9
        assert 0.8 < heights[index("left_hip")] < 1.0
        assert heights[index("left_big_toe")] < 0.2
        assert {"right_hip", "left_big_toe", "neck", "head"} <= set(poses.skeleton.joints)
    assert "declares 50 frames" in str(poses.provenance)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("frame,joint,x,y\n1,a,1,2\n", "missing: z"),
        ("frame,joint,x,y,z\n", "no rows"),
        ("frame,joint,x,y,z\n0,a,1,2\n", "line 2"),
        ("frame,joint,x,y,z\n0,a,1,2,q\n", "line 2, z"),
        ("frame,joint,x,y,z\n0.5,a,1,2,3\n", "whole number"),
        ("frame,joint,x,y,z\n0,a,1,2,inf\n", "infinite"),
        ("frame,joint,x,y,z\n0,a,1,2,3\n0,a,1,2,3\n", "two rows"),
        ("frame,joint,x,y,z\n0,a,1,2,3\n999999999999,a,1,2,3\n", "too many"),
        ("frame,joint,x,y,z\n0,a,1,2,3", "cut off"),
        ("frame,time,joint,x,y,z\n0,0,a,1,2,3\n1,0,a,1,2,3\n", "evenly"),
        ("frame,joint,x,y,z,space\n0,a,1,2,3,moon\n", "space"),
        ("frame,joint,x,y,z,confidence\n0,a,1,2,3,7\n", "confidence"),
    ],
)
def test_csv_malformed(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(FileFormatError, match=message):
        read_poses(tmp_path / "a.csv")


def test_unknown_ending_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormatError, match=", ".join(READ_ENDINGS)):
        read_poses(tmp_path / "a.fbx")
    with pytest.raises(UnknownFormatError, match=", ".join(WRITE_ENDINGS)):
        write_poses(make_poses(), tmp_path / "a.fbx")
    for ending in READ_ENDINGS:
        with pytest.raises(FileFormatError, match="no such file"):
            read_poses(tmp_path / f"none{ending}")


@cache
def sound_file(ending: str) -> bytes:
    """A person in three frames."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"take{ending}"
        write_poses(make_poses(people=1, frames=3), file)
        return file.read_bytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("ending", POINT_ENDINGS)
def test_damaged_files_raise_only_named_errors(
    tmp_path_factory: pytest.TempPathFactory, ending: str, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("damaged") / f"take{ending}"
    file.write_bytes(data.draw(damaged(sound_file(ending))))
    with suppress(FileFormatError):
        assert not np.isinf(read_poses(file).xyz).any()


@settings(max_examples=40, deadline=None)
@given(
    text=st.text(max_size=300),
    raw=st.binary(max_size=300),
    number=st.sampled_from(["nan", "inf", "-inf", "1e999", "null", "true", "[]", "{}", '"x"', "-1", "1e30"]),
)
@pytest.mark.parametrize("ending", POINT_ENDINGS)
def test_strange_content(
    tmp_path_factory: pytest.TempPathFactory, ending: str, text: str, raw: bytes, number: str
) -> None:
    folder = tmp_path_factory.mktemp("strange")
    (folder / f"a{ending}").write_text(text, encoding="utf-8", errors="replace")
    (folder / f"b{ending}").write_bytes(raw)
    for name in "ab":
        with pytest.raises(FileFormatError):
            read_poses(folder / f"{name}{ending}")
    record = {"format": "lift3d poses", "version": 1, "fps": 30, "space": "world", "track_ids": [0], "provenance": {}}
    record |= {"skeleton": {"name": "s", "joints": ["a"], "parents": [-1]}, "xyz": [[[[1, 2, 3]]]], "camera": None}
    for key in record:
        fields = [f'"{k}": {number if k == key else json.dumps(value)}' for k, value in record.items()]
        (folder / "c.json").write_text("{" + ", ".join(fields) + "}")
        with suppress(FileFormatError):
            read_poses(folder / "c.json")


def test_npz_that_claims_too_much(tmp_path: Path) -> None:
    """A header of 10^15 values before a few bytes is refused before anything is allocated."""
    import zipfile

    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000, 1000, 3), }"
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("xyz.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"1234")
        archive.writestr("joints.npy", b"")
    with pytest.raises(FileFormatError, match="do not make an array"):
        read_poses(tmp_path / "a.npz")


def test_what_is_written_and_not_read(tmp_path: Path) -> None:
    """A .glb is for others to show."""
    only_written = set(WRITE_ENDINGS) - set(READ_ENDINGS)
    assert only_written == {".glb"}
    (tmp_path / "a.glb").write_bytes(b"glTF")
    with pytest.raises(UnknownFormatError, match="not read back"):
        read_poses(tmp_path / "a.glb")

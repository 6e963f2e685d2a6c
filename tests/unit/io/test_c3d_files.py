"""C3D: what ezc3d and the package c3d find in the files, and files of other programs and processors."""

import struct
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import c3d
import ezc3d
import numpy as np
import pytest
from damage import damaged
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import FileFormatError, OutputExistsError, ShapeError
from lift3d.io.c3d_file import DEC, INTEL, MIPS
from lift3d.io.poses3d import read_poses, write_poses
from lift3d.joint_names import custom_skeleton
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17

MICROMETRE = 1e-6


def make_poses(frames: int = 6, people: int = 1, space: str = "world") -> Poses3D:
    rng = np.random.default_rng(3)
    xyz = rng.normal(size=(frames, people, 17, 3)).astype(np.float32)
    xyz[2, 0, 5] = np.nan
    sigma = rng.uniform(0.001, 0.05, xyz.shape[:3])
    return Poses3D(xyz, skeleton=H36M17, fps=59.94, sigma=sigma, space=space, track_ids=tuple(range(7, 7 + people)))


def test_what_ezc3d_finds(tmp_path: Path) -> None:
    poses = make_poses()
    write_poses(poses, tmp_path / "a.c3d")
    file = ezc3d.c3d(str(tmp_path / "a.c3d"))
    point = file["parameters"]["POINT"]
    assert point["LABELS"]["value"] == list(H36M17.joints)
    assert point["UNITS"]["value"] == ["mm"]
    assert (point["X_SCREEN"]["value"], point["Y_SCREEN"]["value"]) == (["+X"], ["+Z"])
    assert point["RATE"]["value"][0] == pytest.approx(59.94, rel=1e-7)
    found = file["data"]["points"][:3].transpose(2, 1, 0) / 1000
    np.testing.assert_allclose(found, poses.xyz[:, 0], atol=MICROMETRE)
    residuals = file["data"]["meta_points"]["residuals"][0].T
    assert residuals[2, 5] == -1
    seen = np.isfinite(poses.xyz[:, 0, :, 0])
    np.testing.assert_array_equal(residuals[seen], np.ceil(poses.sigma[:, 0] * 1000)[seen])


def test_what_the_package_c3d_finds(tmp_path: Path) -> None:
    poses = make_poses()
    write_poses(poses, tmp_path / "a.c3d")
    with warnings.catch_warnings(), (tmp_path / "a.c3d").open("rb") as handle:
        warnings.simplefilter("ignore")
        reader = c3d.Reader(handle)
        frames = np.array([points for _, points, _ in reader.read_frames()])
    assert [label.strip() for label in reader.point_labels] == list(H36M17.joints)
    seen = frames[..., 3] >= 0
    np.testing.assert_array_equal(seen, np.isfinite(poses.xyz[:, 0, :, 0]))
    np.testing.assert_allclose(frames[..., :3][seen] / 1000, poses.xyz[:, 0][seen], atol=MICROMETRE)


def test_round_trip(tmp_path: Path) -> None:
    poses = make_poses()
    write_poses(poses, tmp_path / "a.c3d")
    again = read_poses(tmp_path / "a.c3d")
    np.testing.assert_allclose(again.xyz, poses.xyz, atol=MICROMETRE)
    assert (again.skeleton, again.fps, again.space) == (H36M17, 59.94, "world")


def test_camera_space_stands_upright_as_in_a_trc(tmp_path: Path) -> None:
    poses = make_poses(space="camera")
    for ending in ("trc", "c3d"):
        write_poses(poses, tmp_path / f"a.{ending}")
    again = read_poses(tmp_path / "a.c3d")
    np.testing.assert_allclose(again.xyz, read_poses(tmp_path / "a.trc").xyz, atol=MICROMETRE)
    np.testing.assert_allclose(again.xyz[..., 2], -poses.xyz[..., 1], atol=MICROMETRE)


def test_a_joint_at_the_origin_is_not_missing(tmp_path: Path) -> None:
    poses = replace(make_poses(), sigma=None)
    poses.xyz[:, :, 0] = 0
    write_poses(poses, tmp_path / "a.c3d")
    assert (read_poses(tmp_path / "a.c3d").xyz[:, :, 0] == 0).all()


def test_one_file_a_person(tmp_path: Path) -> None:
    poses = make_poses(people=2)
    written = write_poses(poses, tmp_path / "take.c3d")
    assert [file.name for file in written] == ["take_id7.c3d", "take_id8.c3d"]
    for person, file in enumerate(written):
        np.testing.assert_allclose(read_poses(file).xyz[:, 0], poses.xyz[:, person], atol=MICROMETRE)
    written[0].unlink()
    with pytest.raises(OutputExistsError, match="take_id8"):
        write_poses(poses, tmp_path / "take.c3d")
    assert not written[0].exists()


def test_more_frames_than_16_bits_count(tmp_path: Path) -> None:
    frames = 65536 + 100
    xyz = np.random.default_rng(0).normal(size=(frames, 1, 2, 3))
    poses = Poses3D(xyz, skeleton=custom_skeleton(["a", "b"]), fps=200)
    write_poses(poses, tmp_path / "a.c3d")
    np.testing.assert_allclose(read_poses(tmp_path / "a.c3d").xyz, poses.xyz, atol=MICROMETRE)
    with warnings.catch_warnings(), (tmp_path / "a.c3d").open("rb") as handle:
        warnings.simplefilter("ignore")
        assert c3d.Reader(handle).last_frame == frames


@pytest.mark.parametrize("change", [{"fps": None}, {"xyz": np.empty((0, 1, 17, 3)), "confidence": None}])
def test_what_makes_no_c3d(tmp_path: Path, change: dict) -> None:
    with pytest.raises(ShapeError, match="C3D"):
        write_poses(replace(make_poses(), sigma=None, **change), tmp_path / "a.c3d")
    assert not list(tmp_path.iterdir())


def test_joints_beyond_what_a_parameter_counts(tmp_path: Path) -> None:
    many = custom_skeleton([f"point {k}" for k in range(256)])
    with pytest.raises(ShapeError, match="255"):
        write_poses(Poses3D(np.ones((2, 1, 256, 3)), skeleton=many, fps=30), tmp_path / "a.c3d")


# --- files of other programs ------------------------------------------------------------------------------------------


def dec_float(value: float) -> bytes:
    low, high = struct.unpack("<2H", struct.pack("<f", value * 4))
    return struct.pack("<2H", high, low)


def other_file(
    processor: int = INTEL, whole: bool = False, labels: tuple[str, ...] = ("S:LKNE", "S:RKNE"), unit: str = "mm"
) -> bytes:
    """A file of two frames and two points, as the user guide lays it out; the second point is missing in frame 2."""
    order = ">" if processor == MIPS else "<"

    def real(value: float) -> bytes:
        return dec_float(value) if processor == DEC else struct.pack(f"{order}f", value)

    def integer(*values: int) -> bytes:
        return struct.pack(f"{order}{len(values)}h", *values)

    def record(group: int, name: str, content: bytes) -> bytes:
        return struct.pack("bb", len(name), group) + name.encode() + integer(len(content) + 2) + content

    scale = 0.5 if whole else -0.5
    width = max(map(len, labels))
    text = "".join(label.ljust(width) for label in labels).encode()
    parameters = (
        bytes([1, KEY := 0x50, 1, processor])
        + record(-1, "POINT", b"\0")
        + record(1, "SCALE", bytes([4, 0]) + real(scale) + b"\0")
        + record(1, "RATE", bytes([4, 0]) + real(100.0) + b"\0")
        + record(1, "USED", bytes([2, 0]) + integer(2) + b"\0")
        + record(1, "FRAMES", bytes([2, 0]) + integer(2) + b"\0")
        + record(1, "DATA_START", bytes([2, 0]) + integer(3) + b"\0")
        + record(1, "UNITS", bytes([255, 1, len(unit)]) + unit.encode() + b"\0")
        + record(1, "LABELS", bytes([255, 2, width, len(labels)]) + text + b"\0")
    )
    header = bytes([2, KEY]) + integer(2, 0, 1, 2, 0) + real(scale) + integer(3, 0) + real(100.0)
    word = integer if whole else lambda *values: b"".join(map(real, values))
    points = word(100, -200, 300, 4) + word(10, 20, 30, 0) + word(102, -202, 302, 3 * 256 + 4) + word(0, 0, 0, -1)
    return header.ljust(512, b"\0") + parameters.ljust(512, b"\0") + points


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
@pytest.mark.parametrize("whole", [False, True])
def test_processors_and_kinds_of_numbers(tmp_path: Path, processor: int, whole: bool) -> None:
    (tmp_path / "a.c3d").write_bytes(other_file(processor, whole))
    poses = read_poses(tmp_path / "a.c3d")
    unit = 0.0005 if whole else 0.001
    np.testing.assert_allclose(poses.xyz[0, 0], np.array([[100, -200, 300], [10, 20, 30]]) * unit, rtol=1e-6)
    np.testing.assert_allclose(poses.xyz[1, 0, 0], np.array([102, -202, 302]) * unit, rtol=1e-6)
    assert np.isnan(poses.xyz[1, 0, 1]).all()
    assert (poses.skeleton.joints, poses.fps) == (("LKNE", "RKNE"), 100)
    assert poses.provenance["track_names"] == ["S"]


@pytest.mark.parametrize("whole", [False, True])
def test_the_independent_reader_agrees_on_such_a_file(tmp_path: Path, whole: bool) -> None:
    """``other_file`` is what the user guide says, and not what lift3d takes it for."""
    (tmp_path / "a.c3d").write_bytes(other_file(whole=whole))
    found = ezc3d.c3d(str(tmp_path / "a.c3d"))
    unit = 0.5 if whole else 1
    np.testing.assert_allclose(found["data"]["points"][:3, :, 0].T, np.array([[100, -200, 300], [10, 20, 30]]) * unit)


def test_subjects_are_people(tmp_path: Path) -> None:
    (tmp_path / "a.c3d").write_bytes(other_file(labels=("Ann:LKNE", "Bob:LKNE"), unit="m"))
    poses = read_poses(tmp_path / "a.c3d")
    assert poses.xyz.shape == (2, 2, 1, 3)
    np.testing.assert_allclose(poses.xyz[0, :, 0], [[100, -200, 300], [10, 20, 30]])
    assert poses.provenance["track_names"] == ["Ann", "Bob"]


@pytest.mark.parametrize(
    ("labels", "joints"),
    [
        (("S:LKNE",), ("LKNE", "unlabelled_2")),
        (("LKNE", "LKNE"), ("LKNE", "LKNE_2")),
        (("S:LKNE", "LKNE"), ("LKNE", "LKNE_2")),
        (("RAnkle", "LAnkle"), ("right_ankle", "left_ankle")),
    ],
)
def test_labels_that_lack_or_clash(tmp_path: Path, labels: tuple[str, ...], joints: tuple[str, ...]) -> None:
    (tmp_path / "a.c3d").write_bytes(other_file(labels=labels))
    assert read_poses(tmp_path / "a.c3d").skeleton.joints == joints


def test_markers_of_cmu(shared_data: Path) -> None:
    """One subject, 41 markers in millimetres; ezc3d reads the same numbers."""
    path = shared_data / "mocap" / "raw" / "cmu_85_02_markers.c3d"
    poses = read_poses(path)
    assert poses.xyz.shape == (810, 1, 41, 3)
    assert poses.fps == 120
    assert poses.provenance["track_names"] == ["Male"]
    assert {"LFHD", "RTOE"} <= set(poses.skeleton.joints)
    found = ezc3d.c3d(str(path))["data"]["points"][:3].transpose(2, 1, 0) / 1000
    np.testing.assert_allclose(poses.xyz[:, 0], found, atol=MICROMETRE)
    heights = np.median(poses.xyz[:, 0, :, 2], axis=0)
    assert heights[poses.skeleton.index("LFHD")] > heights[poses.skeleton.index("LTOE")] + 1


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a C3D file"),
        (other_file()[:900], "not a C3D file"),
        (other_file()[:-1], "2 frames are declared, 1 are there"),
        (other_file().replace(b"POINT", b"\xff\xff\xff\xff\xff"), "declared"),
        (other_file(unit="ft"), "unit"),
        (other_file()[:512] + b"\1\x50\1\0" + other_file()[516:], "processor"),
        (b"\xff" + other_file()[1:], "start at block 255"),
        (other_file()[:2] + b"\0\0" + other_file()[4:], "no points"),
        (other_file().replace(struct.pack("<f", 100.0), struct.pack("<f", np.nan), 2), "RATE"),
    ],
)
def test_malformed(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.c3d").write_bytes(content)
    if message == "declared":
        # Without its group a parameter is nobody's: header and data still make a file.
        assert read_poses(tmp_path / "a.c3d").frames == 2
        return
    with pytest.raises(FileFormatError, match=message):
        read_poses(tmp_path / "a.c3d")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_head(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Damage where sizes and counts stand; libraries for C3D loop without end on such files."""
    file = tmp_path_factory.mktemp("damaged") / "a.c3d"
    file.write_bytes(data.draw(damaged(other_file())))
    with suppress(FileFormatError):
        assert not np.isinf(read_poses(file).xyz).any()

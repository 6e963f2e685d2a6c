"""Every rig format: round trips, other programs as readers of what is written, and what a format must refuse."""

import json
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rig_samples import assert_same, make_rig, rigs

from lift3d.errors import CameraError, FileFormatError, OutputExistsError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.rigs import RIG_FORMATS, detect_rig, read_rig, write_rig

PRINTABLE = string.ascii_letters + string.digits + " _-.:#äß漢'()"
# What each format can hold, and by how much its units round.
HOLDS: dict[str, tuple[str, dict[str, Any], float]] = {
    "toml": ("rig.toml", {"coefficients": 8, "fisheye": True, "names": PRINTABLE + '"\\\n\t\x7f='}, 0.0),
    "opencv": ("rig.yml", {"coefficients": 8, "fisheye": True, "cameras": 2}, 1e-13),
    "easymocap": ("intri.yml", {"coefficients": 8}, 0.0),
    "kalibr": ("camchain.yaml", {"coefficients": 4, "fisheye": True, "skew": False, "names": PRINTABLE}, 0.0),
    "panoptic": ("rig.json", {"names": PRINTABLE + '"\\\n'}, 1e-13),
    "qualisys": ("rig.qca.txt", {"names": PRINTABLE + '<>&"'}, 1e-13),
    "h36m": ("cameras.h5", {"skew": False, "names": PRINTABLE}, 1e-13),
}


@pytest.fixture
def stage() -> Rig:
    """Two cameras that every format can hold, with points before them in ``POINTS``."""
    K = np.array([[1000.5, 0, 640.1], [0, 1001.25, 359.9], [0, 0, 1]])
    R = cv2.Rodrigues(np.array([1.2, -0.3, 0.1]))[0]
    turn = cv2.Rodrigues(np.array([0.0, 0.4, 0.0]))[0]
    return Rig(
        (
            Camera(K, [-0.1, 0.02, 0.001, -0.002, 0.0], R, [0.1, 0.2, 4.0], (1280, 720), "cam_1"),
            Camera(K + np.diag([7, 8, 0]), [0.1, 0.2, 0.01, 0.02, 0.0], turn @ R, [0.5, 0, 4.5], (1280, 720), "cam_2"),
        )
    )


POINTS = np.random.default_rng(1).uniform(-1, 1, size=(50, 3))


@pytest.mark.parametrize("name", HOLDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_round_trip(name: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file, holds, tolerance = HOLDS[name]
    rig = data.draw(rigs(**holds))
    if name == "qualisys" or name == "opencv":  # whose names have no spaces around them
        rig = Rig(tuple(replace(camera, name=camera.name.strip() or "x") for camera in rig.cameras[:1]))
    path = tmp_path_factory.mktemp("rig") / file
    written = write_rig(rig, path)
    assert path in written
    assert detect_rig(path) == name
    again = read_rig(path)
    assert again.metadata["format"] == RIG_FORMATS[name].title
    assert_same(rig, again, tolerance)


@pytest.mark.parametrize("name", [*HOLDS, "xml"])
def test_formats_agree_on_where_points_are_seen(name: str, stage: Rig, tmp_path: Path) -> None:
    """Turned worlds and other units come back as the same pictures, and a second trip adds no error."""
    path = tmp_path / ("rig.xml" if name == "xml" else HOLDS[name][0])
    stage.save(path)
    again = read_rig(path)
    assert again.names == stage.names
    for camera in stage:
        np.testing.assert_allclose(again[camera.name].project(POINTS), camera.project(POINTS), atol=1e-9)
    again.save(path, overwrite=True)
    assert_same(again, read_rig(path), 1e-14)


def test_metadata_that_formats_keep(stage: Rig, tmp_path: Path) -> None:
    metadata = {"types": {"cam_1": "vga", "cam_2": "hd"}, "calibDataSource": "wand", "subject": "S9", "error": 0.25}
    rig = replace(stage, metadata=metadata | {"nothing": None, "nested": {"a b": [1, 2.5, "x"], "off": False}})
    for file, kept in [
        ("rig.toml", {**metadata, "nested": {"a b": [1, 2.5, "x"], "off": False}, "units": "m"}),
        ("rig.json", {key: metadata[key] for key in ("types", "calibDataSource")}),
        ("cameras.h5", {"subject": "S9"}),
        ("rig.qca.txt", {}),
    ]:
        rig.save(tmp_path / file)
        again = dict(read_rig(tmp_path / file).metadata)
        assert again.pop("format")
        assert again == kept, file


def test_aniposelib_reads_the_toml_and_sees_the_same(stage: Rig, tmp_path: Path) -> None:
    cameras = pytest.importorskip("aniposelib.cameras")
    fisheye = Camera(stage["cam_1"].K, [0.01, 0.02, 0.0, 0.0], image_size=(1280, 720), name="fish", fisheye=True)
    rig = Rig((*stage.cameras, replace(fisheye, R=stage["cam_1"].R, t=stage["cam_1"].t)), {"left_out": ["a"]})
    rig.save(tmp_path / "rig.toml")
    group = cameras.CameraGroup.load(str(tmp_path / "rig.toml"))
    assert group.get_names() == list(rig.names)
    for pixels, camera in zip(group.project(POINTS), rig, strict=True):
        np.testing.assert_allclose(pixels.reshape(-1, 2), camera.project(POINTS), atol=1e-6)
    group.dump(str(tmp_path / "again.toml"))
    for camera in read_rig(tmp_path / "again.toml"):
        np.testing.assert_allclose(camera.project(POINTS), rig[camera.name].project(POINTS), atol=1e-6)


@pytest.mark.parametrize("ending", ["yml", "xml"])
def test_opencv_reads_the_pair(ending: str, stage: Rig, tmp_path: Path) -> None:
    path = tmp_path / f"stereo.{ending}"
    stage.save(path)
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    M1, D1, M2, D2, R, T = (storage.getNode(key).mat() for key in ("M1", "D1", "M2", "D2", "R", "T"))
    first, second = stage
    np.testing.assert_array_equal(M1, first.K)
    np.testing.assert_array_equal(D2.ravel(), second.distortion)
    local = POINTS @ first.R.T + first.t
    np.testing.assert_allclose(
        cv2.projectPoints(local, cv2.Rodrigues(R)[0], T, M2, D2)[0][:, 0], second.project(POINTS), atol=1e-8
    )
    assert D1.shape == (1, 5)
    assert storage.getNode("image_width").real() == 1280
    one = Rig((first,))
    one.save(tmp_path / f"one.{ending}")
    storage = cv2.FileStorage(str(tmp_path / f"one.{ending}"), cv2.FILE_STORAGE_READ)
    np.testing.assert_array_equal(storage.getNode("camera_matrix").mat(), first.K)
    assert storage.getNode("camera_name").string() == "cam_1"
    assert_same(one, read_rig(tmp_path / f"one.{ending}"))


def test_opencv_reads_easymocaps_pair(stage: Rig, tmp_path: Path) -> None:
    assert write_rig(stage, tmp_path, "easymocap") == [tmp_path / "intri.yml", tmp_path / "extri.yml"]
    intri, extri = (cv2.FileStorage(str(tmp_path / f"{n}.yml"), cv2.FILE_STORAGE_READ) for n in ("intri", "extri"))
    names = intri.getNode("names")
    assert [names.at(i).string() for i in range(names.size())] == ["cam_1", "cam_2"]
    for camera in stage:
        K, dist = (intri.getNode(f"{key}_{camera.name}").mat() for key in ("K", "dist"))
        rotation, R, T = (extri.getNode(f"{key}_{camera.name}").mat() for key in ("R", "Rot", "T"))
        pixels = cv2.projectPoints(POINTS, rotation, T, K, dist)[0][:, 0]
        np.testing.assert_allclose(pixels, camera.project(POINTS), atol=1e-8)
        np.testing.assert_array_equal(R, camera.R)
        assert (intri.getNode(f"W_{camera.name}").real(), intri.getNode(f"H_{camera.name}").real()) == (1280, 720)
    for path in (tmp_path, tmp_path / "intri.yml", tmp_path / "extri.yml"):
        assert detect_rig(path) == "easymocap"
        assert_same(stage, read_rig(path))
    with pytest.raises(OutputExistsError):
        write_rig(stage, tmp_path / "extri.yml")
    (tmp_path / "extri.yml").unlink()
    with pytest.raises(FileFormatError, match=r"extri\.yml, does not exist"):
        read_rig(tmp_path / "intri.yml")


def test_easymocap_as_its_own_program_writes_it(tmp_path: Path) -> None:
    """Six decimals, line ends of Windows, unquoted numbers as names, no image size."""

    def matrix(key: str, rows: int, numbers: str) -> str:
        columns = len(numbers.split(",")) // rows
        return f"{key}: !!opencv-matrix\n  rows: {rows}\n  cols: {columns}\n  dt: d\n  data: [{numbers}]\n"

    head = '%YAML:1.0\n---\nnames:\n  - "01"\n  - 2\n'
    intri, extri = head, head
    for name in ("01", "2"):
        intri += matrix(f"K_{name}", 3, "900.000000, 0.0, 500.0, 0.0, 901.0, 400.0, 0.0, 0.0, 1.0")
        intri += matrix(f"dist_{name}", 1, "0.1, 0.2, 0.01, 0.02, 0.3") + f"H_{name}: -1\nW_{name}: -1\n"
        extri += matrix(f"R_{name}", 3, "1.570796, 0.000000, 0.000000") + matrix(f"T_{name}", 3, "0.0, 1.5, 3.0")
        extri += matrix(f"Rot_{name}", 3, "1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0")
    (tmp_path / "intri.yml").write_bytes(intri.replace("\n", "\r\n").encode())
    (tmp_path / "extri.yml").write_bytes(extri.replace("\n", "\r\n").encode())
    rig = read_rig(tmp_path)
    assert rig.names == ("01", "2")
    assert rig["2"].image_size is None
    np.testing.assert_allclose(rig["01"].centre, [0, -3, 1.5], atol=1e-5)
    np.testing.assert_array_equal(rig["01"].distortion, [0.1, 0.2, 0.01, 0.02, 0.3])


def test_kalibr_chain_of_its_own_program(tmp_path: Path) -> None:
    """The example of Kalibr's wiki, without an IMU: the first camera is the world, each link takes the one before."""
    file = tmp_path / "calibration.yaml"
    link = [[0.0, 0.0, 1.0, 0.1], [0.0, 1.0, 0.0, 0.2], [-1.0, 0.0, 0.0, 0.3], [0.0, 0.0, 0.0, 1.0]]
    camera = {"camera_model": "pinhole", "intrinsics": [461.6, 460.1, 362.7, 246.0], "resolution": [752, 480]}
    radtan = {"distortion_model": "radtan", "distortion_coeffs": [-0.27, 0.06, 8e-04, 1e-05]}
    equidistant = {"distortion_model": "equidistant", "distortion_coeffs": [-0.01, 0.05, -0.04, 0.01]}
    chain = {
        "cam0": camera | radtan | {"cam_overlaps": [1], "rostopic": "/cam0/image_raw"},
        "cam1": camera | equidistant | {"T_cn_cnm1": link},
        "cam2": camera | {"distortion_model": "none", "distortion_coeffs": [], "T_cn_cnm1": link},
    }
    file.write_text(yaml.safe_dump(json.loads(json.dumps(chain))))  # no list twice, no aliases
    rig = read_rig(file)
    assert rig.names == ("cam0", "cam1", "cam2")
    np.testing.assert_array_equal(rig["cam0"].R, np.eye(3))
    np.testing.assert_array_equal(rig["cam0"].distortion, [-0.27, 0.06, 8e-4, 1e-5, 0])
    assert [camera.fisheye for camera in rig] == [False, True, False]
    T = np.linalg.matrix_power(np.array(link), 2)
    np.testing.assert_allclose(rig["cam2"].R, T[:3, :3])
    np.testing.assert_allclose(rig["cam2"].t, T[:3, 3])
    np.testing.assert_allclose(read_rig(file, unit="cm")["cam2"].t, T[:3, 3] / 100)


def test_kalibr_file_is_plain_yaml_with_a_consistent_chain(stage: Rig, tmp_path: Path) -> None:
    stage.save(tmp_path / "rig-camchain.yaml")
    tree = yaml.safe_load((tmp_path / "rig-camchain.yaml").read_text())
    assert tree["cam1"]["resolution"] == [1280, 720]
    first, second = (np.array(tree[key]["T_cam_imu"]) for key in ("cam0", "cam1"))
    np.testing.assert_allclose(np.array(tree["cam1"]["T_cn_cnm1"]) @ first, second, atol=1e-14)


def test_panoptic_world_is_turned_by_hand(tmp_path: Path) -> None:
    """A camera 3 m before the origin at a height of 1 m: y is -100 there, and it looks along the file's z."""
    entry = {
        "name": "00_03", "type": "hd", "resolution": [1920, 1080], "panel": 0, "node": 3,
        "K": [[1000, 0, 960], [0, 1000, 540], [0, 0, 1]], "distCoef": [0, 0, 0, 0, 0],
        "R": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "t": [[0], [100], [300]],
    }  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps({"cameras": [entry]}))
    rig = read_rig(tmp_path / "c.json")
    np.testing.assert_allclose(rig["00_03"].centre, [0, -3, 1])
    head, foot = rig["00_03"].project(np.array([[0, 0, 1.8], [0, 0, 0.0]]))
    assert head[1] < 540 < foot[1]
    rig.save(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text())["cameras"] == [entry]


def test_h36m_file_as_others_read_it(stage: Rig, tmp_path: Path) -> None:
    stage.save(tmp_path / "cameras.h5")
    with h5py.File(tmp_path / "cameras.h5") as file:
        group = file["subject1/camera2"]
        R, T, f, c = (group[key][()] for key in "RTfc")
        assert "".join(chr(int(code)) for code in group["Name"][:, 0]) == "cam_2"
        local = R.T @ (1000 * POINTS.T - T)
        assert group["k"].shape == (3, 1)
    plane = f * local[:2] / local[2] + c
    flat = replace(stage["cam_2"], distortion=None)
    np.testing.assert_allclose(plane.T, flat.project(POINTS), atol=1e-8)


def test_h36m_subjects(stage: Rig, tmp_path: Path) -> None:
    path = tmp_path / "cameras.h5"
    stage.save(path)
    with h5py.File(path, "a") as file:
        file.copy("subject1", "subject11")
    with pytest.raises(FileFormatError, match=r"several subjects.*S1, S11"):
        read_rig(path)
    with pytest.raises(FileFormatError, match="no subject 'S7'"):
        read_rig(f"{path}::S7")
    assert read_rig(f"{path}::S11").metadata["subject"] == "S11"
    stage.save(tmp_path / "rig.toml")
    with pytest.raises(FileFormatError, match="leave ::S1 out"):
        read_rig(f"{tmp_path / 'rig.toml'}::S1")


def test_writers_refuse_what_they_cannot_hold(stage: Rig, tmp_path: Path) -> None:
    first, second = stage
    long = replace(first, distortion=np.array([0.1, 0, 0, 0, 0.1, 0.1, 0, 0]))
    third_radial = replace(first, distortion=np.array([0.1, 0, 0, 0, 0.1]))
    fisheye = replace(first, distortion=np.zeros(4), fisheye=True)
    skewed = replace(first, K=first.K + np.eye(3, k=1) * [0, 1.5, 0])
    unknown = replace(first, image_size=None)
    odd = replace(first, name='a"b')
    control = replace(first, name="a\x00b")
    for camera, files, message in [
        (long, ("c.json", "c.qca.txt", "c.h5", "camchain.yaml"), "distortion coefficients"),
        (third_radial, ("camchain.yaml",), "more than 4 distortion"),
        (fisheye, ("c.json", "c.qca.txt", "c.h5", "intri.yml"), "fisheye"),
        (skewed, ("c.h5", "camchain.yaml"), "skew"),
        (unknown, ("c.json", "c.qca.txt", "camchain.yaml"), "image size"),
        (odd, ("c.yml", "c.xml", "intri.yml"), "name"),
        (control, ("c.yml", "c.qca.txt", "intri.yml"), "name"),
    ]:
        for file in files:
            with pytest.raises(CameraError, match=message):
                Rig((camera,)).save(tmp_path / file)
    with pytest.raises(CameraError, match="one camera or a pair"):
        Rig((first, second, replace(first, name="c"))).save(tmp_path / "c.yml")
    with pytest.raises(CameraError, match="one image size"):
        Rig((first, replace(second, image_size=(1281, 720)))).save(tmp_path / "c.yml")
    for file in ("c.csv", "c"):
        with pytest.raises(UnknownFormatError, match=r"\*\.toml"):
            stage.save(tmp_path / file)
    with pytest.raises(UnknownFormatError, match="known are h36m"):
        write_rig(stage, tmp_path / "c.toml", "colmap")
    assert list(tmp_path.iterdir()) == []
    # What is zero can be left out.
    eight = Rig((replace(first, distortion=np.array([0.1, 0, 0, 0, 0, 0, 0, 0])),))
    eight.save(tmp_path / "camchain.yaml")
    np.testing.assert_array_equal(read_rig(tmp_path / "camchain.yaml")["cam_1"].distortion, [0.1, 0, 0, 0, 0])


def test_the_format_may_be_named(stage: Rig, tmp_path: Path) -> None:
    stage.save(tmp_path / "a.rig", format="kalibr")
    assert_same(stage, read_rig(tmp_path / "a.rig", format="kalibr"))
    with pytest.raises(FileFormatError, match=r"not valid TOML.*taken for aniposelib"):
        read_rig(tmp_path / "a.rig", format="toml")
    with pytest.raises(UnknownFormatError, match="no rig format 'colmap'"):
        read_rig(tmp_path / "a.rig", format="colmap")


def test_units(stage: Rig, tmp_path: Path) -> None:
    stage.save(tmp_path / "stereo.yml")
    (tmp_path / "stereo.yml").write_text((tmp_path / "stereo.yml").read_text().replace("units: m\n", ""))
    with pytest.raises(FileFormatError, match="does not say the unit"):
        read_rig(tmp_path / "stereo.yml")
    first = read_rig(tmp_path / "stereo.yml", unit=0.025)["cam_1"]
    np.testing.assert_allclose(first.t, stage["cam_1"].t * 0.025)
    stage.save(tmp_path / "rig.json")
    np.testing.assert_allclose(read_rig(tmp_path / "rig.json", unit="mm")["cam_1"].t, stage["cam_1"].t / 10)
    for unit in ("inch", 0.0, float("nan"), -1):
        with pytest.raises(FileFormatError, match="unit must be"):
            read_rig(tmp_path / "rig.json", unit=unit)
    with pytest.raises(FileFormatError, match=r"452\.8 m from the origin.*unit='mm'"):
        read_rig(tmp_path / "rig.json", unit=1.0)


def test_half_a_turn_keeps_its_precision(tmp_path: Path) -> None:
    """Near half a turn OpenCV's rotation vectors are off by 1e-5, a centimetre at a kilometre."""
    K = np.array([[1000.0, 0, 500], [0, 1000, 300], [0, 0, 1]])
    R = cv2.Rodrigues(np.array([0.0, 3.1415826, 0.0]))[0]
    Rig((Camera(K, R=R, name="a"),)).save(tmp_path / "rig.toml")
    np.testing.assert_allclose(read_rig(tmp_path / "rig.toml")["a"].R, R, atol=1e-14)


def test_all_lens_models_in_one_toml(tmp_path: Path) -> None:
    make_rig().save(tmp_path / "rig.toml")
    assert_same(make_rig(), read_rig(tmp_path / "rig.toml"))

"""Damaged, hostile and malformed rig files of every format: one named error, quickly."""

import json
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from damage import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rig_samples import QUALISYS, make_rig

from lift3d.errors import FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.rigs import detect_rig, read_rig, write_rig

FILES = (
    "rig.toml",
    "rig.yml",
    "rig.xml",
    "intri.yml",
    "extri.yml",
    "camchain.yaml",
    "rig.json",
    "rig.qca.txt",
    "rig.h5",
)


def plain_rig() -> Rig:
    camera = make_rig()["cam10"]
    camera = replace(camera, distortion=np.array([-0.1, 0.02, 0.001, -0.002, 0.0]))
    return Rig((camera, replace(camera, name="b", t=np.array([1.0, 2.0, 3.0]))))


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_files_raise_only_named_errors(
    name: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("rig") / name
    write_rig(make_rig() if name == "rig.toml" else plain_rig(), file)
    file.write_bytes(data.draw(damaged(file.read_bytes())))
    detect_rig(file)
    try:
        rig = read_rig(file)
    except FileFormatError:
        return
    for camera in rig:
        assert np.isfinite(camera.K).all()
        np.testing.assert_allclose(camera.R @ camera.R.T, np.eye(3), atol=1e-3)


def edited(name: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """A good file with pieces of its text replaced."""
    file = folder / name
    write_rig(plain_rig(), file)
    text = file.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("rig.json", [('"R"', '"r"')], r"cameras\[0\]\.R: the field is missing"),
        ("rig.json", [("1280", "12.5")], "resolution.*pixels"),
        ("rig.json", [('"name": "b"', '"name": "cam10"')], "same name: cam10"),
        ("rig.json", [('"name": "b"', '"name": 3')], r"cameras\[0\]\.name"),
        ("rig.json", [("1001.3", "NaN")], r"cameras\[0\]\.K.*finite"),
        ("rig.json", [("1001.3", "-1001.3")], "positive focal"),
        ("rig.yml", [("rows: 3\n   cols: 3", "rows: 3\n   cols: 1000000000")], "9 numbers do not make 3 x 1e\\+09"),
        ("rig.yml", [("rows: 3\n   cols: 3", "rows: -3\n   cols: -3")], "expected 3 x 3"),
        ("rig.yml", [("M2:", "M3:")], "field M2: the matrix is missing"),
        ("rig.yml", [("M2:", "M1:")], "stands there twice"),
        ("rig.yml", [("units: m", "units: yard")], "unit must be"),
        ("rig.yml", [("image_width: 1280", "image_width: [ 1, 2 ]")], "image_width: expected a text"),
        ("rig.yml", [("image_width: 1280", "image_width: 0")], "in pixels"),
        ("rig.yml", [("names:\n   - b\n", "names:\n   - b\n   - c\n")], "two names, not 3"),
        ("rig.yml", [("image_width", "distortion_model: fov\nimage_width")], "lens model 'fov'"),
        ("camchain.yaml", [("cam1:", "cam2:")], "cam0, cam1, ... without a gap"),
        ("camchain.yaml", [("radtan", "fov")], "cam0.distortion_model"),
        ("camchain.yaml", [("pinhole", "omni")], "must be pinhole, not 'omni'"),
        ("camchain.yaml", [("T_cam_imu", "T_cam")], "cam1|T_cn_cnm1"),
        ("intri.yml", [("K_b", "K_c")], "field K_b: the matrix is missing"),
        ("intri.yml", [("names:", "name:")], "field names: expected a list of names"),
        ("rig.toml", [("size = [1280, 720]", "size = [1280]")], r"cam_0\.size.*expected 2 numbers, found 1"),
        ("rig.toml", [("fisheye = false", "fisheye = 0")], "expected true or false"),
        ("rig.toml", [('"units" = "m"', 'units = "ft"')], "unit must be one of"),
    ],
)
def test_malformed_fields_are_named(name: str, changes: list[tuple[str, str]], message: str, tmp_path: Path) -> None:
    file = edited(name, tmp_path, *changes)
    if "T_cam_imu" in changes[0]:  # without an IMU the chain is the pose
        assert len(read_rig(file)) == 2
        return
    with pytest.raises(FileFormatError, match=message) as raised:
        read_rig(file)
    assert "taken for" in str(raised.value)


def test_thin_prism_and_tilt_are_refused_and_zeros_are_not(tmp_path: Path) -> None:
    for last, size in (("0.", 14), ("0.1", 14), ("0.", 7)):
        numbers = ", ".join(["0.1", "0.2", "0.", "0.", "0.3", "0.", "0.", "0.4", *["0."] * 5, last][-size:])
        file = tmp_path / "one.yml"
        file.write_text(
            "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n"
            "   data: [ 500., 0., 320., 0., 500., 240., 0., 0., 1. ]\ndistortion_coefficients: !!opencv-matrix\n"
            f"   rows: {size}\n   cols: 1\n   dt: d\n   data: [ {numbers} ]\n"
        )
        if (last, size) == ("0.", 14):
            np.testing.assert_array_equal(read_rig(file)["one"].distortion, [0.1, 0.2, 0, 0, 0.3, 0, 0, 0.4])
        else:
            with pytest.raises(FileFormatError, match="tilt" if size == 14 else "found 7"):
                read_rig(file)


def test_ros_camera_info(tmp_path: Path) -> None:
    """The same fields as OpenCV's, with the lens model by name."""
    file = tmp_path / "info.yaml"
    text = (
        "image_width: 640\nimage_height: 480\ncamera_name: head\ncamera_matrix:\n  rows: 3\n  cols: 3\n"
        "  data: [500, 0, 320, 0, 500, 240, 0, 0, 1]\ndistortion_model: MODEL\ndistortion_coefficients:\n"
        "  rows: 1\n  cols: 4\n  data: [0.1, 0.2, 0.01, 1e-3]\n"
    )
    file.write_text(text.replace("MODEL", "plumb_bob"))
    camera = read_rig(file)["head"]
    np.testing.assert_array_equal(camera.distortion, [0.1, 0.2, 0.01, 1e-3, 0])
    assert not camera.fisheye
    file.write_text(text.replace("MODEL", "equidistant"))
    assert read_rig(file)["head"].fisheye


BOMBS = {
    "tag": "camera_matrix: !!python/object/apply:os.system ['true']\n",
    "alias": "a: &a [0, 0]\ncamera_matrix: [*a, *a]\n",
    "itself": "camera_matrix: &a [*a]\n",
    "merge": "a: &a {x: 1}\ncamera_matrix: {<<: [*a, *a, *a]}\n",
    "deep list": "camera_matrix: " + "[" * 20_000,
    "deep map": "camera_matrix: " + "{a: " * 20_000,
    "large": "camera_matrix: [" + "0.123456789, " * 100_000 + "0]\n",
    "date": "camera_matrix: 2001-01-01\n",
    "entities": '<!DOCTYPE x [<!ENTITY a "aaaa">]><opencv_storage>&a;</opencv_storage>',
    "deep xml": "<opencv_storage>" + "<a>" * 5_000 + "</a>" * 5_000 + "</opencv_storage>",
    "utf-16": "<\0!\0D\0O\0C\0T\0Y\0P\0E\0 \0x\0>\0<\0o\0p\0e\0n\0c\0v\0_\0s\0t\0o\0r\0a\0g\0e\0",
    "deep json": '{"cameras": ' + "[" * 100_000 + '"distCoef"',
    "control": "camera_matrix: \x01\n",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_hostile_texts_are_refused_quickly(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "rig"
    file.write_text(BOMBS[kind])
    start = time.process_time()
    with pytest.raises(FileFormatError):
        read_rig(file)
    assert time.process_time() - start < 3


def test_hostile_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "cameras.h5"

    def changed(name: str, values: object, **options: object) -> None:
        plain_rig().save(path, overwrite=True)
        with h5py.File(path, "a") as file:
            del file[f"subject1/camera1/{name}"]
            if values is not None or options:
                file["subject1/camera1"].create_dataset(name, data=values, **options)

    for name, values, options, message in [
        ("R", None, {}, "missing"),
        ("R", np.eye(3) * 2, {}, "orthonormal"),
        ("R", np.eye(4), {}, "camera1/R.*expected 3 x 3"),
        ("T", np.array([b"a", b"b", b"c"]), {}, "camera1/T.*expected numbers"),
        ("f", [[np.nan], [1.0]], {}, "camera1/f.*finite"),
        ("Name", [[-5.0]], {}, "character codes"),
        ("k", None, {"shape": (1 << 40,), "dtype": "f8", "chunks": (1024,)}, "over the limit"),
        ("size", [[1280.0], [-720.0]], {}, "pixels"),
    ]:
        changed(name, values, **options)
        with pytest.raises(FileFormatError, match=message):
            read_rig(path)
    with h5py.File(path, "w") as file:
        file["subject1"] = 3
    with pytest.raises(FileFormatError, match=r"damaged|camera"):
        read_rig(path)


def test_files_that_are_no_rigs(tmp_path: Path) -> None:
    (tmp_path / "keypoints.json").write_text(json.dumps([{"image_id": 1, "keypoints": []}]))
    (tmp_path / "values.h5").write_bytes(b"\x89HDF\r\n\x1a\nrubbish")
    (tmp_path / "notes.txt").write_text("camera 1 stood at the door\n")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["xyz"] = [1.0]
    for name in ("keypoints.json", "values.h5", "notes.txt", "other.h5", "", "missing.json"):
        assert detect_rig(tmp_path / name) is None
        with pytest.raises(FileFormatError, match=r"not a rig file that lift3d knows|cannot be read"):
            read_rig(tmp_path / name)
    (tmp_path / "any.txt").write_text(QUALISYS)
    assert detect_rig(tmp_path / "any.txt") == "qualisys"


def test_a_pair_without_its_other_half(tmp_path: Path) -> None:
    K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    file = tmp_path / "intrinsics.yml"
    Rig((Camera(K, name="a"), Camera(K, name="b"))).save(file)
    text = file.read_text()
    file.write_text(text.replace("\nR:", "\nRx:"))
    with pytest.raises(FileFormatError, match=r"extrinsics\.yml, does not exist"):
        read_rig(file)
    file.rename(tmp_path / "pair.yml")
    with pytest.raises(FileFormatError, match="R and T of the pair are missing"):
        read_rig(tmp_path / "pair.yml")

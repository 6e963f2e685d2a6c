"""Rig files: TOML and Qualisys by hand and against recorded images, malformed files, the checks of a rig."""

import json
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from rig_samples import QUALISYS, assert_same, make_rig

from lift3d.errors import CameraError, FileFormatError, OutputExistsError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.poses3d import read_poses
from lift3d.io.rigs import read_rig
from lift3d.skeletons import BODY25B


def test_toml_round_trip_is_exact(tmp_path: Path) -> None:
    rig = make_rig()
    rig.save(tmp_path / "rig.toml")
    again = read_rig(tmp_path / "rig.toml")
    assert_same(rig, again)
    assert again.metadata["error"] == 0.25
    assert again.metadata["adjusted"] is True
    with pytest.raises(OutputExistsError):
        rig.save(tmp_path / "rig.toml")


def test_toml_holds_the_fields_that_aniposelib_reads(tmp_path: Path) -> None:
    rig = make_rig()
    rig.save(tmp_path / "rig.toml")
    tables = tomllib.loads((tmp_path / "rig.toml").read_text())
    assert sorted(tables)[:3] == ["cam_0", "cam_1", "cam_2"]
    table = tables["cam_1"]
    assert table["name"] == "cam10"
    assert table["size"] == [1280, 720]
    np.testing.assert_allclose(cv2.Rodrigues(np.array(table["rotation"]))[0], rig["cam10"].R, atol=1e-12)
    assert len(table["distortions"]) == 5


def test_toml_of_aniposelib_in_millimetres(tmp_path: Path) -> None:
    file = tmp_path / "calibration.toml"
    file.write_text(
        '[cam_0]\nname = "a"\nsize = [ 1440, 1080,]\nmatrix = [ [ 1850.5, 0.0, 719.5,], [ 0.0, 1850.5, 539.5,], '
        "[ 0.0, 0.0, 1.0,],]\ndistortions = [ -0.2, 0.0, 0.0, 0.0,]\nrotation = [ 0.0, 0.0, 0.0,]\n"
        "translation = [ 116.0, 257.0, 1396.0,]\n\n[metadata]\nadjusted = false\nerror = 0.16\n"
    )
    with pytest.raises(FileFormatError, match="unit"):
        read_rig(file)
    np.testing.assert_allclose(read_rig(file, unit="mm")["a"].t, [0.116, 0.257, 1.396])
    assert read_rig(file, unit="mm")["a"].distortion.size == 5


def test_qualisys_by_hand(tmp_path: Path) -> None:
    """A camera 3 m before the origin's plane looks along +y: what lies to its right and above is seen there."""
    file = tmp_path / "any_name.txt"
    file.write_text(QUALISYS)
    camera = read_rig(file)["left"]
    assert camera.image_size == (1100, 800)
    np.testing.assert_allclose(camera.K, [[1000, 0, 550], [0, 1001, 400], [0, 0, 1]])
    np.testing.assert_allclose(camera.distortion, [-0.1, 0.02, 0.001, -0.002, 0.003])
    np.testing.assert_allclose(camera.project(np.array([1.0, 0, 1.5])), [550, 400], atol=1e-9)
    x, y = camera.project(np.array([1.2, 0, 1.8]))
    assert x > 600
    assert y < 320


def test_qualisys_of_a_recorded_system(shared_data: Path) -> None:
    """The published reference, projected into each camera, meets the keypoints that were detected there.

    The references are filtered and the detections noisy (their own triangulation leaves 8 to 18 pixels in images of
    1920 rows), but a wrong convention would be hundreds of pixels off.
    """
    demo = shared_data / "multiview" / "pose2sim_demo"
    rig = read_rig(demo / "calibration" / "Calib.qca.txt")
    assert rig.names == ("cam_01", "cam_02", "cam_03", "cam_04")
    # The file was made from poses of eight decimals: the right conversion finds them again.
    for camera in rig:
        for values in (camera.t, cv2.Rodrigues(camera.R)[0].ravel()):
            np.testing.assert_allclose(values, np.round(values, 8), atol=1e-13)
    poses = read_poses(demo / "single_balancing" / "reference" / "Balancing_for_IK.trc")
    joints = [joint for joint in poses.skeleton.joints if joint in BODY25B.joints]
    world = poses.xyz[:, 0, [poses.skeleton.index(joint) for joint in joints]]
    medians = []
    for index, camera in enumerate(rig, start=1):
        errors = []
        for frame, points in enumerate(world):
            file = demo / "single_balancing" / "pose" / f"cam0{index}_json" / f"cam0{index}.{frame:04d}.json"
            pixels = camera.project(points)
            per_person = []
            for person in json.loads(file.read_text())["people"]:
                detected = np.array(person["pose_keypoints_2d"]).reshape(-1, 3)[[BODY25B.index(j) for j in joints]]
                distance = np.linalg.norm(detected[:, :2] - pixels, axis=1)
                if (seen := detected[:, 2] > 0.3).any():
                    per_person.append(distance[seen])
            if per_person:
                errors.append(min(per_person, key=np.median))
        medians.append(np.median(np.concatenate(errors)))
    assert np.median(medians) < 12, medians
    assert max(medians) < 20, medians


def test_qualisys_leaves_out_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "rig.qca.txt"
    start, end = QUALISYS.index("<camera active"), QUALISYS.index("</cameras>")
    camera = QUALISYS[start:end]
    video = camera.replace('model="none"', 'model="Miqus Video"')
    marker = camera.replace('"none"', '"Miqus M3"').replace('"left"', '"m"')
    off = video.replace('active="1"', 'active="0"').replace('"left"', '"off"')
    file.write_text(QUALISYS[:start] + video + marker + off + QUALISYS[end:])
    rig = read_rig(file)
    assert rig.names == ("left",)
    assert rig.metadata["left_out"] == ["m", "off"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a rig file"),
        (b"\xff\xfe\x00", "not a text file"),
        (b'{"cameras": []}', "not a rig file"),
        (b"<svg/>", "no Qualisys calibration"),
        (b"<calibration><cameras><camera", "not valid XML"),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><calibration/>', "entities"),
        (QUALISYS.replace('r22="0"', 'r22="x"').encode(), "r22"),
        (QUALISYS.replace('r22="0"', 'r22="nan"').encode(), "r22"),
        (QUALISYS.replace('r22="0"', 'r22="1"').encode(), "orthonormal"),
        (QUALISYS.replace('r11="1"', 'r11="-1"').encode(), "mirrors"),
        (QUALISYS.replace('focalLengthU="64000"', "").encode(), "focalLengthU"),
        (QUALISYS.replace('"41600"', '"4160000"').encode(), "principal point"),
        (b"[cam_0]\nmatrix = [[1.0", "not valid TOML"),
        (b"[cam_0]\nmatrix = [[1.0]]\n", r"cam_0\.matrix.*expected 3 x 3 numbers, found 1 x 1"),
        (b"matrix = 3\n", "no table holds a camera"),
    ],
)
def test_malformed(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "rig"
    file.write_bytes(content)
    with pytest.raises(FileFormatError, match=message) as raised:
        read_rig(file)
    assert str(file) in str(raised.value)


def test_missing_file_and_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_rig(tmp_path / "none.toml")
    (tmp_path / "rig.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnknownFormatError, match="Qualisys"):
        read_rig(tmp_path / "rig.csv")


def test_rig_checks() -> None:
    K = np.array([[1000.0, 0, 500], [0, 1000, 300], [0, 0, 1]])
    rig = Rig(tuple(Camera(K, name=name) for name in ("cam10", "cam2", "Cam1")))
    assert rig.names == ("Cam1", "cam2", "cam10")
    assert len(rig) == 3
    with pytest.raises(CameraError, match="it has Cam1, cam2, cam10"):
        rig["cam3"]
    with pytest.raises(CameraError, match="same name: a"):
        Rig((Camera(K, name="a"), Camera(K, name="a")))
    with pytest.raises(CameraError, match="at least one"):
        Rig(())
    with pytest.raises(CameraError, match="principal point"):
        Rig((Camera(K, image_size=(400, 720)),))

"""Rig files of recorded systems, checked against what was recorded with them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lift3d.errors import FileFormatError
from lift3d.io.rig_panoptic import TO_WORLD
from lift3d.io.rigs import read_rig
from lift3d.skeletons import PANOPTIC19


@pytest.mark.parametrize("file", ["camera_array.toml", "config.toml"])
def test_caliscope(file: str, shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "calibration" / "charuco_4cam" / file
    rig = read_rig(path)
    assert rig.names == ("cam_0", "cam_1", "cam_2", "cam_3")
    assert all(camera.image_size == (1280, 720) for camera in rig)
    np.testing.assert_array_equal(rig["cam_0"].t, [0.12300856355436324, -0.20907747237613664, 0.6679490544839296])
    assert rig["cam_3"].R[0, 0] == 0.44247371806379737
    ignored = tmp_path / "rig.toml"
    ignored.write_text(path.read_text().replace("ignore = false", "ignore = true", 1))
    rig = read_rig(ignored)
    assert rig.names == ("cam_1", "cam_2", "cam_3")
    assert rig.metadata["left_out"] == ["cam_0"]


@pytest.mark.parametrize("sequence", ["160906_band1", "160906_band2"])
def test_panoptic_people_stand_upright_in_the_pictures(sequence: str, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "multiview" / "panoptic_tiny" / sequence
    rig = read_rig(folder / f"calibration_{sequence}.json")
    assert len(rig) == 520
    types = rig.metadata["types"]
    assert {kind: list(types.values()).count(kind) for kind in set(types.values())} == {
        "vga": 479, "hd": 31, "kinect-color": 10,
    }  # fmt: skip
    hd = [camera for camera in rig if types[camera.name] == "hd"]
    assert all(0.5 < camera.centre[2] < 3.6 for camera in hd)  # the studio is a dome of 4.2 m
    neck, ankles = PANOPTIC19.index("neck"), [PANOPTIC19.index(f"{side}_ankle") for side in ("left", "right")]
    inside, upright = [], []
    for file in sorted((folder / "hdPose3d_stage1_coco19").glob("*.json")):
        for body in json.loads(file.read_text())["bodies"]:
            joints = np.array(body["joints19"]).reshape(-1, 4)
            world = np.where(joints[:, 3:] > 0.1, joints[:, :3] @ TO_WORLD.T / 100, np.nan)
            assert 0.8 < world[neck, 2] < 1.8
            assert np.nanmax(world[ankles, 2]) < 0.3
            for camera in hd:
                pixels = camera.project(world)
                seen = np.isfinite(pixels).all(axis=-1)
                inside.append(((pixels > 0) & (pixels < camera.image_size)).all(axis=-1)[seen].mean())
                if inside[-1] > 0.5:
                    upright.append(pixels[neck, 1] < np.nanmax(pixels[ankles, 1]))
    assert np.mean(inside) > 0.8
    assert np.mean(upright) > 0.98
    rig.save(tmp_path / "again.json")
    entries = [
        json.loads(path.read_text())["cameras"]
        for path in (folder / f"calibration_{sequence}.json", tmp_path / "again.json")
    ]
    for before, after in zip(*(sorted(cameras, key=lambda entry: entry["name"]) for cameras in entries), strict=True):
        np.testing.assert_allclose(after.pop("t"), before.pop("t"), rtol=1e-15)
        assert after == before


def test_human36m_cameras_look_at_one_place_from_a_mans_height(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "cameras" / "h36m_cameras.h5"
    with pytest.raises(FileFormatError, match="S1, S5, S6, S7, S8, S9, S11"):
        read_rig(path)
    for subject in ("S1", "S5", "S6", "S7", "S8", "S9", "S11"):
        rig = read_rig(f"{path}::{subject}")
        assert rig.names == ("54138969", "55011271", "58860488", "60457274")
        assert rig["54138969"].image_size == (1000, 1002)
        centres = np.array([camera.centre for camera in rig])
        assert ((centres[:, 2] > 1.3) & (centres[:, 2] < 1.8)).all()
        # The point nearest to the four lines of sight.
        views = np.array([camera.R[2] for camera in rig])
        across = np.eye(3) - views[:, :, None] * views[:, None, :]
        meeting = np.linalg.solve(across.sum(axis=0), (across @ centres[..., None]).sum(axis=0))[:, 0]
        assert np.linalg.norm((across @ (meeting - centres)[..., None])[..., 0], axis=1).max() < 0.5
        assert np.linalg.norm(meeting[:2]) < 1
        assert 0 < meeting[2] < 1.2
        # A person of 1.7 m there is in every picture, the head above the feet.
        for camera in rig:
            pixels = camera.project(np.array([[*meeting[:2], 1.7], [*meeting[:2], 0.0]]))
            assert ((pixels > 0) & (pixels < 1000)).all()
            assert pixels[0, 1] < pixels[1, 1] - 200
    rig.save(tmp_path / "rig.h5")
    again = read_rig(tmp_path / "rig.h5")
    assert again.metadata["subject"] == "S11"
    for camera in rig:
        np.testing.assert_allclose(again[camera.name].t, camera.t, atol=1e-14)


def test_opencv_stereo_sample(shared_data: Path) -> None:
    """OpenCV's own reader as the reference, for one camera and for the pair whose T counts squares."""
    folder = shared_data / "calibration" / "opencv_stereo"
    one = read_rig(folder / "left_intrinsics.yml")["left_intrinsics"]
    storage = cv2.FileStorage(str(folder / "left_intrinsics.yml"), cv2.FILE_STORAGE_READ)
    np.testing.assert_array_equal(one.K, storage.getNode("camera_matrix").mat())
    np.testing.assert_array_equal(one.distortion, storage.getNode("distortion_coefficients").mat().ravel())
    assert one.image_size == (640, 480)

    for path in (folder, folder / "intrinsics.yml", folder / "extrinsics.yml"):
        with pytest.raises(FileFormatError, match="does not say the unit"):
            read_rig(path)
        left, right = read_rig(path, unit=0.025)
    inner = cv2.FileStorage(str(folder / "intrinsics.yml"), cv2.FILE_STORAGE_READ)
    outer = cv2.FileStorage(str(folder / "extrinsics.yml"), cv2.FILE_STORAGE_READ)
    assert (left.name, right.name) == ("left", "right")
    assert np.linalg.norm(right.centre) == pytest.approx(3.343 * 0.025, abs=2e-5)
    points = np.random.default_rng(0).uniform([-0.3, -0.3, 1], [0.3, 0.3, 2], size=(20, 3))
    M, D, R, T = (
        node.mat() for node in (inner.getNode("M2"), inner.getNode("D2"), outer.getNode("R"), outer.getNode("T"))
    )
    expected = cv2.projectPoints(points, cv2.Rodrigues(R)[0], T * 0.025, M, D)[0][:, 0]
    np.testing.assert_allclose(right.project(points), expected, atol=1e-9)
    with pytest.raises(FileFormatError, match="camera_matrix"):
        read_rig(folder / "stereo_calib.xml")  # a list of images

"""``lift3d info``, ``convert`` and ``view`` on real files."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import lift3d

from lift3d.demo import CLIP
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import SKELETONS


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    """A file of 3D poses: a body of random joints that moves along x."""
    generator = np.random.default_rng(0)
    xyz = generator.normal(size=(1, 1, 17, 3)) + np.linspace(0, 1, 20)[:, None, None, None] * [1, 0, 0]
    path = tmp_path / "poses.h5"
    Poses3D(xyz, skeleton="h36m17", fps=50, space="world").save(path)
    return path


def test_info_of_the_shipped_clip() -> None:
    result = lift3d("info", CLIP, "--json")
    summary = json.loads(result.stdout)
    assert summary["kind"] == "keypoints"
    assert (summary["frames"], summary["people"], summary["fps"]) == (100, 1, 60.0)
    assert summary["skeleton"] == "body25b"
    assert summary["image_size"] == [1088, 1920]
    assert "2D keypoints, body25b, 25 joints" in lift3d("info", CLIP).stdout


def test_info_of_poses_in_every_format(poses: Path, tmp_path: Path) -> None:
    for ending in ("npz", "json", "csv", "nc", "trc", "c3d"):
        copy = tmp_path / f"copy.{ending}"
        assert lift3d("convert", poses, copy).exit_code == 0
        summary = json.loads(lift3d("info", copy, "--json").stdout)
        assert (summary["kind"], summary["frames"], summary["space"]) == ("poses", 20, "world")
        assert summary["fps"] == pytest.approx(50)


def test_info_of_a_rig(tmp_path: Path) -> None:
    K = np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]])
    Rig((Camera(K, image_size=(640, 480), name="left"), Camera(K, image_size=(640, 480), name="right"))).save(
        tmp_path / "rig.toml"
    )
    summary = json.loads(lift3d("info", tmp_path / "rig.toml", "--json").stdout)
    assert [camera["name"] for camera in summary["cameras"]] == ["left", "right"]
    assert "left: 640x480 pixels, focal length 900.0 px" in lift3d("info", tmp_path / "rig.toml").stdout


def test_info_lists_the_layouts() -> None:
    listed = json.loads(lift3d("info", "--skeletons", "--json").stdout)["skeletons"]
    assert listed.keys() == SKELETONS.keys()
    assert listed["h36m17"]["joints"][0] == "pelvis"


def test_the_shipped_clip_through_openpose_json_and_back(tmp_path: Path) -> None:
    assert lift3d("convert", CLIP, tmp_path / "openpose_json").exit_code == 0
    back = lift3d(
        "convert", tmp_path / "openpose_json", tmp_path / "back.h5", "--fps", "60", "--image-size", "1088x1920"
    )
    assert back.exit_code == 0, back.output
    one, other = Keypoints2D.load(CLIP), Keypoints2D.load(tmp_path / "back.h5")
    np.testing.assert_allclose(other.xy, one.xy, atol=1e-3)
    assert (other.skeleton.name, other.fps, other.image_size) == ("body25b", 60, (1088, 1920))


def test_convert_says_which_joints_it_estimates(tmp_path: Path) -> None:
    result = lift3d("convert", CLIP, tmp_path / "out.h5", "--to-skeleton", "h36m17", "--json")
    summary = json.loads(result.stdout)
    assert "pelvis" in summary["estimated"]
    assert "left_knee" in summary["measured"]
    assert Keypoints2D.load(tmp_path / "out.h5").skeleton.name == "h36m17"


def test_convert_keeps_an_existing_output(tmp_path: Path) -> None:
    target = tmp_path / "out.h5"
    target.write_text("mine")
    result = lift3d("convert", CLIP, target)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert target.read_text() == "mine"
    assert lift3d("convert", CLIP, target, "--overwrite").exit_code == 0
    assert Keypoints2D.load(target).frames == 100


def test_convert_refuses_options_that_say_nothing_of_poses(poses: Path, tmp_path: Path) -> None:
    assert lift3d("convert", poses, tmp_path / "out.npz", "--image-size", "640x480").exit_code == 2
    assert lift3d("convert", poses, tmp_path / "out.npz", "--fps", "25").exit_code == 0
    assert json.loads(lift3d("info", tmp_path / "out.npz", "--json").stdout)["fps"] == 25


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cut.json", b'{"version": 1.3, "people": [{"pose_keypoints_2d": [1, 2', "cut.json"),
        ("other.json", b'{"weather": "rain"}', "weather"),
        ("noise.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "noise.h5"),
        ("noise.npz", b"PK\x03\x04" + bytes(100), "noise.npz"),
        ("table.csv", b"a,b\n1,2\n", "table.csv"),
        ("nothing.json", b"", "nothing.json"),
        ("rig.toml", b"[camera]\nx = 1\n", "rig.toml"),
        ("weights.safetensors", b"\xff" * 64, "weights.safetensors"),
        ("poses.trc", b"PathFileType\t4\n", "poses.trc"),
    ],
)
def test_bad_files_are_one_message(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    result = lift3d("info", tmp_path / name)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) == 1


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.h5", tmp_path / "nothing.safetensors", tmp_path / "nothing.toml", tmp_path):
        result = lift3d("info", path)
        assert result.exit_code == 2
        assert str(path) in result.stderr


def test_view_of_2d_and_3d(poses: Path, tmp_path: Path) -> None:
    for file in (CLIP, poses):
        picture, page = tmp_path / f"{file.stem}.png", tmp_path / f"{file.stem}.html"
        assert lift3d("view", file, "--save", picture).exit_code == 0
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert lift3d("view", file, "--save", page, "--json").exit_code == 0
        assert "<html" in page.read_text(encoding="utf-8").lower()
    assert lift3d("view", poses, "--save", tmp_path / "out.jpeg").exit_code == 2


def test_recordings_have_their_information(shared_data: Path) -> None:
    keypoints = shared_data / "keypoints"
    for name in ("openpose_body25/1", "alphapose_halpe26/alphapose-results.json", "coco/test_coco.json"):
        result = lift3d("info", keypoints / name, "--json")
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["frames"] > 0

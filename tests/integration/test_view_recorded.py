"""``lift3d view`` of the recorded four-camera demo: the person lies on the person in the videos, from file to file."""

import json
from pathlib import Path

import numpy as np
import pytest
from view_scenes import film, picture, view

from lift3d.io.keypoints import read_keypoints
from lift3d.io.rigs import read_rig
from lift3d.multiview.triangulate import triangulate

CAMERAS = ("cam_01", "cam_02", "cam_03", "cam_04")


@pytest.fixture(scope="module")
def take(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A triangulated clip, and the options that name its rig and videos."""
    pytest.importorskip("av")
    demo = shared_data / "multiview" / "pose2sim_demo"
    folder = demo / "single_balancing"
    rig = read_rig(demo / "calibration" / "Calib.qca.txt")
    names = [name.replace("_", "") for name in CAMERAS]
    path = tmp_path_factory.mktemp("recorded") / "take.h5"
    triangulate([read_keypoints(folder / "pose" / f"{name}_json", fps=60) for name in names], rig).save(path)
    options = ["--rig", str(demo / "calibration" / "Calib.qca.txt")]
    for camera, name in zip(rig.names, names, strict=True):
        options += ["--video", f"{camera}={folder / 'videos' / name}.mp4"]
    return path, options


def test_overlays_of_four_cameras(take: tuple[Path, list[str]], tmp_path: Path, shared_data: Path) -> None:
    path, options = take
    poses = shared_data / "multiview" / "pose2sim_demo" / "single_balancing" / "pose"
    flat = [f"--keypoints={name}={poses / name.replace('_', '')}_json" for name in _names(options)]
    result = view(path, *options, *flat, "--overlay", "--frames", "50-51", "--save", tmp_path / "over.mp4", "--json")
    overlays = json.loads(result.stdout)["overlays"]
    assert len(overlays) == 4
    for item in overlays.values():
        # Of 1920: with sides swapped or a picture turned it would be hundreds.
        assert item["reprojection_error_pixels"] < 40
        assert len(film(Path(item["output"]))[0]) == item["frames"] == 2


def test_the_frusta_hold_the_videos(take: tuple[Path, list[str]], tmp_path: Path) -> None:
    path, options = take
    quick = ("--frame", 50, "--size", "640x360", "--renderer", "matplotlib")
    view(path, *options, *quick, "--save", tmp_path / "with.png")
    view(path, *options[:2], *quick, "--save", tmp_path / "without.png")
    filled, empty = (picture(tmp_path / f"{name}.png").astype(int) for name in ("with", "without"))
    # The videos' frames cover a good part of the picture, and are no even areas.
    changed = np.abs(filled - empty).max(axis=-1) > 60
    assert 0.01 < changed.mean() < 0.5
    assert filled[changed].std(axis=0).min() > 25


def _names(options: list[str]) -> list[str]:
    return [item.split("=")[0] for item in options[3::2]]

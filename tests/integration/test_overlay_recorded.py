"""The recorded four-camera demo drawn on its videos: bones where OpenCV projects them, errors as they are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import lift3d

from lift3d.geometry.rigs import Rig
from lift3d.io.keypoints import read_keypoints
from lift3d.io.poses3d import read_poses
from lift3d.io.rigs import read_rig
from lift3d.io.stored_poses import open_poses
from lift3d.palette import LEFT, RIGHT
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.viz.overlay import Overlay, save_overlays

CAMERAS = {f"cam_0{number}": f"cam0{number}" for number in range(1, 5)}
FIRST, LAST = 57, 63


@pytest.fixture(scope="module")
def demo(shared_data: Path) -> Path:
    return shared_data / "multiview" / "pose2sim_demo"


@pytest.fixture(scope="module")
def rig(demo: Path) -> Rig:
    return read_rig(demo / "calibration" / "Calib.qca.txt")


@pytest.fixture(scope="module")
def keypoints(demo: Path) -> dict[str, Keypoints2D]:
    pose = demo / "single_balancing" / "pose"
    return {name: read_keypoints(pose / f"{short}_json", fps=60) for name, short in CAMERAS.items()}


@pytest.fixture(scope="module")
def file(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("overlay") / "poses.h5"
    inputs = [str(demo / "single_balancing" / "pose" / f"{short}_json") for short in CAMERAS.values()]
    rig = str(demo / "calibration" / "Calib.qca.txt")
    result = lift3d("triangulate", *inputs, "--rig", rig, "--fps", "60", "-o", output)
    assert result.exit_code == 0, result.output
    return output


@pytest.fixture(scope="module")
def overlays(demo: Path, rig: Rig, keypoints: dict[str, Keypoints2D], file: Path) -> dict[str, Overlay]:
    videos = {name: demo / "single_balancing" / "videos" / f"{short}.mp4" for name, short in CAMERAS.items()}
    with open_poses(file) as poses:
        return save_overlays(file.with_name("out.mp4"), videos, poses, rig, keypoints, frames=slice(FIRST, LAST))


def opencv_projection(poses: Poses3D, rig: Rig, name: str, frame: int) -> np.ndarray:
    """(joints, 2) pixels of the one person, by OpenCV's own lens model."""
    camera = rig[name]
    rotation, _ = cv2.Rodrigues(camera.R)
    pixels, _ = cv2.projectPoints(
        poses.xyz[frame, 0].astype(np.float64), rotation, camera.t, camera.K, camera.distortion
    )
    return np.asarray(pixels).reshape(-1, 2)


def line_of(image: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(n, 3) RGB in the middle half of a line."""
    along = np.linspace(0.25, 0.75, 15)[:, None]
    x, y = np.round(start + along * (end - start)).astype(int).T
    return image[y, x]


def unlike(found: np.ndarray, colour: str) -> float:
    """How far colours are from one: the median over pixels of the mean difference of the channels, of 255."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return float(np.median(np.abs(found - wanted).mean(axis=-1)))


@pytest.mark.parametrize("name", CAMERAS)
def test_limbs_are_drawn_where_opencv_projects_them(
    name: str, overlays: dict[str, Overlay], file: Path, rig: Rig
) -> None:
    poses = read_poses(file)
    index = poses.skeleton.index
    capture = cv2.VideoCapture(str(overlays[name].path))
    on, beside = [], []
    for frame in range(FIRST, LAST):
        ok, image = capture.read()
        assert ok
        image = image[..., ::-1].astype(int)
        pixels = opencv_projection(poses, rig, name, frame)
        for side, colour in (("left", LEFT), ("right", RIGHT)):
            for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
                start, end = pixels[index(f"{side}_{a}")], pixels[index(f"{side}_{b}")]
                if np.isfinite(start).all() and np.isfinite(end).all() and np.linalg.norm(end - start) > 60:
                    across = np.array([start[1] - end[1], end[0] - start[0]]) / np.linalg.norm(end - start)
                    on.append(unlike(line_of(image, start, end), colour))
                    beside.append(unlike(line_of(image, start + 14 * across, end + 14 * across), colour))
    assert not capture.read()[0]
    assert len(on) > 30
    assert max(on) < 20
    assert min(beside) > 30


def test_the_error_is_that_of_the_rig_and_is_not_hidden(
    overlays: dict[str, Overlay], file: Path, rig: Rig, keypoints: dict[str, Keypoints2D]
) -> None:
    """Computed another way: OpenCV's projection, and the nearest of the detected people by hand."""
    poses = read_poses(file)
    for name, overlay in overlays.items():
        found = []
        for frame in range(FIRST, LAST):
            away = np.linalg.norm(keypoints[name].xy[frame] - opencv_projection(poses, rig, name, frame), axis=-1)
            found.append(
                min((person[np.isfinite(person)] for person in away if np.isfinite(person).any()), key=np.mean)
            )
        assert overlay.frames == LAST - FIRST
        assert overlay.reprojection_error == pytest.approx(float(np.median(np.concatenate(found))), abs=0.02)
        assert overlay.reprojection_error > 5
        # Two of the videos are narrower than the images that the rig says it is for.
        assert len(overlay.notes) == (1 if name in ("cam_01", "cam_02") else 0)

"""``lift3d triangulate`` and ``synchronise`` on a person of known motion before a rig of four cameras."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import lift3d
from rig_scenes import ring, see, strike

from lift3d.geometry.rigs import Rig
from lift3d.io.poses3d import read_poses
from lift3d.poses import SOURCES, Keypoints2D
from lift3d.skeletons import H36M17

FRAMES, FPS = 150, 50.0
# A person who stands with the arms hanging, metres: left is +x, forwards -y.
STANDING = {
    "pelvis": (0, 0, 0.95), "left_hip": (0.1, 0, 0.95), "left_knee": (0.1, 0, 0.5), "left_ankle": (0.1, 0.03, 0.08),
    "right_hip": (-0.1, 0, 0.95), "right_knee": (-0.1, 0, 0.5), "right_ankle": (-0.1, 0.03, 0.08),
    "spine": (0, 0, 1.2), "thorax": (0, 0, 1.45), "neck": (0, 0, 1.45), "nose": (0, -0.1, 1.6), "head": (0, 0, 1.65),
    "head_top": (0, 0, 1.75), "left_shoulder": (0.17, 0, 1.42), "left_elbow": (0.2, 0, 1.13),
    "left_wrist": (0.22, -0.05, 0.88), "right_shoulder": (-0.17, 0, 1.42), "right_elbow": (-0.2, 0, 1.13),
    "right_wrist": (-0.22, -0.05, 0.88),
}  # fmt: skip


def motion() -> np.ndarray:
    """(frames, joints, 3): rigid turns and steps of all joints, so that bones are constant."""
    body = np.array([STANDING[joint] for joint in H36M17.joints])
    time = np.arange(FRAMES) / FPS
    angle = 0.8 * np.sin(1.5 * time)
    R = np.zeros((FRAMES, 3, 3))
    R[:, 0, 0], R[:, 0, 1], R[:, 1, 0], R[:, 1, 1], R[:, 2, 2] = (
        np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle), 1,
    )  # fmt: skip
    shift = np.stack([0.4 * np.sin(time), 0.3 * np.cos(2 * time), 0 * time], axis=-1)
    return body @ R.mT + shift[:, None]


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rig and the keypoints of its cameras: 2 px of noise, 3 % anywhere, the left wrist unseen for 0.2 s."""
    folder = tmp_path_factory.mktemp("take")
    cameras = ring(4)
    Rig(tuple(cameras)).save(folder / "rig.toml")
    xy = see(cameras, motion(), noise=2)
    strike(xy, 0.03)
    xy[:, 60:70, H36M17.index("left_wrist")] = np.nan
    for camera, points in zip(cameras, xy, strict=True):
        Keypoints2D(points[:, None], skeleton=H36M17, fps=FPS, image_size=(1920, 1080)).save(
            folder / f"{camera.name}.h5"
        )
    return folder


def sources(take: Path) -> list[Path]:
    return [take / f"cam{index}.h5" for index in range(4)]


def error(path: Path) -> float:
    """Median distance from the truth, metres, of all joints that are there."""
    return float(np.nanmedian(np.linalg.norm(read_poses(path).xyz[:, 0] - motion(), axis=-1)))


def test_refining_and_filtering_come_nearer_to_the_truth(take: Path, tmp_path: Path) -> None:
    options = {
        "plain": ["--plain"],
        "robust": [],
        "refined": ["--refine", "--bone-lengths", "left_knee=0.45,right_knee=0.45"],
        "filtered": ["--fill-gaps", 0.5, "--filter", "butterworth:6"],
    }
    errors = {}
    for name, arguments in options.items():
        path = tmp_path / f"{name}.h5"
        result = lift3d("triangulate", *sources(take), "--rig", take / "rig.toml", "-o", path, *arguments, "--json")
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["cameras"] == [f"cam{index}" for index in range(4)]
        errors[name] = error(path)
    assert errors["robust"] < errors["plain"]
    assert errors["refined"] < 0.6 * errors["robust"]
    assert errors["filtered"] < 0.7 * errors["robust"]

    wrist = H36M17.index("left_wrist")
    robust, refined, filled = (read_poses(tmp_path / f"{name}.h5") for name in ("robust", "refined", "filtered"))
    assert np.isnan(robust.xyz[60:70, 0, wrist]).all()
    for poses in (refined, filled):
        assert np.isfinite(poses.xyz[60:70, 0, wrist]).all()
        assert (poses.source[60:70, 0, wrist] == SOURCES.index("interpolated")).all()
        assert not poses.cameras_used[60:70, 0, wrist].any()
    thighs = np.linalg.norm(
        refined.xyz[:, 0, H36M17.index("left_knee")] - refined.xyz[:, 0, H36M17.index("left_hip")], axis=-1
    )
    assert np.median(thighs) == pytest.approx(0.45, abs=0.01)


def test_the_lifter_completes_what_no_camera_sees(take: Path, tmp_path: Path) -> None:
    path = tmp_path / "complete.h5"
    result = lift3d("triangulate", *sources(take), "--rig", take / "rig.toml", "-o", path, "--complete")
    assert result.exit_code == 0, result.stderr
    poses = read_poses(path)
    wrist = H36M17.index("left_wrist")
    assert (poses.source[60:70, 0, wrist] == SOURCES.index("lifted")).all()
    # It hangs somewhere by the body, and the error bar says that more is not known.
    distance = np.linalg.norm(poses.xyz[60:70, 0, wrist] - motion()[60:70, wrist], axis=-1)
    assert distance.max() < 0.7
    assert (poses.sigma[60:70, 0, wrist] > 0.03).all()


def test_cameras_that_started_late_are_brought_together(take: Path, tmp_path: Path) -> None:
    shifts = (0, 7, 12, 3)
    for index, shift in enumerate(shifts):
        Keypoints2D.load(take / f"cam{index}.h5").select(slice(shift, FRAMES - 15 + shift)).save(
            tmp_path / f"cam{index}.h5"
        )
    late = [tmp_path / f"cam{index}.h5" for index in range(4)]
    result = lift3d("synchronise", *late, "--rig", take / "rig.toml", "-o", tmp_path / "together", "--json")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "together" / "cam2.h5").exists()
    together = [tmp_path / "together" / f"cam{index}.h5" for index in range(4)]
    seen = {}
    for name, files in (("apart", late), ("together", together)):
        result = lift3d("triangulate", *files, "--rig", take / "rig.toml", "-o", tmp_path / f"{name}.h5", "--json")
        assert result.exit_code == 0, result.stderr
        seen[name] = np.mean(list(json.loads(result.stdout)["median_reprojection_error_pixels"].values()))
    assert seen["together"] < 4 < seen["apart"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bone-lengths", "left_knee=0.45"], "add it"),
        (["--refine", "--bone-lengths", "left_knee"], "is not JOINT=METRES"),
        (["--refine", "--bone-lengths", "tail=0.4"], "tail"),
        (["--filter", "magic"], "magic"),
        (["--filter", "butterworth:100"], "cutoff|cut-off|Nyquist"),
    ],
)
def test_impossible_options_are_said(take: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    result = lift3d("triangulate", *sources(take), "--rig", take / "rig.toml", "-o", tmp_path / "a.h5", *arguments)
    assert result.exit_code == 2, result.stdout
    assert re.search(message, " ".join(result.stderr.replace("│", " ").split())), result.stderr
    assert not (tmp_path / "a.h5").exists()

"""The recorded four-camera demo through the command: against its reference, and every kind of output and bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import lift3d
from typer.testing import Result

from lift3d.geometry.triangulation import triangulate_points
from lift3d.io.poses3d import read_poses
from lift3d.io.rigs import read_rig
from lift3d.multiview.gather import gather_views
from lift3d.poses import Keypoints2D, Poses3D

LIMBS = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
)
CAMERAS = ("cam01", "cam02", "cam03", "cam04")


def triangulate(*arguments: object) -> Result:
    return lift3d("triangulate", *arguments)


@pytest.fixture(scope="module")
def demo(shared_data: Path) -> Path:
    return shared_data / "multiview" / "pose2sim_demo"


@pytest.fixture(scope="module")
def inputs(demo: Path) -> list[object]:
    """The demo's four cameras in the rig's order, and the rig."""
    pose = demo / "single_balancing" / "pose"
    return [*(pose / f"{name}_json" for name in CAMERAS), "--rig", demo / "calibration" / "Calib.qca.txt", "--fps", 60]


@pytest.fixture(scope="module")
def reference(demo: Path) -> Poses3D:
    """Another detector's keypoints, triangulated and filtered by Pose2Sim."""
    return read_poses(demo / "single_balancing" / "reference" / "Balancing_for_IK.trc")


def distances(xyz: np.ndarray, joints: tuple[str, ...], reference: Poses3D) -> np.ndarray:
    """(frames, limbs) millimetres from the reference."""
    ours = xyz[:, [joints.index(joint) for joint in LIMBS]]
    theirs = reference.xyz[:, 0][:, [reference.skeleton.index(joint) for joint in LIMBS]]
    return np.asarray(np.linalg.norm(ours - theirs, axis=-1) * 1000)


def test_distance_from_the_reference(inputs: list[object], reference: Poses3D, tmp_path: Path) -> None:
    """No worse than the plain linear solution, and sigma explains the distance."""
    output = tmp_path / "poses.h5"
    result = triangulate(*inputs, "-o", output, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    poses = read_poses(output)
    rig = read_rig(str(inputs[5]))
    from lift3d.io.keypoints import read_keypoints

    views = gather_views([read_keypoints(str(path), fps=60) for path in inputs[:4]], rig)
    xy = np.stack([motion.xy[:, 0] for motion in views.keypoints])
    plain = linear(views.keypoints, rig)
    joints = poses.skeleton.joints
    rows = {
        "linear, every camera alike": plain,
        "least reprojection error, every camera alike": triangulate_points(rig.cameras, xy).points,
        "robust, weighed by confidence": poses.xyz[:, 0],
    }
    medians = {}
    for name, xyz in rows.items():
        away = distances(xyz, joints, reference)
        medians[name] = float(np.nanmedian(away))
        print(f"{name}: median {medians[name]:.1f} mm, mean {np.nanmean(away):.1f} mm")
    assert medians["robust, weighed by confidence"] < medians["least reprojection error, every camera alike"]
    assert medians["robust, weighed by confidence"] < medians["linear, every camera alike"]
    assert medians["robust, weighed by confidence"] < 16
    assert poses.sigma is not None
    whitened = distances(poses.xyz[:, 0], joints, reference) / 1000
    whitened = whitened / poses.sigma[:, 0][:, [joints.index(joint) for joint in LIMBS]] / np.sqrt(3)
    assert 0.3 < float(np.nanmean(whitened**2)) < 1.5
    # The person in the background of two cameras is not taken.
    assert any("'cam_01': person 1 taken of 2" in note for note in summary["notes"])
    assert any("set right: 0 times" in note for note in summary["notes"])
    assert summary["joints_missing"] == 0


def linear(motions: tuple[Keypoints2D, ...], rig: object) -> np.ndarray:
    """(frames, joints, 3) the textbook's solution: the smallest singular vector of all cameras' equations."""
    rows = []
    for camera, motion in zip(rig, motions, strict=True):  # type: ignore[call-overload]
        plane = camera.unproject(motion.xy[:, 0])
        P = np.column_stack([camera.R, camera.t])
        rows += [plane[..., k, None] * P[2] - P[k] for k in (0, 1)]
    vectors = np.linalg.svd(np.nan_to_num(np.stack(rows, axis=-2)))[2][..., -1, :]
    return np.asarray(vectors[..., :3] / vectors[..., 3:])


def test_two_cameras_by_name_as_trc(inputs: list[object], demo: Path, tmp_path: Path, reference: Poses3D) -> None:
    output = tmp_path / "poses.trc"
    named = [f"cam_04={inputs[3]}", f"cam_02={inputs[1]}"]
    result = triangulate(*named, *inputs[4:], "-o", output)
    assert result.exit_code == 0, result.output
    assert "cameras of the rig that were not given: cam_01, cam_03" in result.stdout
    poses = read_poses(output)
    assert poses.fps == 60
    assert np.nanmedian(distances(poses.xyz[:, 0], poses.skeleton.joints, reference)) < 40


@pytest.mark.parametrize("ending", ["npz", "json", "csv"])
def test_every_ending(inputs: list[object], ending: str, tmp_path: Path) -> None:
    output = tmp_path / f"poses.{ending}"
    assert triangulate(*inputs, "-o", output).exit_code == 0
    poses = read_poses(output)
    assert poses.frames == 100
    assert poses.sigma is not None
    assert poses.cameras_used is not None


def test_an_existing_file_is_kept(inputs: list[object], tmp_path: Path) -> None:
    output = tmp_path / "poses.h5"
    output.write_text("mine")
    result = triangulate(*inputs, "-o", output)
    assert result.exit_code == 2
    assert "--overwrite" in result.output
    assert output.read_text() == "mine"
    assert triangulate(*inputs, "-o", output, "--overwrite").exit_code == 0


def test_bad_input_is_one_message(inputs: list[object], demo: Path, tmp_path: Path) -> None:
    output = ["-o", tmp_path / "poses.h5"]
    two = [demo / "two_people" / "pose" / f"{name}_json" for name in CAMERAS]
    for arguments, message in (
        (inputs[:2] + inputs[4:], "one path for each of the 4"),
        ([f"cam_1={inputs[0]}", *inputs[1:]], "has no camera 'cam_1'"),
        ([f"cam_01={inputs[0]}", *inputs[4:]], "two cameras or more"),
        ([*inputs, "--image-size", "544x960"], "calibrated for 1088x1920"),
        ([*two, *inputs[4:]], "lift3d reconstruct"),
        ([*inputs[:4], "--rig", demo / "LICENSE"], "LICENSE"),
        ([tmp_path / "none", *inputs[1:]], "no such file"),
    ):
        result = triangulate(*arguments, *output)
        assert result.exit_code == 2, (message, result.output)
        assert message in " ".join(result.output.split()), result.output
        assert "Traceback" not in result.output
    assert not (tmp_path / "poses.h5").exists()

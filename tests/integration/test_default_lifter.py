"""The default weights on recorded people."""

import sys
from pathlib import Path

import numpy as np
import pytest

import lift3d
from lift3d.demo import CLIP
from lift3d.evaluation.metrics import p_mpjpe
from lift3d.models import checkpoint_info
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import BODY25B, H36M17

LEGS = ("knee", "ankle", "heel", "big_toe", "small_toe")
LIMBS = [
    H36M17.index(f"{side}_{joint}")
    for side in ("left", "right")
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
]
UPPER = [
    H36M17.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "shoulder", "elbow", "wrist")
]


@pytest.fixture(scope="module")
def clip() -> Keypoints2D:
    return Keypoints2D.load(CLIP)


@pytest.fixture(scope="module")
def poses(clip: Keypoints2D) -> Poses3D:
    return lift3d.lift(clip)


def without(clip: Keypoints2D, joints: tuple[str, ...]) -> Keypoints2D:
    xy = clip.xy.copy()
    xy[:, :, [j for j, name in enumerate(BODY25B.joints) if name.split("_", 1)[-1] in joints]] = np.nan
    return Keypoints2D(xy, clip.confidence, clip.skeleton, fps=clip.fps, image_size=clip.image_size)


def test_pose_lies_on_its_keypoints(poses: Poses3D) -> None:
    assert poses.reprojection_error is not None
    # The person is about 900 pixels tall.
    assert np.nanmedian(poses.reprojection_error) < 8
    assert np.nanpercentile(poses.reprojection_error, 95) < 60


def test_bones_keep_their_length(poses: Poses3D) -> None:
    """Lengths vary by 13 mm on average, and by up to 26 mm, as the network leaves them."""
    parents, children = (list(ends) for ends in zip(*H36M17.bones, strict=True))
    spread = np.linalg.norm(poses.xyz[:, 0, children] - poses.xyz[:, 0, parents], axis=-1).std(axis=0)
    assert spread.mean() < 0.008
    assert spread.max() < 0.02


def test_interleaved_clips_do_not_flicker(clip: Keypoints2D) -> None:
    """Limbs that the detector puts 12 pixels aside in every second frame: depth alternated by 6 mm if not blended."""
    xy = clip.xy.copy()
    xy[1::2, :, 5:17, 0] += 12
    alternating = Keypoints2D(xy, clip.confidence, clip.skeleton, fps=clip.fps, image_size=clip.image_size)
    depth = lift3d.lift(alternating).xyz[:, 0, :, 2]
    depth = depth - depth[:, :1]
    assert np.abs(depth[1:-1] - (depth[2:] + depth[:-2]) / 2).mean() < 0.002


def test_person_stands_upright_before_the_camera(poses: Poses3D) -> None:
    """Camera space: y down, z forward."""
    head, feet = H36M17.index("head_top"), [H36M17.index("left_ankle"), H36M17.index("right_ankle")]
    assert (poses.xyz[:, 0, head, 1] < poses.xyz[:, 0, feet, 1].min(-1)).all()
    assert (poses.xyz[..., 2] > 1.5).all()
    assert (poses.xyz[..., 2] < 6).all()


def test_error_bars(poses: Poses3D) -> None:
    assert poses.sigma is not None
    assert poses.covariance is not None
    assert np.isfinite(poses.sigma).all()
    # One camera sees depth worst: the largest axis of nearly every ellipsoid lies along the line of sight.
    _, axes = np.linalg.eigh(poses.covariance[:, 0, 1:].astype(np.float64))
    sight = poses.xyz[:, 0, 1:] / np.linalg.norm(poses.xyz[:, 0, 1:], axis=-1, keepdims=True)
    assert np.mean(np.abs((axes[..., -1] * sight).sum(-1)) > 0.9) > 0.8
    # Hands and feet are less sure than hips; nothing is surer than a centimetre or wilder than half a metre.
    median = np.median(poses.sigma[:, 0], axis=0)
    assert median[H36M17.index("left_wrist")] > 1.5 * median[H36M17.index("left_hip")]
    assert median[1:].min() >= 0.01
    assert median.max() < 0.5


def test_error_bars_hold_where_cameras_agree_on_the_truth(shared_data: Path) -> None:
    """Of a recorded person in four views: sigma holds what it should, to what one clip can say."""
    info = checkpoint_info("default")
    demo = shared_data / "multiview" / "pose2sim_demo"
    rig = lift3d.read_rig(demo / "calibration" / "Calib.qca.txt")
    truth = lift3d.read_poses(demo / "single_balancing" / "reference" / "Balancing_for_IK.trc").convert("h36m17")[0]
    ratios = []
    for camera, folder in zip(rig, ("cam01", "cam02", "cam03", "cam04"), strict=True):
        path = demo / "single_balancing" / "pose" / f"{folder}_json"
        found = lift3d.read_keypoints(path, fps=60, image_size=(1088, 1920))
        extent = np.nanmax(found.xy[..., 1], axis=2) - np.nanmin(found.xy[..., 1], axis=2)
        lifted = lift3d.lift(found.select(people=[int(np.nanmean(extent, axis=0).argmax())]), camera=camera)
        frames = min(lifted.frames, truth.frames)
        expected = (truth.xyz[:frames, 0] @ camera.R.T)[:, LIMBS]
        error = lifted.xyz[:frames, 0, LIMBS] - expected
        # Relative to the middle of the hips, which both have.
        hips = [LIMBS.index(H36M17.index(f"{side}_hip")) for side in ("left", "right")]
        error -= error[:, hips].mean(1, keepdims=True)
        assert lifted.covariance is not None
        deviation = np.sqrt(np.diagonal(lifted.covariance, axis1=-2, axis2=-1))[:frames, 0, LIMBS]
        ratios.append(np.abs(error) / deviation)
    ratio = np.concatenate(ratios)
    ratio = ratio[np.isfinite(ratio)]
    # 70 and 93 % of the coordinates, where 68 and 95 are promised.
    assert 0.6 < np.mean(ratio < 1) < 0.78
    assert np.mean(ratio < info.sigma["interval_95"]) > 0.9


def test_fewer_joints_change_little(clip: Keypoints2D, poses: Poses3D) -> None:
    coco = lift3d.lift(clip.convert("coco17")[0])
    limbs = [j for j, name in enumerate(H36M17.joints) if name.startswith(("left", "right"))]
    assert p_mpjpe(coco.xyz[:, :, limbs], poses.xyz[:, :, limbs]) < 30


def test_person_seen_from_the_hips_up(clip: Keypoints2D, poses: Poses3D) -> None:
    upper = lift3d.lift(without(clip, LEGS))
    assert np.isfinite(upper.xyz).all()
    assert p_mpjpe(upper.xyz[:, :, UPPER], poses.xyz[:, :, UPPER]) < 60
    assert (upper.confidence[:, :, H36M17.index("left_ankle")] == 0).all()


def test_half_the_frame_rate_gives_the_same_motion(clip: Keypoints2D, poses: Poses3D) -> None:
    slow = lift3d.lift(clip.select(slice(0, None, 2)))
    assert p_mpjpe(slow.xyz, poses.xyz[::2]) < 15


def test_recorded_person_against_the_reference(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean P-MPJPE of the four cameras and of each layout, as experiments/default_lifter/RESULTS.md has it."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "experiments" / "default_lifter")
    sys.modules.pop("train", None)
    evaluation = __import__("evaluate")
    rows = evaluation.recording_table(shared_data / "multiview" / "pose2sim_demo", "default").splitlines()
    means = [float(row.split("|")[5].strip(" *")) for row in rows if "mean" in row]
    assert len(means) == 4
    assert max(means) < 60
    each = {tuple(row.split("|")[1:4]): float(row.split("|")[5]) for row in rows[2:18]}
    for (camera, layout, intrinsics), error in each.items():
        if "COCO" in layout:
            assert abs(error - each[camera, " BODY_25B ", intrinsics]) < 10

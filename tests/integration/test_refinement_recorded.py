"""Refinement, filters and completion on a recording of someone who balances, seen by four cameras."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lift3d.io.keypoints import read_keypoints
from lift3d.io.poses3d import read_poses
from lift3d.io.rigs import read_rig
from lift3d.motion.filters import filter_poses
from lift3d.multiview.completion import complete
from lift3d.multiview.gather import Views, gather_views
from lift3d.multiview.refinement import refine
from lift3d.multiview.triangulate import prepare_views, triangulate_views
from lift3d.poses import SOURCES, Poses3D

# What the reference calls by these names lies centimetres from where the detector sees them.
OTHERWISE = ("left_hip", "right_hip", "neck", "head")


@pytest.fixture(scope="module")
def balancing(shared_data: Path) -> tuple[Views, Poses3D, Poses3D]:
    """What the cameras saw, its triangulation, and the reference."""
    folder = shared_data / "multiview" / "pose2sim_demo"
    rig = read_rig(folder / "calibration" / "Calib.qca.txt")
    takes = sorted((folder / "single_balancing" / "pose").iterdir())
    views = prepare_views(gather_views([read_keypoints(take, fps=60) for take in takes], rig))
    reference = read_poses(folder / "single_balancing" / "reference" / "Balancing_for_IK.trc")
    return views, triangulate_views(views), reference


def distances(poses: Poses3D, reference: Poses3D) -> np.ndarray:
    """(frames, joints) millimetres between joints that mean the same."""
    joints = [j for j in reference.skeleton.joints if j in poses.skeleton.joints and j not in OTHERWISE]
    ours = poses.xyz[:, 0, [poses.skeleton.index(joint) for joint in joints]]
    theirs = reference.xyz[:, 0, [reference.skeleton.index(joint) for joint in joints]]
    return np.asarray(1000 * np.linalg.norm(ours - theirs, axis=-1))


def test_refinement_comes_closer_to_the_reference(balancing: tuple[Views, Poses3D, Poses3D]) -> None:
    views, poses, reference = balancing
    before = np.nanmedian(distances(poses, reference))
    refined = refine(poses, views.keypoints, views.rig)
    free = refine(poses, views.keypoints, views.rig, rigid=False)
    assert np.nanmedian(distances(free, reference)) < 0.9 * before
    assert np.nanmedian(distances(refined, reference)) < before
    # Much smoother, but as fast: nothing is smeared.
    shake = [np.nanmedian(np.abs(np.diff(motion.xyz, 3, axis=0))) for motion in (poses, refined)]
    assert shake[1] < 0.3 * shake[0]
    slow = filter_poses(poses, "butterworth", cutoff=6.0)
    speed = [np.nanmean(np.linalg.norm(np.diff(motion.xyz, axis=0), axis=-1)) for motion in (slow, refined)]
    assert speed[1] == pytest.approx(speed[0], rel=0.15)


def test_a_camera_that_was_left_out_agrees_no_less(balancing: tuple[Views, Poses3D, Poses3D]) -> None:
    views, _, _ = balancing
    errors: dict[str, list[float]] = {"plain": [], "refined": []}
    for camera in views.rig:
        others = gather_views(
            {c.name: k for c, k in zip(views.rig, views.keypoints, strict=True) if c.name != camera.name}, views.rig
        )
        plain = triangulate_views(others)
        seen = views.keypoints[views.rig.names.index(camera.name)]
        for name, poses in (("plain", plain), ("refined", refine(plain, others.keypoints, others.rig))):
            away = np.linalg.norm(camera.project(poses.xyz) - seen.xy, axis=-1)
            errors[name].append(float(np.nanmean(np.minimum(away, 60))))
    assert np.mean(errors["refined"]) < np.mean(errors["plain"])


@pytest.mark.parametrize(("limb", "camera"), [("left_elbow left_wrist", 2), ("right_knee right_ankle", 3)])
def test_a_limb_that_one_camera_sees_is_completed(
    balancing: tuple[Views, Poses3D, Poses3D], limb: str, camera: int
) -> None:
    views, poses, _ = balancing
    truth = refine(poses, views.keypoints, views.rig)
    joints = [poses.skeleton.index(joint) for joint in limb.split()]
    hidden = []
    for index, motion in enumerate(views.keypoints):
        xy = motion.xy.copy()
        if index != camera:
            xy[30:70, 0, joints] = np.nan
        hidden.append(replace(motion, xy=xy))
    rest = replace(views, keypoints=tuple(hidden))
    refined = refine(triangulate_views(rest), rest.keypoints, rest.rig, max_gap=0.2)
    gap = (slice(35, 65), 0, joints)
    assert np.isnan(refined.xyz[gap]).all()
    done = complete(refined, rest.keypoints, rest.rig)
    assert done.source is not None
    assert done.sigma is not None
    assert (done.source[gap] == SOURCES.index("lifted")).all()
    error = np.linalg.norm(done.xyz - truth.xyz, axis=-1)[gap]
    assert error.mean() < 0.1
    assert np.sqrt(np.mean((error / done.sigma[gap]) ** 2) / 3) < 2

"""Errors of angles against what thousands of draws of the joints' errors make of them."""

from dataclasses import replace

import numpy as np
import pytest
from turned_bodies import WHOLE, turned_body

import lift3d.motion.angle_errors as angle_errors
from lift3d.errors import Lift3DError
from lift3d.motion import ANGLES, angle_sigma, joint_angles
from lift3d.poses import Poses3D
from lift3d.skeletons import COCO17

DRAWS = 4000
BENT = {f"{side}_{joint}_flexion": 60.0 for side in ("left", "right") for joint in ("hip", "knee", "elbow")} | {
    "left_shoulder_flexion": 40.0,
    "right_shoulder_abduction": 50.0,
    "trunk_flexion": 20.0,
    "trunk_bending": 10.0,
    "neck_flexion": 30.0,
}


@pytest.mark.parametrize("kind", ["sigma", "covariance"])
def test_draws_scatter_as_it_says(kind: str) -> None:
    rng = np.random.default_rng(0)
    poses = turned_body(BENT)
    joints = len(WHOLE)
    if kind == "sigma":
        sigma = rng.uniform(0.001, 0.004, (1, 1, joints))
        roots = sigma[..., None, None] * np.eye(3)
        poses = replace(poses, sigma=sigma)
    else:
        roots = rng.normal(0, 0.002, (1, 1, joints, 3, 3))
        # Sigma is there too, and covariance goes before it.
        poses = replace(poses, covariance=roots @ roots.mT, sigma=np.full((1, 1, joints), 0.5))
    errors = np.einsum("fpjik,fpjk->fpji", np.repeat(roots, DRAWS, axis=0), rng.normal(size=(DRAWS, 1, joints, 3)))
    drawn = joint_angles(Poses3D(poses.xyz + errors, skeleton=WHOLE))
    stated = angle_sigma(poses)
    for name in ANGLES:
        scatter = float(np.std(drawn[name]))
        assert stated[0, 0, list(ANGLES).index(name)] == pytest.approx(scatter, rel=0.07), name


def test_twice_the_error_is_twice_the_angle() -> None:
    poses = turned_body(BENT, frames=3)
    once, twice = (angle_sigma(replace(poses, sigma=np.full(poses.xyz.shape[:3], sigma))) for sigma in (0.0005, 0.001))
    np.testing.assert_allclose(twice, 2 * once, rtol=0.01)
    np.testing.assert_array_equal(np.isfinite(once), np.isfinite(joint_angles(poses).values))


def test_unknown_sigma_is_unknown_error() -> None:
    poses = turned_body(BENT, COCO17, frames=2)
    sigma = np.full(poses.xyz.shape[:3], 0.002)
    sigma[1, 0, COCO17.index("left_ankle")] = np.nan
    stated = angle_sigma(replace(poses, sigma=sigma))
    knee, other = (list(ANGLES).index(f"{side}_knee_flexion") for side in ("left", "right"))
    assert np.isfinite(stated[:, 0, knee]).tolist() == [True, False]
    assert np.isfinite(stated[:, 0, other]).all()
    assert np.isnan(stated[:, 0, list(ANGLES).index("left_ankle_dorsiflexion")]).all()
    with pytest.raises(Lift3DError, match="sigma or covariance"):
        angle_sigma(poses)


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the joint that gives a place is missing in the whole of a chunk."""
    poses = turned_body(BENT, frames=10)
    xyz = poses.xyz.copy()
    xyz[5:, :, WHOLE.index("head_top")] = np.nan
    poses = Poses3D(xyz, skeleton=WHOLE, sigma=np.full(xyz.shape[:3], 0.002))
    at_once = angle_sigma(poses)
    monkeypatch.setattr(angle_errors, "CHUNK", 5)
    np.testing.assert_array_equal(angle_sigma(poses), at_once)
    assert np.isnan(at_once[5:, 0, list(ANGLES).index("neck_flexion")]).all()

"""The centre of mass: of single segments, of a jump, and of bodies of which a part is missing."""

from dataclasses import replace

import numpy as np
import pytest
from turned_bodies import WHOLE, turned_body

from lift3d.errors import Lift3DError
from lift3d.motion import centre_of_mass
from lift3d.motion.kinematics import derivative
from lift3d.motion.segment_masses import SEGMENTS
from lift3d.poses import Poses3D
from lift3d.skeletons import COCO17, SKELETONS


def test_the_masses_make_a_body() -> None:
    for sex in (0, 1):
        total = sum(segment.mass[sex] * (2 if "*" in segment.name else 1) for segment in SEGMENTS)
        assert total == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize(("sex", "part"), [("female", 0.5754), ("male", 0.5772), (None, 0.5763)])
def test_a_segment_by_the_table(sex: str | None, part: float) -> None:
    """Of a single upper arm of which all else is missing."""
    poses = turned_body({}, COCO17)
    xyz = np.full_like(poses.xyz, np.nan)
    for joint in ("left_shoulder", "left_elbow"):
        xyz[:, :, COCO17.index(joint)] = poses.xyz[:, :, COCO17.index(joint)]
    centre = centre_of_mass(replace(poses, xyz=xyz), sex, least_known=0.01)
    shoulder, elbow = (xyz[0, 0, COCO17.index(joint)] for joint in ("left_shoulder", "left_elbow"))
    np.testing.assert_allclose(centre.xyz[0, 0], shoulder + part * (elbow - shoulder), atol=1e-5)
    assert centre.known[0, 0] == pytest.approx(0.0263, abs=0.0009)
    assert np.isnan(centre_of_mass(replace(poses, xyz=xyz)).xyz).all()


def test_standing() -> None:
    """In the middle, a little above the hips: at 54 to 58 % of the height of a body that stands."""
    poses = turned_body({})
    low = poses.xyz[0, 0, WHOLE.index("left_heel"), 2]
    height = poses.xyz[0, 0, WHOLE.index("head_top"), 2] - low
    for sex in ("female", "male", None):
        centre = centre_of_mass(poses, sex).xyz[0, 0]
        assert centre[1] == pytest.approx(-0.2, abs=1e-5)
        assert centre[0] == pytest.approx(0.3, abs=0.03)
        assert 0.54 < (centre[2] - low) / height < 0.59


def test_a_jump_falls_with_g() -> None:
    """A body that turns its limbs about while its centre of mass flies freely: only the centre shows g."""
    fps, frames = 100.0, 60
    time = np.arange(frames) / fps
    tuck = {
        f"{side}_{joint}_flexion": 60 - 60 * np.cos(8 * time) for side in ("left", "right") for joint in ("hip", "knee")
    }
    poses = turned_body(tuck, frames=frames, fps=fps)
    flight = np.stack([1.5 * time, 0 * time, 3 * time - 0.5 * 9.81 * time**2], axis=-1)
    # Where the centre lies in the body is taken out frame by frame, so the pelvis moves as physics wants it.
    own = centre_of_mass(poses).xyz[:, 0]
    jump = replace(poses, xyz=poses.xyz + (flight - own)[:, None, None])
    fall = derivative(centre_of_mass(jump).xyz[:, 0], fps, 2)
    np.testing.assert_allclose(fall, np.tile([0, 0, -9.81], (frames, 1)), atol=0.1)
    pelvis = derivative(jump.xyz[:, 0, WHOLE.index("pelvis")], fps, 2)
    assert np.abs(pelvis[:, 2] + 9.81).max() > 2


@pytest.mark.parametrize("name", list(SKELETONS))
def test_layouts(name: str) -> None:
    poses = turned_body({}, name)
    centre = centre_of_mass(poses, least_known=0.9)
    whole = centre_of_mass(turned_body({})).xyz
    if name == "cmu25":  # its joints above the shoulders are not those of this body
        return
    assert centre.known[0, 0] == pytest.approx(1, abs=1e-4)
    # Feet at the ankles and heads without ears move it by less than 2 cm.
    assert np.linalg.norm(centre.xyz - whole) < 0.02


def test_a_missing_arm_in_some_frames() -> None:
    poses = turned_body({}, frames=5)
    xyz = poses.xyz.copy()
    xyz[2, 0, WHOLE.index("left_elbow")] = np.nan
    missing = replace(poses, xyz=xyz)
    assert np.isnan(centre_of_mass(missing).xyz[:, 0, 0]).tolist() == [False, False, True, False, False]
    centre = centre_of_mass(missing, least_known=0.9)
    assert centre.known[2, 0] == pytest.approx(1 - 0.0263 - 0.015 - 0.0059, abs=0.001)
    assert 0 < np.linalg.norm(centre.xyz[2] - centre.xyz[1]) < 0.02


def test_bad_input() -> None:
    poses = turned_body({})
    with pytest.raises(Lift3DError, match="sex"):
        centre_of_mass(poses, "unknown")
    with pytest.raises(Lift3DError, match="least_known"):
        centre_of_mass(poses, least_known=1.5)
    nobody = centre_of_mass(Poses3D(np.full((3, 0, 17, 3), np.nan), skeleton=COCO17))
    assert nobody.xyz.shape == (3, 0, 3)
    unseen = centre_of_mass(Poses3D(np.full((3, 1, 17, 3), np.nan), skeleton=COCO17), least_known=0.1)
    assert np.isnan(unseen.xyz).all()
    assert (unseen.known == 0).all()

"""Left beside right."""

import numpy as np
import pytest
from turned_bodies import WHOLE, turned_body

from lift3d.motion import bone_lengths, joint_angles, symmetry
from lift3d.motion.side_symmetry import Symmetry
from lift3d.skeletons import H36M17


def test_formulas() -> None:
    sides = Symmetry(("a", "b", "c", "d"), np.array([[100.0, 80, 0, np.nan]]), np.array([[100.0, 120, 0, 5]]))
    np.testing.assert_allclose(sides.index, [[0, 40, np.nan, np.nan]])
    np.testing.assert_allclose(sides.limb, [[100, 200 / 3, np.nan, np.nan]])


def test_ranges_of_motion() -> None:
    wave = (1 - np.cos(np.linspace(0, 20 * np.pi, 1001))) / 2
    poses = turned_body({"left_knee_flexion": 60 * wave, "right_knee_flexion": 40 * wave}, WHOLE, frames=1001)
    xyz = poses.xyz.copy()
    # A single wild frame does not make the range.
    xyz[500, :, WHOLE.index("right_ankle")] += 0.5
    sides = symmetry(joint_angles(type(poses)(xyz, skeleton=WHOLE)))
    knee = sides.names.index("knee_flexion")
    assert sides.left[0, knee] == pytest.approx(60, abs=0.5)
    assert sides.right[0, knee] == pytest.approx(40, abs=0.5)
    assert sides.index[0, knee] == pytest.approx(-40, abs=2)
    assert sides.limb[0, knee] == pytest.approx(200 / 3, abs=1)
    # Rotations that are never seen have no symmetry.
    assert np.isnan(sides.limb[0, sides.names.index("shoulder_rotation")])
    assert "trunk_flexion" not in sides.names


def test_bones() -> None:
    poses = turned_body({}, H36M17, frames=3)
    xyz = poses.xyz.copy()
    ankle, knee = H36M17.index("left_ankle"), H36M17.index("left_knee")
    xyz[:, :, ankle] = xyz[:, :, knee] + 0.95 * (xyz[:, :, ankle] - xyz[:, :, knee])
    sides = symmetry(bone_lengths(type(poses)(xyz, skeleton=H36M17)))
    limb = dict(zip(sides.names, sides.limb[0], strict=True))
    assert limb["ankle"] == pytest.approx(95, abs=0.01)
    assert all(value == pytest.approx(100, abs=0.01) for name, value in limb.items() if name != "ankle")

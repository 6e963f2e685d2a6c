"""Joints of any source in one definition, and joint centres from markers of a body whose joints are known."""

import numpy as np
import pytest

from lift3d.datasets.motion_bank import BANK_JOINTS
from lift3d.datasets.motion_capture_joints import guess_toes, place_joints
from lift3d.datasets.motion_capture_markers import has_markers, joints_from_markers
from lift3d.errors import SkeletonError
from lift3d.skeletons import H36M17

# A body that stands upright and faces +y.
STANDING = {
    "left_hip": (-0.1, 0, 0.9), "right_hip": (0.1, 0, 0.9), "left_knee": (-0.1, 0, 0.5), "right_knee": (0.1, 0, 0.5),
    "left_ankle": (-0.1, 0, 0.1), "right_ankle": (0.1, 0, 0.1), "left_toe_base": (-0.1, 0.15, 0),
    "right_toe_base": (0.1, 0.15, 0), "spine_low": (0, 0, 1.0), "spine_mid": (0, 0, 1.2), "neck_base": (0, 0, 1.4),
    "head": (0, 0, 1.6), "left_shoulder": (-0.2, 0, 1.4), "right_shoulder": (0.2, 0, 1.4),
    "left_elbow": (-0.2, 0, 1.1), "right_elbow": (0.2, 0, 1.1), "left_wrist": (-0.2, 0, 0.8),
    "right_wrist": (0.2, 0, 0.8),
}  # fmt: skip
BODY = np.array([list(STANDING.values())] * 2)


def test_joints_are_where_human36m_puts_them() -> None:
    placed = dict(zip(H36M17.joints, place_joints(list(STANDING), BODY, H36M17.joints)[0], strict=True))
    np.testing.assert_allclose(placed["pelvis"], (0, 0, 0.9))
    np.testing.assert_allclose(placed["spine"], (0, 0, 0.9 + 0.48 * 0.5))
    np.testing.assert_allclose(placed["thorax"], (0, 0, 1.4))
    # No top of the head: the skull's joint drawn out by half.
    np.testing.assert_allclose(placed["head_top"], (0, 0, 1.7))
    np.testing.assert_allclose(placed["nose"], (0, 0.03, 1.55))
    np.testing.assert_allclose(placed["right_wrist"], (0.2, 0, 0.8))


def test_names_of_other_sources_and_joints_that_are_absent() -> None:
    names = [
        {"neck_base": "neck", "head": "skull", "left_toe_base": "left_toe_end"}.get(name, name) for name in STANDING
    ]
    expected = place_joints(list(STANDING), BODY, BANK_JOINTS)
    np.testing.assert_array_equal(place_joints(names, BODY, BANK_JOINTS), expected)
    # A joint that is NaN throughout is one that the skeleton does not have.
    topped = np.concatenate([BODY, np.full((2, 1, 3), np.nan)], axis=1)
    np.testing.assert_array_equal(place_joints([*STANDING, "head_top"], topped, BANK_JOINTS), expected)
    with pytest.raises(SkeletonError, match="neck_base or thorax or neck"):
        place_joints([name for name in STANDING if name != "neck_base"], np.delete(BODY, 10, axis=1), BANK_JOINTS)
    # The spine lies at its share of a bent trunk's length, not of the straight way.
    bent = BODY.copy()
    bent[:, list(STANDING).index("spine_mid")] = (0, 0.3, 1.0)
    spine = place_joints(list(STANDING), bent, ["spine"])[0, 0]
    beyond = 0.48 * (0.1 + 0.3 + 0.5) - (0.1 + 0.3)
    np.testing.assert_allclose(spine, (0, 0.3 - 0.6 * beyond, 1.0 + 0.8 * beyond))


def test_human36m_poses_stay_and_get_toes() -> None:
    placed = place_joints(list(STANDING), BODY, H36M17.joints)
    np.testing.assert_array_equal(place_joints(H36M17.joints, placed, H36M17.joints), placed)
    np.testing.assert_allclose(guess_toes(placed)[0], [(-0.1, 0.15, 0.1), (0.1, 0.15, 0.1)], atol=1e-12)


def markers() -> tuple[list[str], np.ndarray]:
    """Markers around STANDING: outside knees and ankles, in front of and behind the trunk."""
    place = {name: np.array(position, float) for name, position in STANDING.items()}
    found = {
        "CLAV": (0, 0.06, 1.38), "C7": (0, -0.06, 1.42), "STRN": (0, 0.1, 1.2), "T10": (0, -0.1, 1.2),
        # A pelvis 0.24 m wide and 0.16 m deep.
        "LFWT": (-0.12, 0.08, 1.0), "RFWT": (0.12, 0.08, 1.0), "LBWT": (-0.05, -0.08, 1.0), "RBWT": (0.05, -0.08, 1.0),
    }  # fmt: skip
    for side, sign in (("left", -1), ("right", 1)):
        letter = side[0].upper()
        found |= {
            f"{letter}KNE": place[f"{side}_knee"] + (sign * 0.05, 0, 0),
            f"{letter}ANK": place[f"{side}_ankle"] + (sign * 0.035, 0, 0),
            f"{letter}TOE": place[f"{side}_toe_base"],
            f"{letter}SHO": (sign * 0.2, 0, 1.468),
            f"{letter}ELB": place[f"{side}_elbow"],
            f"{letter}WRA": place[f"{side}_wrist"] + (0, 0.03, 0.01),
            f"{letter}WRB": place[f"{side}_wrist"] - (0, 0.03, 0.01),
            f"{letter}FHD": (sign * 0.07, 0.1, 1.6),
            f"{letter}BHD": (sign * 0.07, -0.1, 1.6),
        }
    return list(found), np.array([list(found.values())] * 3, float)


def test_joint_centres_from_markers() -> None:
    labels, points = markers()
    names, joints = joints_from_markers(labels, points)
    placed = dict(zip(names, joints[0], strict=True))
    # Harrington's regression of a pelvis 240 mm wide and 160 mm deep, from the middle of the front.
    hip = (0.33 * 0.24 + 0.0073, 0.08 - 0.24 * 0.16 - 0.0099, 1.0 - 0.30 * 0.24 - 0.0109)
    np.testing.assert_allclose(placed["right_hip"], hip, atol=1e-9)
    np.testing.assert_allclose(placed["left_hip"], hip * np.array([-1, 1, 1]), atol=1e-9)
    np.testing.assert_allclose(placed["neck_base"], (0, 0, 1.4))
    np.testing.assert_allclose(placed["spine_mid"], (0, 0, 1.2))
    np.testing.assert_allclose(placed["head_top"], (0, 0, 1.69))
    np.testing.assert_allclose(placed["left_wrist"], (-0.2, 0, 0.8))
    # By parts along lines that are nearly straight: within a centimetre.
    for joint in ("left_knee", "right_ankle", "left_shoulder", "right_shoulder"):
        np.testing.assert_allclose(placed[joint], STANDING[joint], atol=0.01)
    renamed = [label.replace("FWT", "ASI").replace("BWT", "PSI") for label in labels]
    np.testing.assert_array_equal(joints_from_markers(renamed, points)[1], joints)


def test_markers_that_are_missing_are_named() -> None:
    labels, points = markers()
    assert has_markers(labels)
    assert not has_markers(["left_knee", "pelvis"])
    keep = [index for index, label in enumerate(labels) if label not in ("T10", "LKNE")]
    with pytest.raises(SkeletonError, match="need the markers LKNE, T10 too"):
        joints_from_markers([labels[index] for index in keep], points[:, keep])
    gap = points.copy()
    gap[1, labels.index("LKNE")] = np.nan
    names, joints = joints_from_markers(labels, gap)
    missing = np.isnan(joints).any(-1)
    assert missing[1, [names.index("left_knee"), names.index("left_ankle")]].all()
    assert missing.sum() == 2

"""Joint angles of bodies that were built from known angles."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from turned_bodies import WHOLE, turned_body

from lift3d.errors import Lift3DError
from lift3d.motion.angles import ANGLES, joint_angles
from lift3d.poses import Poses3D
from lift3d.skeletons import BODY25B, COCO17, H36M17, SKELETONS, get_skeleton

# What a body can do, within what joint centres can tell: knees and elbows bent enough to show rotations, arms
# never far from the planes that they are seen in.
RANGES = {
    "hip_flexion": (-40, 125),
    "hip_abduction": (-30, 55),
    "hip_rotation": (-45, 45),
    "knee_flexion": (31, 145),
    "ankle_dorsiflexion": (-50, 35),
    "shoulder_flexion": (-58, 58),
    "shoulder_abduction": (-40, 58),
    "shoulder_rotation": (-85, 85),
    "elbow_flexion": (31, 145),
    "trunk_flexion": (-30, 80),
    "trunk_bending": (-40, 40),
    "trunk_rotation": (-55, 55),
    "neck_flexion": (-50, 60),
    "neck_bending": (-40, 40),
}
BUILT = [name for name in ANGLES if name.removeprefix("left_").removeprefix("right_") in RANGES]
MIRRORED = ("trunk_bending", "trunk_rotation", "neck_bending")


def some_angles(seed: int, frames: int = 50) -> dict[str, np.ndarray]:
    """(frames,) angles of every joint, anywhere in their ranges."""
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(*RANGES[name.removeprefix("left_").removeprefix("right_")], frames) for name in BUILT}


def moved(poses: Poses3D, rotation: Rotation, shift: np.ndarray) -> Poses3D:
    xyz = poses.xyz.reshape(-1, 3).astype(np.float64) @ rotation.as_matrix().T + shift
    return replace(poses, xyz=xyz.reshape(poses.xyz.shape))


def largest_difference(first: np.ndarray, second: np.ndarray) -> float:
    np.testing.assert_array_equal(np.isnan(first), np.isnan(second))
    return float(np.nanmax(np.abs(first - second)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_angle_is_read_back(seed: int) -> None:
    built = some_angles(seed)
    angles = joint_angles(turned_body(built, frames=50))
    assert angles.missing == {}
    for name, truth in built.items():
        np.testing.assert_allclose(angles[name][:, 0], truth, atol=0.1, err_msg=name)
    elevation = np.arctan(
        np.hypot(*(np.tan(np.radians(built[f"left_shoulder_{plane}"])) for plane in ("flexion", "abduction")))
    )
    np.testing.assert_allclose(angles["left_shoulder_elevation"][:, 0], np.degrees(elevation), atol=0.1)


def test_zero_is_standing() -> None:
    angles = joint_angles(turned_body({}))
    for name in angles.names:
        if "rotation" in name and name != "trunk_rotation":
            # A straight limb does not show how it is turned about its axis.
            assert np.isnan(angles[name]).all()
            assert "never bent enough" in angles.missing[name]
        else:
            assert angles[name][0, 0] == pytest.approx(0, abs=1e-3), name


@pytest.mark.parametrize(
    ("name", "joint", "way"),
    [
        ("left_hip_flexion", "left_knee", (1, 0, 0)),
        ("left_hip_abduction", "left_knee", (0, 1, 0)),
        ("right_hip_abduction", "right_knee", (0, -1, 0)),
        ("left_hip_rotation", "left_ankle", (0, 1, 0)),
        ("right_hip_rotation", "right_ankle", (0, -1, 0)),
        ("right_knee_flexion", "right_ankle", (-1, 0, 0)),
        ("right_ankle_dorsiflexion", "right_big_toe", (0, 0, 1)),
        ("left_shoulder_flexion", "left_elbow", (1, 0, 0)),
        ("left_shoulder_abduction", "left_elbow", (0, 1, 0)),
        ("left_shoulder_rotation", "left_wrist", (0, -1, 0)),
        ("right_shoulder_rotation", "right_wrist", (0, 1, 0)),
        ("left_elbow_flexion", "left_wrist", (1, 0, 0)),
        ("trunk_flexion", "neck", (1, 0, 0)),
        ("trunk_bending", "neck", (0, -1, 0)),
        ("trunk_rotation", "left_shoulder", (-1, 0, 0)),
        ("trunk_lean", "neck", (1, 0, 0)),
        ("neck_flexion", "head_top", (1, 0, 0)),
        ("neck_bending", "head_top", (0, -1, 0)),
    ],
)
def test_positive_is_what_the_table_says(name: str, joint: str, way: tuple[int, int, int]) -> None:
    """A person who faces +x, the left side at +y, moves one joint a little by hand."""
    bent = {f"{side}_{hinge}_flexion": 90.0 for side in ("left", "right") for hinge in ("knee", "elbow")}
    poses = turned_body(bent if name.endswith("_rotation") and "trunk" not in name else {})
    xyz = poses.xyz.copy()
    xyz[0, 0, WHOLE.index(joint)] += 0.05 * np.array(way)
    if joint == "neck":
        xyz[0, 0, WHOLE.index("thorax")] = xyz[0, 0, WHOLE.index("neck")]
    before, after = (joint_angles(each)[name][0, 0] for each in (poses, replace(poses, xyz=xyz)))
    assert after - before > 5


def test_a_hinge_at_constant_speed() -> None:
    time = np.arange(181) / 60
    for name, speed in (("left_knee_flexion", 45.0), ("right_elbow_flexion", 48.0), ("left_hip_flexion", 30.0)):
        angles = joint_angles(turned_body({name: speed * time}, frames=181))
        np.testing.assert_allclose(angles[name][:, 0], speed * time, atol=0.1)


def test_a_knee_beyond_straight_is_negative() -> None:
    flexion = np.linspace(-12, 30, 43)
    angles = joint_angles(turned_body({"left_knee_flexion": flexion, "right_knee_flexion": flexion}, frames=43))
    for side in ("left", "right"):
        np.testing.assert_allclose(angles[f"{side}_knee_flexion"][:, 0], flexion, atol=0.1)


def test_noise_does_not_bend_a_straight_knee() -> None:
    poses = turned_body({}, frames=4000)
    xyz = poses.xyz + np.random.default_rng(0).normal(0, 0.01, poses.xyz.shape)
    angles = joint_angles(replace(poses, xyz=xyz))
    assert abs(float(np.mean(angles["left_knee_flexion"]))) < 0.8
    # An angle that is never negative takes noise for flexion.
    assert float(np.mean(angles["left_elbow_flexion"])) > 3


@pytest.mark.parametrize("plane", ["flexion", "abduction"])
def test_arms_pass_overhead_without_a_jump(plane: str) -> None:
    raised = np.linspace(-50, 230, 281)
    angles = joint_angles(turned_body({f"{side}_shoulder_{plane}": raised for side in ("left", "right")}, frames=281))
    for side in ("left", "right"):
        read = angles[f"{side}_shoulder_{plane}"][:, 0]
        np.testing.assert_allclose(read, raised, atol=0.1)


def test_rotations_only_where_they_show() -> None:
    bend = np.arange(0, 181.0)
    for hinge, rotation in (("knee", "hip_rotation"), ("elbow", "shoulder_rotation")):
        poses = turned_body({f"left_{hinge}_flexion": bend, f"left_{rotation}": 20.0}, frames=181)
        read = joint_angles(poses)[f"left_{rotation}"][:, 0]
        np.testing.assert_array_equal(np.isfinite(read[[29, 31, 149, 151]]), [False, True, True, False])
        np.testing.assert_allclose(read[31:150], 20, atol=0.1)


def test_an_arm_to_the_side_is_not_seen_from_the_side() -> None:
    poses = turned_body({"left_shoulder_abduction": 80.0, "left_elbow_flexion": 90.0})
    angles = joint_angles(poses)
    assert np.isnan(angles["left_shoulder_flexion"]).all()
    assert angles["left_shoulder_elevation"][0, 0] == pytest.approx(80, abs=0.1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_world_may_be_turned(seed: int) -> None:
    poses = turned_body(some_angles(seed), frames=50)
    rng = np.random.default_rng(seed)
    about_vertical = Rotation.from_rotvec([0, 0, rng.uniform(-np.pi, np.pi)])
    angles = joint_angles(poses)
    turned = joint_angles(moved(poses, about_vertical, rng.uniform(-3, 3, 3)))
    assert largest_difference(angles.values, turned.values) < 0.02
    anyhow = joint_angles(moved(poses, Rotation.from_quat(rng.normal(size=4)), rng.uniform(-3, 3, 3)))
    others = [name for name in angles.names if name != "trunk_lean"]
    assert largest_difference(angles.select(others).values, anyhow.select(others).values) < 0.02


def test_lean_in_the_world_and_before_a_camera() -> None:
    poses = turned_body({})
    for lean in (0.0, 25.0, 90.0, 140.0):
        fallen = moved(poses, Rotation.from_rotvec([np.radians(lean), 0, 0]), np.zeros(3))
        assert joint_angles(fallen)["trunk_lean"][0, 0] == pytest.approx(lean, abs=0.1)
        camera = replace(fallen, xyz=np.stack([fallen.xyz[..., 0], -fallen.xyz[..., 2], fallen.xyz[..., 1]], -1))
        before = joint_angles(replace(camera, space="camera"))
        assert before["trunk_lean"][0, 0] == pytest.approx(lean, abs=0.1)
        assert before["left_hip_flexion"][0, 0] == pytest.approx(0, abs=0.1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["whole", "body25b", "h36m17"]))
def test_the_mirrored_body_swaps_sides(seed: int, layout: str) -> None:
    skeleton = WHOLE if layout == "whole" else get_skeleton(layout)
    poses = turned_body(some_angles(seed), skeleton, frames=50)
    mirrored = replace(poses, xyz=poses.xyz[:, :, list(skeleton.mirror_order)] * np.array([1, -1, 1]))
    angles, other = joint_angles(poses), joint_angles(mirrored)
    for name in angles.names:
        swapped = name.replace("left_", "right_") if "left_" in name else name.replace("right_", "left_")
        sign = -1 if name in MIRRORED else 1
        np.testing.assert_allclose(other[swapped], sign * angles[name], atol=0.02, err_msg=name)


@pytest.mark.parametrize("name", list(SKELETONS))
def test_every_layout_has_its_angles_or_a_reason(name: str) -> None:
    """From the joints that a layout shares with the whole body, limbs are read alike."""
    built = {key: angle for key, angle in some_angles(3).items() if key not in ("trunk_flexion", "trunk_bending")}
    poses = turned_body(built, name, frames=50)
    angles = joint_angles(poses)
    for key in angles.names:
        never = not np.isfinite(angles[key]).any()
        assert never == (key in angles.missing)
        assert never or angles[key].shape == (50, 1)
    # MPI-INF-3DHP's and CMU's trunk joints are not those of this body.
    for key in ("left_knee_flexion", "right_elbow_flexion"):
        np.testing.assert_allclose(angles[key][:, 0], built[key], atol=0.1)
    if name in ("coco17", "coco18", "body25", "body25b", "halpe26", "wholebody133", "blazepose33", "lifter23"):
        for key in ("left_hip_flexion", "right_hip_abduction", "left_hip_rotation", "trunk_rotation"):
            np.testing.assert_allclose(angles[key][:, 0], built[key], atol=0.1)


def test_bending_without_a_spine_is_that_of_the_whole_trunk() -> None:
    bend = np.linspace(-40, 40, 17)
    angles = joint_angles(turned_body({"trunk_bending": bend}, COCO17, frames=17))
    sine, cosine = np.sin(np.radians(bend)), np.cos(np.radians(bend))
    np.testing.assert_allclose(
        angles["trunk_bending"][:, 0], np.degrees(np.arctan2(0.3 * sine, 0.22 + 0.3 * cosine)), atol=0.1
    )
    assert "trunk_bending" not in angles.missing


def test_reasons_name_what_is_missing() -> None:
    angles = joint_angles(turned_body(some_angles(1), COCO17, frames=50))
    assert angles.missing["left_ankle_dorsiflexion"] == "layout coco17 has no left_heel and no left_toes"
    assert angles.missing["trunk_flexion"] == "layout coco17 has no spine"
    poses = turned_body(some_angles(1), BODY25B, frames=50)
    xyz = poses.xyz.copy()
    xyz[:, :, BODY25B.index("left_knee")] = np.nan
    angles = joint_angles(replace(poses, xyz=xyz))
    assert angles.missing["left_knee_flexion"] == "left_knee never seen"
    assert "right_knee_flexion" not in angles.missing


def test_a_missing_joint_takes_only_its_own_angles() -> None:
    poses = turned_body(some_angles(2), H36M17, frames=50)
    xyz = poses.xyz.copy()
    xyz[10:20, :, H36M17.index("left_wrist")] = np.nan
    before, after = joint_angles(poses), joint_angles(replace(poses, xyz=xyz))
    for name in before.names:
        lost = name in ("left_elbow_flexion", "left_shoulder_rotation")
        expected = np.array(before[name])
        if lost:
            expected[10:20] = np.nan
        np.testing.assert_array_equal(after[name], expected)


@pytest.mark.parametrize(("frames", "people"), [(0, 1), (5, 0), (5, 2)])
def test_nothing_to_see(frames: int, people: int) -> None:
    angles = joint_angles(Poses3D(np.full((frames, people, 17, 3), np.nan), skeleton=COCO17))
    assert angles.values.shape == (frames, people, len(ANGLES))
    assert set(angles.missing) == set(ANGLES)


def test_all_points_in_one_place() -> None:
    """Joints without a direction between them have no angles, and no warnings."""
    assert np.isnan(joint_angles(Poses3D(np.ones((3, 1, 17, 3)), skeleton=COCO17)).values).all()


def test_people_are_measured_one_by_one() -> None:
    one, two = (turned_body(some_angles(seed), frames=50) for seed in (4, 5))
    both = Poses3D(np.concatenate([one.xyz, two.xyz], axis=1), skeleton=WHOLE, track_ids=(7, 9))
    angles = joint_angles(both)
    for person, alone in enumerate((one, two)):
        np.testing.assert_array_equal(angles.values[:, person], joint_angles(alone).values[:, 0])
    part = angles.select(["left_knee_flexion"], slice(5, 9), [1])
    np.testing.assert_array_equal(part.values[..., 0], angles["left_knee_flexion"][5:9, 1:])
    assert part.track_ids == (9,)
    with pytest.raises(Lift3DError, match="no angle 'knee'"):
        angles.select(["knee"])


def test_as_a_table() -> None:
    pytest.importorskip("pandas")
    xyz = np.repeat(turned_body({"left_knee_flexion": np.arange(40.0, 44)}, frames=4).xyz, 2, axis=1)
    angles = joint_angles(Poses3D(xyz, skeleton=WHOLE, fps=50, track_ids=(3, 8)))
    wide = angles.frame()
    assert list(wide.columns[:3]) == ["frame", "time", "person"]
    assert len(wide) == 8
    row = wide[(wide.frame == 2) & (wide.person == 8)].iloc[0]
    assert row.time == pytest.approx(0.04)
    assert row.left_knee_flexion == pytest.approx(42, abs=0.1)
    long = angles.frame(long=True)
    assert len(long) == 8 * len(angles.names)
    chosen = long[(long.frame == 3) & (long.person == 3) & (long.angle == "left_knee_flexion")]
    assert chosen.degrees.item() == pytest.approx(43, abs=0.1)

"""Joint layouts and their conversion: properties that hold for every pair of layouts."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift3d.errors import SkeletonError
from lift3d.joint_names import canonical_joint_name, custom_skeleton
from lift3d.skeletons import (
    BLAZEPOSE33,
    BODY25,
    BODY25B,
    COCO17,
    COCO18,
    H36M17,
    HALPE26,
    SKELETONS,
    Skeleton,
    conversion,
    get_skeleton,
    make_skeleton,
)

PAIRS = [pytest.param(a, b, id=f"{a.name}-{b.name}") for a, b in product(SKELETONS.values(), repeat=2)]
EACH = [pytest.param(skeleton, id=name) for name, skeleton in SKELETONS.items()]


def points_of(skeleton: Skeleton, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(4, len(skeleton), 3))


@pytest.mark.parametrize("skeleton", EACH)
def test_layout_is_sound(skeleton: Skeleton) -> None:
    assert len(skeleton.bones) == sum(parent >= 0 for parent in skeleton.parents)
    roots = [joint for joint, parent in zip(skeleton.joints, skeleton.parents, strict=True) if parent < 0]
    assert len([joint for joint in roots if not joint.startswith("face_")]) == 1
    lefts = [joint for joint in skeleton.joints if joint.startswith("left_")]
    rights = [joint for joint in skeleton.joints if joint.startswith("right_")]
    assert len(skeleton.pairs) == len(lefts) == len(rights)
    order = np.array(skeleton.mirror_order)
    np.testing.assert_array_equal(order[order], np.arange(len(skeleton)))
    for joint, mirror in enumerate(order):
        assert (skeleton.side(joint), skeleton.side(mirror)) in {
            ("left", "right"),
            ("right", "left"),
            ("middle", "middle"),
        }


@pytest.mark.parametrize(
    ("skeleton", "joint", "index"),
    [
        # Places in the index tables that the formats' own documents print.
        (COCO17, "nose", 0),
        (COCO17, "left_shoulder", 5),
        (COCO17, "right_ankle", 16),
        (COCO18, "neck", 1),
        (COCO18, "right_eye", 14),
        (BODY25, "pelvis", 8),
        (BODY25, "left_big_toe", 19),
        (BODY25, "right_heel", 24),
        (BODY25B, "upper_neck", 17),
        (BODY25B, "head_top", 18),
        (HALPE26, "head_top", 17),
        (HALPE26, "pelvis", 19),
        (HALPE26, "right_heel", 25),
        (BLAZEPOSE33, "left_hip", 23),
        (BLAZEPOSE33, "right_big_toe", 32),
        (H36M17, "right_hip", 1),
        (H36M17, "head_top", 10),
        (H36M17, "right_wrist", 16),
    ],
)
def test_published_indices(skeleton: Skeleton, joint: str, index: int) -> None:
    assert skeleton.index(joint) == index


def test_sizes_are_those_of_the_names() -> None:
    sizes = {"halpe136": 136, "wholebody133": 133, "cmu25": 25, "lifter23": 23}
    sizes |= {name: int(digits) for name in SKELETONS if (digits := name[-2:]).isdigit() and name not in sizes}
    assert {name: len(get_skeleton(name)) for name in sizes} == sizes | {"body25": 25}


@pytest.mark.parametrize("skeleton", EACH)
def test_conversion_to_itself_is_exact(skeleton: Skeleton) -> None:
    change = conversion(skeleton, skeleton)
    points = points_of(skeleton).astype(np.float32)
    np.testing.assert_array_equal(change.apply(points), points)
    assert change.measured == skeleton.joints
    assert not change.estimated
    assert not change.missing


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_weights_are_affine_and_names_exact(source: Skeleton, target: Skeleton) -> None:
    change = conversion(source, target)
    sums = change.weights.sum(axis=1)
    missing = np.array([joint in change.missing for joint in target.joints])
    np.testing.assert_allclose(sums[~missing], 1, atol=1e-12)
    assert not change.weights[missing].any()
    assert sorted([*change.measured, *change.estimated, *change.missing]) == sorted(target.joints)
    for joint in change.measured:
        row = change.weights[target.index(joint)]
        assert row[source.index(joint)] == 1
        assert np.count_nonzero(row) == 1


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_no_side_is_made_from_the_other(source: Skeleton, target: Skeleton) -> None:
    """A left joint may use the middle of left and right, but its own side always weighs more."""
    change = conversion(source, target)
    other = {"left": "right", "right": "left"}
    sides = np.array([source.side(joint) for joint in range(len(source))])
    for joint, row in enumerate(change.weights):
        side = target.side(joint)
        if side != "middle" and row.any():
            assert row[sides == side].sum() > row[sides == other[side]].sum()


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_mirror_commutes_with_conversion(source: Skeleton, target: Skeleton) -> None:
    change = conversion(source, target)
    points = points_of(source)

    def mirror(array: np.ndarray, skeleton: Skeleton) -> np.ndarray:
        return array[:, list(skeleton.mirror_order)] * [-1, 1, 1]

    np.testing.assert_allclose(
        change.apply(mirror(points, source)), mirror(change.apply(points), target), atol=1e-12, equal_nan=True
    )


def test_midpoints() -> None:
    points = points_of(COCO17)
    change = conversion(COCO17, H36M17)
    made = change.apply(points)
    hips = points[:, [COCO17.index("left_hip"), COCO17.index("right_hip")]].mean(axis=1)
    shoulders = points[:, [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]].mean(axis=1)
    np.testing.assert_allclose(made[:, H36M17.index("pelvis")], hips)
    np.testing.assert_allclose(made[:, H36M17.index("thorax")], shoulders)
    np.testing.assert_allclose(made[:, H36M17.index("spine")], (hips + shoulders) / 2)
    assert set(change.estimated) == {"pelvis", "spine", "thorax", "head_top"}
    text = change.describe()
    assert "13 joints measured" in text
    assert "estimated: pelvis" in text


def test_a_joint_that_is_missing_takes_only_what_needs_it() -> None:
    points = points_of(COCO17).astype(np.float32)
    points[2, COCO17.index("left_hip")] = np.nan
    made = conversion(COCO17, H36M17).apply(points)
    gone = {H36M17.joints[joint] for joint in np.flatnonzero(np.isnan(made[2]).any(axis=-1))}
    assert gone == {"left_hip", "pelvis", "spine"}
    assert np.isfinite(made[[0, 1, 3]]).all()


def test_confidence_is_the_least_of_its_parts() -> None:
    confidence = np.ones((1, 17), np.float32)
    confidence[0, COCO17.index("left_hip")] = 0.3
    made = conversion(COCO17, H36M17).apply_confidence(confidence)
    assert made[0, H36M17.index("pelvis")] == np.float32(0.3)
    assert made[0, H36M17.index("thorax")] == 1
    missing = conversion(H36M17, HALPE26)
    assert missing.apply_confidence(np.ones((1, 17)))[0, HALPE26.index("left_heel")] == 0


def test_nothing_in_common() -> None:
    with pytest.raises(SkeletonError, match="no joint of"):
        conversion(custom_skeleton(["snout", "tail"]), H36M17)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("RAnkle", "right_ankle"), ("LShoulder", "left_shoulder"), ("leftShoulder", "left_shoulder"),
        ("shoulder_left", "left_shoulder"), ("l_shoulder", "left_shoulder"), ("Left Shoulder", "left_shoulder"),
        ("LEFT_HIP", "left_hip"), ("lshoulder", "left_shoulder"), ("RBigToe", "right_big_toe"), ("MidHip", "pelvis"),
        ("Neck", "neck"), ("Head", "head"), ("snout", "snout"), ("tail_l", "tail_l"), ("", ""), ("leftEyeInner",) * 2,
    ],
)  # fmt: skip
def test_spellings(name: str, canonical: str) -> None:
    assert canonical_joint_name(name) == canonical


@given(st.text(max_size=20))
def test_any_name_is_kept_or_known_and_settles(name: str) -> None:
    once = canonical_joint_name(name)
    assert canonical_joint_name(once) == once


@pytest.mark.parametrize("skeleton", EACH)
def test_known_names_are_canonical(skeleton: Skeleton) -> None:
    for joint, custom in zip(skeleton.joints, custom_skeleton(skeleton.joints).joints, strict=True):
        assert custom == joint.replace("_toe", "_big_toe") if joint in ("left_toe", "right_toe") else custom == joint


def test_custom_layouts() -> None:
    body = custom_skeleton(["RHip", "RKnee", "RAnkle"])
    assert body.parents == (-1, 0, 1)
    # What has no place in a body stays apart.
    assert custom_skeleton(["Nose", "tail", "LElbow", "RWrist"]).parents == (-1, -1, -1, -1)
    # Two spellings of one joint keep both names.
    assert custom_skeleton(["RHip", "right_hip"]).joints == ("RHip", "right_hip")


POSE2SIM21 = [
    "RHip", "RKnee", "RAnkle", "RBigToe", "RSmallToe", "RHeel", "LHip", "LKnee", "LAnkle", "LBigToe", "LSmallToe",
    "LHeel", "Neck", "Head", "Nose", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist",
]  # fmt: skip


def test_bones_of_the_markers_of_pose2sim() -> None:
    body = custom_skeleton(POSE2SIM21)
    bones = {body.joints[child]: body.joints[parent] for parent, child in body.bones}
    assert len(bones) == 20
    assert bones["nose"] == "head"
    assert bones["head"] == bones["left_shoulder"] == bones["right_shoulder"] == "neck"
    assert (bones["left_hip"], bones["right_hip"]) == ("left_shoulder", "right_shoulder")


TRUNK_AND_HEAD = [
    "pelvis", "spine", "thorax", "neck", "head", "head_top", "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_hip", "right_hip",
]  # fmt: skip


@given(st.sets(st.sampled_from(TRUNK_AND_HEAD), min_size=1))
def test_trunk_and_head_are_one_figure_whatever_is_left_out(joints: set[str]) -> None:
    assert custom_skeleton(sorted(joints)).parents.count(-1) == 1


@pytest.mark.parametrize(
    ("joints", "parents", "message"),
    [
        ((), (), "no joints"),
        (("a", "a"), (-1, -1), "twice: a"),
        (("a", "b"), (-1,), "1 parents"),
        (("a", "b"), (1, 0), "not a tree"),
        (("a", "b"), (-1, 7), "not a tree"),
        (("a", "b"), (-1, -5), "not a tree"),
    ],
)
def test_impossible_layouts(joints: tuple[str, ...], parents: tuple[int, ...], message: str) -> None:
    with pytest.raises(SkeletonError, match=message):
        Skeleton("x", joints, parents)


def test_lookups() -> None:
    assert get_skeleton("COCO-17") is COCO17
    assert get_skeleton("body_25b") is BODY25B
    assert get_skeleton(H36M17) is H36M17
    with pytest.raises(SkeletonError, match="known are h36m17"):
        get_skeleton("smpl")
    with pytest.raises(SkeletonError, match="it has pelvis"):
        H36M17.index("tail")
    with pytest.raises(SkeletonError, match="the parent of 'a'"):
        make_skeleton("x", {"a": "b"})

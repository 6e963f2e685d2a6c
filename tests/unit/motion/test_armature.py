"""One tree of bones for every layout."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lift3d.errors import SkeletonError
from lift3d.motion.armature import Armature, BodyPlan, body_plan, y_up
from lift3d.skeletons import SKELETONS, Skeleton, make_skeleton

BODY = {
    "Hips": None, "Spine": "Hips", "Spine1": "Spine", "Neck": "Spine1", "Head": "Neck", "HeadTop_End": "Head",
    "LeftShoulder": "Spine1", "LeftArm": "LeftShoulder", "LeftForeArm": "LeftArm", "LeftHand": "LeftForeArm",
    "LeftUpLeg": "Hips", "LeftLeg": "LeftUpLeg", "LeftFoot": "LeftLeg", "LeftToeBase": "LeftFoot",
    "LeftToe_End": "LeftToeBase",
}  # fmt: skip


def check_plan(plan: BodyPlan, skeleton: Skeleton) -> None:
    parents = {name: plan.nodes[p] if p >= 0 else None for name, p in zip(plan.nodes, plan.parents, strict=True)}
    assert len(parents) == len(plan.nodes)
    assert all(parent < node for node, parent in enumerate(plan.parents))
    mirrored = {n.replace("Left", "Right"): p and p.replace("Left", "Right") for n, p in BODY.items()}
    assert (BODY | mirrored).items() <= parents.items()
    assert plan.weights.shape == (len(plan.carriers), len(skeleton))
    sums = plan.weights.sum(axis=1)
    np.testing.assert_allclose(sums, np.abs(sums) > 0.5)
    assert np.isfinite(plan.rest).all()


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_every_layout_has_the_whole_body(skeleton: Skeleton) -> None:
    plan = body_plan(skeleton)
    check_plan(plan, skeleton)
    # Whatever limb joint a layout names, the node lies there and nowhere else.
    for node, joint in (("LeftArm", "left_shoulder"), ("RightLeg", "right_knee"), ("LeftFoot", "left_ankle")):
        row = plan.weights[plan.index(node)]
        assert row[skeleton.index(joint)] == 1
        assert np.count_nonzero(row) == 1
        assert plan.strength[plan.index(node)] == 1


def test_layouts_differ_in_where_their_trunk_is_measured() -> None:
    def joints_of(layout: str, node: str) -> dict[str, float]:
        skeleton = SKELETONS[layout]
        row = body_plan(skeleton).weights[body_plan(skeleton).index(node)]
        return {joint: round(float(w), 3) for joint, w in zip(skeleton.joints, row, strict=True) if w}

    assert joints_of("coco17", "Hips") == {"left_hip": 0.5, "right_hip": 0.5}
    assert joints_of("h36m17", "Spine1") == {"spine": 1}
    assert joints_of("cmu25", "Spine") == {"spine_low": 1}
    assert joints_of("cmu25", "Neck") == {"neck_base": 1}
    assert joints_of("mpi_inf_3dhp28", "Spine") == {"spine": 1}
    assert joints_of("body25b", "Head") == {"upper_neck": 1}


def test_hands_have_fingers_where_the_layout_has() -> None:
    nodes = body_plan(SKELETONS["wholebody133"]).nodes
    assert {"LeftHandThumb1", "RightHandPinky4"} <= set(nodes)
    assert "LeftHand_End" not in nodes
    assert "LeftHand_End" in body_plan(SKELETONS["coco17"]).nodes


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_layouts_with_joints_left_out(data: st.DataObject) -> None:
    full = SKELETONS[data.draw(st.sampled_from(sorted(SKELETONS)))]
    joints = data.draw(st.lists(st.sampled_from(full.joints), min_size=1, unique=True))
    skeleton = Skeleton("part", tuple(joints), (-1,) * len(joints))
    if any({f"left_{part}", f"right_{part}"} <= set(joints) for part in ("hip", "shoulder")):
        check_plan(body_plan(skeleton), skeleton)
    else:
        with pytest.raises(SkeletonError, match="neither both hips nor both shoulders"):
            body_plan(skeleton)


def test_an_animal_is_no_body() -> None:
    with pytest.raises(SkeletonError, match="fish"):
        body_plan(make_skeleton("fish", {"snout": None, "tail": "snout"}))


def test_forward_kinematics_of_a_bent_rod() -> None:
    armature = Armature(("a", "b", "c"), (-1, 0, 1), np.array([[9.0, 9, 9], [1, 0, 0], [1, 0, 0]]))
    quarter = Rotation.from_euler("Z", 90, degrees=True).as_matrix()
    rotations = np.stack([np.stack([quarter, np.eye(3), np.eye(3)]), np.stack([np.eye(3), quarter, np.eye(3)])])
    places, turned = armature.forward(rotations, np.array([[0.0, 0, 1], [0, 0, 0]]))
    np.testing.assert_allclose(places[0], [[0, 0, 1], [0, 1, 1], [0, 2, 1]], atol=1e-12)
    np.testing.assert_allclose(places[1], [[0, 0, 0], [1, 0, 0], [1, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(turned[1, 2], quarter, atol=1e-12)
    assert armature.children == ((1,), (2,), ())


def test_up_is_y() -> None:
    np.testing.assert_array_equal(y_up(np.array([1.0, 2, 3]), "world"), [1, 3, -2])
    np.testing.assert_array_equal(y_up(np.array([1.0, 2, 3]), "camera"), [1, -2, -3])

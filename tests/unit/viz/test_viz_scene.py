"""What is read off a clip before it is drawn: upright space, roots, floor, views."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift3d.errors import Lift3DError, ShapeError
from lift3d.palette import PEOPLE, shade, side_colours
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import SKELETONS, get_skeleton
from lift3d.viz.bones import drawn_bones
from lift3d.viz.scene import (
    check_truth,
    describe,
    floor_height,
    front_view,
    root_path,
    sampled,
    seen_frames,
    seen_from,
    side_view,
    upright,
)

H36M = get_skeleton("h36m17")


def body(**places: tuple[float, float, float]) -> np.ndarray:
    """One frame of one person of whom only these joints are seen."""
    points = np.full((1, 1, 17, 3), np.nan, np.float32)
    for joint, place in places.items():
        points[0, 0, H36M.index(joint)] = place
    return points


def test_camera_space_stands_up_without_being_mirrored():
    axes = np.eye(3)
    turned = upright(axes, "camera")
    np.testing.assert_array_equal(turned, [[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # right, down, forward
    assert np.linalg.det(turned) == 1
    np.testing.assert_array_equal(upright(axes, "world"), axes)


@given(st.floats(-np.pi, np.pi))
def test_people_in_the_world_are_seen_from_the_front(angle):
    facing = np.array([np.cos(angle), np.sin(angle), 0])
    left = np.cross([0, 0, 1], facing)  # of someone who faces +x the left is +y
    points = body(pelvis=(0, 0, 1), left_hip=tuple(0.1 * left), right_hip=tuple(-0.1 * left), nose=tuple(0.1 * facing))
    into = front_view(points, H36M, "world")
    np.testing.assert_allclose(into, -facing, atol=1e-6)
    front = seen_from(points, into)[0, 0]
    assert front[H36M.index("left_hip"), 0] > front[H36M.index("right_hip"), 0]
    side = seen_from(points, side_view(into))[0, 0]
    assert side[H36M.index("nose"), 0] == pytest.approx(-0.1, abs=1e-6)  # looks to where the front's viewer stands
    assert side[H36M.index("right_hip"), 2] > side[H36M.index("left_hip"), 2]  # the left is nearer


def test_the_camera_is_the_front_of_camera_space():
    away = upright(body(left_hip=(-0.1, 0, 5), right_hip=(0.1, 0, 5)), "camera")
    np.testing.assert_array_equal(front_view(away, H36M, "camera"), [0, 1, 0])


def test_without_sides_the_front_is_the_y_axis():
    assert front_view(body(nose=(0, 0, 1)), H36M, "world").tolist() == [0, 1, 0]


def test_root_is_the_best_middle_that_is_seen():
    both = {"left_hip": (1, 0, 0), "right_hip": (3, 0, 0), "nose": (0, 0, 9)}
    assert root_path(body(pelvis=(5, 5, 5), **both), H36M).tolist() == [[[5, 5, 5]]]
    assert root_path(body(**both), H36M).tolist() == [[[2, 0, 0]]]
    assert root_path(body(nose=(0, 0, 9), left_hip=(2, 0, 1)), H36M).tolist() == [[[1, 0, 5]]]
    assert np.isnan(root_path(body(), H36M)).all()


def test_floor_is_where_feet_come_down_to_and_unknown_without_feet():
    jump = np.repeat(body(left_ankle=(0, 0, 0.1), nose=(0, 0, 1.7)), 100, axis=0)
    jump[50:, :, :, 2] += 0.5
    assert floor_height(jump, H36M, "world") == pytest.approx(0.1)
    assert floor_height(body(nose=(0, 0, 1.7), left_wrist=(0, 0, 1)), H36M, "world") is None


def test_a_camera_that_looks_down_sees_no_level_floor():
    walk = np.repeat(body(left_ankle=(0, 0, 0.1), nose=(0, 0, 1.7)), 100, axis=0)
    walk[..., 1] += np.linspace(3, 7, 100)[:, None, None]
    assert floor_height(walk, H36M, "camera") == pytest.approx(0.1)
    pitch = np.radians(20)
    walk[..., 1:] = walk[..., 1:] @ [[np.cos(pitch), np.sin(pitch)], [-np.sin(pitch), np.cos(pitch)]]
    assert floor_height(walk, H36M, "camera") is None


def test_sampling_and_seen_frames():
    assert sampled(1).tolist() == [0]
    assert sampled(3, 8).tolist() == [0, 1, 2]
    assert sampled(100_000, 3).tolist() == [0, 50000, 99999]
    points = np.concatenate([body(), body(nose=(0, 0, 0)), body()])
    assert seen_frames(points).tolist() == [1]
    with pytest.raises(Lift3DError, match="nothing to draw"):
        seen_frames(body())


def test_truth_must_fit():
    motion = Poses3D(np.zeros((3, 1, 17, 3)), skeleton="h36m17")
    check_truth(motion, motion)
    with pytest.raises(ShapeError, match="2 frames"):
        check_truth(motion, motion.select(slice(0, 2)))
    with pytest.raises(ShapeError, match="world space"):
        check_truth(Poses3D(motion.xyz, skeleton="h36m17", space="camera"), motion)
    with pytest.raises(ShapeError, match="2D"):
        check_truth(Keypoints2D(np.zeros((3, 1, 17, 2)), skeleton="h36m17"), motion)


def test_description():
    motion = Poses3D(np.zeros((3, 2, 17, 3)), skeleton="h36m17", fps=60, provenance={"source": "C:\\takes\\a.trc"})
    name, line = describe(motion)
    assert name == "a.trc"
    assert line == "Human3.6M, 17 joints · 3 frames, 0.05 s at 60 fps · 2 people · world space, metres"


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_every_layout_is_drawn_with_shoulders_and_hips_joined(skeleton):
    lines = drawn_bones(skeleton)
    assert len({frozenset(line[:2]) for line in lines}) == len(lines)
    neighbours = {joint: {joint} for joint in range(len(skeleton))}
    for a, b, _ in lines:
        neighbours[a].add(b)
        neighbours[b].add(a)
    for part in ("shoulder", "hip"):
        left, right = skeleton.index(f"left_{part}"), skeleton.index(f"right_{part}")
        assert neighbours[left] & neighbours[right]
    for a, b, side in lines:
        assert side in ("left", "right", "middle")
        if {skeleton.side(a), skeleton.side(b)} == {"left", "right"}:
            assert side == "middle"


def test_colours():
    assert shade("#000000", 1) == "#FFFFFF"
    assert shade("#804020", -0.5) == "#402010"
    assert len(set(side_colours(0, 1).values())) == 3
    assert [side_colours(person, 7)["middle"] for person in range(7)] == [*PEOPLE, PEOPLE[0]]

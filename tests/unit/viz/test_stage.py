"""The stage: what is drawn at a moment, what is hidden, and from where it is seen."""

from dataclasses import replace

import numpy as np
import pytest
from stage_scenes import BODY, ring, standing

from lift3d.errors import Lift3DError, ShapeError
from lift3d.geometry.cameras import Camera
from lift3d.palette import LEFT, RIGHT
from lift3d.poses import Poses3D
from lift3d.viz.bones import drawn_bones
from lift3d.viz.look import Look, error_colours, rgb
from lift3d.viz.stage import Stage
from lift3d.viz.surroundings import floor_grid


class Counting:
    """A clip that only gives slices, and counts the frames that were read."""

    def __init__(self, poses: Poses3D) -> None:
        self.poses, self.read = poses, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.poses, name)

    @property
    def xyz(self) -> np.ndarray:
        raise AssertionError("a stage must not ask for the whole clip")

    def select(self, frames: slice) -> Poses3D:
        part = self.poses.select(frames)
        self.read += part.frames
        return part


def test_rows_are_the_clip() -> None:
    xyz = standing()
    xyz[7, 1, BODY.index("left_knee")] = np.nan
    stage = Stage(Poses3D(xyz, skeleton=BODY, fps=30))
    drawing = stage.drawing(7)
    np.testing.assert_array_equal(drawing.spheres.centres.reshape(2, 17, 3), xyz[7])
    bones = drawn_bones(BODY)
    assert len(drawing.cylinders.radii) == 2 * len(bones)
    for row, (a, b, _) in enumerate(bones):
        start, end = drawing.cylinders.starts[len(bones) + row], drawing.cylinders.ends[len(bones) + row]
        if BODY.index("left_knee") in (a, b):
            assert np.isnan([start, end]).all()
        else:
            np.testing.assert_array_equal([start, end], xyz[7, 1, [a, b]])


def test_sides_have_their_colours() -> None:
    drawing = Stage(Poses3D(standing(people=1), skeleton=BODY)).drawing(0)
    for row, (_, _, side) in enumerate(drawn_bones(BODY)):
        if side != "middle":
            np.testing.assert_allclose(drawing.cylinders.colours[row], rgb(LEFT if side == "left" else RIGHT))


def test_camera_space_is_turned_upright() -> None:
    world = standing(people=1)
    camera = np.stack([world[..., 0], -world[..., 2], world[..., 1] + 4], axis=-1)
    stage = Stage(Poses3D(camera, skeleton=BODY, space="camera", camera=Camera.assumed((640, 480))))
    np.testing.assert_allclose(stage.drawing(0).spheres.centres, world[0, 0] + (0, 4, 0), atol=1e-5)
    frustum = stage.cameras[0]
    np.testing.assert_allclose(frustum.camera.centre, 0, atol=1e-9)
    # The picture stands before the camera, upright: its upper corners are above.
    corners = frustum.corners()
    assert (corners[:, 1] > 0).all()
    assert corners[0, 2] > corners[3, 2]
    assert corners[1, 0] > corners[0, 0]


def test_frustum_corners_project_into_the_image_corners() -> None:
    stage = Stage(Poses3D(standing(), skeleton=BODY), rig=ring())
    for item in stage.cameras:
        np.testing.assert_allclose(
            item.camera.project(item.corners()), [[0, 0], [1280, 0], [1280, 720], [0, 720]], atol=1e-6
        )


def test_hidden_rows_are_nan_and_stay_in_place() -> None:
    stage = Stage(Poses3D(standing(), skeleton=BODY))
    before = stage.drawing(3)
    stage.look = Look(hidden_people=frozenset({0}), hidden_parts=frozenset({"legs"}))
    after = stage.drawing(3)
    assert after.spheres.centres.shape == before.spheres.centres.shape
    centres = after.spheres.centres.reshape(2, 17, 3)
    assert np.isnan(centres[0]).all()
    legs = [BODY.index(f"{s}_{j}") for s in ("left", "right") for j in ("knee", "ankle")]
    assert np.isnan(centres[1, legs]).all()
    np.testing.assert_array_equal(centres[1, BODY.index("left_hip")], standing()[3, 1, BODY.index("left_hip")])


def test_trails_are_the_past() -> None:
    xyz = standing(frames=600, people=1)
    stage = Stage(Poses3D(xyz, skeleton=BODY, fps=30), look=Look(trails=1.0, trailing=("root", "left_wrist")))
    wrist = BODY.index("left_wrist")
    for frame in (300, 265, 10):  # the second reaches over the border of two blocks
        segments = stage.drawing(frame).lines[-1].segments.reshape(30, 2, 2, 3)
        past = np.arange(frame - 30, frame + 1)
        expected = np.where(past[:, None] >= 0, xyz[np.maximum(past, 0), 0, wrist], np.nan)
        np.testing.assert_allclose(segments[:, 1, 0], expected[:-1], atol=1e-6)
        np.testing.assert_allclose(segments[:, 1, 1], expected[1:], atol=1e-6)


def test_errors_are_coloured_by_distance_and_people_found_whatever_their_order() -> None:
    xyz = standing()
    truth = xyz[:, ::-1].copy()
    truth[:, 1, BODY.index("left_wrist"), 2] += 0.05  # the truth of person 0
    stage = Stage(
        Poses3D(xyz, skeleton=BODY), truth=Poses3D(truth, skeleton=BODY), look=Look(errors=True, error_limit=0.1)
    )
    drawing = stage.drawing(5)
    colours = drawing.spheres.colours[: 2 * 17].reshape(2, 17, 3)
    np.testing.assert_allclose(colours[0, BODY.index("left_wrist")], error_colours(np.array(0.05), 0.1), atol=1e-5)
    np.testing.assert_allclose(colours[1], np.tile(error_colours(np.array(0.0), 0.1), (17, 1)), atol=1e-5)
    assert [millimetres for millimetres, _ in stage.error_legend] == [0, 25, 50, 75, 100]
    lengths = np.linalg.norm(np.diff(drawing.lines[0].segments, axis=1), axis=-1)
    assert np.isclose(lengths.max(), 0.05, atol=1e-5)
    stage.look = replace(stage.look, truth=False)
    assert np.isnan(stage.drawing(5).spheres.centres[2 * 17 :]).all()
    assert stage.error_legend == ()


def test_ellipsoids_are_the_covariance() -> None:
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(4, 1, 17, 3, 3)) * 0.02
    covariance = roots @ roots.swapaxes(-1, -2)
    xyz = standing(4, 1)
    turn = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # camera space as it is drawn
    for space, change in (("world", np.eye(3)), ("camera", turn)):
        poses = Poses3D(xyz + np.array([0, 0, 3]), skeleton=BODY, covariance=covariance, space=space)
        axes = Stage(poses, look=Look(ellipsoids=2.0)).drawing(2).ellipsoids.axes
        expected = 4 * change @ covariance[2, 0] @ change.T
        np.testing.assert_allclose(axes @ axes.swapaxes(1, 2), expected, atol=1e-6)
    sigma = np.full((4, 1, 17), 0.03)
    axes = Stage(Poses3D(xyz, skeleton=BODY, sigma=sigma), look=Look(ellipsoids=1.0)).drawing(0).ellipsoids.axes
    np.testing.assert_allclose(axes, np.tile(0.03 * np.eye(3), (17, 1, 1)), atol=1e-7)


def test_a_long_clip_is_read_as_it_is_looked_at() -> None:
    poses = Poses3D(np.tile(standing(500, 1), (60, 1, 1, 1)), skeleton=BODY, fps=60)
    clip = Counting(poses)
    stage = Stage(clip)  # type: ignore[arg-type]
    stage.drawing(20_000)
    assert clip.read < 2000
    read = clip.read
    for frame in range(20_000, 20_050):
        stage.drawing(frame)
    assert clip.read == read


def test_a_person_seen_in_three_frames_only() -> None:
    xyz = np.full((5000, 1, 17, 3), np.nan, np.float32)
    xyz[3333:3336] = standing(3, 1)
    stage = Stage(Poses3D(xyz, skeleton=BODY))
    assert np.isfinite(stage.drawing(3334).spheres.centres).all()
    assert np.isnan(stage.drawing(0).spheres.centres).all()
    np.testing.assert_allclose(stage.middle(0), stage.centre)


@pytest.mark.parametrize("frames", [0, 10, 5000])
def test_nothing_to_draw_is_an_error(frames: int) -> None:
    with pytest.raises(Lift3DError, match="nothing to draw"):
        Stage(Poses3D(np.full((frames, 1, 17, 3), np.nan), skeleton=BODY))


@pytest.mark.parametrize("aspect", [16 / 9, 9 / 16])
def test_default_viewpoints_have_the_motion_in_frame(aspect: float) -> None:
    xyz = standing(people=3)
    stage = Stage(Poses3D(xyz, skeleton=BODY), rig=ring())
    views = stage.viewpoints_for(aspect)
    assert list(views) == ["front", "side", "top", "overview", "cam0", "cam1", "cam2"]
    height = 720
    width = round(aspect * height)
    for name in ("front", "side", "top", "overview"):
        pixels, depth = views[name].project(xyz.reshape(-1, 3), width, height)
        assert (depth > 0).all()
        assert ((pixels >= 0) & (pixels <= (width, height))).all(), name
        if name != "overview":
            extent = (pixels.max(axis=0) - pixels.min(axis=0)) / (width, height)
            assert extent.max() > 0.6, name
    # From the front the left side is on the right of the image, and up is up.
    left, right, head = (
        views["front"].project(xyz[0, 0, BODY.index(j)], width, height)[0]
        for j in ("left_hip", "right_hip", "head_top")
    )
    assert left[0] > right[0]
    assert head[1] < left[1]


def test_floor_grid_lies_on_round_metres() -> None:
    grid = floor_grid(np.array([-0.3, 0.2]), np.array([1.4, 0.9]), 0.07)
    np.testing.assert_allclose(grid.segments[..., 2], 0.07, atol=1e-7)
    np.testing.assert_array_equal(grid.segments[..., :2], np.round(grid.segments[..., :2]))
    wide = floor_grid(np.zeros(2), np.array([400.0, 10]), 0.0)
    assert len(wide.segments) < 100


def test_what_does_not_fit_is_an_error() -> None:
    poses = Poses3D(standing(), skeleton=BODY, space="camera")
    with pytest.raises(ShapeError, match="world space only"):
        Stage(poses, rig=ring())
    with pytest.raises(ShapeError, match="frames"):
        Stage(poses, truth=poses.select(slice(5)))
    with pytest.raises(Lift3DError, match="no frame 60"):
        Stage(poses).drawing(60)
    with pytest.raises(Lift3DError, match="known are"):
        Look(hidden_parts=frozenset({"tail"}))
    with pytest.raises(Lift3DError, match="no camera door"):
        Stage(poses, videos={"door": object()})  # type: ignore[dict-item]

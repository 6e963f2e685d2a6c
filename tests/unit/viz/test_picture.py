"""The picture: who stands where in it, and what it leaves out."""

import time
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from lift3d.errors import Lift3DError, OutputExistsError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.joint_names import custom_skeleton
from lift3d.palette import LEFT, RIGHT, TRUTH
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import H36M17
from lift3d.viz import save_picture, save_view
from lift3d.viz.picture import draw_picture

# Facing +y in the world: the left is -x. Metres, z up.
STANDING = {
    "pelvis": (0, 0, 0.9), "right_hip": (0.13, 0, 0.9), "right_knee": (0.14, 0, 0.45),
    "right_ankle": (0.14, -0.03, 0.02),
    "left_hip": (-0.13, 0, 0.9), "left_knee": (-0.14, 0, 0.45), "left_ankle": (-0.14, -0.03, 0.02),
    "spine": (0, 0, 1.15), "thorax": (0, 0, 1.4), "nose": (0, 0.1, 1.52), "head_top": (0, 0, 1.65),
    "left_shoulder": (-0.18, 0, 1.37), "left_elbow": (-0.3, 0, 1.1), "left_wrist": (-0.45, 0.2, 1.0),
    "right_shoulder": (0.18, 0, 1.37), "right_elbow": (0.3, 0, 1.1), "right_wrist": (0.45, 0.2, 1.0),
}  # fmt: skip
BODY = np.array([STANDING[joint] for joint in H36M17.joints])
# A camera 4 m before the person, looking back at him along -y: x right is the world's -x, y down is -z.
CAMERA = Camera(
    np.array([[800.0, 0, 640], [0, 800, 360], [0, 0, 1]]),
    R=np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]]),
    t=np.array([0, 1.0, 4.0]),
    image_size=(1280, 720),
)


def standing(frames: int = 30, walk: float = 0.0, people: int = 1) -> Poses3D:
    path = np.zeros((frames, people, 1, 3))
    path[..., 1] = np.linspace(0, walk, frames)[:, None, None]
    path[..., 0] += 1.2 * np.arange(people)[:, None]
    return Poses3D(BODY + path, skeleton="h36m17", fps=30, space="world")


def seen_by_camera(motion: Poses3D) -> Poses3D:
    keypoints = Keypoints2D(CAMERA.project(motion.xyz), skeleton="h36m17", fps=30, image_size=CAMERA.image_size)
    return replace(motion, xyz=motion.xyz @ CAMERA.R.T + CAMERA.t, space="camera", camera=CAMERA, keypoints=keypoints)


def drawn_joints(figure, row, column, person=0):
    """Pixels of the drawn joints of a panel, y up, by name."""
    axes = next(a for a in figure.axes if a.get_gid() == f"panel-{row}-{column}")
    dots = next(c for c in axes.collections if c.get_gid() == f"joints-{person}")
    pixels = axes.transData.transform(np.ma.filled(dots.get_offsets().astype(float), np.nan))
    return dict(zip(H36M17.joints, pixels, strict=True)), axes


def check_upright(joints, left_is_right=True):
    assert joints["head_top"][1] > joints["pelvis"][1] > joints["left_ankle"][1]
    if left_is_right:
        assert joints["left_wrist"][0] > joints["pelvis"][0] > joints["right_wrist"][0]


def test_camera_space_is_upright_and_left_is_on_the_right_of_the_image():
    figure = draw_picture(seen_by_camera(standing()))
    for row in (0, 1):
        joints, axes = drawn_joints(figure, row, 0)
        check_upright(joints)
        box = axes.get_window_extent()
        assert all(box.x0 < x < box.x1 and box.y0 < y < box.y1 for x, y in joints.values())
    joints, _ = drawn_joints(figure, 2, 0)
    check_upright(joints, left_is_right=False)
    assert joints["nose"][0] < joints["head_top"][0]  # the camera stands at the left of the side view
    assert [a.get_ylabel() for a in figure.axes if a.get_ylabel()] == ["2D input", "from the camera", "from the side"]


def test_who_turns_his_back_to_the_camera_has_his_left_on_the_left():
    motion = standing()
    turned = replace(motion, xyz=motion.xyz * np.float32([-1, -1, 1]))
    joints, _ = drawn_joints(draw_picture(seen_by_camera(turned)), 1, 0)
    assert joints["left_wrist"][0] < joints["right_wrist"][0]


def test_world_space_is_seen_from_the_front_in_true_proportions():
    joints, axes = drawn_joints(draw_picture(standing()), 0, 0)
    check_upright(joints)
    scale = (joints["head_top"] - joints["pelvis"])[1] / 0.75
    assert (joints["left_wrist"] - joints["right_wrist"])[0] == pytest.approx(0.9 * scale, rel=1e-3)
    bar = next(line for line in axes.lines if line.get_gid() == "scale")
    ends = axes.transData.transform(bar.get_xydata())
    label = next(text.get_text() for text in axes.texts if text.get_text().endswith(" m"))
    assert ends[1, 0] - ends[0, 0] == pytest.approx(float(label.removesuffix(" m")) * scale, rel=1e-3)


def test_bones_have_their_sides_colours():
    figure = draw_picture(standing())
    axes = next(a for a in figure.axes if a.get_gid() == "panel-0-0")
    bones = next(c for c in axes.collections if c.get_gid() == "people")
    places = {LEFT: [], RIGHT: []}
    for segment, colour in zip(bones.get_segments(), bones.get_colors(), strict=True):
        places.get(to_hex(colour).upper(), []).append(segment[:, 0].mean())
    assert min(places[LEFT]) > 0 > max(places[RIGHT])


def test_nearer_bones_are_drawn_over_farther_ones():
    figure = draw_picture(standing())
    axes = next(a for a in figure.axes if a.get_gid() == "panel-1-0")  # from the side: the left is nearer
    bones = next(c for c in axes.collections if c.get_gid() == "people")
    order = [to_hex(colour).upper() for colour in bones.get_colors()]
    assert max(i for i, c in enumerate(order) if c == RIGHT) < min(i for i, c in enumerate(order) if c == LEFT)


def test_the_path_is_drawn_only_if_somebody_moves():
    assert not [a for a in draw_picture(standing()).axes if a.get_gid() == "path"]
    axes = next(a for a in draw_picture(seen_by_camera(standing(walk=2))).axes if a.get_gid() == "path")
    line = next(line for line in axes.lines if line.get_gid() == "path-0").get_xydata()
    np.testing.assert_allclose(line[[0, -1]], [[0, 4], [0, 2]], atol=1e-4)  # towards the camera, which is below


def test_times_are_titles():
    figure = draw_picture(standing(91))
    titles = [a.get_title() for a in figure.axes if str(a.get_gid()).startswith("panel-0")]
    assert titles[0] == "0.00 s"
    assert titles[-1] == "3.00 s"
    assert 4 <= len(titles) <= 8


def test_missing_joints_frames_and_people_are_skipped():
    motion = standing(30, people=3)
    xyz = motion.xyz.copy()
    xyz[:10] = np.nan
    xyz[:, 1] = np.nan
    xyz[:, 2, H36M17.index("left_wrist")] = np.nan
    figure = draw_picture(replace(motion, xyz=xyz))
    assert next(a for a in figure.axes if a.get_gid() == "panel-0-0").get_title() == f"{10 / 30:.2f} s"
    assert np.isnan(drawn_joints(figure, 0, 0, 1)[0]["nose"]).all()
    joints, _ = drawn_joints(figure, 0, 0, 2)
    assert np.isnan(joints["left_wrist"]).all()
    assert np.isfinite(joints["left_elbow"]).all()


@pytest.mark.parametrize("shape", [(3, 1), (0, 1), (3, 0)])
def test_nothing_to_draw_is_an_error(tmp_path, shape):
    motion = Poses3D(np.full((*shape, 17, 3), np.nan), skeleton="h36m17")
    with pytest.raises(Lift3DError, match="nothing to draw"):
        save_picture(motion, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_truth_is_grey_beneath():
    motion = standing()
    figure = draw_picture(motion, truth=replace(motion, xyz=motion.xyz + np.float32(0.05)))
    axes = next(a for a in figure.axes if a.get_gid() == "panel-0-0")
    truth = next(c for c in axes.collections if c.get_gid() == "truth")
    people = next(c for c in axes.collections if c.get_gid() == "people")
    assert {to_hex(c).upper() for c in truth.get_colors()} == {TRUTH, "#FFFFFF"}
    assert truth.get_zorder() < people.get_zorder()
    assert "truth" in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_files(tmp_path, ending):
    path = tmp_path / f"picture.{ending}"
    motion = replace(seen_by_camera(standing(walk=1)), provenance={"source": "take $x^2$ $.json"})
    save_view(motion, path)
    head = path.read_bytes()[:300]
    assert {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}[ending.lower()] in head
    with pytest.raises(OutputExistsError):
        save_view(motion, path)
    save_view(motion, path, overwrite=True)


def test_unknown_ending_lists_the_known_ones(tmp_path):
    with pytest.raises(UnknownFormatError, match=r"\.png, \.svg, \.pdf, \.html"):
        save_view(standing(), tmp_path / "a.mp4")
    with pytest.raises(UnknownFormatError, match=r"\.png, \.svg, \.pdf"):
        save_picture(standing(), tmp_path / "a.html")


@pytest.mark.parametrize("frames", [1, 100_000])
def test_short_and_long_clips_are_drawn_fast(tmp_path, frames):
    motion = standing(frames, walk=3)
    start = time.perf_counter()
    save_picture(motion, tmp_path / "a.png")
    assert time.perf_counter() - start < 10
    save_picture(seen_by_camera(motion.select(slice(0, 2))).keypoints, tmp_path / "flat.png")


def test_joints_without_bones_are_drawn():
    skeleton = custom_skeleton(["snout", "tail_base", "tail_tip"])
    motion = Poses3D(np.random.default_rng(0).normal(size=(4, 1, 3, 3)), skeleton=skeleton)
    figure = draw_picture(motion)
    axes = next(a for a in figure.axes if a.get_gid() == "panel-0-0")
    assert next(c for c in axes.collections if c.get_gid() == "joints-0").get_offsets().shape == (3, 2)
    assert axes.get_title() == "frame 0"

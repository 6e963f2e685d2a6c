"""Frames without a screen: right way up, sides not swapped, and every option that cannot be met is one message."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from stage_scenes import BODY, standing

from lift3d.errors import Lift3DError, OutputExistsError, UnknownFormatError
from lift3d.palette import LEFT, RIGHT
from lift3d.poses import Poses3D
from lift3d.viz import open3d_probe
from lift3d.viz.camera_paths import between, camera_path
from lift3d.viz.drawing import Drawing, Ellipsoids, Lines, Picture
from lift3d.viz.flat_frames import FlatFrames, clipped, ellipsoid_outlines
from lift3d.viz.look import rgb
from lift3d.viz.meshes import body_mesh, ellipsoid_mesh, icosphere
from lift3d.viz.open3d_probe import read_trial
from lift3d.viz.render import Renderer, draw_frame, make_renderer, save_frames
from lift3d.viz.stage import Stage
from lift3d.viz.viewpoint import Viewpoint

SIZE = (320, 180)
FRONT = Viewpoint(np.array([0.0, -5, 0]), np.zeros(3))
SQUARE = np.array([[-1, 0, 1], [1, 0, 1], [1, 0, -1], [-1, 0, -1.0]])


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(Poses3D(standing(people=1), skeleton=BODY, fps=30, provenance={"source": "walk.h5"}))


@pytest.fixture(scope="module")
def open3d() -> Renderer:
    if not open3d_probe.probe_open3d().usable:
        pytest.skip(open3d_probe.probe_open3d().reason)
    return make_renderer(SIZE, renderer="open3d")[0]


@pytest.fixture(params=["matplotlib", "open3d"])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return request.getfixturevalue("open3d") if request.param == "open3d" else FlatFrames(SIZE)


def hue(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The colour around a pixel, without its lightness."""
    x, y = place.astype(int)
    colour = np.median(image[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3), axis=0).astype(float)
    return colour / np.linalg.norm(colour)


@pytest.mark.parametrize("name", ["front", "side"])
def test_bones_are_where_they_project_to_in_their_colour(renderer: Renderer, stage: Stage, name: str) -> None:
    viewpoint = stage.viewpoints[name]
    image = renderer.draw(stage.backdrop, stage.drawing(30), viewpoint)
    seen = [("left", LEFT), ("right", RIGHT)] if name == "front" else [("left", LEFT)]
    for side, colour in seen:
        for a, b in (("elbow", "wrist"), ("knee", "ankle")):
            ends = standing(people=1)[30, 0, [BODY.index(f"{side}_{a}"), BODY.index(f"{side}_{b}")]]
            pixel, _ = viewpoint.project(ends.mean(axis=0), *SIZE)
            own, other = (rgb(c) / np.linalg.norm(rgb(c)) for c in (colour, RIGHT if side == "left" else LEFT))
            found = hue(image, pixel)
            assert found @ own > 0.95 > 0.8 > found @ other, (side, a)
    assert (image[2, 2] == 255).all()


def test_a_picture_in_space_is_upright_and_true_in_colour(renderer: Renderer) -> None:
    quarters = np.zeros((8, 8, 3), np.uint8)
    quarters[:4, :4], quarters[:4, 4:], quarters[4:, :4], quarters[4:, 4:] = (200, 60, 50), (60, 180, 90), 30, 140
    image = renderer.draw(Drawing(), Drawing(pictures=(Picture(SQUARE, quarters),)), FRONT)
    pixels, _ = FRONT.project(SQUARE * 0.5, *SIZE)
    for pixel, colour in zip(pixels.astype(int), ((200, 60, 50), (60, 180, 90), (140,) * 3, (30,) * 3), strict=True):
        np.testing.assert_allclose(image[pixel[1], pixel[0]], colour, atol=8)


def test_error_bars_are_drawn_and_joints_shine_through(renderer: Renderer) -> None:
    rows = Ellipsoids(np.zeros((2, 3), np.float32), np.stack([np.diag([1.0, 0.3, 0.3]), np.full((3, 3), np.nan)]),
                      np.array([rgb(RIGHT)] * 2))  # fmt: skip
    image = renderer.draw(Drawing(), Drawing(ellipsoids=rows), FRONT).astype(int)
    for place, inside in (((0.8, 0, 0), True), ((0, 0, 0.2), True), ((0, 0, 0.5), False), ((1.2, 0, 0), False)):
        (x, y), _ = FRONT.project(np.array(place, float), *SIZE)
        drawn = image[int(y), int(x)]
        assert (drawn[0] > drawn[2] + 20 and drawn[2] > 60) if inside else (drawn == 255).all()


@pytest.mark.parametrize("name", ["matplotlib", "open3d"])
def test_transparent_frames_lie_on_any_colour(name: str, stage: Stage, request: pytest.FixtureRequest) -> None:
    if name == "open3d":
        request.getfixturevalue("open3d")
    drawer, _ = make_renderer(SIZE, transparent=True, renderer=name)
    image = drawer.draw(Drawing(), stage.drawing(30), stage.viewpoints["front"])
    assert image.shape == (180, 320, 4)
    pixel = stage.viewpoints["front"].project(standing()[30, 0, BODY.index("left_elbow")], *SIZE)[0].astype(int)
    assert image[pixel[1], pixel[0], 3] == 255
    assert image[2, 2, 3] == 0
    solid = make_renderer(SIZE, renderer=name)[0].draw(Drawing(), stage.drawing(30), stage.viewpoints["front"])
    alpha = image[..., 3:] / 255
    np.testing.assert_allclose(image[..., :3] * alpha + 255 * (1 - alpha), solid, atol=12)


def test_ellipsoid_outline_against_points_on_it() -> None:
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0] * (0.5, 0.2, 0.8)
    ellipsoids = Ellipsoids(np.array([[0.4, 0.3, -0.2]]), axes[None], np.zeros((1, 3)))
    outline, rows = ellipsoid_outlines(ellipsoids, FRONT, SIZE)
    assert rows.tolist() == [0]
    directions = rng.normal(size=(20000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    pixels, _ = FRONT.project(ellipsoids.centres + directions @ axes.T, *SIZE)
    hull = cv2.convexHull(pixels.astype(np.float32))[:, 0]
    away = [cv2.pointPolygonTest(hull, tuple(map(float, point)), True) for point in outline[0]]
    assert np.abs(away).max() < 0.3


def test_lines_are_cut_where_the_viewer_stands() -> None:
    segments = np.array([[[0, -10.0, 0], [0, 5, 0]], [[0, -10, 0], [0, -7, 1]], [[0, 0, 0], [1, 1, 1]]])
    cut, there = clipped(segments.copy(), FRONT)
    assert there.tolist() == [True, False, True]
    np.testing.assert_allclose(cut[0], [[0, -4.95, 0], [0, 5, 0]])
    np.testing.assert_array_equal(cut[1], segments[2])


def test_meshes_are_closed_round_and_of_one_size(stage: Stage) -> None:
    vertices, triangles = icosphere(2)
    a, b, c = (vertices[triangles[:, k]].astype(float) for k in range(3))
    assert np.isclose((np.einsum("ij,ij->i", a, np.cross(b, c)) / 6).sum(), 4 / 3 * np.pi, rtol=0.06)
    there = stage.drawing(0)
    whole = body_mesh(there.spheres, there.cylinders)
    away = np.linalg.norm(whole.vertices[: 17 * 162].reshape(17, 162, 3) - there.spheres.centres[:, None], axis=-1)
    np.testing.assert_allclose(away, np.tile(there.spheres.radii[:, None], (1, 162)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(whole.normals, axis=1), 1, atol=1e-5)
    there.spheres.centres[3] = np.nan
    fewer = body_mesh(there.spheres, there.cylinders)
    assert fewer.vertices.shape == whole.vertices.shape
    assert np.isfinite(fewer.vertices).all()
    axes = np.diag([0.5, 0.2, 0.1])
    mesh = ellipsoid_mesh(Ellipsoids(np.ones((1, 3)), axes[None], np.zeros((1, 3))))
    on_it = ((mesh.vertices - 1) / (0.5, 0.2, 0.1)) ** 2
    np.testing.assert_allclose(on_it.sum(axis=1), 1, atol=1e-4)
    gradient = (mesh.vertices - 1) / np.array([0.25, 0.04, 0.01])
    np.testing.assert_allclose(mesh.normals, gradient / np.linalg.norm(gradient, axis=1, keepdims=True), atol=1e-3)


def test_faded_lines_keep_their_place() -> None:
    lines = Lines(np.array([[[-1, 0, 0.5], [1, 0, 0.5]]], np.float32), np.array([rgb(LEFT)]), 16.0)
    image = FlatFrames(SIZE).draw(Drawing(lines=(lines,)), Drawing(), FRONT)
    (x, y), _ = FRONT.project(np.array([0, 0, 0.5]), *SIZE)
    np.testing.assert_allclose(image[int(y), int(x)], 255 * rgb(LEFT), atol=3)


def test_camera_paths(stage: Stage) -> None:
    front, side = stage.viewpoints["front"], stage.viewpoints["side"]
    orbit = camera_path(stage, 16 / 9, path="orbit")
    np.testing.assert_allclose(orbit(0, 0).eye, front.eye)
    quarter = orbit(135, 0.5)  # 4.5 s at 20 degrees a second
    np.testing.assert_allclose(
        (quarter.eye - front.target)[:2], [[0, -1], [1, 0]] @ (front.eye - front.target)[:2], atol=1e-9
    )
    follow = camera_path(stage, 16 / 9, path="follow")
    np.testing.assert_allclose(follow(40, 0).target - follow(20, 0).target, [0, 0.2, 0], atol=0.01)
    np.testing.assert_allclose(follow(40, 0).eye - follow(20, 0).eye, [0, 0.2, 0], atol=0.01)
    way = camera_path(stage, 16 / 9, path=["front", "side", "top"])
    for part, key in ((0, front), (0.5, side), (1, stage.viewpoints["top"])):
        np.testing.assert_allclose(way(0, part).eye, key.eye, atol=1e-9)
    least = min(np.linalg.norm(front.eye - front.target), np.linalg.norm(side.eye - side.target))
    for part in np.linspace(0, 1, 20):
        view = between([front, side], float(part))
        assert np.linalg.norm(view.eye - view.target) > 0.99 * least
        R, _ = view.extrinsics()
        assert np.isclose(np.linalg.det(R), 1)
    for bad in ("spiral", ["nowhere"], []):
        with pytest.raises(Lift3DError):
            camera_path(stage, 16 / 9, path=bad)


def test_png_series_and_film(stage: Stage, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    name = save_frames(
        stage, tmp_path / "walk-%03d.png", size=SIZE, frames=slice(10, 20, 5), renderer="matplotlib",
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert name == "matplotlib"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["walk-010.png", "walk-015.png"]
    assert told == [(1, 2), (2, 2)]
    save_frames(stage, tmp_path / "one.png", size=SIZE, background="transparent", renderer="matplotlib")
    with Image.open(tmp_path / "one.png") as image:
        assert image.mode == "RGBA"
        middle = draw_frame(stage, FlatFrames(SIZE, True), 30, stage.viewpoints_for(16 / 9)["front"])
        np.testing.assert_array_equal(np.asarray(image), middle)
    av = pytest.importorskip("av")
    save_frames(stage, tmp_path / "walk.mp4", size=SIZE, renderer="matplotlib", path_of_camera="orbit", speed=0.5)
    with av.open(str(tmp_path / "walk.mp4")) as film:
        shown = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert len(shown) == 60
        assert film.streams.video[0].average_rate == 15
    expected = draw_frame(stage, FlatFrames(SIZE), 0, stage.viewpoints["front"])
    assert np.abs(shown[0].astype(int) - expected).mean() < 4
    # A fast clip is shown at 60 frames a second at most: every other frame.
    save_frames(stage, tmp_path / "fast.mp4", size=SIZE, renderer="matplotlib", speed=4)
    with av.open(str(tmp_path / "fast.mp4")) as film:
        assert film.streams.video[0].average_rate == 60
        assert sum(1 for _ in film.decode(video=0)) == 30


def test_what_cannot_be_met_is_one_message(stage: Stage, tmp_path: Path) -> None:
    def save(name: str, **options: object) -> None:
        save_frames(stage, tmp_path / name, renderer="matplotlib", **options)  # type: ignore[arg-type]

    (tmp_path / "there.png").write_text("mine")
    with pytest.raises(OutputExistsError):
        save("there.png")
    assert (tmp_path / "there.png").read_text() == "mine"
    with pytest.raises(UnknownFormatError, match="webm"):
        save("a.webm")
    for name, options, message in (
        ("a.mp4", {"background": "transparent"}, "gif"),
        ("a.mp4", {"size": (321, 180)}, "even"),
        ("a.png", {"size": (3, 180)}, "32 to 8192"),
        ("a.png", {"background": "pink"}, "pink"),
        ("a.png", {"viewpoint": "behind"}, "front, side, top"),
        ("a.png", {"frame": 60}, "no frame 60"),
        ("a.mp4", {"frames": slice(60, 70)}, "no frame"),
        ("a.mp4", {"speed": 0.0}, "speed"),
        ("missing/a.png", {}, "does not exist"),
    ):
        with pytest.raises(Lift3DError, match=message):
            save(name, **options)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["there.png"]


def test_trials_of_open3d() -> None:
    good = "Vulkan device driver: llvmpipe\nstarted\n" + '{"seconds": 0.25}\n'
    found = read_trial(good, 0)
    assert found.usable
    assert (found.device, found.seconds) == ("llvmpipe", 0.25)
    assert "found no Vulkan driver" in read_trial("", -6).reason
    assert "drew no frame within" in read_trial("started\n", 1).reason
    assert "did not start" in read_trial("", None).reason
    slow = read_trial('started\n{"seconds": 38.0}\n', 0)
    assert not slow.usable
    assert "38.0 s a frame" in slow.reason
    assert not read_trial(good, -11).usable


def test_without_a_driver_matplotlib_draws_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("open3d")
    monkeypatch.setenv("VK_DRIVER_FILES", "/nonexistent.json")
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nonexistent.json")
    open3d_probe.probe_open3d.cache_clear()
    try:
        drawer, why = make_renderer(SIZE)
        assert drawer.name == "matplotlib"
        assert "no Vulkan driver" in why
        with pytest.raises(Lift3DError, match="use the renderer matplotlib"):
            make_renderer(SIZE, renderer="open3d")
    finally:
        open3d_probe.probe_open3d.cache_clear()

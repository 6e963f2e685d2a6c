"""``lift3d view``: what each ending holds, read back by others' readers, and what each option changes."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import cv2
import h5py
import numpy as np
import pytest
from PIL import Image
from stage_scenes import BODY
from view_scenes import (
    FPS,
    FRAMES,
    QUICK,
    RIG,
    SIZE,
    film,
    forearm,
    is_coloured,
    picture,
    pixel_of,
    shows_frame,
    sides_are_right,
    tried,
    view,
    walking,
    write_video,
)

from lift3d.io.poses3d import write_poses
from lift3d.palette import LEFT, RIGHT
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.viz.picture import save_picture
from lift3d.viz.stage import Stage

COLOURS = {"cam0": (200, 60, 50), "cam1": (60, 180, 90), "cam2": (60, 90, 200), "cam3": (190, 170, 40)}


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """A folder with the clip, its rig and, in a folder for it, nothing yet."""
    walking().save(tmp_path / "take.h5")
    RIG.save(tmp_path / "rig.toml")
    (tmp_path / "out").mkdir()
    return tmp_path


@pytest.fixture
def shot(take: Path) -> Callable[..., np.ndarray]:
    """The picture that ``lift3d view take.h5`` with options saves, through cam0 if nothing else is said."""

    def shoot(*options: object, of: str = "take.h5", look_from: str = "cam0") -> np.ndarray:
        path = take / "out" / f"{len(list((take / 'out').iterdir()))}.png"
        view(take / of, "--rig", take / "rig.toml", "--look-from", look_from, "--save", path, *QUICK, *options)
        return picture(path)

    return shoot


# --- endings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cam1", "cam3"])
def test_a_frame_has_each_side_where_it_is(shot: Callable[..., np.ndarray], name: str) -> None:
    """From behind the left is on the left of the picture, from the front on its right."""
    image = shot("--frame", 4, look_from=name)
    assert image.shape == (SIZE[1], SIZE[0], 3)
    assert sides_are_right(image, 4, RIG[name])
    assert (forearm("left", 4, RIG[name])[0] < forearm("right", 4, RIG[name])[0]) == (name == "cam1")


def test_the_frame_that_was_asked_for(shot: Callable[..., np.ndarray]) -> None:
    for frame in (0, 9):
        assert shows_frame(shot("--frame", frame), frame)
    assert shows_frame(shot(), FRAMES // 2)


def test_a_numbered_series(take: Path) -> None:
    result = view(take / "take.h5", "--rig", take / "rig.toml", "--look-from", "cam0", "--frames", "3-6",
                  "--save", take / "out" / "shot-%04d.png", *QUICK, "--json")  # fmt: skip
    assert sorted(path.name for path in (take / "out").iterdir()) == [f"shot-000{n}.png" for n in (3, 4, 5, 6)]
    assert all(shows_frame(picture(take / "out" / f"shot-000{n}.png"), n) for n in (3, 4, 5, 6))
    summary = json.loads(result.stdout)
    assert summary == {
        "input": str(take / "take.h5"),
        "output": str(take / "out" / "shot-%04d.png"),
        "frames": FRAMES,
        "renderer": "matplotlib",
        "notes": [],
    }


def test_a_film(take: Path) -> None:
    whole, part = take / "whole.mp4", take / "part.mp4"
    options = ("--rig", take / "rig.toml", "--look-from", "cam0", *QUICK)
    view(take / "take.h5", "--save", whole, *options)
    images, fps = film(whole)
    assert images.shape == (FRAMES, SIZE[1], SIZE[0], 3)
    assert fps == FPS
    assert [shows_frame(image, frame) for frame, image in enumerate(images)] == [True] * FRAMES
    view(take / "take.h5", "--save", part, *options, "--frames", "2-6", "--speed", 0.5)
    images, fps = film(part)
    assert fps == FPS / 2
    assert [shows_frame(image, frame) for frame, image in enumerate(images, 2)] == [True] * 5


def test_a_gif(take: Path) -> None:
    options = ("--rig", take / "rig.toml", "--look-from", "cam0", *QUICK)
    view(take / "take.h5", "--save", take / "a.gif", *options, "--transparent", "--speed", 0.5)
    with Image.open(take / "a.gif") as gif:
        assert gif.n_frames == FRAMES
        length = 0
        for frame in range(FRAMES):
            gif.seek(frame)
            length += gif.info["duration"]
            image = np.asarray(gif.convert("RGBA"))
            assert shows_frame(image, frame)
            assert image[2, 2, 3] == 0
        assert length == pytest.approx(1000 * 2 * FRAMES / FPS, abs=50)


def test_transparency(shot: Callable[..., np.ndarray]) -> None:
    image = shot("--frame", 4, "--transparent")
    x, y = forearm("left", 4).astype(int)
    assert image.shape[2] == 4
    assert image[y, x, 3] == 255
    assert (image[..., 3] == 0).mean() > 0.5
    assert (shot("--frame", 4)[2, 2] == 255).all()


def test_a_page(take: Path) -> None:
    result = view(take / "take.h5", "--rig", take / "rig.toml", "--compare", take / "take.h5", "--save",
                  take / "a.html")  # fmt: skip
    text = (take / "a.html").read_text()
    assert text.lower().startswith("<!doctype html>")
    assert "walk.h5" in text
    for name in RIG.names:
        assert f'"{name}"' in text
    assert result.stdout == f"{take / 'a.html'}: written\n"


def test_a_recording(take: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rerun")
    from rerun.chunk import RrdReader

    moved: list[tuple[int, int]] = []

    @contextmanager
    def bar(title: str) -> Iterator[Callable[[int, int], None]]:
        yield lambda done, total: moved.append((done, total))

    monkeypatch.setattr("lift3d.cli.view.progress_bar", bar)
    view(take / "take.h5", "--rig", take / "rig.toml", "--save", take / "a.rrd")
    assert moved[-1] == (FRAMES, FRAMES)
    paths = {chunk.entity_path for chunk in RrdReader(str(take / "a.rrd")).stream()}
    assert any("people" in path for path in paths)
    assert all(any(name in path for path in paths) for name in RIG.names)


def test_pictures_of_moments(take: Path) -> None:
    view(take / "take.h5", "--save", take / "a.svg")
    panels = [node for node in ElementTree.parse(take / "a.svg").iter() if node.get("id", "").startswith("panel-")]
    assert len(panels) >= 6
    view(take / "take.h5", "--save", take / "a.pdf")
    assert re.search(rb"/Type\s*/Page\b", (take / "a.pdf").read_bytes())
    view(take / "take.h5", "--moments", "--save", take / "moments.png")
    save_picture(walking(), take / "same.png")
    np.testing.assert_array_equal(picture(take / "moments.png"), picture(take / "same.png"))


def test_2d_keypoints_are_pictures_pages_and_recordings(take: Path) -> None:
    flat = Keypoints2D(
        RIG["cam3"].project(walking().xyz), skeleton=BODY, fps=FPS, image_size=SIZE, provenance={"source": "flat.h5"}
    )
    flat.save(take / "flat.h5")
    view(take / "flat.h5", "--save", take / "a.png")
    save_picture(flat, take / "same.png")
    np.testing.assert_array_equal(picture(take / "a.png"), picture(take / "same.png"))
    view(take / "flat.h5", "--save", take / "a.html")
    assert (take / "a.html").stat().st_size > 10_000


# --- options ----------------------------------------------------------------------------------------------------------


def test_the_size(take: Path) -> None:
    view(take / "take.h5", "--save", take / "a.png", "--size", "200x100", "--renderer", "matplotlib")
    assert picture(take / "a.png").shape == (100, 200, 3)


def test_where_it_is_seen_from(shot: Callable[..., np.ndarray]) -> None:
    stage = Stage(walking(), rig=RIG)
    for name in ("front", "side", "top", "overview"):
        viewpoint = stage.viewpoints_for(SIZE[0] / SIZE[1])[name]
        body = walking().xyz[4, 0]
        arm = (body[BODY.index("left_elbow")] + body[BODY.index("left_wrist")]) / 2
        pixel, _ = viewpoint.project(arm, *SIZE)
        image = shot("--frame", 4, look_from=name)
        assert is_coloured(image, pixel, LEFT, radius=2), name


def test_where_it_is_seen_from_if_nothing_is_said(take: Path) -> None:
    """With cameras around it so that all are seen; with the one that it was lifted from, from the front."""
    Poses3D(walking().xyz, skeleton=BODY, fps=FPS, space="camera", camera=RIG["cam0"]).save(take / "own.h5")
    for name, options in (("take.h5", ("--rig", take / "rig.toml")), ("take.h5", ()), ("own.h5", ())):
        own, said = (("--overwrite", "--save", take / f"{number}.png", *QUICK, *options) for number in range(2))
        view(take / name, *own)
        view(take / name, *said, "--look-from", "overview" if options else "front")
        np.testing.assert_array_equal(picture(take / "0.png"), picture(take / "1.png"))


def test_orbit_turns_and_follow_goes_along(take: Path) -> None:
    """Of a slow clip, that turns by 73 degrees."""
    slow = Poses3D(walking().xyz, skeleton=BODY, fps=3)
    slow.save(take / "slow.h5")
    for name, options in {"still": (), "orbit": ("--move", "orbit"), "follow": ("--move", "follow")}.items():
        view(take / "slow.h5", "--save", take / f"{name}.mp4", "--look-from", "side", *QUICK, *options)
    still, orbit, follow = (film(take / f"{name}.mp4")[0] for name in ("still", "orbit", "follow"))
    stage = Stage(slow)
    side = stage.viewpoints_for(SIZE[0] / SIZE[1])["side"]
    near = "left" if side.eye[0] > 0 else "right"
    colour = LEFT if near == "left" else RIGHT
    for frame in (0, FRAMES - 1):
        body = walking().xyz[frame, 0]
        arm = (body[BODY.index(f"{near}_elbow")] + body[BODY.index(f"{near}_wrist")]) / 2
        assert is_coloured(still[frame], side.project(arm, *SIZE)[0], colour, 2)
        turned = side.orbited(20 * frame / 3)
        assert is_coloured(orbit[frame], turned.project(arm, *SIZE)[0], colour, 2)
    assert np.abs(side.project(arm, *SIZE)[0] - turned.project(arm, *SIZE)[0]).max() > 4

    def middle(image: np.ndarray) -> float:
        """Of what has the colour of the near side, across the picture."""
        hsv = cv2.cvtColor(np.ascontiguousarray(image[: SIZE[1] - 20]), cv2.COLOR_RGB2HSV)
        wanted = cv2.cvtColor(
            np.array([[[int(colour[i : i + 2], 16) for i in (1, 3, 5)]]], np.uint8), cv2.COLOR_RGB2HSV
        )
        return float(
            np.median(np.nonzero((np.abs(hsv[..., 0].astype(int) - wanted[0, 0, 0]) < 8) & (hsv[..., 1] > 80))[1])
        )

    middles = [middle(image) for image in follow]
    assert abs(middles[3] - middles[8]) < 0.3 * abs(middle(still[3]) - middle(still[8]))


def test_truth_beside_it_and_error_colours(take: Path, shot: Callable[..., np.ndarray]) -> None:
    """The truth, of another format, has the left arm 0.3 m away."""
    truth = walking().xyz.copy()
    arm = [BODY.index(f"left_{part}") for part in ("elbow", "wrist")]
    truth[:, :, arm, 1] -= 0.3
    write_poses(Poses3D(truth, skeleton=BODY, fps=FPS), take / "truth.trc")
    alone = shot("--frame", 4)
    beside = shot("--frame", 4, "--compare", take / "truth.trc")
    coloured = shot("--frame", 4, "--compare", take / "truth.trc", "--errors")
    place = pixel_of(truth[4, 0, arm].mean(axis=0), RIG["cam0"])
    x, y = place.round().astype(int)
    # Grey: dark, and without a hue.
    assert alone[y, x].min() > 200
    assert beside[y, x].max() < 200
    assert np.ptp(beside[y, x].astype(int)) < 25
    assert shows_frame(beside, 4)
    assert not is_coloured(coloured, forearm("left", 4), LEFT)
    # Where nothing is wrong the colour is that of no error, whose hue is blue to violet.
    legend = coloured[:60, -60:].reshape(-1, 3).astype(int)
    assert (np.ptp(legend, axis=1) > 80).any()
    assert not (np.ptp(beside[:60, -60:].reshape(-1, 3).astype(int), axis=1) > 80).any()


def test_error_bars(take: Path, shot: Callable[..., np.ndarray]) -> None:
    sigma = np.full((FRAMES, 1, len(BODY)), 0.001, np.float32)
    sigma[:, :, BODY.index("left_wrist")] = 0.1
    Poses3D(walking().xyz, skeleton=BODY, fps=FPS, sigma=sigma).save(take / "sure.h5")
    wrist = walking().xyz[4, 0, BODY.index("left_wrist")]
    plain, one, two = (shot("--frame", 4, *s, of="sure.h5") for s in ((), ("--sigma", 1), ("--sigma", 2)))
    for image, reach in ((plain, 0.0), (one, 0.1), (two, 0.2)):
        for away in (0.08, 0.15, 0.25):
            x, y = pixel_of(wrist + np.array([0, away, 0]), RIG["cam0"]).round().astype(int)
            assert (np.ptp(image[y, x].astype(int)) > 15) == (away < reach), (reach, away)


def test_trails(shot: Callable[..., np.ndarray]) -> None:
    """Behind the root lies the way of the last so many seconds: 0.2 s are 6 frames, 0.6 m."""
    root = [pixel_of(walking().xyz[frame, 0, BODY.index("pelvis")], RIG["cam0"]) for frame in range(FRAMES)]

    def drawn(image: np.ndarray, frame: int) -> bool:
        x, y = root[frame].round().astype(int)
        return bool((image[y - 2 : y + 3, x] < 230).any())

    plain, trailed = shot("--frame", 11), shot("--frame", 11, "--trails", 0.2)
    assert [drawn(plain, frame) for frame in (2, 7, 8)] == [False, False, False]
    assert [drawn(trailed, frame) for frame in (2, 7, 8)] == [False, True, True]


def test_hidden_parts(shot: Callable[..., np.ndarray]) -> None:
    knees = [BODY.index(f"left_{part}") for part in ("knee", "ankle")]
    knee = pixel_of(walking().xyz[4, 0, knees].mean(axis=0), RIG["cam3"])
    left, right = (forearm(side, 4, RIG["cam3"]) for side in ("left", "right"))
    for hidden, seen in (("arms", [0, 0, 1]), ("left", [0, 1, 0]), ("arms, legs", [0, 0, 0]), ("face", [1, 1, 1])):
        image = shot("--frame", 4, "--hide", hidden, look_from="cam3")
        found = [is_coloured(image, left, LEFT), is_coloured(image, right, RIGHT), is_coloured(image, knee, LEFT)]
        assert found == list(map(bool, seen)), hidden


def test_the_videos_stand_in_their_cameras(take: Path, shot: Callable[..., np.ndarray]) -> None:
    videos = []
    for name, colour in COLOURS.items():
        videos += ["--video", f"{name}={write_video(take / f'{name}.mp4', colour)}"]
    own = shot("--frame", 4, *videos)
    for x, y in ((20, 20), (300, 20), (20, 120)):
        np.testing.assert_allclose(own[y, x], COLOURS["cam0"], atol=12)
    assert shows_frame(own, 4)
    overview = take / "overview.png"
    view(take / "take.h5", "--rig", take / "rig.toml", *videos, "--frame", 4, "--save", overview, *QUICK)
    stage = Stage(walking(), rig=RIG)
    viewpoint = stage.viewpoints_for(SIZE[0] / SIZE[1])["overview"]
    for item in stage.cameras:
        x, y = viewpoint.project(item.corners(None).mean(axis=0), *SIZE)[0].round().astype(int)
        np.testing.assert_allclose(picture(overview)[y, x], COLOURS[item.camera.name], atol=12)


# --- on the videos ----------------------------------------------------------------------------------------------------


def test_one_overlay(take: Path) -> None:
    source = write_video(take / "cam3.mp4")
    result = view(take / "take.h5", "--rig", take / "rig.toml", "--video", f"cam3={source}", "--overlay",
                  "--save", take / "over.mp4", "--frames", "2-5", "--json")  # fmt: skip
    images, _ = film(take / "over.mp4")
    assert len(images) == 4
    for frame, image in enumerate(images, 2):
        assert sides_are_right(image, frame, RIG["cam3"])
    summary = json.loads(result.stdout)
    assert summary["output"] == [str(take / "over.mp4")]
    assert summary["overlays"]["cam3"]["frames"] == 4
    assert summary["overlays"]["cam3"]["reprojection_error_pixels"] is None


def test_overlays_of_several_cameras_with_keypoints(take: Path) -> None:
    """Keypoints of cam3 that are 6 pixels beside the reprojected joints."""
    options: list[object] = ["--rig", take / "rig.toml", "--overlay", "--save", take / "over.mp4"]
    for name in ("cam1", "cam3"):
        options += ["--video", f"{name}={write_video(take / f'{name}.mp4')}"]
    xy = RIG["cam3"].project(walking().xyz) + np.array([6, 0])
    Keypoints2D(xy, skeleton=BODY, fps=FPS, image_size=SIZE).save(take / "flat.h5")
    result = view(take / "take.h5", *options, "--keypoints", f"cam3={take / 'flat.h5'}")
    for name in ("cam1", "cam3"):
        assert sides_are_right(film(take / f"over_{name}.mp4")[0][7], 7, RIG[name])
    assert f"{take / 'over_cam3.mp4'}: {FRAMES} frames, median reprojection error 6.0 px" in result.stdout
    assert f"{take / 'over_cam1.mp4'}: {FRAMES} frames\n" in result.stdout


def test_keypoints_alone_on_their_video(take: Path) -> None:
    Keypoints2D(RIG["cam1"].project(walking().xyz), skeleton=BODY, fps=FPS, image_size=SIZE).save(take / "flat.h5")
    view(take / "flat.h5", "--video", write_video(take / "a.mp4"), "--overlay", "--save", take / "over.gif")
    with Image.open(take / "over.gif") as gif:
        gif.seek(5)
        assert sides_are_right(np.asarray(gif.convert("RGB")), 5, RIG["cam1"])


# --- long clips, and the end before the end ---------------------------------------------------------------------------


def test_one_frame_of_a_long_clip_reads_little_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, values = 100_000, 0
    xyz = np.tile(walking().xyz, (frames // FRAMES + 1, 1, 1, 1))[:frames]
    Poses3D(xyz, skeleton=BODY, fps=FPS).save(tmp_path / "long.h5")
    read = h5py.Dataset.__getitem__

    def counting(self: h5py.Dataset, *what: object, **more: object) -> object:
        nonlocal values
        found = read(self, *what, **more)
        values += np.size(found) if self.name == "/xyz" else 0
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counting)
    view(tmp_path / "long.h5", "--frame", 70_000, "--save", tmp_path / "a.png", *QUICK)
    assert 0 < values < 0.01 * xyz.size


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a-%d.png", "a.rrd", "over.mp4"])
def test_what_was_cut_off_leaves_nothing_half_done(take: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 3:
            raise KeyboardInterrupt

    @contextmanager
    def bar(title: str) -> Iterator[Callable[[int, int], None]]:
        yield stop

    monkeypatch.setattr("lift3d.cli.view.progress_bar", bar)
    options: list[object] = [] if name.endswith(".rrd") else list(QUICK)
    if name == "over.mp4":
        options = ["--overlay", "--rig", take / "rig.toml", "--video", f"cam0={write_video(take / 'in.mp4')}"]
    result = tried(take / "take.h5", "--save", take / "out" / name, *options)
    assert result.exit_code == 130, result.output
    assert "interrupted" in result.stderr
    kept = sorted(path.name for path in (take / "out").iterdir())
    assert kept == (["a-0.png", "a-1.png", "a-2.png"] if name == "a-%d.png" else [])

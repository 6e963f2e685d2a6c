"""``lift3d view``: what it cannot do, said in one sentence before anything is written."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from stage_scenes import BODY
from view_scenes import FPS, FRAMES, QUICK, RIG, SIZE, refused, tried, view, walking, write_video

from lift3d.poses import Keypoints2D, Poses3D

ENDINGS = ("a.png", "a-%d.png", "a.mp4", "a.gif", "a.html", "a.rrd", "a.svg")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip in the world and in a camera's space, its rig, keypoints and a video."""
    folder = tmp_path_factory.mktemp("files")
    walking().save(folder / "take.h5")
    RIG.save(folder / "rig.toml")
    Poses3D(walking().xyz, skeleton=BODY, fps=FPS, space="camera", camera=RIG["cam0"]).save(folder / "own.h5")
    Keypoints2D(RIG["cam0"].project(walking().xyz), skeleton=BODY, fps=FPS, image_size=SIZE).save(folder / "flat.h5")
    write_video(folder / "in.mp4")
    return folder


@pytest.fixture
def take(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the files."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused_here(folder: Path, arguments: str, *words: str) -> None:
    """``refused``, and no file more than before."""
    before = sorted(folder.rglob("*"))
    refused(tried(*arguments.split()), *words)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--save a.avi", ["a.avi", "the ending must be one of .png, .mp4, .gif, .html, .rrd, .svg, .pdf"]),
        ("--save a", ["the ending must be one of"]),
        ("--save nowhere/a.png", ["the folder nowhere does not exist"]),
        ("--save nowhere/a-%d.png", ["the folder nowhere does not exist"]),
        ("--save a.png --frame 12", ["no frame 12; it has 12, counted from 0"]),
        ("--save a.mp4 --frames 9-3", ["ends before it starts"]),
        ("--save a.mp4 --frames 3-12", ["there are frames 0 to 11"]),
        ("--save a.mp4 --frames x", ["not A-B"]),
        ("--save a.mp4 --size 321x180", ["even numbers of pixels, not 321 x 180"]),
        ("--save a.png --size 9", ["'9' is not WIDTHxHEIGHT"]),
        ("--save a.png --size 8x8", ["32 to 8192 pixels"]),
        ("--save a.mp4 --transparent", ["an MP4 cannot be transparent"]),
        ("--save a.mp4 --speed 0", ["the speed must be more than 0"]),
        ("--save a.png --look-from behind", ["no viewpoint 'behind'; there are front, side, top"]),
        ("--save a.png --look-from cam0", ["no viewpoint 'cam0'"]),
        ("--save a.mp4 --move fly", ["no camera path 'fly'; use orbit, follow"]),
        ("--save a.png --renderer blender", ["no renderer 'blender'; use open3d or matplotlib"]),
        ("--save a.png --hide tail", ["no part of the body is called tail; known are face"]),
        ("--save a.png --sigma 1", ["take.h5 says nothing of how sure its joints are"]),
        ("--save a.png --sigma -1", ["--sigma"]),
        ("--save a.png --frame -1", ["--frame"]),
        ("--save a.png --video cam0=in.mp4", ["no camera cam0 for the video; give the rig"]),
        ("--save a.html --video cam0=in.mp4", ["cam0", "rig"]),
        ("--save a.rrd --video cam0=in.mp4", ["cam0", "rig"]),
        ("--save a.png --rig rig.toml --video cam9=in.mp4", ["the rig has no camera 'cam9'; its cameras are cam0"]),
        ("--save a.png --rig rig.toml --video cam0=gone.mp4", ["gone.mp4", "no such file"]),
        ("--save a.png --rig rig.toml --video cam0=take.h5", ["take.h5"]),
        ("--save a.png --rig gone.toml", ["gone.toml"]),
        ("--save a.png --compare gone.h5", ["gone.h5"]),
        ("--save a.png --compare flat.h5", ["flat.h5", "keypoints_2d"]),
        ("--save a.png --errors", ["--errors needs --compare"]),
        ("--save a.png --unit mm", ["--unit needs --rig"]),
        ("--save a.mp4 --overlay", ["an overlay needs --video CAM=FILE to draw on and --save FILE.mp4"]),
        ("--overlay --video in.mp4", ["an overlay needs --video CAM=FILE"]),
        ("--overlay --video in.mp4 --save a.mp4", ["no camera is known"]),
        ("--overlay --rig rig.toml --video cam0=in.mp4 --save a.png", [".mp4 or .gif"]),
        ("--overlay --rig rig.toml --video cam0=in.mp4 --save a.mp4 --keypoints cam1=flat.h5", ["no video of cam1"]),
        ("--overlay --rig rig.toml --video cam0=in.mp4 --video cam1=gone.mp4 --save a.mp4", ["gone.mp4"]),
        ("--overlay --rig rig.toml --video cam0=in.mp4 --save nowhere/a.mp4", ["the folder nowhere"]),
    ],
)  # fmt: skip
def test_what_cannot_be(take: Path, arguments: str, words: list[str]) -> None:
    refused_here(take, f"take.h5 {arguments}", *words)


@pytest.mark.parametrize(
    ("option", "ending"),
    [
        *[("--frame 1", name) for name in ENDINGS if name != "a.png"],
        *[("--frames 1-2", name) for name in ("a.png", "a.html", "a.rrd", "a.svg")],
        *[(option, "a.html") for option in ("--size 64x64", "--look-from top", "--move orbit", "--transparent",
                                            "--renderer matplotlib", "--hide arms", "--trails 1")],
        *[("--speed 2", name) for name in ("a.png", "a-%d.png", "a.rrd")],
        *[("--keypoints cam0=flat.h5", name) for name in ENDINGS],
        *[("--moments", name) for name in ("a.mp4", "a.html")],
        *[(option, "a.svg") for option in ("--rig rig.toml", "--video in.mp4")],
        ("--compare take.h5 --errors", "a.rrd"),
        ("--compare take.h5", "a.mp4 --overlay --video in.mp4"),
        ("--hide face", "a.mp4 --overlay --video in.mp4"),
    ],
)  # fmt: skip
def test_options_that_say_nothing_of_what_is_saved(take: Path, option: str, ending: str) -> None:
    name = option.split()[-1 if "errors" in option else 0]
    refused_here(take, f"take.h5 --save {ending} {option}", f"{name} says nothing of a", "it goes with")


@pytest.mark.parametrize("option", ["--frame 1", "--size 64x64", "--json", "--overwrite", "--moments"])
def test_options_that_say_nothing_of_a_window(take: Path, option: str) -> None:
    refused_here(take, f"take.h5 {option}", f"{option.split()[0]} says nothing of a window")


def test_truth_that_does_not_fit(take: Path) -> None:
    walking(5).save("short.h5")
    for name in ENDINGS:
        refused_here(take, f"take.h5 --compare short.h5 --save {name}", "truth has 5 frames, the poses have 12")
    refused_here(take, "take.h5 --compare own.h5 --save a.png", "truth is in camera space, the poses in world space")


def test_a_rig_around_poses_in_camera_space(take: Path) -> None:
    for name in ("a.png", "a.html", "a.rrd"):
        refused_here(take, f"own.h5 --rig rig.toml --save {name}", "a rig can be shown around poses in world space")


def test_2d_keypoints_are_no_stage(take: Path) -> None:
    for name in ("a-%d.png", "a.mp4", "a.gif"):
        refused_here(take, f"flat.h5 --save {name}", "flat.h5 holds 2D keypoints", "lift them for 3D")
    refused_here(take, "flat.h5", "flat.h5 holds 2D keypoints", "--save")
    refused_here(take, "flat.h5 --frame 1 --save a.png", "--frame says nothing of a picture of several moments")
    refused_here(take, "flat.h5 --compare take.h5 --save a.png", "truth is 3D")
    refused_here(take, "flat.h5 --rig rig.toml --save a.html", "beside 2D keypoints")
    refused_here(take, "flat.h5 --overlay --video a=in.mp4 --video b=in.mp4 --save a.mp4", "one camera")


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("frames", [0, FRAMES])
def test_nobody_there(take: Path, name: str, frames: int) -> None:
    Poses3D(np.full((frames, 1, len(BODY), 3), np.nan), skeleton=BODY, fps=FPS).save("nobody.h5")
    refused_here(take, f"nobody.h5 --save {name}", "there is nothing to draw: no joint")


def test_no_frames_on_a_video(take: Path) -> None:
    Poses3D(np.empty((0, 1, len(BODY), 3)), skeleton=BODY, fps=FPS).save("empty.h5")
    refused_here(take, "empty.h5 --overlay --rig rig.toml --video cam0=in.mp4 --save a.mp4", "none of the 0 frames")
    refused_here(take, "empty.h5 --save a.mp4 --frames 0-3", "there are no frames")


def test_a_person_of_three_frames_is_shown(take: Path) -> None:
    xyz = walking(40, 2).xyz.copy()
    xyz[:10] = xyz[13:] = xyz[:, 1] = np.nan
    Poses3D(xyz, skeleton=BODY, fps=FPS).save("short.h5")
    for name in ("a.png", "a.mp4"):
        view("short.h5", "--save", name, *QUICK)
    for name in ("a.html", "a.rrd", "a.svg"):
        view("short.h5", "--save", name)


@pytest.mark.parametrize("name", ENDINGS)
def test_an_existing_file_is_kept_unless_told(take: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = Path(name.replace("%d", "7"))
    path.write_text("mine")
    with monkeypatch.context() as patch:
        # It is seen before the work begins.
        patch.setattr("lift3d.viz.render.draw_frame", None)
        patch.setattr("lift3d.viz.picture.draw_picture", None)
        patch.setattr("lift3d.viz.web.make_page", None)
        refused_here(take, f"take.h5 --save {name}", f"{path} exists already", "--overwrite")
    assert path.read_text() == "mine"
    options = QUICK if name[-3:] in ("png", "mp4", "gif") else ()
    view("take.h5", "--save", name, "--overwrite", *options)
    assert path.stat().st_size > 100


def test_existing_overlays_are_kept(take: Path) -> None:
    Path("a_cam1.mp4").write_text("mine")
    refused_here(take, "take.h5 --overlay --rig rig.toml --video cam0=in.mp4 --video cam1=in.mp4 --save a.mp4",
                 "a_cam1.mp4 exists already")  # fmt: skip
    assert not Path("a_cam0.mp4").exists()


@pytest.mark.parametrize("name", ENDINGS)
def test_a_folder_that_cannot_be_written(take: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Who is root may write everywhere, so the system's answer is put in."""
    monkeypatch.setattr("os.access", lambda path, mode, **more: mode != os.W_OK)
    monkeypatch.setattr("lift3d.viz.render.draw_frame", None)
    refused_here(take, f"take.h5 --save {name}", "cannot be written here; check the folder's permissions")

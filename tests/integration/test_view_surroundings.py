"""``lift3d view`` where something is missing (a screen, a graphics driver, a library), and when it is interrupted.

Each command is a process of its own, as a user starts it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from view_scenes import FRAMES, RIG, SIZE, film, picture, sides_are_right, walking, write_video

from lift3d.viz.open3d_probe import probe_open3d

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and displays of Unix")
SIZE_OPTION = ("--size", f"{SIZE[0]}x{SIZE[1]}")
# A Python in which some modules cannot be imported.
WITHOUT = """
import importlib.util, sys
blocked = sys.argv.pop(1).split(",")
for name in blocked:
    sys.modules[name] = None
from lift3d.cli.main import main
main()
"""


@pytest.fixture
def take(tmp_path: Path) -> Path:
    walking().save(tmp_path / "take.h5")
    RIG.save(tmp_path / "rig.toml")
    return tmp_path


def run(
    folder: Path, *arguments: object, without: str = "none", **environment: str
) -> subprocess.CompletedProcess[str]:
    """``lift3d view take.h5`` in a folder, without some modules and in another environment."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, without, "view", "take.h5", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_no_screen(take: Path) -> None:
    refused(run(take, DISPLAY="", WAYLAND_DISPLAY=""), "no screen", "--save out.html", "(.png)", "(.mp4)")


def test_no_graphics_driver(take: Path) -> None:
    pytest.importorskip("open3d")
    (take / "nothing").mkdir()
    nothing = str(take / "nothing")
    drivers = {"VK_DRIVER_FILES": nothing, "VK_ICD_FILENAMES": nothing}
    done = run(take, "--rig", "rig.toml", "--look-from", "cam3", "--frame", 4, "--save", "a.png", "--json",
               *SIZE_OPTION, **drivers)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "drawn by matplotlib: Open3D found no Vulkan driver to draw with\n"
    summary = json.loads(done.stdout)
    assert summary["renderer"] == "matplotlib"
    assert summary["notes"] == [done.stderr.strip()]
    assert sides_are_right(picture(take / "a.png"), 4, RIG["cam3"])
    asked = run(take, "--save", "b.png", "--renderer", "open3d", *SIZE_OPTION, **drivers)
    refused(asked, "no Vulkan driver", "use the renderer matplotlib")


def test_open3d_is_not_installed(take: Path) -> None:
    done = run(take, "--save", "a.mp4", "--frames", "0-2", *SIZE_OPTION, "--json", without="open3d")
    assert done.returncode == 0, done.stderr
    note = "drawn by matplotlib: Open3D is not installed (pip install 'lift3d[viz]')"
    assert done.stderr.strip() == note
    assert json.loads(done.stdout)["notes"] == [note]
    assert len(film(take / "a.mp4")[0]) == 3
    refused(run(take, DISPLAY=":99", without="open3d"), "pip install 'lift3d[viz]'")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("av", "--save a.mp4 --renderer matplotlib"),
        ("av", "--save a.html --rig rig.toml --video cam0=in.mp4"),
        ("av", "--save a.mp4 --rig rig.toml --video cam0=in.mp4 --overlay"),
        ("rerun", "--save a.rrd"),
    ],
)
def test_what_is_not_installed_is_named(take: Path, module: str, arguments: str) -> None:
    write_video(take / "in.mp4", frames=2)
    before = sorted(take.iterdir())
    refused(run(take, *arguments.split(), without=module), "pip install 'lift3d[viz]'")
    assert sorted(take.iterdir()) == before


def test_pictures_and_pages_need_no_optional_library(take: Path) -> None:
    for name, options in (("a-%d.png", SIZE_OPTION), ("a.html", ())):
        done = run(take, "--save", name, *options, without="open3d,av,rerun")
        assert done.returncode == 0, done.stderr
    assert len(list(take.glob("a-*.png"))) == FRAMES


def test_an_interrupted_film_leaves_nothing(take: Path) -> None:
    walking(3000).save(take / "take.h5", overwrite=True)
    before = sorted(path.name for path in take.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "lift3d.cli.main", "view", "take.h5", "--save", "a.mp4", "--renderer", "matplotlib"],
        cwd=take,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 60
        while not list(take.glob(".a.*.mp4")):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.strip().endswith("view: interrupted; the files that were finished are kept")
    assert len(said.strip().splitlines()) == 1
    assert sorted(path.name for path in take.iterdir()) == before


def test_open3d_draws_what_matplotlib_draws(take: Path) -> None:
    if not (found := probe_open3d()).usable:
        pytest.skip(found.reason)
    done = run(
        take, "--rig", "rig.toml", "--look-from", "cam3", "--frame", 4, "--save", "a.png", *SIZE_OPTION, "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["renderer"] == "open3d"
    assert sides_are_right(picture(take / "a.png"), 4, RIG["cam3"])

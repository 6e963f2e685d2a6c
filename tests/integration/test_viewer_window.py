"""The viewer in a real window on a virtual screen: keys and the mouse change what is drawn."""

import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lift3d.errors import Lift3DError
from lift3d.palette import PEOPLE
from lift3d.viz.look import rgb
from lift3d.viz.window_probe import require_window

pytestmark = [
    pytest.mark.skipif(not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Xvfb and xdotool"),
    pytest.mark.skipif(importlib.util.find_spec("open3d") is None, reason="needs open3d"),
]
SCREEN = 900, 600
SCENE = (slice(0, 520), slice(0, 655))  # rows and columns of the screen beside the panel and above the bar
SLIDER = 542
VIEWER = """
import sys
from pathlib import Path
import numpy as np
from lift3d.poses import Poses3D
from lift3d.skeletons import get_skeleton
from lift3d.viz.stage import Stage
from lift3d.viz.window import open_window

skeleton = get_skeleton("h36m17")
body = np.zeros((17, 3))
for joint, place in {
    "pelvis": (0, 0, 1), "spine": (0, 0, 1.2), "thorax": (0, 0, 1.45), "nose": (0, -0.1, 1.6), "head_top": (0, 0, 1.75),
    "hip": (0.12, 0, 1), "knee": (0.12, 0, 0.5), "ankle": (0.12, 0, 0.05),
    "shoulder": (0.2, 0, 1.45), "elbow": (0.3, 0, 1.2), "wrist": (0.35, 0, 0.95),
}.items():
    for side, sign in (("", 1), ("left_", 1), ("right_", -1)):
        if side + joint in skeleton.joints:
            body[skeleton.index(side + joint)] = np.array(place) * (sign, 1, 1)
seconds = np.arange(301)[:, None, None] / 60
xyz = np.stack([body + seconds * (0.3, 0, 0) + (-2, 0, 0), body + 0 * seconds + (1, 0, 0)], axis=1)
clip = Poses3D(xyz.astype(np.float32), skeleton=skeleton, fps=60.0, track_ids=(0, 1), space="world")
open_window(Stage(clip), "two people", Path(sys.argv[1]), (900, 600))
print("closed")
"""


class Screen:
    """A virtual screen: what is on it, and a keyboard and a mouse for it."""

    def __init__(self, display: str, buffer: Path) -> None:
        self.environment = {**os.environ, "DISPLAY": display, "OMP_NUM_THREADS": "1"}
        self.buffer = buffer

    def see(self) -> np.ndarray:
        """(height, width, 3): Xvfb's memory, an X window dump of 4 bytes a pixel, blue first."""
        raw = self.buffer.read_bytes()
        header = struct.unpack(">25I", raw[:100])
        width, height, row, colours = header[4], header[5], header[12], header[19]
        start = header[0] + 12 * colours
        pixels = np.frombuffer(raw, np.uint8, row * height, start).reshape(height, row // 4, 4)
        return pixels[:, :width, 2::-1].astype(np.int16)

    def scene(self) -> np.ndarray:
        return self.see()[SCENE]

    def keys(self, *names: str) -> None:
        subprocess.run(["xdotool", "key", *names], env=self.environment, check=True)

    def click(self, x: int, y: int) -> None:
        move = [
            "xdotool",
            "mousemove",
            str(x),
            str(y),
            "sleep",
            "0.3",
            "mousedown",
            "1",
            "sleep",
            "0.5",
            "mouseup",
            "1",
        ]
        subprocess.run(move, env=self.environment, check=True)

    def until(
        self, holds: Callable[[np.ndarray], bool], what: str, seconds: float = 40, still: float = 0.25
    ) -> np.ndarray:
        """The scene once something holds of it, and it has not changed for a while."""
        end, since, last = time.monotonic() + seconds, time.monotonic(), self.scene()
        while time.monotonic() < end:
            time.sleep(0.1)
            now = self.scene()
            if different(now, last) > 20:
                since, last = time.monotonic(), now
            elif time.monotonic() - since >= still:
                if holds(now):
                    return now
                since = time.monotonic()
        raise AssertionError(f"waited {seconds} s in vain: {what}")


@pytest.fixture(scope="module")
def screen(tmp_path_factory) -> Iterator[Screen]:
    folder = tmp_path_factory.mktemp("screen")
    reader, writer = os.pipe()
    # A display of this process: servers that look for a free one at the same time take each other's sockets away.
    display = f":{100 + os.getpid() % 50000}"
    size = f"{SCREEN[0]}x{SCREEN[1]}x24"
    command = ["Xvfb", display, "-displayfd", str(writer), "-noreset", "-screen", "0", size, "-fbdir", str(folder)]
    server = subprocess.Popen(command, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as numbers:
            if not numbers.readline().strip():
                pytest.skip("Xvfb does not start")
        yield Screen(display, folder / "Xvfb_screen0")
    finally:
        server.terminate()
        server.wait(20)


def of_person(image: np.ndarray, person: int) -> np.ndarray:
    """(n, 2) places (x, y) of the pixels that have a person's hue, in light or shade."""
    colour = rgb(PEOPLE[person]).astype(float)
    strength = image.max(axis=-1) - image.min(axis=-1)
    hue = (image - image.min(axis=-1, keepdims=True)) / np.maximum(strength, 1)[..., None]
    own = (colour - colour.min()) / (colour.max() - colour.min())
    found = (strength > 60) & (np.abs(hue - own).max(axis=-1) < 0.12)
    return np.argwhere(found)[:, ::-1]


def middle(image: np.ndarray, person: int) -> float:
    """How far to the right a person is, pixels."""
    return float(np.median(of_person(image, person)[:, 0]))


def different(one: np.ndarray, other: np.ndarray) -> int:
    """How many pixels differ. What lies at one depth is drawn in any order, so a few may where nothing else does."""
    return int((one != other).any(axis=-1).sum())


def changed(before: np.ndarray) -> Callable[[np.ndarray], bool]:
    return lambda now: different(now, before) > 200


def same(before: np.ndarray) -> Callable[[np.ndarray], bool]:
    return lambda now: different(now, before) <= 20


def test_keys_and_mouse_change_what_is_drawn(screen, tmp_path):
    log = (tmp_path / "log.txt").open("w+")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    viewer = subprocess.Popen(
        [sys.executable, "-c", VIEWER, str(pictures)], env=screen.environment, stdout=log, stderr=log
    )
    try:
        start = screen.until(
            lambda now: len(of_person(now, 0)) > 300 and len(of_person(now, 1)) > 300, "two people", 180
        )
        apart = middle(start, 1) - middle(start, 0)
        assert apart > 150  # three metres, seen from the front
        rows = of_person(start, 1)[:, 1]
        widths = [np.ptp(of_person(start, 1)[rows < np.quantile(rows, part)][:, 0]) for part in (0.04, 0.6)]
        assert widths[0] < widths[1]  # the head is up

        # Time: one second on brings the walker 0.3 m nearer to the other, and home is where all began.
        screen.keys("Up")
        second = screen.until(changed(start), "a second on")
        step = apart - (middle(second, 1) - middle(second, 0))
        assert step == pytest.approx(0.3 / 3 * apart, rel=0.25)
        screen.keys("Right", "Right")
        screen.until(changed(second), "two frames on")
        screen.keys("Left", "Left")
        screen.until(same(second), "two frames back")
        screen.keys("g", "1", "2", "0", "Return")
        two = screen.until(changed(second), "frame 120")
        screen.keys("Home", "Up", "Up")
        screen.until(same(two), "two seconds on")
        screen.keys("Home")
        screen.until(same(start), "the first frame")

        # It plays, stands still when it is paused, and goes on to the end.
        screen.keys("End")
        last = screen.until(changed(start), "the last frame")
        screen.keys("Home", "space")
        time.sleep(2)
        screen.keys("space")
        paused = screen.until(lambda now: changed(start)(now) and changed(last)(now), "paused on the way", still=3)
        assert middle(start, 0) + 5 < middle(paused, 0) < middle(last, 0)
        screen.keys("space")
        screen.until(same(last), "played to the end")

        # The slider.
        place = 0.7 * SCREEN[0]
        screen.click(round(place), SLIDER)
        scrubbed = screen.until(changed(last), "scrubbed")
        covered = (middle(scrubbed, 0) - middle(start, 0)) / (apart / 3)  # metres
        assert covered == pytest.approx(0.7 * 5 * 0.3, abs=0.15)
        screen.keys("Home")
        screen.until(same(start), "the first frame again")

        # Another side; people one behind the other.
        screen.keys("s")
        side = screen.until(changed(start), "from the side")
        assert abs(middle(side, 1) - middle(side, 0)) < apart / 2
        screen.keys("f")
        screen.until(same(start), "from the front")

        # Who is hidden is gone, and comes back.
        screen.keys("F2")
        screen.until(lambda now: not len(of_person(now, 1)) and len(of_person(now, 0)) > 300, "person 1 hidden")
        screen.keys("F2", "bracketright")
        whole = [len(of_person(start, person)) for person in (0, 1)]
        screen.until(
            lambda now: all(0.2 < len(of_person(now, p)) / whole[p] < 0.8 for p in (0, 1)), "right sides hidden"
        )
        screen.keys("bracketright")
        screen.until(same(start), "all of them")

        # The keys in words, and Esc that only closes those.
        screen.keys("question")
        screen.until(lambda now: (now[60:480, 30:330].max(axis=-1) < 60).mean() > 0.7, "the keys shown")
        screen.keys("Escape")
        screen.until(same(start), "the keys gone")

        # Pictures never replace one another.
        for count in (1, 2):
            screen.keys("p")
            end = time.monotonic() + 20  # a picture that is being written has a name that begins with a point
            while len(list(pictures.glob("two*.png"))) < count and time.monotonic() < end:
                time.sleep(0.2)
        names = sorted(path.name for path in pictures.iterdir())
        assert names == ["two people-000000-2.png", "two people-000000.png"]
        import cv2

        picture = cv2.imread(str(pictures / names[1]))[..., ::-1].astype(np.int16)
        assert middle(picture, 1) == pytest.approx(middle(start, 1), abs=2)

        screen.keys("q")
        assert viewer.wait(30) == 0
        log.seek(0)
        assert "closed" in log.read()
    finally:
        viewer.kill()
        viewer.wait()
        log.close()


def test_without_a_screen_it_is_said_what_to_do(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Lift3DError, match=r"no screen .*--save out\.html"):
        require_window()


def test_without_a_driver_only_the_child_process_ends(screen, monkeypatch):
    monkeypatch.setenv("DISPLAY", screen.environment["DISPLAY"])
    for name in ("VK_ICD_FILENAMES", "VK_DRIVER_FILES"):
        monkeypatch.setenv(name, "/nonexistent.json")
    with pytest.raises(Lift3DError, match=r"no window can be opened here .*--save out\.html"):
        require_window()

"""The page in a real browser: headless Chromium, spoken to through a pipe (Chrome DevTools Protocol)."""

import base64
import io
import json
import os
import select
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.motion.angles import joint_angles
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import H36M17, make_skeleton
from lift3d.viz import save_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")
SIZE = (1200, 760)
HOSTILE = "</script><script>window.hacked=1</script><!--<script>{{CLIP}}\u2028\udce9\"'&.json"


class Browser:
    """One tab of a headless Chromium that records errors and requests."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
            "--disable-component-update --disable-sync --disable-dev-shm-usage --force-device-scale-factor=1 "
            f"--remote-debugging-pipe --window-size={SIZE[0]},{SIZE[1]} --user-data-dir={profile} about:blank"
        ).split()
        # The protocol is spoken on file descriptors 3 and 4, which a shell can hand over.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}', str(CHROMIUM), *flags],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._number, self._session = b"", 0, None
        self.errors: list[str] = []
        self.requests: list[str] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=SIZE[0], height=SIZE[1], deviceScaleFactor=1, mobile=False
        )

    def _message(self, timeout: float = 30.0) -> dict:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], timeout)
            chunk = os.read(self._read, 1 << 20) if ready else b""
            if not chunk:
                raise TimeoutError("Chromium does not answer")
            self._buffer += chunk
        text, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method: str, **parameters):
        self._number += 1
        request = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            request["sessionId"] = self._session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        while True:
            answer = self._message()
            self._note(answer)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _note(self, message: dict) -> None:
        values = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(values["exceptionDetails"]))
            case "Log.entryAdded" if values["entry"]["level"] == "error":
                self.errors.append(json.dumps(values["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(values["request"]["url"])

    def run(self, expression: str):
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, path: Path) -> None:
        self.errors.clear()
        self.requests.clear()
        self.call("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + 20
        while not self.run("document.readyState === 'complete' && location.href !== 'about:blank'"):
            assert time.monotonic() < deadline
        assert not self.errors
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def key(self, key: str, modifiers: int = 0) -> None:
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, modifiers=modifiers, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)
        self.settle()

    def mouse(self, kind: str, x: float, y: float, **more) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def screenshot(self) -> np.ndarray:
        from PIL import Image

        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._read)
        os.close(self._write)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


STANDING = {
    "pelvis": (0, 0, 0), "right_hip": (-0.13, 0, 0), "right_knee": (-0.14, 0.45, 0), "right_ankle": (-0.14, 0.88, 0.03),
    "left_hip": (0.13, 0, 0), "left_knee": (0.14, 0.45, 0), "left_ankle": (0.14, 0.88, 0.03), "spine": (0, -0.25, 0),
    "thorax": (0, -0.5, 0), "nose": (0, -0.62, -0.1), "head_top": (0, -0.75, 0), "left_shoulder": (0.18, -0.47, 0),
    "left_elbow": (0.3, -0.22, 0), "left_wrist": (0.45, -0.05, -0.1), "right_shoulder": (-0.18, -0.47, 0),
    "right_elbow": (-0.3, -0.22, 0), "right_wrist": (-0.45, -0.05, -0.1),
}  # fmt: skip


def facing_the_camera(frames: int = 60, people: int = 1) -> Poses3D:
    """People who face the camera and walk to its right; camera space, with the 2D that the camera saw."""
    body = np.array([STANDING[joint] for joint in H36M17.joints])
    path = np.zeros((frames, people, 1, 3))
    path[..., 0] = np.linspace(0, 1.2, frames)[:, None, None] + np.arange(people)[None, :, None]
    path[..., 2] = 4
    xyz = body + path
    camera = Camera.assumed((1280, 720))
    keypoints = Keypoints2D(camera.project(xyz), skeleton="h36m17", fps=30, image_size=(1280, 720))
    return Poses3D(xyz, skeleton="h36m17", fps=30, space="camera", camera=camera, keypoints=keypoints)


def drawn_colours(canvas: str) -> str:
    """An expression: how many different colours a canvas shows."""
    return f"""(() => {{ const c = document.getElementById('{canvas}');
        const d = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);
        return new Set(d).size; }})()"""


def drawn(browser: Browser, canvas: str) -> int:
    """How many different colours a canvas shows."""
    return browser.run(drawn_colours(canvas))


def test_plays_scrubs_and_steps(browser, tmp_path):
    save_page(facing_the_camera(), tmp_path / "clip.html")
    browser.open(tmp_path / "clip.html")
    assert drawn(browser, "stage") > 500
    assert drawn(browser, "panel") > 5

    browser.run("lift3d.seek(0), lift3d.play()")
    start = time.monotonic()
    while browser.run("lift3d.frame") < 5:
        assert time.monotonic() - start < 10
    browser.key(" ")
    assert browser.run("lift3d.playing") is False

    browser.run("s = document.getElementById('scrub'); s.value = 42; s.dispatchEvent(new Event('input'))")
    assert browser.run("lift3d.frame") == 42
    browser.settle()
    assert browser.run("document.getElementById('time').textContent") == "1.40 / 1.97 s · frame 42 / 59"
    browser.key("ArrowRight")
    assert browser.run("lift3d.frame") == 43
    browser.key("ArrowLeft", modifiers=8)
    assert browser.run("lift3d.frame") == 13
    browser.key("End")
    assert browser.run("lift3d.frame") == 59
    browser.key("?")
    assert browser.run("document.getElementById('help').open") is True
    assert not browser.errors
    assert browser.requests == [(tmp_path / "clip.html").as_uri()]


def test_the_person_is_upright_and_the_left_is_on_the_right_of_the_image(browser, tmp_path):
    save_page(facing_the_camera(), tmp_path / "clip.html")
    browser.open(tmp_path / "clip.html")
    browser.run("lift3d.seek(30)")

    def at(joint):
        return browser.run(f"lift3d.locate(0, '{joint}')")

    for view in ("front", "camera"):
        browser.run(f"lift3d.look('{view}')")
        assert at("head_top")[1] < at("pelvis")[1] < at("left_ankle")[1]
        assert at("left_wrist")[0] > at("pelvis")[0] > at("right_wrist")[0]
    browser.run("lift3d.look('side')")
    assert at("nose")[0] < at("head_top")[0]  # seen from the image's right, the nose points to the camera on the left
    flat = {joint: browser.run(f"lift3d.locate2d(0, '{joint}')") for joint in ("head_top", "left_wrist", "right_wrist")}
    assert flat["left_wrist"][0] > flat["right_wrist"][0]
    assert flat["head_top"][1] < flat["left_wrist"][1]

    # What is painted there has the side's colour: blue left, vermilion right.
    browser.run("lift3d.look('front')")
    browser.settle()
    picture = browser.screenshot()
    box = browser.run("(({left, top}) => [left, top])(document.getElementById('stage').getBoundingClientRect())")
    for joint, stronger, weaker in (("left_wrist", 2, 0), ("right_wrist", 0, 2)):
        x, y = (round(a + b) for a, b in zip(at(joint), box, strict=True))
        pixel = picture[y, x]
        assert pixel[stronger] > pixel[weaker] + 60, (joint, pixel)


def test_the_camera_view_shows_what_the_camera_saw(browser, tmp_path):
    motion = facing_the_camera()
    save_page(motion, tmp_path / "clip.html")
    browser.open(tmp_path / "clip.html")
    browser.run("lift3d.seek(17), lift3d.look('camera')")
    for joint in ("left_wrist", "right_ankle", "head_top"):
        pixel = motion.keypoints.xy[17, 0, H36M17.index(joint)]
        np.testing.assert_allclose(browser.run(f"lift3d.locate(0, '{joint}')"), fitted(browser, pixel), atol=0.2)


def fitted(browser: Browser, pixel: np.ndarray, size: tuple[int, int] = (1280, 720)) -> np.ndarray:
    """Where a pixel of an image is on the stage when the whole image is fitted into it."""
    room = np.array(browser.run("[document.getElementById('stage').width, document.getElementById('stage').height]"))
    scale = (room / size).min()
    return (pixel - np.array(size) / 2) * scale + room / 2


def in_the_world(motion: Poses3D) -> Poses3D:
    """The same people in a world with Z up."""
    x, y, z = np.moveaxis(motion.xyz, -1, 0)
    return replace(motion, xyz=np.stack([x, z, 1 - y], axis=-1), space="world", camera=None, keypoints=None)


def around(lenses: dict[str, tuple[list[float], bool]]) -> Rig:
    """Cameras 4 m around the person's start at (0, 4, 1), looking at it, each with a lens."""
    cameras = []
    for i, (name, (distortion, fisheye)) in enumerate(lenses.items()):
        angle = 2 * np.pi * i / len(lenses)
        centre = np.array([4 * np.sin(angle), 4 - 4 * np.cos(angle), 1.5])
        forward = np.array([0, 4, 1]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        K = np.array([[900, 0, 610], [0, 905, 380], [0, 0, 1.0]])
        camera = Camera(K, np.array(distortion), R, -R @ centre, (1280, 720), name, fisheye)
        cameras.append(camera)
    return Rig(tuple(cameras))


class StillVideo:
    """A video whose frames are all of one colour, greener with time."""

    frames, fps, size = 60, 30.0, (1280, 720)

    def frame(self, index: int) -> np.ndarray:
        return np.broadcast_to(np.array([0, 4 * index, 0], np.uint8), (720, 1280, 3))


LENSES = {
    "plain": ([0.0] * 5, False),
    "<b>Tom & Ann's": ([-0.25, 0.1, 0.002, -0.001, 0.0], False),
    "rational": ([0.1, 0.05, 0.0, 0.0, 0.01, 0.2, 0.0, 0.0], False),
    "wide": ([0.05, -0.01, 0.0, 0.0], True),
}


def test_each_camera_shows_what_it_sees(browser, tmp_path):
    motion, rig = in_the_world(facing_the_camera()), around(LENSES)
    videos = {name: StillVideo() for name in rig.names}
    save_page(motion, tmp_path / "rig.html", rig=rig, videos=videos)
    browser.open(tmp_path / "rig.html")
    browser.run("lift3d.seek(5)")
    for camera in rig:
        browser.run(f"lift3d.lookThrough({json.dumps(camera.name)})")
        for joint in ("head_top", "left_wrist", "right_ankle"):
            place = motion.xyz[5, 0, H36M17.index(joint)]
            drawn_at = browser.run(f"lift3d.locate(0, '{joint}')")
            np.testing.assert_allclose(drawn_at, fitted(browser, camera.project(place)), atol=0.5)
    # The picture nearest in time lies behind: at the end it is greener than at the start.
    greens = []
    for frame in (0, 59):
        browser.run(f"lift3d.seek({frame})")
        browser.settle()
        x, y = (round(value) for value in fitted(browser, np.array([40, 40])))
        greens.append(
            browser.run(f"document.getElementById('stage').getContext('2d').getImageData({x}, {y}, 1, 1).data[1]")
        )
    assert greens[1] > greens[0] + 100
    assert "picture of frame 57" in browser.run("document.getElementById('stage-label').textContent")
    browser.key("4")
    assert browser.run("document.getElementById('through').value") == "-1"
    browser.key("c")
    assert browser.run("document.getElementById('through').selectedOptions[0].text") == rig.names[0]
    with_pictures = browser.screenshot()
    browser.key("v")
    assert (browser.screenshot() != with_pictures).any(axis=-1).mean() > 0.1
    assert not browser.errors
    assert browser.requests[0] == (tmp_path / "rig.html").as_uri()
    assert all(url.startswith("data:image/jpeg;base64,") for url in browser.requests[1:])


def test_dragging_leaves_the_camera_from_where_it_stands(browser, tmp_path):
    motion = in_the_world(facing_the_camera())
    save_page(motion, tmp_path / "rig.html", rig=around({"plain": ([0.0] * 5, False)}))
    browser.open(tmp_path / "rig.html")
    browser.run("lift3d.seek(5), lift3d.lookThrough('plain')")
    before = browser.run("lift3d.locate(0, 'pelvis')")
    browser.mouse("mousePressed", 300, 300, button="left", buttons=1, clickCount=1)
    browser.mouse("mouseMoved", 304, 300, button="left", buttons=1)
    browser.mouse("mouseReleased", 304, 300, button="left", clickCount=1)
    browser.settle()
    assert browser.run("document.getElementById('through').value") == "-1"
    assert np.hypot(*np.subtract(browser.run("lift3d.locate(0, 'pelvis')"), before)) < 60


def bending(frames: int = 60) -> Poses3D:
    """The person who walks, with knees that bend ever more."""
    motion = facing_the_camera(frames)
    xyz = motion.xyz.copy()
    angle = np.radians(np.linspace(0, 100, frames))
    for side, part in (("left", 1.0), ("right", 0.5)):
        knee, ankle = (H36M17.index(f"{side}_{joint}") for joint in ("knee", "ankle"))
        turned = np.stack([0 * angle, np.cos(part * angle), np.sin(part * angle)], axis=-1) * 0.43
        xyz[:, 0, ankle] = xyz[:, 0, knee] + turned
    return replace(motion, xyz=xyz)


def test_the_angle_plot_goes_with_the_clip(browser, tmp_path):
    motion = bending()
    truth = replace(motion, xyz=np.roll(motion.xyz, 5, axis=0), keypoints=None)
    save_page(motion, tmp_path / "clip.html", truth=truth)
    browser.open(tmp_path / "clip.html")
    angles, true_angles = joint_angles(motion), joint_angles(truth)
    assert drawn(browser, "plot") > 20

    def shown(name, values):
        return f"{values[name][frame, 0]:.1f}".replace("-", "\u2212") + "°"

    left, right = "left_knee_flexion", "right_knee_flexion"
    places = []
    for frame in (0, 31, 59):
        browser.run(f"lift3d.seek({frame})")
        browser.settle()
        words = browser.run("document.getElementById('angle-values').textContent")
        assert words == "".join(
            f"{side} {shown(name, angles)} (truth {shown(name, true_angles)})"
            for side, name in (("left", left), ("right", right))
        )
        places.append(browser.run("lift3d.cursor"))
    assert places[1] - places[0] == pytest.approx((places[2] - places[0]) * 31 / 59, abs=0.5)

    box = browser.run("(({left, top}) => [left, top])(document.getElementById('plot').getBoundingClientRect())")
    for kind, frame in (("mousePressed", 10), ("mouseMoved", 40)):
        x = box[0] + places[0] + (places[2] - places[0]) * frame / 59
        browser.mouse(kind, x, box[1] + 30, button="left", buttons=1, clickCount=1)
        assert browser.run("lift3d.frame") == frame
    browser.mouse("mouseReleased", x, box[1] + 30, button="left", clickCount=1)
    browser.mouse("mouseWheel", x, box[1] + 30, deltaX=0, deltaY=-400)
    browser.settle()
    browser.run("lift3d.seek(41)")
    assert browser.run("lift3d.cursor") - (x - box[0]) > 1.1 * (places[2] - places[0]) / 59

    browser.run("a = document.getElementById('angle'); a.value = 'trunk_lean'; a.dispatchEvent(new Event('change'))")
    browser.settle()
    assert browser.run("document.getElementById('angle-values').children.length") == 1
    assert "neck" in browser.run("document.getElementById('angle').title")
    browser.run("document.getElementById('missing-open').click()")
    assert browser.run("document.getElementById('missing').open") is True
    reasons = browser.run("[...document.querySelectorAll('#missing-list dd')].map(d => d.textContent)")
    assert sorted(reasons) == sorted(angles.missing.values())
    browser.run("document.getElementById('missing').close()")
    browser.key("p")
    assert browser.run("document.getElementById('plot-box').hidden") is True
    assert not browser.errors


def test_angles_of_people_who_come_and_go(browser, tmp_path):
    motion = facing_the_camera(people=2)
    xyz = motion.xyz.copy()
    xyz[3:, 1] = np.nan
    motion = replace(motion, xyz=xyz, track_ids=(4, 9))
    save_page(motion, tmp_path / "clip.html")
    browser.open(tmp_path / "clip.html")
    browser.run("p = document.getElementById('angle-person'); p.value = 1; p.dispatchEvent(new Event('change'))")
    words = []
    for frame in (1, 30):
        browser.run(f"lift3d.seek({frame})")
        browser.settle()
        words.append(browser.run("document.getElementById('angle-values').textContent"))
    degrees = [f"{joint_angles(motion)[f'{side}_knee_flexion'][1, 1]:.1f}°" for side in ("left", "right")]
    assert words == [f"left {degrees[0]}right {degrees[1]}", "left \u2013right \u2013"]
    assert not browser.errors


def test_a_layout_without_angles_has_no_plot(browser, tmp_path):
    pair = make_skeleton("pair", {"one": None, "other": "one"})
    save_page(Poses3D(np.array([[[[0, 0, 0], [0, 0, 1.0]]]]), skeleton=pair), tmp_path / "pair.html")
    browser.open(tmp_path / "pair.html")
    assert browser.run("document.getElementById('plot-box').hidden") is True
    assert drawn(browser, "stage") > 100
    for key in "ebtvpc4":
        browser.key(key)
    assert not browser.errors


def test_error_colours_bars_trails_and_parts(browser, tmp_path):
    motion = replace(facing_the_camera(), keypoints=None, sigma=np.full((60, 1, 17), 0.04))
    xyz = motion.xyz + np.array([0.03, 0, 0.04], np.float32)
    xyz[:, :, H36M17.index("left_wrist")] = np.nan
    save_page(motion, tmp_path / "clip.html", truth=replace(motion, xyz=xyz))
    browser.open(tmp_path / "clip.html")
    browser.run("lift3d.seek(40)")
    browser.settle()
    before = browser.screenshot()
    assert browser.run("document.getElementById('legend').hidden") is True
    browser.key("e")
    assert browser.run("document.getElementById('legend').hidden") is False
    assert browser.run("document.getElementById('legend-mean').textContent") == "mean of 16 joints: 50 mm"
    assert browser.run("document.getElementById('legend-limit').textContent") == "≥ 50 mm"
    coloured = browser.screenshot()
    assert (coloured != before).any(axis=-1).mean() > 0.01
    browser.key("e")
    np.testing.assert_array_equal(browser.screenshot(), before)
    for key in "bt":
        browser.key(key)
        assert (browser.screenshot() != before).any(axis=-1).mean() > 0.001
        browser.key(key)
    browser.run("[...document.querySelectorAll('#parts label')].find(l => l.textContent === 'legs').click()")
    browser.settle()
    box = browser.run("(({left, top}) => [left, top])(document.getElementById('stage').getBoundingClientRect())")
    now = browser.screenshot()
    for joint, gone in (("left_knee", True), ("head_top", False)):
        x, y = (round(a + b) for a, b in zip(browser.run(f"lift3d.locate(0, '{joint}')"), box, strict=True))
        assert (now[y, x] != before[y, x]).any() == gone
    assert not browser.errors


@pytest.mark.parametrize("size", [(1920, 1080), (390, 844)])
def test_nothing_overlaps_on_a_projector_or_a_phone(browser, tmp_path, size):
    motion = in_the_world(facing_the_camera())
    save_page(motion, tmp_path / "clip.html", truth=motion, rig=around(LENSES))
    phone = size[0] < 500
    browser.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=phone)
    try:
        browser.open(tmp_path / "clip.html")
        browser.run("lift3d.seek(20)")
        browser.settle()
        boxes = browser.run(
            """['header', '#stage-box', '#plot-box', 'aside', 'footer'].map(name => {
            const b = document.querySelector(name).getBoundingClientRect();
            return [b.left, b.top, b.right, b.bottom]; })"""
        )
        for i, (left, top, right, bottom) in enumerate(boxes):
            assert -0.5 <= left < right <= size[0] + 0.5
            assert -0.5 <= top < bottom <= size[1] + 0.5
            for other in boxes[:i]:
                width = min(right, other[2]) - max(left, other[0])
                height = min(bottom, other[3]) - max(top, other[1])
                assert min(width, height) < 1
        stage = boxes[1]
        assert stage[3] - stage[1] > 0.35 * size[1]
        # The person is in the picture.
        for joint in ("head_top", "left_ankle", "right_wrist"):
            x, y = browser.run(f"lift3d.locate(0, '{joint}')")
            assert 0 < x < stage[2] - stage[0]
            assert 0 < y < stage[3] - stage[1]
    finally:
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=SIZE[0], height=SIZE[1], deviceScaleFactor=1, mobile=False
        )
    assert not browser.errors


def test_mouse_wheel_touch_and_people(browser, tmp_path):
    motion = facing_the_camera(people=2)
    truth = replace(motion, xyz=motion.xyz + np.float32(0.1), keypoints=None)
    save_page(motion, tmp_path / "clip.html", truth=truth)
    browser.open(tmp_path / "clip.html")
    browser.run("lift3d.seek(0)")

    def apart(one, other):
        a, b = (browser.run(f"lift3d.locate(0, '{joint}')") for joint in (one, other))
        return float(np.hypot(a[0] - b[0], a[1] - b[1]))

    def gap():
        return apart("head_top", "left_ankle")

    def breadth():
        return apart("left_shoulder", "right_shoulder") / apart("thorax", "pelvis")

    before, wide = gap(), breadth()
    browser.mouse("mousePressed", 400, 300, button="left", buttons=1, clickCount=1)
    browser.mouse("mouseMoved", 500, 300, button="left", buttons=1)
    browser.mouse("mouseReleased", 500, 300, button="left", clickCount=1)
    browser.settle()
    assert breadth() < 0.9 * wide
    browser.mouse("mouseWheel", 400, 300, deltaX=0, deltaY=-300)
    browser.settle()
    assert gap() > 1.1 * before

    points = [[{"x": 300, "y": 300, "id": 0}, {"x": 400, "y": 300, "id": 1}]]
    points += [[{"x": 250, "y": 300, "id": 0}, {"x": 450, "y": 300, "id": 1}], []]
    near = gap()
    for kind, touches in zip(("touchStart", "touchMove", "touchEnd"), points, strict=True):
        browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=touches)
    browser.settle()
    assert gap() > 1.3 * near

    both = browser.screenshot()
    labels = browser.run("[...document.querySelectorAll('#people label')].map(l => l.textContent)")
    assert labels == ["person 0", "person 1", "truth"]
    browser.run("document.querySelector('#people input').click()")
    browser.settle()
    assert (browser.screenshot() != both).any(axis=-1).mean() > 0.005
    assert not browser.errors


def test_strings_of_a_file_do_no_harm(browser, tmp_path):
    motion = replace(facing_the_camera(5), provenance={"source": HOSTILE})
    save_page(motion, tmp_path / "hostile.html")
    browser.open(tmp_path / "hostile.html")
    assert browser.run("window.hacked") is None
    assert browser.run("document.scripts.length") == 2
    assert "script>" in browser.run("document.getElementById('name').textContent")
    assert not browser.errors


def test_missing_joints_people_and_frames_are_left_out(browser, tmp_path):
    motion = facing_the_camera(people=2)
    xyz = motion.xyz.copy()
    xyz[:, 1] = np.nan
    xyz[10:20] = np.nan
    xyz[:, 0, H36M17.index("left_wrist")] = np.nan
    save_page(replace(motion, xyz=xyz, keypoints=None, fps=None), tmp_path / "gaps.html")
    browser.open(tmp_path / "gaps.html")
    for frame in (0, 15, 59):
        browser.run(f"lift3d.seek({frame})")
        browser.settle()
    assert browser.run("lift3d.locate(0, 'left_wrist')") is None
    assert browser.run("lift3d.locate(0, 'right_wrist')") is not None
    assert browser.run("lift3d.locate(1, 'right_wrist')") is None
    assert "frame rate unknown" in browser.run("document.getElementById('line').textContent")
    assert not browser.errors


def test_keypoints_alone_fill_the_page(browser, tmp_path):
    save_page(facing_the_camera().keypoints, tmp_path / "flat.html")
    browser.open(tmp_path / "flat.html")
    assert browser.run("document.getElementById('panel').width") > 0.9 * SIZE[0]
    assert drawn(browser, "panel") > 5
    for key in "1f+wl":
        browser.key(key)
    assert not browser.errors


def test_the_input_stays_while_the_window_changes_its_size(browser, tmp_path):
    """Its canvas is not emptied before the next drawing: an observer behind the page's own looks in between."""
    save_page(facing_the_camera(), tmp_path / "clip.html")
    browser.open(tmp_path / "clip.html")
    browser.run("lift3d.pause()")
    browser.settle()
    look = drawn_colours("panel")
    browser.run(f"seen = []; new ResizeObserver(() => seen.push({look})).observe(document.querySelector('main')), 1")
    browser.settle()
    browser.run("document.body.style.height = '600px'")
    browser.settle()
    seen = browser.run("seen")
    assert len(seen) > 1
    assert min(seen) > 5
    assert drawn(browser, "panel") > 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(browser, tmp_path, scheme):
    save_page(facing_the_camera(), tmp_path / "clip.html")
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(tmp_path / "clip.html")
    brightness = browser.screenshot().mean()
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert (brightness > 150) == (scheme == "light")

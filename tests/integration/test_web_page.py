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
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import H36M17
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


def drawn(browser: Browser, canvas: str) -> int:
    """How many different colours a canvas shows."""
    return browser.run(
        f"""(() => {{ const c = document.getElementById('{canvas}');
        const d = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);
        return new Set(d).size; }})()"""
    )


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
    width, height = browser.run("[document.getElementById('stage').width, document.getElementById('stage').height]")
    for joint in ("left_wrist", "right_ankle", "head_top"):
        x, y = browser.run(f"lift3d.locate(0, '{joint}')")
        pixel = motion.keypoints.xy[17, 0, H36M17.index(joint)]
        expected = (pixel - (640, 360)) * height / 720 + (width / 2, height / 2)
        np.testing.assert_allclose((x, y), expected, atol=0.2)


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(browser, tmp_path, scheme):
    save_page(facing_the_camera(), tmp_path / "clip.html")
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(tmp_path / "clip.html")
    brightness = browser.screenshot().mean()
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert (brightness > 150) == (scheme == "light")

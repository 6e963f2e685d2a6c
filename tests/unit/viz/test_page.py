"""The page's text: what is packed into it comes out again, and nothing of a file can break out of it."""

import base64
import html.parser
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import Lift3DError, OutputExistsError, ShapeError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.stored_poses import StoredPoses
from lift3d.motion.angles import ANGLES, joint_angles
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.viz import save_page, save_view
from lift3d.viz.web import make_page


def motion(frames: int = 20, people: int = 2, space: str = "world") -> Poses3D:
    generator = np.random.default_rng(5)
    walk = np.linspace(0, 30, frames)[:, None, None, None] * np.array([1, 0.5, 0])
    xyz = generator.uniform(-1, 1, (frames, people, 17, 3)) + walk
    xyz[3:5, -1] = np.nan
    xyz[-1, 0, 4] = np.nan
    keypoints = Keypoints2D(
        generator.uniform(0, 1900, (frames, people, 17, 2)), skeleton="h36m17", fps=50, image_size=(1920, 1080)
    )
    return Poses3D(
        xyz, skeleton="h36m17", fps=50, space=space, keypoints=keypoints, camera=Camera.assumed((1920, 1080))
    )


class Elements(html.parser.HTMLParser):
    """The elements of a page, in order, with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data

    def text(self, wanted: str) -> list[str]:
        return [text for (tag, _), text in zip(self.found, self.texts, strict=True) if tag == wanted]


def packed(page: str) -> dict:
    return json.loads(Elements(page).text("script")[0])


def numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def unpack(poses: dict, frames: int) -> np.ndarray:
    joints = len(poses["joints"])
    steps = numbers(poses["offsets"], "<i2").reshape(frames, poses["people"], joints, 3)
    root = numbers(poses["root"], "<f4").reshape(frames, poses["people"], 1, 3)
    return np.where(steps == -32768, np.nan, root + poses["step"] * steps)


@pytest.mark.parametrize("space", ["world", "camera"])
def test_coordinates_come_back_to_a_tenth_of_a_millimetre(space):
    given_motion = motion(space=space)
    clip = packed(make_page(given_motion))
    points = unpack(clip["poses"], 20)
    if space == "camera":
        points = np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)
    np.testing.assert_allclose(points, given_motion.xyz, atol=0.6e-4)
    steps = numbers(clip["keypoints"]["xy"], "<i2").reshape(20, 2, 17, 2)
    pixels = clip["keypoints"]["middle"] + clip["keypoints"]["step"] * steps
    np.testing.assert_allclose(pixels, given_motion.keypoints.xy, atol=0.02)


def test_the_page_asks_for_nothing_from_outside():
    page = make_page(motion())
    elements = Elements(page)
    assert not re.search(r"https?://|@import|url\(", page)
    for tag, attributes in elements.found:
        assert "src" not in attributes
        assert tag != "link" or attributes["href"] == "data:,"
    policy = next(a["content"] for t, a in elements.found if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")


@settings(max_examples=50, deadline=None)
@given(
    st.text(), st.sampled_from(["", "</script>", "<!--<script>", "{{SCRIPT}}", "\u2028", "\udce9", "]]>", "</title>"])
)
def test_no_string_breaks_out(text, sting):
    name = text.replace("/", "").replace("\\", "") + sting
    hostile = replace(motion(2, 1), provenance={"source": name})
    page = make_page(hostile).encode("utf-8", "replace").decode()
    elements = Elements(page)
    assert [tag for tag, _ in elements.found] == [tag for tag, _ in Elements(make_page(motion(2, 1))).found]
    shown = re.split(r"[/\\]", name.replace("\\", "/").rstrip("/"))[-1]
    assert packed(page)["name"] == (shown or "lift3d")


def test_long_clips_are_thinned_and_say_so():
    given_motion = motion(400)
    full = len(make_page(given_motion))
    page = make_page(given_motion, page_bytes=60_000)
    clip = packed(page)
    assert len(page) - (full - 400 * 2 * (12 + 17 * 10) * 4 // 3) < 70_000
    assert clip["step"] > 1
    assert clip["note"].startswith(f"One frame in {clip['step']} is")
    assert clip["fps"] * clip["step"] == pytest.approx(50)
    np.testing.assert_allclose(unpack(clip["poses"], clip["frames"]), given_motion.xyz[:: clip["step"]], atol=0.6e-4)


def test_one_step_is_coarser_only_for_giants():
    clip = packed(make_page(Poses3D(np.array([[[[0, 0, 0], [100.0, 0, 0]]]]), skeleton=_pair())))
    np.testing.assert_allclose(unpack(clip["poses"], 1)[0, 0], [[0, 0, 0], [100, 0, 0]], atol=2e-3)


@pytest.mark.parametrize("space", ["world", "camera"])
def test_error_bars_come_back(space):
    given_motion = motion(space=space)
    generator = np.random.default_rng(1)
    spread = generator.normal(0, 0.05, (*given_motion.xyz.shape, 3))
    covariance = (spread @ spread.swapaxes(-1, -2)).astype(np.float32)
    covariance[:, :, 3] = np.nan
    sigma = np.full(given_motion.xyz.shape[:3], 0.02, np.float32)
    sigma[:, :, 4] = np.nan
    clip = packed(make_page(replace(given_motion, covariance=covariance, sigma=sigma)))
    spread = clip["poses"]["spread"]
    steps = numbers(spread["values"], "<i2").reshape(20, 2, 17, 6)
    root = np.zeros((20, 2, 17, 3, 3))
    for place, (row, column) in enumerate([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]):
        root[..., row, column] = root[..., column, row] = spread["step"] * steps[..., place]
    turn = np.eye(3) if space == "world" else np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    covariance[:, :, 3] = 0.02**2 * np.eye(3)
    np.testing.assert_allclose(root @ root, turn @ covariance @ turn.T, atol=2e-5)
    alone = packed(make_page(replace(given_motion, sigma=sigma)))["poses"]["spread"]
    steps = numbers(alone["values"], "<i2").reshape(20, 2, 17)
    np.testing.assert_allclose(np.where(steps == -32768, np.nan, alone["step"] * steps), sigma, atol=1e-5)
    assert "spread" not in packed(make_page(given_motion))["poses"]


def test_angles_are_those_of_joint_angles_and_truth_is_matched():
    given_motion = motion()
    swapped = replace(given_motion, xyz=given_motion.xyz[:, ::-1])
    angles = packed(make_page(given_motion, truth=swapped))["angles"]
    expected = joint_angles(given_motion)
    shape = (20, 2, angles["count"])
    ours, theirs = (numbers(angles[key], "<i2").reshape(shape) for key in ("values", "truth"))
    np.testing.assert_array_equal(ours, theirs)
    seen = {}
    for plot in angles["list"]:
        for side, column in plot["columns"].items():
            seen[plot["name"] if side == "middle" else f"{side}_{plot['name']}"] = column
    assert set(seen) == set(expected.names) - set(expected.missing)
    for name, column in seen.items():
        degrees = np.where(ours[..., column] == -32768, np.nan, angles["step"] * ours[..., column])
        np.testing.assert_allclose(degrees, expected[name], atol=0.051)
    assert sorted(angles["missing"]) == sorted([ANGLES[name].title, why] for name, why in expected.missing.items())


def test_only_joints_of_one_name_are_compared():
    truth, _ = motion().convert("coco17")
    compare = packed(make_page(motion(), truth=truth))["compare"]
    pairs = {(motion().skeleton.joints[a], truth.skeleton.joints[b]) for a, b in compare["joints"]}
    assert pairs == {(joint, joint) for joint in set(motion().skeleton.joints) & set(truth.skeleton.joints)}
    assert compare["people"] == [[0, 0], [1, 1]]


def test_cameras_and_their_pictures():
    videos = {f"c{i}": _Video() for i in range(3)}
    rig = Rig(tuple(replace(Camera.assumed((64, 48)), name=f"c{i}", t=np.array([0, 0, i])) for i in range(4)))
    cameras = packed(make_page(motion(100), rig=rig, videos=videos))["cameras"]
    assert [camera["name"] for camera in cameras] == ["c0", "c1", "c2", "c3"]
    assert [len(camera["pictures"]) for camera in cameras] == [13, 13, 13, 0]
    frames = [picture["frame"] for picture in cameras[0]["pictures"]]
    assert frames[0] == 3
    assert max(np.diff(frames)) <= 8
    assert all(picture["data"].startswith("data:image/jpeg;base64,") for picture in cameras[0]["pictures"])
    with pytest.raises(ShapeError, match="world space only"):
        make_page(motion(space="camera"), rig=rig)
    with pytest.raises(ShapeError, match="3D poses only"):
        make_page(motion().keypoints, rig=rig)
    with pytest.raises(Lift3DError, match="no camera other"):
        make_page(motion(), rig=rig, videos={"other": _Video()})


def test_a_clip_that_is_read_from_its_file_makes_the_same_page(tmp_path):
    motion().save(tmp_path / "clip.h5")
    with StoredPoses(tmp_path / "clip.h5") as stored:
        assert make_page(stored, truth=stored) == make_page(motion(), truth=motion())


def test_a_person_who_is_seen_in_three_frames_only():
    given_motion = motion(50, 2)
    xyz = given_motion.xyz.copy()
    xyz[3:, 1] = np.nan
    xyz[:47, 0] = np.nan
    clip = packed(make_page(replace(given_motion, xyz=xyz)))
    np.testing.assert_allclose(unpack(clip["poses"], 50), xyz, atol=0.6e-4)


def test_frames_that_do_not_fit_in_are_named_where_nothing_is_left():
    given_motion = motion(400)
    xyz = np.full_like(given_motion.xyz, np.nan)
    xyz[1] = given_motion.xyz[1]
    with pytest.raises(Lift3DError, match="one in 3"):
        make_page(replace(given_motion, xyz=xyz, keypoints=None), page_bytes=60_000)


def test_100_000_frames_stay_within_the_limit():
    long = motion(1000, 1)
    xyz = np.tile(long.xyz, (100, 1, 1, 1))
    covariance = np.broadcast_to(np.eye(3, dtype=np.float32) * 1e-4, (*xyz.shape, 3))
    clip = Poses3D(xyz, skeleton="h36m17", fps=50, covariance=covariance)
    page = make_page(clip, truth=replace(clip, covariance=None))
    assert 20_000_000 < len(page) < 50_500_000
    assert packed(page)["step"] == 2


class _Video:
    """A video of 100 grey frames."""

    frames, fps, size = 100, 50.0, (64, 48)

    def frame(self, index: int) -> np.ndarray:
        return np.full((48, 64, 3), index, np.uint8)


def _pair():
    from lift3d.skeletons import make_skeleton

    return make_skeleton("pair", {"one": None, "other": "one"})


def test_files(tmp_path):
    save_view(motion(), tmp_path / "a.html", truth=motion())
    assert packed((tmp_path / "a.html").read_text("utf-8"))["truth"]["people"] == 2
    with pytest.raises(OutputExistsError):
        save_page(motion(), tmp_path / "a.html")
    save_page(motion().keypoints, tmp_path / "a.html", overwrite=True)
    assert "poses" not in packed((tmp_path / "a.html").read_text("utf-8"))
    with pytest.raises(UnknownFormatError):
        save_page(motion(), tmp_path / "a.png")
    with pytest.raises(Lift3DError, match="nothing to draw"):
        save_page(Poses3D(np.full((3, 1, 17, 3), np.nan), skeleton="h36m17"), tmp_path / "b.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html"]

"""Overlays decoded by an independent reader: what is drawn stands where it is seen, and nothing else is."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lift3d.errors import CameraError, Lift3DError, OutputExistsError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.movies import movie
from lift3d.io.stored_poses import open_poses
from lift3d.joint_names import custom_skeleton
from lift3d.palette import LEFT, PEOPLE, RIGHT
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import COCO17
from lift3d.viz.overlay import save_overlay, save_overlays

FRAMES, WIDTH, HEIGHT = 12, 640, 480
TURN = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
CAMERA = Camera(
    np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]),
    [-0.3, 0.1, 0.002, -0.001, 0],
    TURN,
    [0.02, 0.55, 2.0],
    (WIDTH, HEIGHT),
    "cam1",
)
WRIST = COCO17.index("left_wrist"), COCO17.index("right_wrist")
GREY = 128


def video(path: Path, frames: int = FRAMES, size: tuple[int, int] = (WIDTH, HEIGHT), fps: float = 30) -> Path:
    """Even grey, a little brighter from frame to frame."""
    with movie(path, size, fps) as writer:
        for number in range(frames):
            writer.add(np.full((size[1], size[0], 3), GREY + 4 * number, np.uint8))
    return path


def standing(frames: int = FRAMES, people: int = 1) -> Poses3D:
    """People side by side, arms held out, who walk along x."""
    places = {"nose": (0.15, 0, 1.7), "eye": (0.12, 0.04, 1.75), "ear": (0, 0.08, 1.72), "shoulder": (0, 0.2, 1.45),
              "elbow": (0, 0.5, 1.45), "wrist": (0, 0.8, 1.45), "hip": (0, 0.12, 0.95), "knee": (0.05, 0.13, 0.5),
              "ankle": (0, 0.14, 0.1)}  # fmt: skip
    body = np.array([
        np.array(places[joint.split("_")[-1]]) * (1, -1 if joint.startswith("right") else 1, 1)
        for joint in COCO17.joints
    ])  # fmt: skip
    body = np.tile(body, (frames, people, 1, 1)) * 0.6
    body[..., 0] += np.linspace(-0.2, 0.2, frames)[:, None, None]
    body[..., 1] += (np.arange(people) - (people - 1) / 2)[None, :, None]
    return Poses3D(body, skeleton=COCO17, fps=30)


def seen(poses: Poses3D, camera: Camera = CAMERA) -> Keypoints2D:
    return Keypoints2D(camera.project(poses.xyz), skeleton=poses.skeleton, fps=30, track_ids=poses.track_ids)


def decoded(path: Path) -> np.ndarray:
    """(frames, height, width, 3) RGB, read by OpenCV."""
    capture = cv2.VideoCapture(str(path))
    images = []
    while (got := capture.read())[0]:
        images.append(got[1][..., ::-1])
    return np.array(images).astype(int)


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def tells(image: np.ndarray, point: np.ndarray, colour: str, radius: int = 2) -> bool:
    """Whether around a place there is a pixel whose hue is that of the colour."""
    x, y = np.round(point).astype(int)
    part = image[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1].reshape(-1, 3)
    wanted = rgb(colour) - rgb(colour).mean()
    found = part - part.mean(axis=1, keepdims=True)
    likeness = found @ wanted / np.maximum(np.linalg.norm(found, axis=1) * np.linalg.norm(wanted), 1e-9)
    return bool(((likeness > 0.9) & (np.linalg.norm(found, axis=1) > 25)).any())


def forearms(poses: Poses3D, camera: Camera, frame: int, person: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the left and the right forearm in the image; the lens bends lines, so by projected ends."""
    pixels = camera.project(poses.xyz[frame, person])
    index = poses.skeleton.index
    left, right = ((pixels[index(f"{side}_elbow")] + pixels[index(f"{side}_wrist")]) / 2 for side in ("left", "right"))
    return left, right


def test_bones_stand_where_the_camera_sees_them(tmp_path: Path) -> None:
    """Lens distortion included, each side in its colour, frame by frame; nothing far from the body."""
    poses = standing()
    result = save_overlay(tmp_path / "out.mp4", video(tmp_path / "in.mp4"), poses, camera=CAMERA)
    images = decoded(tmp_path / "out.mp4")
    assert len(images) == result.frames == FRAMES
    assert result.notes == ()
    assert result.reprojection_error is None
    for frame, image in enumerate(images):
        left, right = forearms(poses, CAMERA, frame)
        assert tells(image, left, LEFT)
        assert not tells(image, left, RIGHT)
        assert tells(image, right, RIGHT)
        # The image itself, beside the drawing, is that of the same frame.
        assert abs(image[120, 10].mean() - GREY - 4 * frame) < 4


def test_a_world_without_distortion_would_miss(tmp_path: Path) -> None:
    """The check above can fail: the same bones are not where an ideal lens would see them."""
    poses = standing(1)
    near = [0.02, 0.55, 1.2]
    strong = Camera(CAMERA.K, [-0.6, 0, 0, 0, 0], CAMERA.R, near, (WIDTH, HEIGHT))
    ideal = Camera(CAMERA.K, None, CAMERA.R, near, (WIDTH, HEIGHT))
    save_overlay(tmp_path / "out.mp4", video(tmp_path / "in.mp4", 1), poses, camera=strong)
    image = decoded(tmp_path / "out.mp4")[0]
    wrists = [c.project(poses.xyz[0, 0, WRIST[0]]) for c in (strong, ideal)]
    assert np.linalg.norm(wrists[0] - wrists[1]) > 6
    assert tells(image, wrists[0], LEFT)
    assert not tells(image, wrists[1], LEFT)


def test_missing_joints_are_not_drawn(tmp_path: Path) -> None:
    xyz = standing().xyz.copy()
    xyz[5, 0, WRIST[0]] = np.nan
    poses = Poses3D(xyz, skeleton=COCO17, fps=30)
    save_overlay(tmp_path / "out.mp4", video(tmp_path / "in.mp4"), poses, camera=CAMERA)
    images = decoded(tmp_path / "out.mp4")
    left, right = forearms(standing(), CAMERA, 5)
    assert not tells(images[5], left, LEFT, radius=1)
    assert tells(images[5], right, RIGHT)
    assert tells(images[6], forearms(standing(), CAMERA, 6)[0], LEFT)


def test_what_is_behind_or_far_away_is_not_drawn(tmp_path: Path) -> None:
    """Points behind the camera have no image; just before it they lie a million pixels off."""
    points = np.full((2, 1, 2, 3), 0.0)
    points[0, 0] = [[0, 0, -2], [0.2, 0, -2]]
    points[1, 0] = [[0, 0, 1e-6], [1, 1, 1e-6]]
    skeleton = custom_skeleton(["left_wrist", "left_elbow"], name="pair")
    ideal = Camera(CAMERA.K, image_size=(WIDTH, HEIGHT))
    poses = Poses3D(points, skeleton=skeleton, fps=30, space="camera", camera=ideal)
    save_overlay(tmp_path / "out.mp4", video(tmp_path / "in.mp4", 2), poses)
    images = decoded(tmp_path / "out.mp4")
    assert np.abs(images[0, 90:200] - GREY).max() < 6
    assert images[1, 90:200].std() < 20


def test_rings_stand_about_the_keypoints(tmp_path: Path) -> None:
    """A ring: coloured around, and the video still seen in its middle."""
    keypoints = Keypoints2D(np.full((3, 1, 17, 2), np.nan, np.float32), skeleton=COCO17)
    keypoints.xy[:, 0, WRIST[0]] = (600.25, 430.5)
    keypoints = Keypoints2D(keypoints.xy, skeleton=COCO17)
    source = video(tmp_path / "in.mp4", 3, (2 * WIDTH, 2 * HEIGHT))
    result = save_overlay(tmp_path / "out.mp4", source, keypoints=keypoints)
    assert result.frames == 3
    image = decoded(tmp_path / "out.mp4")[0]
    drawn = np.abs(image - image[800, 640]).sum(axis=-1) > 30
    drawn[:200, :300] = drawn[900:] = False
    rows, columns = np.nonzero(drawn)
    assert np.abs([columns.mean() - 600.25, rows.mean() - 430.5]).max() < 0.7
    assert not drawn[430, 600]


@pytest.mark.parametrize("shift", [0, 6])
def test_the_reprojection_error(shift: float, tmp_path: Path) -> None:
    poses = standing(people=2)
    keypoints = seen(poses)
    moved = Keypoints2D(keypoints.xy + np.float32([shift, 0]), skeleton=COCO17, fps=30)
    result = save_overlay(tmp_path / "out.mp4", video(tmp_path / "in.mp4"), poses, moved, CAMERA)
    assert result.reprojection_error == pytest.approx(shift, abs=1e-3)


def test_people_of_other_numbers_are_matched_by_place(tmp_path: Path) -> None:
    """The detector saw a third person and counted the others the other way round; layouts differ too."""
    poses = standing(people=2)
    third = seen(poses).xy[:, :1] + np.float32([0, 180])
    xy = np.concatenate([third, seen(poses).xy[:, ::-1]], axis=1)
    keypoints, _ = Keypoints2D(xy, skeleton=COCO17, track_ids=(7, 8, 9), fps=30).convert("h36m17")
    result = save_overlay(tmp_path / "out.mp4", video(tmp_path / "in.mp4"), poses, keypoints, CAMERA)
    assert result.reprojection_error == pytest.approx(0, abs=1e-3)
    image = decoded(tmp_path / "out.mp4")[4]
    for person in range(2):
        left, _ = forearms(poses, CAMERA, 4, person)
        assert tells(image, left, PEOPLE[person])


def test_poses_in_camera_space_bring_camera_and_keypoints(tmp_path: Path) -> None:
    world = standing()
    local = world.xyz @ CAMERA.R.T + CAMERA.t
    poses = Poses3D(local, skeleton=COCO17, fps=30, space="camera", camera=CAMERA, keypoints=seen(world))
    result = save_overlay(tmp_path / "out.mp4", video(tmp_path / "in.mp4"), poses)
    assert result.reprojection_error == pytest.approx(0, abs=1e-3)
    assert tells(decoded(tmp_path / "out.mp4")[3], forearms(world, CAMERA, 3)[0], LEFT)


def test_poses_read_lazily_give_the_same_pictures(tmp_path: Path) -> None:
    poses = standing()
    poses.save(tmp_path / "poses.h5")
    source = video(tmp_path / "in.mp4")
    save_overlay(tmp_path / "whole.mp4", source, poses, camera=CAMERA)
    with open_poses(tmp_path / "poses.h5") as stored:
        save_overlay(tmp_path / "stored.mp4", source, stored, camera=CAMERA)
    np.testing.assert_array_equal(decoded(tmp_path / "whole.mp4"), decoded(tmp_path / "stored.mp4"))


def test_blocks_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poses, source = standing(), video(tmp_path / "in.mp4")
    save_overlay(tmp_path / "whole.mp4", source, poses, seen(poses), CAMERA)
    monkeypatch.setattr("lift3d.viz.overlay.BLOCK", 5)
    save_overlay(tmp_path / "blocks.mp4", source, poses, seen(poses), CAMERA)
    np.testing.assert_array_equal(decoded(tmp_path / "whole.mp4"), decoded(tmp_path / "blocks.mp4"))


@pytest.mark.parametrize(
    ("frames", "offset", "first", "count"),
    [(None, 0, 0, 12), (None, 3, 3, 9), (slice(2, 8), 3, 5, 6), (slice(None, None, 3), 0, 0, 4), (None, -4, 0, 8)],
)
def test_frames_that_clip_and_video_share(
    frames: slice | None, offset: int, first: int, count: int, tmp_path: Path
) -> None:
    """Frame n of the clip is drawn on frame n + offset of the video: their brightness and their pose say so."""
    poses, done = standing(), []
    result = save_overlay(
        tmp_path / "out.mp4",
        video(tmp_path / "in.mp4"),
        poses,
        camera=CAMERA,
        frames=frames,
        offset=offset,
        progress=lambda at, total: done.append((at, total)),
    )
    images = decoded(tmp_path / "out.mp4")
    assert len(images) == result.frames == count
    assert done == [(at + 1, count) for at in range(count)]
    step = 3 if frames is not None and frames.step else 1
    for row, image in enumerate(images):
        number = first + row * step
        assert abs(image[120, 10].mean() - GREY - 4 * number) < 4
        assert tells(image, forearms(poses, CAMERA, number - offset)[0], LEFT)
    assert any("are drawn" in note for note in result.notes) == (offset != 0 and frames is None)


def test_a_longer_video_and_a_shorter_one(tmp_path: Path) -> None:
    longer = save_overlay(tmp_path / "a.mp4", video(tmp_path / "l.mp4", 20), standing(), camera=CAMERA)
    assert longer.frames == FRAMES
    assert longer.notes == ("the video goes on for 8 frames after the clip; they are left out",)
    shorter = save_overlay(tmp_path / "b.mp4", video(tmp_path / "s.mp4", 5), standing(), camera=CAMERA)
    assert shorter.frames == 5
    assert shorter.notes == ("the video has 5 frames: 5 of the clip's 12 are drawn",)
    with pytest.raises(Lift3DError, match="show none of the 12 frames"):
        save_overlay(tmp_path / "c.mp4", tmp_path / "s.mp4", standing(), camera=CAMERA, offset=9)


def test_rates_that_differ(tmp_path: Path) -> None:
    """A video of 60 frames a second beneath a clip of 30: every other frame of it."""
    result = save_overlay(tmp_path / "out.mp4", video(tmp_path / "in.mp4", 24, fps=60), standing(), camera=CAMERA)
    images = decoded(tmp_path / "out.mp4")
    assert len(images) == FRAMES
    assert "frames of the same time" in result.notes[0]
    for frame, image in enumerate(images):
        assert abs(image[120, 10].mean() - GREY - 8 * frame) < 4


def test_a_video_made_smaller(tmp_path: Path) -> None:
    half = video(tmp_path / "in.mp4", size=(WIDTH // 2, HEIGHT // 2))
    poses = standing()
    result = save_overlay(tmp_path / "out.mp4", half, poses, seen(poses), CAMERA)
    assert "0.5 times as large" in result.notes[0]
    assert result.reprojection_error == pytest.approx(0, abs=1e-3)
    point = (forearms(poses, CAMERA, 2)[0] + 0.5) / 2 - 0.5
    assert tells(decoded(tmp_path / "out.mp4")[2], point, LEFT)


def test_a_size_filled_up_by_a_codec(tmp_path: Path) -> None:
    source = video(tmp_path / "in.mp4", 2, size=(WIDTH, HEIGHT - 8))
    result = save_overlay(tmp_path / "out.mp4", source, standing(2), camera=CAMERA)
    assert "filled up to whole squares" in result.notes[0]
    assert tells(decoded(tmp_path / "out.mp4")[1], forearms(standing(2), CAMERA, 1)[0], LEFT)


@pytest.mark.parametrize(("size", "why"), [((HEIGHT, WIDTH), "turned"), ((WIDTH, 360), "cropped")])
def test_a_video_that_is_not_the_cameras(size: tuple[int, int], why: str, tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=f"640 x 480 pixels, the video has {size[0]} x {size[1]}.*{why}"):
        save_overlay(tmp_path / "out.mp4", video(tmp_path / "in.mp4", 1, size), standing(1), camera=CAMERA)


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    source = video(tmp_path / "in.mp4", 1)
    with pytest.raises(Lift3DError, match="nothing to draw"):
        save_overlay(tmp_path / "out.mp4", source)
    with pytest.raises(CameraError, match="no camera is known"):
        save_overlay(tmp_path / "out.mp4", source, standing(1))
    with pytest.raises(UnknownFormatError, match=r"\.mp4 or \.gif"):
        save_overlay(tmp_path / "out.avi", source, standing(1), camera=CAMERA)
    with pytest.raises(OutputExistsError):
        save_overlay(source, source, standing(1), camera=CAMERA)
    nobody = Poses3D(np.full((1, 1, 17, 3), np.nan), skeleton=COCO17)
    assert save_overlay(tmp_path / "out.mp4", source, nobody, seen(nobody), CAMERA).reprojection_error is None


def test_camera_by_camera(tmp_path: Path) -> None:
    other = Camera(CAMERA.K, CAMERA.distortion, CAMERA.R, CAMERA.t + np.array([0.3, 0, 0]), (WIDTH, HEIGHT), "cam2")
    poses, rig = standing(), Rig((CAMERA, other))
    videos = {name: video(tmp_path / f"{name}.mp4") for name in rig.names}
    done: list[tuple[int, int]] = []
    result = save_overlays(
        tmp_path / "out.mp4", videos, poses, rig, {"cam2": seen(poses, other)},
        progress=lambda at, total: done.append((at, total)),
    )  # fmt: skip
    assert [result[name].path.name for name in rig.names] == ["out_cam1.mp4", "out_cam2.mp4"]
    assert done == [(at + 1, 2 * FRAMES) for at in range(2 * FRAMES)]
    assert result["cam1"].reprojection_error is None
    assert result["cam2"].reprojection_error == pytest.approx(0, abs=1e-3)
    for camera in rig:
        assert tells(decoded(result[camera.name].path)[7], forearms(poses, camera, 7)[0], LEFT)
    only = save_overlays(tmp_path / "one.mp4", {"cam2": videos["cam2"]}, poses, rig)
    assert only["cam2"].path == tmp_path / "one.mp4"


def test_cameras_that_do_not_fit(tmp_path: Path) -> None:
    source = video(tmp_path / "in.mp4", 1)
    rig = Rig((CAMERA,))
    with pytest.raises(CameraError, match="no camera 'cam9'"):
        save_overlays(tmp_path / "out.mp4", {"cam9": source}, standing(1), rig)
    with pytest.raises(Lift3DError, match="no video of cam3"):
        save_overlays(tmp_path / "out.mp4", {"cam1": source}, standing(1), rig, {"cam3": seen(standing(1))})
    with pytest.raises(Lift3DError, match="CAM=VIDEO"):
        save_overlays(tmp_path / "out.mp4", {}, standing(1), rig)
    (tmp_path / "out_b.mp4").write_bytes(b"")
    with pytest.raises(OutputExistsError, match="out_b"):
        save_overlays(tmp_path / "out.mp4", {"a": source, "b": source}, keypoints={"a": seen(standing(1))})
    assert not (tmp_path / "out_a.mp4").exists()

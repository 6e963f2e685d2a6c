"""Rerun recordings, read back by Rerun's own reader."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lift3d.errors import Lift3DError, OutputExistsError, ShapeError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.viz.rerun_recording import BLOCK, save_rerun

pytest.importorskip("rerun")
CAMERA = Camera.assumed((1280, 720))


def motion(frames: int = 12, space: str = "world", **more) -> Poses3D:
    """Two people: the second comes late, is away in between, and both lack joints now and then."""
    generator = np.random.default_rng(3)
    xyz = generator.uniform(-1, 1, (frames, 2, 17, 3)) + np.array([0, 0, 4])
    xyz[: frames // 4, 1] = np.nan
    xyz[frames // 2, 1] = np.nan
    xyz[generator.random((frames, 2, 17)) < 0.1] = np.nan
    return Poses3D(xyz, skeleton="h36m17", fps=25, space=space, track_ids=(3, 8), camera=CAMERA, **more)


def chunks(path: Path):
    from rerun.chunk import RrdReader

    return list(RrdReader(path).stream())


def column(path: Path, entity: str, component: str) -> dict[int, np.ndarray]:
    """The values of a component by frame, over all pieces of an entity."""
    values: dict[int, np.ndarray] = {}
    for chunk in chunks(path):
        batch = chunk.to_record_batch()
        if chunk.entity_path == entity and not chunk.is_static and component in batch.schema.names:
            for frame, cell in zip(batch.column("frame").to_pylist(), batch.column(component).to_pylist(), strict=True):
                values[frame] = np.array(cell)
    return values


def static(path: Path, entity: str, component: str):
    for chunk in chunks(path):
        batch = chunk.to_record_batch()
        if chunk.entity_path == entity and chunk.is_static and component in batch.schema.names:
            return batch.column(component).to_pylist()[0]
    raise AssertionError(f"{entity} has no {component}")


def joints(path: Path, entity: str, shape: tuple[int, ...], kind: str = "Points3D") -> np.ndarray:
    """(frames, joints, d) of one person: joints that are not there are NaN."""
    places = column(path, entity, f"{kind}:positions")
    numbers = column(path, entity, f"{kind}:keypoint_ids")
    assert sorted(places) == list(range(shape[0]))
    points = np.full(shape, np.nan)
    for frame, place in places.items():
        if len(place):
            points[frame, numbers[frame]] = place
    return points


@pytest.mark.parametrize("frames", [12, BLOCK + 5])
def test_joints_come_back_people_appear_and_disappear(tmp_path, frames):
    clip = motion(frames)
    save_rerun(clip, tmp_path / "a.rrd")
    for person, track in enumerate((3, 8)):
        points = joints(tmp_path / "a.rrd", f"/world/people/{track}/joints", (frames, 17, 3))
        np.testing.assert_allclose(points, clip.xyz[:, person], atol=1e-3)


def test_bones_join_the_joints_and_go_with_them(tmp_path):
    clip = motion()
    save_rerun(clip, tmp_path / "a.rrd")
    strips = column(tmp_path / "a.rrd", "/world/people/8/bones", "LineStrips3D:strips")
    for frame in range(clip.frames):
        bones = [clip.xyz[frame, 1, list(bone)] for bone in clip.skeleton.bones]
        there = [bone for bone in bones if np.isfinite(bone).all()]
        assert len(strips[frame]) == len(there)
        if there:
            np.testing.assert_allclose(sorted(strips[frame].reshape(-1, 6).tolist()),
                                       sorted(np.reshape(there, (-1, 6)).tolist()), atol=1e-6)  # fmt: skip


def test_time_runs_in_frames_and_seconds(tmp_path):
    save_rerun(motion(), tmp_path / "a.rrd")
    save_rerun(replace(motion(), fps=None), tmp_path / "b.rrd")
    chunk = next(c for c in chunks(tmp_path / "a.rrd") if c.entity_path == "/world/people/3/joints" and not c.is_static)
    seconds = [time.total_seconds() for time in chunk.to_record_batch().column("time").to_pylist()]
    np.testing.assert_allclose(seconds, np.arange(12) / 25)
    for chunk in chunks(tmp_path / "b.rrd"):
        assert chunk.is_static or chunk.timeline_names == ["frame"]


def test_error_bars_are_the_covariance(tmp_path):
    from scipy.spatial.transform import Rotation

    clip = motion()
    generator = np.random.default_rng(0)
    spread = generator.normal(0, 0.05, (*clip.xyz.shape, 3))
    covariance = spread @ spread.swapaxes(-1, -2)
    covariance[:, :, 0] = np.nan
    sigma = np.full(clip.xyz.shape[:3], 0.03)
    save_rerun(replace(clip, covariance=covariance, sigma=sigma), tmp_path / "a.rrd")
    entity = "/world/people/3/error_bars"
    centres, halves, turns = (
        column(tmp_path / "a.rrd", entity, f"Ellipsoids3D:{name}") for name in ("centers", "half_sizes", "quaternions")
    )
    for frame in (0, 7):
        seen = np.flatnonzero(np.isfinite(clip.xyz[frame, 0, :, 0]))
        np.testing.assert_allclose(centres[frame], clip.xyz[frame, 0, seen], atol=1e-6)
        for row, joint in enumerate(seen):
            axes = Rotation.from_quat(turns[frame][row]).as_matrix() * halves[frame][row]
            expected = covariance[frame, 0, joint] if joint else 0.03**2 * np.eye(3)
            np.testing.assert_allclose(axes @ axes.T, 4 * expected, atol=1e-5)


def test_cameras_project_as_they_do(tmp_path):
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera = replace(CAMERA, R=turn, t=np.array([0.1, 1.2, 5]), name="left/<&' 1")
    save_rerun(motion(), tmp_path / "a.rrd", rig=Rig((camera,)))
    path = next(c.entity_path for c in chunks(tmp_path / "a.rrd") if c.entity_path.startswith("/world/cameras/"))
    place = np.array(static(tmp_path / "a.rrd", path, "Transform3D:translation")[0])
    into_world = np.array(static(tmp_path / "a.rrd", path, "Transform3D:mat3x3")[0]).reshape(3, 3).T
    K = np.array(static(tmp_path / "a.rrd", path, "Pinhole:image_from_camera")[0]).reshape(3, 3).T
    point = np.array([0.3, 0.2, 1.0])
    image = K @ (into_world.T @ (point - place))
    np.testing.assert_allclose(image[:2] / image[2], camera.project(point), atol=1e-3)


def test_keypoints_lie_in_the_camera_of_camera_space(tmp_path):
    keypoints = Keypoints2D(
        CAMERA.project(motion().xyz), skeleton="h36m17", fps=25, track_ids=(3, 8), image_size=(1280, 720)
    )
    save_rerun(motion(space="camera", keypoints=keypoints), tmp_path / "a.rrd")
    save_rerun(keypoints, tmp_path / "b.rrd")
    for name, entity in (("a.rrd", "/world/cameras/assumed"), ("b.rrd", "/image")):
        pixels = joints(tmp_path / name, f"{entity}/people/8/joints", (12, 17, 2), "Points2D")
        np.testing.assert_allclose(pixels, keypoints.xy[:, 1], atol=1e-3)


def test_truth_stands_beside(tmp_path):
    truth = replace(motion(), xyz=motion().xyz + np.float32(0.1))
    save_rerun(motion(), tmp_path / "a.rrd", truth=truth)
    points = joints(tmp_path / "a.rrd", "/world/truth/3/joints", (12, 17, 3))
    np.testing.assert_allclose(points, truth.xyz[:, 0], atol=1e-3)


@pytest.mark.parametrize(("ending", "rotation"), [(".mp4", 0), (".mp4", 90), (".avi", 0)])
def test_a_video_runs_with_the_clip(tmp_path, ending, rotation):
    av = pytest.importorskip("av")
    from lift3d.io.videos import VideoFile

    with av.open(str(tmp_path / f"v{ending}"), "w") as container:
        stream = container.add_stream("libx264" if ending == ".mp4" else "mpeg4", rate=50)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for grey in range(0, 200, 10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoFile(tmp_path / f"v{ending}") as video:
        save_rerun(motion(space="camera"), tmp_path / "a.rrd", videos={"any": video})
    entity = "/world/cameras/assumed/video"
    # What Rerun cannot show as it is meant is kept as pictures.
    if ending == ".mp4" and not rotation:
        assert bytes(static(tmp_path / "a.rrd", entity, "AssetVideo:blob")[0]) == (tmp_path / "v.mp4").read_bytes()
        stamps = column(tmp_path / "a.rrd", entity, "VideoFrameReference:timestamp")
        # At 25 fps every other of the 20 frames of 50 fps; after that the video has ended.
        assert {frame: round(int(stamp[0]) / 1e9 * 50) for frame, stamp in stamps.items()} == {
            frame: 2 * frame for frame in range(10)
        }
    else:
        import cv2

        blobs = column(tmp_path / "a.rrd", entity, "EncodedImage:blob")
        assert sorted(blobs) == list(range(10))
        for frame, blob in blobs.items():
            image = cv2.imdecode(blob[0].astype(np.uint8), cv2.IMREAD_COLOR)
            assert abs(image.mean() - 20 * frame) < 4
            assert image.shape[:2] == ((64, 48) if rotation else (48, 64))


def test_bad_input(tmp_path):
    save_rerun(motion(), tmp_path / "a.rrd")
    with pytest.raises(OutputExistsError):
        save_rerun(motion(), tmp_path / "a.rrd")
    save_rerun(motion(), tmp_path / "a.rrd", overwrite=True)
    with pytest.raises(UnknownFormatError):
        save_rerun(motion(), tmp_path / "b.html")
    with pytest.raises(ShapeError, match="truth has 3 frames"):
        save_rerun(motion(), tmp_path / "b.rrd", truth=motion().select(slice(0, 3)))
    with pytest.raises(ShapeError, match="world space only"):
        save_rerun(motion(space="camera"), tmp_path / "b.rrd", rig=Rig((CAMERA,)))
    with pytest.raises(Lift3DError, match="no camera other"):
        save_rerun(motion(), tmp_path / "b.rrd", videos={"other": None})
    with pytest.raises(Lift3DError, match="nothing to draw"):
        save_rerun(replace(motion(), xyz=np.full((12, 2, 17, 3), np.nan)), tmp_path / "b.rrd")
    assert [path.name for path in tmp_path.iterdir()] == ["a.rrd"]


def test_nobody_is_told(tmp_path):
    """Rerun writes down who to report to when it first reports anything: nothing of the kind is written."""
    code = (
        "import numpy as np\nfrom lift3d.poses import Poses3D\nfrom lift3d.viz.rerun_recording import save_rerun\n"
        f"save_rerun(Poses3D(np.ones((2, 1, 17, 3)), skeleton='h36m17'), {str(tmp_path / 'a.rrd')!r})"
    )
    home = tmp_path / "home"
    home.mkdir()
    variables = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    subprocess.run([sys.executable, "-c", code], env={**variables, "HOME": str(home)}, check=True, timeout=120)
    assert (tmp_path / "a.rrd").stat().st_size > 0
    assert not [path for path in home.rglob("*") if "rerun" in path.name]

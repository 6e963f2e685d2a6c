"""The recorded four-camera demo as it is drawn: the reprojected person lies on the person in each camera's picture."""

from pathlib import Path

import numpy as np
import pytest

from lift3d.io.keypoints import read_keypoints
from lift3d.io.rigs import read_rig
from lift3d.multiview.triangulate import triangulate
from lift3d.viz.flat_frames import FlatFrames
from lift3d.viz.look import Look
from lift3d.viz.stage import Stage

CAMERAS = ("cam01", "cam02", "cam03", "cam04")
SIZE = (640, 360)


@pytest.fixture(scope="module")
def stage(shared_data: Path) -> Stage:
    pytest.importorskip("av")
    from lift3d.io.videos import VideoFile

    demo = shared_data / "multiview" / "pose2sim_demo"
    rig = read_rig(demo / "calibration" / "Calib.qca.txt")
    folder = demo / "single_balancing"
    keypoints = [read_keypoints(folder / "pose" / f"{name}_json", fps=60) for name in CAMERAS]
    poses = triangulate(keypoints, rig)
    videos = {
        name: VideoFile(folder / "videos" / f"{short}.mp4") for name, short in zip(rig.names, CAMERAS, strict=True)
    }
    return Stage(poses, rig=rig, videos=videos)


def test_each_camera_sees_its_picture_and_the_person_in_it(stage: Stage) -> None:
    """The picture in the camera's own view is the video's frame, and the drawn person lies where the keypoints are."""
    drawer = FlatFrames(SIZE)
    for item in stage.cameras:
        viewpoint = stage.viewpoints[item.camera.name]
        drawing = stage.drawing(50, item.camera.name)
        picture = next(p for p in drawing.pictures if np.allclose(viewpoint.project(p.corners, *SIZE)[0][0, 1], 0))
        pixels, depth = viewpoint.project(drawing.spheres.centres, *SIZE)
        corners, far = viewpoint.project(picture.corners, *SIZE)
        seen = np.isfinite(pixels[:, 0])
        assert ((pixels[seen] > corners[0]) & (pixels[seen] < corners[2])).all()
        assert depth[seen].max() < far.min()
        image = drawer.draw(stage.backdrop, drawing, viewpoint)
        inside = image[:, round(corners[0, 0]) + 2 : round(corners[1, 0]) - 2]
        assert (inside == 255).all(axis=-1).mean() < 0.2


def test_overview_has_all_cameras_in_frame(stage: Stage) -> None:
    viewpoint = stage.viewpoints["overview"]
    drawing = stage.drawing(50)
    assert len(drawing.pictures) == 4
    for picture in drawing.pictures:
        pixels, _ = viewpoint.project(picture.corners, *SIZE)
        assert ((pixels > 0) & (pixels < SIZE)).all()
    bare = FlatFrames(SIZE).draw(stage.backdrop, stage.drawing(50), viewpoint).astype(int)
    stage.look = Look(pictures=False)
    without = FlatFrames(SIZE).draw(stage.backdrop, stage.drawing(50), viewpoint).astype(int)
    stage.look = Look()
    for picture in drawing.pictures:
        x, y = viewpoint.project(picture.corners.mean(axis=0), *SIZE)[0].astype(int)
        part = np.s_[y - 2 : y + 3, x - 2 : x + 3]
        assert np.abs(bare[part] - without[part]).max() > 30

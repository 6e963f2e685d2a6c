"""Videos, folders and lists of images, and which images belong to one moment."""

import contextlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lift3d.calibration.footage import Images, Video, find_sources, open_footage, read_image, shorten
from lift3d.calibration.moments import match_moments, single_moments
from lift3d.errors import FileFormatError, Lift3DError


def picture(path: Path, shade: int = 128, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(size[::-1], shade, np.uint8))
    return path


def video(path: Path, frames: int) -> Path:
    """Each frame is brighter than the one before by 8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for frame in range(frames):
        writer.write(np.full((48, 64, 3), 8 * frame, np.uint8))
    writer.release()
    return path


def test_a_video_is_read_at_the_frames_that_are_asked_for(tmp_path: Path) -> None:
    footage = open_footage(video(tmp_path / "cam.avi", 20))
    assert isinstance(footage, Video)
    assert len(footage) == 20
    read = dict(footage.read([0, 3, 4, 11, 19]))
    assert list(read) == [0, 3, 4, 11, 19]
    for index, image in read.items():
        assert image.shape == (48, 64)
        assert abs(float(image.mean()) - 8 * index) < 2
    # What a video claims to have and has not is left out.
    assert list(dict(Video(footage.path, 30).read([5, 25]))) == [5]


def test_a_folder_a_pattern_and_a_list_are_the_same_images(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        picture(tmp_path / f"left{number}.png", number)
        picture(tmp_path / f"right{number}.png", number)
    (tmp_path / "notes.txt").write_text("no image")
    footage = open_footage(f"{tmp_path}/left*.png")
    assert isinstance(footage, Images)
    assert [file.name for file in footage.files] == ["left1.png", "left2.png", "left10.png"]
    assert footage.numbers() == [1, 2, 10]
    assert open_footage([tmp_path / f"left{number}.png" for number in (2, 10, 1)]) == footage
    assert [int(image[0, 0]) for _, image in footage.read([0, 2])] == [1, 10]
    assert len(open_footage(tmp_path)) == 6
    # One file a frame number: two cameras in one folder are noticed.
    with pytest.raises(FileFormatError, match="same frame number"):
        open_footage(tmp_path).numbers()


def test_what_is_not_footage(tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(100))
    (tmp_path / "empty.avi").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "take.json").write_text("{}")
    (tmp_path / "none").mkdir()
    video(tmp_path / "two" / "a.avi", 2)
    video(tmp_path / "two" / "b.avi", 2)
    for source, message in {
        "cut.mp4": "not a video that can be read",
        "empty.avi": "not a video that can be read",
        "take.json": "neither an image nor a video",
        "none": "neither images nor a video",
        "two": "more than one thing to read",
        "missing": "no such file or folder",
        "left*.png": "no file matches",
    }.items():
        with pytest.raises(FileFormatError, match=message):
            open_footage(tmp_path / source)
    with pytest.raises(FileFormatError, match="not an image"):
        read_image(tmp_path / "text.jpg")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(FileFormatError, match="not an image"):
        open_footage([tmp_path / "take.json"])
    with pytest.raises(FileFormatError, match="no images"):
        open_footage([])


def test_cameras_of_a_folder_by_name(tmp_path: Path) -> None:
    for camera in ("int_cam01_img", "int_cam02_img", "int_cam10_img"):
        picture(tmp_path / "images" / camera / "a1.png")
    (tmp_path / "images" / "notes").mkdir()
    assert list(find_sources(tmp_path / "images")) == ["cam01", "cam02", "cam10"]
    for camera in ("cam_0", "cam_1"):
        video(tmp_path / "videos" / f"{camera}.avi", 2)
    assert list(find_sources(tmp_path / "videos")) == ["cam_0", "cam_1"]
    assert list(find_sources(tmp_path / "images" / "int_cam01_img")) == ["int_cam01_img"]
    picture(tmp_path / "videos" / "cam_1" / "a1.png")
    with pytest.raises(FileFormatError, match=r"'cam_1' and 'cam_1\.avi' both are camera 'cam_1'"):
        find_sources(tmp_path / "videos")
    with pytest.raises(FileFormatError, match="no camera here"):
        find_sources(tmp_path / "images" / "notes")
    with pytest.raises(FileFormatError, match="no such folder"):
        find_sources(tmp_path / "missing")


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["int_cam01_img", "int_cam02_img"], ["cam01", "cam02"]),
        (["take_cam_1_board", "take_cam_2_board"], ["cam_1", "cam_2"]),
        (["left", "right"], ["left", "right"]),
        (["GX01-0001", "GX02-0001"], ["GX01", "GX02"]),
        (["a_1", "b_1"], ["a", "b"]),
        (["cam_1", "cam_1_b"], ["cam_1", "cam_1_b"]),
        (["alone_cam"], ["alone_cam"]),
    ],
)
def test_names_without_what_they_share(names: list[str], short: list[str]) -> None:
    assert shorten(names) == short


@example(["_", "1_"])
@given(st.lists(st.text("ab1_-. ", min_size=1, max_size=8), min_size=1, max_size=4, unique=True))
def test_shortened_names_stay_different_and_are_never_empty(names: list[str]) -> None:
    short = shorten(names)
    assert len(set(short)) == len(names)
    assert all(name and name in full for name, full in zip(short, names, strict=True))


def test_images_are_matched_by_number(tmp_path: Path) -> None:
    left = open_footage([picture(tmp_path / f"left{n:02}.png") for n in (1, 2, 4)])
    right = open_footage([picture(tmp_path / "r" / f"cam2_{n}_view.png") for n in (2, 3, 4)])
    assert match_moments({"left": left, "right": right}) == [
        ("1", {"left": 0}),
        ("2", {"left": 1, "right": 0}),
        ("3", {"right": 1}),
        ("4", {"left": 2, "right": 2}),
    ]
    single = {
        "cam1": open_footage(picture(tmp_path / "cam1_ext.png")),
        "cam2": open_footage(picture(tmp_path / "b7.png")),
    }
    assert match_moments(single) == [("0", {"cam1": 0, "cam2": 0})]
    assert single_moments({"right": right})[1] == ("right/cam2_3_view.png", {"right": 1})


def test_videos_are_matched_by_frame_or_by_caliscopes_table(tmp_path: Path) -> None:
    sources = {f"cam_{n}": open_footage(video(tmp_path / f"cam_{n}.avi", 3)) for n in (0, 1)}
    assert match_moments(sources) == [(str(n), {"cam_0": n, "cam_1": n}) for n in range(3)]
    table = tmp_path / "timestamps.csv"
    # Camera 1 dropped sync index 27, and its program had counted to 40 when it began to record.
    rows = ["26,0,26,1.0", "26,1,40,1.0", "27,0,27,1.1", "28,1,41,1.2", "28,0,28,1.2", "29,1,42,1.3"]
    table.write_text("\n".join(["sync_index,cam_id,frame_index,frame_time", *rows]))
    assert match_moments(sources) == [
        ("26", {"cam_0": 0, "cam_1": 0}),
        ("27", {"cam_0": 1}),
        ("28", {"cam_0": 2, "cam_1": 1}),
        ("29", {"cam_1": 2}),
    ]
    renamed = {"left": sources["cam_0"], "right": sources["cam_1"]}
    assert match_moments(renamed, table)[0] == ("26", {"left": 0, "right": 0})
    bad = {
        "sync_index,cam_id,frame_index\n1,0,0\n1,1,0\n9,1,5": "6 frames, but its video has 3",
        "sync_index,cam_id,frame_index\n1,0,0": "camera 'cam_1' has no rows",
        "sync_index,cam_id\n1,0": "column is missing",
        "sync_index,cam_id,frame_index\n1,0,x": "line 2: expected three whole numbers",
        "": "column is missing",
    }
    for text, message in bad.items():
        table.write_text(text)
        with pytest.raises(FileFormatError, match=message):
            match_moments(sources)


@given(st.binary(max_size=60))
def test_any_table_is_a_table_or_a_named_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("table")
    (folder / "t.csv").write_bytes(b"sync_index,cam_id,frame_index\n" + content)
    with contextlib.suppress(Lift3DError):
        match_moments({"cam1": Video(folder / "cam1.avi", 10)}, folder / "t.csv")

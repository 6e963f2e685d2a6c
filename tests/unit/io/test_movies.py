"""Movies read back by independent libraries: every frame, its colours, its time; and nothing half-written is left."""

import tracemalloc
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numbered_videos import HEIGHT, WIDTH, number_of, numbered
from PIL import Image

from lift3d.errors import Lift3DError, OutputExistsError, ShapeError, UnknownFormatError
from lift3d.io.movies import movie


def write(path: Path, frames: int, fps: float = 30) -> Path:
    with movie(path, (WIDTH, HEIGHT), fps) as writer:
        for number in range(frames):
            writer.add(numbered(number))
    assert writer.frames == frames
    return path


def test_mp4_read_by_opencv(tmp_path: Path) -> None:
    capture = cv2.VideoCapture(str(write(tmp_path / "a.mp4", 50)))
    images = []
    while (got := capture.read())[0]:
        images.append(got[1])
    assert [number_of(image) for image in images] == list(range(50))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(30)


def test_mp4_is_what_browsers_play(tmp_path: Path) -> None:
    """4:2:0, colours as high-definition video has them and marked so, the index before the pictures."""
    path = write(tmp_path / "a.mp4", 5, fps=30000 / 1001)
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.codec_context.colorspace, stream.codec_context.color_primaries) == (1, 1)
        assert stream.average_rate.as_integer_ratio() == (30000, 1001)
        assert stream.duration * stream.time_base * 30000 / 1001 == pytest.approx(5, abs=0.01)
        image = next(container.decode(stream)).to_ndarray(format="rgb24")
    assert np.abs(image[HEIGHT * 3 // 4, WIDTH // 4].astype(int) - [220, 30, 30]).max() < 12


@pytest.mark.parametrize("size", [(31, 20), (32, 21), (33, 33), (1, 1)])
def test_odd_sizes_grow_by_a_pixel(size: tuple[int, int], tmp_path: Path) -> None:
    with movie(tmp_path / "a.mp4", size, 10) as writer:
        writer.add(np.full((size[1], size[0], 3), 200, np.uint8))
    image = cv2.VideoCapture(str(tmp_path / "a.mp4")).read()[1]
    assert image.shape[:2] == (size[1] + size[1] % 2, size[0] + size[0] % 2)
    assert np.abs(image.astype(int) - 200).max() < 6


def test_mp4_shows_white_where_frames_are_transparent(tmp_path: Path) -> None:
    frame = np.zeros((32, 32, 4), np.uint8)
    frame[:, 16:, 3] = 255
    with movie(tmp_path / "a.mp4", (32, 32), 10) as writer:
        writer.add(frame)
    image = cv2.VideoCapture(str(tmp_path / "a.mp4")).read()[1]
    assert image[:, :12].min() > 245
    assert image[:, 20:].max() < 10


@pytest.mark.parametrize(("fps", "kept"), [(10, 1), (30, 1), (50, 1), (60, 2), (120, 3), (29.97, 1)])
def test_gif_read_by_pillow(fps: float, kept: int, tmp_path: Path) -> None:
    """Its frames, that it loops, and that it plays at its own speed."""
    with Image.open(write(tmp_path / "a.gif", 24, fps)) as image:
        numbers, time = [], 0.0
        assert image.info["loop"] == 0
        for frame in range(image.n_frames):
            image.seek(frame)
            numbers.append(number_of(np.asarray(image.convert("RGB"))))
            assert abs(time - numbers[-1] / fps * 1000) <= 5
            assert image.info["duration"] >= 20
            time += image.info["duration"]
    assert numbers == list(range(0, 24, kept))


def test_gif_colours_of_every_frame(tmp_path: Path) -> None:
    """Frames without a colour in common: one palette for all would show."""
    frames = [np.random.default_rng(i).integers(60 * i, 60 * i + 60, (24, 32, 3)).astype(np.uint8) for i in range(4)]
    with movie(tmp_path / "a.gif", (32, 24), 20) as writer:
        for frame in frames:
            writer.add(frame)
    with Image.open(tmp_path / "a.gif") as image:
        for index, frame in enumerate(frames):
            image.seek(index)
            assert np.abs(np.asarray(image.convert("RGB")).astype(int) - frame).mean() < 10


def test_gif_keeps_transparency(tmp_path: Path) -> None:
    """A square that moves on nothing leaves no trace behind."""
    frames = []
    with movie(tmp_path / "a.gif", (40, 20), 20) as writer:
        for step in range(4):
            frame = np.zeros((20, 40, 4), np.uint8)
            frame[5:15, 8 * step : 8 * step + 8] = (0, 114, 178, 255)
            writer.add(frame)
            frames.append(frame)
    with Image.open(tmp_path / "a.gif") as image:
        for index, frame in enumerate(frames):
            image.seek(index)
            shown = np.asarray(image.convert("RGBA")).astype(int)
            np.testing.assert_array_equal(shown[..., 3], frame[..., 3])
            assert np.abs(shown - frame)[frame[..., 3] > 0].max() <= 4


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_memory_does_not_grow(ending: str, tmp_path: Path) -> None:
    frame = np.zeros((240, 320, 3), np.uint8)
    with movie(tmp_path / f"a.{ending}", (320, 240), 30) as writer:
        writer.add(frame)
        tracemalloc.start()
        for number in range(60):
            frame[:] = number
            writer.add(frame)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * frame.nbytes


@pytest.mark.parametrize("ending", ["mp4", "gif"])
@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, None])
def test_nothing_half_written_is_left(ending: str, interruption: type[BaseException] | None, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"before")

    def interrupted() -> None:
        with movie(path, (WIDTH, HEIGHT), 30, overwrite=True) as writer:
            if interruption is not None:
                for number in range(3):
                    writer.add(numbered(number))
                raise interruption

    with pytest.raises(interruption or Lift3DError):
        interrupted()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"before"


def test_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "there.mp4").write_bytes(b"")
    for name, size, fps, kind, message in (
        ("a.avi", (4, 4), 30, UnknownFormatError, "'.avi'"),
        ("there.mp4", (4, 4), 30, OutputExistsError, "--overwrite"),
        ("none/a.mp4", (4, 4), 30, Lift3DError, "does not exist"),
        ("a.mp4", (0, 4), 30, ShapeError, "0 x 4"),
        ("a.gif", (4, 4), float("nan"), ShapeError, "nan"),
    ):
        with pytest.raises(kind, match=message), movie(tmp_path / name, size, fps):
            pass


def test_frames_that_do_not_fit(tmp_path: Path) -> None:
    with movie(tmp_path / "a.mp4", (32, 24), 30) as writer:
        writer.add(np.zeros((24, 32, 3), np.uint8))
        for frame in (
            np.zeros((32, 24, 3), np.uint8),
            np.zeros((24, 32), np.uint8),
            np.zeros((24, 32, 3)),
            np.zeros((24, 32, 4), np.uint8),
        ):
            with pytest.raises(ShapeError, match=r"must be \(24, 32, 3\) uint8"):
                writer.add(frame)
    assert writer.frames == 1

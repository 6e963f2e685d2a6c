"""Videos: the frame that is asked for is the frame that is given, in every format and order; damage is named."""

import random
import wave
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numbered_videos import HEIGHT, WIDTH, number_of, numbered, write_numbered

from lift3d.errors import FileFormatError, Lift3DError
from lift3d.io.videos import NEAR, VideoFile

FRAMES = 80
UNEVEN = [number + number * number // 7 for number in range(FRAMES)]
FORMATS: dict[str, dict[str, Any]] = {
    "reordered.mp4": {"g": "12", "bf": "3"},
    "open_groups.mp4": {"g": "12", "bf": "3", "x264-params": "open-gop=1"},
    "one_key_frame.mp4": {"g": "999"},
    "variable_rate.mp4": {"g": "12", "bf": "3", "times": UNEVEN},
    "late_start.mp4": {"g": "12", "bf": "3", "times": list(range(50, 50 + FRAMES))},
    "no_length.mkv": {"g": "12", "bf": "3"},
    "open_groups.ts": {"g": "12", "bf": "3", "x264-params": "open-gop=1"},
    "no_times.h264": {"g": "12", "bf": "3"},
    "other_times_after_a_jump.mpg": {"codec": "mpeg2video", "g": "12", "bf": "2"},
    "motion_jpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "mpeg4.avi": {"codec": "mpeg4", "g": "12", "bf": "2"},
    "vp9.webm": {"codec": "libvpx-vp9", "g": "12", "deadline": "realtime", "cpu-used": "8"},
}


def read_by_opencv(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (got := capture.read())[0]:
        frames.append(got[1][..., ::-1])
    return frames


@pytest.fixture(scope="module", params=FORMATS)
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_numbered(tmp_path_factory.mktemp("videos") / request.param, FRAMES, **FORMATS[request.param])


def test_every_frame_in_every_order(video: Path) -> None:
    """As an independent reader counts them; in order, there and back, and at random."""
    reference = [number_of(image) for image in read_by_opencv(video)]
    with VideoFile(video) as opened:
        assert opened.frames == len(reference) >= FRAMES - 1
        assert opened.size == (WIDTH, HEIGHT)
        assert [number_of(image) for image in opened.read()] == reference
        order = [*range(opened.frames - 1, opened.frames - 5, -1), *range(3), *range(40, 44), 2, opened.frames - 1]
        order += random.Random(4).choices(range(opened.frames), k=25)
        for index in order:
            assert number_of(opened.frame(index)) == reference[index]
        assert [number_of(image) for image in opened.read(30, 33)] == reference[30:33]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_numbered(tmp_path_factory.mktemp("plain") / "plain.mp4", 2 * NEAR, g="40", bf="2")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 2 * NEAR - 1), min_size=1, max_size=8))
def test_any_order(plain: Path, order: list[int]) -> None:
    with VideoFile(plain) as opened:
        assert [number_of(opened.frame(index)) for index in order] == order


def test_in_order_each_frame_is_decoded_once(plain: Path) -> None:
    with VideoFile(plain) as opened:
        decoded = []
        decoder = opened._decoder
        opened._decoder = (decoded.append(frame.pts) or frame for frame in decoder)  # type: ignore[func-returns-value]
        for index in (0, 0, 1, 2, 5, 5, 6, 30):
            assert number_of(opened.frame(index)) == index
        assert len(decoded) == 31


def test_colours_and_rate(plain: Path) -> None:
    with VideoFile(plain) as opened:
        assert opened.fps == 25
        image = opened.frame(3)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert image.dtype == np.uint8
    red = image[HEIGHT * 3 // 4, WIDTH // 4].astype(int)
    assert np.abs(red - [220, 30, 30]).max() < 25


def test_the_mean_of_a_variable_rate(tmp_path: Path) -> None:
    with VideoFile(write_numbered(tmp_path / "a.mp4", 21, times=[2 * i + i % 2 for i in range(21)])) as opened:
        assert opened.fps == pytest.approx(12.5, rel=0.06)


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_a_phone_held_another_way(rotation: int, tmp_path: Path) -> None:
    """The same as OpenCV, with which detectors read."""
    path = write_numbered(tmp_path / "turned.mp4", 3, rotation=rotation)
    expected = np.rot90(numbered(2), rotation // 90)
    with VideoFile(path) as opened:
        assert opened.size == expected.shape[1::-1]
        image = opened.frame(2)
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - expected).mean() < 12
    assert np.abs(image.astype(int) - read_by_opencv(path)[2]).mean() < 5


def test_what_a_cut_video_still_holds(tmp_path: Path) -> None:
    """The index, at the front, promises more than there is."""
    path = write_numbered(tmp_path / "cut.mp4", FRAMES, g="10", movflags="faststart")
    # The writer's options are the codec's, so the index is moved to the front here.
    import av

    with (
        av.open(str(path)) as source,
        av.open(str(tmp_path / "front.mp4"), "w", options={"movflags": "faststart"}) as target,
    ):
        into = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = into
                target.mux(packet)
    whole = (tmp_path / "front.mp4").read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.75)])
    with VideoFile(path) as opened:
        assert opened.frames == FRAMES
        there = [number_of(image) for image in opened.read()]
        assert 5 < len(there) < FRAMES
        assert there == list(range(len(there)))
        with pytest.raises(FileFormatError, match=r"cut\.mp4.*(ends before frame|cannot be decoded)"):
            opened.frame(FRAMES - 1)
        assert number_of(opened.frame(2)) == 2


def test_no_such_frame(plain: Path) -> None:
    with VideoFile(plain) as opened:
        for index in (-1, 2 * NEAR):
            with pytest.raises(Lift3DError, match=rf"no frame {index}; its {2 * NEAR} frames"):
                opened.frame(index)


def test_what_is_no_video(tmp_path: Path, plain: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes(plain.read_bytes()[:-200])
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 800, "NONE", ""))
        sound.writeframes(bytes(1600))
    for name, message in {
        "text.mp4": "not a video that can be read",
        "empty.mp4": "not a video that can be read",
        "cut.mp4": "cut off",
        "sound.wav": "there is no video in this file",
        "none.mp4": "no such file",
    }.items():
        with pytest.raises(FileFormatError, match=message) as error:
            VideoFile(tmp_path / name)
        assert name in str(error.value)


def test_a_playlist_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n")
    with pytest.raises(FileFormatError):
        VideoFile(tmp_path / "list.m3u8")


@settings(deadline=None, max_examples=40)
@example(5, 0.3, 0)
@given(st.integers(0, 2**31), st.floats(0, 1), st.integers(0, 7))
def test_damage_is_a_named_error_or_pictures(
    plain: Path, tmp_path_factory: pytest.TempPathFactory, seed: int, cut: float, flips: int
) -> None:
    content = bytearray(plain.read_bytes())
    rng = random.Random(seed)
    for _ in range(flips):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path = tmp_path_factory.mktemp("damaged") / "a.mp4"
    path.write_bytes(content[: max(1, int(cut * len(content)))] if seed % 2 else content)
    try:
        with VideoFile(path) as opened:
            for image in (*opened.read(0, 3), opened.frame(min(60, opened.frames - 1))):
                assert image.shape == (*opened.size[::-1], 3)
    except Lift3DError as error:
        assert str(path) in str(error)  # noqa: PT017

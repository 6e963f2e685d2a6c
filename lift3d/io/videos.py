"""Videos in: exact frames in colour, one after the other or anywhere."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lift3d.errors import FileFormatError, Lift3DError, MissingDependencyError

if TYPE_CHECKING:
    from av import VideoFrame

MAX_FRAME_BYTES = 1 << 30
PLAYLISTS = {"applehttp", "concat", "dash", "hls", "imf"}
# A frame that lies less far ahead is reached by decoding; for one further ahead it pays to look for a key frame.
NEAR = 48


class VideoFile:
    """A video, open for reading, as it is meant to be shown: a phone's rotation is applied.

    Frames are counted from 0 in the order in which they are decoded and shown, as pose detectors count them. In a video
    of variable frame rate a frame's number does not say its time; ``fps`` is the mean.

    Use it in a ``with`` block, or ``close`` it. Two threads must not read from it at once.

    Args:
        path: the file, of any format that FFmpeg reads.

    Attributes:
        frames: how many frames it has, as the file says; counted where it does not say.
        fps: frames per second on average, None if the file does not say.
        size: (width, height) in pixels as shown.

    Raises:
        FileFormatError: no such file, no video in it, or not one frame that can be decoded.
        MissingDependencyError: PyAV is not installed.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        av = import_av()
        if not self.path.is_file():
            raise FileFormatError(path, "there is no such file")
        self._container, self._stream = self._open()
        try:
            with self._named_errors("no frame of this video can be decoded; is it damaged?"):
                decoder = self._container.decode(self._stream)
                first: VideoFrame | None = next(decoder, None)
            if first is None:
                raise FileFormatError(path, "the video holds no frame; was it cut off while it was recorded?")
            self._decoder: Iterator[VideoFrame] = chain([first], decoder)
            # The number of the frame that the decoder gives next, and the picture that was given last.
            self._next = 0
            self._latest: tuple[int, np.ndarray] | None = None
            # Timestamps of all frames and of the key frames, ascending; read when they are first needed.
            self._times: tuple[list[int], list[int]] | None = None
            self._first_time: int | None = first.pts
            self._coded_size = first.width, first.height
            self._quarter_turns = round(first.rotation / 90) % 4
            self._converter = av.video.reformatter.VideoReformatter()
            self.size: tuple[int, int] = self._coded_size[::-1] if self._quarter_turns % 2 else self._coded_size
            rate = self._stream.average_rate or self._stream.guessed_rate
            self.fps: float | None = float(rate) if rate else None
            self.frames: int = self._count()
        except BaseException:
            self.close()
            raise

    def frame(self, index: int) -> np.ndarray:
        """(height, width, 3) uint8 RGB of one frame; asked for in ascending order, each frame is decoded once.

        Raises:
            FileFormatError: it cannot be decoded: the video ends before it, or is damaged there.
            Lift3DError: there is no such frame.
        """
        if not 0 <= index < self.frames:
            raise Lift3DError(f"{self.path}: there is no frame {index}; its {self.frames} frames count from 0")
        if self._latest is None or self._latest[0] != index:
            frame = self._decode(index)
            if frame is None:
                problem = f"ends before frame {index}, though it claims {self.frames} frames; was it cut off?"
                raise FileFormatError(self.path, problem)
            self._latest = index, self._picture(frame)
        return self._latest[1]

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """(height, width, 3) uint8 RGB of the frames from ``start`` to before ``stop``, one in memory at a time.

        A video that ends before its time gives what there is.

        Raises:
            FileFormatError: the video is damaged there.
        """
        for index in range(start, self.frames if stop is None else min(stop, self.frames)):
            frame = self._decode(index)
            if frame is None:
                return
            yield self._picture(frame)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _open(self) -> tuple[Any, Any]:
        """The file and the video in it."""
        import av

        with self._named_errors(
            "not a video that can be read; is it damaged, or was it cut off while it was recorded?"
        ):
            # A playlist is no recording: it names other files and addresses.
            formats = ",".join(sorted(av.formats_available - PLAYLISTS))
            options = {"format_whitelist": formats, "protocol_whitelist": "file"}
            container = av.open(str(self.path.absolute()), options=options, metadata_errors="ignore")
        try:
            # The picture on the cover of a sound recording is no video.
            cover = av.stream.Disposition.attached_pic
            streams = [stream for stream in container.streams.video if not stream.disposition & cover]
            if not streams:
                raise FileFormatError(self.path, "there is no video in this file")
            stream = streams[0]
            if stream.codec_context is None:
                raise FileFormatError(self.path, "the video is in a coding that cannot be decoded; is it damaged?")
            if stream.width * stream.height * 3 > MAX_FRAME_BYTES:
                raise FileFormatError(self.path, f"claims frames of {stream.width} x {stream.height} pixels")
            stream.thread_type = "AUTO"
        except BaseException:
            container.close()
            raise
        return container, stream

    def _count(self) -> int:
        """How many frames there are."""
        claimed = int(self._stream.frames)
        if not claimed:
            return len(self._timestamps()[0]) or self._count_decoded()
        entries = self._stream.index_entries
        # A cut MP4 still holds the frames that were cut away, marked in its index.
        return sum(not entry.is_discard for entry in entries) if len(entries) == claimed else claimed

    def _count_decoded(self) -> int:
        count = 0
        while self._decode(count) is not None:
            count += 1
        self._rewind()
        return count

    def _timestamps(self) -> tuple[list[int], list[int]]:
        """Timestamps of all frames and of the key frames, ascending; none if not every frame has one of its own."""
        if self._times is None:
            container, stream = self._open()
            with self._named_errors("the video is damaged"), container:
                packets = [
                    (packet.dts if packet.pts is None else packet.pts, packet.is_keyframe)
                    for packet in container.demux(stream)
                    if packet.size and not packet.is_discard
                ]
            first = self._first_time
            if first is None or any(time is None for time, _ in packets):
                self._times = [], []
            else:
                # What lies before the first frame that can be decoded is no frame to anybody.
                known = sorted((time, key) for time, key in packets if time >= first)
                times = [time for time, _ in known]
                unique = len(set(times)) == len(times)
                self._times = (times, [time for time, key in known if key]) if unique else ([], [])
        return self._times

    def _decode(self, index: int) -> VideoFrame | None:
        """The frame of that number, None if the video ends before it."""
        if not self._next <= index < self._next + NEAR:
            self._approach(index)
        problem = f"frame {index} cannot be decoded; the video is damaged there"
        times = self._times[0] if self._times else []
        with self._named_errors(problem):
            for frame in self._decoder:
                number = self._next
                if times and frame.pts is not None:
                    number = bisect_left(times, frame.pts)
                self._next = number + 1
                if number == index:
                    return frame
                if number > index:
                    raise FileFormatError(self.path, problem)
        return None

    def _approach(self, index: int) -> None:
        """Let the decoder go on from the last key frame before a frame, where it is not nearer already."""
        times, keys = self._timestamps()
        if index >= len(times):
            if index < self._next:
                self._rewind()
            return
        before = keys[: bisect_right(keys, times[index])]
        if self._next <= index and (not before or bisect_left(times, before[-1]) <= self._next):
            return
        for key in reversed(before):
            with self._named_errors("the video is damaged"):
                self._container.seek(key, stream=self._stream)
                decoder = self._container.decode(self._stream)
                first: VideoFrame | None = next(decoder, None)
            time = None if first is None else first.pts
            if first is None or time is None or time not in times:
                # Such a format (MPEG-PS) gives frames other times after a jump: they can be counted only.
                self._times = [], []
                break
            # Not every format goes to the very key frame that it is asked for.
            if time <= times[index]:
                self._decoder, self._next = chain([first], decoder), bisect_left(times, time)
                return
        self._rewind()

    def _rewind(self) -> None:
        """Start again; opening anew does it in every format."""
        self._container.close()
        self._container, self._stream = self._open()
        self._decoder, self._next = self._container.decode(self._stream), 0

    def _picture(self, frame: VideoFrame) -> np.ndarray:
        if (frame.width, frame.height) != self._coded_size:
            found = f"{frame.width} x {frame.height} pixels after {self._coded_size[0]} x {self._coded_size[1]}"
            raise FileFormatError(self.path, f"the size of its frames changes: {found}")
        image = self._converter.reformat(frame, format="rgb24").to_ndarray()
        return np.ascontiguousarray(np.rot90(image, self._quarter_turns))

    @contextmanager
    def _named_errors(self, problem: str) -> Iterator[None]:
        """What PyAV raises in this block is a FileFormatError; of a damaged list of streams it is an IndexError."""
        import av

        try:
            yield
        except (av.FFmpegError, MemoryError, IndexError) as error:
            raise FileFormatError(self.path, problem) from error


def import_av() -> Any:
    """The module ``av`` (PyAV). Raises MissingDependencyError if it is not installed."""
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError("videos are read and written by PyAV: pip install 'lift3d[viz]'") from error
    return av

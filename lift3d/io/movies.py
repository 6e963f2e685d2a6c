"""Movies out: frames written as they come, to MP4 or GIF."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError, Lift3DError, MissingDependencyError, ShapeError, UnknownFormatError
from lift3d.io.files import atomic_path
from lift3d.io.videos import import_av

ENDINGS = (".mp4", ".gif")
# Constant quality: 18 cannot be told from the original, 23 is x264's own choice; thin lines need more than that.
MP4_OPTIONS = {"crf": "19", "preset": "veryfast"}
# The colours of high-definition video, as the standard numbers them.
BT709 = 1
# Browsers play a GIF whose frames last less than 1/50 s much too slowly. It counts in hundredths of a second.
GIF_RATE, GIF_TICKS = 50, 100


@contextmanager
def movie(path: str | PathLike[str], size: tuple[int, int], fps: float, overwrite: bool = False) -> Iterator[Movie]:
    """A movie to ``add`` frames to, one in memory at a time; the file is there when the block ends well.

    An .mp4 is H.264, which every browser plays; what is transparent becomes white, and a side of an odd number of
    pixels grows by one. A .gif has a palette a frame, loops for ever, keeps transparency, and shows at most 50 frames
    a second: of a faster movie every second (third, ...) frame is kept, so that it still plays at its own speed.

    Args:
        path: the file, .mp4 or .gif.
        size: (width, height) in pixels of the frames.
        fps: frames per second.
        overwrite: whether an existing file may be replaced.

    Raises:
        UnknownFormatError: another ending.
        OutputExistsError: the file exists and ``overwrite`` is False.
        ShapeError: ``size`` or ``fps`` is impossible.
        Lift3DError: no frame was added, or the file cannot be written.
        MissingDependencyError: PyAV is not installed.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise UnknownFormatError(path, f"a movie has the ending {' or '.join(ENDINGS)}, not {ending!r}")
    if min(size) < 1 or not (math.isfinite(fps) and fps > 0):
        raise ShapeError(f"a movie of {size[0]} x {size[1]} pixels at {fps} frames per second is impossible")
    av = import_av()
    with atomic_path(path, overwrite) as temporary:
        try:
            writer = (_Gif if ending == ".gif" else _Mp4)(temporary, size, fps)
            try:
                yield writer
                writer.finish()
            finally:
                writer.close()
        except av.FFmpegError as error:
            raise FileFormatError(path, f"cannot be written ({error})") from error


class Movie(ABC):
    """A movie that is being written; ``movie`` opens it.

    Attributes:
        size: (width, height) in pixels of the frames.
        frames: how many frames were added.
    """

    _stream: Any

    def __init__(self, path: Path, size: tuple[int, int], **options: str) -> None:
        import av

        self.size = size
        self.frames = 0
        self._channels = 0
        self._container: Any = av.open(str(path), "w", options=options)

    def add(self, image: np.ndarray) -> None:
        """Append one frame.

        Args:
            image: (height, width, 3) uint8 RGB, or (height, width, 4) with opacity; all frames alike.

        Raises:
            ShapeError: it is no such image.
        """
        width, height = self.size
        channels = (self._channels,) if self._channels else (3, 4)
        if image.dtype != np.uint8 or image.shape not in [(height, width, n) for n in channels]:
            wanted = f"({height}, {width}, {' or '.join(map(str, channels))}) uint8"
            raise ShapeError(f"a frame of this movie must be {wanted}, not {image.shape} {image.dtype}")
        self._channels = image.shape[2]
        for frame in self._converted(image):
            self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def finish(self) -> None:
        """Write what is still on its way. Raises Lift3DError if no frame was added."""
        if not self.frames:
            raise Lift3DError("there is nothing to write: not one frame was added to the movie")
        self._container.mux(self._stream.encode())
        self._container.close()

    def close(self) -> None:
        """Close the file, whole or not."""
        with suppress(OSError, ValueError):
            self._container.close()

    @abstractmethod
    def _converted(self, image: np.ndarray) -> Iterator[Any]:
        """The frames that the encoder takes next."""


class _Mp4(Movie):
    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        import av
        from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

        # The index goes to the front, so that a page can play the movie while it loads.
        super().__init__(path, size, movflags="+faststart")
        rate = Fraction(fps).limit_denominator(1001)
        try:
            self._stream = self._container.add_stream("libx264", rate=rate, options=MP4_OPTIONS)
        except av.codec.codec.UnknownCodecError as error:
            raise MissingDependencyError(
                "this PyAV cannot write H.264, that of the Python Package Index can: pip install 'lift3d[viz]'"
            ) from error
        # Colours have half the resolution, which asks for even sides.
        self._stream.width, self._stream.height = (side + side % 2 for side in size)
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = ColorRange.MPEG
        self._time_base = 1 / rate
        self._converter: Any = VideoReformatter()
        self._into = {"format": "yuv420p", "dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.MPEG}

    def _converted(self, image: np.ndarray) -> Iterator[Any]:
        import av

        if image.shape[2] == 4:
            opacity = image[..., 3:].astype(np.uint16)
            image = ((image[..., :3] * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
        height, width = image.shape[:2]
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = self._converter.reformat(frame, **self._into)
        frame.pts, frame.time_base = self.frames, self._time_base
        yield frame


class _Gif(Movie):
    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        super().__init__(path, size, loop="0")
        self._fps = fps
        self._every = math.ceil(fps / GIF_RATE - 1e-6)
        self._stream = self._container.add_stream("gif", rate=GIF_RATE)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "pal8"
        self._stream.codec_context.time_base = Fraction(1, GIF_TICKS)
        self._graph: Any = None

    def _converted(self, image: np.ndarray) -> Iterator[Any]:
        import av

        if self.frames % self._every:
            return
        layout = "rgba" if image.shape[2] == 4 else "rgb24"
        if self._graph is None:
            self._graph = self._palette_graph(layout)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=layout)
        frame.pts, frame.time_base = round(self.frames * GIF_TICKS / self._fps), Fraction(1, GIF_TICKS)
        self._graph.push(frame)
        with suppress(av.BlockingIOError):
            while True:
                yield self._graph.pull()

    def _palette_graph(self, layout: str) -> Any:
        """FFmpeg's filters that find a palette for each frame and apply it."""
        import av

        graph = av.filter.Graph()
        width, height = self.size
        pixels, ticks = av.VideoFormat(layout), Fraction(1, GIF_TICKS)
        source = graph.add_buffer(width=width, height=height, format=pixels, time_base=ticks)
        split = graph.add("split")
        find = graph.add("palettegen", f"stats_mode=single:reserve_transparent={int(layout == 'rgba')}")
        # Ordered dithering stands still where the picture does.
        use = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=4:alpha_threshold=128")
        source.link_to(split)
        split.link_to(find, 0, 0)
        split.link_to(use, 1, 0)
        find.link_to(use, 0, 1)
        use.link_to(graph.add("buffersink"))
        graph.configure()
        return graph

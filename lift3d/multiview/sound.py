"""The sound of a video, on the clock of its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from lift3d.errors import FileFormatError, MissingDependencyError

RATE = 8000  # samples per second: enough for a hundredth of a frame, and small for hours
LONGEST_GAP = 3600.0  # seconds without sound within a file; more is a damaged time stamp


@dataclass(frozen=True)
class Sound:
    """One video's sound, all channels mixed.

    Attributes:
        name: the camera's name.
        samples: (n,) int16 at ``RATE`` per second.
        start: when the first sample was taken, seconds after the first picture.
        fps: pictures per second.
    """

    name: str
    samples: np.ndarray
    start: float
    fps: float

    @property
    def duration(self) -> float:
        return len(self.samples) / RATE

    def at(self, second: float, count: int) -> np.ndarray:
        """``count`` samples from a time after the first picture on, (count,) float64; 0 where there is no sound."""
        first = round((second - self.start) * RATE)
        result = np.zeros(count)
        low, high = max(first, 0), min(first + count, len(self.samples))
        if low < high:
            result[low - first : high - first] = self.samples[low:high]
        return result


def read_sound(name: str, path: str | PathLike[str]) -> Sound:
    """Decode the first sound track of a video with PyAV.

    Raises:
        MissingDependencyError: PyAV is not installed.
        FileFormatError: the file is missing or damaged, or has no picture, no sound, or only silence.
    """
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError("the sound of videos needs PyAV: pip install 'lift3d[detect]'") from error
    if not Path(path).is_file():
        raise FileFormatError(path, "there is no such video")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video or not container.streams.video[0].average_rate:
                raise FileFormatError(path, "it has no picture; the sound must be that of the camera's own video")
            if not container.streams.audio:
                raise FileFormatError(path, "the video has no sound; synchronise its camera by motion")
            picture, track = container.streams.video[0], container.streams.audio[0]
            fps = float(picture.average_rate or 0)
            zero = float((picture.start_time or 0) * (picture.time_base or 0))
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            parts: list[np.ndarray] = []
            start, length = 0.0, 0
            for frame in container.decode(track):
                for part in resampler.resample(frame):
                    time = start + length / RATE
                    if part.pts is not None and part.time_base is not None:
                        time = float(part.pts * part.time_base) - zero
                    if not parts:
                        start = time
                    # Some cameras drop sound; what follows stays at its own time.
                    missing = time - start - length / RATE
                    if missing > LONGEST_GAP:
                        raise FileFormatError(path, f"its sound jumps by {missing:.0f} s", f"sample {length}")
                    if missing > 0.01:
                        parts.append(np.zeros(round(missing * RATE), np.int16))
                        length += len(parts[-1])
                    parts.append(part.to_ndarray().reshape(-1))
                    length += len(parts[-1])
    except av.error.FFmpegError as error:
        raise FileFormatError(path, f"the sound cannot be decoded ({error})") from error
    samples = np.concatenate(parts) if parts else np.empty(0, np.int16)
    if len(samples) == 0 or int(samples.max()) - int(samples.min()) < 4:
        raise FileFormatError(path, "the video is silent; was the microphone off? Synchronise its camera by motion")
    return Sound(name, samples, start, fps)

"""What cameras filmed: videos, folders and lists of images, read one image at a time."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.geometry.rigs import natural_key
from lift3d.io.frame_numbers import frame_numbers

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".wmv", ".webm", ".mts")
MAX_IMAGE_BYTES = 1 << 30

Source = str | PathLike[str] | Sequence[str | PathLike[str]]


@dataclass(frozen=True)
class Images:
    """A camera's single images, in natural order.

    Attributes:
        path: their folder.
        files: the images.
    """

    path: Path
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """What one of the images is called in messages."""
        return str(self.files[index])

    def numbers(self) -> list[int]:
        """The number of each image, by which images of several cameras are matched: the one in its name."""
        numbers = frame_numbers([file.stem for file in self.files], self.path)
        return list(range(len(self))) if numbers is None else numbers

    def read(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """(index, (height, width) uint8 image) of the indices, one image in memory at a time.

        Raises:
            FileFormatError: an image cannot be read.
        """
        for index in indices:
            yield index, read_image(self.files[index])


@dataclass(frozen=True)
class Video:
    """A camera's video.

    Attributes:
        path: the file.
        frames: how many frames it claims to have.
    """

    path: Path
    frames: int

    def __len__(self) -> int:
        return self.frames

    def name(self, index: int) -> str:
        """What one of the frames is called in messages."""
        return f"{self.path}, frame {index}"

    def numbers(self) -> list[int]:
        """The number of each frame, by which videos of several cameras are matched."""
        return list(range(self.frames))

    def read(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """(index, (height, width) uint8 image) of the indices, which ascend, one frame in memory at a time.

        Frames are counted while they are decoded one after the other: seeking is not exact in every format. A video
        that ends before its time gives what there is.

        Raises:
            FileFormatError: no frame can be decoded.
        """
        import cv2

        capture = _open_video(self.path)
        try:
            at = -1
            for index in indices:
                while at < index and capture.grab():
                    at += 1
                if at < index:
                    break
                ok, frame = capture.retrieve()
                if ok:
                    yield index, frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            if at < 0:
                raise FileFormatError(self.path, "no frame of this video can be decoded; is it damaged?")
        finally:
            capture.release()


Footage = Images | Video


def read_image(path: str | PathLike[str]) -> np.ndarray:
    """(height, width) uint8 of an image file, turned as its camera says. Raises FileFormatError if it is none."""
    import cv2

    try:
        size = Path(path).stat().st_size
        if size > MAX_IMAGE_BYTES:
            raise FileFormatError(path, f"{size / 2**30:.1f} GiB are no image")
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    except cv2.error:
        image = None
    if image is None:
        raise FileFormatError(path, "not an image that can be read; is it damaged, or of another kind?")
    return np.asarray(image)


def open_footage(source: Source) -> Footage:
    """The images of one camera.

    Args:
        source: a video, an image, a folder of images or with one video, a pattern such as ``dir/left*.jpg``, or a list
            of images.

    Raises:
        FileFormatError: there is nothing there, or nothing that can be read.
    """
    if not isinstance(source, (str, PathLike)):
        files = [Path(file) for file in source]
        return _images(files, files[0].parent if files else Path("."))
    path = Path(source)
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return _file(path)
    if glob.has_magic(str(source)):
        found = [Path(file) for file in glob.glob(str(source), recursive=True) if Path(file).is_file()]
        if not found:
            raise FileFormatError(source, "no file matches this pattern")
        return _file(found[0]) if len(found) == 1 else _images(found, found[0].parent)
    raise FileFormatError(source, "there is no such file or folder")


def find_sources(folder: str | PathLike[str]) -> dict[str, Path]:
    """The cameras in a folder, by name: each a subfolder with images or a video, or a video.

    What all names begin and end with is left out, whole words at a time, as long as a name still starts with a letter:
    ``int_cam01_img`` and ``int_cam02_img`` are cam01 and cam02. A folder of images alone is one camera.

    Raises:
        FileFormatError: no such folder, no camera in it, or two of one name.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FileFormatError(path, "there is no such folder")
    entries = sorted((entry for entry in path.iterdir() if entry.name[0] != "."), key=lambda e: natural_key(e.name))
    cameras = [
        entry
        for entry in entries
        if (entry.is_dir() and _holds_footage(entry)) or (entry.is_file() and entry.suffix.lower() in VIDEOS)
    ]
    if not cameras:
        if any(entry.suffix.lower() in IMAGES for entry in entries):
            return {path.resolve().name: path}
        raise FileFormatError(path, "no camera here: neither a video nor a subfolder with images or a video")
    names = shorten([camera.stem if camera.is_file() else camera.name for camera in cameras])
    for index, name in enumerate(names):
        if name in names[:index]:
            first, second = cameras[names.index(name)].name, cameras[index].name
            raise FileFormatError(
                path, f"{first!r} and {second!r} both are camera {name!r}; rename or move one of them"
            )
    return dict(zip(names, cameras, strict=True))


def shorten(names: Sequence[str]) -> list[str]:
    """Names without the words that all of them begin or end with; see ``find_sources``."""
    if len(names) < 2:
        return list(names)
    words = [re.split(r"([ _.-]+)", name) for name in names]

    def common(parts: list[list[str]]) -> int:
        """Number of words and gaps, in pairs, that all begin with, short of the last word."""
        length = 0
        while all(len(p) > length + 2 for p in parts) and len({tuple(p[length : length + 2]) for p in parts}) == 1:
            length += 2
        return length

    head = common(words)
    while head and not all(p[head][:1].isalpha() for p in words):
        head -= 2
    words = [p[head:] for p in words]
    tail = common([p[::-1] for p in words])
    while tail and not all("".join(p[: len(p) - tail]) for p in words):
        tail -= 2
    return ["".join(p[: len(p) - tail]) for p in words]


def _holds_footage(folder: Path) -> bool:
    return any(entry.suffix.lower() in IMAGES + VIDEOS for entry in folder.iterdir() if entry.is_file())


def _folder(folder: Path) -> Footage:
    files = [entry for entry in folder.iterdir() if entry.is_file() and entry.name[0] != "."]
    images = [file for file in files if file.suffix.lower() in IMAGES]
    videos = sorted(file.name for file in files if file.suffix.lower() in VIDEOS)
    if images and not videos:
        return _images(images, folder)
    if len(videos) == 1 and not images:
        return _file(folder / videos[0])
    if not files or not (images or videos):
        raise FileFormatError(folder, "neither images nor a video in this folder")
    raise FileFormatError(
        folder, f"more than one thing to read: {len(images)} images and {len(videos)} videos; name one"
    )


def _file(path: Path) -> Footage:
    if path.suffix.lower() in IMAGES:
        return _images([path], path.parent)
    if path.suffix.lower() not in VIDEOS:
        raise FileFormatError(path, f"neither an image nor a video ({', '.join(IMAGES + VIDEOS)})")
    capture = _open_video(path)
    try:
        import cv2

        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if frames <= 0:
            # Some containers do not say how long they are.
            frames = 0
            while capture.grab():
                frames += 1
    finally:
        capture.release()
    if frames == 0:
        raise FileFormatError(path, "the video holds no frame; was it cut off while it was recorded?")
    return Video(path, frames)


def _images(files: list[Path], folder: Path) -> Images:
    if not files:
        raise FileFormatError(folder, "no images")
    for file in files:
        if not file.is_file():
            raise FileFormatError(file, "there is no such file")
        if file.suffix.lower() not in IMAGES:
            raise FileFormatError(file, f"not an image ({', '.join(IMAGES)})")
    ordered = sorted(set(files), key=lambda file: natural_key(str(file)))
    return Images(folder, tuple(ordered))


def _open_video(path: Path) -> Any:
    import cv2

    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise FileFormatError(
            path, "not a video that can be read; is it damaged, or of a kind that OpenCV cannot decode?"
        )
    return capture

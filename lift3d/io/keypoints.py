"""Reading 2D keypoints of any format that is known, and saying what a file was taken for.

| format | what |
|---|---|
| ``lift3d`` | lift3d HDF5 |
| ``openpose`` | OpenPose JSON, a folder of one file a frame or a single file: BODY_25, BODY_25B, COCO |
| ``alphapose`` | AlphaPose results JSON: COCO-17, Halpe-26, Halpe-136; also its ``open`` and ``cmu`` variants |
| ``mmpose`` | MMPose predictions JSON, a file or a folder of one file an image |
| ``coco`` | COCO keypoints JSON: data sets (COCO Annotator, CVAT, COCO-WholeBody, Halpe) and lists of results |
| ``labelme`` | LabelMe JSON, a folder of one file an image or a single file |
| ``mediapipe``, ``mediapipe_csv`` | MediaPipe pose landmarks |
| ``deeplabcut`` | DeepLabCut CSV or HDF5 |
| ``sleap`` | SLEAP analysis HDF5 |
| ``videopose3d`` | VideoPose3D ``data_2d_*.npz``; a clip is chosen as ``file.npz::S1/Walking 1/0`` |
| ``npz`` | plain NPZ with ``xy`` and ``joints`` |
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from lift3d.errors import FileFormatError, ShapeError, UnknownFormatError
from lift3d.io.json_values import outline, read_head
from lift3d.io.keypoint_writers import write_keypoints
from lift3d.io.recording import Detection, Request
from lift3d.poses import Keypoints2D
from lift3d.skeletons import Skeleton, get_skeleton

__all__ = [
    "FORMATS",
    "Detection",
    "detect_format",
    "get_reader",
    "read_keypoints",
    "split_selection",
    "write_keypoints",
]


class Reader(Protocol):
    """A module of one format."""

    NAME: str
    TITLE: str

    def sniff(self, path: Path) -> Detection | None:
        """What the file was taken for, None if it is of another format; reads little."""

    def read(self, path: Path, request: Request) -> Keypoints2D:
        """Read it."""


# Asked in this order: what is sure of itself first.
FORMATS = {
    "lift3d": "lift3d.io.lift3d_hdf5",
    "openpose": "lift3d.io.openpose",
    "labelme": "lift3d.io.labelme",
    "mmpose": "lift3d.io.mmpose",
    "alphapose": "lift3d.io.alphapose",
    "coco": "lift3d.io.coco",
    "mediapipe": "lift3d.io.mediapipe",
    "sleap": "lift3d.io.sleap",
    "deeplabcut": "lift3d.io.deeplabcut",
    "mediapipe_csv": "lift3d.io.mediapipe_csv",
    "videopose3d": "lift3d.io.videopose3d",
    "npz": "lift3d.io.plain_npz",
}


def get_reader(name: str) -> Reader:
    """The module of a format. Raises UnknownFormatError that lists the known names."""
    if name not in FORMATS:
        raise UnknownFormatError(name, f"no such format; known are {', '.join(FORMATS)}")
    return cast(Reader, import_module(FORMATS[name]))


def detect_format(path: str | PathLike[str]) -> Detection:
    """What a file or folder holds, from a look at its beginning.

    Args:
        path: file or folder; a selection behind ``::`` is left out of account.

    Returns:
        The format, why it was taken for that, and the layout's name where the beginning tells it.

    Raises:
        UnknownFormatError: no reader recognises it; the message says what was seen.
        FileFormatError: there is no such file, or the folder holds no JSON.
    """
    file, _ = split_selection(path)
    if not file.exists():
        raise FileFormatError(file, "there is no such file or folder")
    if file.is_dir() and not any(entry.suffix.lower() == ".json" for entry in file.iterdir()):
        raise FileFormatError(file, "no .json file in this folder")
    for name in FORMATS:
        if (found := get_reader(name).sniff(file)) is not None:
            return found
    raise UnknownFormatError(
        file, f"{_what_is_it(file)}; if you know the format, name it with --format ({', '.join(FORMATS)})"
    )


def read_keypoints(
    path: str | PathLike[str],
    format: str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    skeleton: str | Skeleton | None = None,
) -> Keypoints2D:
    """Read 2D keypoints.

    Args:
        path: file or folder; a clip of a VideoPose3D file as ``file.npz::S1/Walking 1/0``.
        format: a key of ``FORMATS``; found by looking at the file if None.
        fps: frames per second, where the file does not say or says it wrong.
        image_size: (width, height) in pixels, likewise.
        skeleton: the joint layout, where the file does not say.

    Returns:
        The keypoints; ``provenance`` holds ``source``, ``format`` and ``steps``: what the file was taken for, and every
        repair.

    Raises:
        UnknownFormatError: the format is unknown.
        FileFormatError: the file is truncated, malformed or of another format; names file and field.
        SkeletonError: the named layout is unknown.
        ShapeError: fps or image_size are impossible.
    """
    file, selection = split_selection(path)
    if fps is not None and not (np.isfinite(fps) and fps > 0):
        raise ShapeError(f"fps must be a positive number, not {fps}")
    if image_size is not None and not (len(image_size) == 2 and min(image_size) > 0):
        raise ShapeError(f"image_size must be (width, height) in pixels, not {image_size}")
    request = Request(fps, image_size, None if skeleton is None else get_skeleton(skeleton), selection)
    if format is None:
        found = detect_format(file)
    elif not file.exists():
        raise FileFormatError(file, "there is no such file or folder")
    else:
        found = Detection(format, "as you said")
    if selection is not None and found.format != "videopose3d":
        raise FileFormatError(file, f"holds one recording; leave ::{selection} out")
    reader = get_reader(found.format)
    try:
        keypoints = reader.read(file, request)
    except ShapeError as error:
        raise FileFormatError(file, str(error)) from error
    opened, history = f"read as {reader.TITLE}: {found.reason}", keypoints.provenance.get("steps", [])
    # Only a lift3d file knows what was done before it was written.
    steps = [*history, opened] if found.format == "lift3d" else [opened, *history]
    missing = ~np.isfinite(keypoints.xy).all(axis=-1)
    if never := [joint for k, joint in enumerate(keypoints.skeleton.joints) if missing[:, :, k].all()]:
        shown = ", ".join(never[:12]) + (f" and {len(never) - 12} more" if len(never) > 12 else "")
        steps.append(f"never seen in any frame: {shown}")
    # A file that was saved and read again says each thing once.
    record = {"source": str(path), "format": found.format, "steps": list(dict.fromkeys(steps))}
    return replace(keypoints, provenance=keypoints.provenance | record)


def split_selection(path: str | PathLike[str]) -> tuple[Path, str | None]:
    """A path and the selection behind ``::``, None if there is none."""
    file, separator, selection = fspath(path).partition("::")
    return Path(file), selection if separator else None


def _what_is_it(file: Path) -> str:
    """What an unrecognised file looks like, for the message."""
    if file.is_dir():
        return "the JSON files in this folder are of no known format"
    head = read_head(file, 64)
    if not head:
        return "the file is empty or cannot be read"
    found = outline(file)
    if found:
        keys = list(dict.fromkeys(part for place in found for part in place if part != "[]"))[:8]
        return f"JSON of no known format (its keys: {', '.join(keys) or 'none'})"
    return "no known format (neither JSON, CSV with a known header, HDF5 nor NPZ with known contents)"

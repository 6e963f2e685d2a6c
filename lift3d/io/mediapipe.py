"""MediaPipe pose landmarks as people dump them, in JSON.

MediaPipe has no file of its own. Recognised are frames as a list (or under ``frames``), each a list of 33 landmarks or
an object with ``landmarks``, ``pose_landmarks`` or ``poseLandmarks`` (one person, or a list of people as the Tasks API
gives), each landmark ``{x, y, z, visibility}`` or ``[x, y, z, visibility]``. x and y are shares of the image's width
and height (MediaPipe's Pose Landmarker guide), so that the image size is needed to reach pixels.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.json_values import (
    Repairs,
    describe,
    expect,
    load_json,
    numbers,
    outline,
    positive_rate,
    positive_size,
    whole_number,
)
from lift3d.io.layouts import check_layout, layout_from_count, same_count
from lift3d.io.recording import Detection, Person, Recording, Request
from lift3d.poses import Keypoints2D
from lift3d.skeletons import BLAZEPOSE33

NAME = "mediapipe"
TITLE = "MediaPipe pose landmarks, JSON"

_LANDMARKS = ("landmarks", "pose_landmarks", "poseLandmarks")
_NUMBERS = ("frame", "frame_id", "frame_index", "frame_number", "frame_idx", "frameIndex")
_LAYOUTS = {33: BLAZEPOSE33}


def sniff(path: Path) -> Detection | None:
    """Recognise landmarks by the keys above, or lists of objects with x, y and visibility."""
    if path.is_dir():
        return None
    for place in outline(path):
        if place and (place[-1] in _LANDMARKS and set(place[:-1]) <= {"[]", "frames"}):
            return Detection(NAME, f"frames with {place[-1]!r}, as dumped from MediaPipe", BLAZEPOSE33.name)
        if place[-1:] == ("visibility",) and set(place[:-1]) <= {"[]", "frames"}:
            return Detection(NAME, "lists of points with 'visibility', as dumped from MediaPipe", BLAZEPOSE33.name)
    return None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read the landmarks.

    Raises:
        FileFormatError: malformed, not 33 landmarks, or the image size is needed and unknown.
    """
    repairs: Repairs = Counter()
    tree = load_json(path)
    size, fps = request.image_size, request.fps
    prefix = ""
    if isinstance(tree, dict):
        size = size or _size(tree)
        fps = fps or positive_rate(tree.get("fps"))
        if "frames" in tree:
            tree, prefix = tree["frames"], "frames"
        else:
            tree = [tree]  # a single image
    frames: dict[int, list[tuple[Person, str]]] = {}
    for index, entry in enumerate(expect(tree, list, path, prefix or "the file")):
        where = f"{prefix}[{index}]"
        number, content = index, entry
        if isinstance(entry, dict):
            given = next((entry[key] for key in _NUMBERS if key in entry), index)
            if (whole := whole_number(given)) is None:
                raise FileFormatError(path, f"expected a frame number, found {describe(given)}", where)
            number = whole
            key = next((key for key in _LANDMARKS if key in entry), None)
            if key is None:
                raise FileFormatError(path, f"no {', '.join(_LANDMARKS)}", where)
            content, where = entry[key], f"{where}.{key}"
        if number in frames:
            raise FileFormatError(path, f"frame {number} comes twice", where)
        frames[number] = _people(content, path, where, repairs)
    return landmarks_to_keypoints(path, frames, size, fps, request, repairs)


def landmarks_to_keypoints(
    path: Path,
    frames: dict[int, list[tuple[Person, str]]],
    size: tuple[int, int] | None,
    fps: float | None,
    request: Request,
    repairs: Repairs,
) -> Keypoints2D:
    """Landmarks in shares of the image, or in pixels, to the container.

    Raises:
        FileFormatError: not 33 landmarks, or shares of an image whose size is unknown.
    """
    count, where = same_count(((len(p.xy), field) for people in frames.values() for p, field in people), path)
    skeleton = (
        check_layout(request.skeleton, count, path, where)
        if request.skeleton
        else layout_from_count(count, _LAYOUTS, path, where)
    )
    coordinates = np.concatenate([p.xy.ravel() for people in frames.values() for p, _ in people])
    known = np.abs(coordinates[np.isfinite(coordinates)])
    steps = []
    # Landmarks may lie outside of the image, but never is half of a person several images away.
    if known.size and np.median(known) <= 4:
        if size is None:
            raise FileFormatError(
                path,
                "landmarks are shares of the image, so pixels need its size: pass --image-size WIDTHxHEIGHT "
                "(image_size=(width, height))",
                where,
            )
        steps.append(f"landmarks scaled by the image size {size[0]}x{size[1]}")
        for people in frames.values():
            for person, _ in people:
                person.xy = person.xy * size
    else:
        steps.append("landmarks are in pixels already")
    listed = {number: [person for person, _ in people] for number, people in frames.items()}
    return Recording(path, skeleton, listed, fps, size, repairs, steps).to_keypoints()


def _people(content: Any, path: Path, where: str, repairs: Repairs) -> list[tuple[Person, str]]:
    """The people of one frame: none (null or empty), one (a list of landmarks) or several (a list of such lists)."""
    if content is None:
        return []
    expect(content, list, path, where)
    if content and isinstance(content[0], list) and content[0] and isinstance(content[0][0], (dict, list)):
        return [(_person(person, path, f"{where}[{i}]", repairs), f"{where}[{i}]") for i, person in enumerate(content)]
    return [(_person(content, path, where, repairs), where)] if content else []


def _person(landmarks: Any, path: Path, where: str, repairs: Repairs) -> Person:
    rows = []
    for index, landmark in enumerate(expect(landmarks, list, path, where)):
        field = f"{where}[{index}]"
        if isinstance(landmark, dict):
            if "x" not in landmark or "y" not in landmark:
                raise FileFormatError(path, "a landmark without x and y", field)
            row = [landmark["x"], landmark["y"], landmark.get("visibility", 1.0)]
        else:
            expect(landmark, list, path, field)
            if not 2 <= len(landmark) <= 5:
                raise FileFormatError(path, f"{len(landmark)} numbers, not x, y, z, visibility", field)
            row = [*landmark[:2], landmark[3] if len(landmark) >= 4 else 1.0]
        rows.append(numbers(row, path, field, repairs))
    table = np.array(rows).reshape(-1, 3)
    return Person(table[:, :2].copy(), table[:, 2].copy())


def _size(tree: dict[str, Any]) -> tuple[int, int] | None:
    """The image size under the keys that are in use."""
    for width, height in (("width", "height"), ("image_width", "image_height"), ("imageWidth", "imageHeight")):
        if (size := positive_size(tree.get(width), tree.get(height))) is not None:
            return size
    pair = tree.get("image_size")
    return positive_size(*pair) if isinstance(pair, list) and len(pair) == 2 else None

"""OpenPose: a folder of one JSON a frame, or a single one (BODY_25, BODY_25B, COCO).

The format: OpenPose's ``doc/02_output.md``. A keypoint of 0, 0, 0 is missing. AlphaPose's ``--format open`` and
``--format cmu`` write the same with the COCO layout.
"""

from __future__ import annotations

from collections import Counter
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.folders import json_files, numbered
from lift3d.io.json_values import Repairs, expect, load_json, numbers, outline, whole_number
from lift3d.io.layouts import check_layout, layout_from_count, same_count
from lift3d.io.recording import Detection, Person, Recording, Request
from lift3d.poses import Keypoints2D
from lift3d.skeletons import BODY25, BODY25B, COCO18, HALPE26, HALPE136, Skeleton

NAME = "openpose"
TITLE = "OpenPose JSON, one file a frame"

# (list of people, keypoints of one): OpenPose 1.3 and later, OpenPose 1.0 to 1.2, AlphaPose's --format cmu.
_KEYS = (("people", "pose_keypoints_2d"), ("people", "pose_keypoints"), ("bodies", "joints"))
_LAYOUTS = {18: COCO18, 25: BODY25, 26: HALPE26, 136: HALPE136}


def sniff(path: Path) -> Detection | None:
    """Recognise a folder or file by ``people`` with ``pose_keypoints_2d``; an empty ``people`` counts."""
    files = json_files(path) if path.is_dir() else [path]
    for file in files[:20]:
        found = outline(file)
        for people, keypoints in _KEYS:
            leaf = found.get((people, "[]", keypoints))
            if leaf is not None:
                if leaf.kind != "array":
                    return None
                skeleton = _LAYOUTS.get(leaf.items // 3)
                name = skeleton.name if skeleton is not None and leaf.items != 75 else None
                where = f"{len(files)} JSON files" if path.is_dir() else "the file"
                return Detection(NAME, f"{where}, with {people!r} and {keypoints!r}, as OpenPose writes", name)
        if found.get(("people",)) is None or ("version",) not in found:
            return None
    return Detection(NAME, "JSON with 'version' and empty 'people', as OpenPose writes") if files else None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read the folder or file.

    Raises:
        FileFormatError: no files, a file is malformed, layouts are mixed, or frame numbers clash.
    """
    repairs: Repairs = Counter()
    frames = numbered(json_files(path), path) if path.is_dir() else {0: path}
    raw = {number: _read_people(file, repairs) for number, file in sorted(frames.items())}
    counts = (
        (len(values) // 3, f"{frames[number].name}: {where}")
        for number, people in raw.items()
        for values, _, where in people
    )
    count, field = same_count(counts, path)
    people = {number: [Person.from_triples(v, track) for v, track, _ in found] for number, found in raw.items()}
    steps: list[str] = []
    if request.skeleton:
        skeleton = check_layout(request.skeleton, count, path, field)
    elif count == 25:
        skeleton, sentence = tell_body25(np.stack([p.xy for found in people.values() for p in found]))
        steps.append(sentence)
    else:
        skeleton = layout_from_count(count, _LAYOUTS, path, field)
    extra: dict[str, Any] = {}
    return Recording(path, skeleton, people, request.fps, request.image_size, repairs, steps, extra).to_keypoints()


def tell_body25(xy: np.ndarray) -> tuple[Skeleton, str]:
    """BODY_25 or BODY_25B, which have 25 joints both, by where joints lie, and a sentence that says why.

    In BODY_25 joint 1 (neck) lies in the middle of 2 and 5 (shoulders) and joint 8 (pelvis) of 9 and 12 (hips). In
    BODY_25B the shoulders are 5 and 6 and the hips 11 and 12, and 8, 9 and 10 are an elbow and the wrists. Which of
    the two makes its trunk look like one is asked of every person in every frame, and the median decides.

    Args:
        xy: (people, 25, 2), pixels, NaN where missing.
    """
    scale = np.nanmax(xy, axis=1, initial=-np.inf) - np.nanmin(xy, axis=1, initial=np.inf)
    scale = np.maximum(np.linalg.norm(np.where(np.isfinite(scale), scale, 0), axis=-1), 1)

    def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(a - b, axis=-1) / scale)

    def middle(a: int, b: int) -> np.ndarray:
        return np.asarray((xy[:, a] + xy[:, b]) / 2)

    as_body25 = np.concatenate([apart(xy[:, 1], middle(2, 5)), apart(xy[:, 8], middle(9, 12))])
    # The eyes of BODY_25B lie at the nose, and its upper neck (17) between the shoulders and the nose or, seen from
    # behind, the top of the head (18).
    neck = middle(5, 6)
    as_body25b = np.concatenate(
        [
            apart(xy[:, 0], middle(1, 2)),
            apart(xy[:, 17], 0.5 * (xy[:, 0] + neck)),
            apart(xy[:, 17], 0.65 * neck + 0.35 * xy[:, 18]),
        ]
    )
    first = np.median(as_body25[np.isfinite(as_body25)]) if np.isfinite(as_body25).any() else np.inf
    second = np.median(as_body25b[np.isfinite(as_body25b)]) if np.isfinite(as_body25b).any() else np.inf
    if not np.isfinite(min(first, second)):
        return BODY25, "25 keypoints: taken for BODY_25, OpenPose's default; too few joints are seen to tell BODY_25B"
    if first <= second:
        return BODY25, "25 keypoints: BODY_25, as joints 1 and 8 lie in the middle of shoulders and of hips"
    return (
        BODY25B,
        "25 keypoints: BODY_25B, as joints 0, 1, 2, 17 and 18 lie as nose, eyes, upper neck and top of head do",
    )


def _read_people(file: Path, repairs: Repairs) -> list[tuple[np.ndarray, int | None, str]]:
    """For each person of one file the flat triples, the identity if there is one, and the field."""
    tree = expect(load_json(file), dict, file, "the file")
    return people_of(tree, file, "", repairs)


def people_of(
    tree: dict[str, Any], file: str | PathLike[str], prefix: str, repairs: Repairs
) -> list[tuple[np.ndarray, int | None, str]]:
    """For each person of one frame's object the flat x, y, confidence, the identity or None, and the field."""
    key = next((people for people, _ in _KEYS if people in tree), None)
    if key is None:
        raise FileFormatError(file, "no 'people': not the OpenPose JSON of a frame", prefix or None)
    found = []
    for index, person in enumerate(expect(tree[key], list, file, f"{prefix}{key}")):
        where = f"{prefix}{key}[{index}]"
        expect(person, dict, file, where)
        name = next((keypoints for people, keypoints in _KEYS if people == key and keypoints in person), None)
        if name is None:
            raise FileFormatError(file, "no 'pose_keypoints_2d'", where)
        values = numbers(person[name], file, f"{where}.{name}", repairs)
        if len(values) == 0:
            repairs["people without a single keypoint were left out"] += 1
            continue
        if len(values) % 3:
            raise FileFormatError(
                file, f"{len(values)} numbers, not x, y and confidence for each keypoint", f"{where}.{name}"
            )
        track = person.get("person_id", [None])
        track = whole_number(track[0] if isinstance(track, list) and track else track)
        found.append((values, track if track is not None and track >= 0 else None, f"{where}.{name}"))
    return found

"""MMPose predictions JSON: ``MMPoseInferencer(..., pred_out_dir=...)`` and the demos' ``--save-predictions``.

A video is a list of ``{frame_id, instances}``, an image a list of instances; the demos put the former under
``instance_info`` beside ``meta_info``. Each instance holds ``keypoints`` (joints, 2) and ``keypoint_scores``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.folders import json_files, numbered
from lift3d.io.json_values import Repairs, describe, expect, load_json, numbers, outline, whole_number
from lift3d.io.layouts import COCO_FAMILY, check_layout, layout_from_count, layout_from_names, same_count
from lift3d.io.recording import Detection, Person, Recording, Request
from lift3d.poses import Keypoints2D

NAME = "mmpose"
TITLE = "MMPose predictions JSON"

_PLACES = (("[]",), ("[]", "instances", "[]"), ("instance_info", "[]", "instances", "[]"))


def sniff(path: Path) -> Detection | None:
    """Recognise instances with ``keypoint_scores``, or frames with ``instances``; for a folder by its first files."""
    for file in json_files(path)[:20] if path.is_dir() else [path]:
        found = outline(file)
        for place in _PLACES:
            if (*place, "keypoints") in found and (*place, "keypoint_scores") in found:
                layout = COCO_FAMILY.get(found[(*place, "keypoints")].items)
                reason = "instances with 'keypoints' and 'keypoint_scores', as MMPose predicts"
                return Detection(NAME, reason, layout.name if layout else None)
        if ("[]", "instances") in found or ("instance_info",) in found or ("meta_info", "keypoint_id2name") in found:
            return Detection(NAME, "frames with 'instances', as MMPose predicts")
    return None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read a file of predictions, or a folder of one file an image.

    Raises:
        FileFormatError: malformed, 3D keypoints, or mixed layouts.
    """
    repairs: Repairs = Counter()
    steps: list[str] = []
    frames: dict[int, list[tuple[Person, str]]] = {}
    names: list[str] | None = None
    if path.is_dir():
        for number, file in sorted(numbered(json_files(path), path).items()):
            people = expect(load_json(file), list, file, "the file")
            frames[number] = [_person(p, file, f"{file.name}[{i}]", repairs) for i, p in enumerate(people)]
    else:
        tree = load_json(path)
        prefix = ""
        if isinstance(tree, dict):
            names = _names(tree.get("meta_info"), path)
            tree, prefix = tree.get("instance_info"), "instance_info"
        expect(tree, list, path, prefix or "the file")
        if any(isinstance(entry, dict) and "instances" in entry for entry in tree):
            for index, entry in enumerate(tree):
                _read_frame(expect(entry, dict, path, f"{prefix}[{index}]"), index, path, prefix, frames, repairs)
        else:
            frames[0] = [_person(p, path, f"{prefix}[{i}]", repairs) for i, p in enumerate(tree)]
    count, field = same_count(((len(p.xy), where) for people in frames.values() for p, where in people), path)
    if request.skeleton:
        skeleton = check_layout(request.skeleton, count, path, field)
    elif names is not None:
        skeleton = check_layout(layout_from_names(names, path, "meta_info"), count, path, field)
    else:
        skeleton = layout_from_count(count, COCO_FAMILY, path, field)
        steps.append(f"{count} keypoints without names: taken for {skeleton.title}")
    people = {number: [person for person, _ in found] for number, found in frames.items()}
    return Recording(path, skeleton, people, request.fps, request.image_size, repairs, steps).to_keypoints()


def _read_frame(
    entry: dict[str, Any],
    index: int,
    path: Path,
    prefix: str,
    frames: dict[int, list[tuple[Person, str]]],
    repairs: Repairs,
) -> None:
    number = whole_number(entry.get("frame_id", index))
    where = f"{prefix}[{index}]"
    if number is None:
        raise FileFormatError(
            path, f"expected a frame number, found {describe(entry['frame_id'])}", f"{where}.frame_id"
        )
    if number in frames:
        raise FileFormatError(path, f"frame {number} comes twice", f"{where}.frame_id")
    instances = expect(entry.get("instances"), list, path, f"{where}.instances")
    frames[number] = [_person(p, path, f"{where}.instances[{i}]", repairs) for i, p in enumerate(instances)]


def _person(entry: Any, path: Path, where: str, repairs: Repairs) -> tuple[Person, str]:
    expect(entry, dict, path, where)
    field = f"{where}.keypoints"
    rows = expect(entry.get("keypoints"), list, path, field)
    if not rows:
        raise FileFormatError(path, "no keypoints", field)
    xy = np.empty((len(rows), 2))
    for joint, row in enumerate(rows):
        values = numbers(row, path, f"{field}[{joint}]", repairs)
        if len(values) != 2:
            what = (
                "3D keypoints; a 2D prediction is needed" if len(values) == 3 else f"{len(values)} numbers, not x and y"
            )
            raise FileFormatError(path, what, f"{field}[{joint}]")
        xy[joint] = values
    scores = entry.get("keypoint_scores")
    confidence = np.ones(len(rows)) if scores is None else numbers(scores, path, f"{where}.keypoint_scores", repairs)
    if len(confidence) != len(rows):
        raise FileFormatError(path, f"{len(confidence)} scores for {len(rows)} keypoints", f"{where}.keypoint_scores")
    track = whole_number(entry.get("track_id"))
    return Person(xy, confidence, track if track is not None and track >= 0 else None), field


def _names(meta: Any, path: Path) -> list[str] | None:
    """The joints of ``meta_info.keypoint_id2name`` in order, None if it has none."""
    table = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(table, dict) or not table:
        return None
    names = [table.get(str(index)) for index in range(len(table))]
    if not all(isinstance(name, str) for name in names):
        raise FileFormatError(path, "expected names under 0, 1, 2, ...", "meta_info.keypoint_id2name")
    return [str(name) for name in names]

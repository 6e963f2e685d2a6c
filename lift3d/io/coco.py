"""COCO keypoints JSON: annotation data sets (COCO Annotator, CVAT, COCO-WholeBody, Halpe) and lists of results.

The format: cocodataset.org, "Data format", 4 Keypoint Detection; COCO-WholeBody adds ``foot_kpts``, ``face_kpts``,
``lefthand_kpts`` and ``righthand_kpts``. A keypoint with v = 0 is missing.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.frame_numbers import MAX_GAP_FACTOR, natural_key
from lift3d.io.json_values import (
    Repairs,
    expect,
    load_json,
    numbers,
    outline,
    positive_rate,
    positive_size,
    whole_number,
)
from lift3d.io.layouts import COCO_FAMILY, check_layout, layout_from_count, layout_from_names, same_count
from lift3d.io.recording import Detection, Person, Recording, Request
from lift3d.poses import Keypoints2D
from lift3d.skeletons import Skeleton

NAME = "coco"
TITLE = "COCO keypoints JSON"

_WHOLEBODY = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
_BODY_JOINTS = {133: 23}  # of COCO-WholeBody only these carry COCO's flag; face and hands carry a score


def sniff(path: Path) -> Detection | None:
    """Recognise ``images`` with ``annotations`` or ``categories``, or a list of results with ``category_id``."""
    found = outline(path)
    top = {place[0] for place in found if len(place) == 1}
    if ("images", "[]", "id") in found or ({"images", "annotations"} <= top) or ({"images", "categories"} <= top):
        return Detection(NAME, "a data set with 'images', as COCO and its annotation tools write")
    if ("[]", "image_id") in found and (("[]", "category_id") in found or ("[]", "keypoints") in found):
        return Detection(NAME, "a list of results with 'image_id', as COCO's evaluation reads")
    return None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read a data set, its images in the order of their names as frames, or a list of results.

    Raises:
        FileFormatError: malformed, boxes without keypoints, mixed layouts.
    """
    tree = load_json(path)
    if isinstance(tree, list):
        return _Reader(path, request, tree, "").read_results()
    expect(tree, dict, path, "the file")
    annotations = expect(tree.get("annotations"), list, path, "annotations")
    return _Reader(path, request, annotations, "annotations").read_dataset(tree)


class _Reader:
    def __init__(self, path: Path, request: Request, rows: list[Any], prefix: str) -> None:
        self.path, self.request, self.prefix = path, request, prefix
        self.fps = request.fps
        self.repairs: Repairs = Counter()
        self.steps: list[str] = []
        self.rows: list[tuple[dict[str, Any], np.ndarray, str]] = []
        without = 0
        for index, row in enumerate(rows):
            where = f"{prefix}[{index}]"
            expect(row, dict, path, where)
            if not row.get("keypoints"):
                without += 1
                continue
            self.rows.append((row, self._values(row, where), where))
        if rows and not self.rows:
            raise FileFormatError(path, "holds boxes and no keypoints", f"{prefix}[0].keypoints")
        if without:
            self.steps.append(f"{without} entries without keypoints were left out")

    def _values(self, row: dict[str, Any], where: str) -> np.ndarray:
        """(keypoints, 3) of one row: x, y, v, with the parts of COCO-WholeBody behind one another."""
        names = ["keypoints", *_WHOLEBODY] if all(name in row for name in _WHOLEBODY) else ["keypoints"]
        parts = []
        for name in names:
            values = numbers(row[name], self.path, f"{where}.{name}", self.repairs)
            if len(values) % 3 or (name in _WHOLEBODY and len(values) != 3 * _WHOLEBODY[name]):
                raise FileFormatError(self.path, f"{len(values)} numbers, not x, y and v for each", f"{where}.{name}")
            parts.append(values.reshape(-1, 3))
        return np.concatenate(parts)

    def _skeleton(self, categories: Any) -> Skeleton:
        count, where = same_count(((len(v), f"{w}.keypoints") for _, v, w in self.rows), self.path)
        if self.request.skeleton:
            return check_layout(self.request.skeleton, count, self.path, where)
        used = {_key(row.get("category_id")) for row, _, _ in self.rows}
        for index, category in enumerate(categories):
            field = f"categories[{index}]"
            expect(category, dict, self.path, field)
            names = category.get("keypoints") or []
            if _key(category.get("id")) not in used or not isinstance(names, list) or not names:
                continue
            if not all(isinstance(name, str) for name in names):
                raise FileFormatError(self.path, "expected the names of the keypoints", f"{field}.keypoints")
            if len(names) == count:
                return layout_from_names(names, self.path, f"{field}.keypoints")
            self.steps.append(f"{field} names {len(names)} keypoints, the annotations hold {count}: the number decides")
        return layout_from_count(count, COCO_FAMILY, self.path, where)

    def _people(self) -> list[tuple[Any, Person]]:
        """(image id, person) of each row; COCO's flags become confidences: 2 -> 1, 1 (hidden) -> 0.5."""
        body = _BODY_JOINTS.get(len(self.rows[0][1]), len(self.rows[0][1]))
        flags = bool(self.prefix) and any((values[:body, 2] == 2).any() for _, values, _ in self.rows)
        if flags:
            self.steps.append("visibility flags as confidence: 2 (visible) is 1, 1 (hidden) is 0.5, 0 is missing")
        people = []
        for row, values, where in self.rows:
            if flags:
                values[:body, 2] /= 2
            person = Person.from_triples(values, self._track(row))
            if "keypoint_scores" in row:
                scores = numbers(row["keypoint_scores"], self.path, f"{where}.keypoint_scores", self.repairs)
                if len(scores) != len(values):
                    raise FileFormatError(
                        self.path, f"{len(scores)} scores for {len(values)} keypoints", f"{where}.keypoint_scores"
                    )
                person.confidence = scores
            people.append((row.get("image_id"), person))
        return people

    @staticmethod
    def _track(row: dict[str, Any]) -> int | None:
        """``track_id`` as PoseTrack and COCO Annotator's videos have it, or CVAT's attribute of that name."""
        attributes = row.get("attributes")
        track = row.get("track_id", attributes.get("track_id") if isinstance(attributes, dict) else None)
        return whole_number(track)

    def read_results(self) -> Keypoints2D:
        if not self.rows:
            raise FileFormatError(self.path, "an empty list; there is nothing to read")
        skeleton = self._skeleton([])
        numbered: dict[int, list[Person]] = {}
        for (image, person), (_, _, where) in zip(self._people(), self.rows, strict=True):
            number = whole_number(image)
            if number is None:
                raise FileFormatError(self.path, f"expected a number, found {image!r:.40}", f"{where}.image_id")
            numbered.setdefault(number, []).append(person)
        span = max(numbered) - min(numbered) + 1
        if video := span <= MAX_GAP_FACTOR // 10 * len(numbered):
            self.steps.append("image ids taken as frame numbers")
        else:
            numbered = {index: numbered[number] for index, number in enumerate(sorted(numbered))}
            self.steps.append("image ids lie far apart: taken as separate images in the order of their ids")
        return self._recording(skeleton, numbered, self.request.image_size, video)

    def read_dataset(self, tree: dict[str, Any]) -> Keypoints2D:
        images = expect(tree.get("images"), list, self.path, "images")
        categories = expect(tree.get("categories", []), list, self.path, "categories")
        if not self.rows:
            raise FileFormatError(self.path, "no annotation with keypoints", "annotations")
        names: dict[Any, str] = {}
        sizes = set()
        for index, image in enumerate(images):
            expect(image, dict, self.path, f"images[{index}]")
            key = _key(image.get("id"))
            if key is None or key in names:
                raise FileFormatError(self.path, "an image without an id of its own", f"images[{index}].id")
            name = image.get("file_name")
            names[key] = str(PurePosixPath(name)) if isinstance(name, str) else str(key)
            sizes.add(positive_size(image.get("width"), image.get("height")))
        ordered = sorted(names, key=lambda key: natural_key(names[key]))
        frames = {key: index for index, key in enumerate(ordered)}
        skeleton = self._skeleton(categories)
        people: dict[int, list[Person]] = {index: [] for index in range(len(ordered))}
        for (image, person), (_, _, where) in zip(self._people(), self.rows, strict=True):
            if _key(image) not in frames:
                raise FileFormatError(self.path, f"no image has the id {image!r:.40}", f"{where}.image_id")
            people[frames[_key(image)]].append(person)
        self.steps.append(f"{len(ordered)} images taken as frames in the order of their names")
        known = next(iter(sizes)) if len(sizes) == 1 else None
        if len(sizes) > 1:
            self.steps.append("the images differ in size: image size unknown")
        info = tree.get("info")
        self.fps = self.fps or (positive_rate(info.get("fps")) if isinstance(info, dict) else None)
        return self._recording(skeleton, people, self.request.image_size or known, video=len(sizes) <= 1)

    def _recording(
        self, skeleton: Skeleton, people: dict[int, list[Person]], size: tuple[int, int] | None, video: bool
    ) -> Keypoints2D:
        return Recording(
            self.path, skeleton, people, self.fps, size, self.repairs, self.steps, video=video
        ).to_keypoints()


def _key(value: Any) -> int | str | None:
    """An id as something to look up: whole numbers and texts."""
    return value if isinstance(value, str) else whole_number(value)

"""LabelMe JSON: a folder of one file an image, or a single file; points with labels, ``group_id`` the person.

The format: LabelMe's own JSON (``shapes`` with ``label``, ``points``, ``group_id``, ``shape_type``).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.folders import json_files, numbered
from lift3d.io.json_values import Repairs, describe, expect, load_json, numbers, outline, positive_size, whole_number
from lift3d.io.layouts import layout_from_names
from lift3d.io.recording import Detection, Person, Recording, Request
from lift3d.joint_names import canonical_joint_name
from lift3d.poses import Keypoints2D
from lift3d.skeletons import SKELETONS, Skeleton

NAME = "labelme"
TITLE = "LabelMe JSON, one file an image"

# For each person of an image the points by label.
_Image = dict[int | None, dict[str, np.ndarray]]


def sniff(path: Path) -> Detection | None:
    """Recognise ``shapes`` with ``points``, or with ``imagePath`` beside them; for a folder by its first files."""
    for file in json_files(path)[:20] if path.is_dir() else [path]:
        found = outline(file)
        if ("shapes", "[]", "points") in found or {("shapes",), ("imagePath",)} <= found.keys():
            return Detection(NAME, "'shapes' with 'points', as LabelMe writes")
    return None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read the folder or file.

    Raises:
        FileFormatError: malformed, no points, or a label twice in one person.
    """
    repairs: Repairs = Counter()
    files = numbered(json_files(path), path) if path.is_dir() else {0: path}
    images: dict[int, _Image] = {}
    sizes = set()
    ignored: Counter[str] = Counter()
    for number, file in sorted(files.items()):
        tree = expect(load_json(file), dict, file, "the file")
        sizes.add(positive_size(tree.get("imageWidth"), tree.get("imageHeight")))
        images[number] = _read_shapes(tree, file, repairs, ignored)
    labels = list(dict.fromkeys(label for image in images.values() for person in image.values() for label in person))
    if not labels:
        raise FileFormatError(path, "no shape of the type 'point' in any image", "shapes")
    skeleton = request.skeleton or _layout(labels, path)
    index: dict[str, int] = {}
    for label in labels:
        # A custom layout keeps the labels' spelling where the canonical names would clash.
        name = next((n for n in (canonical_joint_name(label), label) if n in skeleton.joints), None)
        if name is None:
            known = ", ".join(skeleton.joints)
            raise FileFormatError(path, f"label {label!r} is no joint of {skeleton.name!r} ({known})", "shapes")
        index[label] = skeleton.joints.index(name)
    if len(set(index.values())) != len(index):
        raise FileFormatError(path, f"two labels mean the same joint: {', '.join(labels)}", "shapes")
    people = {
        number: [_person(points, index, len(skeleton), group) for group, points in image.items()]
        for number, image in images.items()
    }
    steps = [f"{count} shapes of the type {kind!r} were ignored" for kind, count in ignored.items()]
    size = next(iter(sizes)) if len(sizes) == 1 else None
    if len(sizes) > 1:
        steps.append("the images differ in size: image size unknown")
    return Recording(path, skeleton, people, request.fps, request.image_size or size, repairs, steps).to_keypoints()


def _read_shapes(tree: dict[str, Any], file: Path, repairs: Repairs, ignored: Counter[str]) -> _Image:
    people: _Image = {}
    for index, shape in enumerate(expect(tree.get("shapes"), list, file, "shapes")):
        where = f"shapes[{index}]"
        expect(shape, dict, file, where)
        kind = shape.get("shape_type", "point")
        if kind != "point":
            ignored[str(kind)[:40]] += 1
            continue
        label = expect(shape.get("label"), str, file, f"{where}.label")
        points = expect(shape.get("points"), list, file, f"{where}.points")
        if len(points) != 1:
            raise FileFormatError(file, f"a point has {len(points)} points", f"{where}.points")
        xy = numbers(points[0], file, f"{where}.points[0]", repairs)
        if len(xy) != 2:
            raise FileFormatError(file, f"{len(xy)} numbers, not x and y", f"{where}.points[0]")
        group = shape.get("group_id")
        if group is not None and whole_number(group) is None:
            raise FileFormatError(file, f"expected a number or null, found {describe(group)}", f"{where}.group_id")
        person = people.setdefault(whole_number(group), {})
        if label in person:
            raise FileFormatError(
                file, f"{label!r} comes twice in one person; give each person a group_id of its own", where
            )
        person[label] = xy
    return people


def _layout(labels: list[str], path: Path) -> Skeleton:
    """The known layout of exactly these joints in any order, else a custom one in the order of first appearance."""
    names = {canonical_joint_name(label) for label in labels}
    for skeleton in SKELETONS.values():
        if names == set(skeleton.joints) and len(labels) == len(skeleton):
            return skeleton
    return layout_from_names(labels, path, "shapes")


def _person(points: dict[str, np.ndarray], index: dict[str, int], joints: int, group: int | None) -> Person:
    xy = np.full((joints, 2), np.nan)
    for label, point in points.items():
        xy[index[label]] = point
    # Points without a group are the image's only person; groups are taken as people over all images.
    return Person(xy, np.isfinite(xy).all(axis=1).astype(float), group)

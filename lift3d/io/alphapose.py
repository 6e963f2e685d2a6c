"""AlphaPose results JSON (COCO-17, Halpe-26, Halpe-136).

The format: AlphaPose's ``docs/output.md``: a list of people with ``image_id`` "12.jpg", or an object of images with
lists of people (PoseFlow) or with OpenPose-like people (``--format open``/``cmu``). ``idx`` is the track.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.frame_numbers import frame_numbers
from lift3d.io.json_values import Repairs, describe, expect, load_json, numbers, outline, whole_number
from lift3d.io.layouts import COCO_FAMILY, check_layout, layout_from_count, same_count
from lift3d.io.openpose import people_of
from lift3d.io.recording import Detection, Person, Recording, Request
from lift3d.poses import Keypoints2D
from lift3d.skeletons import COCO18

NAME = "alphapose"
TITLE = "AlphaPose results JSON"

_IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def sniff(path: Path) -> Detection | None:
    """Recognise a list of people with ``image_id`` as a text (or with ``idx``), or an object of images."""
    found = outline(path)
    keypoints = found.get(("[]", "keypoints"))
    image = found.get(("[]", "image_id"))
    if keypoints is not None and image is not None and (image.kind == "string" or ("[]", "idx") in found):
        layout = COCO_FAMILY.get(keypoints.items // 3)
        return Detection(NAME, "a list of people with 'image_id' and 'keypoints'", layout.name if layout else None)
    images = [place for place in found if len(place) == 1 and place[0].lower().endswith(_IMAGE_ENDINGS)]
    if images and found[()].kind == "object":
        return Detection(NAME, f"an object of images ({images[0][0]!r}, ...) with people")
    return None


def read(path: Path, request: Request) -> Keypoints2D:
    """Read the results.

    Raises:
        FileFormatError: malformed, mixed layouts, or image names without an order.
    """
    repairs: Repairs = Counter()
    tree = load_json(path)
    by_image: dict[str, list[tuple[np.ndarray, int | None, str]]] = {}
    family = COCO_FAMILY
    if isinstance(tree, list):
        for index, entry in enumerate(tree):
            image = expect(entry, dict, path, f"[{index}]").get("image_id")
            if not isinstance(image, (str, int)) or isinstance(image, bool):
                raise FileFormatError(path, f"expected an image's name, found {describe(image)}", f"[{index}].image_id")
            by_image.setdefault(str(image), []).append(_person(entry, path, f"[{index}]", repairs))
    else:
        for image, content in expect(tree, dict, path, "the file").items():
            if isinstance(content, dict):
                by_image[image] = people_of(content, path, f"{image}.", repairs)
                family = COCO_FAMILY | {18: COCO18}
            else:
                by_image[image] = [
                    _person(person, path, f"{image}[{i}]", repairs)
                    for i, person in enumerate(expect(content, list, path, image))
                ]
    if not by_image:
        raise FileFormatError(path, "no images; there is nothing to read")
    count, field = same_count(_counts(by_image), path)
    skeleton = (
        check_layout(request.skeleton, count, path, field)
        if request.skeleton
        else layout_from_count(count, family, path, field)
    )
    stems = [PurePosixPath(image.replace("\\", "/")).stem for image in by_image]
    order = frame_numbers(stems, path)
    if order is None:
        order = list(range(len(stems)))
    people = {
        number: [Person.from_triples(values, track) for values, track, _ in found]
        for number, found in zip(order, by_image.values(), strict=True)
    }
    return Recording(path, skeleton, people, request.fps, request.image_size, repairs).to_keypoints()


def _counts(by_image: dict[str, list[tuple[np.ndarray, int | None, str]]]) -> Iterator[tuple[int, str]]:
    return ((len(values) // 3, field) for people in by_image.values() for values, _, field in people)


def _person(entry: Any, path: Path, where: str, repairs: Repairs) -> tuple[np.ndarray, int | None, str]:
    """The flat triples of one person, the identity or None, and the field."""
    expect(entry, dict, path, where)
    if "keypoints" not in entry:
        raise FileFormatError(path, "no 'keypoints'", where)
    field = f"{where}.keypoints"
    values = numbers(entry["keypoints"], path, field, repairs)
    if len(values) == 0 or len(values) % 3:
        raise FileFormatError(path, f"{len(values)} numbers, not x, y and confidence for each keypoint", field)
    return values, _track(entry.get("idx")), field


def _track(idx: Any) -> int | None:
    """The first number in ``idx``, which AlphaPose writes as 3, [3.0] or, after merging, [[3.0], [3.0]]."""
    for _ in range(4):
        if not isinstance(idx, list):
            break
        idx = idx[0] if idx else None
    return whole_number(idx)

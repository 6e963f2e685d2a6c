"""Which joint layout a file means: by the names that it gives, or by the number of its keypoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike

from lift3d.errors import FileFormatError, SkeletonError
from lift3d.joint_names import canonical_joint_name, custom_skeleton
from lift3d.skeletons import COCO17, HALPE26, HALPE136, SKELETONS, WHOLEBODY133, Skeleton

MAX_JOINTS = 2000

# What detectors of the COCO family mean by a bare number of keypoints.
COCO_FAMILY = {17: COCO17, 26: HALPE26, 133: WHOLEBODY133, 136: HALPE136}


def layout_from_names(names: Sequence[str], path: str | PathLike[str], field: str) -> Skeleton:
    """The known layout whose joints these are, in this order, or a custom one.

    Raises:
        FileFormatError: no names, too many, or a name twice.
    """
    if not 0 < len(names) <= MAX_JOINTS:
        raise FileFormatError(path, f"{len(names)} joint names; expected 1 to {MAX_JOINTS}", field)
    canonical = [canonical_joint_name(name) for name in names]
    for skeleton in SKELETONS.values():
        if len(skeleton) != len(names):
            continue
        # Names of fingers and of points on the face vary; the joints of the body must be where the layout has them.
        pairs = list(zip(canonical, skeleton.joints, strict=True))
        agree = sum(a == b for a, b in pairs)
        if agree >= min(12, len(names)) and not any(a in skeleton.joints and a != b for a, b in pairs):
            return skeleton
    try:
        return custom_skeleton(names)
    except SkeletonError as error:
        raise FileFormatError(path, str(error), field) from error


def layout_from_count(count: int, table: dict[int, Skeleton], path: str | PathLike[str], field: str) -> Skeleton:
    """The layout with that many keypoints.

    Raises:
        FileFormatError: the table of the format has none.
    """
    if count in table:
        return table[count]
    known = ", ".join(f"{n} ({s.name})" for n, s in sorted(table.items()))
    raise FileFormatError(
        path, f"{count} keypoints a person; known are {known}; name the layout with --skeleton if it is another", field
    )


def check_layout(skeleton: Skeleton, count: int, path: str | PathLike[str], field: str) -> Skeleton:
    """The layout that the user named. Raises FileFormatError if the file has another number of keypoints."""
    if len(skeleton) != count:
        raise FileFormatError(
            path, f"{count} keypoints a person, but the skeleton {skeleton.name!r} has {len(skeleton)}", field
        )
    return skeleton


def same_count(counts: Iterable[tuple[int, str]], path: str | PathLike[str]) -> tuple[int, str]:
    """The (number of keypoints, field) that all people share. Raises FileFormatError if layouts are mixed."""
    first: tuple[int, str] | None = None
    for count, field in counts:
        if first is None:
            first = (count, field)
        elif count != first[0]:
            raise FileFormatError(
                path, f"{count} keypoints, but {first[1]} has {first[0]}; one recording has one layout", field
            )
    if first is None:
        raise FileFormatError(path, "no person in any frame; there is nothing to read")
    return first

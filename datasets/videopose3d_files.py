"""VideoPose3D's pairs of files: 3D positions in ``data_3d_*.npz`` and 2D keypoints in ``data_2d_*.npz``.

Each holds a pickled dictionary of subjects and actions in an array of no dimensions, read through the restricted
unpickler. Source: VideoPose3D's ``DATASETS.md`` and ``data/prepare_data_*.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.npz_files import names, open_npz, read_array
from lift3d.skeletons import COCO17, H36M17, HUMANEVA15, MPII16, Skeleton

T = TypeVar("T")

# By the layout that the file names, and by the number of joints where it names none.
_LAYOUTS = {"coco": COCO17, "h36m": H36M17, "mpii": MPII16, "humaneva15": HUMANEVA15}
_COUNTS = {17: H36M17, 16: MPII16, 15: HUMANEVA15}


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The 2D keypoints of a data set.

    Attributes:
        path: their file.
        skeleton: their layout.
        positions: by subject and action one array a camera, (frames, joints, 2) or, with confidence, (.., 3).
    """

    path: Path
    skeleton: Skeleton
    positions: dict[str, dict[str, list[np.ndarray]]]

    def cameras(self, subject: str, action: str, count: int) -> list[np.ndarray]:
        """The arrays of one recording, one a camera.

        Raises:
            FileFormatError: the subject or the action is missing, or there is another number of cameras.
        """
        if subject not in self.positions:
            raise FileFormatError(
                self.path, f"the subject is missing; there are {', '.join(self.positions)}", f"positions_2d[{subject}]"
            )
        field = f"positions_2d[{subject}][{action}]"
        if action not in self.positions[subject]:
            raise FileFormatError(self.path, "the action is missing, but the 3D positions have it", field)
        arrays = self.positions[subject][action]
        if len(arrays) != count:
            raise FileFormatError(self.path, f"{len(arrays)} cameras where there are {count}", field)
        return arrays

    def pixels(
        self, subject: str, action: str, camera: int, cameras: int, frames: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Pixels (frames, joints, 2) and confidence (frames, joints), None if unknown, of one camera.

        Videos that run on after the motion capture has ended are cut to its length, as VideoPose3D does.

        Raises:
            FileFormatError: missing, or fewer frames than the 3D have.
        """
        array = self.cameras(subject, action, cameras)[camera]
        if len(array) < frames:
            raise FileFormatError(
                self.path,
                f"{len(array)} frames of 2D keypoints for {frames} frames of 3D positions",
                f"positions_2d[{subject}][{action}][{camera}]",
            )
        array = array[:frames]
        return array[..., :2], array[..., 2] if array.shape[2] == 3 else None


def read_positions_3d(path: Path, joints: int) -> dict[str, dict[str, np.ndarray]]:
    """The 3D positions of a ``data_3d_*.npz``: by subject and action (frames, joints, 3) in metres.

    Raises:
        FileFormatError: not such a file, no ``positions_3d``, or an array of another shape.
    """

    def array(value: Any, field: str) -> np.ndarray:
        return _numbers(value, (joints, 3), path, field)

    return _by_subject(_read(path, "positions_3d"), array, path, "positions_3d")


def read_positions_2d(path: Path) -> Keypoints:
    """The 2D keypoints of a ``data_2d_*.npz``.

    Raises:
        FileFormatError: not such a file, no ``positions_2d`` or ``metadata``, an unknown layout, or an array of
            another shape.
    """
    metadata = _read(path, "metadata")
    skeleton = _layout(metadata, path)

    def arrays(value: Any, field: str) -> list[np.ndarray]:
        if not isinstance(value, (list, tuple, np.ndarray)):
            raise FileFormatError(path, f"expected a list of cameras, found {type(value).__name__}", field)
        return [_numbers(one, (len(skeleton), (2, 3)), path, f"{field}[{camera}]") for camera, one in enumerate(value)]

    return Keypoints(path, skeleton, _by_subject(_read(path, "positions_2d"), arrays, path, "positions_2d"))


def _read(path: Path, name: str) -> dict[Any, Any]:
    """The dictionary in an array of the file."""
    with open_npz(path) as archive:
        if name not in names(archive):
            raise FileFormatError(
                path,
                f"is missing; the file holds {', '.join(names(archive)) or 'nothing'}. Is it the right file?",
                name,
            )
        value = read_array(archive, name, path, objects=True)
    value = value.item() if isinstance(value, np.ndarray) and value.shape == () else value
    if not isinstance(value, dict):
        raise FileFormatError(path, f"expected a dictionary, found {type(value).__name__}", name)
    return value


def _by_subject(
    value: dict[Any, Any], convert: Callable[[Any, str], T], path: Path, name: str
) -> dict[str, dict[str, T]]:
    result: dict[str, dict[str, T]] = {}
    for subject, actions in value.items():
        if not isinstance(subject, str) or not isinstance(actions, dict):
            raise FileFormatError(path, "expected a dictionary of actions", f"{name}[{subject!r:.40}]")
        result[subject] = {
            str(action): convert(array, f"{name}[{subject}][{action!s:.60}]") for action, array in actions.items()
        }
    return result


def _numbers(value: Any, shape: tuple[int, int | tuple[int, ...]], path: Path, field: str) -> np.ndarray:
    joints, size = shape
    sizes = size if isinstance(size, tuple) else (size,)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        found = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise FileFormatError(path, f"expected an array of numbers, found {found}", field)
    if value.ndim != 3 or value.shape[1] != joints or value.shape[2] not in sizes:
        raise FileFormatError(path, f"expected (frames, {joints}, {sizes[0]}), found {value.shape}", field)
    return value


def _layout(metadata: dict[Any, Any], path: Path) -> Skeleton:
    name, count = metadata.get("layout_name"), metadata.get("num_joints")
    skeleton = _LAYOUTS.get(name) if isinstance(name, str) else _COUNTS.get(count) if isinstance(count, int) else None
    if skeleton is None or (count is not None and count != len(skeleton)):
        raise FileFormatError(
            path,
            f"the layout {name!r} of {count!r} joints is unknown; known are "
            + ", ".join(f"{key} ({len(value)})" for key, value in _LAYOUTS.items()),
            "metadata",
        )
    symmetry = metadata.get("keypoints_symmetry")
    if symmetry is not None:
        try:
            left, right = ([int(joint) for joint in side] for side in symmetry)
        except (TypeError, ValueError) as error:
            raise FileFormatError(path, "expected two lists of joints", "metadata[keypoints_symmetry]") from error
        if sorted(left) != sorted(a for a, _ in skeleton.pairs) or sorted(right) != sorted(
            b for _, b in skeleton.pairs
        ):
            raise FileFormatError(
                path,
                f"the left and right joints {left}, {right} are not those of the layout {skeleton.name}",
                "metadata[keypoints_symmetry]",
            )
    return skeleton

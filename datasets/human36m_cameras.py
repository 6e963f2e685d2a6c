"""Human3.6M's cameras: ``cameras.h5`` of 3d-pose-baseline, or ``metadata.xml`` of the data set's own code.

``metadata.xml`` holds one list ``w0`` of 300 numbers: for each camera and subject three angles, with the rotation
``Rx Ry Rz``, and the camera's centre in millimetres, six numbers at ``6 (11 camera + subject - 1)``; then nine numbers
a camera from 264 on: f, c, k1 k2 k3, p1 p2. Source: ``src/cameras.py`` of 3d-pose-baseline.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lift3d.datasets.human36m_layout import CAMERAS
from lift3d.errors import CameraError, FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.io import rig_h36m
from lift3d.io.rig_values import RigSource, read_text

FILES = ("cameras.h5", "h36m_cameras.h5", "metadata.xml")
_NUMBERS = 300


def find_cameras(folder: Path) -> Path:
    """The file of cameras in a folder, in its ``h36m``, or beside it.

    Raises:
        FileFormatError: there is none.
    """
    for place in (folder, folder / "h36m", folder.parent):
        for name in FILES:
            if (place / name).is_file():
                return place / name
    raise FileFormatError(
        folder,
        f"no file of the cameras ({', '.join(FILES)}) here; put 3d-pose-baseline's cameras.h5 or Human3.6M's "
        "metadata.xml beside the poses, or name the file",
    )


def read_cameras(path: Path, subjects: Sequence[str]) -> dict[str, tuple[Camera, ...]]:
    """Each subject's four cameras, metres, world Z up, in the order of ``CAMERAS``.

    Raises:
        FileFormatError: not such a file, a subject is missing, or the cameras are not Human3.6M's.
    """
    if not path.is_file():
        raise FileFormatError(path, "there is no such file of cameras")
    try:
        if path.suffix.lower() == ".xml":
            numbers = _metadata(path)
            found = {subject: _from_metadata(numbers, subject, path) for subject in subjects}
        else:
            found = {subject: tuple(rig_h36m.read(RigSource(path, "", selection=subject))) for subject in subjects}
    except CameraError as error:
        raise FileFormatError(path, str(error)) from error
    for subject, cameras in found.items():
        if tuple(camera.name for camera in cameras) != CAMERAS:
            names = ", ".join(camera.name for camera in cameras)
            raise FileFormatError(path, f"expected the cameras {', '.join(CAMERAS)}, found {names}", subject)
    return found


def _metadata(path: Path) -> np.ndarray:
    # One list is all that is wanted of the file, so no XML parser, which entities in the file could mislead.
    match = re.search(r"<w0>\s*\[?([^<\]]*)\]?\s*</w0>", read_text(path))
    try:
        numbers = np.array([float(word) for word in match[1].split()]) if match else np.empty(0)
    except ValueError as error:
        raise FileFormatError(path, f"expected numbers ({error})", "w0") from error
    if numbers.size != _NUMBERS or not np.isfinite(numbers).all():
        raise FileFormatError(path, f"expected {_NUMBERS} numbers, found {numbers.size}", "w0")
    return numbers


def _from_metadata(numbers: np.ndarray, subject: str, path: Path) -> tuple[Camera, ...]:
    from scipy.spatial.transform import Rotation

    number = int(subject[1:])
    if not 1 <= number <= 11:
        raise FileFormatError(path, "the subject is missing; there are S1 to S11", subject)
    cameras = []
    for index, name in enumerate(CAMERAS):
        start = 6 * (11 * index + number - 1)
        angles, centre = numbers[start : start + 3], numbers[start + 3 : start + 6] / 1000
        fx, fy, cx, cy, k1, k2, k3, p1, p2 = numbers[264 + 9 * index : 273 + 9 * index]
        R = Rotation.from_euler("XYZ", angles).as_matrix()
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        cameras.append(
            Camera(K, np.array([k1, k2, p1, p2, k3]), R, -R @ centre, image_size=rig_h36m.SIZES[name], name=name)
        )
    return tuple(cameras)

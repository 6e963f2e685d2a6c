"""Human3.6M's ``cameras.h5``, the cameras of every subject.

Groups ``subject1/camera1`` ... with ``R`` (3, 3), ``T`` (3, 1), ``f`` and ``c`` (2, 1) in pixels, ``k`` (3, 1) radial
and ``p`` (2, 1) tangential distortion, ``Name`` the character codes of the camera's name. The file is MATLAB's, column
by column, so that ``R`` stands there transposed. ``T`` is the camera's **centre** in the world, in millimetres:
``x_cam = R (x - T)``. The world is Z up, the floor near z = 0, and stays as it is.

The common code for these files leaves out the 2 of OpenCV's tangential terms ``2 p1 x y`` and ``2 p2 x^2``. Here the
coefficients are taken as OpenCV's; the two differ by less than a pixel in the corners of the image.

The sizes of the four cameras' images are known, but not in the file. lift3d writes them as a data set ``size`` (width,
height) into each camera's group, which other readers pass over.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig, natural_key
from lift3d.io.files import atomic_path
from lift3d.io.hdf5_files import SIGNATURE, member_names, open_hdf5, read_dataset
from lift3d.io.json_values import read_head
from lift3d.io.rig_values import RigFormat, RigSource, check_holds, distortion5, image_size, numbers

SIZES = {"54138969": (1000, 1002), "55011271": (1000, 1000), "58860488": (1000, 1000), "60457274": (1000, 1002)}


def sniff(source: RigSource) -> bool:
    """HDF5 with the groups ``subject1``, ..."""
    if not source.path.is_file() or read_head(source.path, 8) != SIGNATURE:
        return False
    return any(_number(name) for name in member_names(source.path))


def read(source: RigSource) -> Rig:
    """The rig of one subject, chosen as ``cameras.h5::S1`` where the file holds several.

    Raises:
        FileFormatError: not HDF5, no or another subject is named, or a field is missing or malformed.
        CameraError: a camera is impossible.
    """
    path, scale = source.path, source.metres("mm")
    with open_hdf5(path) as file:
        subjects = {f"S{_number(name)}": name for name in sorted(file, key=natural_key) if _number(name)}
        wanted = source.selection or (next(iter(subjects)) if len(subjects) == 1 else "")
        subject = f"S{_number(wanted)}"
        if subject not in subjects:
            several = f"no subject {wanted!r}" if wanted else "the cameras of several subjects"
            raise FileFormatError(path, f"{several} in this file; say {path}::NAME with one of {', '.join(subjects)}")
        group = file[subjects[subject]]
        cameras = [
            _camera(group[name], f"{subjects[subject]}/{name}", path, scale)
            for name in sorted(group, key=natural_key)
            if name.startswith("camera")
        ]
    return Rig(tuple(cameras), {"subject": subject})


def write(rig: Rig, path: Path, overwrite: bool = False) -> list[Path]:
    """Write a ``cameras.h5`` of one subject, ``metadata["subject"]`` or S1; other metadata is lost.

    Raises:
        CameraError: a fisheye camera, more than 5 distortion coefficients or a skew.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    import h5py

    check_holds(rig, FORMAT.title, skew=False)
    subject = _number(str(rig.metadata.get("subject", "S1"))) or 1
    with atomic_path(path, overwrite) as temporary, h5py.File(temporary, "w") as file:
        for index, camera in enumerate(rig, start=1):
            k1, k2, p1, p2, k3 = distortion5(camera)
            columns = {
                "T": 1000 * camera.centre,
                "f": camera.K[(0, 1), (0, 1)],
                "c": camera.K[:2, 2],
                "k": [k1, k2, k3],
                "p": [p1, p2],
                "Name": [ord(letter) for letter in camera.name],
            }
            if camera.image_size is not None:
                columns["size"] = camera.image_size
            group = file.create_group(f"subject{subject}/camera{index}")
            group["R"] = camera.R.T
            for name, values in columns.items():
                group[name] = np.array(values, dtype=np.float64).reshape(-1, 1)
    return [path]


FORMAT = RigFormat("h36m", "Human3.6M cameras.h5", ("*.h5",), sniff, read, write)


def _number(name: str) -> int | None:
    """The number of a subject from ``subject1``, ``S1`` or ``1``."""
    match = re.fullmatch(r"(?:subject|S)?([1-9]\d{0,3})", name, re.IGNORECASE | re.ASCII)
    return int(match[1]) if match else None


def _camera(group: Any, place: str, path: Path, scale: float) -> Camera:
    def column(name: str, *shapes: tuple[int, ...]) -> np.ndarray:
        array = read_dataset(group, name, path)
        if array.dtype.kind not in "fiu":
            raise FileFormatError(path, f"expected numbers, found {array.dtype}", f"{place}/{name}")
        values = numbers(array.tolist(), path, f"{place}/{name}", *shapes)
        return values if values.shape == (3, 3) else values.ravel()

    codes = column("Name")
    if codes.size > 256 or not ((codes > 0) & (codes < 0xD800) & (codes % 1 == 0)).all():
        raise FileFormatError(path, "expected the character codes of a name", f"{place}/Name")
    name = "".join(chr(int(code)) for code in codes)
    (fx, fy), (cx, cy) = column("f", (2, 1), (2,)), column("c", (2, 1), (2,))
    (k1, k2, k3), (p1, p2) = column("k", (3, 1), (3,)), column("p", (2, 1), (2,))
    R, centre = column("R", (3, 3)).T, column("T", (3, 1), (3,)) * scale
    size = SIZES.get(name)
    if "size" in group:
        size = image_size(column("size").tolist(), path, f"{place}/size")
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return Camera(K, np.array([k1, k2, p1, p2, k3]), R, -R @ centre, image_size=size, name=name)

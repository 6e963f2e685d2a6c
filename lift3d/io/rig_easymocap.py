"""EasyMocap's pair of OpenCV YAML files, ``intri.yml`` and ``extri.yml``.

Both list ``names``. ``intri.yml`` holds for every camera ``K_<name>`` (3x3), ``dist_<name>`` (or ``D_<name>``) and, in
newer files, ``H_<name>`` and ``W_<name>``; ``extri.yml`` holds ``R_<name>`` (Rodrigues vector), ``Rot_<name>`` (3x3)
and ``T_<name>`` of world to camera. As in EasyMocap, ``R_`` counts where it differs from ``Rot_``. Metres; the world
is what the calibration made it, mostly Z up, and stays as it is.

Source: ``easymocap/mytools/camera_utils.py`` and EasyMocap's documentation, "Calibration".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.files import atomic_path
from lift3d.io.rig_filestorage import Stored, dump_storage, load_storage, matrix, text, texts
from lift3d.io.rig_values import (
    RigFormat,
    RigSource,
    check_holds,
    coefficients,
    image_size,
    intrinsics,
    rotation_matrix,
    rotation_vector,
)

INTRINSICS, EXTRINSICS = "intri.yml", "extri.yml"


def sniff(source: RigSource) -> bool:
    """A folder with the two files, or YAML with ``K_<name>`` or ``Rot_<name>``."""
    if source.path.is_dir():
        return (source.path / INTRINSICS).is_file() and (source.path / EXTRINSICS).is_file()
    return re.search(r"^(K|dist|D|R|Rot|T)_[\w.-]+\s*:\s*!!opencv-matrix", source.text, re.MULTILINE) is not None


def read(source: RigSource) -> Rig:
    """The rig of the two files, of which either or their folder is named.

    Raises:
        FileFormatError: one of them is missing or not YAML, or a field is missing or malformed.
        CameraError: a camera is impossible.
    """
    intri, extri = (source.beside(name) for name in (INTRINSICS, EXTRINSICS))
    inner, outer = load_storage(intri.text, intri.path), load_storage(extri.text, extri.path)
    scale = source.metres("m")
    cameras = []
    for name in texts(inner, "names", intri.path):
        dist = f"D_{name}" if f"dist_{name}" not in inner and f"D_{name}" in inner else f"dist_{name}"
        R = f"Rot_{name}" if f"R_{name}" not in outer and f"Rot_{name}" in outer else f"R_{name}"
        rotation = matrix(outer, R, extri.path, (3, 1), (1, 3), (3, 3))
        cameras.append(
            Camera(
                K=intrinsics(matrix(inner, f"K_{name}", intri.path).tolist(), intri.path, f"K_{name}"),
                distortion=coefficients(matrix(inner, dist, intri.path).tolist(), intri.path, dist),
                R=rotation_matrix(rotation.tolist(), extri.path, R),
                t=matrix(outer, f"T_{name}", extri.path, (3, 1), (1, 3)) * scale,
                image_size=_size(inner, name, intri.path),
                name=name,
            )
        )
    return Rig(tuple(cameras))


def write(rig: Rig, path: Path, overwrite: bool = False) -> list[Path]:
    """Write ``intri.yml`` and ``extri.yml``; metadata is lost.

    Args:
        rig: the rig.
        path: either of the two, or the folder that they go into.
        overwrite: whether they may be replaced.

    Raises:
        CameraError: a fisheye camera, or a name that is not of letters, digits, ``_`` and ``-``.
        OutputExistsError: one of the files exists and ``overwrite`` is False.
    """
    check_holds(rig, FORMAT.title, most_coefficients=8)
    names = list(rig.names)
    inner: dict[str, Stored] = {"names": names}
    outer: dict[str, Stored] = {"names": names}
    for camera in rig:
        name = camera.name
        if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII):
            raise CameraError(f"camera {name!r}: {FORMAT.title} holds names of letters, digits, _ and - only")
        inner |= {f"K_{name}": camera.K, f"dist_{name}": camera.distortion[None]}
        if camera.image_size is not None:
            inner |= {f"W_{name}": camera.image_size[0], f"H_{name}": camera.image_size[1]}
        outer |= {
            f"R_{name}": rotation_vector(camera.R)[:, None],
            f"Rot_{name}": camera.R,
            f"T_{name}": camera.t[:, None],
        }
    folder = path if path.is_dir() else path.parent
    intri, extri = folder / INTRINSICS, folder / EXTRINSICS
    with atomic_path(intri, overwrite) as first, atomic_path(extri, overwrite) as second:
        first.write_text(dump_storage(inner), encoding="utf-8")
        second.write_text(dump_storage(outer), encoding="utf-8")
    return [intri, extri]


FORMAT = RigFormat("easymocap", "EasyMocap intri.yml and extri.yml", (INTRINSICS, EXTRINSICS), sniff, read, write)


def _size(tree: dict[str, Any], name: str, path: Path) -> tuple[int, int] | None:
    """(width, height), None where the file has none or -1, as older versions of EasyMocap write."""
    sides = [text(tree, f"{side}_{name}", path) for side in "WH"]
    if None in sides or sides == ["-1", "-1"]:
        return None
    return image_size(sides, path, f"W_{name}, H_{name}")

"""Calibrations that OpenCV's programs write as FileStorage YAML or XML: one camera, or a stereo pair.

- One camera: ``camera_matrix``, ``distortion_coefficients``, ``image_width``, ``image_height``; ``fisheye_model`` 1 for
  a fisheye. ROS' ``camera_info`` YAML has the same fields and is read too, with ``camera_name``, ``distortion_model``.
- A pair: ``M1 D1 M2 D2`` and ``R T`` (``x_2 = R x_1 + T``), in one file or in two, ``intrinsics.yml`` and
  ``extrinsics.yml``, of which either or their folder is named. The cameras are called left and right, as in OpenCV's
  stereo programs.

Distortion may have 4 to 14 coefficients; the ninth and on must be 0. The world is the (first) camera's space, which has
no up. ``T`` counts in the unit of the board, often its squares, and the file does not say which: the reader must be
told. lift3d writes ``units: m``, the cameras' names, and the first camera's pose as ``world_rotation`` and
``world_translation`` beside these fields, so that nothing is lost; other readers pass over them.

Source: OpenCV's samples calibration.cpp, camera_calibration.cpp and stereo_calib.cpp.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import CameraError, FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.files import atomic_path
from lift3d.io.rig_filestorage import Stored, dump_storage, load_storage, matrix, text, texts
from lift3d.io.rig_values import RigFormat, RigSource, check_holds, coefficients, image_size, intrinsics, numbers

MATRICES = ("camera_matrix", "Camera_Matrix", "cameraMatrix", "K")
DISTORTIONS = ("distortion_coefficients", "Distortion_Coefficients", "distCoeffs", "dist_coeffs", "D")
PAIR = ("left", "right")
ENDINGS = (".yml", ".yaml", ".xml")


def sniff(source: RigSource) -> bool:
    """OpenCV's matrices in YAML or XML, or a folder of intrinsics and extrinsics."""
    if source.path.is_dir():
        return any((source.path / f"intrinsics{ending}").is_file() for ending in ENDINGS)
    if source.text.lstrip().startswith("<"):
        return "<opencv_storage" in source.text
    return re.search(rf"!!opencv-matrix|^({'|'.join(MATRICES)})\s*:", source.text, re.MULTILINE) is not None


def read(source: RigSource) -> Rig:
    """The camera or the pair of the file.

    Raises:
        FileFormatError: neither YAML nor XML, the other file of a pair is missing, the unit is unknown, or a field
            is missing or malformed.
        CameraError: a camera is impossible.
    """
    if source.path.is_dir():
        source = source.beside(*(f"intrinsics{ending}" for ending in ENDINGS))
    path = source.path
    tree = load_storage(source.text, path)
    if "M1" in tree:
        return _pair(source, tree, source, tree) if "R" in tree else _two_files(source, tree)
    if {"R", "T"} <= set(tree) and not any(key in tree for key in MATRICES):
        return _two_files(source, tree)
    K = next((key for key in MATRICES if key in tree), MATRICES[0])
    D = next((key for key in DISTORTIONS if key in tree), DISTORTIONS[0])
    rotation, translation = _world(tree, path, source)
    camera = _camera(tree, path, K, D, rotation, translation, text(tree, "camera_name", path) or path.stem)
    return Rig((camera,))


def write(rig: Rig, path: Path, overwrite: bool = False) -> list[Path]:
    """Write one camera or a pair; the ending .xml makes it XML, any other YAML. Metadata is lost.

    Raises:
        CameraError: more than two cameras, or a pair of which the image sizes or the lens models differ.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    check_holds(rig, FORMAT.title, most_coefficients=8, fisheye=True)
    if len(rig) > 2:
        raise CameraError(
            f"an OpenCV file holds one camera or a pair, not {len(rig)}; write EasyMocap's intri.yml and extri.yml, "
            "which OpenCV reads, or .toml"
        )
    first, last = rig.cameras[0], rig.cameras[-1]
    if first.image_size != last.image_size or first.fisheye != last.fisheye:
        raise CameraError("the cameras of an OpenCV pair have one image size and one lens model; write .toml")
    values: dict[str, Stored] = {}
    if first.image_size is not None:
        values |= {"image_width": first.image_size[0], "image_height": first.image_size[1]}
    if first.fisheye:
        values["fisheye_model"] = 1
    values["units"] = "m"
    if len(rig) == 1:
        values |= {"camera_name": first.name, MATRICES[0]: first.K, DISTORTIONS[0]: first.distortion[None]}
    else:
        R = last.R @ first.R.T
        values |= {"names": list(rig.names), "M1": first.K, "D1": first.distortion[None]}
        values |= {"M2": last.K, "D2": last.distortion[None], "R": R, "T": (last.t - R @ first.t)[:, None]}
    values |= {"world_rotation": first.R, "world_translation": first.t[:, None]}
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(dump_storage(values, xml=path.suffix.lower() == ".xml"), encoding="utf-8")
    return [path]


FORMAT = RigFormat("opencv", "OpenCV calibration", ("*.yml", "*.yaml", "*.xml"), sniff, read, write)


def _two_files(source: RigSource, tree: dict[str, Any]) -> Rig:
    """The pair whose other half is in the file beside."""
    stem, ending = source.path.stem, source.path.suffix
    here, there = ("intrinsic", "extrinsic") if "M1" in tree else ("extrinsic", "intrinsic")
    if here not in stem:
        missing = "R and T of the pair" if "M1" in tree else "the cameras' matrices M1 D1 M2 D2"
        raise FileFormatError(source.path, f"{missing} are missing, and the name does not say which file has them")
    other = source.beside(stem.replace(here, there) + ending)
    rest = load_storage(other.text, other.path)
    return _pair(source, tree, other, rest) if "M1" in tree else _pair(other, rest, source, tree)


def _pair(inner: RigSource, intrinsic: dict[str, Any], outer: RigSource, extrinsic: dict[str, Any]) -> Rig:
    R1, t1 = _world(intrinsic, inner.path, inner)
    R = numbers(matrix(extrinsic, "R", outer.path, (3, 3)).tolist(), outer.path, "R")
    T = matrix(extrinsic, "T", outer.path, (3, 1), (1, 3)).ravel() * outer.metres(text(extrinsic, "units", outer.path))
    names = texts(intrinsic, "names", inner.path) if "names" in intrinsic else list(PAIR)
    if len(names) != 2:
        raise FileFormatError(inner.path, f"a pair has two names, not {len(names)}", "names")
    return Rig(
        (
            _camera(intrinsic, inner.path, "M1", "D1", R1, t1, names[0]),
            _camera(intrinsic, inner.path, "M2", "D2", R @ R1, R @ t1 + T, names[1]),
        )
    )


def _world(tree: dict[str, Any], path: Path, source: RigSource) -> tuple[np.ndarray, np.ndarray]:
    """The first camera's pose, which only lift3d writes; else its space is the world."""
    if "world_rotation" not in tree:
        return np.eye(3), np.zeros(3)
    translation = matrix(tree, "world_translation", path, (3, 1)).ravel()
    return matrix(tree, "world_rotation", path, (3, 3)), translation * source.metres(text(tree, "units", path))


def _camera(tree: dict[str, Any], path: Path, K: str, D: str, R: np.ndarray, t: np.ndarray, name: str) -> Camera:
    fisheye = _fisheye(tree, path)
    size = None
    sides = [
        next((key for key in (f"image_{side}", f"image_{side.title()}") if key in tree), None)
        for side in ("width", "height")
    ]
    if None not in sides:
        size = image_size([text(tree, str(side), path) for side in sides], path, "image_width, image_height")
    return Camera(
        K=intrinsics(matrix(tree, K, path).tolist(), path, K),
        distortion=coefficients(matrix(tree, D, path).tolist(), path, D, fisheye),
        R=R,
        t=t,
        image_size=size,
        name=name,
        fisheye=fisheye,
    )


def _fisheye(tree: dict[str, Any], path: Path) -> bool:
    model = text(tree, "distortion_model", path)
    if model not in (None, "plumb_bob", "rational_polynomial", "equidistant", "fisheye"):
        raise FileFormatError(path, f"the lens model {model!r} is not supported", "distortion_model")
    return model in ("equidistant", "fisheye") or text(tree, "fisheye_model", path) in ("1", "true")

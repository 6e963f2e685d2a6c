"""The TOML rig of aniposelib, which Pose2Sim, Anipose and FreeMoCap share.

One table a camera (``[cam_0]``, ``[cam_1]``, ... or any name) with ``name``, ``size`` (width, height), ``matrix``
(3x3), ``distortions`` (OpenCV), ``rotation`` (Rodrigues vector) and ``translation`` of world to camera, ``fisheye``
(optional), and a table ``[metadata]``. The format has no unit: aniposelib's is the board's, Pose2Sim's the metre.
lift3d writes metres and ``units = "m"`` into ``[metadata]``.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.files import atomic_path

FORMAT = "aniposelib/Pose2Sim TOML"
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
# No studio is this large; translations beyond it are millimetres or board squares.
MAX_METRES = 200.0


def parse_toml(text: str, path: str | PathLike[str], unit: str | None = None) -> Rig:
    """The rig in the text of a TOML file; ``path`` is for messages, ``unit`` as in ``read_rig``.

    Raises:
        FileFormatError: not TOML, a field is missing or malformed, or the unit cannot be metres.
        CameraError: a camera is impossible.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise FileFormatError(path, f"not valid TOML ({error}); was the file cut off?") from error
    metadata = tables.pop("metadata", {})
    if not isinstance(metadata, dict):
        raise FileFormatError(path, "expected a table", "metadata")
    unit = unit or metadata.get("units", "m")
    if not isinstance(unit, str) or unit not in UNITS:
        raise FileFormatError(path, f"the unit must be one of {', '.join(UNITS)}, not {unit!r}", "metadata.units")
    # Pose2Sim and FreeMoCap keep other tables (the board, the capture volume) beside the cameras.
    cameras = [
        _camera(key, table, path, UNITS[unit])
        for key, table in tables.items()
        if isinstance(table, dict) and "matrix" in table
    ]
    if not cameras:
        raise FileFormatError(path, "no table holds a camera (name, size, matrix, distortions, rotation, translation)")
    if max(float(np.abs(camera.t).max()) for camera in cameras) > MAX_METRES:
        raise FileFormatError(
            path,
            f"a camera would be more than {MAX_METRES:g} m away if the unit were {unit}; name the file's unit "
            "(unit='mm' in read_rig, or units = \"mm\" in [metadata])",
            "translation",
        )
    return Rig(tuple(cameras), {**metadata, "format": FORMAT})


def write_rig_toml(rig: Rig, path: str | PathLike[str], overwrite: bool = False) -> None:
    """Write the rig's TOML file; numbers keep their full precision.

    Raises:
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    digits = len(str(len(rig) - 1))  # aniposelib sorts the tables as text
    lines: list[str] = []
    for index, camera in enumerate(rig):
        lines += [
            f"[cam_{index:0{digits}}]",
            f"name = {_text(camera.name)}",
            *([] if camera.image_size is None else [f"size = {_value(camera.image_size)}"]),
            f"matrix = {_value(camera.K.tolist())}",
            f"distortions = {_value(camera.distortion.tolist())}",
            f"rotation = {_value(_rotation_vector(camera.R).tolist())}",
            f"translation = {_value(camera.t.tolist())}",
            f"fisheye = {_value(camera.fisheye)}",
            "",
        ]
    plain = {key: value for key, value in rig.metadata.items() if key != "format"}
    lines += ["[metadata]", *(f"{_text(key)} = {_value(value)}" for key, value in (plain | {"units": "m"}).items()), ""]
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _camera(key: str, table: dict[str, Any], path: str | PathLike[str], scale: float) -> Camera:
    fisheye = table.get("fisheye", False)
    if not isinstance(fisheye, bool):
        raise FileFormatError(path, f"expected true or false, found {fisheye!r}", f"{key}.fisheye")
    distortion = _numbers(table, key, "distortions", path)
    if distortion.ndim != 1:
        raise FileFormatError(path, "expected a list of coefficients", f"{key}.distortions")
    if not fisheye and distortion.size == 4:
        distortion = np.append(distortion, 0.0)
    size = None
    if "size" in table:
        sides = _numbers(table, key, "size", path)
        if sides.shape != (2,) or not (sides.min() >= 1 and sides.max() < 1e6):
            raise FileFormatError(path, f"expected [width, height] in pixels, found {table['size']}", f"{key}.size")
        size = (round(sides[0]), round(sides[1]))
    name = table.get("name", key)
    return Camera(
        K=_numbers(table, key, "matrix", path, (3, 3)),
        distortion=distortion,
        R=_rotation_matrix(_numbers(table, key, "rotation", path, (3,))),
        t=_numbers(table, key, "translation", path, (3,)) * scale,
        image_size=size,
        name=str(name),
        fisheye=fisheye,
    )


def _numbers(
    table: dict[str, Any], key: str, field: str, path: str | PathLike[str], shape: tuple[int, ...] | None = None
) -> np.ndarray:
    if field not in table:
        raise FileFormatError(path, "the field is missing", f"{key}.{field}")
    try:
        array = np.asarray(table[field], dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise FileFormatError(path, f"expected numbers ({error})", f"{key}.{field}") from error
    if not np.isfinite(array).all():
        raise FileFormatError(path, "holds a number that is not finite", f"{key}.{field}")
    if shape is not None and array.shape != shape:
        raise FileFormatError(path, f"expected {shape} numbers, found {array.shape}", f"{key}.{field}")
    return array


def _rotation_matrix(vector: np.ndarray) -> np.ndarray:
    import cv2

    return np.asarray(cv2.Rodrigues(vector)[0])


def _rotation_vector(matrix: np.ndarray) -> np.ndarray:
    import cv2

    return np.asarray(cv2.Rodrigues(matrix)[0]).reshape(3)


def _value(value: Any) -> str:
    """A TOML value: booleans, numbers, texts and lists of these."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else {"inf": "inf", "-inf": "-inf"}.get(repr(value), "nan")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    escaped = "".join(
        f"\\u{ord(letter):04x}" if ord(letter) < 0x20 or ord(letter) == 0x7F else letter
        for letter in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'

"""The TOML rig of aniposelib, which Pose2Sim, Anipose, FreeMoCap and Caliscope share.

One table a camera (``[cam_0]``, ``[cam_1]``, ... or any name; Caliscope: ``[cameras.0]``, ...) with ``name``, ``size``
(width, height), ``matrix`` (3x3), ``distortions`` (OpenCV), ``rotation`` (Rodrigues vector, or 3x3 in Caliscope's older
files) and ``translation`` of world to camera, ``fisheye`` (optional), and a table ``[metadata]``. A camera without a
name gets its table's, ``cam_0``. Cameras with ``ignore = true`` are left out; ``metadata["left_out"]`` names them.
Caliscope's ``rotation_count`` only turns the picture on the screen: the calibration is that of the video as recorded.

The world is taken as it is: the format has no up. It has no unit either: aniposelib's is the board's, that of Pose2Sim
and Caliscope the metre, which is assumed. lift3d writes metres and ``units = "m"`` into ``[metadata]``.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lift3d.errors import FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.files import atomic_path
from lift3d.io.rig_values import (
    RigFormat,
    RigSource,
    coefficients,
    image_size,
    intrinsics,
    numbers,
    rotation_matrix,
    rotation_vector,
)


def sniff(source: RigSource) -> bool:
    """TOML speaks of a matrix and sets it with an equals sign."""
    return "matrix" in source.text and "=" in source.text and not source.text.lstrip().startswith(("{", "<", "%"))


def read(source: RigSource) -> Rig:
    """The rig of a TOML file.

    Raises:
        FileFormatError: not TOML, or a field is missing or malformed.
        CameraError: a camera is impossible.
    """
    path = source.path
    try:
        tables = tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise FileFormatError(path, f"not valid TOML ({error}); was the file cut off?") from error
    metadata = tables.pop("metadata", {})
    if not isinstance(metadata, dict):
        raise FileFormatError(path, "expected a table", "metadata")
    scale = source.metres(_unit(metadata, path))
    numbered = tables.get("cameras")
    found = [(key, key, table) for key, table in tables.items()]
    found += (
        [(f"cam_{key}", f"cameras.{key}", table) for key, table in (numbered or {}).items()]
        if isinstance(numbered, dict)
        else []
    )
    # The programs keep other tables (the board, the capture volume) beside the cameras.
    found = [item for item in found if isinstance(item[2], dict) and "matrix" in item[2]]
    left_out = [name for name, _, table in found if table.get("ignore") is True]
    cameras = [
        _camera(name, field, table, path, scale) for name, field, table in found if table.get("ignore") is not True
    ]
    if not cameras:
        raise FileFormatError(path, "no table holds a camera (name, size, matrix, distortions, rotation, translation)")
    return Rig(tuple(cameras), metadata | ({"left_out": left_out} if left_out else {}))


def write(rig: Rig, path: Path, overwrite: bool = False) -> list[Path]:
    """Write the rig's TOML file; numbers keep their full precision, metadata what TOML can say (no null).

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
            f"rotation = {_value(rotation_vector(camera.R).tolist())}",
            f"translation = {_value(camera.t.tolist())}",
            f"fisheye = {_value(camera.fisheye)}",
            "",
        ]
    metadata = {key: value for key, value in rig.metadata.items() if key != "format" and value is not None}
    lines += ["[metadata]", *(f"{_text(key)} = {_value(value)}" for key, value in (metadata | {"units": "m"}).items())]
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return [path]


FORMAT = RigFormat("toml", "aniposelib/Pose2Sim TOML", ("*.toml",), sniff, read, write)


def _unit(metadata: dict[str, Any], path: Path) -> str:
    unit = metadata.get("units", "m")
    if not isinstance(unit, str):
        raise FileFormatError(path, f"expected a unit, found {unit!r}", "metadata.units")
    return unit


def _camera(name: str, field: str, table: dict[str, Any], path: Path, scale: float) -> Camera:
    fisheye = table.get("fisheye", False)
    if not isinstance(fisheye, bool):
        raise FileFormatError(path, f"expected true or false, found {fisheye!r}", f"{field}.fisheye")
    return Camera(
        K=intrinsics(table["matrix"], path, f"{field}.matrix"),
        distortion=coefficients(table.get("distortions"), path, f"{field}.distortions", fisheye),
        R=rotation_matrix(table.get("rotation"), path, f"{field}.rotation"),
        t=numbers(table.get("translation"), path, f"{field}.translation", (3,)) * scale,
        image_size=image_size(table["size"], path, f"{field}.size") if "size" in table else None,
        name=str(table.get("name", name)),
        fisheye=fisheye,
    )


def _value(value: Any) -> str:
    """A TOML value: booleans, numbers, texts, and lists and tables of these."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else {"inf": "inf", "-inf": "-inf"}.get(repr(value), "nan")
    if isinstance(value, dict):
        items = (f"{_text(str(key))} = {_value(item)}" for key, item in value.items() if item is not None)
        return "{" + ", ".join(items) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    escaped = "".join(
        f"\\u{ord(letter):04x}" if ord(letter) < 0x20 or ord(letter) == 0x7F else letter
        for letter in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'

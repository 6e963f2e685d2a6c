"""The calibration of CMU's Panoptic studio, ``calibration_<sequence>.json``.

A list ``cameras``, each with ``name`` (panel and node, ``00_05``), ``type`` (vga, hd, kinect-color), ``resolution``
(width, height), ``K``, ``distCoef`` (OpenCV, 5), and ``R``, ``t`` of world to camera, ``x_cam = R x + t``.

The studio's world is in centimetres and its y axis points down: the heads of its recorded people have smaller y than
their feet, and y = 0 is the floor. lift3d turns it by a quarter about x, ``(x, y, z) -> (x, z, -y)``, so that Z is up,
into metres; ``TO_WORLD`` is that rotation, for the people of the data set too. The writer turns it back.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.files import atomic_path
from lift3d.io.rig_values import (
    RigFormat,
    RigSource,
    check_holds,
    coefficients,
    distortion5,
    image_size,
    intrinsics,
    numbers,
)

# x_lift3d = TO_WORLD @ x_panoptic / 100
TO_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def sniff(source: RigSource) -> bool:
    """JSON with cameras and ``distCoef``."""
    return source.text.lstrip().startswith("{") and '"cameras"' in source.text and '"distCoef"' in source.text


def read(source: RigSource) -> Rig:
    """The rig of a Panoptic JSON; ``metadata["types"]`` holds each camera's type.

    Raises:
        FileFormatError: not JSON, or a field is missing or malformed.
        CameraError: a camera is impossible.
    """
    path, scale = source.path, source.metres("cm")
    try:
        content = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(path, f"not valid JSON ({error}); was the file cut off?") from error
    entries = content.get("cameras") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise FileFormatError(path, "expected a list of cameras", "cameras")
    cameras = tuple(_camera(entry, f"cameras[{index}]", path, scale) for index, entry in enumerate(entries))
    types = {str(entry["name"]): str(entry["type"]) for entry in entries if "type" in entry}
    metadata: dict[str, Any] = {"types": types} if types else {}
    if isinstance(content.get("calibDataSource"), str):
        metadata["calibDataSource"] = content["calibDataSource"]
    return Rig(cameras, metadata)


def write(rig: Rig, path: Path, overwrite: bool = False) -> list[Path]:
    """Write a Panoptic JSON; of the metadata ``types`` ("hd" where unknown) and ``calibDataSource`` are kept.

    Raises:
        CameraError: a fisheye camera, more than 5 distortion coefficients, or an unknown image size.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    check_holds(rig, FORMAT.title, size=True)
    types = rig.metadata.get("types")
    cameras = []
    for index, camera in enumerate(rig):
        place = re.fullmatch(r"(\d+)_(\d+)", camera.name, re.ASCII)
        panel, node = (int(place[1]), int(place[2])) if place else (0, index)
        cameras.append(
            {
                "name": camera.name,
                "type": types.get(camera.name, "hd") if isinstance(types, dict) else "hd",
                "resolution": list(camera.image_size or ()),
                "panel": panel,
                "node": node,
                "K": camera.K.tolist(),
                "distCoef": distortion5(camera).tolist(),
                # 0 is added so that a turned 0 is not written as -0.
                "R": (camera.R @ TO_WORLD + 0.0).tolist(),
                "t": [[100 * value] for value in camera.t.tolist()],
            }
        )
    kept = {key: rig.metadata[key] for key in ("calibDataSource",) if key in rig.metadata}
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(json.dumps(kept | {"cameras": cameras}, indent=1, ensure_ascii=False), encoding="utf-8")
    return [path]


FORMAT = RigFormat("panoptic", "CMU Panoptic JSON", ("*.json",), sniff, read, write)


def _camera(entry: dict[str, Any], field: str, path: Path, scale: float) -> Camera:
    name = entry.get("name")
    if not isinstance(name, str):
        raise FileFormatError(path, "expected a text", f"{field}.name")
    return Camera(
        K=intrinsics(entry.get("K"), path, f"{field}.K"),
        distortion=coefficients(entry.get("distCoef"), path, f"{field}.distCoef"),
        R=numbers(entry.get("R"), path, f"{field}.R", (3, 3)) @ TO_WORLD.T,
        t=numbers(entry.get("t"), path, f"{field}.t", (3, 1), (3,)) * scale,
        image_size=image_size(entry.get("resolution"), path, f"{field}.resolution"),
        name=name,
    )

"""Qualisys camera calibrations, the ``.qca.txt`` that Qualisys Track Manager exports (XML).

What the numbers mean, checked by projecting triangulated people back into the images of such a system:

- ``transform``: ``x y z`` is the camera's place in the world in millimetres (Z up), ``r11 ... r33`` row by row the
  rotation of the world into a camera that looks along -z with y up. OpenCV's camera is that one turned by 180 degrees
  about x: ``R = diag(1, -1, -1) r`` and ``t = -R c``.
- ``intrinsic``: focal lengths, centre and skew in 1/64 pixel; the distortion is dimensionless and OpenCV's.
- ``fov_video``: the first and the last column and row of the video, of which the first are taken off the centre.
- ``viewrotation`` only turns the picture on the screen. The calibration is that of the picture as the sensor sees it:
  whoever turns the videos must turn the calibration.
"""

from __future__ import annotations

import math
from os import PathLike
from xml.etree import ElementTree

import numpy as np

from lift3d.errors import FileFormatError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig

FORMAT = "Qualisys calibration"
SUBPIXELS = 64.0


def parse_qualisys(content: bytes, path: str | PathLike[str]) -> Rig:
    """The rig in the bytes of a ``.qca.txt``; ``path`` is for messages.

    Cameras that are switched off (``active="0"``), and the marker cameras of a system that has video cameras too, are
    left out; ``metadata["left_out"]`` names them.

    Raises:
        UnknownFormatError: XML, but not a Qualisys calibration.
        FileFormatError: the XML is cut off, or a field is missing or malformed.
        CameraError: a camera is impossible.
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise FileFormatError(path, "the XML declares entities, which no Qualisys file does")
    try:
        root = ElementTree.fromstring(content.strip())
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise FileFormatError(path, f"not valid XML ({error}); was the file cut off?") from error
    calibration = root if root.tag == "calibration" else root.find("calibration")
    elements = [] if calibration is None else calibration.findall("cameras/camera")
    if not elements:
        raise UnknownFormatError(path, f"XML, but no Qualisys calibration (its root is <{root.tag}>)")
    video = any("video" in element.get("model", "").lower() for element in elements)
    cameras: list[Camera] = []
    left_out: list[str] = []
    for index, element in enumerate(elements):
        name = element.get("serial") or f"camera_{index + 1}"
        if element.get("active") == "0" or (video and "video" not in element.get("model", "").lower()):
            left_out.append(name)
        else:
            cameras.append(_camera(element, name, path))
    if not cameras:
        raise FileFormatError(path, f"no camera is active ({', '.join(left_out)})", "cameras.camera")
    return Rig(tuple(cameras), {"format": FORMAT} | ({"left_out": left_out} if left_out else {}))


def _camera(element: ElementTree.Element, name: str, path: str | PathLike[str]) -> Camera:
    def read(child: str, attribute: str, default: float | None = None) -> float:
        field = f"camera[{name}].{child}.{attribute}"
        found = element.find(child)
        text = None if found is None else found.get(attribute)
        if text is None:
            if default is not None:
                return default
            raise FileFormatError(path, "the field is missing", field)
        try:
            value = float(text)
        except ValueError as error:
            raise FileFormatError(path, f"expected a number, found {text!r}", field) from error
        if not math.isfinite(value) or abs(value) > 1e9:
            raise FileFormatError(path, f"expected a finite number, found {text!r}", field)
        return value

    left, top = read("fov_video", "left"), read("fov_video", "top")
    width = round(read("fov_video", "right") - left) + 1
    height = round(read("fov_video", "bottom") - top) + 1
    K = np.array(
        [
            [read("intrinsic", "focalLengthU"), read("intrinsic", "skew", 0.0), read("intrinsic", "centerPointU")],
            [0.0, read("intrinsic", "focalLengthV"), read("intrinsic", "centerPointV")],
            [0.0, 0.0, SUBPIXELS],
        ]
    )
    K /= SUBPIXELS
    K[:2, 2] -= left, top
    distortion = [
        read("intrinsic", "radialDistortion1"),
        read("intrinsic", "radialDistortion2"),
        read("intrinsic", "tangentalDistortion1", 0.0),
        read("intrinsic", "tangentalDistortion2", 0.0),
        read("intrinsic", "radialDistortion3", 0.0),
    ]
    r = np.array([[read("transform", f"r{row}{column}") for column in (1, 2, 3)] for row in (1, 2, 3)])
    R = np.diag([1.0, -1.0, -1.0]) @ r
    centre = np.array([read("transform", axis) for axis in "xyz"]) / 1000
    return Camera(K, np.array(distortion), R, -R @ centre, image_size=(width, height), name=name)

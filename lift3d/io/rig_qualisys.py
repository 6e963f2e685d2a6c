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

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from lift3d.errors import CameraError, FileFormatError, UnknownFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.files import atomic_path
from lift3d.io.rig_text import load_xml
from lift3d.io.rig_values import RigFormat, RigSource, check_holds, distortion5, number

SUBPIXELS = 64.0
TURN = np.diag([1.0, -1.0, -1.0])  # OpenCV's camera from one that looks along -z with y up


def sniff(source: RigSource) -> bool:
    """XML of any kind but OpenCV's, which is asked for first."""
    return source.text.lstrip().startswith("<")


def read(source: RigSource) -> Rig:
    """The rig of a ``.qca.txt``.

    Cameras that are switched off (``active="0"``), and the marker cameras of a system that has video cameras too, are
    left out; ``metadata["left_out"]`` names them.

    Raises:
        UnknownFormatError: XML, but not a Qualisys calibration.
        FileFormatError: the XML is cut off, or a field is missing or malformed.
        CameraError: a camera is impossible.
    """
    path, scale = source.path, source.metres("mm")
    root = load_xml(source.text, path)
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
            cameras.append(_camera(element, name, path, scale))
    if not cameras:
        raise FileFormatError(path, f"no camera is active ({', '.join(left_out)})", "cameras.camera")
    return Rig(tuple(cameras), {"left_out": left_out} if left_out else {})


def write(rig: Rig, path: Path, overwrite: bool = False) -> list[Path]:
    """Write a ``.qca.txt``; numbers keep their full precision, metadata is lost.

    Raises:
        CameraError: a fisheye camera, more than 5 distortion coefficients, an unknown image size, or a name that XML
            cannot hold.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    check_holds(rig, FORMAT.title, size=True)
    root = ElementTree.Element("calibration", {"source": "lift3d", "type": "regular"})
    cameras = ElementTree.SubElement(root, "cameras")
    for camera in rig:
        if re.search(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", camera.name):
            raise CameraError(f"camera {camera.name!r}: XML cannot hold a character of its name")
        element = ElementTree.SubElement(cameras, "camera", {
            "active": "1", "model": "none", "serial": camera.name, "viewrotation": "0",
        })  # fmt: skip
        width, height = camera.image_size or (0, 0)
        window = {"left": "0", "top": "0", "right": str(width - 1), "bottom": str(height - 1)}
        for child in ("fov_marker", "fov_marker_max", "fov_video", "fov_video_max"):
            ElementTree.SubElement(element, child, window)
        r, centre = TURN @ camera.R, 1000 * camera.centre
        transform = {f"r{row + 1}{column + 1}": r[row, column] for row in range(3) for column in range(3)}
        transform |= dict(zip("xyz", centre, strict=True))
        k1, k2, p1, p2, k3 = distortion5(camera)
        fx, skew, cx, fy, cy = camera.K[(0, 0, 0, 1, 1), (0, 1, 2, 1, 2)] * SUBPIXELS
        intrinsic = {
            "focalLengthU": fx, "focalLengthV": fy, "centerPointU": cx, "centerPointV": cy, "skew": skew,
            "radialDistortion1": k1, "radialDistortion2": k2, "radialDistortion3": k3,
            "tangentalDistortion1": p1, "tangentalDistortion2": p2,
        }  # fmt: skip
        for child, values in (("transform", transform), ("intrinsic", intrinsic)):
            ElementTree.SubElement(element, child, {key: repr(float(value)) for key, value in values.items()})
    ElementTree.indent(root)
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
    return [path]


FORMAT = RigFormat("qualisys", "Qualisys calibration", ("*.txt", "*.qca"), sniff, read, write)


def _camera(element: ElementTree.Element, name: str, path: Path, scale: float) -> Camera:
    def read(child: str, attribute: str, default: float | None = None) -> float:
        found = element.find(child)
        text = None if found is None else found.get(attribute)
        if text is None and default is not None:
            return default
        return number(text, path, f"camera[{name}].{child}.{attribute}")

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
    R = TURN @ r
    centre = np.array([read("transform", axis) for axis in "xyz"]) * scale
    return Camera(K, np.array(distortion), R, -R @ centre, image_size=(width, height), name=name)

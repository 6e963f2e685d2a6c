"""Kalibr's camera chain, ``camchain.yaml``.

``cam0``, ``cam1``, ... each with ``camera_model`` (pinhole), ``intrinsics`` [fu, fv, pu, pv], ``distortion_model``
(radtan [k1, k2, p1, p2]; equidistant, OpenCV's fisheye [k1, k2, k3, k4]; none), ``distortion_coeffs``, ``resolution``
[width, height], and ``T_cn_cnm1`` (4x4), which takes points of the camera before into this one. Metres, where the
target's size was given in them.

A chain alone knows no world: the first camera's space is taken for it, which has no up. Where every camera has
``T_cam_imu``, which takes points of the IMU into the camera, the IMU's space is the world. lift3d writes both, the
world in place of the IMU, and the cameras' names as ``name``, which Kalibr passes over.

Source: the page "yaml formats" of Kalibr's wiki.
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
from lift3d.io.rig_text import load_yaml
from lift3d.io.rig_values import RigFormat, RigSource, check_holds, coefficients, image_size, numbers


def sniff(source: RigSource) -> bool:
    """YAML with the words of a camera chain."""
    return re.search(r"^\s+(camera_model|distortion_coeffs|T_cn_cnm1)\s*:", source.text, re.MULTILINE) is not None


def read(source: RigSource) -> Rig:
    """The rig of a camera chain.

    Raises:
        FileFormatError: not YAML, a camera model that lift3d lacks, or a field is missing or malformed.
        CameraError: a camera is impossible.
    """
    path, scale = source.path, source.metres("m")
    tree = load_yaml(source.text, path)
    entries = {int(key[3:]): value for key, value in tree.items() if re.fullmatch(r"cam\d{1,4}", key, re.ASCII)}
    if sorted(entries) != list(range(len(entries))) or not entries:
        raise FileFormatError(path, f"expected cam0, cam1, ... without a gap, found {', '.join(list(tree)[:8])}")
    for index, entry in entries.items():
        if not isinstance(entry, dict):
            raise FileFormatError(path, "expected named fields", f"cam{index}")
    imu = all("T_cam_imu" in entry for entry in entries.values())
    pose = np.eye(4)
    cameras = []
    for index in range(len(entries)):
        entry, field = entries[index], f"cam{index}"
        if imu:
            pose = numbers(entry["T_cam_imu"], path, f"{field}.T_cam_imu", (4, 4))
        elif index:
            pose = numbers(entry.get("T_cn_cnm1"), path, f"{field}.T_cn_cnm1", (4, 4)) @ pose
        if not np.array_equal(pose[3], [0, 0, 0, 1]):
            raise FileFormatError(path, f"expected 0 0 0 1 in the last row, found {pose[3].tolist()}", f"{field} pose")
        cameras.append(_camera(entry, field, path, pose[:3, :3], pose[:3, 3] * scale))
    return Rig(tuple(cameras))


def write(rig: Rig, path: Path, overwrite: bool = False) -> list[Path]:
    """Write a camera chain; metadata is lost.

    Raises:
        CameraError: more than 4 distortion coefficients, a skew, or an unknown image size.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    import yaml  # type: ignore[import-untyped]

    check_holds(rig, FORMAT.title, most_coefficients=4, fisheye=True, skew=False, size=True)
    tree: dict[str, dict[str, Any]] = {}
    before: np.ndarray | None = None
    for index, camera in enumerate(rig):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = camera.R, camera.t
        entry: dict[str, Any] = {
            "camera_model": "pinhole",
            "intrinsics": camera.K[(0, 1, 0, 1), (0, 1, 2, 2)].tolist(),
            "distortion_model": "equidistant" if camera.fisheye else "radtan",
            "distortion_coeffs": camera.distortion[:4].tolist(),
            "resolution": list(camera.image_size or ()),
            "rostopic": f"/cam{index}/image_raw",
            "name": camera.name,
            "T_cam_imu": pose.tolist(),
        }
        if before is not None:
            link = np.eye(4)
            link[:3, :3] = camera.R @ before[:3, :3].T
            link[:3, 3] = camera.t - link[:3, :3] @ before[:3, 3]
            entry["T_cn_cnm1"] = link.tolist()
        tree[f"cam{index}"] = entry
        before = pose
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return [path]


FORMAT = RigFormat("kalibr", "Kalibr camera chain", ("*camchain*.yaml", "*camchain*.yml"), sniff, read, write)


def _camera(entry: dict[str, Any], field: str, path: Path, R: np.ndarray, t: np.ndarray) -> Camera:
    if (model := entry.get("camera_model")) != "pinhole":
        raise FileFormatError(path, f"the camera model must be pinhole, not {model!r}", f"{field}.camera_model")
    model = entry.get("distortion_model")
    if model not in ("radtan", "equidistant", "none"):
        raise FileFormatError(
            path, f"the distortion must be radtan, equidistant or none, not {model!r}", f"{field}.distortion_model"
        )
    fisheye = model == "equidistant"
    distortion = None
    if model != "none":
        distortion = coefficients(entry.get("distortion_coeffs"), path, f"{field}.distortion_coeffs", fisheye)
    fu, fv, pu, pv = numbers(entry.get("intrinsics"), path, f"{field}.intrinsics", (4,))
    name = entry.get("name", field)
    if not isinstance(name, str):
        raise CameraError(f"{field}: the name must be a text, not {name!r}")
    return Camera(
        K=np.array([[fu, 0, pu], [0, fv, pv], [0, 0, 1]]),
        distortion=np.zeros(5) if distortion is None else distortion,
        R=R,
        t=t,
        image_size=image_size(entry.get("resolution"), path, f"{field}.resolution"),
        name=name,
        fisheye=fisheye,
    )

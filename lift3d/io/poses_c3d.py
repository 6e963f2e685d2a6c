"""3D poses as C3D, the marker file of motion capture systems, Mokka, Visual3D and OpenSim: one person, **Z up**.

Positions are written in millimetres as floats, in the axes of the world; poses in camera space (y down) as a level
camera sees them, (-z, x, -y). A joint that is missing has the residual -1. The residual of the others is ``sigma``
rounded up to whole millimetres, at most 255, and 0 where it is unknown, which in C3D means a computed point.

C3D counts frames in 16 bits. Longer clips say their length in ``POINT:LONG_FRAMES`` (Visual3D) and
``TRIAL:ACTUAL_END_FIELD`` (Vicon, Mokka) too; ezc3d, and OpenSim with it, reads the first 65535 frames of them.

Files of other programs in mm, cm and m are read. ``subject:marker`` is a marker of a person; with several subjects
each is a person. Labels go through ``canonical_joint_name`` as in a TRC; points without a label are kept and numbered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError, MissingDependencyError, ShapeError
from lift3d.geometry.level import to_level
from lift3d.io.c3d_file import MOST_COUNTED, C3dFile, read_c3d_file
from lift3d.io.files import atomic_path
from lift3d.io.marker_files import check_markers, person_files
from lift3d.io.poses_record import MAX_CELLS, layout_of, naming
from lift3d.poses import Poses3D

UNITS = {"mm": 0.001, "cm": 0.01, "m": 1.0}
MILLIMETRES = 1000.0
MAX_RESIDUAL = 255
# Dimensions of parameters are bytes.
MAX_POINTS, MAX_NAME = 255, 127
WRITER = "lift3d"


def write_c3d(poses: Poses3D, path: Path, overwrite: bool = False) -> list[Path]:
    """Write one C3D a person: ``path`` itself for a single one, ``take_id0.c3d``, ... for several.

    Returns:
        The files that were written.

    Raises:
        MissingDependencyError: ezc3d is not installed.
        ShapeError: the frame rate is unknown, there are no people or frames, or joints or names C3D cannot hold.
        OutputExistsError: a file exists and ``overwrite`` is False; nothing was written.
    """
    check_markers(poses, "C3D")
    if len(poses.skeleton) > MAX_POINTS or any(len(name.encode()) > MAX_NAME for name in poses.skeleton.joints):
        raise ShapeError(f"a C3D holds up to {MAX_POINTS} joints whose names have up to {MAX_NAME} bytes")
    paths = person_files(poses, path, overwrite)
    points = to_level(poses.xyz, poses.space) * np.float32(MILLIMETRES)
    for person, file in enumerate(paths):
        residuals = np.zeros(points.shape[:1] + points.shape[2:3])
        if poses.sigma is not None:
            known = np.nan_to_num(poses.sigma[:, person] * MILLIMETRES)
            residuals = np.clip(np.ceil(known), 0, MAX_RESIDUAL)
        with atomic_path(file, overwrite) as temporary:
            _write(points[:, person], residuals, poses, temporary)
    return paths


def _write(points: np.ndarray, residuals: np.ndarray, poses: Poses3D, path: Path) -> None:
    try:
        import ezc3d
    except ImportError as error:
        raise MissingDependencyError("writing C3D needs ezc3d: pip install 'lift3d[export]'") from error
    missing = np.isnan(points[..., 0])
    file = ezc3d.c3d()
    values: dict[str, dict[str, Any]] = {
        "POINT": {
            "RATE": [float(poses.fps or 0)],
            "UNITS": ["mm"],
            "LABELS": list(poses.skeleton.joints),
            "DESCRIPTIONS": [joint.replace("_", " ") for joint in poses.skeleton.joints],
            "X_SCREEN": ["+X"],
            "Y_SCREEN": ["+Z"],
        },
        "MANUFACTURER": {"COMPANY": [WRITER], "SOFTWARE": [WRITER]},
    }
    if len(points) > MOST_COUNTED:
        values["POINT"]["LONG_FRAMES"] = [float(len(points))]
    for group, entries in values.items():
        for name, value in entries.items():
            file.add_parameter(group, name, value)
    if len(points) > MOST_COUNTED:
        file["parameters"].create_group_if_needed("TRIAL")
        for name, frame in (("ACTUAL_START_FIELD", 1), ("ACTUAL_END_FIELD", len(points))):
            halves = np.array([frame & 0xFFFF, frame >> 16])
            file["parameters"]["TRIAL"][name] = {"type": 2, "description": "", "is_locked": False, "value": halves}
    count = points.shape[1]
    homogeneous = np.ones((4, count, len(points)))
    homogeneous[:3] = np.where(missing[..., None], 0, points).transpose(2, 1, 0)
    file["data"]["points"] = homogeneous
    file["data"]["meta_points"]["residuals"] = np.where(missing, -1, residuals).T[None]
    file["data"]["meta_points"]["camera_masks"] = np.zeros((7, count, len(points)), bool)
    file.write(str(path))


def read_c3d(path: Path) -> Poses3D:
    """Read the markers of a C3D as world space, in metres; the axes stay as they are, Z up in nearly all files.

    Raises:
        FileFormatError: the file is no C3D, cut off or malformed; the message names the field.
    """
    content = read_c3d_file(path)
    unit = (content.texts("POINT:UNITS") or ["mm"])[0].lower()
    if unit not in UNITS:
        raise FileFormatError(path, f"the unit must be one of {', '.join(UNITS)}, not {unit!r}", "POINT:UNITS")
    labels, steps = _labels(content)
    people = _people(labels)
    joints = list(dict.fromkeys(joint for markers in people.values() for joint in markers))
    frames = len(content.points)
    if frames * len(people) * len(joints) > MAX_CELLS:
        raise FileFormatError(path, f"{frames} frames of {len(people)} people with {len(joints)} markers are too many")
    with np.errstate(invalid="ignore"):
        points = content.points.astype(np.float64) * UNITS[unit]
    missing = (content.residuals < 0) | ~np.isfinite(points).all(axis=-1)
    if content.texts("MANUFACTURER:SOFTWARE") != [WRITER]:
        # Many programs write a missing marker as 0, 0, 0 and leave its residual at 0.
        missing |= (content.residuals == 0) & (points == 0).all(axis=-1)
    points[missing] = np.nan
    xyz = np.full((frames, len(people), len(joints), 3), np.nan)
    for person, markers in enumerate(people.values()):
        xyz[:, person, [joints.index(joint) for joint in markers]] = points[:, list(markers.values())]
    if len(people) > 1:
        steps.append(f"each subject is a person: {', '.join(people)}")
    provenance: dict[str, Any] = {"source": str(path), "format": "C3D", "steps": steps}
    if list(people) != [""]:
        provenance["track_names"] = list(people)
    with naming(path), np.errstate(over="ignore"):
        return Poses3D(xyz=xyz, skeleton=layout_of(joints), fps=content.rate, space="world", provenance=provenance)


def _labels(content: C3dFile) -> tuple[list[str], list[str]]:
    """A label for each point, and what had to be done for it."""
    count = content.points.shape[1]
    found = content.texts("POINT:LABELS")[:count]
    found += [""] * (count - len(found))
    steps = [f"{found.count('')} points without a label were numbered"] if "" in found else []
    return [label or f"unlabelled_{number}" for number, label in enumerate(found, start=1)], steps


def _people(labels: list[str]) -> dict[str, dict[str, int]]:
    """By subject the markers and their places among the points; markers of no subject go to the first."""
    subjects = list(dict.fromkeys(subject for label in labels if (subject := label.rpartition(":")[0]))) or [""]
    people: dict[str, dict[str, int]] = {subject: {} for subject in subjects}
    for place, label in enumerate(labels):
        subject, _, marker = label.rpartition(":")
        markers = people[subject or subjects[0]]
        name, again = marker or label, 2
        while name in markers:
            name, again = f"{marker or label}_{again}", again + 1
        markers[name] = place
    return people

"""The words and numbers of a calibration's report, for people who measure movement and not cameras."""

from __future__ import annotations

import datetime
from typing import NamedTuple

import numpy as np

import lift3d
from lift3d.calibration.parameters import Parameter, distortion_names
from lift3d.calibration.quality import Quality
from lift3d.calibration.solution import Solution
from lift3d.calibration.uncertainty import position_covariance
from lift3d.calibration.volume import image_size

VERDICT_COLOURS = {"good": "#00724F", "doubtful": "#9A5B00", "redo": "#B03A00"}


class Row(NamedTuple):
    """A number of a camera: what it is, its value with unit, its standard error, and a phrase that explains it."""

    name: str
    value: str
    error: str
    meaning: str


def title_line(solution: Solution) -> str:
    """What was calibrated from what, in one line."""
    count = len(solution.rig)
    moments = int(solution.used.any(axis=(0, 2)).sum())
    return (
        f"{count} camera{'s' if count > 1 else ''} · {moments} moments · {solution.observations.board.describe()} · "
        f"{datetime.date.today().isoformat()} · lift3d {lift3d.__version__}"
    )


def millimetres(value: float) -> str:
    """A length in mm, with as many digits as make sense."""
    if np.isnan(value):
        return "-"
    if np.isinf(value):
        return "unknown"
    return f"{value:.2f} mm" if value < 1 else f"{value:.1f} mm" if value < 10 else f"{value:.0f} mm"


def pixels(value: float) -> str:
    """A length in pixels."""
    return "-" if np.isnan(value) else f"{value:.2f} px" if value < 10 else f"{value:.0f} px"


def key_numbers(quality: Quality) -> list[tuple[str, str, str]]:
    """The numbers to know, the most important first: (value, title, what it means)."""
    numbers = []
    if expected := quality.expected_mm():
        numbers += [
            (
                millimetres(expected["median"]),
                "3D error by the calibration",
                f"how wrong a 3D point typically is because of the cameras (95 % of the volume: below "
                f"{millimetres(expected['p95'])})",
            ),
            (
                f"+ {millimetres(expected['per_pixel'])}",
                "for each pixel",
                "what each pixel of error in the 2D keypoints adds to a 3D point",
            ),
        ]
    numbers += [
        (
            pixels(quality.rmse),
            "reprojection error",
            "how far off the board's corners are in the images (root mean square distance)",
        ),
        (
            pixels(quality.held_out.rmse),
            "held-out error",
            "the same in images that the calibration was not made from; it should be nearly the same",
        ),
    ]
    used, dropped = sum(quality.images_used.values()), sum(quality.images_dropped.values())
    numbers.append(
        (str(used), "images used", f"images with the board that count; {dropped} did not fit and were left out")
    )
    return numbers


_LENS = {"k": "bends lines outwards or inwards (radial distortion)", "p": "lens and sensor not parallel (tangential)"}


def camera_rows(solution: Solution, name: str) -> list[Row]:
    """All parameters of a camera, each with its standard error."""
    camera = solution.rig[name]
    errors = solution.standard_errors(name)
    width, height = image_size(camera)

    def error(key: str, digits: int, unit: str = "") -> str:
        if key not in errors:
            return "given"
        return "unknown" if np.isinf(errors[key]) else f"± {errors[key]:.{digits}f}{unit}"

    meanings = {
        "fx": ("focal length across", "how much the lens magnifies, in pixels"),
        "fy": ("focal length down", "the same downwards; equal to it where pixels are square"),
        "cx": ("principal point across", f"where the lens looks straight ahead; the middle is {width / 2:.0f}"),
        "cy": ("principal point down", f"the same downwards; the middle is {height / 2:.0f}"),
    }
    values = {"fx": camera.K[0, 0], "fy": camera.K[1, 1], "cx": camera.K[0, 2], "cy": camera.K[1, 2]}
    rows = [Row(meanings[key][0], f"{values[key]:.1f} px", error(key, 1, " px"), meanings[key][1]) for key in values]
    if not camera.fisheye:
        across, down = np.degrees(2 * np.arctan([width / 2 / camera.K[0, 0], height / 2 / camera.K[1, 1]]))
        rows.append(Row("view", f"{across:.0f}° by {down:.0f}°", "", "how wide the camera sees, without distortion"))
    for key, value in zip(distortion_names(camera), camera.distortion, strict=True):
        rows.append(Row(key, f"{value:.4f}", error(key, 4), _LENS[key[0]]))
    return rows + _pose_rows(solution, name) if len(solution.rig) > 1 else rows


def _pose_rows(solution: Solution, name: str) -> list[Row]:
    camera = solution.rig[name]
    if not {Parameter(name, key) for key in ("rx", "tx")} & set(solution.parameters):
        place = turn = "reference" if solution.metadata.get("reference") == name else "given"
    else:
        off = 1000 * np.sqrt(np.diag(position_covariance(solution, name)))
        place = "unknown" if np.isinf(off).any() else "± " + ", ".join(f"{value:.1f}" for value in off) + " mm"
        turned = [solution.standard_errors(name).get(key, 0.0) for key in ("rx", "ry", "rz")]
        turn = "unknown" if np.isinf(turned).any() else f"± {np.degrees(np.linalg.norm(turned)):.3f}°"
    x, y, z = camera.centre
    ahead, right = camera.R[2], camera.R[0]
    heading, down = np.degrees([np.arctan2(ahead[1], ahead[0]), np.arcsin(np.clip(-ahead[2], -1, 1))])
    level = np.cross(ahead, [0, 0, 1])
    length = np.linalg.norm(level)
    roll = np.degrees(np.arctan2(-right[2], right @ level / length)) if length > 1e-6 else 0.0
    return [
        Row("position X, Y, Z", f"{x:.3f}, {y:.3f}, {z:.3f} m", place, "where the camera stands, metres"),
        Row("direction", f"{heading:.1f}° round, {down:.1f}° down", turn, "where it looks: from X towards Y, and down"),
        Row("roll", f"{roll:.1f}°", "", "how far it is tilted sideways; 0 is upright"),
    ]


def origin(solution: Solution) -> list[tuple[str, str]]:
    """Where the calibration comes from: (what, which)."""
    metadata = solution.metadata
    reference = metadata.get("reference")
    frames = solution.observations.frames
    sizes = ("{}: {:.0f}x{:.0f} px".format(camera.name, *image_size(camera)) for camera in solution.rig)
    noise = (f"{name}: {value:.2f} px" for name, value in zip(solution.rig.names, solution.noise, strict=True))
    rows = [
        ("program", f"lift3d {lift3d.__version__}"),
        ("date of this report", datetime.date.today().isoformat()),
        ("board", solution.observations.board.describe()),
        ("moments", f"{len(frames)}, from {frames[0]} to {frames[-1]}" if frames else "0"),
        ("images", ", ".join(sizes)),
        ("lens model", str(metadata.get("lens", "as given"))),
        ("noise of a corner", ", ".join(noise)),
    ]
    return rows + ([("reference", f"{reference}: the others are measured from it")] if reference else [])

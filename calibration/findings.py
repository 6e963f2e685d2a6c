"""What can be wrong with a calibration: the limits, and a finding as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple


class Severity(IntEnum):
    """How much a finding matters; a note changes no verdict."""

    NOTE = 0
    DOUBTFUL = 1
    REDO = 2


class Limit(NamedTuple):
    """Where a number begins to be a finding.

    Attributes:
        doubtful, redo: beyond these the calibration is doubtful, or has to be done again.
        least: whether small values are the bad ones.
        why: where the limits come from.
    """

    doubtful: float
    redo: float
    least: bool
    why: str

    def severity(self, value: float) -> Severity | None:
        """How bad the value is; None if it is not bad, or not known."""
        if math.isnan(value):
            return None
        sign = -1 if self.least else 1
        if sign * value > sign * self.redo:
            return Severity.REDO
        return Severity.DOUBTFUL if sign * value > sign * self.doubtful else None


NEVER = math.inf

# All limits of the verdict. Those of errors are relative, so that they fit a small image and a small scene as well.
LIMITS: dict[str, Limit] = {
    "reprojection": Limit(
        0.05, 0.2, False, "% of the image diagonal: 1.1 px in full HD. Corners are found to 0.1-0.5 px"
    ),
    "volume": Limit(
        0.2, 1.0, False, "% of the distance: 6 mm at 3 m. Below it the error of keypoints is larger than the cameras'"
    ),
    "focal": Limit(1.0, 5.0, False, "% of the focal length: 1 % is 1 % in the depth that one camera tells"),
    "centre": Limit(1.0, 5.0, False, "% of the image width that the principal point may be off"),
    "position": Limit(0.5, 2.0, False, "% of the distance to the volume that a camera's place may be off"),
    "held_out": Limit(1.5, 5.0, False, "times the fitted error; a calibration that holds everywhere has 1.0-1.1"),
    "coverage": Limit(45.0, 15.0, True, "% of the image's cells in which the board was; a distortion needs all of it"),
    "empty_corners": Limit(
        3.5, NEVER, False, "ends of the image without the board; all four is doubtful, fewer are noted"
    ),
    "variety": Limit(
        12.0,
        4.0,
        True,
        "degrees that the board's directions spread. Z. Zhang (2000), section 4.1: errors fall up to 45",
    ),
    "far_to_near": Limit(
        1.2, 0.0, True, "distance of the farthest over the nearest corners: focal length or distance?"
    ),
    "images": Limit(9.5, 3.5, True, "images of the board, where intrinsics are solved; Zhang: errors fall up to 10"),
    "images_held": Limit(2.5, 0.5, True, "images of the board, where intrinsics are given"),
    "link": Limit(4.5, 1.5, True, "moments at which a camera's best partner saw the board too"),
    "dropped_corners": Limit(10.0, 40.0, False, "% of the corners found that were left out as outliers"),
    "dropped_images": Limit(10.0, 40.0, False, "% of the images with a board that were left out altogether"),
    "disagreement": Limit(
        0.05, 0.3, False, "% of the image diagonal by which the other cameras have the board elsewhere; as reprojection"
    ),
    "moved": Limit(
        0.7, 2.0, False, "% of the image diagonal by which a turn of the camera shifts its image; single boards err 0.5"
    ),
    "aspect": Limit(2.0, NEVER, False, "% between fx and fy; square pixels have 0"),
    "off_centre": Limit(10.0, NEVER, False, "% of the image width between principal point and middle; lenses have 0-5"),
    "blind": Limit(0.0, 10.0, False, "% of the image in which the lens model has no inverse: keypoints there are lost"),
}


# Each kind of finding in a few words.
TITLES: dict[str, str] = {
    "mirrored": "Mirrored images",
    "moved": "A camera was moved",
    "disagreement": "The cameras contradict each other",
    "link": "Cameras that hardly saw the board together",
    "position": "Places of cameras are uncertain",
    "volume": "3D points are uncertain",
    "not_converged": "The adjustment did not come to rest",
    "reprojection": "Corners are off in the images",
    "dropped_images": "Images that do not fit",
    "dropped_corners": "Corners that do not fit",
    "images": "Few images",
    "images_held": "Few images",
    "variety": "The board was not tilted enough",
    "far_to_near": "The board was always at one distance",
    "coverage": "The board was in a small part of the image",
    "empty_corners": "The board was never in some ends of the image",
    "focal": "The focal length is uncertain",
    "centre": "The principal point is uncertain",
    "aspect": "The pixels are not square",
    "off_centre": "The principal point is far from the middle",
    "blind": "The lens model breaks down in the image",
    "held_out": "The calibration follows single images",
    "single_images": "Parts of the image hang on one image",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, in words.

    Attributes:
        kind: its short name, the same for all findings that are alike.
        severity: how much it matters.
        cameras: the cameras that it is about; none if it is about all.
        problem: what is wrong, with the number, as a sentence without the cameras' names.
        advice: what to film again, or what to look at.
    """

    kind: str
    severity: Severity
    cameras: tuple[str, ...]
    problem: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "kind": self.kind,
            "severity": self.severity.name.lower(),
            "cameras": list(self.cameras),
            "problem": self.problem,
            "advice": self.advice,
        }

"""Joint centres from the markers of motion capture, by a simple model of the body.

The markers are those of CMU's sets and of Vicon's Plug-in Gait, which share their places and most names.

- Hips: by the width and the depth of the pelvis [1].
- Knees and ankles: half a joint's width inward of the markers on their outer sides.
- Shoulders: below the markers by 17 % of the distance between these [2].
- Elbows: at the markers on their outer sides, 3 to 4 cm outward of the joint.
- Wrists, neck, spine: half way between the markers on both sides.
- Head: its top above the middle of the ring of markers.

Source: [1] Harrington et al., "Prediction of the hip joint centre in adults, children, and patients with cerebral palsy
based on magnetic resonance imaging", Journal of Biomechanics 40, 2007. [2] Rab, Petuskey and Bagley, "A method for
determination of upper extremity kinematics", Gait & Posture 15, 2002.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift3d.errors import SkeletonError

KNEE_RADIUS, ANKLE_RADIUS = 0.05, 0.035  # metres from the skin markers to the joints
RING_TO_TOP = 0.09  # metres from the ring of head markers to the top of the head
SHOULDER_DROP = 0.17  # of the distance between the shoulders' markers
# Waist markers of CMU's sets lie where those of Plug-in Gait do.
_WAIST = {"FWT": "ASI", "BWT": "PSI"}
_PAIRED = ("ASI", "PSI", "KNE", "ANK", "TOE", "FHD", "BHD", "SHO", "ELB", "WRA", "WRB")
NEEDED = (*(f"{side}{marker}" for side in "LR" for marker in _PAIRED), "CLAV", "C7", "STRN", "T10")
NOTE = "joint centres by a model of the body from the markers on its skin; elbows lie 3 to 4 cm outward of the joints"


def has_markers(labels: Sequence[str]) -> bool:
    """Whether any of the labels is one of the markers' names, so that ``joints_from_markers`` is what is meant."""
    return bool({_renamed(label) for label in labels} & set(NEEDED))


def joints_from_markers(labels: Sequence[str], points: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Joint centres in lift3d's names.

    Args:
        labels: of the markers; others than ``NEEDED`` are not used.
        points: (frames, markers, 3) metres; NaN where missing.

    Returns:
        The joints' names, and their places (frames, joints, 3) in metres, NaN where a marker is missing.

    Raises:
        SkeletonError: markers are missing; names them.
    """
    column = {_renamed(label): index for index, label in enumerate(labels)}
    seen = {name for name, index in column.items() if np.isfinite(points[:, index]).any()}
    if missing := [name for name in NEEDED if name not in seen]:
        raise SkeletonError(
            f"joint centres need the markers {', '.join(missing)} too (Plug-in Gait; CMU calls ASI and PSI FWT and BWT)"
        )
    marker = {name: points[:, column[name]] for name in NEEDED}
    joints = _hips(marker)
    joints["neck_base"] = (marker["CLAV"] + marker["C7"]) / 2
    joints["spine_mid"] = (marker["STRN"] + marker["T10"]) / 2
    ring = (marker["LFHD"] + marker["RFHD"] + marker["LBHD"] + marker["RBHD"]) / 4
    joints["head_top"] = ring + RING_TO_TOP * _unit(ring - joints["neck_base"])
    drop = SHOULDER_DROP * np.linalg.norm(marker["LSHO"] - marker["RSHO"], axis=-1, keepdims=True)
    up = _unit(joints["neck_base"] - (joints["left_hip"] + joints["right_hip"]) / 2)
    lateral = joints["left_hip"] - joints["right_hip"]
    for side, outward in (("left", lateral), ("right", -lateral)):
        letter = side[0].upper()
        hip, knee, ankle = joints[f"{side}_hip"], marker[f"{letter}KNE"], marker[f"{letter}ANK"]
        joints[f"{side}_knee"] = knee - KNEE_RADIUS * _unit(_across(outward, knee - hip))
        joints[f"{side}_ankle"] = ankle - ANKLE_RADIUS * _unit(_across(outward, ankle - knee))
        joints[f"{side}_toe_base"] = marker[f"{letter}TOE"]
        joints[f"{side}_shoulder"] = marker[f"{letter}SHO"] - drop * up
        joints[f"{side}_elbow"] = marker[f"{letter}ELB"]
        joints[f"{side}_wrist"] = (marker[f"{letter}WRA"] + marker[f"{letter}WRB"]) / 2
    return tuple(joints), np.stack(list(joints.values()), axis=1)


def _hips(marker: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    front, back = (marker["LASI"] + marker["RASI"]) / 2, (marker["LPSI"] + marker["RPSI"]) / 2
    lateral = _unit(marker["LASI"] - marker["RASI"])
    forward = _unit(_across(front - back, lateral))
    up = np.cross(forward, lateral)
    # The pelvis does not change its size; single frames of markers do.
    width = np.nanmedian(np.linalg.norm(marker["LASI"] - marker["RASI"], axis=-1))
    depth = np.nanmedian(np.linalg.norm(front - back, axis=-1))
    middle = front - (0.24 * depth + 0.0099) * forward - (0.30 * width + 0.0109) * up
    aside = (0.33 * width + 0.0073) * lateral
    return {"left_hip": middle + aside, "right_hip": middle - aside}


def _renamed(label: str) -> str:
    return label[:1] + _WAIST.get(label[1:], label[1:])


def _across(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The part of a vector at right angles to an axis, both (frames, 3)."""
    axis = _unit(axis)
    across: np.ndarray = vector - (vector * axis).sum(-1, keepdims=True) * axis
    return across


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9))

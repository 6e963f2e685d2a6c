"""Human3.6M's names: subjects, actions, joints and cameras, and the customary split.

Sources: Ionescu et al., "Human3.6M", PAMI 2014; the 17 of 32 joints and the one spelling of the actions as in
Martinez et al., "A simple yet effective baseline for 3d human pose estimation", ICCV 2017, and Pavllo et al., "3D human
pose estimation in video with temporal convolutions and semi-supervised training", CVPR 2019 (VideoPose3D).
"""

from __future__ import annotations

import re

import numpy as np

from lift3d.skeletons import H36M17

TRAINING = ("S1", "S5", "S6", "S7", "S8")
TEST = ("S9", "S11")
SUBJECTS = TRAINING + TEST
ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether",
)  # fmt: skip
TAKES = 2  # of each action by each subject
FPS = 50.0
# In the order of every list of views.
CAMERAS = ("54138969", "55011271", "58860488", "60457274")

DAMAGED = ("S11", "Directions")
EXCLUSION = "S11 'Directions' is left out: its video is damaged, as in VideoPose3D"
DRIFT = (
    "The 3D of parts of S9 'Greeting', 'SittingDown' and 'Waiting' are displaced against the images; they are kept, as "
    "in VideoPose3D"
)

# S1's files name two of the actions differently.
_SPELLINGS = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
JOINTS = 32
# Where the joints that move of their own stand among the 32; the others repeat one of them or end a hand or a foot.
PLACES = {
    "pelvis": 0, "right_hip": 1, "right_knee": 2, "right_ankle": 3, "left_hip": 6, "left_knee": 7, "left_ankle": 8,
    "spine": 12, "thorax": 13, "nose": 14, "head_top": 15, "left_shoulder": 17, "left_elbow": 18, "left_wrist": 19,
    "right_shoulder": 25, "right_elbow": 26, "right_wrist": 27,
}  # fmt: skip


def select_joints(positions: np.ndarray) -> np.ndarray:
    """The joints of ``h36m17`` of positions (..., 32, 3)."""
    return positions[..., [PLACES[joint] for joint in H36M17.joints], :]


def take_name(name: str) -> tuple[str, str] | None:
    """A take's one name and its action, from the names that files give it; None if it is no take.

    ``"WalkingDog_1"`` is the take ``"WalkDog 1"`` of the action ``"WalkDog"``.
    """
    match = re.fullmatch(r"([A-Za-z]+)(?:[ _](\d))?", name, re.ASCII)
    if not match:
        return None
    action = _SPELLINGS.get(match[1], match[1])
    if action not in ACTIONS:
        return None
    return (f"{action} {match[2]}" if match[2] else action), action

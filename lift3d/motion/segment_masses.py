"""The centre of mass of the body, from the masses of its segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.motion.body_frames import Body
from lift3d.poses import Poses3D

SEXES = ("female", "male")


@dataclass(frozen=True)
class Segment:
    """A segment of the body and where its centre of mass lies; pairs are (female, male).

    Attributes:
        name: of the segment, "*" standing for the side.
        mass: part of the body's mass.
        centres: in order of preference, (start, end, part): the centre lies that part of the way from one place of
            the body to another.
    """

    name: str
    mass: tuple[float, float]
    centres: tuple[tuple[str, str, tuple[float, float]], ...]


# de Leva 1996, table 4: the trunk from the middle of the shoulders to that of the hips, the shank to the centre of the
# ankle. What follows from his segment lengths (243.7 and 242.9 mm from the vertex to the seventh cervical vertebra,
# which lies 116.9 and 87.8 mm above the middle of the shoulders; a forearm of 264.3 and 268.9 mm, a hand of 78.0 and
# 86.2 mm): the head's centre on the way from the vertex to the middle of the shoulders, and the hand's beyond the wrist
# of a straight hand. Winter puts the head's centre at the ear canals.
SEGMENTS = (
    Segment(
        "head",
        (0.0668, 0.0694),
        (
            ("ears", "ears", (0.0, 0.0)),
            ("head_top", "shoulders", (0.327, 0.367)),
            ("skull", "skull", (0.0, 0.0)),
            ("nose", "nose", (0.0, 0.0)),
        ),
    ),
    Segment("trunk", (0.4257, 0.4346), (("shoulders", "pelvis", (0.3782, 0.4310)),)),
    Segment("*_upper_arm", (0.0255, 0.0271), (("*_shoulder", "*_elbow", (0.5754, 0.5772)),)),
    Segment("*_forearm", (0.0138, 0.0162), (("*_elbow", "*_wrist", (0.4559, 0.4574)),)),
    Segment("*_hand", (0.0056, 0.0061), (("*_elbow", "*_wrist", (1.2206, 1.2533)),)),
    Segment("*_thigh", (0.1478, 0.1416), (("*_hip", "*_knee", (0.3612, 0.4095)),)),
    Segment("*_shank", (0.0481, 0.0433), (("*_knee", "*_ankle", (0.4352, 0.4395)),)),
    Segment(
        "*_foot",
        (0.0129, 0.0137),
        (("*_heel", "*_toes", (0.4014, 0.4415)), ("*_ankle", "*_ankle", (0.0, 0.0))),
    ),
)


@dataclass(frozen=True, eq=False)
class CentreOfMass:
    """The centre of mass over time.

    Attributes:
        xyz: (frames, people, 3) float32, metres; NaN where too little of the body is known.
        known: (frames, people) float32, the part of the body's mass whose place is known, 0 to 1.
    """

    xyz: np.ndarray
    known: np.ndarray


def centre_of_mass(poses: Poses3D, sex: str | None = None, least_known: float = 1.0) -> CentreOfMass:
    """The centre of mass of each person's body.

    A foot without heel or toes counts at its ankle, and a hand as the straight end of its forearm.

    Args:
        poses: in any layout and space.
        sex: "female" or "male", whose proportions differ; None takes the mean of both.
        least_known: the part of the mass that must be known; below 1 the centre of the segments that are known
            stands for that of the whole body.

    Raises:
        Lift3DError: an unknown sex, or ``least_known`` is not in 0..1.

    Source: P. de Leva, "Adjustments to Zatsiorsky-Seluyanov's segment inertia parameters", J. Biomechanics 29 (1996),
    table 4; D. Winter, "Biomechanics and Motor Control of Human Movement", 4th edition 2009, table 4.1 (head by ears).
    """
    if sex is not None and sex not in SEXES:
        raise Lift3DError(f"sex must be {' or '.join(SEXES)}, or None for the mean of both, not {sex!r}")
    if not 0 < least_known <= 1:
        raise Lift3DError(f"least_known must be above 0 and at most 1, not {least_known}")
    share = np.array([0.5, 0.5] if sex is None else [float(sex == each) for each in SEXES])
    body = Body(poses.xyz, poses.skeleton)
    total = np.zeros((*poses.xyz.shape[:2], 3))
    known = np.zeros(poses.xyz.shape[:2])
    for segment in SEGMENTS:
        for side in ("left", "right") if "*" in segment.name else ("",):
            centre = _centre(body, segment, side, share)
            seen = np.isfinite(centre).all(axis=-1)
            mass = float(share @ segment.mass)
            total += mass * np.where(seen[..., None], centre, 0)
            known += mass * seen
    whole = sum(float(share @ segment.mass) * (2 if "*" in segment.name else 1) for segment in SEGMENTS)
    part = known / whole
    enough = (part >= least_known - 1e-6) & (known > 0)
    xyz = total / np.where(enough, known, np.nan)[..., None]
    return CentreOfMass(xyz.astype(np.float32), part.astype(np.float32))


def _centre(body: Body, segment: Segment, side: str, share: np.ndarray) -> np.ndarray:
    """(frames, people, 3) metres, by the first of the segment's places that are seen."""
    result = np.full_like(body.at("pelvis"), np.nan)
    for start, end, parts in segment.centres:
        first, last = (body.at(place.replace("*", side)) for place in (start, end))
        result = np.where(np.isnan(result), first + float(share @ parts) * (last - first), result)
    return result

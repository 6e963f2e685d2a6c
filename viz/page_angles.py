"""The joint angles that the page plots."""

from __future__ import annotations

from typing import Any

import numpy as np

from lift3d.motion.angles import ANGLES, Angles, joint_angles
from lift3d.poses import Poses3D
from lift3d.viz.page_numbers import pack_steps
from lift3d.viz.truth_match import Match

STEP_DEGREES = 0.1
SIDES = ("left", "right")


def angle_bytes(people: int, with_truth: bool) -> float:
    """Most bytes of one frame's angles on the page, in base64."""
    return people * len(ANGLES) * 2 * (2 if with_truth else 1) * 4 / 3


def pack_angles(motion: Poses3D, truth: Poses3D | None, match: Match | None) -> dict[str, Any]:
    """Angles in steps of 0.1 degrees, (frames, people, angles): of the clip, and truth's of the same people.

    Angles that the clip shows of nobody are listed in ``missing``, with the reason.
    """
    angles = joint_angles(motion)
    names = [name for name in angles.names if name not in angles.missing]
    shown = [angles.names.index(name) for name in names]
    packed: dict[str, Any] = {
        "step": STEP_DEGREES,
        "count": len(names),
        "values": pack_steps(angles.values[..., shown], STEP_DEGREES),
        "truth": None,
        "list": _plots(names),
        "missing": [[ANGLES[name].title, reason] for name, reason in angles.missing.items()],
    }
    if truth is not None and match is not None:
        packed["truth"] = pack_steps(_matched(joint_angles(truth), names, motion.people, match), STEP_DEGREES)
    return packed


def _matched(truth: Angles, names: list[str], people: int, match: Match) -> np.ndarray:
    """Truth's angles in the clip's order of people and names; NaN where truth has none."""
    values = np.full((len(truth.values), people, len(names)), np.nan, np.float32)
    for column, name in enumerate(names):
        if name in truth.names:
            values[:, match.people, column] = truth.values[:, match.truth_people, truth.names.index(name)]
    return values


def _plots(names: list[str]) -> list[dict[str, Any]]:
    """One plot for each angle, left and right together; ``columns`` are the places of its sides among ``names``."""
    plots: dict[str, dict[str, Any]] = {}
    for column, name in enumerate(names):
        side, _, rest = name.partition("_")
        base, side = (rest, side) if side in SIDES else (name, "middle")
        definition = ANGLES[name]
        plot = plots.setdefault(
            base,
            {
                "name": base,
                "title": definition.title.removesuffix(f", {side}"),
                "positive": definition.positive,
                "zero": definition.zero,
            },
        )
        plot.setdefault("columns", {})[side] = column
    return list(plots.values())

"""The result of comparing predicted poses with the truth, as numbers and as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lift3d.evaluation.metrics import PCK_THRESHOLD


@dataclass(frozen=True)
class Report:
    """Errors of predicted poses, and what was compared.

    Attributes:
        mpjpe, p_mpjpe, n_mpjpe: mm; after removing the root, after a similarity alignment of each pose, after the
            best scale of each pose (see ``lift3d.evaluation.metrics``).
        mpjve: mm per frame, at the frame rate ``fps``; NaN for a single frame.
        pck_3d, auc_3d: per cent, at 150 mm and over 0..150 mm.
        per_joint: for each joint its MPJPE and P-MPJPE in mm.
        joints: the joints compared.
        root: what was subtracted from both.
        people: (predicted, true) track ids of the pairs compared.
        people_matched_by: how the pairs were found.
        frames: frames compared.
        poses: poses (a person in a frame) with at least one joint compared.
        compared: joints compared in all of these, after exclusions.
        fps: frame rate, None if unknown.
        rotated: whether one best rotation a person stood in for the unknown camera.
        left_out: how many of what was left out.
        joints_left_out: names of the joints that only the prediction, and only the truth, has.
        notes: what was done or assumed.
    """

    mpjpe: float
    p_mpjpe: float
    n_mpjpe: float
    mpjve: float
    pck_3d: float
    auc_3d: float
    per_joint: dict[str, tuple[float, float]]
    joints: tuple[str, ...]
    root: str
    people: tuple[tuple[int, int], ...]
    people_matched_by: str
    frames: int
    poses: int
    compared: int
    fps: float | None
    rotated: bool
    left_out: dict[str, int]
    joints_left_out: tuple[tuple[str, ...], tuple[str, ...]]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values; a number that could not be had is None."""
        values = asdict(self)
        values["per_joint"] = {
            joint: {"mpjpe": mpjpe, "p_mpjpe": p_mpjpe} for joint, (mpjpe, p_mpjpe) in self.per_joint.items()
        }
        values["people"] = [{"prediction": ours, "truth": theirs} for ours, theirs in self.people]
        values["joints_left_out"] = dict(zip(("prediction", "truth"), self.joints_left_out, strict=True))
        return {key: json_values(value) for key, value in values.items()}

    def describe(self) -> str:
        """The report as Markdown, which reads as plain text too."""
        turned = " after one best rotation a person" if self.rotated else ""
        rate = "unknown" if self.fps is None else f"{self.fps:g} frames per second"
        rows = [
            (f"MPJPE{turned}", f"{self.mpjpe:.1f} mm"),
            ("P-MPJPE", f"{self.p_mpjpe:.1f} mm"),
            (f"N-MPJPE{turned}", f"{self.n_mpjpe:.1f} mm"),
            (f"MPJVE{turned}", f"{self.mpjve:.1f} mm per frame ({rate})"),
            (f"PCK3D at {PCK_THRESHOLD:g} mm{turned}", f"{self.pck_3d:.1f} %"),
            (f"AUC, 0 to {PCK_THRESHOLD:g} mm{turned}", f"{self.auc_3d:.1f} %"),
        ]
        pairs = ", ".join(str(a) if a == b else f"{a} with {b}" for a, b in self.people)
        facts = [
            f"{self.frames} frames, {self.poses} poses, {self.compared} joints compared; frame rate {rate}",
            f"root: {self.root}",
            f"people, matched by {self.people_matched_by}: {pairs}",
            *(f"left out: {count} {what}" for what, count in self.left_out.items() if count),
            *(
                f"only in the {side}: {', '.join(joints)}"
                for side, joints in zip(("prediction", "truth"), self.joints_left_out, strict=True)
                if joints
            ),
            *self.notes,
        ]
        width = max(map(len, self.joints))
        return "\n".join(
            [
                *markdown_table(("error", "value"), rows),
                "",
                *(f"- {fact}" for fact in facts),
                "",
                *markdown_table(
                    ("joint".ljust(width), "MPJPE mm", "P-MPJPE mm"),
                    [(joint, *(f"{value:.1f}" for value in values)) for joint, values in self.per_joint.items()],
                ),
            ]
        )


def markdown_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A table in Markdown whose columns line up: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: tuple[str, ...]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(head), f"| {' | '.join(ruler)} |", *map(line, rows)]


def json_values(value: Any) -> Any:
    """Plain values, tuples as lists, with None for every number that is not finite."""
    if isinstance(value, dict):
        return {key: json_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_values(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Whether to trust a calibration: good, doubtful or to be redone, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lift3d.calibration.camera_checks import check_camera
from lift3d.calibration.findings import Finding, Severity
from lift3d.calibration.held_out import HeldOut, held_out_rmse
from lift3d.calibration.measures import fit_alone, images_found, images_used
from lift3d.calibration.rig_checks import check_held_out, check_rig
from lift3d.calibration.solution import Solution
from lift3d.calibration.uncertainty import ExpectedError, expected_error
from lift3d.calibration.volume import capture_volume

VERDICTS = {None: "good", Severity.NOTE: "good", Severity.DOUBTFUL: "doubtful", Severity.REDO: "redo"}
WORDS = {
    "good": "Good: this calibration can be trusted.",
    "doubtful": "Doubtful: usable, but not without care; better film again what is listed.",
    "redo": "Redo: do not use this calibration; film again as listed.",
}


CONTRADICTIONS = ("mirrored", "moved", "disagreement")


@dataclass(frozen=True, eq=False)
class Quality:
    """How good a calibration is.

    Attributes:
        verdict: "good", "doubtful" or "redo": the worst of all findings.
        camera_verdicts: the same by camera, from the findings about it.
        findings: what is wrong, the worst first.
        rmse: reprojection error of the corners that were used, pixels (root mean square of the 2D distance).
        camera_rmse: the same by camera.
        images_used, images_dropped: by camera, the images in which the board was found and that counted, or did not.
        held_out: the errors of images that the calibration was not made from.
        expected: the expected error of 3D points in the capture volume, for keypoints with a noise of 1 px; None for
            cameras that make no rig.
    """

    verdict: str
    camera_verdicts: dict[str, str]
    findings: tuple[Finding, ...]
    rmse: float
    camera_rmse: dict[str, float]
    images_used: dict[str, int]
    images_dropped: dict[str, int]
    held_out: HeldOut
    expected: ExpectedError | None

    @property
    def words(self) -> str:
        """The verdict as a sentence."""
        return WORDS[self.verdict]

    def expected_mm(self) -> dict[str, float]:
        """Expected 3D errors in the volume, mm: ``median`` and ``p95`` by the calibration (of shape), ``per_pixel``.

        ``per_pixel`` is the median that each pixel of noise in the keypoints adds. Empty for cameras without a volume.
        """
        if self.expected is None or not len(self.expected.points):
            return {}
        shape = self.expected.shape_mm()
        noise = self.expected.noise_mm() / self.expected.pixel_noise
        # Of numbers some of which are infinite there is no weighted mean: the higher of two neighbours counts.
        median, p95 = np.percentile(shape, [50, 95], method="higher")
        return {"median": float(median), "p95": float(p95), "per_pixel": float(np.median(noise))}

    def to_dict(self) -> dict[str, Any]:
        """The quality as JSON values; a number that could not be had, or is infinite, is None."""
        return {
            "verdict": self.verdict,
            "camera_verdicts": dict(self.camera_verdicts),
            "rmse_pixels": _json(self.rmse),
            "camera_rmse_pixels": {name: _json(value) for name, value in self.camera_rmse.items()},
            "held_out_rmse_pixels": _json(self.held_out.rmse),
            "images_used": dict(self.images_used),
            "images_dropped": dict(self.images_dropped),
            "expected_error_mm": {name: _json(value) for name, value in self.expected_mm().items()} or None,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def describe(self) -> str:
        """The verdict and the findings as lines of plain text."""
        lines = [self.words]
        for kind in grouped(self.findings):
            mark = {Severity.REDO: "!!", Severity.DOUBTFUL: "! ", Severity.NOTE: "  "}
            lines += [f"{mark[finding.severity]} {sentence(finding)}" for finding in kind]
            lines += [f"   -> {advice}" for advice in dict.fromkeys(finding.advice for finding in kind)]
        return "\n".join(lines)


def assess(solution: Solution) -> Quality:
    """Judge a calibration by what was filmed, by what fits, and by the covariance of the cameras.

    The limits stand in ``lift3d.calibration.findings.LIMITS``.

    Args:
        solution: the calibration.

    Returns:
        Its quality.
    """
    rig = solution.rig
    expected = expected_in_volume(solution)
    held_out = held_out_rmse(solution)
    findings = find(solution, expected)
    # Of cameras that contradict the others this would blame the number of images.
    contradicting = {name for finding in findings if finding.kind in CONTRADICTIONS for name in finding.cameras}
    findings += [f for f in check_held_out(solution, held_out) if not contradicting & {*f.cameras}]
    findings.sort(key=lambda finding: -finding.severity)
    found, kept = images_found(solution), images_used(solution)
    return Quality(
        verdict=_verdict(findings),
        camera_verdicts={name: _verdict(f for f in findings if name in f.cameras) for name in rig.names},
        findings=tuple(findings),
        rmse=solution.rmse,
        camera_rmse=dict(zip(rig.names, solution.camera_rmse().tolist(), strict=True)),
        images_used=dict(zip(rig.names, kept.sum(axis=1).tolist(), strict=True)),
        images_dropped=dict(zip(rig.names, (found & ~kept).sum(axis=1).tolist(), strict=True)),
        held_out=held_out,
        expected=expected,
    )


def find(solution: Solution, expected: ExpectedError | None) -> list[Finding]:
    """All findings but those of cross-validation: about the rig, then camera by camera.

    Contradictions between cameras come first, being the cause of much of what follows.
    """
    findings = list(check_rig(solution, fit_alone(solution), expected))
    for index in range(len(solution.rig)):
        findings += check_camera(solution, index)
    return findings


def expected_in_volume(solution: Solution) -> ExpectedError | None:
    """The expected error in the volume where several cameras saw the board; None for cameras that make no rig.

    Where they never did, the rig having come about otherwise, the volume is where the cameras look.
    """
    if len(solution.rig) < 2 or solution.metadata.get("reference", "") is None:
        return None
    together = images_used(solution).sum(axis=0) >= 2
    boards = solution.board_poses.world()[together] if together.any() else None
    return expected_error(solution, capture_volume(solution.rig, boards))


def grouped(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings of one kind together, the kind with the worst of them first."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.kind, []).append(finding)
    return sorted(kinds.values(), key=lambda kind: -max(finding.severity for finding in kind))


def sentence(finding: Finding) -> str:
    """The finding's problem with the names of its cameras in front, as one sentence."""
    text = f"{' and '.join(finding.cameras)}: {finding.problem}." if finding.cameras else f"{finding.problem}."
    return text if finding.cameras else text[0].upper() + text[1:]


def _verdict(findings: Iterable[Finding]) -> str:
    return VERDICTS[max((finding.severity for finding in findings), default=None)]


def _json(value: float) -> float | None:
    return value if np.isfinite(value) else None

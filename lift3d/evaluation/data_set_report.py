"""The result of a checkpoint on a prepared data set: numbers by action and joint, and everything they depend on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lift3d.datasets.recordings import DataSetInfo
from lift3d.errors import UnknownFormatError
from lift3d.evaluation.actions import Figures, columns
from lift3d.evaluation.coverage import Coverage
from lift3d.evaluation.report import json_values, markdown_table
from lift3d.evaluation.rules import SCALES, Rules
from lift3d.evaluation.worst_clips import WorstClip
from lift3d.io.files import atomic_path, check_output

JSON_NAME, MARKDOWN_NAME = "report.json", "report.md"


@dataclass(frozen=True)
class ActionResult:
    """One action's errors, over so many frames of so many clips (a clip is a recording seen by one camera)."""

    figures: Figures
    frames: int
    clips: int


@dataclass(frozen=True, eq=False)
class DataSetReport:
    """Errors of a checkpoint on a data set, and what was compared.

    Attributes:
        checkpoint: its path, network, size and card.
        path: the prepared set.
        data_set: what the set is.
        subjects: whose recordings were compared.
        actions: the errors of each action.
        mean_of_actions: the unweighted mean over actions, the headline of Human3.6M.
        mean_of_frames: the mean over all frames.
        per_joint: MPJPE and P-MPJPE of each joint, mm, over all frames.
        root: what both were made relative to.
        frames, poses, compared, clips: frames (of each camera), of those with a joint compared, joints, clips.
        fps: frame rates of the recordings.
        rules: the family of rules.
        scale: where the scale of the poses comes from, a key of SCALES.
        flip: whether each clip was lifted mirrored as well.
        placed: whether the poses are those of ``lift3d.lift``, placed in space and refined by the 2D, instead of the
            network's own.
        trajectory: the root-trajectory network that the root's error is of; None if there was none.
        excluded: recordings left out by the rules, with their frames of all cameras.
        left_out: clips that could not be lifted, and why.
        missing: joints missing in the truth, and in the prediction only.
        coverage: whether the error bars hold; None if the network has none.
        worst: the clips with the largest errors.
    """

    checkpoint: dict[str, Any]
    path: str
    data_set: DataSetInfo
    subjects: tuple[str, ...]
    actions: dict[str, ActionResult]
    mean_of_actions: Figures
    mean_of_frames: Figures
    per_joint: dict[str, tuple[float, float]]
    root: str
    frames: int
    poses: int
    compared: int
    clips: int
    fps: tuple[float, ...]
    rules: Rules
    scale: str
    flip: bool
    placed: bool
    trajectory: dict[str, Any] | None
    excluded: dict[str, int]
    left_out: dict[str, str]
    missing: tuple[int, int]
    coverage: Coverage | None
    worst: tuple[WorstClip, ...]

    @property
    def exclusions(self) -> list[str]:
        """What is not among the frames, in sentences."""
        by_rules = [
            f"{name} is left out by the rules of {self.rules.title}"
            + (
                f" ({self.excluded[name]} frames of all cameras)"
                if name in self.excluded
                else " (not in the selection)"
            )
            for name in self.rules.excluded
        ]
        return [*self.data_set.exclusions, *by_rules, *(f"{clip}: {why}" for clip, why in self.left_out.items())]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values; a number that could not be had is None."""
        values: dict[str, Any] = {
            "checkpoint": self.checkpoint,
            "data_set": {"path": self.path, **asdict(self.data_set)},
            "subjects": list(self.subjects),
            "mean_of_actions": self.mean_of_actions.to_dict(),
            "mean_of_frames": self.mean_of_frames.to_dict(),
            "actions": {
                name: {**result.figures.to_dict(), "frames": result.frames, "clips": result.clips}
                for name, result in self.actions.items()
            },
            "per_joint": {joint: {"mpjpe": m, "p_mpjpe": p} for joint, (m, p) in self.per_joint.items()},
            "root": self.root,
            "frames": self.frames,
            "poses": self.poses,
            "joints_compared": self.compared,
            "clips": self.clips,
            "fps": list(self.fps),
            "rules": asdict(self.rules),
            "scale": {"name": self.scale, "meaning": SCALES[self.scale]},
            "flip": self.flip,
            "placed": self.placed,
            "trajectory": self.trajectory,
            "exclusions": self.exclusions,
            "excluded_frames": self.excluded,
            "missing_joints": {"truth": self.missing[0], "prediction_only": self.missing[1]},
            "coverage": None if self.coverage is None else self.coverage.to_dict(),
            "worst_clips": [clip.to_dict() for clip in self.worst],
        }
        return {key: json_values(value) for key, value in values.items()}

    def facts(self) -> list[str]:
        """What the numbers depend on, a sentence each."""
        info, rates = self.data_set, ", ".join(f"{rate:g}" for rate in self.fps)
        poses = "as lift3d.lift gives them: placed in space, refined by the 2D" if self.placed else "the network's own"
        facts = [
            f"checkpoint: {self.checkpoint['path']} ({self.checkpoint['summary']})",
            f"data set: {info.name} ({self.path}), subjects {', '.join(self.subjects)}",
            f"2D: {info.keypoints or 'of unknown source'}, layout {info.skeleton_2d}",
            f"rules: {self.rules.title}" + (f"; the set's own: {info.rules}" if info.rules else ""),
            f"poses: {poses}; flip augmentation {'on' if self.flip else 'off'}",
            *self._root_facts(),
            f"scale: {SCALES[self.scale]}",
            f"{self.frames} frames of {self.clips} clips, {self.compared} joints compared; {rates} frames per second",
            f"relative to: {self.root}",
            *self.rules.notes,
            *(f"excluded: {sentence}" for sentence in self.exclusions),
        ]
        for count, side in zip(self.missing, ("truth", "prediction only"), strict=True):
            facts += [f"left out: {count} joints missing in the {side}"] if count else []
        return facts

    def _root_facts(self) -> list[str]:
        """Where the root's place comes from, if it has one."""
        if self.trajectory is None:
            return []
        found = ", found beside the checkpoint" if self.trajectory["found_beside_checkpoint"] else ""
        return [f"root: by the network {self.trajectory['path']}{found}; in camera space, {self.trajectory['scale']}"]

    def describe(self) -> str:
        """The report as Markdown, which reads as plain text too."""
        rows = [(name, *columns(result.figures).values(), str(result.frames)) for name, result in self.actions.items()]
        rows += [
            ("**mean of actions**", *columns(self.mean_of_actions).values(), ""),
            ("mean of frames", *columns(self.mean_of_frames).values(), str(self.frames)),
        ]
        head = ("action", *columns(self.mean_of_frames), "frames")
        parts = [
            f"# {self.checkpoint['path']} on {self.data_set.name}",
            "",
            *markdown_table(head, rows),
            "",
            *(f"- {fact}" for fact in self.facts()),
            "",
            *markdown_table(
                ("joint", "MPJPE mm", "P-MPJPE mm"),
                [(joint, f"{mpjpe:.1f}", f"{p:.1f}") for joint, (mpjpe, p) in self.per_joint.items()],
            ),
        ]
        if self.coverage is not None:
            axes = "the camera's" if self.placed else "the network's own: across, down and along its view"
            scale = f"- of errors in the network's metres; scale: {SCALES[self.scale]}; axes {axes}"
            parts += ["", "## Error bars", "", self.coverage.describe(), scale]
        if self.worst:
            rows = [
                (f"{c.recording}, {c.camera}", f"{c.mpjpe:.1f}", c.worst_joint, str(c.worst_frame), f"{c.worst:.1f}")
                for c in self.worst
            ]
            head = ("worst clips", "MPJPE mm", "worst joint", "worst frame", "there mm")
            parts += ["", *markdown_table(head, rows)]
        if card := self.checkpoint["card"]:
            parts += ["", "## The checkpoint's card", "", *(f"- {key}: {value}" for key, value in card.items())]
        return "\n".join(parts)


def check_report_output(output: Path, overwrite: bool) -> None:
    """Raise what ``save_data_set_report`` would raise, before the work is done.

    Raises:
        UnknownFormatError: the ending is that of another kind of file.
        OutputExistsError: a file exists and ``overwrite`` is False.
        Lift3DError: the folder does not exist or cannot be written.
    """
    if output.suffix and output.suffix.lower() not in (".json", ".md") and not output.is_dir():
        raise UnknownFormatError(output, "a report is a .json or .md file, or a folder without an ending")
    if not output.is_dir():
        check_output(output, overwrite)
        return
    for name in (JSON_NAME, MARKDOWN_NAME, *(path.name for path in output.glob("*.png"))):
        check_output(output / name, overwrite)


def save_data_set_report(report: DataSetReport, output: Path, overwrite: bool = False) -> list[Path]:
    """Write a report as .json or .md, or as a folder that holds both and the pictures.

    Args:
        report: what to write.
        output: the file, or the folder, which is made if need be.
        overwrite: whether existing files may be replaced.

    Returns:
        The files written.

    Raises:
        OutputExistsError: a file exists and ``overwrite`` is False.
    """
    from lift3d.evaluation.plots import report_pictures

    if output.suffix.lower() in (".json", ".md"):
        return [_write(report, output, overwrite)]
    output.mkdir(exist_ok=True)
    written = [_write(report, output / name, overwrite) for name in (JSON_NAME, MARKDOWN_NAME)]
    for name, figure in report_pictures(report):
        with atomic_path(output / name, overwrite) as temporary:
            figure.savefig(temporary, dpi=120, format="png")
        written.append(output / name)
    return written


def _write(report: DataSetReport, path: Path, overwrite: bool) -> Path:
    markdown = path.suffix.lower() == ".md"
    text = (
        report.describe() if markdown else json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    )
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path

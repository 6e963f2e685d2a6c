"""Errors of lifters: python experiments/default_lifter/evaluate.py MOCAP_FOLDER DEMO_FOLDER CHECKPOINT [CHECKPOINT ...]

Two tables, as Markdown:

1. Held-out people: windows of motion capture of people of whom no clip was trained on, through virtual cameras and the
   virtual detector, for the networks of the checkpoints and for a person who always stands in the mean pose.
2. A recorded person: the four cameras of Pose2Sim's balancing clip, OpenPose detections against the triangulated
   reference, for the first checkpoint, through lift3d.lift as users call it.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import lift3d
from lift3d.datasets.motion_bank import MotionBank, load_motion_bank
from lift3d.evaluation import evaluate
from lift3d.evaluation.metrics import mpjpe, p_mpjpe, pck_3d
from lift3d.models.checkpoint import load_checkpoint
from lift3d.models.inference import make_predictor
from lift3d.poses import Keypoints2D
from lift3d.training.synthesis import SynthesisConfig, WindowSynthesizer

FPS = 30.0
# (file, how often its clips are drawn for their duration), and the people of whom no clip is trained on, as in
# default.yaml. HDM05's five actors are held out as a whole.
SOURCES = (("cmu.h5", 1.0), ("cmu8.h5", 1.0), ("reactidle.h5", 0.25))
HELD_OUT = {"49", "91", "007"}
# Frames on either side of the measured ones, for the networks that look furthest.
MARGIN = 40
LIMBS = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
)
OUTPUTS = 32

Predict = Callable[[Tensor], Tensor]


def training_bank(folder: Path) -> MotionBank:
    """The clips that the default weights are trained on."""
    return load_motion_bank([(folder / name, weight) for name, weight in SOURCES], lambda _, who: who not in HELD_OUT)


def held_out_bank(folder: Path) -> MotionBank:
    """Clips of the held-out people of the training sets."""
    return load_motion_bank([(folder / name, 1.0) for name, _ in SOURCES], lambda _, who: who in HELD_OUT)


def describe(checkpoint: Path) -> str:
    """Name, cost and training of a checkpoint, as cells of a table."""
    network, info = load_checkpoint(checkpoint)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    minutes = _training_minutes(checkpoint)
    cells = [
        checkpoint.parent.name if minutes else checkpoint.stem,
        info.architecture.replace("_", " "),
        f"{parameters / 1e6:.2f} M",
        f"{network.config.multiply_adds / 1e6:.2f} M",
        f"{minutes:.1f}" if minutes else "",
    ]
    return " | ".join(cells)


def _training_minutes(checkpoint: Path) -> float | None:
    curves = checkpoint.parent / "metrics.csv"
    if not curves.is_file():
        return None
    with curves.open(newline="") as file:
        return float(list(csv.DictReader(file))[-1]["seconds"]) / 60


def load_predictor(checkpoint: Path) -> Predict:
    """Poses of the middle frames of windows, by the form of the network that ``lift3d.lift`` uses."""
    predictor = make_predictor(load_checkpoint(checkpoint)[0])

    def predict(inputs: Tensor) -> Tensor:
        frames = slice(MARGIN - predictor.past, inputs.shape[1] - MARGIN + predictor.future)
        return predictor(inputs[:, frames], MARGIN).joints

    return predict


def mean_pose(bank: MotionBank) -> Predict:
    """Always the mean pose of the training windows."""
    windows = WindowSynthesizer(bank, SynthesisConfig(), FPS, seed=7)
    mean = torch.stack([windows.sample(256, 4)[1].mean((0, 1)) for _ in range(8)]).mean(0)
    return lambda inputs: mean.expand(inputs.shape[0], OUTPUTS, *mean.shape)


def held_out_table(mocap: Path, checkpoints: list[Path]) -> str:
    """Rows of networks, columns of data sets and metrics."""
    banks = {"CMU, ReActIdle": held_out_bank(mocap), "HDM05": load_motion_bank([(mocap / "hdm05.h5", 1.0)])}
    names = ["the mean pose | | | | ", *map(describe, checkpoints)]
    predictors = [mean_pose(training_bank(mocap)), *map(load_predictor, checkpoints)]
    heads = ["network", "family", "weights", "multiply-adds a frame", "minutes of training"]
    heads += [f"{name} {metric}" for name in banks for metric in ("MPJPE", "P-MPJPE", "PCK@150")]
    rows: list[list[float]] = [[] for _ in predictors]
    for bank in banks.values():
        windows = WindowSynthesizer(bank, SynthesisConfig(), FPS, seed=54321)
        batches = [windows.sample(128, OUTPUTS + 2 * MARGIN) for _ in range(8)]
        for row, predict in zip(rows, predictors, strict=True):
            pairs = [(predict(inputs), target[:, MARGIN:-MARGIN]) for inputs, target in batches]
            row += [float(np.mean([metric(a, b) for a, b in pairs])) for metric in (mpjpe, p_mpjpe, pck_3d)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, row in zip(names, rows, strict=True):
        lines.append(f"| {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
    return "\n".join(lines)


def main_person(keypoints: Keypoints2D) -> Keypoints2D:
    """The person who is largest in the image; small figures pass in the background of two cameras."""
    extent = np.nanmax(keypoints.xy, axis=2) - np.nanmin(keypoints.xy, axis=2)
    return keypoints.select(people=[int(np.nanmean(extent[..., 1], axis=0).argmax())])


def recording_table(demo: Path, checkpoint: Path | str) -> str:
    """Rows of cameras and 2D layouts, with and without the camera's intrinsics."""
    rig = lift3d.read_rig(demo / "calibration" / "Calib.qca.txt")
    truth = lift3d.read_poses(demo / "single_balancing" / "reference" / "Balancing_for_IK.trc")
    lines = ["| camera | 2D layout | intrinsics | MPJPE | P-MPJPE | reprojection error |", "|---|---|---|---|---|---|"]
    means: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for camera, folder in zip(rig.names, ("cam01", "cam02", "cam03", "cam04"), strict=True):
        path = demo / "single_balancing" / "pose" / f"{folder}_json"
        found = main_person(lift3d.read_keypoints(path, fps=60, image_size=(1088, 1920)))
        for layout, keypoints in (("BODY_25B", found), ("COCO-17", found.convert("coco17")[0])):
            for known in (False, True):
                poses = lift3d.lift(keypoints, checkpoint, camera=rig[camera] if known else None)
                report = evaluate(poses, truth, camera=rig[camera], joints=LIMBS)
                errors = report.mpjpe, report.p_mpjpe
                intrinsics = "known" if known else "assumed"
                means.setdefault((layout, intrinsics), []).append(errors)
                pixels = float(np.nanmedian(poses.reprojection_error))
                lines.append(
                    f"| {folder} | {layout} | {intrinsics} | {errors[0]:.1f} | {errors[1]:.1f} | {pixels:.1f} px |"
                )
    for (layout, intrinsics), errors in means.items():
        mean = np.mean(errors, axis=0)
        lines.append(f"| **mean** | {layout} | {intrinsics} | **{mean[0]:.1f}** | **{mean[1]:.1f}** | |")
    return "\n".join(lines)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="folder with cmu.h5, cmu8.h5, reactidle.h5 and hdm05.h5")
    parser.add_argument("demo", type=Path, help="folder pose2sim_demo")
    parser.add_argument("checkpoints", type=Path, nargs="+", help="of lift3d train, or that ship")
    arguments = parser.parse_args()
    print(held_out_table(arguments.mocap, arguments.checkpoints), end="\n\n", flush=True)
    print(recording_table(arguments.demo, arguments.checkpoints[0]))


if __name__ == "__main__":
    main()

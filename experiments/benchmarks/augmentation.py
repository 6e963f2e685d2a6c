"""What batches of a prepared set add to a training step: python experiments/benchmarks/augmentation.py

A synthetic set of Human3.6M's shape is read, varied and encoded for the default lifter (experiments/default_lifter): as
it is but for flips, in both normalizations; with the errors of a detector and cameras that are not known; and with
everything that there is. A batch and a step (forward, loss, backward, optimizer) on it take turns in one run, float32
and bfloat16 where this machine multiplies it faster. Medians of the processor time of all threads, on which other work
on the machine weighs less than on the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
from functools import partial
from pathlib import Path

import torch
from reading import recordings, seconds

from lift3d.datasets.pose_sets import open_pose_set, write_pose_set
from lift3d.datasets.recordings import DataSetInfo
from lift3d.models.factory import make_network, settings_for
from lift3d.training.batches import Batch
from lift3d.training.config_files import read_config
from lift3d.training.configuration import Augmentation
from lift3d.training.detector_noise import DetectorNoise
from lift3d.training.devices import choose_precision
from lift3d.training.objective import Objective
from lift3d.training.optimizers import make_optimizer
from lift3d.training.set_batches import SetBatches

RECIPE = read_config(Path(__file__).parents[1] / "default_lifter" / "default.yaml")
DETECTED = Augmentation(detector=DetectorNoise(), unknown_camera=0.3)
EVERYTHING = Augmentation(
    turn_vertical_degrees=180,
    turn_degrees=10,
    distance=(0.8, 1.3),
    scale=(0.9, 1.1),
    bone_lengths=0.05,
    speed=(0.8, 1.25),
    noise_pixels=2,
    detector=DetectorNoise(),
    swap_sides=0.1,
    drop_joints=0.1,
    occlusion=0.1,
    unknown_camera=0.3,
)
CASES = (
    ("flips", "image", Augmentation()),
    ("flips", "person", Augmentation()),
    ("flips, detector, unknown cameras", "person", DETECTED),
    ("everything", "person", EVERYTHING),
)


class Step:
    """Training steps of the default network on batches like one."""

    def __init__(self, source: SetBatches, precision: str) -> None:
        inputs, self.precision = source.batch(0).inputs, precision
        settings = settings_for(
            RECIPE.model.architecture,
            RECIPE.model.settings,
            joints_in=inputs.shape[2],
            features_in=inputs.shape[3],
            skeleton=source.skeleton_in.name,
            skeleton_out=source.skeleton_out.name,
            joints_out=len(source.skeleton_out),
        )
        self.network = make_network(RECIPE.model.architecture, settings).train()
        self.objective = Objective(RECIPE.losses, source.skeleton_out)
        self.optimizer = make_optimizer(RECIPE.optimizer, [self.network], fused=True)

    def __call__(self, batch: Batch) -> None:
        """One step."""
        half = torch.autocast("cpu", torch.bfloat16) if self.precision == "bfloat16" else contextlib.nullcontext()
        with half:
            loss, _ = self.objective(self.network, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    precisions = ["float32"] + ["bfloat16"] * (choose_precision("auto", "cpu") == "bfloat16")
    frames = RECIPE.outputs + 26
    print(f"{RECIPE.batch} windows of {frames} frames, {arguments.threads} threads, torch {torch.__version__}\n")
    heads = ["augmentation", "normalization", "batch", *(f"{kind} of a {name} step" for name in precisions
             for kind in ("time", "share"))]  # fmt: skip
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.h5"
        write_pose_set(path, DataSetInfo("own", "h36m17", "h36m17"), recordings())
        with open_pose_set(path) as pose_set:
            for title, normalization, augmentation in CASES:
                source = SetBatches(pose_set, RECIPE.batch, 13, RECIPE.outputs, 13, normalization, augmentation)
                steps = [Step(source, precision) for precision in precisions]
                ready, rounds = source.batch(0), []
                for number in range(arguments.repeats + 3):
                    times = [seconds(partial(step, ready)) for step in steps]
                    rounds.append([seconds(partial(source.batch, number)), *times])
                # The first ones warm up.
                making, *taken = (1000 * statistics.median(times) for times in zip(*rounds[3:], strict=True))
                cells = [cell for time in taken for cell in (f"{time:.0f} ms", f"{making / time:.1%}")]
                print("| " + " | ".join([title, normalization, f"{making:.1f} ms", *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()

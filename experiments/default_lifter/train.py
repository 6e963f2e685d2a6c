"""Train the default lifter: python experiments/default_lifter/train.py MOCAP_FOLDER RUN_FOLDER"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from lift3d.datasets.motion_bank import MotionBank, load_motion_bank
from lift3d.evaluation.metrics import mpjpe, p_mpjpe
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution
from lift3d.skeletons import H36M17
from lift3d.training.synthesis import SynthesisConfig, WindowSynthesizer
from lift3d.training.trainer import TrainingConfig, train

FPS = 30.0
# (file, how often its clips are drawn for their duration). Idle people are many minutes of little variety.
SOURCES = (("cmu.h5", 1.0), ("cmu8.h5", 1.0), ("reactidle.h5", 0.25))
# People of whom no clip is trained on. HDM05's five actors are held out as a whole.
HELD_OUT = {"49", "91", "007"}
# Frames on either side of the measured ones: what the network with the largest receptive field, 27 frames, looks at.
MARGIN = 13


def training_bank(folder: Path) -> MotionBank:
    """The clips that the default weights are trained on."""
    return load_motion_bank([(folder / name, weight) for name, weight in SOURCES], lambda _, who: who not in HELD_OUT)


def held_out_bank(folder: Path) -> MotionBank:
    """Clips of the held-out people of the training sets."""
    return load_motion_bank([(folder / name, 1.0) for name, _ in SOURCES], lambda _, who: who in HELD_OUT)


class HeldOutWindows:
    """A fixed draw of windows of held-out people, the same for every network."""

    def __init__(self, bank: MotionBank, config: SynthesisConfig, batches: int = 4, outputs: int = 32) -> None:
        windows = WindowSynthesizer(bank, config, FPS, seed=12345)
        self.batches = [windows.sample(128, outputs + 2 * MARGIN) for _ in range(batches)]

    @torch.no_grad()
    def __call__(self, network: TemporalConvolution) -> dict[str, float]:
        """MPJPE and P-MPJPE in millimetres."""
        network.eval()
        totals = {"mpjpe": 0.0, "p_mpjpe": 0.0}
        for inputs, target in self.batches:
            frames = slice(MARGIN - network.config.past, inputs.shape[1] - MARGIN + network.config.future)
            prediction = network(inputs[:, frames]).joints
            truth = target[:, MARGIN:-MARGIN]
            totals["mpjpe"] += float(mpjpe(prediction, truth))
            totals["p_mpjpe"] += float(p_mpjpe(prediction, truth))
        return {name: total / len(self.batches) for name, total in totals.items()}


def main() -> None:
    """Train, or go on where a run was cut off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mocap", type=Path, help="folder with cmu.h5, cmu8.h5, reactidle.h5 and hdm05.h5")
    parser.add_argument("run", type=Path, help="folder for checkpoints and log")
    parser.add_argument("--steps", type=int, default=9_000)
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("--widths", type=int, nargs="+", default=[3, 3, 3, 1])
    parser.add_argument("--dropout", type=float, default=0.0)
    arguments = parser.parse_args()

    training = TrainingConfig(steps=arguments.steps)
    synthesis = SynthesisConfig()
    torch.manual_seed(training.seed)
    network = TemporalConvolution(
        TemporalConvolutionConfig(
            joints_in=24, features_in=3, joints_out=17, filter_widths=tuple(arguments.widths),
            channels=arguments.channels, dropout=arguments.dropout,
        )
    )  # fmt: skip
    # The first poses are then near the mean pose, not metres away.
    torch.nn.init.normal_(network.shrink.weight, std=0.005)
    held_out = HeldOutWindows(held_out_bank(arguments.mocap), synthesis)
    hdm05 = HeldOutWindows(load_motion_bank([(arguments.mocap / "hdm05.h5", 1.0)]), synthesis)

    def validate(network: TemporalConvolution) -> dict[str, float]:
        figures = {f"held_out_{name}": value for name, value in held_out(network).items()}
        return figures | {f"hdm05_{name}": value for name, value in hdm05(network).items()}

    windows = WindowSynthesizer(training_bank(arguments.mocap), synthesis, FPS, seed=training.seed + 1)
    parameters = sum(p.numel() for p in network.parameters())
    print(json.dumps({"parameters": parameters, "multiply_adds": network.config.multiply_adds}), flush=True)
    train(network, windows, H36M17.joints, training, arguments.run, validate, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()

"""What synthesis adds to a training step: python experiments/benchmarks/synthesis.py MOTION.h5 [MOTION.h5 ...]

Steps (forward, loss, backward, optimizer) of the default network's batch and the making of that batch take turns in one
run, so that the shares mean something on a shared machine; float32, and bfloat16 where this machine multiplies it
faster. Medians, and the fastest of each, which other work on the machine disturbs least.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from lift3d.datasets.motion_bank import load_motion_bank
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution
from lift3d.training.batches import Batch
from lift3d.training.configuration import SynthesisData
from lift3d.training.devices import choose_precision
from lift3d.training.losses import joint_error, velocity_error
from lift3d.training.synthesis import SynthesisBatches

BATCH, OUTPUTS = 96, 32
WIDTHS = {27: (3, 3, 3, 1), 81: (3, 3, 3, 3)}


class Step:
    """Training steps of a network on one batch."""

    def __init__(self, widths: tuple[int, ...], channels: int, precision: str, batch: Batch) -> None:
        self.network = TemporalConvolution(
            TemporalConvolutionConfig(24, 3, 17, filter_widths=widths, channels=channels, dropout=0.0)
        )
        self.optimizer = torch.optim.AdamW(self.network.parameters(), fused=True)
        self.precision, self.batch = precision, batch

    def __call__(self) -> None:
        """One step."""
        half = torch.autocast("cpu", torch.bfloat16) if self.precision == "bfloat16" else contextlib.nullcontext()
        with half:
            joints = self.network(self.batch.inputs).joints
        target, weight = self.batch.target, self.batch.weight
        loss = joint_error(joints.float(), target, weight) + velocity_error(joints.float(), target, weight)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()


def seconds(action: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", type=Path, nargs="+", help="HDF5 files of motion")
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    bank = load_motion_bank([(path, 1.0) for path in arguments.motion])
    precisions = ["float32"] + ["bfloat16"] * (choose_precision("auto", "cpu") == "bfloat16")
    print(f"{arguments.threads} threads, torch {torch.__version__}, {BATCH} windows of {OUTPUTS} outputs\n")
    print("| context | precision | step | synthesis | share | fastest step | fastest synthesis | share |")
    print("|---" * 8 + "|")
    for context, widths in WIDTHS.items():
        source = SynthesisBatches(bank, SynthesisData(), BATCH, OUTPUTS, context // 2, context // 2, seed=0)
        for precision in precisions:
            step = Step(widths, arguments.channels, precision, source.batch(0))
            pairs = [(seconds(step), seconds(partial(source.batch, number))) for number in range(arguments.repeats + 3)]
            # The first ones warm up.
            steps, makings = ([1e3 * value for value in values] for values in zip(*pairs[3:], strict=True))
            cells = [
                f"{of(steps):.0f} ms | {of(makings):.1f} ms | {of(makings) / of(steps):.1%}"
                for of in (statistics.median, min)
            ]
            print(f"| {context} | {precision} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

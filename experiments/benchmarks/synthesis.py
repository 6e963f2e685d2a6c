"""What synthesis adds to a training step: python experiments/benchmarks/synthesis.py MOTION.h5 [MOTION.h5 ...]

Of the default lifter and of others: a step (forward, loss, backward, optimizer) on a batch that is there, the making of
a batch, and a step whose batch is made by the trainer's thread while the step before it runs. The three take turns in
one run, so that the shares mean something on a shared machine; float32, and bfloat16 where this machine multiplies it
faster. Medians.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from lift3d.datasets.motion_bank import load_motion_bank
from lift3d.models.mirror_convolution.configuration import MirrorConvolutionConfig
from lift3d.models.mirror_convolution.modeling import MirrorConvolution
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution
from lift3d.skeletons import LIFTER23
from lift3d.training.batches import Batch
from lift3d.training.bodies import BodyVariation
from lift3d.training.configuration import SynthesisData
from lift3d.training.devices import choose_precision
from lift3d.training.losses import joint_error, velocity_error
from lift3d.training.muon import Muon
from lift3d.training.prefetch import Prefetcher
from lift3d.training.synthesis import SynthesisBatches

# Windows, outputs of each, and the network; the first is the default lifter (experiments/default_lifter).
NETWORKS = (
    (192, 8, MirrorConvolutionConfig(24, 3, 17, (3, 3, 3, 1), 240, 0.0, skeleton=LIFTER23.name)),
    (96, 32, TemporalConvolutionConfig(24, 3, 17, (3, 3, 3, 1), 256, 0.0)),
    (96, 32, TemporalConvolutionConfig(24, 3, 17, (3, 3, 3, 3), 256, 0.0)),
)
# Parts of bodies are of other windows as often as in the default lifter's training.
DATA = SynthesisData(bodies=BodyVariation(mix_probability=0.5, limb_mix_probability=0.25))


class Step:
    """Training steps of a network."""

    def __init__(self, config: TemporalConvolutionConfig, precision: str) -> None:
        mirrored = isinstance(config, MirrorConvolutionConfig)
        self.network = MirrorConvolution(config) if mirrored else TemporalConvolution(config)
        self.optimizer = Muon([self.network], 1e-3, 0.0, fused=True)
        self.precision = precision

    def __call__(self, batch: Batch) -> None:
        """One step."""
        half = torch.autocast("cpu", torch.bfloat16) if self.precision == "bfloat16" else contextlib.nullcontext()
        with half:
            joints = self.network(batch.inputs).joints
        target, weight = batch.target, batch.weight
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


def measure(step: Step, source: SynthesisBatches, repeats: int) -> list[float]:
    """Milliseconds of a step on a batch that is there, of making one, and of a step whose batch is made ahead."""
    ahead = Prefetcher(source, 0, 1, steps=sys.maxsize)
    ready, rounds = source.batch(0), []
    for number in range(repeats + 3):
        alone = seconds(partial(step, ready))
        making = seconds(partial(source.batch, number))
        # Its batch was made during the other measurements; the next one is made during this step.
        step(ahead.take(2 * number))
        start = time.perf_counter()
        step(ahead.take(2 * number + 1))
        rounds.append((alone, making, time.perf_counter() - start))
    ahead.close()
    # The first ones warm up.
    return [1e3 * statistics.median(values) for values in zip(*rounds[3:], strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", type=Path, nargs="+", help="HDF5 files of motion")
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    bank = load_motion_bank([(path, 1.0) for path in arguments.motion])
    precisions = ["float32"] + ["bfloat16"] * (choose_precision("auto", "cpu") == "bfloat16")
    print(f"{arguments.threads} threads, torch {torch.__version__}\n")
    heads = [
        "batch",
        "frames",
        "channels",
        "precision",
        "step",
        "synthesis",
        "share",
        "step with it made ahead",
        "added",
    ]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for windows, outputs, config in NETWORKS:
        context = math.prod(config.filter_widths)
        source = SynthesisBatches(bank, DATA, windows, outputs, context // 2, context // 2, seed=0)
        for precision in precisions:
            alone, making, together = measure(Step(config, precision), source, arguments.repeats)
            cells = [
                f"{windows} x {outputs}",
                context,
                config.channels,
                precision,
                f"{alone:.0f} ms",
                f"{making:.1f} ms",
            ]
            cells += [f"{making / alone:.0%}", f"{together:.0f} ms", f"{together / alone - 1:.0%}"]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()

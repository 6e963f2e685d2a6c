"""What a training step costs: python experiments/benchmarks/training.py [--batch 64] [--steps 3] [--threads 2]

Two tables, as Markdown, of the network of VideoPose3D (243 frames, 1,024 channels, one pose a window):

1. Multiply-adds of one pose, counted by torch's flop counter: dense form (dilated, every layer over the whole window)
   against strided form (only what the pose is made of). They give the same numbers.
2. Poses a second of whole training steps (forward, backward, AdamW), dense against strided, float32 against bfloat16,
   in turns in one run. The table names how far both forms' outputs lie apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution
from lift3d.training.losses import joint_error


def count_multiply_adds(network: TemporalConvolution, strided: bool) -> float:
    """Multiply-adds of one pose from a window of its receptive field, in millions."""
    window = torch.randn(1, network.config.receptive_field, 17, 2)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(window, strided=strided)
    return counter.get_total_flops() / 2 / 1e6


def make_step(network: TemporalConvolution, batch: int, strided: bool, bfloat16: bool) -> Callable[[], None]:
    """One training step on random windows."""
    inputs = torch.randn(batch, network.config.receptive_field, 17, 2)
    target = torch.randn(batch, 1, 17, 3)
    weight = torch.ones(batch, 1, 17)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, fused=True)

    def step() -> None:
        network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            joints = network(inputs, strided=strided).joints
        optimizer.zero_grad(set_to_none=True)
        joint_error(joints.float(), target, weight).backward()
        optimizer.step()

    return step


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64, help="windows a step")
    parser.add_argument("--steps", type=int, default=3, help="steps of each kind that are timed; the best counts")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    network = TemporalConvolution(TemporalConvolutionConfig(channels=1024)).eval()
    window = torch.randn(4, network.config.receptive_field, 17, 2)
    with torch.no_grad():
        apart = (network(window, strided=True).joints - network(window, strided=False).joints).abs().max()
    print("| form | M multiply-adds a pose |\n|---|---|")
    for name, strided in (("dense", False), ("strided", True)):
        print(f"| {name} | {count_multiply_adds(network, strided):,.0f} |")
    print(f"\noutputs of both forms: at most {float(apart) * 1e6:.2f} um apart\n")

    kinds = [(strided, bfloat16) for bfloat16 in (False, True) for strided in (False, True)]
    steps = [make_step(network, arguments.batch, strided, bfloat16) for strided, bfloat16 in kinds]
    best = [float("inf")] * len(kinds)
    for turn in range(arguments.steps + 1):
        for index, step in enumerate(steps):
            started = time.perf_counter()
            step()
            if turn:  # The first turn warms up.
                best[index] = min(best[index], time.perf_counter() - started)
    print(f"batch {arguments.batch}, {arguments.threads} threads, best of {arguments.steps} steps\n")
    print("| form | precision | poses/s | against dense |\n|---|---|---|---|")
    for (strided, bfloat16), seconds in zip(kinds, best, strict=True):
        dense = best[kinds.index((False, bfloat16))]
        form, precision = "strided" if strided else "dense", "bfloat16" if bfloat16 else "float32"
        print(f"| {form} | {precision} | {arguments.batch / seconds:,.0f} | {dense / seconds:.1f} |")


if __name__ == "__main__":
    main()

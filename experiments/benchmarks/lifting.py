"""How fast lifting is: python experiments/benchmarks/lifting.py

Everything is measured in one run, so that the ratios mean something on a shared machine:

1. Frames per second of whole clips through the default network and through the published 243-frame, 1,024-channel
   one, and the share of the machine's own matrix-multiply rate that their multiply-adds reach, beside the same
   weights as a plain stack of convolutions.
2. Time and peak memory of lift3d.lift as the clip grows, each in a process of its own. Memory is counted above what
   the process holds when the keypoints are loaded and the network is warm.
3. Time from the start of the process to the written file, for the 100-frame demo clip.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lift3d.demo import CLIP
from lift3d.lifting import lift
from lift3d.models import load_checkpoint
from lift3d.models.inference import make_predictor
from lift3d.models.network import Lifter
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution
from lift3d.poses import Keypoints2D

REPEATS = 7


def seconds(action: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def matrix_rate(size: int = 2048) -> Callable[[], float]:
    """Measures multiply-adds per second of a large product, warm."""
    a, b, c = (torch.randn(size, size) for _ in range(3))
    return lambda: size**3 / seconds(lambda: torch.mm(a, b, out=c))


def network_speed(name: str, network: Lifter, frames: int) -> str:
    """One row: frames per second and shares, the median of interleaved repeats."""
    config = network.eval().config
    folded = make_predictor(network)
    inputs = torch.randn(1, config.past + frames + config.future, config.joints_in, config.features_in)
    rate = matrix_rate()
    for warm in (rate, lambda: folded(inputs), lambda: network(inputs)):
        warm()
    ours, plain, rates = [], [], []
    for _ in range(REPEATS):
        # The machine's rate before and after each measurement: others may be busy on it.
        before = rate()
        ours.append(frames / seconds(lambda: folded(inputs)))
        between = rate()
        plain.append(frames / seconds(lambda: network(inputs)))
        rates.append((max(before, between), max(between, rate())))
    share = statistics.median(config.multiply_adds * f / r for f, (r, _) in zip(ours, rates, strict=True))
    other = statistics.median(config.multiply_adds * f / r for f, (_, r) in zip(plain, rates, strict=True))
    return (
        f"| {name} | {config.multiply_adds / 1e6:.2f} M | {statistics.median(ours):,.0f} | {share:.2f} | "
        f"{statistics.median(plain):,.0f} | {other:.2f} | {statistics.median(r for r, _ in rates) / 1e9:.0f} G/s |"
    )


def walker(frames: int) -> Keypoints2D:
    """A person who sways, BODY_25B at 60 frames/s, as long as asked."""
    clip = Keypoints2D.load(CLIP)
    there_and_back = np.concatenate([np.arange(clip.frames), np.arange(clip.frames)[::-1]])
    index = np.resize(there_and_back, frames)
    return Keypoints2D(clip.xy[index], clip.confidence[index], clip.skeleton, fps=clip.fps, image_size=clip.image_size)


def peak_memory() -> int:
    """Bytes of the process at its largest since ``forget_peak``."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def forget_peak() -> None:
    """Start counting the peak anew."""
    Path("/proc/self/clear_refs").write_text("5")


def measure_clip(frames: int) -> None:
    """In a child process: prints time and memory of lifting a clip of ``frames`` frames."""
    keypoints = walker(frames)
    lift(walker(200))
    forget_peak()
    before = peak_memory()
    start = time.perf_counter()
    poses = lift(keypoints)
    elapsed = time.perf_counter() - start
    grown = peak_memory() - before
    arrays = (poses.xyz, poses.confidence, poses.reprojection_error)
    result_bytes = sum(array.nbytes for array in arrays if array is not None)
    print(json.dumps({"seconds": elapsed, "grown": grown, "result": result_bytes}))


def clip_row(frames: int) -> str:
    """One row: time and memory for one length."""
    output = subprocess.run(
        [sys.executable, __file__, "--clip", str(frames)], capture_output=True, text=True, check=True
    ).stdout
    values = json.loads(output)
    return (
        f"| {frames:,} | {values['seconds']:.2f} s | {frames / values['seconds']:,.0f} | "
        f"{values['grown'] / 1e6:.0f} MB | {values['result'] / 1e6:.0f} MB | "
        f"{(values['grown'] - values['result']) / 1e6:.0f} MB |"
    )


def main() -> None:
    """Print the three tables."""
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    head = "| network | multiply-adds a frame | frames/s | share | plain convolutions | share | matrix rate |"
    print(head + "\n" + "|---" * 7 + "|", flush=True)
    print(network_speed("default", load_checkpoint("default")[0], 20_000), flush=True)
    print(
        network_speed("243 frames, 1,024 channels", TemporalConvolution(TemporalConvolutionConfig()), 12_000),
        flush=True,
    )
    print(
        "\n| frames | lift | frames/s | peak memory above the start | of it the result | working memory |\n"
        + "|---" * 6
        + "|",
        flush=True,
    )
    for frames in (1_000, 10_000, 100_000):
        print(clip_row(frames), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lift3d", "lift", str(CLIP), "-o", f"{folder}/out.h5", "--overwrite"]
        runs = [seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(5)]
        assert Path(folder, "out.h5").exists()
    print(f"\n100-frame clip, start of the process to the written file: {statistics.median(runs):.2f} s (median of 5)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--clip"]:
        measure_clip(int(sys.argv[2]))
    else:
        main()

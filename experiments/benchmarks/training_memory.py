"""Memory of a training on a large prepared set: python experiments/benchmarks/training_memory.py FOLDER

Writes a set of ten million frames (4 GB) of a swaying figure into FOLDER, trains on it by ``lift3d train`` for 200
steps, and prints the process's peak of memory. Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lift3d.datasets.pose_sets import write_pose_set
from lift3d.datasets.recordings import DataSetInfo, Recording, View
from lift3d.geometry.cameras import Camera

CAMERA = Camera(
    K=np.array([[1100.0, 0, 500], [0, 1100, 500], [0, 0, 1]]), t=np.array([0.0, 0, 5]), image_size=(1000, 1000)
)
CONFIG = """
model: {architecture: temporal_convolution, settings: {filter_widths: [3, 3, 3], channels: 64}}
data: {source: pose_set, set: large.h5}
batch: 1024
outputs: 1
steps: 200
validate_every: 200
"""
TRAIN = """
import atexit, pathlib, sys
def peak():
    kilobytes = pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    print(f"peak of memory: {int(kilobytes) / 1e6:.2f} GB")
atexit.register(peak)
from lift3d.cli.main import main
main()
"""


def recordings(frames: int, each: int = 5000) -> Iterator[Recording]:
    """A figure that sways before one camera; every fiftieth recording is of the test subject."""
    generator = np.random.default_rng(0)
    rest = generator.normal(0, 0.3, (1, 17, 3))
    time = np.arange(each)[:, None, None] / 50
    for number in range(frames // each):
        subject = "S9" if number % 50 == 0 else "S1"
        xyz = rest + 0.1 * np.sin(time * generator.uniform(1, 6, (1, 17, 3)))
        xyz = (xyz - xyz[:, :1]).astype(np.float32)
        xy = CAMERA.project(xyz).astype(np.float32)
        view = View(CAMERA, xy, np.ones(xy.shape[:2], np.float32))
        yield Recording(f"{subject}/Walking {number}", subject, "Walking", 50.0, xyz, (view,))


def main() -> None:
    """Write, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=10_000_000)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    info = DataSetInfo("own", "h36m17", "h36m17", keypoints="ground truth", training=("S1",), test=("S9",))
    write_pose_set(arguments.folder / "large.h5", info, recordings(arguments.frames), overwrite=True)
    config = arguments.folder / "large.yaml"
    config.write_text(CONFIG)
    command = [sys.executable, "-c", TRAIN, "train", str(config), "-o", str(arguments.folder / "run"), "--overwrite"]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()

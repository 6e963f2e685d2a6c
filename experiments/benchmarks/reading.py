"""How fast windows of a prepared data set are read: python experiments/benchmarks/reading.py

A synthetic set of Human3.6M's shape (4 cameras, 17 joints) and a tenth of its size is written, and everything is
measured in one run, so that the ratios mean something on a shared machine: batches of 1,024 windows of 27 frames with
one output, in processor time,

1. by the reader with the whole set in its pool, and with a pool for a quarter of it, reading included;
2. by a loop over samples that cuts each window out of padded arrays in memory, as VideoPose3D's generator does;
3. by a loop over samples that reads each window from the file;
4. and a training step of the temporal convolution of 256 channels and 27 frames on such a batch, for comparison.

Also the chunk size and the compression that the file has and could have: the rate at which stretches of 1,300 frames
are read, and the file's size.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import torch

from lift3d.datasets.pose_sets import CHUNK_FRAMES, PoseSet, open_pose_set, write_pose_set
from lift3d.datasets.recordings import DataSetInfo, Recording, View
from lift3d.datasets.windows import WindowReader
from lift3d.geometry.cameras import Camera
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution

RECORDINGS, FRAMES, CAMERAS, JOINTS = 20, 2000, 4, 17
BATCH, CONTEXT = 1024, 13
REPEATS = 9
FRAME_BYTES = 4 * 3 * 2 * JOINTS
STRETCH = 1300


def seconds(action: Callable[[], object]) -> float:
    """Processor time of one call, on which other work on the machine weighs less than on the clock."""
    start = time.process_time()
    action()
    return time.process_time() - start


def recordings() -> Iterator[Recording]:
    """Smooth motion in front of cameras, with the noise of a detector."""
    rng = np.random.default_rng(0)
    K = np.array([[1145.0, 0, 512], [0, 1143, 515], [0, 0, 1]])
    t = np.arange(FRAMES)[:, None, None] / 50
    for number in range(RECORDINGS):
        rest = rng.uniform(-0.8, 0.8, (JOINTS, 3))
        xyz = rest + 0.2 * np.sin(t * rng.uniform(0.5, 3, (JOINTS, 3)))
        views = []
        for k in range(CAMERAS):
            c, s = np.cos(np.pi / 2 * k), np.sin(np.pi / 2 * k)
            camera = Camera(
                K, R=np.array([[c, s, 0], [0, 0, -1], [-s, c, 0]]), t=np.array([0, 0, 5.0]), image_size=(1000, 1002),
                name=f"camera{k}",
            )  # fmt: skip
            xy = camera.project(xyz) + rng.normal(0, 3, (FRAMES, JOINTS, 2))
            views.append(View(camera, xy.astype(np.float32), np.ones((FRAMES, JOINTS), np.float32)))
        yield Recording(f"S1/{number}", "S1", str(number), 50.0, xyz.astype(np.float32), tuple(views))


def loop_in_memory(pose_set: PoseSet) -> Callable[[np.ndarray], None]:
    """Cuts windows one by one out of padded clips, and stacks them."""
    pad = (CONTEXT, CONTEXT)
    clips = [
        (
            np.pad(clip.xy, (pad, (0, 0), (0, 0)), mode="edge"),
            np.pad(clip.confidence, (pad, (0, 0)), mode="edge"),
            np.pad(clip.xyz, (pad, (0, 0), (0, 0)), mode="edge"),
        )
        for clip in pose_set.clips()
    ]

    def batch(index: np.ndarray) -> None:
        found = []
        for number in index.tolist():
            view, frame = divmod(number, FRAMES)
            found.append([array[frame : frame + 2 * CONTEXT + 1] for array in clips[view]])
        for arrays in zip(*found, strict=True):
            torch.from_numpy(np.stack(arrays))

    return batch


def loop_over_the_file(pose_set: PoseSet) -> Callable[[np.ndarray], None]:
    """Reads windows one by one (those at the ends shorter, for simplicity)."""

    def batch(index: np.ndarray) -> None:
        for number in index.tolist():
            view, frame = divmod(number, FRAMES)
            one = pose_set.views[view]
            first, stop = max(frame - CONTEXT, 0), min(frame + CONTEXT + 1, FRAMES)
            start = pose_set.recordings[one.recording].start
            xyz = pose_set.rows("poses/xyz", start + first, start + stop)
            pose_set.rows("views/xy", one.start + first, one.start + stop)
            pose_set.rows("views/confidence", one.start + first, one.start + stop)
            xyz @ one.camera.R.T + one.camera.t

    return batch


def training_step() -> Callable[[], None]:
    """A step on a batch that is there already."""
    network = TemporalConvolution(TemporalConvolutionConfig(filter_widths=(3, 3, 3), channels=256)).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)
    inputs, target = torch.randn(BATCH, 2 * CONTEXT + 1, JOINTS, 2), torch.randn(BATCH, 1, JOINTS, 3)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        joints = network(inputs)
        joints = joints if isinstance(joints, torch.Tensor) else joints.joints
        (joints - target).norm(dim=-1).mean().backward()
        optimizer.step()

    return step


def reading_speed(folder: Path, chunk: int, options: dict[str, object]) -> str:
    """One row: a file of 2D with such chunks."""
    rng = np.random.default_rng(0)
    xy = np.concatenate([view.xy for one in recordings() for view in one.views])
    path = folder / "chunks.h5"
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.create_dataset("xy", data=xy, chunks=(chunk, JOINTS, 2), fletcher32=True, **options)
    with h5py.File(path) as file:
        starts = rng.integers(0, len(xy) - STRETCH, 100).tolist()
        times = [seconds(lambda: [file["xy"][s : s + STRETCH] for s in starts]) for _ in range(REPEATS)]
    rate = len(starts) * STRETCH / statistics.median(times)
    name = ", ".join(str(value) for value in options.values()) or "none"
    return f"| {chunk} | {name} | {path.stat().st_size / 1e6:.0f} | {rate / 1e6:.2f} |"


def main() -> None:
    """Print the tables of ``RESULTS.md``."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "set.h5"
        written = seconds(lambda: write_pose_set(path, DataSetInfo("own", "h36m17", "h36m17"), recordings()))
        with open_pose_set(path) as pose_set:
            views = RECORDINGS * CAMERAS * FRAMES
            whole = WindowReader(pose_set, CONTEXT, CONTEXT, 1)
            opened = seconds(lambda: whole.read(0, BATCH))
            blocks = WindowReader(pose_set, CONTEXT, CONTEXT, 1, pool_bytes=views * FRAME_BYTES // 4)
            epoch = blocks.steps_per_epoch(BATCH)
            in_memory, over_file, step = loop_in_memory(pose_set), loop_over_the_file(pose_set), training_step()
            rng = np.random.default_rng(0)
            rows: dict[str, list[float]] = {}
            step()
            for repeat in range(REPEATS):
                index = rng.integers(0, views, BATCH)
                for title, action in (
                    ("reader, whole set in the pool", lambda at=repeat: whole.read(at, BATCH)),
                    ("loop over samples in memory", lambda of=index: in_memory(of)),
                    ("loop over samples in the file", lambda of=index: over_file(of)),
                    ("training step, 256 channels, 27 frames", step),
                ):
                    rows.setdefault(title, []).append(seconds(action))
            per_batch = seconds(lambda: [blocks.read(at, BATCH) for at in range(epoch)]) / epoch
            medians = {title: statistics.median(times) for title, times in rows.items()}
            medians["reader, a quarter of the set in the pool, with reading"] = per_batch
            print(f"{views:,} windows written in {written:.1f} s; first batch after {opened:.2f} s\n")
            print("| what | ms a batch of 1,024 | windows/s | share of a step |\n|---|---|---|---|")
            share = medians["training step, 256 channels, 27 frames"]
            for title, median in medians.items():
                print(f"| {title} | {1000 * median:.1f} | {BATCH / median:,.0f} | {median / share:.1%} |")
        print("\n| frames a chunk | compression | MB | million frames/s |\n|---|---|---|---|")
        packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        for chunk, options in (
            (64, {}), (CHUNK_FRAMES, {}), (1024, {}), (CHUNK_FRAMES, {"compression": "lzf"}), (CHUNK_FRAMES, packed),
        ):  # fmt: skip
            print(reading_speed(Path(name), chunk, options))


if __name__ == "__main__":
    main()

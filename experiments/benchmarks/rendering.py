"""How fast frames are drawn without a screen, how much memory that takes, and how soon a long clip is seen.

Run: python experiments/benchmarks/rendering.py [--frames 1000]
It writes its section of RESULTS.md beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lift3d.io.poses3d import read_poses
from lift3d.io.stored_poses import open_poses
from lift3d.poses import Poses3D
from lift3d.viz.render import make_renderer, save_frames
from lift3d.viz.stage import Stage

SIZE = (1280, 720)
HEADING = "## Rendering without a screen"
LONG = 100_000


def walking(frames: int) -> Poses3D:
    """The demo clip's person, over and over."""
    from lift3d.demo import CLIP
    from lift3d.io.keypoints import read_keypoints
    from lift3d.lifting.lift import lift

    poses = lift(read_keypoints(CLIP))
    times = -(-frames // poses.frames)
    return Poses3D(
        np.tile(poses.xyz, (times, 1, 1, 1))[:frames],
        sigma=None if poses.sigma is None else np.tile(poses.sigma, (times, 1, 1))[:frames],
        skeleton=poses.skeleton,
        fps=poses.fps,
        space=poses.space,
        camera=poses.camera,
    )


def measure(job: str, path: str, frames: int) -> dict[str, float]:
    """One job in this process: seconds and the peak of memory in MB."""
    start = time.perf_counter()
    if job == "open":
        stage = Stage(open_poses(path))
        drawer, _ = make_renderer(SIZE, renderer="matplotlib")
        drawer.draw(stage.backdrop, stage.drawing(stage.frames // 2), stage.viewpoints["front"])
    elif job == "drawing":
        stage = Stage(read_poses(path))
        stage.drawing(0)
        start = time.perf_counter()
        for frame in range(frames):
            stage.drawing(frame)
    else:
        stage = Stage(open_poses(path))
        drawer, _ = make_renderer(SIZE, renderer=job)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            save_frames(stage, Path(folder) / "clip.mp4", size=SIZE, frames=slice(frames), renderer=drawer)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "memory": peak_memory()}


def peak_memory() -> float:
    """The most memory in MB that this process has had; what getrusage says counts the process that started it too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def in_child(job: str, path: Path, frames: int) -> dict[str, float]:
    """The job in a process of its own, so that its memory is its own."""
    said = subprocess.run(
        [sys.executable, __file__, "--job", job, "--clip", str(path), "--frames", str(frames)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    values: dict[str, float] = json.loads(said.splitlines()[-1])
    return values


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--frames", type=int, default=1000)
    arguments.add_argument("--job")
    arguments.add_argument("--clip")
    given = arguments.parse_args()
    if given.job:
        print(json.dumps(measure(given.job, given.clip, given.frames)))
        return
    rows = ["| job | frames | seconds | frames/s | peak memory, MB |", "|---|---|---|---|---|"]

    def row(title: str, job: str, path: Path, frames: int) -> None:
        # What is over soon is disturbed most by other work of the machine: the best of five.
        tries = 5 if job in ("open", "drawing") else 1
        found = min((in_child(job, path, frames) for _ in range(tries)), key=lambda values: values["seconds"])
        rate = "" if job == "open" else f"{frames / found['seconds']:.1f}"
        rows.append(f"| {title} | {frames} | {found['seconds']:.2f} | {rate} | {found['memory']:.0f} |")
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.h5"
        walking(LONG).save(path)
        row("open an HDF5 file, until the first frame is drawn", "open", path, LONG)
        short = Path(folder) / "short.h5"
        walking(given.frames).save(short)
        row("what a frame looks like, not drawn", "drawing", short, given.frames)
        # Open3D takes long in software; there a quarter of the frames tells as well whether memory grows.
        for renderer, longer in (("matplotlib", (1, 4)), ("open3d", (0.25, 1))):
            for times in longer:
                row(f"MP4 of 1280x720 by {renderer}", renderer, path, round(times * given.frames))
    table = "\n".join(rows)
    text = f"""{HEADING}
One person, 1280x720; encoding of the MP4 is in the time. {os.cpu_count()} cores, {platform.machine()}, no GPU: Open3D
draws by Mesa's software Vulkan. Command: `python experiments/benchmarks/rendering.py --frames {given.frames}`.

{table}
"""
    results = Path(__file__).with_name("RESULTS.md")
    before, _, after = results.read_text().partition(HEADING)
    rest = after.partition("\n## ")
    results.write_text(before.rstrip() + "\n\n" + text + ("\n## " + rest[2] if rest[1] else ""))


if __name__ == "__main__":
    main()

"""Memory does not grow with the size of the set: ten million frames are read in a few hundred megabytes."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from pose_set_samples import INFO, recording

from lift3d.datasets.pose_sets import write_pose_set

FRAMES = 10_000_000
PIECES = 2_000
LIMIT = 700 << 20

# Reads in a process of its own, since a process never forgets its peak.
READ = """
import sys, torch
from pathlib import Path
from lift3d.datasets.pose_sets import open_pose_set
from lift3d.datasets.windows import WindowReader
def peak():
    # Not getrusage, whose peak is that of the process before, too, which this one was forked from.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
with open_pose_set(sys.argv[1]) as pose_set:
    before = peak()
    reader = WindowReader(pose_set, 13, 13, 1, pool_bytes=128 << 20)
    steps = reader.steps_per_epoch(1024)
    written = reader.read_windows(torch.arange(0, 40_000, 100))
    seen = int((written.confidence[:, 13] > 0).any(-1).sum())
    for step in [*range(20), *range(500, steps + 500, steps // 6), steps - 1]:
        reader.read(step, 1024)
    print(reader.windows, seen, before, peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for its peak of memory")
def test_ten_million_frames_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.h5"
    each = FRAMES // PIECES
    write_pose_set(path, INFO, [recording(f"S1/Walking {k}", each, 1, k) for k in range(8)])
    # Most of the file is never written: HDF5 gives its fill value (missing), which takes a reader no less memory.
    with h5py.File(path, "r+") as file:
        for name in ("poses/xyz", "views/xy", "views/confidence"):
            file[name].resize(FRAMES, axis=0)
        starts = np.arange(PIECES) * each
        columns = {
            "recordings/name": np.array([f"S1/Walking {k}".encode() for k in range(PIECES)]),
            "recordings/subject": np.full(PIECES, b"S1"),
            "recordings/action": np.full(PIECES, b"Walking"),
            "recordings/fps": np.full(PIECES, 50.0),
            "recordings/start": starts,
            "recordings/frames": np.full(PIECES, each),
            "views/recording": np.arange(PIECES),
            "views/start": starts,
            "views/camera": np.zeros(PIECES, dtype=np.int64),
            "views/seen": np.full(PIECES, each),
        }
        for name, values in columns.items():
            del file[name]
            file[name] = values
    assert path.stat().st_size < 100 << 20
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True)
    windows, seen, before, peak = (int(word) for word in done.stdout.split())
    assert windows == FRAMES
    assert seen == 400
    assert peak * 1024 < LIMIT, f"peak {peak / 1024:.0f} MiB, {before / 1024:.0f} MiB of which are the libraries"

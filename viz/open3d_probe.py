"""Whether Open3D can draw without a window on this machine, and fast enough to be of use.

It draws through Vulkan. Where there is no driver that ends the process, and a driver in software may be too slow. So a
child process tries first, with a time limit.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache

# A frame of TRIAL pixels that takes longer than this many seconds is no use: matplotlib draws 50 meanwhile.
TRIAL = (640, 360)
SLOWEST = 1.0
# Seconds for all trial frames together, and for the start of Python and Open3D on a busy machine before that.
DRAWING, STARTING = 8, 60


@dataclass(frozen=True)
class Offscreen:
    """What the trial found.

    Attributes:
        usable: whether frames can be drawn, and fast enough.
        device: what draws, as the driver calls it.
        seconds: for a frame of the trial, None if there was none.
        reason: one sentence on why not; empty if usable.
    """

    usable: bool
    device: str = ""
    seconds: float | None = None
    reason: str = ""


@lru_cache(maxsize=1)
def probe_open3d() -> Offscreen:
    """Try to draw with Open3D in a child process; the answer is kept for this process."""
    if importlib.util.find_spec("open3d") is None:
        return Offscreen(False, reason="Open3D is not installed (pip install 'lift3d[viz]')")
    try:
        child = subprocess.run(
            [sys.executable, "-m", "lift3d.viz.open3d_probe"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=STARTING + DRAWING,
            check=False,
        )
        said, ended = child.stdout, child.returncode
    except subprocess.TimeoutExpired as error:
        said, ended = (error.stdout or b"").decode(errors="replace"), None
    except OSError as error:
        return Offscreen(False, reason=f"no second process could be started to try Open3D ({error})")
    return read_trial(said, ended)


def read_trial(said: str, ended: int | None) -> Offscreen:
    """What the child's words mean; ``ended`` is its exit code, None if it had to be stopped."""
    device = next(
        (line.partition(": ")[2] for line in said.splitlines() if line.startswith("Vulkan device driver")), ""
    )
    lines = [line for line in said.splitlines() if line.startswith("{")]
    seconds = float(json.loads(lines[-1])["seconds"]) if lines and lines[-1].endswith("}") else None
    by = f" with {device}" if device else ""
    if seconds is not None and seconds <= SLOWEST and ended == 0:
        return Offscreen(True, device, seconds)
    if seconds is not None:
        return Offscreen(False, device, seconds, f"Open3D takes {seconds:.1f} s a frame of {TRIAL[0]} x {TRIAL[1]}{by}")
    if "started" in said.split():
        return Offscreen(False, device, None, f"Open3D drew no frame within {DRAWING} s{by}")
    if ended is None:
        return Offscreen(False, device, None, f"Open3D did not start within {STARTING} s")
    return Offscreen(False, device, None, "Open3D found no Vulkan driver to draw with")


def _trial() -> None:
    """Draw a few frames and print how long one took; this is the child process."""
    import faulthandler
    import time

    import numpy as np

    from lift3d.viz.drawing import Drawing, Spheres
    from lift3d.viz.meshes import import_open3d
    from lift3d.viz.open3d_frames import Open3DFrames
    from lift3d.viz.viewpoint import Viewpoint

    import_open3d()
    frames = Open3DFrames(TRIAL, quiet=False)
    print("started", flush=True)
    # Ends the process even while the driver computes.
    faulthandler.dump_traceback_later(DRAWING, exit=True)
    one = np.ones((1, 3), np.float32)
    drawing = Drawing(Spheres(0 * one, one[0, :1], 0.5 * one))
    viewpoint = Viewpoint(np.array([0.0, -5.0, 0.0]), np.zeros(3))
    backdrop = Drawing()
    image = frames.draw(backdrop, drawing, viewpoint)
    start = time.perf_counter()
    for _ in range(3):
        image = frames.draw(backdrop, drawing, viewpoint)
    seconds = (time.perf_counter() - start) / 3
    middle, corner = image[TRIAL[1] // 2, TRIAL[0] // 2], image[2, 2]
    if (middle == corner).all():
        raise SystemExit("the picture is empty")
    print(json.dumps({"seconds": seconds}), flush=True)
    # Filament's own end is not worth waiting for.
    os._exit(0)


if __name__ == "__main__":
    _trial()

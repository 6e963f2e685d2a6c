"""Whether a window can be opened here, found out in another process: a missing driver ends the process that tries."""

from __future__ import annotations

import os
import subprocess
import sys

from lift3d.errors import Lift3DError
from lift3d.viz.meshes import import_open3d

INSTEAD = "save a page that any browser plays (--save out.html), a picture (.png) or a video (.mp4) instead"
SECONDS = 120
# A window that stays hidden, and goes at once.
HIDDEN = 1
TRIAL = f"""
import open3d.visualization.gui as gui
import open3d.visualization.rendering as rendering
application = gui.Application.instance
application.initialize()
window = application.create_window("lift3d", 64, 64, -1, -1, {HIDDEN})
widget = gui.SceneWidget()
widget.scene = rendering.Open3DScene(window.renderer)
window.add_child(widget)
window.post_redraw()
for _ in range(3):
    application.run_one_tick()
print("opened", flush=True)
import os
os._exit(0)
"""


def require_window() -> None:
    """Return if Open3D can open a window here.

    Raises:
        MissingDependencyError: Open3D is not there.
        Lift3DError: there is no display, or no driver that draws.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise Lift3DError(f"there is no screen to open a window on (DISPLAY is not set); {INSTEAD}")
    import_open3d()
    try:
        trial = subprocess.run(
            [sys.executable, "-c", TRIAL], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Lift3DError(f"opening a window took more than {SECONDS} s; {INSTEAD}") from None
    # Without a display Open3D says so, and draws into nothing.
    if "opened" not in trial.stdout or "headless" in trial.stdout + trial.stderr:
        raise Lift3DError(f"no window can be opened here ({_reason(trial.stdout + trial.stderr)}); {INSTEAD}")


def _reason(words: str) -> str:
    """The last line that a process said."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "the graphics driver ended the process"

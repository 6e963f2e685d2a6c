"""How much time the viewer needs a frame: python experiments/benchmarks/viewer.py

1. Our own work, 5 people x 17 joints: what a moment looks like (Stage.drawing), and the changes in Open3D's scene
   (LiveScene.draw); with trails, and with error bars and error colours beside.
2. For comparison: all joints and bones as one mesh, made and sent anew for each frame.
3. Frames a second that reach the window while it plays. Under Xvfb that is a driver in software, which says how fast
   that driver is and not how fast the viewer is on a graphics card: then look at 1.

Needs a screen: xvfb-run -s "-screen 0 1280x800x24" python experiments/benchmarks/viewer.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.poses import Poses3D
from lift3d.skeletons import get_skeleton
from lift3d.viz.drawing import Drawing
from lift3d.viz.look import Look
from lift3d.viz.meshes import body_mesh, import_open3d, open3d_material, open3d_mesh
from lift3d.viz.stage import Stage
from lift3d.viz.window import Viewer

FRAMES, PEOPLE, WARM = 400, 5, 20
SECONDS = 20
DRAWN_EVERY = 10


def five_people() -> Stage:
    """A stage with people who sway, all joints in motion, beside a truth 3 cm away."""
    rng = np.random.default_rng(0)
    skeleton = get_skeleton("h36m17")
    t = np.arange(FRAMES)[:, None, None, None] / 60
    place = rng.uniform([-0.4, -0.2, 0], [0.4, 0.2, 1.8], (PEOPLE, len(skeleton), 3))
    place[..., 0] += 1.2 * np.arange(PEOPLE)[:, None]
    xyz = (place + 0.1 * np.sin(3 * t + rng.uniform(0, 6, place.shape))).astype(np.float32)
    sigma = np.full(xyz.shape[:3], 0.03, np.float32)
    truth = (xyz + rng.normal(0, 0.02, xyz.shape)).astype(np.float32)
    clip = Poses3D(xyz, skeleton=skeleton, fps=60.0, sigma=sigma)
    return Stage(clip, Poses3D(truth, skeleton=skeleton, fps=60.0))


def milliseconds(work: Callable[[int], Any]) -> tuple[float, float]:
    """Median and 95th percentile over the frames; the renderer draws now and then, unmeasured, and tidies up."""
    times = []
    for frame in range(FRAMES):
        if frame % DRAWN_EVERY == 0:
            import_open3d().visualization.gui.Application.instance.run_one_tick()
        start = time.perf_counter()
        work(frame)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times[WARM:])), float(np.percentile(times[WARM:], 95))


def main() -> None:
    gui = import_open3d().visualization.gui
    application = gui.Application.instance
    application.initialize()
    stage = five_people()
    viewer = Viewer(stage, "benchmark", Path.cwd(), (1280, 800))
    scene = viewer.widget.scene
    looks = {
        "people": Look(truth=False),
        "people and trails": Look(truth=False, trails=1.0),
        "people, truth, trails, error bars, error colours": Look(trails=1.0, ellipsoids=2.0, errors=True),
    }
    print("| drawn | Stage.drawing ms | LiveScene.draw ms (95 %) |\n|---|---|---|")
    for name, look in looks.items():
        stage.look = look
        drawn: list[Drawing] = []
        first = milliseconds(lambda frame, drawn=drawn: drawn.append(stage.drawing(frame)))  # type: ignore[misc]
        second = milliseconds(lambda frame, drawn=drawn: viewer.live.draw(drawn[frame]))  # type: ignore[misc]
        print(f"| {name} | {first[0]:.2f} | {second[0]:.2f} ({second[1]:.2f}) |", flush=True)

    stage.look = looks["people"]
    material = open3d_material("defaultUnlit")

    def as_one_mesh(frame: int) -> None:
        drawing = stage.drawing(frame)
        scene.remove_geometry("one mesh")
        scene.add_geometry("one mesh", open3d_mesh(body_mesh(drawing.spheres, drawing.cylinders)), material, False)

    print(f"one mesh of all people, sent anew: {milliseconds(as_one_mesh)[0]:.2f} ms")
    scene.remove_geometry("one mesh")

    viewer.player.look = replace(looks["people"])
    viewer.player.loop = True
    viewer.player.play()
    viewer.clock = time.perf_counter()
    ends: list[float] = []
    start = time.perf_counter()
    while (now := time.perf_counter()) - start < SECONDS:
        before = viewer.drawn
        application.run_one_tick()
        if viewer.drawn != before:
            ends.append(now - start)
    print(f"in the window: {len(ends) / SECONDS:.0f} frames/s over {SECONDS} s; the clip has 60")
    print(f"frame at the end: {viewer.player.frame} of {FRAMES}; by the clock {int(SECONDS * 60 % FRAMES)}")
    viewer.window.close()


if __name__ == "__main__":
    main()

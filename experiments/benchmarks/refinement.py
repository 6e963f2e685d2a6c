"""How fast and how good refinement over time is: python experiments/benchmarks/refinement.py [FRAMES [THEIRS]]

One person of a motion capture data base, 17 joints at 60 frames/s, seen by 4 cameras: 2 pixels of noise, 5 % of the
keypoints missing, 3 % gross errors. lift3d.multiview.refinement.refine and CameraGroup.optim_points of aniposelib start
from the same robust triangulation and are measured in one run, each warm. FRAMES is 10,000 unless given; THEIRS, the
frames that aniposelib is given, the same.

The motion is read from ../shared/data/mocap/cmu.h5, or from the folder that LIFT3D_SHARED_DATA names.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.datasets.motion_bank import BANK_FPS, BANK_JOINTS, load_motion_bank
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.multiview.refinement import refine
from lift3d.multiview.triangulate import triangulate
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import LIMBS, make_skeleton

NOISE, MISSING, GROSS, LARGEST = 2.0, 0.05, 0.03, 150.0
FRAMES = 10_000
BRIDGE = 60
# The joint "spine" is placed between others and would be no bone's end.
JOINTS = tuple(joint for joint in BANK_JOINTS if joint != "spine")
TRUNK = {"neck_base": "pelvis", "head_top": "neck_base"} | {
    f"{side}_{joint}": parent
    for side in ("left", "right")
    for joint, parent in (("hip", "pelvis"), ("shoulder", "neck_base"), ("toe", f"{side}_ankle"))
}
BODY = make_skeleton("bank17", {joint: TRUNK.get(joint, LIMBS.get(joint)) for joint in JOINTS})


def seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """Time of one call, and what it returned."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def motion(frames: int) -> np.ndarray:
    """(frames, 17, 3) metres: the clips of the subject with most of them, with a second between one and the next."""
    folder = Path(os.environ.get("LIFT3D_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
    bank = load_motion_bank([(folder / "mocap" / "cmu.h5", 1.0)])
    keep = [BANK_JOINTS.index(joint) for joint in JOINTS]
    clips: dict[str, list[np.ndarray]] = {}
    for name, start, length in zip(bank.names, bank.starts.tolist(), bank.lengths.tolist(), strict=True):
        if length > 200:
            clip = bank.positions[start : start + length, keep].numpy().astype(np.float64)
            clip[..., :2] -= clip[0, 0, :2]
            clips.setdefault(name.split("/")[1].split("_")[0], []).append(clip)
    subject = max(clips.values(), key=lambda parts: sum(map(len, parts)))
    parts = [subject[0]]
    count = 1
    while sum(map(len, parts)) < frames:
        following = subject[count % len(subject)]
        parts += [bridge(parts[-1][-1], following[0]), following]
        count += 1
    return np.concatenate(parts)[:frames]


def bridge(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(BRIDGE, joints, 3) from one pose to another, with bones that keep their lengths."""
    share = np.linspace(0, 1, BRIDGE + 2)[1:-1, None]
    share = share**3 * (10 - 15 * share + 6 * share**2)
    between = np.empty((BRIDGE, *first.shape))
    between[:, 0] = first[0] + share * (last[0] - first[0])
    for joint in sorted(range(1, len(first)), key=lambda joint: generation(joint)):
        parent = BODY.parents[joint]
        start, end = first[joint] - first[parent], last[joint] - last[parent]
        direction = start + share * (end - start)
        direction *= np.linalg.norm(start) / np.linalg.norm(direction, axis=-1, keepdims=True)
        between[:, joint] = between[:, parent] + direction
    return between


def generation(joint: int) -> int:
    """Bones between a joint and the root."""
    return 0 if BODY.parents[joint] < 0 else 1 + generation(BODY.parents[joint])


def make_rig() -> Rig:
    """Four cameras in the corners of a room of 6.4 m."""
    cameras = []
    for k in range(4):
        angle = np.pi / 4 + k * np.pi / 2
        centre = np.array([4.5 * np.cos(angle), 4.5 * np.sin(angle), 1.8 + 0.3 * (k % 2)])
        z = np.array([0, 0, 0.9]) - centre
        z /= np.linalg.norm(z)
        x = np.cross(z, [0, 0, 1])
        x /= np.linalg.norm(x)
        R = np.stack([x, np.cross(z, x), z])
        K = np.array([[1150.0, 0, 960], [0, 1150, 540], [0, 0, 1]])
        cameras.append(Camera(K, np.array([-0.1, 0.05, 0, 0, 0]), R, -R @ centre, (1920, 1080), f"cam{k}"))
    return Rig(tuple(cameras))


def observe(truth: np.ndarray, rig: Rig) -> np.ndarray:
    """(cameras, frames, joints, 2) what a detector would find."""
    rng = np.random.default_rng(0)
    pixels = np.stack([camera.project(truth) for camera in rig])
    pixels += rng.normal(0, NOISE, pixels.shape)
    gross = rng.random(pixels.shape[:-1]) < GROSS
    pixels[gross] += rng.uniform(-LARGEST, LARGEST, (gross.sum(), 2))
    pixels[rng.random(pixels.shape[:-1]) < MISSING] = np.nan
    return pixels


def seen_by(pixels: np.ndarray) -> list[Keypoints2D]:
    """(cameras, frames, joints, 2) as the keypoints of one person."""
    return [Keypoints2D(camera[:, None], skeleton=BODY, fps=BANK_FPS) for camera in pixels]


def ours(pixels: np.ndarray, start: np.ndarray, rig: Rig, bones: bool) -> np.ndarray:
    """lift3d's refinement of (frames, joints, 3)."""
    poses = Poses3D(start[:, None], skeleton=BODY, fps=BANK_FPS)
    return refine(poses, seen_by(pixels), rig, rigid=bones).xyz[:, 0]


def theirs(pixels: np.ndarray, start: np.ndarray, rig: Rig, bones: bool) -> np.ndarray:
    """aniposelib's refinement of (frames, joints, 3)."""
    import cv2
    from aniposelib.cameras import Camera as TheirCamera
    from aniposelib.cameras import CameraGroup

    group = CameraGroup(
        [
            TheirCamera(
                name=camera.name, size=camera.image_size, matrix=camera.K, dist=camera.distortion,
                rvec=cv2.Rodrigues(camera.R)[0].ravel(), tvec=camera.t,
            )
            for camera in rig
        ]
    )  # fmt: skip
    constraints = [list(bone) for bone in BODY.bones] if bones else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's, about the way it is used there
        return np.asarray(group.optim_points(pixels.copy(), start.copy(), constraints=constraints))


def row(name: str, elapsed: float | None, found: np.ndarray, truth: np.ndarray) -> str:
    """One row: time, and errors in millimetres."""
    error = np.linalg.norm(found - truth[: len(found)], axis=-1) * 1000
    error = error[np.isfinite(error)]
    time_text = "" if elapsed is None else f"{elapsed:.2f} s | {elapsed / len(found) * 1e6:,.0f}"
    return (
        f"| {name} | {len(found):,} | {time_text or '|'} | {error.mean():.2f} | {np.median(error):.2f} | "
        f"{np.percentile(error, 95):.2f} |"
    )


def main(frames: int = FRAMES, their_frames: int | None = None) -> None:
    """Print the table."""
    rig, truth = make_rig(), motion(frames)
    pixels = observe(truth, rig)
    start = triangulate(seen_by(pixels), rig).xyz[:, 0].astype(np.float64)
    part = slice(0, their_frames or frames)
    for warm in (ours, theirs):
        warm(pixels[:, :60], start[:60], rig, True)
    print("| | frames | time | microseconds a frame | mean error, mm | median | 95 % |\n" + "|---" * 7 + "|")
    print(row("robust triangulation", None, start, truth), flush=True)
    for bones in (False, True):
        tail = "with bones" if bones else "without bones"
        times = {}
        for name, work, use in (("lift3d", ours, slice(None)), ("aniposelib", theirs, part)):
            times[name], found = seconds(partial(work, pixels[:, use], start[use], rig, bones))
            print(row(f"{name}, {tail}", times[name], found, truth), flush=True)
            times[name] /= len(found)
        print(f"| ratio of times, {tail} | | {times['aniposelib'] / times['lift3d']:.0f} | | | | |", flush=True)


if __name__ == "__main__":
    main(*(int(argument.replace(",", "")) for argument in sys.argv[1:3]))

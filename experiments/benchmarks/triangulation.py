"""How fast and how exact triangulation is, beside aniposelib: python experiments/benchmarks/triangulation.py

Everything is measured in one run, so that the ratios mean something on a shared machine:

1. 10,000 frames x 17 joints x 4 cameras, 2 px of noise, 5 % missing, without and with 3 % of gross outliers: the plain
   solutions, linear and of least reprojection error, beside aniposelib's CameraGroup.triangulate, warm, in turns.
2. The same with outliers: the robust solution beside triangulate_ransac, which is run on some of the points.
3. Time a point against the number of cameras.
4. Time and memory against the number of frames, read from files and written to one, each in a process of its own.
   Memory is the peak above what the process holds when it is warm.

aniposelib: pip install 'lift3d[calibration]'
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lifting import forget_peak, peak_memory

from lift3d.geometry.cameras import Camera
from lift3d.geometry.robust_triangulation import triangulate_robustly
from lift3d.geometry.triangulation import triangulate_points

JOINTS = 17
NOISE = 2.0
REPEATS = 7
RANSAC_POINTS = 400
READ_FRAMES = 8192


def ring(count: int) -> list[Camera]:
    """Cameras of 1920 x 1080 pixels on a circle of 5 m around a person, with a lens that bends."""
    cameras = []
    for index in range(count):
        angle = 2 * np.pi * index / count + 0.1
        centre = np.array([5 * np.cos(angle), 5 * np.sin(angle), 1.5 + index % 2])
        forward = (np.array([0, 0, 1.0]) - centre) / np.linalg.norm(np.array([0, 0, 1.0]) - centre)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        K = np.array([[1100.0, 0, 960], [0, 1100, 540], [0, 0, 1]])
        lens = np.array([-0.12, 0.06, 0.001, -0.001, 0.0])
        cameras.append(Camera(K, lens, R, -R @ centre, (1920, 1080), f"cam{index}"))
    return cameras


def moving_person(start: int, stop: int) -> np.ndarray:
    """(frames, joints, 3) somebody who walks in circles of a metre and swings all joints, at 60 frames/s."""
    rng = np.random.default_rng(0)
    place, phase = rng.uniform([-0.3, -0.3, 0], [0.3, 0.3, 1.8], (JOINTS, 3)), rng.uniform(0, 6, (JOINTS, 3))
    t = np.arange(start, stop)[:, None, None] / 60
    walk = np.concatenate([np.cos(t), np.sin(t), 0 * t], axis=-1) * [0.5, 0.5, 0]
    return np.asarray(place + walk + 0.2 * np.sin(4 * t + phase))


def detect(cameras: list[Camera], points: np.ndarray, outliers: float, seed: int = 1) -> np.ndarray:
    """(C, frames, joints, 2) float32 pixels: noise, 5 % missing, and gross outliers anywhere in the image."""
    rng = np.random.default_rng(seed)
    xy = np.stack([camera.project(points) for camera in cameras])
    xy += rng.normal(0, NOISE, xy.shape)
    wrong = rng.random(xy.shape[:-1]) < outliers
    xy[wrong] = rng.uniform([0, 0], [1920, 1080], (int(wrong.sum()), 2))
    xy[rng.random(xy.shape[:-1]) < 0.05] = np.nan
    return xy.astype(np.float32)


def camera_group(cameras: list[Camera]) -> Any:
    """The same cameras as aniposelib has them."""
    import cv2
    from aniposelib.cameras import Camera as AniposeCamera
    from aniposelib.cameras import CameraGroup

    return CameraGroup(
        [
            AniposeCamera(
                matrix=camera.K,
                dist=camera.distortion,
                size=camera.image_size,
                rvec=cv2.Rodrigues(camera.R)[0].ravel(),
                tvec=camera.t,
                name=camera.name,
            )
            for camera in cameras
        ]
    )


def seconds(action: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turns(*actions: Callable[[], object]) -> list[float]:
    """Median times of actions, warm, each called in turn with the others."""
    for action in actions:
        action()
    times = [[seconds(action) for action in actions] for _ in range(REPEATS)]
    return np.median(times, axis=0).tolist()  # type: ignore[no-any-return]


def errors(points: np.ndarray, truth: np.ndarray) -> str:
    """Median, mean and 90th percentile of the distance from the truth in millimetres, as cells."""
    away = np.linalg.norm(points.reshape(-1, 3) - truth.reshape(-1, 3), axis=-1) * 1000
    return f"{np.nanmedian(away):.2f} | {np.nanmean(away):.1f} | {np.nanpercentile(away, 90):.1f}"


def table(*heads: str) -> None:
    """Print the head of a table."""
    print("\n| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|", flush=True)


def compare_plain(cameras: list[Camera], truth: np.ndarray) -> None:
    """Table 1."""
    group = camera_group(cameras)
    table("outliers", "", "time", "aniposelib / ours", "median error, mm", "mean", "90th percentile")
    for outliers in (0.0, 0.03):
        xy = detect(cameras, truth, outliers)
        single, double = xy.reshape(len(cameras), -1, 2), xy.reshape(len(cameras), -1, 2).astype(np.float64)
        names = ("linear", "least squares", "least squares with covariance", "least squares, float64", "aniposelib")
        actions = (
            lambda: triangulate_points(cameras, single, linear=True).points,  # noqa: B023
            lambda: triangulate_points(cameras, single, covariance=False).points,  # noqa: B023
            lambda: triangulate_points(cameras, single).points,  # noqa: B023
            lambda: triangulate_points(cameras, double).points,  # noqa: B023
            lambda: group.triangulate(double),  # noqa: B023
        )
        times = in_turns(*actions)
        for name, action, elapsed in zip(names, actions, times, strict=True):
            ratio = f"{times[-1] / elapsed:.1f}" if elapsed != times[-1] else ""
            print(f"| {outliers:.0%} | {name} | {elapsed:.3f} s | {ratio} | {errors(action(), truth)} |", flush=True)


def compare_robust(cameras: list[Camera], truth: np.ndarray) -> None:
    """Table 2."""
    group = camera_group(cameras)
    xy = detect(cameras, truth, 0.03).reshape(len(cameras), -1, 2)
    truth = truth.reshape(-1, 3)
    chosen = np.linspace(0, len(truth) - 1, RANSAC_POINTS).astype(int)
    some = xy[:, chosen].astype(np.float64)
    group.triangulate_ransac(some[:, :5])
    start = time.perf_counter()
    theirs = group.triangulate_ransac(some)[0]
    their_time = (time.perf_counter() - start) / RANSAC_POINTS
    table("", "points", "time a point", "aniposelib / ours", "median error, mm", "mean", "90th percentile")
    print(
        f"| aniposelib | {RANSAC_POINTS} | {their_time * 1e6:,.0f} us | | {errors(theirs, truth[chosen])} |", flush=True
    )
    for name, noise in (("robust, noise known", NOISE), ("robust, noise estimated", None)):
        own_time = in_turns(lambda noise=noise: triangulate_robustly(cameras, xy, noise=noise))[0] / len(truth)  # type: ignore[misc]
        points = triangulate_robustly(cameras, xy, noise=noise).points
        print(
            f"| {name} | the same | {own_time * 1e6:.2f} us | {their_time / own_time:,.0f} | "
            f"{errors(points[chosen], truth[chosen])} |\n"
            f"| {name} | {len(truth):,} | | | {errors(points, truth)} |",
            flush=True,
        )


def against_cameras() -> None:
    """Table 3."""
    truth = moving_person(0, 1000)
    table("cameras", "least squares, a point", "a point and camera", "robust, a point", "a point and camera")
    for count in (2, 4, 8, 16, 32):
        cameras = ring(count)
        xy = detect(cameras, truth, 0.03)
        plain, robust = in_turns(
            lambda: triangulate_points(cameras, xy),  # noqa: B023
            lambda: triangulate_robustly(cameras, xy, noise=NOISE),  # noqa: B023
        )
        cells = " | ".join(f"{t / truth[..., 0].size * 1e6 / n:.2f} us" for t in (plain, robust) for n in (1, count))
        print(f"| {count} | {cells} |", flush=True)


def record(folder: Path, frames: int) -> None:
    """Write what four cameras see, one file of float32 each."""
    cameras = ring(4)
    files = [(folder / camera.name).open("wb") for camera in cameras]
    for start in range(0, frames, READ_FRAMES):
        points = moving_person(start, min(frames, start + READ_FRAMES))
        for file, view in zip(files, detect(cameras, points, 0.03, seed=start), strict=True):
            view.tofile(file)
    for file in files:
        file.close()


def measure_clip(folder: Path, frames: int) -> None:
    """In a child process: prints time and memory of triangulating a recording from files to a file."""
    cameras = ring(4)
    works = {
        "least squares": triangulate_points,
        "robust": lambda cameras, xy: triangulate_robustly(cameras, xy, noise=NOISE),
    }
    result = {}
    for name, work in works.items():
        work(cameras, detect(cameras, moving_person(0, READ_FRAMES), 0.03))
        forget_peak()
        before, start = peak_memory(), time.perf_counter()
        with (folder / "points").open("wb") as output:
            for first in range(0, frames, READ_FRAMES):
                count = min(READ_FRAMES, frames - first) * JOINTS * 2
                views = [
                    np.fromfile(folder / camera.name, np.float32, count, offset=first * JOINTS * 8)
                    for camera in cameras
                ]
                work(cameras, np.stack(views).reshape(4, -1, 2)).points.tofile(output)
        result[name] = {"seconds": time.perf_counter() - start, "grown": max(0, peak_memory() - before)}
    print(json.dumps(result))


def against_frames() -> None:
    """Table 4."""
    table("frames", "least squares", "points/s", "memory", "robust", "points/s", "memory")
    for frames in (1_000, 10_000, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            record(Path(folder), frames)
            command = [sys.executable, __file__, "--clip", folder, str(frames)]
            values = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        cells = " | ".join(
            f"{value['seconds']:.2f} s | {frames * JOINTS / value['seconds']:,.0f} | {value['grown'] / 1e6:.0f} MB"
            for value in values.values()
        )
        print(f"| {frames:,} | {cells} |", flush=True)


def main() -> None:
    """Print the four tables."""
    cameras, truth = ring(4), moving_person(0, 10_000)
    compare_plain(cameras, truth)
    compare_robust(cameras, truth)
    against_cameras()
    against_frames()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--clip"]:
        measure_clip(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()

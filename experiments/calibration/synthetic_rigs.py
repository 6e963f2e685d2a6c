"""Calibration beside aniposelib's on synthetic rigs with known truth: python experiments/calibration/synthetic_rigs.py

Fifty rigs of 2 to 12 cameras with lens distortion and a free principal point see a chessboard of 9x6 corners, whole or
not at all, with 0.3 px of noise and 2 % of the corners tens of pixels away. Both programs get the same corners. Errors
are those of the focal length in percent, of each camera's rotation in degrees and position in millimetres as seen
from one camera (the one whose pose lift3d measures from, for both), averaged over the cameras of a rig.

``whitened`` is the mean square of the errors of all parameters, whitened by the covariance that lift3d reports: 1 if
the covariance is right.

Results are kept in runs/synthetic_rigs.jsonl, rig by rig, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from lift3d.calibration.aniposelib_bridge import board_to_aniposelib, rows_from_observations
from lift3d.calibration.boards import Board
from lift3d.calibration.observations import Observations
from lift3d.calibration.solve import solve
from lift3d.geometry.rigs import Rig

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from calibration_scenes import Scene, synthetic_scene

COUNTS = ("focal_percent", "rotation_degrees", "position_mm")


def observed(seed: int) -> tuple[Scene, Observations]:
    """The rig of a seed, and what its cameras saw."""
    cameras = int(np.random.default_rng(seed).integers(2, 13))
    moments = 10 + 6 * cameras
    scene = synthetic_scene(seed, cameras, moments, nearest=1.5)
    whole = np.isfinite(scene.xy).all(axis=(-1, -2))
    xy = np.where(whole[..., None, None], scene.xy, np.nan)
    columns, rows = scene.corners
    board = Board("chessboard", (columns + 1, rows + 1), scene.square)
    sizes = tuple(camera.image_size for camera in scene.rig)
    labels = tuple(map(str, range(moments)))
    return scene, Observations(board, scene.rig.names, sizes, xy, labels, (moments,) * cameras)


def errors(truth: Rig, focal: dict[str, float], poses: dict[str, np.ndarray], reference: str) -> dict[str, float]:
    """Errors of focal lengths (pixels) and of poses (4, 4) from the world to the cameras, in any world."""
    focal_errors, turns, shifts = [], [], []
    origin = matrix(truth[reference].R, truth[reference].t)
    for camera in truth:
        focal_errors.append(100 * abs(focal[camera.name] / np.mean([camera.K[0, 0], camera.K[1, 1]]) - 1))
        if camera.name == reference:
            continue
        true = matrix(camera.R, camera.t) @ np.linalg.inv(origin)
        found = poses[camera.name] @ np.linalg.inv(poses[reference])
        turns.append(np.degrees(np.linalg.norm(Rotation.from_matrix(true[:3, :3] @ found[:3, :3].T).as_rotvec())))
        centres = [-pose[:3, :3].T @ pose[:3, 3] for pose in (true, found)]
        shifts.append(1000 * np.linalg.norm(centres[0] - centres[1]))
    return dict(zip(COUNTS, map(float, (np.mean(focal_errors), np.mean(turns), np.mean(shifts))), strict=True))


def matrix(R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(4, 4) of a pose."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = R, t
    return pose


def ours(scene: Scene, observations: Observations) -> dict[str, object]:
    """lift3d's errors, time, and how the errors compare with the reported covariance."""
    start = time.perf_counter()
    solution = solve(observations)
    seconds = time.perf_counter() - start
    rig, reference = solution.rig, solution.metadata["reference"]
    focal = {camera.name: float(np.mean([camera.K[0, 0], camera.K[1, 1]])) for camera in rig}
    poses = {camera.name: matrix(camera.R, camera.t) for camera in rig}
    values = {}
    origin = scene.rig[reference]
    for true in scene.rig:
        found, R = rig[true.name], true.R @ origin.R.T
        K = true.K - found.K
        named = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
        named |= zip(("k1", "k2", "p1", "p2", "k3"), true.distortion - found.distortion, strict=True)
        named |= zip(("rx", "ry", "rz"), Rotation.from_matrix(R @ found.R.T).as_rotvec(), strict=True)
        named |= zip(("tx", "ty", "tz"), true.t - R @ origin.t - found.t, strict=True)
        values |= {(true.name, name): value for name, value in named.items()}
    vector = np.array([values[parameter] for parameter in solution.parameters])
    square = float(vector @ np.linalg.solve(solution.covariance, vector))
    return {
        "reference": reference,
        "seconds": seconds,
        **errors(scene.rig, focal, poses, reference),
        "square": square,
        "parameters": len(vector),
    }


def anipose(scene: Scene, observations: Observations, reference: str) -> dict[str, object]:
    """aniposelib's errors and time."""
    from aniposelib.cameras import Camera, CameraGroup

    rows, board = rows_from_observations(observations), board_to_aniposelib(observations.board)
    group = CameraGroup([Camera(name=camera.name, size=camera.image_size) for camera in scene.rig])
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        group.calibrate_rows(rows, board, verbose=False)
    seconds = time.perf_counter() - start
    focal = {camera.get_name(): float(camera.get_camera_matrix()[0, 0]) for camera in group.cameras}
    poses = {camera.get_name(): camera.get_extrinsics_mat() for camera in group.cameras}
    return {"seconds": seconds, **errors(scene.rig, focal, poses, reference)}


def table(results: list[dict[str, dict[str, float]]]) -> str:
    """The comparison as Markdown."""
    cameras = [result["cameras"] for result in results]
    lines = [
        f"{len(results)} rigs of {min(cameras)} to {max(cameras)} cameras",
        "",
        "| mean over the rigs (median) | lift3d | aniposelib | rigs in which lift3d is better |",
        "|---|---|---|---|",
    ]
    for name in (*COUNTS, "seconds"):
        own, other = (np.array([result[who][name] for result in results]) for who in ("lift3d", "aniposelib"))
        shown = [f"{values.mean():.3g} ({np.median(values):.3g})" for values in (own, other)]
        lines.append(f"| {name.replace('_', ', ')} | {' | '.join(shown)} | {int((own < other).sum())} |")
    ratio = np.array([result["aniposelib"]["seconds"] / result["lift3d"]["seconds"] for result in results])
    squares, counts = (np.array([result["lift3d"][name] for result in results]) for name in ("square", "parameters"))
    lines += [
        "",
        f"aniposelib takes {np.median(ratio):.0f} times as long (median; {ratio.min():.0f} to {ratio.max():.0f}).",
        f"whitened errors of {int(counts.sum())} parameters: mean square {squares.sum() / counts.sum():.3f}",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rigs", type=int, default=50)
    parser.add_argument("--results", type=Path, default=Path("runs/synthetic_rigs.jsonl"))
    parser.add_argument("--again", action="store_true", help="lift3d only, with the times of before")
    options = parser.parse_args()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    lines = options.results.read_text().splitlines() if options.results.exists() else []
    done = {result["seed"]: result for result in map(json.loads, lines)}
    solve(observed(0)[1])  # what is loaded at the first call counts for nobody
    for seed in range(options.rigs):
        if seed in done and options.again:
            own = ours(*observed(seed))
            done[seed]["lift3d"] = own | {"seconds": done[seed]["lift3d"]["seconds"]}
        if seed in done:
            continue
        scene, observations = observed(seed)
        own = ours(scene, observations)
        other = anipose(scene, observations, own["reference"])
        done[seed] = {"seed": seed, "cameras": len(scene.rig), "lift3d": own, "aniposelib": other}
        with options.results.open("a") as file:
            file.write(json.dumps(done[seed]) + "\n")
        print(
            f"rig {seed}: {len(scene.rig)} cameras, {own['seconds']:.1f} s and {other['seconds']:.1f} s",
            file=sys.stderr,
        )
    print(table([done[seed] for seed in range(options.rigs)]))


if __name__ == "__main__":
    main()

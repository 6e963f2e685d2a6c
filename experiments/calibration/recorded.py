"""Calibration of recorded boards beside what others published: python experiments/calibration/recorded.py DATA

DATA is the folder with ``calibration/opencv_stereo``, ``calibration/charuco_4cam`` and ``multiview/pose2sim_demo``.
Rigs and reports are written to runs/recorded/.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from lift3d.calibration import Board, calibrate, find_sources, read_board, read_scene_points
from lift3d.calibration.bundle_adjustment import adjust
from lift3d.calibration.calibrating import CalibrationReport
from lift3d.calibration.structure import BoardPoses
from lift3d.geometry.rigs import Rig
from lift3d.io.rigs import read_rig

HERE = Path(__file__).parent
OUT = Path("runs/recorded")


def keep(name: str, rig: Rig, report: CalibrationReport) -> None:
    """Write rig and report, and print what they say."""
    OUT.mkdir(parents=True, exist_ok=True)
    rig.save(OUT / f"{name}.toml", overwrite=True)
    report.save(OUT / f"{name}.html", overwrite=True)
    quality = report.quality
    used, dropped = sum(quality.images_used.values()), sum(quality.images_dropped.values())
    print(f"\n## {name}: {quality.verdict}, {used} images used, {dropped} dropped")
    print(f"reprojection error {quality.rmse:.3f} px, of images held out {quality.held_out.rmse:.3f} px")


def focal(rig: Rig, report: CalibrationReport, name: str) -> str:
    return f"{rig[name].K[0, 0]:.1f} ± {report.solution.standard_errors(name)['fx']:.1f}"


def error_of(cameras: Rig, report: CalibrationReport) -> float:
    """RMSE of other cameras on the corners that were used, with the board placed best for them, pixels."""
    solution = report.solution
    at = np.flatnonzero(solution.used.any(axis=(0, 2)))
    xy = np.where(solution.used[..., None], solution.observations.xy, np.nan)[:, at]
    ours, theirs = solution.rig.cameras[0], cameras.cameras[0]
    Q, q = theirs.R.T @ ours.R, theirs.R.T @ (ours.t - theirs.t)
    poses = solution.board_poses
    residuals = adjust(
        cameras.cameras, BoardPoses(poses.points, Q @ poses.R[at], poses.t[at] @ Q.T + q), xy, {}
    ).residuals
    return float(np.sqrt(np.nanmean(np.square(residuals).sum(axis=-1))))


def main() -> None:
    data = Path(sys.argv[1])
    folder = data / "calibration" / "opencv_stereo"
    sides = {side: str(folder / f"{side}[0-9]*.jpg") for side in ("left", "right")}
    rig, report = calibrate(sides, Board("chessboard", (10, 7), 0.025))
    keep("opencv_stereo", rig, report)
    baseline = np.linalg.norm(rig["left"].centre - rig["right"].centre) / 0.025
    print(f"left f {focal(rig, report, 'left')} px (published 535.92, reprojection error 0.3926 px)")
    print(f"baseline {baseline:.4f} squares (published 3.343)")

    folder = data / "calibration" / "charuco_4cam"
    rig, report = calibrate(find_sources(folder / "calibration" / "extrinsic"), read_board(folder / "charuco.toml"))
    keep("charuco_4cam", rig, report)
    published = read_rig(folder / "camera_array.toml")
    same = "same corners, board placed best for each"
    print(f"{same}: {error_of(rig, report):.3f} px, published cameras {error_of(published, report):.3f} px")
    held, held_report = calibrate(
        report.solution.observations, report.solution.observations.board, intrinsics=published, hold_intrinsics=True
    )
    print(
        f"published intrinsics held, {same}: {error_of(held, held_report):.3f} px, "
        f"published cameras {error_of(published, held_report):.3f} px"
    )
    for camera in published:
        print(f"{camera.name} f {focal(rig, report, camera.name)} px (published {camera.K[0, 0]:.1f})")

    folder = data / "multiview" / "pose2sim_demo" / "calibration"
    points = read_scene_points(HERE / "pose2sim_scene_points.csv")
    rig, report = calibrate(
        None, Board("chessboard", (5, 8), 0.06), intrinsics=find_sources(folder / "intrinsics"), points=points
    )
    keep("pose2sim_demo", rig, report)
    for camera, own in zip(read_rig(folder / "Calib.qca.txt"), rig, strict=True):
        turn = np.degrees(np.arccos((np.trace(own.R @ camera.R.T) - 1) / 2))
        print(
            f"{own.name} f {focal(rig, report, own.name)} px, centre {own.K[0, 2]:.0f}, {own.K[1, 2]:.0f} (Qualisys "
            f"{camera.K[0, 0]:.1f}, {camera.K[0, 2]:.0f}, {camera.K[1, 2]:.0f}); {turn:.1f} degrees and "
            f"{1000 * np.linalg.norm(own.centre - camera.centre):.0f} mm from it"
        )


if __name__ == "__main__":
    main()

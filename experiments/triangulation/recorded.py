"""The recorded four-camera demo against its reference: python experiments/triangulation/recorded.py DEMO

DEMO is the folder ``multiview/pose2sim_demo``: a person who balances, OpenPose keypoints of four cameras at 60
frames/s, the Qualisys calibration, and ``Balancing_for_IK.trc``, which Pose2Sim made of other keypoints of the same
videos. Joints are those that both have; hips, neck and head, which the two place differently, are left out of the first
numbers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import lift3d
from lift3d.motion.filters import filter_poses
from lift3d.multiview.gather import gather_views
from lift3d.multiview.refinement import refine
from lift3d.multiview.triangulate import prepare_views, triangulate_views
from lift3d.poses import Keypoints2D, Poses3D

ELSEWHERE = ("hip", "neck", "head", "nose", "eye", "ear", "pelvis", "thorax", "spine")


def linear(motions: tuple[Keypoints2D, ...], rig: lift3d.Rig) -> np.ndarray:
    """(frames, joints, 3) the textbook's solution: the smallest singular vector of all cameras' equations."""
    rows = []
    for camera, motion in zip(rig, motions, strict=True):
        plane = camera.unproject(motion.xy[:, 0])
        P = np.column_stack([camera.R, camera.t])
        rows += [plane[..., k, None] * P[2] - P[k] for k in (0, 1)]
    vectors = np.linalg.svd(np.nan_to_num(np.stack(rows, axis=-2)))[2][..., -1, :]
    return vectors[..., :3] / vectors[..., 3:]


def distances(xyz: np.ndarray, poses: Poses3D, reference: Poses3D, joints: list[str]) -> np.ndarray:
    """(frames, joints) millimetres between points (frames, joints, 3) of the poses' layout and the reference."""
    own = xyz[:, [poses.skeleton.index(joint) for joint in joints]]
    theirs = reference.xyz[:, 0][:, [reference.skeleton.index(joint) for joint in joints]]
    return 1000 * np.linalg.norm(own - theirs, axis=-1)


def main() -> None:
    demo = Path(sys.argv[1])
    rig = lift3d.read_rig(demo / "calibration" / "Calib.qca.txt")
    reference = lift3d.read_poses(demo / "single_balancing" / "reference" / "Balancing_for_IK.trc")
    folders = sorted((demo / "single_balancing" / "pose").iterdir())
    views = prepare_views(gather_views([lift3d.read_keypoints(folder, fps=60) for folder in folders], rig))
    plain = linear(views.keypoints, views.rig)
    robust = triangulate_views(views)
    free = refine(robust, views.keypoints, views.rig, rigid=False)
    bones = refine(robust, views.keypoints, views.rig)
    smooth = filter_poses(robust, "butterworth", cutoff=6.0)
    rows = {
        "plain linear solution, every camera alike": plain,
        "robust (lift3d triangulate)": robust.xyz[:, 0],
        "refined over time, constant bones (--refine)": bones.xyz[:, 0],
        "refined over time, free bones (--refine --free-bones)": free.xyz[:, 0],
        "robust, Butterworth 6 Hz (--filter butterworth:6)": smooth.xyz[:, 0],
    }
    common = [joint for joint in robust.skeleton.joints if joint in reference.skeleton.joints]
    alike = [joint for joint in common if not any(part in joint for part in ELSEWHERE)]
    print(
        f"| | {len(alike)} joints alike, median mm | mean | {len(common)} joints, median mm | mean |",
        "|---|---|---|---|---|",
        sep="\n",
    )
    for name, xyz in rows.items():
        values = [distances(xyz, robust, reference, joints) for joints in (alike, common)]
        print(f"| {name} | " + " | ".join(f"{np.nanmedian(v):.1f} | {np.nanmean(v):.1f}" for v in values) + " |")
    print(f"\njoints alike: {', '.join(alike)}")


if __name__ == "__main__":
    main()

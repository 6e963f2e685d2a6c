"""Joint angles of the recorded demo against its reference: python experiments/motion/angles_recorded.py DEMO [PLOT]

DEMO is the folder ``multiview/pose2sim_demo``. The demo's own OpenPose keypoints are triangulated, and the same angles
are computed from ``Balancing_for_IK.trc``, which Pose2Sim made of other keypoints of the same videos. PLOT names a PNG
of both over time.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import lift3d
from lift3d.motion import ANGLES, Angles, angle_sigma, filter_poses, joint_angles
from lift3d.multiview.gather import gather_views
from lift3d.multiview.triangulate import prepare_views, triangulate_views
from lift3d.poses import Poses3D

# Pose2Sim's names for BODY_25B's joints.
RENAMED = {"neck": "upper_neck", "head": "head_top"}
LOW_PASS = 6.0


def read_reference(demo: Path) -> Poses3D:
    """The reference with its joints called as lift3d calls them."""
    poses = lift3d.read_poses(demo / "single_balancing" / "reference" / "Balancing_for_IK.trc")
    joints = tuple(RENAMED.get(joint, joint) for joint in poses.skeleton.joints)
    return replace(poses, skeleton=replace(poses.skeleton, joints=joints))


def triangulated(demo: Path) -> Poses3D:
    """The demo's keypoints triangulated, filtered as the reference is."""
    rig = lift3d.read_rig(demo / "calibration" / "Calib.qca.txt")
    folders = sorted((demo / "single_balancing" / "pose").iterdir())
    views = prepare_views(gather_views([lift3d.read_keypoints(folder, fps=60) for folder in folders], rig))
    return filter_poses(triangulate_views(views), "butterworth", cutoff=LOW_PASS)


def table(own: Angles, sigma: np.ndarray, reference: Angles) -> str:
    """One row an angle: how far apart, how sure, how far the offset taken out, and the reference's range."""
    rows = [
        "| angle | median absolute difference | stated sigma | mean difference | after taking that out | "
        "range of the reference |",
        "|---|---|---|---|---|---|",
    ]
    for index, name in enumerate(ANGLES):
        difference = own[name][:, 0] - reference[name][:, 0]
        difference = difference[np.isfinite(difference)]
        if not difference.size:
            rows.append(f"| {name} | {own.missing.get(name, 'never in both')} | | | | |")
            continue
        offset = difference.mean()
        seen = reference[name][np.isfinite(reference[name])]
        rows.append(
            f"| {name} | {np.median(np.abs(difference)):.1f} | {np.nanmedian(sigma[:, 0, index]):.1f} | "
            f"{offset:+.1f} | "
            f"{np.median(np.abs(difference - offset)):.1f} | {seen.min():.0f} to {seen.max():.0f} |"
        )
    return "\n".join(rows)


def plot(own: Angles, reference: Angles, path: Path) -> None:
    """Both over time."""
    import matplotlib.pyplot as plt

    from lift3d.palette import LEFT, MIDDLE, RIGHT

    titles = list(dict.fromkeys(name.removeprefix("left_").removeprefix("right_") for name in ANGLES))
    figure, panels = plt.subplots(4, 4, figsize=(18, 12), sharex=True, layout="constrained")
    time = np.arange(len(own.values)) / (own.fps or 1)
    for panel, title in zip(panels.ravel(), titles, strict=True):
        for name, colour in ((f"left_{title}", LEFT), (f"right_{title}", RIGHT), (title, MIDDLE)):
            if name in ANGLES:
                panel.plot(time, own[name][:, 0], color=colour)
                panel.plot(time, reference[name][:, 0], color=colour, linestyle=":")
        panel.set_title(title)
    figure.supxlabel("seconds; dotted: the reference; degrees")
    figure.savefig(path, dpi=80)


def main() -> None:
    demo = Path(sys.argv[1])
    poses = triangulated(demo)
    own, reference = joint_angles(poses), joint_angles(read_reference(demo))
    print(table(own, angle_sigma(poses), reference))
    if len(sys.argv) > 2:
        plot(own, reference, Path(sys.argv[2]))


if __name__ == "__main__":
    main()

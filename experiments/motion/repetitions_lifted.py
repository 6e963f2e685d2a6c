"""The same repetitions seen by one camera and lifted: python experiments/motion/repetitions_lifted.py MOCAP

Every CMU clip of ``repetitions_recorded.yaml`` and every fourth squat of HDM05, seen from the front, from 45 degrees
and from the side at 4.5 m, as COCO keypoints with noise of 3 px, lifted with the default checkpoint.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import yaml

import lift3d
from lift3d.datasets.motion_clips import read_motion_clip
from lift3d.motion.repetitions import count_repetitions
from lift3d.poses import Keypoints2D, Poses3D

FOCAL, WIDTH, HEIGHT, DISTANCE, NOISE = 1000.0, 1280, 720, 4.5, 3.0


def seen(poses: Poses3D, degrees: float) -> Keypoints2D:
    """One person's keypoints in a level camera, from so many degrees off the front of the first frame."""
    points = poses.xyz[:, 0].astype(np.float64)
    left, right = (points[0, poses.skeleton.index(f"{side}_hip")] for side in ("left", "right"))
    angle = np.arctan2(*np.cross([0, 0, 1], right - left)[1::-1]) + np.radians(degrees)
    towards = np.array([np.cos(angle), np.sin(angle), 0.0])
    down = np.array([0.0, 0.0, -1.0])
    rotation = np.stack([np.cross(down, -towards), down, -towards])
    camera = (points - np.nanmean(points, axis=(0, 1)) - DISTANCE * towards) @ rotation.T
    xy = FOCAL * camera[..., :2] / camera[..., 2:] + [WIDTH / 2, HEIGHT / 2]
    xy += np.random.default_rng(0).normal(0, NOISE, xy.shape)
    keypoints = Keypoints2D(xy[:, None], skeleton=poses.skeleton, fps=poses.fps, image_size=(WIDTH, HEIGHT))
    return keypoints.convert("coco17")[0]


def main() -> None:
    truth = yaml.safe_load(Path(__file__).with_name("repetitions_recorded.yaml").read_text())["clips"]
    clips = [clip for clip in truth if clip["file"] == "cmu.h5"]
    clips += [clip for clip in truth if clip["file"] == "hdm05.h5" and "squat" in clip["clip"]][::4]
    for degrees in (0.0, 45.0, 90.0):
        wrong = []
        for clip in clips:
            poses = lift3d.lift(seen(read_motion_clip(Path(sys.argv[1]) / clip["file"], clip["clip"]), degrees))
            counted = {exercise: count_repetitions(poses, exercise).count() for exercise in ("squat", "jumping_jack")}
            if differing := [
                f"{name} {clip[name]} -> {count}" for name, count in counted.items() if count != clip[name]
            ]:
                wrong.append(f"{clip['clip']} ({', '.join(differing)})")
        print(f"{degrees:g} degrees: {len(clips)} clips, wrong: {len(wrong)} {'; '.join(wrong)}")


if __name__ == "__main__":
    main()

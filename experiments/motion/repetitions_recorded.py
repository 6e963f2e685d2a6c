"""Squats and jumping jacks of recorded clips, counted: python experiments/motion/repetitions_recorded.py MOCAP

MOCAP is a folder with ``cmu.h5`` and ``hdm05.h5``, one group a clip. ``repetitions_recorded.yaml`` says which clips,
how many repetitions they hold, how that is known, and which clips the levels of the exercises were set on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from lift3d.datasets.motion_clips import read_motion_clip
from lift3d.motion.repetitions import count_repetitions

EXERCISES = ("squat", "jumping_jack")
COLUMNS = ("true", "counted", "partial or cut off")


def main() -> None:
    clips = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())["clips"]
    wrong = dict.fromkeys(("tuning", "held_out"), 0)
    columns = [f"{exercise.replace('_', ' ')}s: {what}" for exercise in EXERCISES for what in COLUMNS]
    print("|", " | ".join(["clip", "half", *columns]), "|")
    print("|---|---|---|---|---|---|---|---|")
    for clip in clips:
        poses = read_motion_clip(Path(sys.argv[1]) / clip["file"], clip["clip"])
        cells = []
        for exercise in EXERCISES:
            found = count_repetitions(poses, exercise)
            cells += [clip[exercise], found.count(), len(found) - found.count()]
            wrong[clip["half"]] += clip[exercise] != found.count()
        print("|", " | ".join(map(str, [clip["clip"], clip["half"].replace("_", " "), *cells])), "|")
    for half, count in wrong.items():
        clips_of = [clip for clip in clips if clip["half"] == half]
        true = {exercise: sum(clip[exercise] for clip in clips_of) for exercise in EXERCISES}
        print(f"\n{half.replace('_', ' ')}: {len(clips_of)} clips, {true}, counts that are wrong: {count}")


if __name__ == "__main__":
    main()

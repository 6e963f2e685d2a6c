"""Train every family of lifters on the same data for the same time:

    python experiments/lifter_families/compare.py MOCAP_FOLDER RUNS_FOLDER [--minutes 6]

Each configuration of this folder is timed over a few steps first, and then trained for as many as fit in the time, with
its whole schedule. Runs that are there are kept. experiments/default_lifter/evaluate.py makes the table.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from pathlib import Path

TIMED_STEPS = (5, 15)


def train(config: Path, mocap: Path, run: Path, steps: int) -> float:
    """Seconds that a run of ``lift3d train`` spent on its steps, validation included."""
    settings = ["--set", f"data.folder={mocap.resolve()}", "--set", f"steps={steps}"]
    command = ["lift3d", "train", str(config), "-o", str(run), *settings]
    subprocess.run([str(Path(sys.executable).parent / command[0]), *command[1:]], check=True)
    with (run / "metrics.csv").open(newline="") as file:
        return float(list(csv.DictReader(file))[-1]["seconds"])


def main() -> None:
    """Train what has not been trained yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="folder with cmu.h5, cmu8.h5, reactidle.h5 and hdm05.h5")
    parser.add_argument("runs", type=Path)
    parser.add_argument("--minutes", type=float, default=6.0)
    arguments = parser.parse_args()
    for config in sorted(Path(__file__).parent.glob("*.yaml")):
        run = arguments.runs / config.stem
        if run.exists():
            continue
        few, more = (
            train(config, arguments.mocap, arguments.runs / f"timed_{config.stem}_{n}", n) for n in TIMED_STEPS
        )
        a_step = (more - few) / (TIMED_STEPS[1] - TIMED_STEPS[0])
        train(config, arguments.mocap, run, max(1, round(arguments.minutes * 60 / a_step)))


if __name__ == "__main__":
    main()

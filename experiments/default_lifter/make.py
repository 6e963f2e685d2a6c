"""The default weights from motion to checkpoint, in one go:

    python experiments/default_lifter/make.py MOCAP_FOLDER RUNS_FOLDER OUTPUT.safetensors

Trains as default.yaml says, lets the weights settle as settle.yaml says, and packages them with calibrated error bars
(package.py, whose tables are printed). What was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def train(config: str, mocap: Path, run: Path, *settings: str) -> None:
    """``lift3d train`` of a configuration of this folder."""
    command = [Path(sys.executable).parent / "lift3d", "train", HERE / config, "-o", run, "--resume"]
    for setting in (f"data.folder={mocap}", *settings):
        command += ["--set", setting]
    subprocess.run(command, check=True)


def main() -> None:
    """Train and package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="folder with cmu.h5, cmu8.h5, reactidle.h5 and hdm05.h5")
    parser.add_argument("runs", type=Path, help="where the trainings' folders go")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    trained = arguments.runs / "default"
    train("default.yaml", arguments.mocap, trained)
    settled = arguments.runs / "settled"
    train("settle.yaml", arguments.mocap, settled, f"model.start={trained / 'last.safetensors'}")
    subprocess.run([sys.executable, HERE / "package.py", arguments.mocap, settled, arguments.output], check=True)


if __name__ == "__main__":
    main()

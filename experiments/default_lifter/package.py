"""A training run as the default checkpoint, its error bars calibrated:

    python experiments/default_lifter/package.py MOCAP_FOLDER RUN OUTPUT.safetensors

The temperature of sigma is fitted on the windows of the people whom training held out. Prints, as Markdown, how often
errors lie within the error bars: of those people, each with a temperature that was fitted on the others, and of HDM05's
actors, who were used for nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import h5py
import torch
from evaluate import FPS, HELD_OUT, held_out_bank

from lift3d.datasets.motion_bank import MotionBank, load_motion_bank
from lift3d.evaluation.coverage import SigmaTally
from lift3d.evaluation.sigma_calibration import calibrate_checkpoint
from lift3d.evaluation.window_coverage import count_window_errors
from lift3d.models import load_checkpoint, save_checkpoint
from lift3d.training.configuration import SynthesisData
from lift3d.training.synthesis import SynthesisBatches

CARD = {
    "data": (
        "motion of the CMU Graphics Lab Motion Capture Database and of ReActIdle, seen through virtual cameras and a "
        "virtual detector; no images, no Human3.6M, MPI-INF-3DHP, HumanEva or HDM05"
    ),
    "terms": (
        "Apache-2.0, any use, commercial too. CMU's motion is free for all uses (the data may not be resold; it is "
        "not in the weights); ReActIdle is MIT. See NOTICE.md"
    ),
    "errors": "see lift3d/weights/default.md and experiments/default_lifter/RESULTS.md",
}
BATCHES, WINDOWS, OUTPUTS = 24, 128, 8


def people_of(mocap: Path, bank: MotionBank) -> list[str]:
    """The subject of each clip of a bank."""
    subjects = {}
    for path in mocap.glob("*.h5"):
        with h5py.File(path, "r") as file:
            subjects |= {f"{path.stem}/{clip}": str(group.attrs.get("subject", "")) for clip, group in file.items()}
    return [subjects[name] for name in bank.names]


def tally(checkpoint: Path, mocap: Path, bank: MotionBank) -> SigmaTally:
    """Errors of a checkpoint on windows of some people, in units of its sigma."""
    network, info = load_checkpoint(checkpoint)
    config = network.config
    source = SynthesisBatches(bank, SynthesisData(fps=FPS), WINDOWS, OUTPUTS, config.past, config.future, seed=2718)
    return count_window_errors(network, info, source, BATCHES, people_of(mocap, bank))


def main() -> None:
    """Write the checkpoint, and print the coverage of its error bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="folder with cmu.h5, cmu8.h5, reactidle.h5 and hdm05.h5")
    parser.add_argument("run", type=Path, help="of lift3d train")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    trained = arguments.run / "last.safetensors"
    held_out = tally(trained, arguments.mocap, held_out_bank(arguments.mocap))
    calibration = held_out.fit()
    calibrate_checkpoint(trained, calibration, arguments.output, sorted(HELD_OUT), overwrite=True)
    network, info = load_checkpoint(arguments.output)
    title = f"lift3d default lifter: {network.config.receptive_field} frames, {network.config.channels} channels"
    kept = {name: info.card[name] for name in ("held_out", "step", "sigma calibrated on")}
    save_checkpoint(network, replace(info, card={"title": title, **CARD, **kept}), arguments.output, overwrite=True)
    print("## People held out, each with a temperature of the others\n")
    print(held_out.cross_fitted_coverage().describe(), end="\n\n")
    print("## HDM05\n")
    hdm05 = tally(trained, arguments.mocap, load_motion_bank([(arguments.mocap / "hdm05.h5", 1.0)]))
    print(hdm05.coverage(calibration).describe())


if __name__ == "__main__":
    main()

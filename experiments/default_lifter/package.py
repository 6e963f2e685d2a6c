"""A training run as the default checkpoint: python experiments/default_lifter/package.py RUN OUTPUT.safetensors"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from lift3d.models import load_checkpoint, save_checkpoint

CARD = {
    "title": "lift3d default lifter: 27 frames, 256 channels",
    "data": (
        "motion of the CMU Graphics Lab Motion Capture Database and of ReActIdle, seen through virtual cameras and a "
        "virtual detector; no images, no Human3.6M, MPI-INF-3DHP or HumanEva"
    ),
    "terms": (
        "Apache-2.0, any use, commercial too. CMU's motion is free for all uses (the data may not be resold; it is "
        "not in the weights); ReActIdle is MIT. See NOTICE.md"
    ),
    "errors": "see lift3d/weights/default.md and experiments/default_lifter/RESULTS.md",
}


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    network, info = load_checkpoint(arguments.run / "last.safetensors")
    save_checkpoint(network, replace(info, card=CARD), arguments.output, overwrite=True)


if __name__ == "__main__":
    main()

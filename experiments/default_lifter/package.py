"""A training run as the default checkpoint: python experiments/default_lifter/package.py RUN OUTPUT.safetensors"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from train import FPS

from lift3d.lifting.normalization import REFERENCE_HEIGHT
from lift3d.models import CheckpointInfo, save_checkpoint
from lift3d.models.factory import make_network
from lift3d.skeletons import H36M17, LIFTER23

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
    state = torch.load(arguments.run / "last.pt", weights_only=True)
    network = make_network("temporal_convolution", state["network_config"])
    network.load_state_dict(state["network"])
    info = CheckpointInfo(
        architecture="temporal_convolution",
        config=state["network_config"],
        input_skeleton=LIFTER23.name,
        output_skeleton=H36M17.name,
        normalization="person",
        fps=FPS,
        height=REFERENCE_HEIGHT,
        card=CARD,
    )
    save_checkpoint(network, info, arguments.output, overwrite=True)


if __name__ == "__main__":
    main()

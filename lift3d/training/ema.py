"""The exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch

from lift3d.models.network import Lifter


class WeightAverage:
    """A copy of a network whose weights follow it: average = d average + (1 - d) weights, after every step.

    d is the smaller of ``decay`` and (1 + n) / (10 + n) after n updates, so that the random first weights are soon
    forgotten. The running means and variances of batch norms are averaged in the same way: they belong to the
    activations of the weights of the same steps, so that their average is, to first order in how far the weights
    move, what the averaged weights' own activations would give; those of the latest weights are not. Counters are
    copied.

    Args:
        network: what to follow; the copy starts with its weights.
        decay: d after many updates, in (0, 1).
    """

    def __init__(self, network: Lifter, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, network: Lifter, updates: int) -> None:
        """Follow the network after a step; ``updates`` is how many updates there were before."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        ours, theirs = self.network.state_dict(), network.state_dict()
        moving = [name for name, value in ours.items() if value.is_floating_point()]
        torch._foreach_lerp_([ours[name] for name in moving], [theirs[name] for name in moving], 1 - decay)
        for name in ours.keys() - set(moving):
            ours[name].copy_(theirs[name])

"""The last layer that all lifting networks share: what its numbers mean and how it starts."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lift3d.models.network import Lifted

# Metres. Between the limits the logarithm of sigma is a sigmoid of the raw number, so that it always has a gradient.
SMALLEST_SIGMA, LARGEST_SIGMA = 1e-3, 2.0
# What a network says before it has learned anything.
FIRST_SIGMA = 0.1
# Standard deviation of the last layer's first weights: the first poses are near zero.
FIRST_WEIGHTS = 0.005

_RANGE = math.log(LARGEST_SIGMA / SMALLEST_SIGMA)
_FIRST = math.log(FIRST_SIGMA / SMALLEST_SIGMA) / _RANGE
_OFFSET = math.log(_FIRST / (1 - _FIRST))


def values_per_joint(sigma: bool) -> int:
    """Numbers a joint that the last layer gives: x, y, z, and their raw sigmas if the network has them."""
    return 6 if sigma else 3


def split_sigma(raw: Tensor) -> Lifted:
    """The network's output from the numbers of its last layer.

    Args:
        raw: (batch, outputs, joints, 3 or 6); of each joint x, y, z in metres, then, if 6, their three raw sigmas.
            A raw sigma of 0 stands for FIRST_SIGMA; any number stands for one between the two limits.
    """
    if raw.shape[-1] == 3:
        return Lifted(raw)
    joints, scale = raw.split(3, dim=-1)
    return Lifted(joints, SMALLEST_SIGMA * torch.exp(_RANGE * torch.sigmoid(scale + _OFFSET)))


def start_near_zero(layer: nn.Linear | nn.Conv1d) -> None:
    """Initialise a last layer so that the first poses are near zero and the first sigmas near FIRST_SIGMA."""
    nn.init.normal_(layer.weight, std=FIRST_WEIGHTS)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)

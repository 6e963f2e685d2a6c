"""The recurrent lifter: LSTM or GRU layers over the frames, one way (causal) or both ways."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from lift3d.models.heads import split_sigma, start_near_zero, values_per_joint
from lift3d.models.network import Lifted, Lifter
from lift3d.models.recurrent.configuration import RecurrentConfig


class Recurrent(Lifter):
    """(batch, frames, joints, features) -> joints (batch, frames, joints, 3).

    Each frame is embedded by a linear layer and a layer norm; the recurrent layers follow, a second layer norm, and a
    linear layer to the 3D joints.
    """

    config: RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.joints_in * config.features_in, config.channels)
        self.embed_norm = nn.LayerNorm(config.channels)
        self.drop = nn.Dropout(config.dropout)
        self.layers = (nn.LSTM if config.cell == "lstm" else nn.GRU)(
            config.channels,
            config.channels,
            num_layers=config.layers,
            batch_first=True,
            bidirectional=config.both_ways,
            # PyTorch warns of dropout between layers where there is nothing between.
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.norm = nn.LayerNorm(config.channels * config.directions)
        self.head = nn.Linear(config.channels * config.directions, config.joints_out * values_per_joint(config.sigma))
        start_near_zero(self.head)

    def forward(self, x: Tensor) -> Lifted:
        x = rearrange(x, "batch frames joints features -> batch frames (joints features)")
        x = self.drop(torch.relu(self.embed_norm(self.embed(x))))
        x, _ = self.layers(x)
        raw = self.head(self.norm(x))
        return split_sigma(
            rearrange(raw, "batch frames (joints values) -> batch frames joints values", joints=self.config.joints_out)
        )

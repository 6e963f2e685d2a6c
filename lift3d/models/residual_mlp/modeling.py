"""The residual multilayer perceptron: each frame's 2D keypoints, by themselves, to root-relative 3D joints.

Architecture of Martinez et al., ICCV 2017, section 3.2: a linear layer, residual blocks of two linear layers, and a
linear layer to the 3D joints; batch norm, ReLU and dropout follow each but the last.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from lift3d.models.heads import split_sigma, start_near_zero, values_per_joint
from lift3d.models.network import Lifted, Lifter
from lift3d.models.residual_mlp.configuration import ResidualMLPConfig


class Layer(nn.Module):
    """A linear layer with batch norm, ReLU and dropout; rows (n, inputs) to (n, outputs)."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        # The norm that follows has a bias of its own.
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.drop = nn.Dropout(dropout)
        nn.init.kaiming_normal_(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.drop(torch.relu(self.norm(self.linear(x))))
        return result


class ResidualMLP(Lifter):
    """(batch, frames, joints, features) -> joints (batch, frames, joints, 3), each frame by itself."""

    config: ResidualMLPConfig

    def __init__(self, config: ResidualMLPConfig) -> None:
        super().__init__()
        self.config = config
        channels, dropout = config.channels, config.dropout
        self.expand = Layer(config.joints_in * config.features_in, channels, dropout)
        self.blocks = nn.ModuleList(
            nn.Sequential(Layer(channels, channels, dropout), Layer(channels, channels, dropout))
            for _ in range(config.blocks)
        )
        self.shrink = nn.Linear(channels, config.joints_out * values_per_joint(config.sigma))
        start_near_zero(self.shrink)

    def forward(self, x: Tensor) -> Lifted:
        batch = x.shape[0]
        x = self.expand(rearrange(x, "batch frames joints features -> (batch frames) (joints features)"))
        for block in self.blocks:
            x = x + block(x)
        raw = self.shrink(x)
        return split_sigma(
            rearrange(raw, "(batch frames) (joints values) -> batch frames joints values",
                      batch=batch, joints=self.config.joints_out)
        )  # fmt: skip

"""The temporal dilated-convolution lifter: 2D keypoints over time to root-relative 3D joints, with error bars if asked.

Architecture of Pavllo et al., CVPR 2019, section 3: an expanding convolution, one residual block for every further
filter width (a dilated convolution and a pointwise one), and a pointwise projection to the 3D joints. No layer pads,
so that every output comes from real frames; whoever calls pads the clip's ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from lift3d.models.heads import split_sigma, start_near_zero, values_per_joint
from lift3d.models.network import Lifted, Lifter
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig


def convolve(x: Tensor, convolution: nn.Conv1d, dilation: int, strided: bool) -> Tensor:
    """A convolution over time as one matrix product, which trains more than twice as fast on a CPU as ``conv1d`` does.

    Args:
        x: (batch, frames, channels in).
        convolution: whose weights (channels out, channels in, width) are used, and its bias if it has one.
        dilation: frames between two taps.
        strided: the taps are neighbours, and outputs are ``width`` frames apart: the frames need not be copied.

    Returns:
        (batch, outputs, channels out).
    """
    width = convolution.kernel_size[0]
    if strided:
        outputs = x.shape[1] // width
        rows = rearrange(
            x[:, : outputs * width], "batch (outputs width) channels -> batch outputs (width channels)", width=width
        )
    else:
        outputs = x.shape[1] - (width - 1) * dilation
        taps = [x[:, tap * dilation : tap * dilation + outputs] for tap in range(width)]
        rows = torch.cat(taps, dim=-1) if width > 1 else x
    matrix = rearrange(convolution.weight, "out channels width -> out (width channels)")
    return nn.functional.linear(rows, matrix, convolution.bias)


def normalize(x: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    """A batch norm of (batch, frames, channels)."""
    normalized: Tensor = norm(x.flatten(0, 1))
    return normalized.view_as(x)


class ResidualBlock(nn.Module):
    """A temporal convolution of dilation ``dilation`` and a pointwise one, added to the block's centre input frames."""

    def __init__(self, channels: int, width: int, dilation: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.width, self.dilation, self.causal = width, dilation, causal
        self.temporal = self.make_layer(channels, width, dilation)
        self.temporal_norm = nn.BatchNorm1d(channels)
        self.pointwise = self.make_layer(channels, 1, 1)
        self.pointwise_norm = nn.BatchNorm1d(channels)
        self.drop = nn.Dropout(dropout)

    @staticmethod
    def make_layer(channels: int, width: int, dilation: int) -> nn.Module:
        """A convolution over time from all channels to all channels."""
        return nn.Conv1d(channels, channels, width, dilation=dilation, bias=False)

    @staticmethod
    def run_layer(x: Tensor, layer: Any, dilation: int, strided: bool) -> Tensor:
        """(batch, frames, channels) through one of its layers, as ``convolve``."""
        return convolve(x, layer, dilation, strided)

    def first_frame(self, dilation: int) -> int:
        """The input frame that the first output stands for: the middle of its filter, the last of it if causal."""
        return (self.width - 1 if self.causal else self.width // 2) * dilation

    def forward(self, x: Tensor, strided: bool) -> Tensor:
        stride, dilation = (self.width, 1) if strided else (1, self.dilation)
        y = self.run_layer(x, self.temporal, self.dilation, strided)
        first = self.first_frame(dilation)
        residual = x[:, first : first + stride * (y.shape[1] - 1) + 1 : stride]
        y = self.drop(torch.relu(normalize(y, self.temporal_norm)))
        y = self.run_layer(y, self.pointwise, 1, strided=False)
        y = self.drop(torch.relu(normalize(y, self.pointwise_norm)))
        result: Tensor = residual + y
        return result


class TemporalConvolution(Lifter):
    """(batch, frames, joints, features) -> ``Lifted`` of frames - receptive field + 1 outputs.

    The dense form shares the work of neighbouring outputs and is meant for whole clips; the strided form computes one
    output for every ``receptive_field`` frames and is meant for training on single targets. Both use the same weights.
    """

    config: TemporalConvolutionConfig
    block = ResidualBlock

    def __init__(self, config: TemporalConvolutionConfig) -> None:
        super().__init__()
        self.config = config
        first, *others = config.filter_widths
        self.expand = nn.Conv1d(config.joints_in * config.features_in, config.channels, first, bias=False)
        self.expand_norm = nn.BatchNorm1d(config.channels)
        self.drop = nn.Dropout(config.dropout)
        dilation = first
        blocks = []
        for width in others:
            blocks.append(self.block(config.channels, width, dilation, config.dropout, config.causal))
            dilation *= width
        self.blocks = nn.ModuleList(blocks)
        self.shrink = nn.Conv1d(config.channels, config.joints_out * values_per_joint(config.sigma), 1)
        start_near_zero(self.shrink)

    def forward(self, x: Tensor, strided: bool | None = None) -> Lifted:
        """Root-relative joints, and their standard deviations if the configuration asks for them.

        Args:
            x: (batch, frames, joints, features), at least ``receptive_field`` frames.
            strided: compute outputs 0, r, 2r, ... only, r being the receptive field, without the work between them.
                None does so where there is only one output: the same numbers for 176 M multiply-adds instead of
                2,609 M (the published network). In training, batch norms then see only what the output is made of.
        """
        return self.lifted(self.run_layers(self.rows(x), strided))

    def rows(self, x: Tensor) -> Tensor:
        """(batch, frames, joints, features) as the first layer takes it: (batch, frames, numbers)."""
        return rearrange(x, "batch frames joints features -> batch frames (joints features)")

    def run_layers(self, x: Tensor, strided: bool | None) -> Tensor:
        """The numbers of ``rows`` through all layers: (batch, outputs, numbers)."""
        if strided is None:
            strided = x.shape[1] == self.config.receptive_field
        x = convolve(x, self.expand, 1, strided)
        x = self.drop(torch.relu(normalize(x, self.expand_norm)))
        for block in self.blocks:
            x = block(x, strided)
        return convolve(x, self.shrink, 1, strided=False)

    def lifted(self, values: Tensor) -> Lifted:
        """The last layer's numbers (batch, outputs, numbers) as poses and sigmas."""
        return split_sigma(
            rearrange(
                values, "batch frames (joints values) -> batch frames joints values", joints=self.config.joints_out
            )
        )

    def norms(self) -> Iterator[nn.BatchNorm1d]:
        """The batch-norm layers."""
        return (module for module in self.modules() if isinstance(module, nn.BatchNorm1d))

    def set_norm_momentum(self, momentum: float) -> None:
        """Set the momentum of every batch norm, which decays during training (0.1 to 0.001 in the paper)."""
        for norm in self.norms():
            norm.momentum = momentum

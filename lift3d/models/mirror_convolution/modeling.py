"""A temporal convolution that treats left and right alike: the mirrored person's pose is the mirrored pose, exactly.

Averaging a pose with that of the mirrored person, as Pavllo et al. (CVPR 2019) do in testing, costs a network twice its
work. Here the network is made of it: two sides of hidden features, one that looks at the person and one that looks at
the mirror image, with the same weights; and each also hears the other. With A for the own side and B for the other one,
y0 = A x0 + B x1 and y1 = A x1 + B x0, which is every linear map that goes along with exchanging the sides (the regular
representation of the group of two in Cohen and Welling, "Group Equivariant Convolutional Networks", ICML 2016). Its sum
and its difference do not mix, y0 +- y1 = (A +- B)(x0 +- x1), so that it takes half the multiply-adds of any map of as
many features. The blocks are those of the temporal convolution, and none of its layers pads either.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from lift3d.models.heads import split_sigma, start_near_zero, values_per_joint
from lift3d.models.mirror_convolution.configuration import MirrorConvolutionConfig
from lift3d.models.network import Lifted, Lifter
from lift3d.models.temporal_convolution.modeling import convolve, normalize
from lift3d.skeletons import get_skeleton


class MirrorLinear(nn.Module):
    """y0 = P (x0 + x1) + Q (x0 - x1) and y1 = P (x0 + x1) - Q (x0 - x1), P and Q convolutions over time.

    Sides lie behind each other along the batch: (2 batch, frames, channels) in and out.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.even = nn.Conv1d(channels, channels, width, bias=False)
        self.odd = nn.Conv1d(channels, channels, width, bias=False)

    def forward(self, x: Tensor, dilation: int, strided: bool) -> Tensor:
        own, other = x.chunk(2)
        even = convolve(own + other, self.even, dilation, strided)
        odd = convolve(own - other, self.odd, dilation, strided)
        return torch.cat([even + odd, even - odd])


class ResidualBlock(nn.Module):
    """A temporal convolution of dilation ``dilation`` and a pointwise one, added to the block's centre input frames."""

    def __init__(self, channels: int, width: int, dilation: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.width, self.dilation, self.causal = width, dilation, causal
        self.temporal = MirrorLinear(channels, width)
        self.temporal_norm = nn.BatchNorm1d(channels)
        self.pointwise = MirrorLinear(channels, 1)
        self.pointwise_norm = nn.BatchNorm1d(channels)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, strided: bool) -> Tensor:
        stride, dilation = (self.width, 1) if strided else (1, self.dilation)
        y = self.temporal(x, self.dilation, strided)
        # The input frame that an output frame stands for: the middle of its filter, the last of it if causal.
        first = (self.width - 1) * dilation if self.causal else (self.width // 2) * dilation
        residual = x[:, first : first + stride * (y.shape[1] - 1) + 1 : stride]
        # The norms see both sides at once, so that they treat them alike.
        y = self.drop(torch.relu(normalize(y, self.temporal_norm)))
        y = self.drop(torch.relu(normalize(self.pointwise(y, 1, strided=False), self.pointwise_norm)))
        result: Tensor = residual + y
        return result


class MirrorConvolution(Lifter):
    """(batch, frames, joints, features) -> ``Lifted`` of frames - receptive field + 1 outputs."""

    config: MirrorConvolutionConfig
    mirror_equivariant = True
    mirror_in: Tensor
    sign_in: Tensor
    mirror_out: Tensor
    sign_out: Tensor

    def __init__(self, config: MirrorConvolutionConfig) -> None:
        super().__init__()
        self.config = config
        first, *others = config.filter_widths
        self.expand = nn.Conv1d(config.joints_in * config.features_in, config.channels, first, bias=False)
        self.expand_norm = nn.BatchNorm1d(config.channels)
        self.drop = nn.Dropout(config.dropout)
        dilation = first
        blocks = []
        for width in others:
            blocks.append(ResidualBlock(config.channels, width, dilation, config.dropout, config.causal))
            dilation *= width
        self.blocks = nn.ModuleList(blocks)
        self.shrink = nn.Conv1d(config.channels, config.joints_out * values_per_joint(config.sigma), 1)
        start_near_zero(self.shrink)
        for name, value in zip(("mirror_in", "sign_in", "mirror_out", "sign_out"), _mirrors(config), strict=True):
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor, strided: bool | None = None) -> Lifted:
        """Root-relative joints, and their standard deviations if the configuration asks for them.

        Args:
            x: (batch, frames, joints, features), at least ``receptive_field`` frames.
            strided: compute outputs 0, r, 2r, ... only, r being the receptive field, without the work between them.
                None does so where there is only one output.
        """
        if strided is None:
            strided = x.shape[1] == self.config.receptive_field
        x = rearrange(x, "batch frames joints features -> batch frames (joints features)")
        x = torch.cat([x, x[..., self.mirror_in] * self.sign_in])
        x = convolve(x, self.expand, 1, strided)
        x = self.drop(torch.relu(normalize(x, self.expand_norm)))
        for block in self.blocks:
            x = block(x, strided)
        own, other = convolve(x, self.shrink, 1, strided=False).chunk(2)
        values = (own + other[..., self.mirror_out] * self.sign_out) / 2
        values = rearrange(
            values, "batch frames (joints values) -> batch frames joints values", joints=self.config.joints_out
        )
        return split_sigma(values)


def _mirrors(config: MirrorConvolutionConfig) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where each number of the mirrored input comes from and its sign, and the same of the output.

    Joints change sides and x changes its sign; a context row stays as it is, and sigmas change sides only.
    """
    order, order_out = (list(get_skeleton(name).mirror_order) for name in (config.skeleton, config.skeleton_out))
    joints, values = len(order), values_per_joint(config.sigma)
    sign_in, sign_out = torch.ones(config.joints_in, config.features_in), torch.ones(config.joints_out, values)
    sign_in[:joints, 0] = sign_out[:, 0] = -1
    rows_in = torch.tensor([*order, *range(joints, config.joints_in)])
    # The root alone has no other side.
    rows_out = torch.tensor(order_out if config.joints_out > 1 else [0])
    numbers_in = rows_in[:, None] * config.features_in + torch.arange(config.features_in)
    numbers_out = rows_out[:, None] * values + torch.arange(values)
    return numbers_in.flatten(), sign_in.flatten(), numbers_out.flatten(), sign_out.flatten()

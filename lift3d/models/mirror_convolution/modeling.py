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

from typing import Any

import torch
from torch import Tensor, nn

from lift3d.models.heads import values_per_joint
from lift3d.models.mirror_convolution.configuration import MirrorConvolutionConfig
from lift3d.models.network import Lifted
from lift3d.models.temporal_convolution.modeling import ResidualBlock, TemporalConvolution, convolve
from lift3d.skeletons import get_skeleton


class MirrorLinear(nn.Module):
    """y0 = P (x0 + x1) + Q (x0 - x1) and y1 = P (x0 + x1) - Q (x0 - x1), P and Q convolutions over time.

    Sides lie behind each other along the batch: (2 batch, frames, channels) in and out.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.even = nn.Conv1d(channels, channels, width, bias=False)
        self.odd = nn.Conv1d(channels, channels, width, bias=False)

    def forward(self, x: Tensor, dilation: int, strided: bool) -> Tensor:
        own, other = x.chunk(2)
        even = convolve(own + other, self.even, dilation, strided)
        odd = convolve(own - other, self.odd, dilation, strided)
        return torch.cat([even + odd, even - odd])


class MirrorBlock(ResidualBlock):
    """The block of the temporal convolution for two sides; its norms see both at once, and so treat them alike."""

    @staticmethod
    def make_layer(channels: int, width: int, dilation: int) -> nn.Module:
        """A convolution over time from all channels of both sides to all of them."""
        return MirrorLinear(channels, width)

    @staticmethod
    def run_layer(x: Tensor, layer: Any, dilation: int, strided: bool) -> Tensor:
        """(2 batch, frames, channels) through one of its layers, as ``convolve``."""
        result: Tensor = layer(x, dilation, strided)
        return result


class MirrorConvolution(TemporalConvolution):
    """(batch, frames, joints, features) -> ``Lifted`` of frames - receptive field + 1 outputs."""

    config: MirrorConvolutionConfig
    mirror_equivariant = True
    block = MirrorBlock
    mirror_in: Tensor
    sign_in: Tensor
    mirror_out: Tensor
    sign_out: Tensor

    def __init__(self, config: MirrorConvolutionConfig) -> None:
        super().__init__(config)
        for name, value in zip(("mirror_in", "sign_in", "mirror_out", "sign_out"), _mirrors(config), strict=True):
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor, strided: bool | None = None) -> Lifted:
        """As of the temporal convolution."""
        rows = self.rows(x)
        both = self.run_layers(torch.cat([rows, rows[..., self.mirror_in] * self.sign_in]), strided)
        own, other = both.chunk(2)
        return self.lifted((own + other[..., self.mirror_out] * self.sign_out) / 2)


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

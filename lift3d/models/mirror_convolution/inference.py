"""The same network for inference, as plain matrix products; see ``lift3d.models.temporal_convolution.inference``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lift3d.models.mirror_convolution.modeling import MirrorBlock, MirrorConvolution, MirrorLinear
from lift3d.models.temporal_convolution.inference import (
    FoldedTemporalConvolution,
    convolve_rows,
    fold,
    outputs_per_block,
)


class FoldedMirrorLinear:
    """A ``MirrorLinear`` and the batch norm behind it, for the rows (frames, channels) of the two sides."""

    def __init__(self, linear: Any, norm: torch.nn.BatchNorm1d, dilation: int) -> None:
        assert isinstance(linear, MirrorLinear)
        self.even, self.bias = fold(linear.even.weight, norm)
        self.odd, _ = fold(linear.odd.weight, norm)
        self.dilation = dilation

    def __call__(self, own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """(frames, channels) of each side -> (frames - (width - 1) * dilation, channels) of each, rectified."""
        even = convolve_rows(own + other, self.even, self.bias, self.dilation)
        odd = convolve_rows(own - other, self.odd, None, self.dilation)
        return (even + odd).relu_(), even.sub_(odd).relu_()


class FoldedMirrorBlock:
    """A ``MirrorBlock`` with its batch norms folded in."""

    def __init__(self, block: MirrorBlock) -> None:
        self.temporal = FoldedMirrorLinear(block.temporal, block.temporal_norm, block.dilation)
        self.pointwise = FoldedMirrorLinear(block.pointwise, block.pointwise_norm, 1)
        self.first = block.first_frame(block.dilation)

    def __call__(self, own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """(frames, channels) of each side -> (frames - (width - 1) * dilation, channels) of each."""
        y, z = self.pointwise(*self.temporal(own, other))
        stop = self.first + len(y)
        return y.add_(own[self.first : stop]), z.add_(other[self.first : stop])


class FoldedMirrorConvolution(FoldedTemporalConvolution):
    """``MirrorConvolution`` in evaluation mode, dense form, for one sequence after the other.

    Args:
        network: the trained network; later changes of its weights are not seen.
    """

    @torch.no_grad()
    def __init__(self, network: MirrorConvolution) -> None:
        super().__init__(network)
        # A side that looks at the mirror image is one whose weights change places and signs: both in one product.
        taps = self.expand.unflatten(0, (network.config.filter_widths[0], -1))
        mirrored = taps[:, network.mirror_in] * network.sign_in[:, None]
        self.expand = torch.cat([taps, mirrored], dim=-1).flatten(0, 1)
        self.expand_bias = self.expand_bias.repeat(2)
        shrink, bias = self.shrink / 2, self.shrink_bias / 2
        self.shrink = torch.cat([shrink, shrink[:, network.mirror_out] * network.sign_out])
        self.shrink_bias = bias + bias[network.mirror_out] * network.sign_out
        self.outputs_per_block = outputs_per_block(2 * network.config.channels, network.config.receptive_field)

    @staticmethod
    def fold_block(block: Any) -> Any:
        """What stands for a block of the network."""
        return FoldedMirrorBlock(block)

    def hidden(self, rows: Tensor) -> Tensor:
        """Last hidden layer (outputs, 2 channels), the two sides beside each other."""
        own, other = self.first_layer(rows).chunk(2, dim=1)
        for block in self.blocks:
            own, other = block(own, other)
        return torch.cat([own, other], dim=1)

"""The same network for inference, as plain matrix products; see ``lift3d.models.temporal_convolution.inference``."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from lift3d.models.heads import split_sigma
from lift3d.models.mirror_convolution.modeling import MirrorConvolution, MirrorLinear, ResidualBlock
from lift3d.models.network import Lifted
from lift3d.models.temporal_convolution.inference import fold, outputs_per_block


class _FoldedLinear:
    """A ``MirrorLinear`` and the batch norm behind it, for the rows of the two sides."""

    def __init__(self, linear: MirrorLinear, norm: torch.nn.BatchNorm1d, dilation: int) -> None:
        self.even, self.bias = fold(linear.even.weight, norm)
        self.odd, _ = fold(linear.odd.weight, norm)
        self.dilation = dilation

    def __call__(self, own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """(frames, channels) of each side -> (frames - (width - 1) * dilation, channels), rectified."""
        even, odd = self._convolve(own + other, self.even, self.bias), self._convolve(own - other, self.odd)
        return (even + odd).relu_(), even.sub_(odd).relu_()

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        taps = len(weight)
        length = x.shape[0] - (taps - 1) * self.dilation
        y = x[:length] @ weight[0] if bias is None else torch.addmm(bias, x[:length], weight[0])
        for tap in range(1, taps):
            y.addmm_(x[tap * self.dilation : tap * self.dilation + length], weight[tap])
        return y


class FoldedMirrorConvolution:
    """``MirrorConvolution`` in evaluation mode, dense form, for one sequence after the other.

    Args:
        network: the trained network; later changes of its weights are not seen.
    """

    @torch.no_grad()
    def __init__(self, network: MirrorConvolution) -> None:
        config = self.config = network.config
        weight, bias = fold(network.expand.weight, network.expand_norm)
        # A side that looks at the mirror image is one whose weights change places and signs. Both in one product.
        mirrored = weight[:, network.mirror_in] * network.sign_in[:, None]
        self.expand = torch.cat([weight, mirrored], dim=-1).flatten(0, 1)
        self.expand_bias = torch.cat([bias, bias])
        self.blocks = []
        for block in network.blocks:
            assert isinstance(block, ResidualBlock)
            temporal = _FoldedLinear(block.temporal, block.temporal_norm, block.dilation)
            pointwise = _FoldedLinear(block.pointwise, block.pointwise_norm, 1)
            margin = (block.width - 1) * block.dilation
            self.blocks.append((temporal, pointwise, margin if config.causal else margin // 2))
        shrink = network.shrink.weight[..., 0].T / 2
        self.shrink_own = shrink.contiguous()
        self.shrink_other = (shrink[:, network.mirror_out] * network.sign_out).contiguous()
        assert network.shrink.bias is not None
        bias = network.shrink.bias.detach() / 2
        self.shrink_bias = bias + bias[network.mirror_out] * network.sign_out
        self.outputs_per_block = outputs_per_block(2 * config.channels, config.receptive_field)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Lifted:
        """(batch, frames, joints, features) -> ``Lifted`` of frames - receptive field + 1 outputs."""
        margin = self.config.receptive_field - 1
        outputs = x.shape[1] - margin
        result = x.new_empty(x.shape[0], outputs, self.shrink_own.shape[1])
        rows = x.flatten(2).contiguous()
        # Blocks of equal size: a short last one would be mostly shared frames.
        blocks = max(1, round(outputs / self.outputs_per_block))
        edges = [outputs * block // blocks for block in range(blocks + 1)]
        for sequence, target in zip(rows, result, strict=True):
            for start, stop in pairwise(edges):
                own, other = self._hidden(sequence[start : stop + margin])
                torch.addmm(self.shrink_bias, own, self.shrink_own, out=target[start:stop])
                target[start:stop].addmm_(other, self.shrink_other)
        return split_sigma(result.unflatten(-1, (self.config.joints_out, -1)))

    def _hidden(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Last hidden layer (outputs, channels) of each side, of one block of input rows."""
        width, features = self.config.filter_widths[0], rows.shape[1]
        windows = rows.as_strided((rows.shape[0] - width + 1, width * features), (features, 1))
        own, other = torch.addmm(self.expand_bias, windows, self.expand).relu_().chunk(2, dim=1)
        for temporal, pointwise, first in self.blocks:
            y = pointwise(*temporal(own, other))
            stop = first + len(y[0])
            own, other = y[0].add_(own[first:stop]), y[1].add_(other[first:stop])
        return own, other

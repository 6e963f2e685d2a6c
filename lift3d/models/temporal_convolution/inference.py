"""The same network for inference, as plain matrix products.

A convolution over time with dilation d is a sum of matrix products, one a tap, over rows that lie d frames apart. With
frames as rows and channels as columns each tap is a contiguous view, so nothing is copied or re-ordered; batch norms
are folded into the weights, and the rows of one block of frames stay in the cache from layer to layer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from lift3d.models.heads import split_sigma
from lift3d.models.network import Lifted
from lift3d.models.temporal_convolution.modeling import ResidualBlock, TemporalConvolution

# A sequence is worked on in blocks. One layer's activations of a block should stay in the cache (bytes), but blocks
# share a receptive field of frames, whose work is done twice: so a block is also many receptive fields long. Both
# numbers are the best of those tried on two cores (experiments/benchmarks/lifting.py).
ACTIVATION_BYTES = 1 << 21
RECEPTIVE_FIELDS = 48


def fold(weight: Tensor, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Weights (width, in, out) and bias (out,) of a convolution (out, in, width) followed by a batch norm."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = norm.bias - norm.running_mean * scale
    return (weight * scale[:, None, None]).permute(2, 1, 0).contiguous(), bias.contiguous()


def convolve_rows(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    """A convolution of rows over time.

    Args:
        x: (frames, channels in).
        weight: (width, channels in, channels out).
        bias: (channels out,).
        dilation: frames between two taps.

    Returns:
        (frames - (width - 1) * dilation, channels out).
    """
    length = x.shape[0] - (len(weight) - 1) * dilation
    y = x[:length] @ weight[0] if bias is None else torch.addmm(bias, x[:length], weight[0])
    for tap in range(1, len(weight)):
        y.addmm_(x[tap * dilation : tap * dilation + length], weight[tap])
    return y


def outputs_per_block(channels: int, receptive_field: int) -> int:
    """Outputs to compute at a time in a network of some width."""
    return max(ACTIVATION_BYTES // (4 * channels), RECEPTIVE_FIELDS * receptive_field)


class FoldedBlock:
    """A ``ResidualBlock`` with its batch norms folded in, for the rows (frames, channels) of one block of frames."""

    def __init__(self, block: ResidualBlock) -> None:
        assert isinstance(block.temporal, nn.Conv1d)
        assert isinstance(block.pointwise, nn.Conv1d)
        self.temporal, self.temporal_bias = fold(block.temporal.weight, block.temporal_norm)
        pointwise, self.pointwise_bias = fold(block.pointwise.weight, block.pointwise_norm)
        self.pointwise = pointwise[0]
        self.dilation, self.first = block.dilation, block.first_frame(block.dilation)

    def __call__(self, x: Tensor) -> Tensor:
        """(frames, channels) -> (frames - (width - 1) * dilation, channels)."""
        y = convolve_rows(x, self.temporal, self.temporal_bias, self.dilation)
        x = x[self.first : self.first + len(y)]
        return torch.addmm(self.pointwise_bias, y.relu_(), self.pointwise).relu_().add_(x)


class FoldedTemporalConvolution:
    """``TemporalConvolution`` in evaluation mode, dense form, for one sequence after the other.

    Args:
        network: the trained network; later changes of its weights are not seen.
    """

    @torch.no_grad()
    def __init__(self, network: TemporalConvolution) -> None:
        config = self.config = network.config
        self.expand, self.expand_bias = fold(network.expand.weight, network.expand_norm)
        # The first layer's taps lie next to each other: one product over overlapping rows.
        self.expand = self.expand.flatten(0, 1)
        self.blocks = [self.fold_block(block) for block in network.blocks]
        self.shrink = network.shrink.weight[..., 0].T.contiguous()
        assert network.shrink.bias is not None
        self.shrink_bias = network.shrink.bias.detach()
        self.outputs_per_block = outputs_per_block(config.channels, config.receptive_field)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Lifted:
        """(batch, frames, joints, features) -> ``Lifted`` of frames - receptive field + 1 outputs."""
        margin = self.config.receptive_field - 1
        outputs = x.shape[1] - margin
        result = x.new_empty(x.shape[0], outputs, self.shrink.shape[1])
        rows = x.flatten(2).contiguous()
        # Blocks of equal size: a short last one would be mostly shared frames.
        blocks = max(1, round(outputs / self.outputs_per_block))
        edges = [outputs * block // blocks for block in range(blocks + 1)]
        for sequence, target in zip(rows, result, strict=True):
            for start, stop in pairwise(edges):
                torch.addmm(
                    self.shrink_bias, self.hidden(sequence[start : stop + margin]), self.shrink, out=target[start:stop]
                )
        return split_sigma(result.unflatten(-1, (self.config.joints_out, -1)))

    @staticmethod
    def fold_block(block: Any) -> Any:
        """What stands for a block of the network."""
        return FoldedBlock(block)

    def first_layer(self, rows: Tensor) -> Tensor:
        """Input rows (frames, numbers) -> (frames - width + 1, channels)."""
        width, features = self.config.filter_widths[0], rows.shape[1]
        windows = rows.as_strided((rows.shape[0] - width + 1, width * features), (features, 1))
        return torch.addmm(self.expand_bias, windows, self.expand).relu_()

    def hidden(self, rows: Tensor) -> Tensor:
        """Last hidden layer (outputs, channels) of one block of input rows (outputs + receptive field - 1, inputs)."""
        x = self.first_layer(rows)
        for block in self.blocks:
            x = block(x)
        return x

"""Any lifting network at work on stretches of a clip, so that where the stretches are cut changes no result.

Where several outputs for one frame are averaged, x = sum_i a_i x_i, so are their variances: sigma^2 = sum_i a_i
sigma_i^2. That is the most that the average's variance can be, whatever the errors' correlation (the square is convex),
and nearly what it is, since outputs of one network for one frame share most of their error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from lift3d.models.mirror_convolution.inference import FoldedMirrorConvolution
from lift3d.models.mirror_convolution.modeling import MirrorConvolution
from lift3d.models.network import Lifted, Lifter
from lift3d.models.recurrent.modeling import Recurrent
from lift3d.models.temporal_convolution.inference import FoldedTemporalConvolution
from lift3d.models.temporal_convolution.modeling import TemporalConvolution

# Frames that a fixed-window network is given at once, over all windows of a call: bounds memory, changes no result.
FRAMES_AT_ONCE = 4096


class Predictor(Protocol):
    """A network in evaluation mode, without gradients.

    Attributes:
        past, future: frames around the outputs that the input must hold.
        mirror_equivariant: as of the network: averaging with the mirrored clip's output then changes nothing.
    """

    @property
    def past(self) -> int: ...
    @property
    def future(self) -> int: ...
    @property
    def mirror_equivariant(self) -> bool: ...

    def __call__(self, inputs: Tensor, first: int = 0, clip_frames: int | None = None) -> Lifted:
        """Poses of a stretch of a clip, or of a batch of clips of one length.

        Args:
            inputs: (batch, past + outputs + future, joints, features); beyond its ends the clip's ends are repeated.
            first: number, in the clip, of the frame that the first output stands for.
            clip_frames: length of the clip. Windows then lie within it and hold no repeated frames, unless the clip is
                shorter than a window; None where it is not known.

        Returns:
            (batch, outputs, joints, 3) and sigma, if the network has it.
        """


def make_predictor(network: Lifter) -> Predictor:
    """The network's fastest form for inference; the network is put into evaluation mode.

    Temporal convolutions run folded (their later changes of weights are not seen), networks over a fixed window in
    overlapping windows, others as they are: each of their outputs depends on its past and future frames only.
    What looks at no later frame needs none: its ``future`` is 0.
    """
    network.eval()
    if isinstance(network, MirrorConvolution):
        return _FrameByFrame(network, FoldedMirrorConvolution(network))
    if isinstance(network, TemporalConvolution):
        return _FrameByFrame(network, FoldedTemporalConvolution(network))
    if network.config.window is None:
        return _FrameByFrame(network, network)
    return _Windowed(network, causal=isinstance(network, Recurrent) and not network.config.both_ways)


class _FrameByFrame:
    """Networks whose outputs depend on nothing but the frames around them."""

    def __init__(self, network: Lifter, run: Callable[[Tensor], Lifted]) -> None:
        self.past, self.future = network.config.past, network.config.future
        self.mirror_equivariant = network.mirror_equivariant
        self.run = run

    @torch.no_grad()
    def __call__(self, inputs: Tensor, first: int = 0, clip_frames: int | None = None) -> Lifted:
        return self.run(inputs)


class _Windowed:
    """A network over a fixed window of W frames, on overlapping windows whose outputs are averaged.

    Window k starts at clip frame k W / 2. A window's say in a frame grows from its ends, where the network lacks
    context, to its middle: w(p) = min(p + 1, W - p) at frame p of the window, so nothing jumps where windows meet.

    Args:
        network: of a configuration with a window, past and future 0.
        causal: whether its outputs depend on no later frame of the window: then windows may reach beyond the input.
    """

    def __init__(self, network: Lifter, causal: bool) -> None:
        window = network.config.window
        assert window is not None
        self.network, self.causal, self.window, self.hop = network, causal, window, max(1, window // 2)
        self.past, self.future = window - 1, 0 if causal else window - 1
        self.mirror_equivariant = network.mirror_equivariant

    @torch.no_grad()
    def __call__(self, inputs: Tensor, first: int = 0, clip_frames: int | None = None) -> Lifted:
        outputs = inputs.shape[1] - self.past - self.future
        if self.causal:
            inputs = torch.cat([inputs, inputs[:, -1:].expand(-1, self.window - 1, -1, -1)], dim=1)
        # Windows and weights as positions in ``inputs``; the outputs begin at ``past``.
        starts = self._starts(first, first + outputs, clip_frames).to(inputs.device) - first + self.past
        place = torch.arange(self.window, device=inputs.device)
        frames = (starts[:, None] + place).flatten()
        weight = torch.minimum(place + 1, self.window - place).to(inputs.dtype).repeat(len(starts))[:, None, None]
        total = weight.new_zeros(inputs.shape[1], 1, 1).index_add_(0, frames, weight)
        weight = weight / total[frames]
        lifted = self._run(inputs[:, frames].unflatten(1, (len(starts), self.window)))

        def blend(values: Tensor) -> Tensor:
            """(batch, windows * W, joints, 3) -> (batch, outputs, joints, 3)."""
            blended = values.new_zeros(inputs.shape[0], inputs.shape[1], *values.shape[2:])
            blended.index_add_(1, frames, weight * values)
            return blended[:, self.past : self.past + outputs]

        sigma = None if lifted.sigma is None else blend(lifted.sigma.square()).sqrt()
        return Lifted(blend(lifted.joints), sigma)

    def _starts(self, first: int, stop: int, clip_frames: int | None) -> Tensor:
        """Clip frames at which the windows start that reach into frames ``first`` to ``stop``."""
        starts = torch.arange((first - self.window) // self.hop, stop // self.hop + 2) * self.hop
        if self.causal:
            # Where the clip ends must not matter to the frames before.
            starts = starts.clamp_min(0).unique()
        elif clip_frames is not None:
            starts = starts.clamp(0, max(0, clip_frames - self.window)).unique()
        return starts[(starts < stop) & (starts + self.window > first)]

    def _run(self, windows: Tensor) -> Lifted:
        """(batch, windows, W, joints, features) -> (batch, windows * W, joints, 3)."""
        batch = windows.shape[0]
        groups = windows.flatten(0, 1).split(max(1, FRAMES_AT_ONCE // self.window))
        parts = [self.network(group) for group in groups]

        def joined(values: list[Tensor]) -> Tensor:
            whole: Tensor = torch.cat(values).unflatten(0, (batch, -1))
            return whole.flatten(1, 2)

        sigma = [part.sigma for part in parts if part.sigma is not None]
        return Lifted(joined([part.joints for part in parts]), joined(sigma) if sigma else None)

"""What every lifting network is: its configuration, what it takes and what it gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Lifted(NamedTuple):
    """Output of a lifting network.

    Attributes:
        joints: (batch, outputs, joints, 3) root-relative, metres.
        sigma: (batch, outputs, joints, 3) standard deviation of each coordinate, metres; None if the network has none.
    """

    joints: Tensor
    sigma: Tensor | None = None


class NetworkConfig(Protocol):
    """What every network's configuration tells; each network has a frozen dataclass of its own.

    Attributes:
        joints_in: joints of the input.
        features_in: numbers a joint of the input: 2 for x and y, 3 with a confidence.
        joints_out: joints of the output, three coordinates each.
        sigma: whether the network also gives a standard deviation of each coordinate.
    """

    @property
    def joints_in(self) -> int: ...
    @property
    def features_in(self) -> int: ...
    @property
    def joints_out(self) -> int: ...
    @property
    def sigma(self) -> bool: ...

    @property
    def past(self) -> int:
        """Frames before an output frame that the input must hold; the output is shorter by past + future."""

    @property
    def future(self) -> int:
        """Frames after an output frame that the input must hold."""

    @property
    def window(self) -> int | None:
        """Frames that the network was made to take at once; None if it takes any number."""

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds a frame of output over a long clip, in matrix products."""

    @property
    def parameters(self) -> int:
        """Numbers that are trained: what the factory bounds before it allocates them."""


class Lifter(nn.Module):
    """Base of the lifting networks.

    ``forward`` takes (batch, frames, joints_in, features_in) and gives ``Lifted`` of frames - past - future outputs:
    output k stands for input frame past + k. Networks over a fixed window have past = future = 0 and give a pose for
    every frame of the window.

    Attributes:
        mirror_equivariant: whether the mirrored input gives exactly the mirrored output.
    """

    config: NetworkConfig
    mirror_equivariant = False

    def forward(self, x: Tensor) -> Lifted:
        """Root-relative joints, and their standard deviations if the configuration asks for them."""
        raise NotImplementedError

    def norms(self) -> Iterator[_BatchNorm]:
        """The batch norms."""
        return (module for module in self.modules() if isinstance(module, _BatchNorm))

    def set_norm_momentum(self, momentum: float) -> None:
        """Set the momentum of every batch norm, which decays during training (0.1 to 0.001 in Pavllo et al.)."""
        for norm in self.norms():
            norm.momentum = momentum

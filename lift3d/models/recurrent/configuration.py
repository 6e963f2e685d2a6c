"""Configuration of the recurrent lifter."""

from __future__ import annotations

from dataclasses import dataclass

from lift3d.errors import CheckpointError
from lift3d.models.context import NoContext
from lift3d.models.fields import MOST_LAYERS, require_counts, require_dropout, require_flags
from lift3d.models.heads import values_per_joint

# Gates of each kind of cell.
GATES = {"lstm": 4, "gru": 3}


@dataclass(frozen=True)
class RecurrentConfig(NoContext):
    """Shape of a recurrent lifter: LSTM (Hochreiter and Schmidhuber 1997) or GRU (Cho et al. 2014) layers.

    Attributes:
        joints_in: joints of the input.
        features_in: numbers a joint of the input (2 for x and y; 3 with a confidence).
        joints_out: joints of the output, three coordinates each.
        sigma: whether the network also gives a standard deviation of each coordinate.
        cell: "lstm" or "gru".
        channels: width of the embedding and of each direction's state.
        layers: recurrent layers.
        both_ways: whether each layer also reads the frames backwards; if not, an output sees no later frame.
        frames: frames of a training window; any number may be given.
        dropout: probability of dropping a channel's value between layers, in training.
    """

    joints_in: int = 17
    features_in: int = 2
    joints_out: int = 17
    sigma: bool = False
    cell: str = "lstm"
    channels: int = 512
    layers: int = 2
    both_ways: bool = False
    frames: int = 81
    dropout: float = 0.2

    def __post_init__(self) -> None:
        require_counts(self, "joints_in", "features_in", "joints_out", "channels", "frames")
        require_counts(self, "layers", most=MOST_LAYERS)
        require_flags(self, "sigma", "both_ways")
        require_dropout(self)
        if self.cell not in tuple(GATES):
            raise CheckpointError(f"cell must be one of {', '.join(GATES)}, not {self.cell!r}")

    @property
    def window(self) -> int | None:
        """Frames of a training window: how long a memory the weights were taught."""
        return self.frames

    @property
    def directions(self) -> int:
        """2 if the layers also read backwards, else 1."""
        return 2 if self.both_ways else 1

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds a frame of output, in matrix products."""
        embed = self.joints_in * self.features_in * self.channels
        inputs = [self.channels] + [self.channels * self.directions] * (self.layers - 1)
        cells = sum(GATES[self.cell] * self.directions * self.channels * (width + self.channels) for width in inputs)
        return embed + cells + self.channels * self.directions * self.joints_out * values_per_joint(self.sigma)

    @property
    def parameters(self) -> int:
        """Numbers that are trained."""
        biases = self.channels + 2 * GATES[self.cell] * self.channels * self.directions * self.layers
        norms = 2 * self.channels * (1 + self.directions)
        return self.multiply_adds + biases + norms + self.joints_out * values_per_joint(self.sigma)

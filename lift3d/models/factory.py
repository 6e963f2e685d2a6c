"""Networks by name."""

from __future__ import annotations

from typing import Any

from lift3d.errors import CheckpointError
from lift3d.models.temporal_convolution.configuration import TemporalConvolutionConfig
from lift3d.models.temporal_convolution.modeling import TemporalConvolution

ARCHITECTURES = {"temporal_convolution": (TemporalConvolutionConfig, TemporalConvolution)}
# Weights of a network are allocated from what a file says; no lifter comes near this.
MOST_PARAMETERS = 500_000_000


def make_network(architecture: str, config: dict[str, Any]) -> TemporalConvolution:
    """A network with fresh weights.

    Args:
        architecture: one of ARCHITECTURES.
        config: fields of its configuration.

    Raises:
        CheckpointError: no such architecture, an unknown or impossible field, or a size beyond MOST_PARAMETERS.
    """
    if architecture not in ARCHITECTURES:
        raise CheckpointError(f"unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}")
    configuration, network = ARCHITECTURES[architecture]
    try:
        settings = configuration(**config)
    except TypeError as error:
        raise CheckpointError(f"configuration of {architecture}: {error}") from error
    if settings.multiply_adds > MOST_PARAMETERS:
        raise CheckpointError(f"configuration of {architecture}: {settings.multiply_adds} weights are too many")
    return network(settings)

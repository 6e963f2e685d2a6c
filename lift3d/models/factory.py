"""Networks by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

from lift3d.errors import CheckpointError
from lift3d.models.network import Lifter, NetworkConfig

# Name of each architecture, which is its folder, and of its configuration and its network there.
ARCHITECTURES = {
    "temporal_convolution": ("TemporalConvolutionConfig", "TemporalConvolution"),
    "mirror_convolution": ("MirrorConvolutionConfig", "MirrorConvolution"),
    "graph_convolution": ("GraphConvolutionConfig", "SpatioTemporalGraph"),
    "graph_transformer": ("GraphTransformerConfig", "GraphTransformer"),
    "recurrent": ("RecurrentConfig", "Recurrent"),
    "residual_mlp": ("ResidualMLPConfig", "ResidualMLP"),
}
# Weights of a network are allocated from what a file says; no lifter comes near these.
MOST_PARAMETERS = 500_000_000
LONGEST_CONTEXT = 100_000


def _part(architecture: str, module: str, name: int) -> Any:
    """The configuration (0) or the network (1) of an architecture; imported when it is asked for."""
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise CheckpointError(f"unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}")
    return getattr(import_module(f"lift3d.models.{architecture}.{module}"), ARCHITECTURES[architecture][name])


def make_config(architecture: str, settings: Mapping[str, Any]) -> NetworkConfig:
    """The configuration of a network.

    Args:
        architecture: one of ARCHITECTURES.
        settings: fields of its configuration; and ``size``, a name for several of them, where the architecture has
            published sizes (graph_transformer: XS, S, B). A field that is given counts more than the size.

    Raises:
        CheckpointError: no such architecture, or an unknown or impossible field.
    """
    configuration = _part(architecture, "configuration", 0)
    sizes: Mapping[str, Mapping[str, Any]] = getattr(configuration, "SIZES", {})
    if not isinstance(settings, Mapping):
        raise CheckpointError(f"configuration of {architecture}: must be names and values, not {settings!r}")
    given = dict(settings)
    if sizes and "size" in given:
        size = given.pop("size")
        if not isinstance(size, str) or size not in sizes:
            raise CheckpointError(
                f"configuration of {architecture}: size must be one of {', '.join(sizes)}, not {size!r}"
            )
        given = {**sizes[size], **given}
    known = [field.name for field in fields(configuration)]
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        raise CheckpointError(
            f"configuration of {architecture}: no field {', '.join(unknown)}; there are "
            f"{', '.join([*known, *(['size'] if sizes else [])])}"
        )
    try:
        config: NetworkConfig = configuration(**given)
        context = max(config.past + config.future, config.window or 0)
    except (TypeError, ValueError, CheckpointError) as error:
        raise CheckpointError(f"configuration of {architecture}: {error}") from error
    if context > LONGEST_CONTEXT:
        raise CheckpointError(f"configuration of {architecture}: a context of more than {LONGEST_CONTEXT} frames")
    return config


def settings_for(
    architecture: str,
    settings: Mapping[str, Any],
    *,
    joints_in: int,
    features_in: int,
    skeleton: str,
    skeleton_out: str,
    joints_out: int,
) -> dict[str, Any]:
    """Settings, and what follows from the data for the fields that the architecture has and the settings do not give.

    Args:
        architecture: one of ARCHITECTURES.
        settings: as for ``make_config``.
        joints_in: rows of the input: the joints of ``skeleton``, and one more where there is a context row.
        features_in: numbers a row.
        skeleton, skeleton_out: joint layouts of input and output.
        joints_out: joints of the output.

    Raises:
        CheckpointError: no such architecture.
    """
    known = {field.name for field in fields(_part(architecture, "configuration", 0))}
    data = {
        "joints_in": joints_in,
        "features_in": features_in,
        "joints_out": joints_out,
        "skeleton": skeleton,
        "skeleton_out": skeleton_out,
    }
    return {**{name: value for name, value in data.items() if name in known}, **settings}


def make_network(architecture: str, settings: Mapping[str, Any]) -> Lifter:
    """A network with fresh weights.

    Args:
        architecture, settings: as for ``make_config``.

    Raises:
        CheckpointError: no such architecture, an unknown or impossible field, or more weights than MOST_PARAMETERS.
    """
    config = make_config(architecture, settings)
    if config.parameters > MOST_PARAMETERS:
        raise CheckpointError(f"configuration of {architecture}: {config.parameters} weights are too many")
    network: Lifter = _part(architecture, "modeling", 1)(config)
    return network

"""Checks of the fields that the networks' configurations have in common."""

from __future__ import annotations

import math
from typing import Any

from lift3d.errors import CheckpointError

# Beyond what any lifter has; the product of fields is bounded by the factory, which counts the weights.
LARGEST_WIDTH = 1_000_000
MOST_LAYERS = 256


def require_counts(config: Any, *names: str, most: int = LARGEST_WIDTH) -> None:
    """Raise CheckpointError unless each field is a whole number from 1 to ``most``."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise CheckpointError(f"{name} must be a whole number from 1 to {most}, not {value!r}")


def require_flags(config: Any, *names: str) -> None:
    """Raise CheckpointError unless each field is true or false."""
    for name in names:
        if not isinstance(getattr(config, name), bool):
            raise CheckpointError(f"{name} must be true or false, not {getattr(config, name)!r}")


def require_dropout(config: Any) -> None:
    """Raise CheckpointError unless ``dropout`` is a probability below 1."""
    value = config.dropout
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and 0 <= value < 1):
        raise CheckpointError(f"dropout must be in [0, 1), not {value!r}")


def require_filter_widths(config: Any) -> tuple[int, ...]:
    """``filter_widths`` as a tuple. Raises CheckpointError unless they are odd whole numbers, one at least."""
    widths = config.filter_widths
    if (
        not isinstance(widths, list | tuple)
        or not 1 <= len(widths) <= MOST_LAYERS
        or any(type(width) is not int or width < 1 or width % 2 == 0 for width in widths)
    ):
        raise CheckpointError(f"filter_widths must be 1 to {MOST_LAYERS} odd numbers of 1 or more, not {widths!r}")
    return tuple(widths)

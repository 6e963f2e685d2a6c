"""Numbers as a page carries them: little-endian, in base64."""

from __future__ import annotations

import base64

import numpy as np

# What stands for NaN among 16-bit steps.
MISSING = -32768
LARGEST_STEP = 32767


def pack(values: np.ndarray, kind: str) -> str:
    """The array as base64 of numbers of a kind such as "<f4"."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def pack_steps(values: np.ndarray, step: float) -> str:
    """The array as 16-bit multiples of ``step``, to half a step; NaN becomes ``MISSING``.

    Values beyond the 16 bits become the largest that fits.
    """
    steps = np.clip(np.rint(values / step), -LARGEST_STEP, LARGEST_STEP)
    return pack(np.where(np.isfinite(steps), steps, MISSING), "<i2")


def step_for(values: np.ndarray, least: float) -> float:
    """The step by which all values (any shape, NaN is left out) fit into 16 bits, ``least`` if that is enough."""
    return max(least, float(np.fmax.reduce(np.abs(values), axis=None, initial=0)) / LARGEST_STEP)

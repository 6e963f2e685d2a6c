"""Compiled loops whose numbers may be NaN, and are the same in every part of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def exact(function: Function) -> Function:
    """Machine code of a loop over windows, made at the first call and then kept on disk; without fast mathematics.

    With it NaN may not stay NaN, and a sum may be taken in another order where memory lies otherwise. The loops write
    arrays number by number, since numba takes long to compile what numpy does with whole ones.
    """
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))

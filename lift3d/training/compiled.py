"""Compiled loops over windows: all of a window stays in the cache, and each thread takes some of the windows."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar, cast

import torch

from lift3d.errors import MissingDependencyError

try:
    from numba import njit
except ModuleNotFoundError as error:
    raise MissingDependencyError("windows for training need numba: pip install 'lift3d[train]'") from error

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """A kernel for ``over_windows``: machine code that is made at the first call, and then kept on disk.

    It may round as it likes, but takes sums in their order, and every number has to be one: none may be NaN.
    """
    fastmath = {"contract", "nsz", "nnan", "arcp"}
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)(function))


def exact(function: Function) -> Function:
    """As ``compiled``, for numbers that may be NaN; it rounds as written, wherever in memory the numbers lie.

    Arrays are written number by number, since numba takes long to compile what numpy does with whole ones.
    """
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))


def over_windows(kernel: Callable[..., None], windows: int, *arguments: Any) -> None:
    """Call ``kernel(first, last, *arguments)`` for all windows, with as many threads as torch uses.

    Each window is the work of one thread, so that results do not depend on their number.
    """
    threads = torch.get_num_threads()
    edges = [thread * windows // threads for thread in range(threads + 1)]
    parts = list(pairwise(edges))
    others = [_threads().submit(kernel, *part, *arguments) for part in parts[1:]]
    kernel(*parts[0], *arguments)
    for other in others:
        other.result()


@lru_cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), "windows")


# A forked process has none of the threads of its parent, and would wait for them: it makes its own.
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_threads.cache_clear)

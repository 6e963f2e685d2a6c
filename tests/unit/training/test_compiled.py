"""Windows are shared out to threads: each once, nothing lost that goes wrong, in forked processes too."""

import multiprocessing
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from lift3d.training.compiled import over_windows


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(threads)


def count(first: int, last: int, seen: np.ndarray) -> None:
    seen[first:last] += 1


@pytest.mark.parametrize("windows", [0, 1, 2, 3, 8])
def test_each_window_is_done_once(windows: int) -> None:
    seen = np.zeros(windows, int)
    over_windows(count, windows, seen)
    assert (seen == 1).all()


def test_what_goes_wrong_in_a_thread_is_raised() -> None:
    def kernel(first: int, last: int) -> None:
        if last == 9:
            raise RuntimeError(f"from {first}")

    with pytest.raises(RuntimeError, match="from 6"):
        over_windows(kernel, 9)


@pytest.mark.skipif(sys.platform == "win32", reason="no forks")
def test_a_forked_process_has_threads_of_its_own() -> None:
    """Those of the parent, started by its first batch, do not run in the child."""
    seen = np.zeros(9, int)
    over_windows(count, 9, seen)
    child = multiprocessing.get_context("fork").Process(target=over_windows, args=(count, 9, seen))
    child.start()
    child.join(20)
    child.kill()
    assert child.exitcode == 0

"""Batches made ahead of time: the same ones, early, and their errors at the step that asks."""

import threading

import pytest
import torch

from lift3d.errors import Lift3DError
from lift3d.training.batches import Batch
from lift3d.training.prefetch import Prefetcher


class Numbered:
    """Batches that say their step; step 7 cannot be made."""

    steps_per_epoch = 10

    def __init__(self) -> None:
        self.begun: dict[int, threading.Event] = {step: threading.Event() for step in range(20)}
        self.threads: set[int] = set()

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        self.begun[step].set()
        self.threads.add(threading.get_ident())
        if step == 7:
            raise Lift3DError("no window for step 7")
        values = torch.full((2, 1, 1, 3), float(step * parts + part))
        return Batch(values, values, values[..., 0], torch.tensor([step, step]))


def test_batches_are_those_of_the_steps_whatever_the_order() -> None:
    source = Numbered()
    ahead = Prefetcher(source, part=1, parts=2, steps=20)
    for step in (0, 1, 2, 5, 6, 3, 4):
        assert float(ahead.take(step).inputs[0, 0, 0, 0]) == step * 2 + 1
    ahead.close()
    assert threading.get_ident() not in source.threads
    assert len(source.threads) == 1


def test_the_next_batch_is_begun_before_it_is_asked_for_and_none_beyond_the_last() -> None:
    source = Numbered()
    ahead = Prefetcher(source, 0, 1, steps=3)
    ahead.take(0)
    assert source.begun[1].wait(timeout=30)
    ahead.take(1)
    ahead.take(2)
    ahead.close()
    assert not source.begun[3].is_set()


def test_an_error_comes_at_its_step() -> None:
    ahead = Prefetcher(Numbered(), 0, 1, steps=20)
    ahead.take(6)
    with pytest.raises(Lift3DError, match="step 7"):
        ahead.take(7)
    ahead.close()

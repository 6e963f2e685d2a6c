"""The next batch is made while a step is trained on the last one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch

from lift3d.training.batches import Batch, BatchSource


class Prefetcher:
    """Batches of a source, in the order of the steps, each made in a thread before it is asked for.

    A batch depends on nothing but its step, so that making it early changes no number. That is not so of sources that
    listen to errors (hard example mining): they cannot be asked ahead of time. torch lets go of Python's lock while it
    computes, so a second core makes the batch; the thread itself uses one.

    Args:
        source: where batches come from; from now on only this thread asks it.
        part, parts: this process's share of each batch.
        steps: steps of the run: no batch is made beyond the last.
    """

    def __init__(self, source: BatchSource, part: int, parts: int, steps: int) -> None:
        self.source, self.part, self.parts, self.steps = source, part, parts, steps
        # The number of threads is each thread's own.
        self._thread = ThreadPoolExecutor(1, "batches", initializer=torch.set_num_threads, initargs=(1,))
        self._next: tuple[int, Future[Batch]] | None = None

    def take(self, step: int) -> Batch:
        """The batch of a step, waiting for it if need be; whatever its making raises is raised here."""
        if self._next is None or self._next[0] != step:
            self._next = step, self._thread.submit(self.source.batch, step, self.part, self.parts)
        made = self._next[1]
        batch = made.result()
        self._next = None
        if step + 1 < self.steps:
            self._next = step + 1, self._thread.submit(self.source.batch, step + 1, self.part, self.parts)
        return batch

    def close(self) -> None:
        """Give up what is not begun, and wait for what is."""
        self._thread.shutdown(wait=True, cancel_futures=True)
